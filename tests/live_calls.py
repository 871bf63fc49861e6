"""Calls that go on, for the tests of the live view. Times are seconds before `at`, a moment on the steady clock."""

from __future__ import annotations

from router.live import Document, snapshot
from router.menu import Menu
from router.model import Accept, Caller, Decision, Did, Route, Target
from router.state import Call, Leg, Phase

AT = 5000.0
EPOCH = 1_772_359_200.0
"""The Unix time of AT."""
NUMBER = "+33145678901"


def leg(
    who: str,
    dialled: float,
    ringing: float | None = None,
    answered: float | None = None,
    accepted: float | None = None,
    ended: float | None = None,
    trunk: str = "main",
) -> Leg:
    def moment(before: float | None) -> float | None:
        return None if before is None else AT - before

    return Leg(
        f"leg-{who}",
        1,
        Target(who, who.title(), (), Accept.PRESS_1),
        Route(trunk, "PJSIP/x@main", "+33184801001"),
        AT - dialled,
        ringing_at=moment(ringing),
        answered_at=moment(answered),
        accepted_at=moment(accepted),
        ended_at=moment(ended),
    )


def call(
    name: str,
    age: float,
    phase: Phase,
    *legs: Leg,
    number: str | None = NUMBER,
    campaign: str = "spring-flyer",
    answered: float | None = None,
) -> Call:
    return Call(
        id=name,
        decision=Decision(campaign, Did("+33184801001", "exten"), Caller(number), None, None),
        channel=f"channel-{name}",
        started_at=AT - age,
        epoch=EPOCH - age,
        config_version="0123456789ab",
        node="test",
        phase=phase,
        legs=legs,
        answered_at=None if answered is None else AT - answered,
    )


def menu(age: float = 9.0) -> Menu:
    return Menu("menu", "dave", "+33184801001", "channel-menu", "test", AT - age, EPOCH - age, None)


def several() -> list[Call]:
    """Every phase, the longest ids and numbers."""
    listens, rings = leg("alice", 38, 36, 5), leg("bob", 20)
    talks = leg("christophe-de-la-tour", 198, 196, 190, 186)
    long_name = "metro-posters-2026-with-a-long-name"
    return [
        call("ringing", 40, Phase.HUNTING, leg("carol", 40, 39, ended=30), listens, rings),
        call("talking", 200, Phase.TALKING, talks, campaign=long_name, answered=186),
        call(
            "long", 4000, Phase.TALKING, leg("erin", 3990, 3989, 3980, 3975), number="+442071234567", answered=3975
        ),
        call("challenge", 4, Phase.CHALLENGE, number=None),
        call("ending", 12, Phase.ENDING, number="anonymous\x1b[2J"),
        call("over", 4000, Phase.ENDED),
    ]


def document(*calls: Call, menus: tuple[Menu, ...] = (), link_up: bool = True) -> Document:
    return snapshot(
        calls, at=AT, now=EPOCH, config="0123456789ab", since=EPOCH - 3600, link_up=link_up, menus=menus
    )
