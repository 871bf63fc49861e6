"""What may be decided about a call: every shape of plan, every kind of end. And how carriers refuse."""

from __future__ import annotations

from typing import Final

from router.model import Decision, Ending, Outcome, Sound, Voicemail
from tests.calls import decision, gated, hunt, plan

SORRY: Final = Sound("Sorry")
PLANS: Final = (
    plan("alice"),
    plan("alice", "bob"),
    plan("alice bob"),
    plan("alice bob", "carol", trunks=("main", "backup")),
    plan("alice", "bob", "carol", trunks=("main", "backup")),
    gated("alice", "bob"),
    gated("alice bob", "carol", overflow=hunt("dave")),
    gated("alice", "+bob", "+carol"),
    gated("alice bob carol dave", timeout=5.0, max_wait=12.0),
    plan("alice", "bob", "alice carol", overflow=hunt("bob", "dave", max_wait=5.0)),
)
ENDINGS: Final = (
    None,
    Ending(SORRY),
    Ending(SORRY, Voicemail(SORRY, 60.0)),
    Ending(None, Voicemail(SORRY, 60.0)),
)
DECISIONS: Final[tuple[Decision, ...]] = (
    *(
        decision(each, None, ending, challenge=challenge)
        for each in PLANS
        for ending in ENDINGS
        for challenge in (False, True)
    ),
    *(decision(None, refused, ending) for refused in (Outcome.CLOSED, Outcome.BLOCKED) for ending in ENDINGS),
)
ENDS: Final = (
    ("BUSY", 17, 486),
    ("", 16, None),
    ("NOANSWER", 19, 480),
    ("", 0, 503),
    ("", 21, 603),
    ("", 0, 403),
    ("", 0, 302),
)
"""Dial status, Q.850 cause and SIP status of a leg that was not answered."""
