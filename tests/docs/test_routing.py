"""docs/routing.md against the code: its examples, its tables and the figures in its sentences."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from router import call, hunt, menu, own_line, trunks
from router.commands import group as main
from router.config import load
from router.dress import dress
from router.execute import SILENCE
from router.finish import SHORTEST_MESSAGE
from router.known import HORIZON, MOST_KNOWN
from router.model import Inbound, Result, Strategy
from router.outcome import CALLER_ID_REFUSED, SIP_RESULT
from router.routing import decide
from router.store.database import open_database
from tests.campaign_file import PASSWORDS, TODAY, read
from tests.docs.pages import ROOT, Block, blocks, code, prose, tables
from tests.docs.pages import read as page_text
from tests.docs.test_configuration import completed

PAGE = "docs/routing.md"
TEXT = " ".join(prose(PAGE).split())
SECTIONS = [
    part for part in re.split(r"^(?=#{2,3} )", page_text(PAGE), flags=re.MULTILINE) if part.startswith("##")
]
EXAMPLES = [block for block in blocks("yaml", "yml") if block.page == PAGE]
"""`yml`: needs a file of PINs beside it, which is made here."""
ALICE, CALLER, OURS = "+33612345678", "+33145678901", "+33184801001"


def rows(section: str) -> list[dict[str, str]]:
    return [row for under, row in tables(PAGE) if under == section]


# --- Examples ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS, ids=lambda part: part.splitlines()[0].lstrip("# "))
def test_every_section_has_an_example(section: str) -> None:
    assert re.search(r"^```(ya?ml|console)$", section, re.MULTILINE)


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_every_example_is_accepted_and_decides(tmp_path: Path, block: Block) -> None:
    (tmp_path / "secrets").mkdir()
    pins = tmp_path / "secrets/pins"
    pins.write_text('alice: "4711"\n', encoding="ascii")
    pins.chmod(0o600)
    config = read(tmp_path, completed(block))
    for number in config.by_number:
        assert decide(config, inbound(number), datetime(2026, 3, 3, 9, tzinfo=UTC)).plan is not None


def inbound(did: str, caller: str = CALLER, *, withheld: bool = False) -> Inbound:
    return Inbound(did, "trunk", {"exten": did}, caller, "", withheld=withheld)


def test_what_explain_is_shown_to_say_is_what_it_says(tmp_path: Path) -> None:
    block = next(block for block in blocks("console") if block.page == PAGE and "callrouter explain" in block.text)
    typed, _, said = block.text.partition("\n")
    open_database(str(tmp_path / "calls.db")).close()
    options = ["--config", str(ROOT / "campaigns.yaml"), "--db", str(tmp_path / "calls.db")]
    arguments = re.findall(r'"([^"]+)"|(\S+)', typed.removeprefix("$ callrouter "))
    found = CliRunner(env=PASSWORDS).invoke(main, [*options, *(quoted or bare for quoted, bare in arguments)])
    assert found.output.rstrip() == said.rstrip()


# --- Tables -----------------------------------------------------------------------------------------------


def test_every_strategy_is_in_the_table_and_in_no_other_order() -> None:
    assert [code(row["strategy"])[0] for row in rows("Ring strategies")] == [each.value for each in Strategy]


def test_the_gates_table_has_its_results_and_keys() -> None:
    table = rows("The accept gate")
    assert [code(row["the attempt is"]) for row in table] == [
        [Result.ACCEPTED.value],
        [Result.DECLINED.value],
        [Result.NOT_ACCEPTED.value],
        [],
    ]
    assert table[0]["the salesperson"] == f"presses {hunt.ACCEPT_KEY}"
    assert table[1]["the salesperson"] == f"presses {hunt.DECLINE_KEY}"


def test_the_menus_keys_are_all_there() -> None:
    assert [code(row["key"])[0] for row in rows("The salesperson's own line")] == list(menu._ACTIONS)


CALLS = {
    "`did`": ("did", inbound(OURS)),
    "`caller`": ("caller", inbound(OURS)),
    "`caller`, number withheld": ("caller", inbound(OURS, "", withheld=True)),
    "`caller`, no full number": ("caller", inbound(OURS, "7771")),
    "`anonymous`": ("anonymous", inbound(OURS)),
    "a number": ("+33184801077", inbound(OURS)),
}
WORDS = {OURS: "the number dialled", CALLER: "the caller's number", "+33184801077": "that number", "": "anonymous"}


def test_the_table_of_caller_ids_has_every_rule() -> None:
    assert [row["`caller_id`"] for row in rows("Caller ID") if "`caller_id`" in row] == list(CALLS)


@pytest.mark.parametrize("asserts", ["shown", "did"])
@pytest.mark.parametrize("rule", CALLS)
def test_the_table_of_caller_ids_says_what_a_leg_is_dressed_in(rule: str, asserts: str) -> None:
    row = next(row for row in rows("Caller ID") if row.get("`caller_id`") == rule)
    way, call_in = CALLS[rule]
    config = load(str(ROOT / "campaigns.yaml"), PASSWORDS, TODAY)
    trunk = replace(next(iter(config.trunks.values())), caller_id=way, asserts=asserts)
    config = replace(config, trunks={trunk.id: trunk})
    plan = decide(config, call_in, datetime(2026, 3, 3, 9, tzinfo=UTC)).plan
    assert plan is not None
    route = plan.hunts[0].steps[0].targets[0].routes[0]
    assert WORDS[route.caller_id] == row["From, the mobile's screen"]
    variables = dress(route, trunk, OURS)
    assert WORDS[asserted(variables)] == row[f"asserted, `asserts: {asserts}`"]
    hidden = variables["CONNECTEDLINE(pres,i)"] == "prohib"
    assert ("`id`" if hidden else "none") == row["Privacy"]


def asserted(variables: dict[str, str]) -> str:
    """The number of the header: ours where we write it, else what Asterisk asserts."""
    written = variables.get("PJSIP_HEADER(add,P-Asserted-Identity)")
    return written.removeprefix("<tel:").removesuffix(">") if written else variables["CONNECTEDLINE(num,i)"]


# --- Sentences --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sentence",
    [
        f"must press 1 within {call.CHALLENGE_SECONDS:g} s before anybody rings",
        f"is **down** for {trunks.SHORTEST:g} s, twice as long each time that repeats, at most "
        f"{trunks.LONGEST / 60:g} minutes",
        f"Each key is waited for {menu.KEY_SECONDS:g} s, and a call lasts {menu.LONGEST / 60:g} minutes at most",
        f"close the line for {own_line.CLOSED_SECONDS / 3600:g} hours",
        f"callers of the last {HORIZON / 86400:g} days, at most {MOST_KNOWN:,} of them",
        f"{SILENCE:g} s of silence or `longest`; one of less than {SHORTEST_MESSAGE:g} s is none",
    ],
)
def test_the_figures_are_those_of_the_code(sentence: str) -> None:
    assert sentence in TEXT


def test_few_wrong_pins_are_forgiven() -> None:
    assert (menu.TRIES, own_line.MOST_WRONG) == (3, 5)
    assert "Three wrong PINs end the call; five, over however many calls" in TEXT


def test_the_refusals_of_a_caller_id_are_listed() -> None:
    *most, last = sorted(CALLER_ID_REFUSED)
    assert f"(SIP {', '.join(map(str, most))} or {last})" in TEXT


@pytest.mark.parametrize("status", [403, 404])
def test_the_statuses_after_which_the_next_trunk_is_tried(status: int) -> None:
    assert SIP_RESULT[status] is Result.UNREACHABLE
    assert f"{status}" in TEXT
