"""What the dialplan leaves of callers who hang up while no router is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.model import Departure
from router.store.departures import departures, forget, leave
from router.store.fallback import folder


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = str(tmp_path / "callrouter.db")
    Path(folder(path)).mkdir()
    return path


@pytest.mark.parametrize("up", [True, False])
def test_what_is_left_is_read(database: str, up: bool) -> None:
    word = Departure(1700000030.125, up)
    leave(database, "node1-1700000000.1", word)
    assert departures(database) == {"node1-1700000000.1": word}
    assert [file.name for file in Path(folder(database)).iterdir()] == ["node1-1700000000.1.left"]


@pytest.mark.parametrize("channel", ["", "../1.1", "a/b", "1.1\n", "é", "x" * 200])
def test_what_is_no_channel_leaves_nothing(database: str, channel: str) -> None:
    with pytest.raises(ValueError, match="channel"):
        leave(database, channel, Departure(1700000030.0))


def test_each_is_read_and_forgotten_by_its_channel(database: str) -> None:
    (Path(folder(database)) / "1700000000.1.left").write_text("1700000030.125\n")
    (Path(folder(database)) / "1700000000.2.left").write_text("1700000031.5\n")
    (Path(folder(database)) / "1700000000.3.call").write_text("id=1700000000.3\n")
    assert departures(database) == {
        "1700000000.1": Departure(1700000030.125),
        "1700000000.2": Departure(1700000031.5),
    }
    forget(database, ["1700000000.1"])
    assert departures(database) == {"1700000000.2": Departure(1700000031.5)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "nan",
        "-5",
        "0",
        "1e300",
        "inf",
        "1700000000.1 and more",
        "1700000000.1 UP",
        "1700000000.1 up up",
        "1700000000.1 \xfcp",
        "9" * 500,
    ],
)
def test_what_is_no_time_is_not_there(database: str, text: str) -> None:
    (Path(folder(database)) / "1.1.left").write_text(text)
    assert departures(database) == {}


def test_nothing_was_left(tmp_path: Path) -> None:
    assert departures(str(tmp_path / "none.db")) == {}


def test_a_link_is_not_followed_and_holds_up_no_other(database: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("1700000000")
    (Path(folder(database)) / "1.1.left").symlink_to(tmp_path / "elsewhere")
    (Path(folder(database)) / "1.2.left").mkdir()
    (Path(folder(database)) / "1.3.left").write_text("1700000001")
    assert departures(database) == {"1.3": Departure(1700000001.0)}
