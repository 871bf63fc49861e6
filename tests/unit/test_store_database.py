"""Bad input, database: one line saying what is wrong and the command that mends it; nothing is overwritten."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.errors import StoreError
from router.store.database import immediate, open_database, reader, reading, writing
from router.store.pseudonym import load_key, pseudonym
from router.store.reveals import os_user
from router.store.rows import Rows
from router.store.schema import VERSIONS
from tests.store_rows import descriptors, missed, nobody_writes, write

ROOT = Path(__file__).parents[2]
NOBODY = 65534
Open = Callable[[str], sqlite3.Connection]
BOTH = pytest.mark.parametrize("opens", [open_database, reader], ids=["writing", "reading"])


def refusal(opens: Open, path: Path) -> str:
    """The one line with which opening `path` is refused."""
    before = descriptors()
    with pytest.raises(StoreError) as caught:
        opens(str(path))
    assert descriptors() == before
    line = str(caught.value)
    assert "\n" not in line
    assert str(path) in line
    return line


@BOTH
def test_a_missing_folder(tmp_path: Path, opens: Open) -> None:
    line = refusal(opens, tmp_path / "away" / "calls.db")
    assert line.endswith(f"the folder {tmp_path}/away does not exist; make it: mkdir -p {tmp_path}/away")
    assert not (tmp_path / "away").exists()


@BOTH
def test_a_folder(tmp_path: Path, opens: Open) -> None:
    assert "is a folder; name a file in it: --db" in refusal(opens, tmp_path)


@BOTH
def test_not_a_database(tmp_path: Path, opens: Open) -> None:
    path = tmp_path / "calls.db"
    path.write_text("version: 1\ncompany: {}\n" * 100)
    before = path.read_bytes()
    assert f"is not an SQLite database, left as it is; move it away: mv {path} {path}.aside" in refusal(opens, path)
    assert path.read_bytes() == before


@BOTH
def test_a_few_bytes_that_are_no_database(tmp_path: Path, opens: Open) -> None:
    path = tmp_path / "calls.db"
    path.write_bytes(b"SQL")
    assert "is damaged" in refusal(opens, path)
    path.write_bytes(b"sql")
    assert "is not an SQLite database" in refusal(opens, path)


@BOTH
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.98])
def test_truncated(tmp_path: Path, opens: Open, kept: float) -> None:
    path = tmp_path / "calls.db"
    write(str(path), [missed(str(number), float(number)) for number in range(20)])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    before = path.read_bytes()
    line = refusal(opens, path)
    assert "is damaged (truncated, or overwritten in part)" in line
    assert f"sqlite3 {path} .recover | sqlite3 {path}.recovered" in line
    assert path.read_bytes() == before


def test_truncated_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    write(str(path), [missed("first")])
    path.write_bytes(b"")
    line = refusal(open_database, path)
    assert f"is empty, and was not; put a backup in its place: cp BACKUP {path}" in line
    assert path.read_bytes() == b""


def test_damage_that_shows_only_when_a_page_is_read_is_one_line_too(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    write(str(path), [missed(str(number), float(number)) for number in range(20)])
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError, match="is damaged"), reading(str(path)) as connection:
        connection.execute("SELECT * FROM calls").fetchall()


@BOTH
def test_a_newer_schema(tmp_path: Path, opens: Open) -> None:
    path = tmp_path / "calls.db"
    open_database(str(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    line = refusal(opens, path)
    assert f"newer Callrouter (schema 99, this one knows {len(VERSIONS)})" in line
    assert "pip install --upgrade callrouter" in line


@BOTH
def test_another_programs_database(tmp_path: Path, opens: Open) -> None:
    path = tmp_path / "calls.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (id TEXT)")
    assert "is another program's database, left as it is" in refusal(opens, path)
    with closing(sqlite3.connect(path)) as connection:
        assert [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")] == ["recipes"]


@BOTH
def test_a_symlink_loop(tmp_path: Path, opens: Open) -> None:
    path = tmp_path / "calls.db"
    path.symlink_to(path)
    assert "cannot be opened (Too many levels of symbolic links)" in refusal(opens, path)


@BOTH
def test_no_regular_file(tmp_path: Path, opens: Open) -> None:
    os.mkfifo(tmp_path / "calls.db")
    assert "is no regular file" in refusal(opens, tmp_path / "calls.db")


def test_there_is_none_to_read_yet(tmp_path: Path) -> None:
    assert "there is no database yet; the router makes it: callrouter run" in refusal(reader, tmp_path / "calls.db")
    assert list(tmp_path.iterdir()) == []


def test_a_command_makes_none(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    with pytest.raises(StoreError, match="there is no database yet"), writing(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_none_to_read_either(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.touch()
    assert "starting the router brings it up to date: callrouter run" in refusal(reader, path)


def test_an_older_schema_is_not_migrated_by_the_second_line(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.touch()
    with pytest.raises(StoreError, match="schema 0"):
        open_database(str(path), create=False, migrate=False)


def test_locked_by_another_program(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    open_database(str(path)).close()

    def write_now() -> None:
        with writing(str(path)) as connection:
            connection.execute("PRAGMA busy_timeout = 50")
            connection.execute("BEGIN IMMEDIATE")

    with (
        closing(nobody_writes(str(path))),
        pytest.raises(StoreError, match=r"is locked by another program; see which: fuser -v"),
    ):
        write_now()


def test_a_full_disk_is_said_to_be_one(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    open_database(path).close()

    def fill() -> None:
        with writing(path) as connection:
            connection.execute("PRAGMA max_page_count = 1")
            connection.execute("CREATE TABLE more AS SELECT randomblob(100000)")

    with pytest.raises(StoreError, match="the disk is full; see what fills it: df -h"):
        fill()


def test_what_fails_within_a_transaction_is_rolled_back(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")

    def fail(connection: sqlite3.Connection) -> None:
        with immediate(connection):
            connection.execute("INSERT INTO configs VALUES ('v', 'n', 'now', 'f')")
            raise ZeroDivisionError

    with closing(open_database(path)) as connection:
        with pytest.raises(ZeroDivisionError):
            fail(connection)
        assert connection.execute("SELECT * FROM configs").fetchall() == []


def count_elsewhere(path: Path) -> str:
    """The calls as another program sees them; its end is that of a connection to the database."""
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(*c.execute('SELECT count(*) FROM calls'))"
    )
    command = [sys.executable, "-c", f"{program}; c.close()", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_reading_beside_the_writer_gives_up_none_of_its_locks(tmp_path: Path) -> None:
    """Else the next program to close the database takes itself for the last, and removes the writer's log."""
    path = tmp_path / "callrouter.db"
    with closing(open_database(str(path), checkpoints=True)) as writer:
        rows = Rows(writer, load_key(str(path)))
        for name in ("1", "2", "3"):
            with immediate(writer):
                rows.apply(missed(name))
            with reading(str(path)) as connection:
                assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == int(name)
            assert count_elsewhere(path) == f"({name},)"
            assert Path(f"{path}-wal").exists()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    open_database(path).close()
    with pytest.raises(StoreError, match="may not write"), reading(path) as connection:
        connection.execute("DELETE FROM calls")


def test_only_its_owner_reads_what_is_made(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    with closing(open_database(str(path))) as connection:
        connection.execute("INSERT INTO configs VALUES ('v', 'n', 'now', 'f')")
        load_key(str(path))
        modes = {each.name: oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir()}
    assert set(modes) == {"calls.db", "calls.db-wal", "calls.db-shm", "calls.db.key"}
    assert set(modes.values()) == {"0o600"}


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that any user may reach, unlike pytest's."""
    folder = tempfile.mkdtemp(prefix="callrouter-test-")
    os.chmod(folder, 0o755)  # noqa: S103 - that is the point
    yield Path(folder)
    subprocess.run(["chmod", "-R", "u+rwX", folder], check=True)
    shutil.rmtree(folder)


def as_nobody(call: str) -> str:
    """What `call` (an expression) says in a process without root's powers."""
    script = (
        "import os\n"
        "import router.store.database as store\n"
        "from router.errors import StoreError\n"
        "from router.store.migrations import migrate\n"  # before the user changes: the checkout may be private
        f"if os.geteuid() == 0: os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        f"try:\n    {call}\n    print('opened')\n"
        "except StoreError as error:\n    print(error)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that belongs to somebody else")
def test_other_owner(shared_folder: Path) -> None:
    path = shared_folder / "calls.db"
    open_database(str(path)).close()
    for call in (f"store.open_database({str(path)!r})", f"store.reader({str(path)!r})"):
        line = as_nobody(call)
        assert "it belongs to root; run as its owner: sudo -u root callrouter" in line
        assert "you (nobody) may not read" in line


def test_a_file_that_its_mode_forbids(shared_folder: Path) -> None:
    path = shared_folder / "calls.db"
    open_database(str(path)).close()
    if os.geteuid() == 0:
        for each in (shared_folder, path):
            os.chown(each, NOBODY, NOBODY)
    path.chmod(0o400)
    line = as_nobody(f"store.open_database({str(path)!r})")
    assert f"its mode forbids it; allow it: chmod u+rwX {path}" in line
    assert as_nobody(f"store.reader({str(path)!r})") == "opened"


def test_a_folder_that_cannot_be_written_is_read_all_the_same(shared_folder: Path) -> None:
    """A copy on a read-only medium: no log can be made beside it, and none is needed."""
    path = shared_folder / "calls.db"
    write(str(path), [missed("first")])
    if os.geteuid() == 0:
        for each in (shared_folder, path):
            os.chown(each, NOBODY, NOBODY)
    shared_folder.chmod(0o555)
    everything = "SELECT id FROM calls"
    count = f"print(len(store.reader({str(path)!r}).execute({everything!r}).fetchall()))"
    assert as_nobody(count) == "1\nopened"
    assert "may not write the log beside it in" in as_nobody(f"store.open_database({str(path)!r})")


def test_a_key_is_made_once_and_gives_stable_pseudonyms(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    key = load_key(path)
    assert load_key(path) == key
    assert pseudonym(key, "+33145678901") == pseudonym(key, "+33145678901")
    assert pseudonym(key, "+33145678901") != pseudonym(load_key(f"{path}2"), "+33145678901")
    assert pseudonym(key, None) == "withheld"
    assert [each.name for each in sorted(tmp_path.iterdir())] == ["calls.db.key", "calls.db2.key"]


def test_programs_that_make_the_key_at_once_agree(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    script = f"from router.store.pseudonym import load_key; print(load_key({path!r}).hex())"
    started = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(8)]
    assert len({process.communicate(timeout=60)[0] for process in started}) == 1


def test_a_spoilt_key_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "calls.db.key").write_text("abc\n")
    with pytest.raises(OSError, match="holds no key"):
        load_key(str(tmp_path / "calls.db"))
    assert (tmp_path / "calls.db.key").read_text() == "abc\n"


def test_who_runs_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the system's word, not the environment's; behind sudo, who called it."""
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("USER", "somebody")
    monkeypatch.setenv("LOGNAME", "somebody")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert os_user() == "root"
    monkeypatch.setenv("SUDO_USER", "carol")
    assert os_user() == "carol"
    monkeypatch.setattr(os, "geteuid", lambda: 987_654)
    assert os_user() == "#987654"
