"""Bringing a database to this release's tables, whole or not at all (sqlite-utils' migrations).

Imported only when there is something to do: sqlite-utils costs a quarter of a second.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from router.store.schema import APPLICATION_ID, VERSIONS


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what is missing, in one transaction that excludes every other writer.

    `user_version` then counts the versions applied, so that the next opening asks one pragma. Raises
    sqlite3.Error.
    """
    database = Database(connection, execute_plugins=False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        _versions(VERSIONS).apply(database)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(VERSIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _versions(versions: Sequence[Sequence[str]]) -> Migrations:
    migrations = Migrations("callrouter")
    for number, statements in enumerate(versions, start=1):
        migrations(name=f"v{number}")(_version(statements, number))
    return migrations


def _version(statements: Sequence[str], number: int) -> Callable[[Database], None]:
    def carry_out(database: Database, /) -> None:
        for statement in statements:
            database.execute(statement)

    carry_out.__name__ = f"v{number}"
    return carry_out
