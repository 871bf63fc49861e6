"""docs/monitoring.md, the alert rules and the dashboard against what the router exposes: names, labels, types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from router.health.exposition import expose
from router.health.signs import Note, judge
from router.health.tally import Counts, Histogram
from router.model import Outcome, Result
from tests.docs.pages import ROOT, code, read, tables
from tests.health_signs import WELL
from tests.unit.test_health_signs import DEGRADED, NOT_READY

PAGE = "docs/monitoring.md"
ALERTS = yaml.safe_load((ROOT / "docs/monitoring/alerts.yaml").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs/monitoring/grafana.json").read_text(encoding="utf-8"))

COUNTS = Counts({("spring-flyer", "answered"): 1}, {("main", "accepted"): 1}, Histogram(), Histogram())
FAMILIES = list(text_string_to_metric_families(expose(WELL, COUNTS).decode()))
LABELS: dict[str, set[str]] = {}
"""Sample -> its labels."""
for family in FAMILIES:
    for sample in family.samples:
        LABELS.setdefault(sample.name, set()).update(sample.labels)
TARGET_LABELS = {"job", "instance"}
"""What Prometheus itself adds to each sample."""
VALUES = {"outcome": {each.value for each in Outcome}, "result": {each.value for each in Result}}

_METRIC = re.compile(r"\b((?:callrouter|process)_\w+|up\b)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_BY = re.compile(r"\bby \(([^)]*)\)")


def expressions() -> Iterator[tuple[str, str]]:
    """(where, PromQL) of every rule, panel, annotation and variable."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"].removeprefix("label_values(")


EXPRESSIONS = list(expressions())


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_every_metric_and_label_that_is_asked_for_exists(where: str, expression: str) -> None:
    found = [match for match in _METRIC.finditer(expression) if not match[1].startswith("up")]
    assert found or "up{" in expression, where
    known = set(TARGET_LABELS)
    for name, matchers in (match.groups() for match in found):
        assert name in LABELS, f"{where}: {name}"
        known |= LABELS[name]
        for label, value in _MATCHER.findall(matchers or ""):
            assert label in LABELS[name] | TARGET_LABELS, f"{where}: {name} has no label {label}"
            assert label not in VALUES or set(value.split("|")) <= VALUES[label], f"{where}: {value}"
    for labels in _BY.findall(expression):
        assert {label.strip() for label in labels.split(",")} <= known, where
    assert expression.count("(") - expression.count(")") in (0, -1 if where in TARGET_LABELS else 0), where


def test_there_is_enough_to_be_looked_at() -> None:
    assert len(RULES) >= 15
    assert len(DASHBOARD["panels"]) >= 20
    assert len(EXPRESSIONS) >= 50


def test_no_metric_of_ours_is_left_out_of_the_dashboard() -> None:
    shown = {match[1] for _, expression in EXPRESSIONS for match in _METRIC.finditer(expression)}
    ours = {family.name for family in FAMILIES if family.name.startswith("callrouter_")}
    assert {name for name in ours if not any(each.startswith(name) for each in shown)} == set()


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_a_rule_is_one_that_prometheus_loads(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Callrouter[A-Za-z]+", rule["alert"])
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description"}
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    by = [set(re.split(r",\s*", labels)) for labels in _BY.findall(rule["expr"])]
    names = [name for name in (match[1] for match in _METRIC.finditer(rule["expr"])) if name in LABELS]
    kept = set.intersection(*by) if by else TARGET_LABELS.union(*(LABELS[name] for name in names))
    assert used <= kept, f"{rule['alert']}: {used - kept} is not left by its expression"


def test_each_rule_has_a_name_of_its_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    assert DASHBOARD["title"] == "Callrouter"
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + across, place["y"] + down) for across in range(place["w"]) for down in range(place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies on another panel"
        assert max(across for across, _ in cells) < 24
        taken |= cells
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"


def test_the_page_has_every_metric_with_its_labels_and_type() -> None:
    written: dict[str, tuple[set[str], str]] = {}
    for _, row in tables(PAGE):
        if "metric" in row:
            (text,) = code(row["metric"])
            name, _, labels = text.rstrip("}").partition("{")
            written[name] = ({label for label in labels.split(",") if label}, row["type"])
    exposed = {
        family.name + ("_total" if family.type == "counter" else ""): (
            {label for each in family.samples for label in each.labels} - {"le"},
            family.type,
        )
        for family in FAMILIES
        if family.name.startswith("callrouter_")
    }
    assert written == exposed


def test_the_process_metrics_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`(process_\w+\w)`", read(PAGE)))
    assert len({name for name in named if name != "process_"}) >= 3
    assert named - {"process_"} <= set(LABELS)


def words(title: str) -> set[str]:
    return {code(row[title])[0] for _, row in tables(PAGE) if title in row}


def notes(rows: list[tuple[dict[str, Any], str, str]]) -> set[str]:
    return {what for _, what, _ in rows}


def test_the_page_has_every_word_of_what_may_be_wrong() -> None:
    assert words("`reasons`") == notes(NOT_READY)
    assert words("`degraded`") == notes(DEGRADED)


def test_the_example_is_what_is_said_of_a_silent_asterisk() -> None:
    (example,) = re.findall(r"```json\n(.+?)```", read(PAGE), re.DOTALL)
    told = json.loads(example)
    from tests.health_signs import DOWN, signs

    assert judge(signs(link=DOWN)).reasons == tuple(Note(**note) for note in told["reasons"])
    assert not told["ready"]
