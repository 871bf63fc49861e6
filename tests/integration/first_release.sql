-- A database as the first release left it: its tables (schema 1) and rows of each kind. Never edited.
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'callrouter','v1','2026-03-01 09:59:00.000000+00:00');
CREATE TABLE attempts (
        id TEXT PRIMARY KEY,
        call_id TEXT REFERENCES calls (id),
        callback_id TEXT REFERENCES callbacks (id),
        seq INTEGER NOT NULL,
        salesperson TEXT NOT NULL,
        trunk TEXT NOT NULL,
        started_at TEXT NOT NULL,
        ringing_at TEXT,
        answered_at TEXT,
        accepted_at TEXT,
        ended_at TEXT,
        result TEXT CHECK (result IN ('accepted', 'not_accepted', 'no_answer', 'busy', 'declined',
                                      'unreachable', 'cancelled', 'failed')),
        cause INTEGER,
        sip_status INTEGER,
        CHECK ((call_id IS NULL) <> (callback_id IS NULL))
    ) STRICT
    ;
INSERT INTO "attempts" VALUES('c01jikdg5r0abo24ma3euslum2-01','c01jikdg5r0abo24ma3euslum2',NULL,1,'alice','main','2026-03-01T10:01:00.000Z','2026-03-01T10:01:01.000Z','2026-03-01T10:01:05.000Z','2026-03-01T10:01:05.000Z',NULL,'accepted',NULL,NULL);
INSERT INTO "attempts" VALUES('c01jikdi0e0b36kuitqs632hj1-01','c01jikdi0e0b36kuitqs632hj1',NULL,1,'alice','main','2026-03-01T10:02:00.000Z','2026-03-01T10:02:01.000Z',NULL,NULL,'2026-03-01T10:02:20.000Z','no_answer',NULL,NULL);
INSERT INTO "attempts" VALUES('c01jikdjr1070r52f7a8gpbcr2-01','c01jikdjr1070r52f7a8gpbcr2',NULL,1,'alice','main','2026-03-01T10:03:00.000Z','2026-03-01T10:03:01.000Z',NULL,NULL,'2026-03-01T10:03:20.000Z','no_answer',NULL,NULL);
INSERT INTO "attempts" VALUES('c01jikdllk0puio0t9a1te4pfc-01','c01jikdllk0puio0t9a1te4pfc',NULL,1,'alice','main','2026-03-01T10:04:00.000Z','2026-03-01T10:04:01.000Z',NULL,NULL,'2026-03-01T10:04:20.000Z','no_answer',NULL,NULL);
INSERT INTO "attempts" VALUES('c01jikdng703ji3p4s04vg1hhc-01','c01jikdng703ji3p4s04vg1hhc',NULL,1,'alice','main','2026-03-01T10:05:00.000Z','2026-03-01T10:05:01.000Z',NULL,NULL,'2026-03-01T10:05:20.000Z','no_answer',NULL,NULL);
CREATE TABLE callback_calls (
        callback_id TEXT NOT NULL REFERENCES callbacks (id),
        call_id TEXT NOT NULL REFERENCES calls (id),
        PRIMARY KEY (callback_id, call_id)
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "callback_calls" VALUES('k01jikdi0e0b36kuitqs632hj1','c01jikdi0e0b36kuitqs632hj1');
INSERT INTO "callback_calls" VALUES('k01jikdi0e0b36kuitqs632hj1','c01jikdjr1070r52f7a8gpbcr2');
INSERT INTO "callback_calls" VALUES('k01jikdllk0puio0t9a1te4pfc','c01jikdllk0puio0t9a1te4pfc');
CREATE TABLE callbacks (
        id TEXT PRIMARY KEY,
        campaign TEXT NOT NULL,
        caller_id TEXT NOT NULL REFERENCES callers (id),
        state TEXT NOT NULL CHECK (state IN ('open', 'claimed', 'done', 'expired', 'cancelled')),
        opened_at TEXT NOT NULL,
        due_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        owner TEXT,
        lease_until TEXT,
        attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        closed_at TEXT,
        close_reason TEXT,
        CHECK ((state = 'claimed') = (lease_until IS NOT NULL)),
        CHECK (state <> 'claimed' OR owner IS NOT NULL),
        CHECK ((state IN ('open', 'claimed')) = (closed_at IS NULL))
    ) STRICT
    ;
INSERT INTO "callbacks" VALUES('k01jikdi0e0b36kuitqs632hj1','spring','n01jikdi0e0ce2pe7jdk8he5k1','open','2026-03-01T10:02:20.000Z','2026-03-01T10:17:20.000Z','2099-01-01T00:00:00.000Z',NULL,NULL,0,NULL,NULL);
INSERT INTO "callbacks" VALUES('k01jikdllk0puio0t9a1te4pfc','spring','n01jikdllk0bb6sc22rnacbdnb','claimed','2026-03-01T10:04:20.000Z','2026-03-01T10:19:20.000Z','2099-01-01T00:00:00.000Z','alice','2026-03-01T12:00:00.000Z',1,NULL,NULL);
CREATE TABLE callers (
        id TEXT PRIMARY KEY,
        number TEXT,
        pseudonym TEXT NOT NULL UNIQUE,
        first_seen_at TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO "callers" VALUES('n01jikdg5r0mc0b19cl0feag72','+33145670001','pmc0b19cl0feag72','2026-03-01T10:01:00.000Z');
INSERT INTO "callers" VALUES('n01jikdi0e0ce2pe7jdk8he5k1','+33145670002','pce2pe7jdk8he5k1','2026-03-01T10:02:00.000Z');
INSERT INTO "callers" VALUES('n01jikdllk0bb6sc22rnacbdnb','+33145670003','pbb6sc22rnacbdnb','2026-03-01T10:04:00.000Z');
INSERT INTO "callers" VALUES('withheld',NULL,'withheld','2026-03-01T10:05:00.000Z');
INSERT INTO "callers" VALUES('n01jikdpaq0ppj53705i27ahcn','+33145670004','pppj53705i27ahcn','2026-03-01T10:06:00.000Z');
CREATE TABLE calls (
        id TEXT PRIMARY KEY,
        started_at TEXT NOT NULL,
        did TEXT NOT NULL,
        campaign TEXT NOT NULL,
        caller_id TEXT NOT NULL REFERENCES callers (id),
        outcome TEXT CHECK (outcome IN ('answered', 'voicemail', 'abandoned', 'no_answer', 'busy',
                                        'unreachable', 'closed', 'blocked', 'failed')),
        salesperson TEXT,
        answered_at TEXT,
        ended_at TEXT,
        ring_seconds REAL,
        talk_seconds REAL,
        hangup_by TEXT CHECK (hangup_by IN ('caller', 'salesperson', 'router')),
        cause INTEGER,
        path TEXT NOT NULL CHECK (path IN ('ari', 'agi', 'dialplan')),
        config_version TEXT NOT NULL,
        node TEXT NOT NULL,
        channel TEXT NOT NULL,
        CHECK ((outcome IS NULL) = (ended_at IS NULL))
    ) STRICT
    ;
INSERT INTO "calls" VALUES('c01jikdg5r0abo24ma3euslum2','2026-03-01T10:01:00.000Z','+33184801001','spring','n01jikdg5r0mc0b19cl0feag72','answered','alice','2026-03-01T10:01:05.000Z','2026-03-01T10:02:05.000Z',5.0,60.0,'caller',16,'ari','0123456789ab','test','1772359200.a');
INSERT INTO "calls" VALUES('c01jikdi0e0b36kuitqs632hj1','2026-03-01T10:02:00.000Z','+33184801001','spring','n01jikdi0e0ce2pe7jdk8he5k1','no_answer',NULL,NULL,'2026-03-01T10:02:20.000Z',20.0,0.0,'caller',16,'ari','0123456789ab','test','1772359200.m');
INSERT INTO "calls" VALUES('c01jikdjr1070r52f7a8gpbcr2','2026-03-01T10:03:00.000Z','+33184801001','spring','n01jikdi0e0ce2pe7jdk8he5k1','no_answer',NULL,NULL,'2026-03-01T10:03:20.000Z',20.0,0.0,'caller',16,'ari','0123456789ab','test','1772359200.m2');
INSERT INTO "calls" VALUES('c01jikdllk0puio0t9a1te4pfc','2026-03-01T10:04:00.000Z','+33184801001','spring','n01jikdllk0bb6sc22rnacbdnb','no_answer',NULL,NULL,'2026-03-01T10:04:20.000Z',20.0,0.0,'caller',16,'ari','0123456789ab','test','1772359200.c');
INSERT INTO "calls" VALUES('c01jikdng703ji3p4s04vg1hhc','2026-03-01T10:05:00.000Z','+33184801001','spring','withheld','no_answer',NULL,NULL,'2026-03-01T10:05:20.000Z',20.0,0.0,'caller',16,'ari','0123456789ab','test','1772359200.w');
INSERT INTO "calls" VALUES('c01jikdpaq0hr11t6url5be93t','2026-03-01T10:06:00.000Z','+33184801001','spring','n01jikdpaq0ppj53705i27ahcn',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'ari','0123456789ab','test','1772359200.live');
CREATE TABLE configs (
        version TEXT NOT NULL,
        node TEXT NOT NULL,
        accepted_at TEXT NOT NULL,
        file TEXT NOT NULL,
        PRIMARY KEY (node, accepted_at, version)
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "configs" VALUES('0123456789ab','test','2026-03-01T10:00:00.000Z','campaigns.yaml');
CREATE TABLE reveals (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        os_user TEXT NOT NULL,
        command TEXT NOT NULL,
        reason TEXT NOT NULL,
        rows INTEGER NOT NULL
    ) STRICT
    ;
INSERT INTO "reveals" VALUES(1,'2026-03-01T11:00:00.000Z','root','calls list','a complaint',2);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE UNIQUE INDEX callers_number ON callers (number) WHERE number IS NOT NULL;
CREATE INDEX calls_started ON calls (started_at);
CREATE INDEX calls_campaign ON calls (campaign, started_at);
CREATE INDEX calls_caller ON calls (caller_id, started_at);
CREATE INDEX calls_channel ON calls (channel);
CREATE INDEX calls_live ON calls (node) WHERE outcome IS NULL;
CREATE UNIQUE INDEX callbacks_one_open ON callbacks (campaign, caller_id)
        WHERE state IN ('open', 'claimed')
    ;
CREATE INDEX callbacks_due ON callbacks (due_at) WHERE state IN ('open', 'claimed');
CREATE UNIQUE INDEX callback_calls_call ON callback_calls (call_id);
CREATE INDEX attempts_call ON attempts (call_id);
CREATE INDEX attempts_salesperson ON attempts (salesperson, started_at);
CREATE INDEX attempts_callback ON attempts (callback_id) WHERE callback_id IS NOT NULL;
COMMIT;
PRAGMA application_id = 1129467733;
PRAGMA user_version = 1;
