"""What the salesperson is told of the caller before the key, in the company's language: tones stand for words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.behaviours import Answer
from tests.integration.recordings import in_order, prompts, record
from tests.integration.site import ALICE, ALONE, Site, campaigns

pytestmark = pytest.mark.asterisk

FLYER, NEW, REPEAT, OWED, KEY = 600, 1100, 1300, 1500, 1700
"""Hz: what stands for the words of each."""
PICKS_UP = Answer(ring=0.1, listen=True)
TAKES_IT = Answer(ring=0.1, keys="1", keys_after=2.0, listen=True)


@pytest.fixture(scope="module", params=["fr", "en"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp(f"whisper-{request.param}")) as site:
        folder = site.config.parent
        other = {"fr": "en", "en": "fr"}[request.param]
        tones = {"new-caller": NEW, "repeat-caller": REPEAT, "owed-callback": OWED, "press-1": KEY}
        prompts(folder, request.param, tones)
        prompts(folder, other, dict.fromkeys(tones, 2100))
        record(folder / "flyer.wav", FLYER, 0.3)
        made = campaigns(site.asterisk)
        made["company"]["language"] = request.param
        made["defaults"] |= {"accept": "press-1", "accept_timeout": "3s", "whisper": {"play": "flyer.wav"}}
        site.configure(made)
        yield site


def whispered(site: Site, words: int) -> None:
    """The campaign, who calls, and the key; nothing else of what can be said of a caller."""
    (mobile,) = site.carrier.calls(ALICE)
    heard = site.carrier.heard(mobile)
    assert in_order(heard, FLYER, words, KEY)
    others = {NEW, REPEAT, OWED, 2100} - {words}
    assert [tone for tone in sorted(others) if heard.tone(tone)] == []


def test_new_then_owed_a_call_then_known(running: Site) -> None:
    running.mobiles({ALICE: PICKS_UP})
    first = running.call(ALONE)
    assert first.ended()["outcome"] == "no_answer"
    whispered(running, NEW)

    running.mobiles({ALICE: TAKES_IT})
    running.call(ALONE, from_number=first.number, hang_up_after=0.3).placed.wait(20)
    whispered(running, OWED)
    running.until(lambda: [row["outcome"] for row in first.rows()] == ["no_answer", "answered"], "both rows")

    running.mobiles({ALICE: TAKES_IT})
    running.call(ALONE, from_number=first.number, hang_up_after=0.3).placed.wait(20)
    whispered(running, REPEAT)
