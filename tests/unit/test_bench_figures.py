"""The benchmark's arithmetic: calls joined by the caller's number, percentiles, medians of ratios, aims."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from bench.figures import CallTimes, Summary, Turn, aims, join, number_of, percentile, rate_of, summary
from sandbox.sip_log import Dialog, Message


def message(at: float, sent: bool, start_line: str, *headers: tuple[str, str]) -> Message:
    return Message(at, sent, start_line, headers, "")


def leg(
    number: str, at: float, *, placed: bool, code: int = 200, answered_at: float = 0.25, ended_by_us: bool = True
) -> Dialog:
    """A phone's view of a call: INVITE at `at`, a final answer, a BYE a second later. `placed`: it dialled."""
    invite = message(
        at, placed, "INVITE sip:+33184801001@127.0.0.1 SIP/2.0", ("From", f"<sip:{number}@127.0.0.1>;tag=1")
    )
    final = message(at + answered_at, not placed, f"SIP/2.0 {code} Word", ("CSeq", "1 INVITE"))
    bye = message(at + answered_at + 1, ended_by_us, "BYE sip:a@127.0.0.1 SIP/2.0")
    return Dialog(f"{number}-{placed}", (invite, final, bye) if code == 200 else (invite, final))


def caller(number: str, at: float, **more: object) -> Dialog:
    return leg(number, at, placed=True, **more)  # type: ignore[arg-type]


def mobile(number: str, at: float) -> Dialog:
    return leg(number, at, placed=False, answered_at=0.2, ended_by_us=False)


def turn(cpu: float, own: float, rung: Sequence[float], *, placed: int | None = None, memory: int = 0) -> Turn:
    times = tuple(CallTimes(one, one + 200) for one in rung)
    return Turn(times, placed or len(times), cpu, own, memory, 20.0)


class TestPercentile:
    def test_is_the_nearest_rank(self) -> None:
        values = [15, 20, 35, 40, 50]
        assert [percentile(values, p) for p in (5, 30, 40, 50, 100)] == [15, 20, 20, 35, 50]

    def test_of_one_value_is_that_value(self) -> None:
        assert percentile([7.0], 99) == 7.0

    def test_of_nothing_is_not_a_number(self) -> None:
        assert math.isnan(percentile([], 50))

    def test_does_not_mind_the_order(self) -> None:
        assert percentile([3, 1, 2], 50) == 2


class TestJoin:
    def test_the_two_legs_of_a_call_meet_by_the_callers_number(self) -> None:
        callers = [caller("+33140000001", 10.0), caller("+33140000002", 11.0, answered_at=0.5)]
        mobiles = [mobile("+33140000002", 11.004), mobile("+33140000001", 10.002)]
        found = join(callers, mobiles)
        assert [round(call.to_mobile, 3) for call in found] == [2.0, 4.0]
        assert [round(call.to_answer, 3) for call in found] == [250.0, 500.0]

    @pytest.mark.parametrize(
        ("callers", "mobiles"),
        [
            pytest.param([caller("+331", 1.0)], [], id="no mobile rang"),
            pytest.param([caller("+331", 1.0)], [mobile("+331", 1.1), mobile("+331", 1.2)], id="rung twice"),
            pytest.param([caller("+331", 1.0, code=503)], [mobile("+331", 1.1)], id="refused"),
            pytest.param([caller("+331", 1.0, ended_by_us=False)], [mobile("+331", 1.1)], id="hung up on"),
            pytest.param([caller("+331", 1.0)], [mobile("+332", 1.1)], id="another caller's"),
        ],
    )
    def test_a_call_that_went_otherwise_is_left_out(self, callers: list[Dialog], mobiles: list[Dialog]) -> None:
        assert join(callers, mobiles) == ()

    def test_a_leg_that_nobody_hung_up_is_left_out(self) -> None:
        whole = mobile("+331", 1.1)
        stuck = Dialog(whole.call_id, whole.messages[:2])
        assert join([caller("+331", 1.0)], [stuck]) == ()

    def test_number_of_reads_names_and_tags_away(self) -> None:
        invite = message(
            1.0, True, "INVITE sip:x@y SIP/2.0", ("From", '"A. Person" <sip:+33140000001@127.0.0.1>;tag=9')
        )
        assert number_of(Dialog("a", (invite,))) == "+33140000001"


class TestRate:
    def test_is_calls_over_the_time_between_first_and_last(self) -> None:
        assert rate_of([caller("+331", 2.0), caller("+332", 1.0), caller("+333", 3.0)]) == pytest.approx(1.0)

    def test_of_one_call_is_nothing(self) -> None:
        assert rate_of([caller("+331", 2.0)]) == 0.0


class TestSummary:
    plain = (turn(8.0, 0.0, [2.0]), turn(16.0, 0.0, [3.0]), turn(10.0, 0.0, [2.5]))

    def test_ratios_are_taken_within_a_round_and_their_median_counts(self) -> None:
        mine = [turn(10.0, 2.0, [5.0]), turn(20.0, 2.0, [5.0]), turn(12.0, 2.0, [5.0])]
        found = summary(mine, self.plain)
        # 12/8, 22/16, 14/10: a round in which the machine was slow for everybody changes nothing.
        assert found.ratio == pytest.approx(1.4)
        assert found.added == pytest.approx(2.5)
        assert (found.asterisk_cpu, found.application_cpu) == (12.0, 2.0)

    def test_p99_is_that_of_all_rounds_together(self) -> None:
        mine = [turn(1.0, 0.0, [1.0] * 50), turn(1.0, 0.0, [1.0] * 48 + [90.0, 95.0])]
        assert summary(mine, []).to_mobile == (1.0, 90.0)

    def test_without_plain_dial_nothing_is_compared(self) -> None:
        found = summary([turn(10.0, 2.0, [5.0])], [])
        assert math.isnan(found.ratio)
        assert math.isnan(found.added)

    def test_plain_dial_is_one(self) -> None:
        assert summary(self.plain, self.plain).ratio == 1.0

    def test_failed_calls_and_memory(self) -> None:
        found = summary([turn(1.0, 0.0, [1.0], placed=3, memory=5), turn(1.0, 0.0, [1.0], memory=4)], [])
        assert (found.placed, found.failed, found.memory) == (4, 2, 5)

    def test_rounds_that_do_not_pair_are_refused(self) -> None:
        with pytest.raises(ValueError, match="argument 2"):
            summary([turn(1.0, 0.0, [1.0])], self.plain)


class TestAims:
    @staticmethod
    def router(ratio: float, added: float, own: float) -> Summary:
        return Summary((1.0, 2.0), (201.0, 202.0), 10.0, own, ratio, added, 1, 1, 0)

    def test_all_met_at_their_limits(self) -> None:
        assert [aim.met for aim in aims(self.router(1.3, 5.0, 2.0))] == [True] * 4

    def test_each_can_be_missed(self) -> None:
        assert [aim.met for aim in aims(self.router(1.4, 5.1, 2.1))] == [True, False, False, False]
        assert not aims(self.router(1.51, 0.0, 0.0))[0].met

    def test_what_was_not_measured_is_not_met(self) -> None:
        found = aims(self.router(math.nan, math.nan, 1.0))
        assert [aim.met for aim in found] == [False, False, False, True]
