"""The engine and what is heard and pressed: keys and playbacks find their call; who is on a call is left alone."""

from __future__ import annotations

import pytest

from router.ari import wire
from router.model import Accept, Outcome, Overflow, Result, Sound, Voicemail
from router.state import Phase
from tests.build import make_campaign, make_config, make_salesperson
from tests.switchboard import Switchboard, turn, two_campaigns
from tests.waiting import until


@pytest.fixture
async def board() -> Switchboard:
    return Switchboard(two_campaigns(accept=Accept.PRESS_1))


def the_call(board: Switchboard, nth: int = 0) -> Phase:
    return board.engine.calls[nth].phase


async def test_the_key_connects_and_the_whisper_is_cut_off(board: Switchboard) -> None:
    board.arrives()
    board.answers(board.leg())
    assert board.client.last("play").channel == board.leg()
    assert "answer" not in board.client.verbs, "the caller goes on hearing ringing"
    board.presses(board.leg(), "1")
    verbs = ["stop_playback", "answer", "create_bridge", "add_to_bridge", "set_variable", "set_variable"]
    assert board.client.verbs[-6:] == verbs


async def test_a_key_of_a_channel_that_is_nobodys_means_nothing(board: Switchboard) -> None:
    board.arrives()
    before = len(board.client.asked)
    board.presses("9.9", "1")
    board.presses("1.1", "1")
    assert len(board.client.asked) == before


async def test_the_whisper_is_said_again_and_a_foreign_playback_is_nobodys(board: Switchboard) -> None:
    board.arrives()
    board.answers(board.leg())
    board.engine.on_event(wire.PlaybackFinished("another", f"channel:{board.leg()}", "done"))
    assert len(board.client.all("play")) == 1
    board.heard()
    assert len(board.client.all("play")) == 2


async def test_who_has_taken_a_call_is_rung_for_no_other(board: Switchboard) -> None:
    board.arrives("1.1")
    board.arrives("1.2", caller="+33145678902")
    first, second = board.leg(0), board.leg(1)
    board.rings(second)
    board.answers(first)
    board.presses(first, "1")
    await turn()
    hung_up = [asked.channel for asked in board.client.all("hang_up")]
    assert hung_up == [second], "the other caller's leg to the same person stops"
    (_, waiting) = board.engine.calls
    assert [leg.result for leg in waiting.legs] == [Result.BUSY, None], "and the next person rings"


async def test_and_is_rung_again_when_the_talk_is_over(board: Switchboard) -> None:
    board.arrives("1.1")
    board.answers(board.leg())
    board.presses(board.leg(), "1")
    for verb in ("answer", "create_bridge", "add_to_bridge"):
        board.client.last(verb).future.set_result(None)
    await turn()
    assert board.standing.engaged("alice") == 1
    board.arrives("1.2", caller="+33145678902")
    await turn()
    assert [leg.target.salesperson for leg in board.engine.calls[1].legs] == ["alice", "bob"]
    board.ends(board.leg(0))
    assert board.standing.engaged("alice") == 0


async def test_a_mailbox_that_listens_is_not_on_a_call(board: Switchboard) -> None:
    board.arrives("1.1")
    board.answers(board.leg())
    assert board.standing.engaged("alice") == 0


async def test_a_trunk_that_says_503_is_tried_last(board: Switchboard) -> None:
    board.arrives()
    board.ends(board.leg(), sip=503)
    assert board.trunks.down(board.now) == {"main"}


async def test_a_message_is_the_calls() -> None:
    voicemail = Voicemail(Sound("Your message is recorded"), 60.0)
    board = Switchboard(
        make_config(
            campaigns=[make_campaign("spring", to=["alice"], overflow=Overflow(voicemail=voicemail))],
            salespeople=[make_salesperson()],
        )
    )
    board.arrives()
    board.ends(board.leg(), sip=486)
    assert the_call(board) is Phase.ENDING
    board.heard()
    asked = board.client.last("record")
    board.engine.on_event(wire.RecordingFinished(asked.name, "channel:1.1", 12, 10, False))
    board.engine.on_event(wire.RecordingFinished("another", "channel:9.9", 12, 10, False))
    board.leaves()
    await until(lambda: board.writer.wrote[-1][0] == "ended")
    assert (board.writer.ended.outcome, board.writer.ended.recording_seconds) == (Outcome.VOICEMAIL, 10.0)


async def test_who_was_rung_last_is_known_to_the_next_decision(board: Switchboard) -> None:
    board.arrives()
    assert board.standing.situation(0.0).first == {"spring": "alice"}
    assert "alice" in board.standing.situation(0.0).last_rung
