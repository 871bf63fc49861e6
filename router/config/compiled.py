"""The compiled routes: what the last accepted configuration left for the second line of defence.

A forked script has milliseconds, so it cannot read YAML: `write` leaves one small SQLite file beside the database,
`lookup` reads from it the few rows that one call needs. This module and what it imports at the top stay in the
standard library; phonenumbers is imported only for a DID that no cheap spelling finds.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Final
from urllib.parse import quote

from router.config.stored import (
    campaign_from,
    campaign_text,
    frame_from,
    frame_text,
    hours_from,
    hours_text,
    person_from,
    person_text,
)
from router.errors import NumberError, StoreError
from router.model import Campaign, Config, Ring
from router.numbers import header_number, read_number

FORMAT: Final = 2
"""`PRAGMA user_version` of the file; another one is refused, the next accepted configuration replaces it."""

_SCHEMA: Final = """
CREATE TABLE frame (text TEXT NOT NULL) STRICT;
CREATE TABLE dids (number TEXT PRIMARY KEY, campaign TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE campaigns (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE hours (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE people (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE mobiles (number TEXT PRIMARY KEY, person TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


def routes_path(database: str) -> str:
    """Where the routes of a database stand: beside it, `<database>.routes`."""
    return f"{database}.routes"


def write(config: Config, path: str) -> None:
    """Replaces the file at once or not at all, readable by its owner alone: the mobiles stand in it.

    Raises StoreError.
    """
    import tempfile  # Here, since a forked script that only looks up should not pay for it.

    folder = os.path.dirname(os.path.abspath(path))
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f"{os.path.basename(path)}.", suffix=".new", dir=folder)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}); make the folder {folder} writable"
        ) from None
    try:
        _fill(config, draft)
        os.fsync(descriptor)
        os.replace(draft, path)
    except (OSError, sqlite3.Error) as error:
        os.unlink(draft)
        raise StoreError(
            f"{path}: cannot be written ({error}); free space in {folder} or make it writable"
        ) from None
    finally:
        os.close(descriptor)


def _fill(config: Config, draft: str) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None)) as db:
        # Nobody reads the draft, and it is thrown away should this fail: a journal would only cost.
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        db.executescript(_SCHEMA)
        db.execute("BEGIN")
        db.execute("INSERT INTO frame VALUES (?)", (frame_text(config, _calling_code(config.country)),))
        _insert(db, "dids", ((number, campaign.id) for number, campaign in config.by_number.items()))
        campaigns = (*config.campaigns.values(), config.unknown)
        _insert(db, "campaigns", ((campaign.id, campaign_text(campaign)) for campaign in campaigns))
        _insert(db, "hours", ((hours.id, hours_text(hours)) for hours in config.hours.values()))
        people = tuple(config.salespeople.values())
        _insert(db, "people", ((person.id, person_text(person)) for person in people))
        _insert(db, "mobiles", {person.mobile: person.id for person in reversed(people)}.items())
        db.execute("COMMIT")
        db.execute(f"PRAGMA user_version={FORMAT}")


def _insert(db: sqlite3.Connection, table: str, rows: Iterable[tuple[str, str]]) -> None:
    db.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)  # noqa: S608 - the names above


def _calling_code(country: str) -> tuple[str, str]:
    """`33` and the national prefix that is left out behind it, `0`; both '' where there is none."""
    import phonenumbers

    code = phonenumbers.country_code_for_region(country)
    return (str(code), phonenumbers.ndd_prefix_for_region(country, True) or "") if code else ("", "")


def lookup(path: str, *did_texts: str, caller: str = "") -> Config:
    """A Config with only what a call needs whose DID is spelt in `did_texts` (exten, headers, …; any order).

    `campaigns` and `by_number` hold the campaigns that own one of them, none for an unknown number; `unknown`,
    the trunks, the screening, and the people and hours that all these name are there too, and whoever's mobile
    it is that calls (`caller`, as it came); passwords and PINs are empty, and AMI is left out. Raises StoreError
    when the file is missing or damaged.
    """
    with _opened(path) as db:
        frame = frame_from(_text(db, "SELECT text FROM frame", ()))
        found: dict[str, Campaign] = {}
        for text in did_texts:
            owner = _owner(db, text, frame.calling_code, frame.national_prefix, frame.config.country)
            if owner:
                number, campaign = owner
                found[number] = campaign_from(_text(db, "SELECT text FROM campaigns WHERE id = ?", (campaign,)))
        unknown = campaign_from(_text(db, "SELECT text FROM campaigns WHERE id = ?", ("unknown",)))
        wanted = (*found.values(), unknown)
        people = dict.fromkeys(person for ring in _rings(frame.config, wanted) for person in ring.to)
        people |= dict.fromkeys(_staff(db, caller, frame.calling_code, frame.national_prefix))
        hours = dict.fromkeys(campaign.hours for campaign in wanted if campaign.hours is not None)
        return frame.complete(
            campaigns=found,
            unknown=unknown,
            people=[person_from(_text(db, "SELECT text FROM people WHERE id = ?", (one,))) for one in people],
            hours=[hours_from(_text(db, "SELECT text FROM hours WHERE id = ?", (one,))) for one in hours],
        )


def _rings(config: Config, campaigns: Iterable[Campaign]) -> Iterator[Ring]:
    """Every ring that a call to one of these campaigns may come to."""
    for campaign in campaigns:
        yield campaign.ring
        for overflow in (campaign.overflow, campaign.closed):
            if overflow and overflow.ring:
                yield overflow.ring
    for vip in config.screening.vips:
        yield vip.ring


def _staff(db: sqlite3.Connection, caller: str, code: str, prefix: str) -> Iterator[str]:
    """The salesperson who calls, where a cheap spelling finds the mobile."""
    for spelling in _spellings(header_number(caller), code, prefix):
        row = db.execute("SELECT person FROM mobiles WHERE number = ?", (spelling,)).fetchone()
        if row:
            yield str(row[0])


@contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    """The file for reading. It never changes in place, so SQLite need not lock or look for journals."""
    mend = "let `callrouter run` read its configuration once"
    if not os.path.exists(path):
        raise StoreError(f"{path}: there are no compiled routes; {mend}")
    try:
        with closing(sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1", uri=True)) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
                raise StoreError(f"{path}: is of another version of Callrouter; {mend}")
            yield db
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: cannot be read ({type(error).__name__}); {mend}") from None


def _text(db: sqlite3.Connection, query: str, values: tuple[str, ...]) -> str:
    row = db.execute(query, values).fetchone()
    if row is None:
        raise ValueError("a row is missing")
    return str(row[0])


def _owner(db: sqlite3.Connection, text: str, code: str, prefix: str, country: str) -> tuple[str, str] | None:
    """(DID, campaign id) of a spelling: first as E.164 by cheap rules, then as phonenumbers reads it."""
    bare = header_number(text)
    for spelling in _spellings(bare, code, prefix):
        row = db.execute("SELECT campaign FROM dids WHERE number = ?", (spelling,)).fetchone()
        if row:
            return spelling, str(row[0])
    try:
        number = read_number(bare, country)
    except NumberError:
        return None
    row = db.execute("SELECT campaign FROM dids WHERE number = ?", (number,)).fetchone()
    return (number, str(row[0])) if row else None


def _spellings(bare: str, code: str, prefix: str) -> Iterator[str]:
    """What `bare` may stand for in E.164: +33…, 0033…, 33…, 0… for a company in country `code`."""
    if bare.startswith("+"):
        yield bare
    elif bare.isascii() and bare.isdigit():
        if bare.startswith("00"):
            yield f"+{bare[2:]}"
        elif code and bare.startswith(code):
            yield f"+{bare}"
        elif code and bare.startswith(prefix):
            yield f"+{code}{bare.removeprefix(prefix)}"
