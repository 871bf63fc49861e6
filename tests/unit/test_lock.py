"""The router's lock, and until when an earlier router was alive."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from router.errors import Refused
from router.lock import RouterLock, holder


def test_only_one_holds_it_and_says_who(tmp_path: Path) -> None:
    database = str(tmp_path / "callrouter.db")
    assert holder(database) is None
    with RouterLock(database):
        assert holder(database) == os.getpid()
        with pytest.raises(Refused, match=str(os.getpid())), RouterLock(database):
            pass
    assert holder(database) is None


def test_it_is_closed_to_others_though_an_earlier_release_had_left_it_open(tmp_path: Path) -> None:
    left = tmp_path / "callrouter.db.lock"
    left.touch(0o644)
    with RouterLock(str(tmp_path / "callrouter.db")):
        assert left.stat().st_mode & 0o777 == 0o600


def test_the_first_router_had_nobody_before_it(tmp_path: Path) -> None:
    with RouterLock(str(tmp_path / "callrouter.db")) as lock:
        assert lock.before is None


def test_the_last_sign_of_life_is_told_to_the_next_router(tmp_path: Path) -> None:
    database = str(tmp_path / "callrouter.db")
    with RouterLock(database) as lock:
        os.utime(lock.path, (1_700_000_000, 1_700_000_000))
        lock.beat()
        beaten = os.stat(lock.path).st_mtime
        assert beaten == pytest.approx(time.time(), abs=5)
    os.utime(lock.path, (1_700_000_000, 1_700_000_000))
    with RouterLock(database) as lock:
        assert lock.before == 1_700_000_000
