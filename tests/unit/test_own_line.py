"""The own line's hands: a salesperson's call to the menu becomes requests, pauses and a row, and never a lead."""

from __future__ import annotations

import logging

import pytest

from router.ari import wire
from router.engine import SETTLING
from router.errors import AriDisconnected, AriGone
from router.menu import Stage
from router.model import Pause
from router.own_line import CLOSED_SECONDS, MOST_WRONG
from router.store.pauses import MENU
from tests.build import ALICE, BOB, DID, make_campaign, make_config, make_salesperson
from tests.switchboard import CAROL, WALL, Switchboard, caller_channel, channel, turn
from tests.waiting import until

PIN = "4711"
LINE = "5.1"
"""The channel of Alice's call."""


@pytest.fixture
async def board() -> Switchboard:
    people = [
        make_salesperson("alice", ALICE),
        make_salesperson("bob", BOB),
        make_salesperson("carol", CAROL),
    ]
    config = make_config(
        campaigns=[make_campaign("spring", [DID], to=["alice"])],
        salespeople=people,
        pins={"alice": PIN, "bob": "9021"},
    )
    return Switchboard(config)


def dials(board: Switchboard, mobile: str = ALICE, id: str = LINE) -> None:
    board.arrives(id, caller=mobile)


def presses(board: Switchboard, keys: str, id: str = LINE) -> None:
    for key in keys:
        board.presses(id, key)


def played(board: Switchboard) -> tuple[str, ...]:
    """What is heard now."""
    media: tuple[str, ...] = board.client.last("play").media
    return media


def stages(board: Switchboard) -> list[Stage]:
    return [menu.stage for menu in board.engine.menus]


def wrong_pins(board: Switchboard, times: int) -> None:
    """So many wrong PINs of Alice's, over as many calls as they take."""
    for _ in range(times):
        dials(board)
        presses(board, "0000")
        board.leaves(LINE)


# --- A call -----------------------------------------------------------------------------------------------


async def test_a_mobile_of_ours_is_answered_and_asked_for_the_pin(board: Switchboard) -> None:
    dials(board)
    assert board.client.verbs[-2:] == ["answer", "play"]
    assert played(board) == ("fr:enter-pin",)
    assert board.client.last("play").channel == LINE
    assert (board.engine.calls, board.writer.wrote) == ((), []), "it is no lead"


async def test_the_events_of_one_arrival_are_one_call(board: Switchboard) -> None:
    dials(board)
    dials(board)
    assert len(board.engine.menus) == 1


async def test_the_right_pin_opens_the_menu_and_each_key_does_its_work(board: Switchboard) -> None:
    dials(board)
    presses(board, PIN)
    assert played(board) == ("fr:available", "fr:menu")
    presses(board, "1")
    assert played(board) == ("fr:paused", "fr:menu")
    assert board.writer.pauses == [Pause("alice", WALL, None, MENU)]
    assert board.standing.situation(WALL).paused == {"alice": None}
    board.now += 60
    presses(board, "2")
    assert board.writer.pauses[1:] == [("alice", WALL + 60)]
    assert not board.standing.situation(WALL + 60).paused
    presses(board, "39")
    assert played(board) == ("fr:goodbye",)
    board.heard()
    assert board.client.last("hang_up").channel == LINE
    (row,) = board.writer.staff
    assert (row.salesperson, row.did, row.verified, row.node) == ("alice", DID, True, "test")
    assert row.actions == ("pause", "resume", "callbacks")
    assert (row.started_at, row.ended_at) == (WALL, WALL + 60)
    board.leaves(LINE)
    assert board.engine.menus == ()
    assert len(board.writer.staff) == 1


async def test_what_was_said_before_is_cut_off_by_the_next_words(board: Switchboard) -> None:
    dials(board)
    first = board.client.last("play").playback
    presses(board, "4")
    assert board.client.last("stop_playback").playback == first
    presses(board, PIN[1:])
    board.engine.on_event(wire.PlaybackFinished(first, f"channel:{LINE}", "done"))
    assert played(board) == ("fr:available", "fr:menu"), "the end of what was cut off ends nothing"


@pytest.mark.parametrize(("owed", "said"), [(0, ("fr:no-callbacks",)), (2, ("fr:count-2", "fr:callbacks-open"))])
async def test_callbacks_of_ones_own_campaigns_are_counted(
    board: Switchboard, owed: int, said: tuple[str, ...]
) -> None:
    board.standing.set_owed({("spring", f"+3314000000{n}") for n in range(owed)})
    dials(board)
    presses(board, PIN + "3")
    assert played(board) == (*said, "fr:menu")


async def test_callbacks_of_others_are_not_counted(board: Switchboard) -> None:
    board.standing.set_owed({("spring", "+33140000001")})
    dials(board, BOB)
    presses(board, "90213")
    assert played(board)[0] == "fr:no-callbacks"


async def test_who_is_paused_already_hears_so(board: Switchboard) -> None:
    board.standing.pause(Pause("alice", WALL, WALL + 3600, "root"))
    dials(board)
    presses(board, PIN)
    assert played(board) == ("fr:paused", "fr:menu")


async def test_a_pause_that_is_over_is_none(board: Switchboard) -> None:
    board.standing.pause(Pause("alice", WALL - 7200, WALL - 3600, "root"))
    dials(board)
    presses(board, PIN)
    assert played(board) == ("fr:available", "fr:menu")


async def test_a_pause_reaches_the_next_call(board: Switchboard) -> None:
    dials(board)
    presses(board, PIN + "1")
    board.arrives("6.1")
    assert not board.client.all("create"), "Alice is the only one there, and paused"


async def test_without_a_pin_there_is_no_menu(board: Switchboard) -> None:
    dials(board, CAROL)
    assert played(board) == ("fr:no-menu",)
    presses(board, PIN + "1")
    board.heard()
    assert (board.writer.staff[0].verified, board.writer.pauses) == (False, [])


# --- Wrong PINs -------------------------------------------------------------------------------------------


async def test_the_line_is_closed_after_too_many_wrong_pins_and_opens_again(board: Switchboard) -> None:
    wrong_pins(board, MOST_WRONG)
    dials(board)
    assert played(board) == ("fr:no-menu",)
    presses(board, PIN)
    board.leaves(LINE)
    assert not any(row.verified for row in board.writer.staff)
    dials(board, BOB, "7.1")
    assert played(board) == ("fr:enter-pin",), "others' lines are open"
    board.now += CLOSED_SECONDS + 1
    dials(board)
    assert played(board) == ("fr:enter-pin",)
    presses(board, "0000")
    board.leaves(LINE)
    dials(board)
    assert played(board) == ("fr:enter-pin",), "they are counted from one again"


async def test_calls_at_once_have_no_more_tries_than_one_after_the_other(board: Switchboard) -> None:
    lines = [f"6.{number}" for number in range(10)]
    for each in lines:
        dials(board, id=each)
    dials(board, BOB, "7.1")
    for each in lines[:MOST_WRONG]:
        presses(board, "0000", each)
    assert stages(board) == [Stage.LEAVING] * len(lines) + [Stage.PIN], "Bob's line is open"
    assert played(board) == ("fr:no-menu",)
    presses(board, PIN, lines[-1])
    board.heard()
    for each in lines:
        board.leaves(each)
    assert [row.verified for row in board.writer.staff] == [False] * len(lines)


async def test_a_right_pin_forgets_the_wrong_ones(board: Switchboard) -> None:
    wrong_pins(board, MOST_WRONG - 1)
    dials(board)
    presses(board, PIN)
    board.leaves(LINE)
    wrong_pins(board, 1)
    dials(board)
    assert played(board) == ("fr:enter-pin",)


async def test_the_log_tells_of_wrong_pins_and_of_no_secret(
    board: Switchboard, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        wrong_pins(board, 2)
        dials(board)
        presses(board, PIN)
        board.leaves(LINE)
    assert caplog.text.count("event=wrong_pin") == 2
    for secret in (PIN, "0000", ALICE[1:], DID[1:]):
        assert secret not in caplog.text


# --- Whatever happens, it ends ------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["", "47", PIN, PIN + "1", "0000", PIN + "9"])
async def test_the_owner_hangs_up_at_any_moment(board: Switchboard, keys: str) -> None:
    dials(board)
    presses(board, keys)
    board.leaves(LINE)
    (row,) = board.writer.staff
    assert row.verified is keys.startswith(PIN)
    assert board.engine.menus == ()
    before = len(board.client.asked)
    presses(board, "1")
    board.heard()
    assert len(board.client.asked) == before


async def test_silence_says_goodbye(board: Switchboard, monkeypatch: pytest.MonkeyPatch) -> None:
    # Short, so that the event loop's own clock can be waited for.
    for name in ("KEY_SECONDS", "GOODBYE_SECONDS"):
        monkeypatch.setattr(f"router.menu.{name}", 0.001)
    dials(board)
    assert stages(board) == [Stage.PIN]
    board.heard()
    await until(lambda: played(board) == ("fr:goodbye",))
    await until(lambda: "hang_up" in board.client.verbs)
    assert stages(board) == [Stage.ENDED]
    board.leaves(LINE)
    assert board.engine.menus == ()


@pytest.mark.parametrize("verb", ["answer", "play"])
async def test_a_channel_that_has_gone_ends_the_call(board: Switchboard, verb: str) -> None:
    dials(board)
    board.client.last(verb).future.set_exception(AriGone("404"))
    await turn()
    assert (len(board.writer.staff), board.engine.menus) == (1, ())


async def test_a_broken_link_ends_nothing(board: Switchboard) -> None:
    dials(board)
    board.client.last("answer").future.set_exception(AriDisconnected("the link broke"))
    await turn()
    assert stages(board) == [Stage.PIN]


async def test_an_audit_leaves_alone_who_came_a_moment_ago(board: Switchboard) -> None:
    """The list was made before, or as, the call came in."""
    dials(board)
    await board.engine.reconcile(audit=True)
    assert stages(board) == [Stage.PIN]
    board.now += SETTLING + 1
    await board.engine.reconcile(audit=True)
    assert stages(board) == []


async def test_after_a_broken_link_the_call_that_lives_goes_on(board: Switchboard) -> None:
    dials(board)
    board.client.there = (caller_channel(LINE, number=ALICE),)
    await board.engine.reconcile()
    assert stages(board) == [Stage.PIN]
    assert len(board.client.all("play")) == 1, "the caller in our application is no new one"
    presses(board, PIN)
    assert stages(board) == [Stage.MENU]


async def test_after_a_broken_link_the_call_that_is_gone_has_its_row(board: Switchboard) -> None:
    dials(board)
    await board.engine.reconcile()
    assert (len(board.writer.staff), board.engine.menus) == (1, ())


async def test_keys_of_other_channels_are_not_its_own(board: Switchboard) -> None:
    dials(board)
    presses(board, PIN, id="9.9")
    board.engine.on_event(wire.ChannelDestroyed(channel("9.9"), 16, None))
    assert stages(board) == [Stage.PIN]
