"""The tables, by version. A version that was released is never edited: what changes is a new one.

Strict tables: a wrong type is refused, not stored. The closed lists of the contract are CHECK constraints,
spelt out here and compared with router.model by a test.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x43524F55
"""`CROU`: how a database of ours is told from another program's (SQLite's application_id)."""

WITHHELD: Final = "withheld"
"""The id of the one caller that stands for all who withhold their number."""

V1: Final = (
    """
    CREATE TABLE callers (
        id TEXT PRIMARY KEY,
        number TEXT,
        pseudonym TEXT NOT NULL UNIQUE,
        first_seen_at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX callers_number ON callers (number) WHERE number IS NOT NULL",
    """
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
    """,
    "CREATE INDEX calls_started ON calls (started_at)",
    "CREATE INDEX calls_campaign ON calls (campaign, started_at)",
    "CREATE INDEX calls_caller ON calls (caller_id, started_at)",
    "CREATE INDEX calls_channel ON calls (channel)",
    "CREATE INDEX calls_live ON calls (node) WHERE outcome IS NULL",
    """
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
    """,
    """
    CREATE UNIQUE INDEX callbacks_one_open ON callbacks (campaign, caller_id)
        WHERE state IN ('open', 'claimed')
    """,
    "CREATE INDEX callbacks_due ON callbacks (due_at) WHERE state IN ('open', 'claimed')",
    """
    CREATE TABLE callback_calls (
        callback_id TEXT NOT NULL REFERENCES callbacks (id),
        call_id TEXT NOT NULL REFERENCES calls (id),
        PRIMARY KEY (callback_id, call_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX callback_calls_call ON callback_calls (call_id)",
    """
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
    """,
    "CREATE INDEX attempts_call ON attempts (call_id)",
    "CREATE INDEX attempts_salesperson ON attempts (salesperson, started_at)",
    "CREATE INDEX attempts_callback ON attempts (callback_id) WHERE callback_id IS NOT NULL",
    """
    CREATE TABLE configs (
        version TEXT NOT NULL,
        node TEXT NOT NULL,
        accepted_at TEXT NOT NULL,
        file TEXT NOT NULL,
        PRIMARY KEY (node, accepted_at, version)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE reveals (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        os_user TEXT NOT NULL,
        command TEXT NOT NULL,
        reason TEXT NOT NULL,
        rows INTEGER NOT NULL
    ) STRICT
    """,
)

V2: Final = (
    "ALTER TABLE calls ADD COLUMN recording TEXT",
    "ALTER TABLE calls ADD COLUMN recording_seconds REAL CHECK (recording_seconds >= 0)",
    "ALTER TABLE attempts ADD COLUMN caller_id TEXT",
    "ALTER TABLE attempts ADD COLUMN note TEXT",
    """
    CREATE TABLE pauses (
        salesperson TEXT PRIMARY KEY,
        since TEXT NOT NULL,
        until TEXT,
        by TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE staff_calls (
        id TEXT PRIMARY KEY,
        node TEXT NOT NULL,
        salesperson TEXT NOT NULL,
        did TEXT NOT NULL,
        started_at TEXT NOT NULL,
        ended_at TEXT NOT NULL,
        verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
        actions TEXT NOT NULL
    ) STRICT
    """,
)

VERSIONS: Final = (V1, V2)

STATE_AT: Final = """
    CASE WHEN callbacks.state NOT IN ('open', 'claimed') OR :now < callbacks.lease_until THEN callbacks.state
         WHEN callbacks.expires_at <= :now THEN 'expired'
         ELSE 'open' END
"""
"""A callback's state at `:now` (ISO text) as router.callbacks.state_at has it: a lease or a task that has run
out is so from that moment, whether or not the writer has already put it down."""
