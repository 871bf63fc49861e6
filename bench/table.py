"""The results as text: for the terminal (80 columns) and as Markdown. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.figures import Results, Summary

NOTE = """\
- **to mobile**: from the caller's INVITE to the mobile's INVITE, p50 / p99 in ms. **to 200**: from the caller's
  INVITE to its 200, p50 / p99 in ms; the mobile rings 200 ms of it.
- **CPU**: ms a call, of Asterisk and of the application (the processes that Asterisk forked, for the forked AGI).
  **x Dial()**: both together, over plain `Dial()` in the same round; the median of the rounds.
- **held**: calls a second without one failure, on all cores of this machine, phones included. **MB**: the most
  memory that the application held during the rounds.
"""


def cells(results: Results) -> list[tuple[str, ...]]:
    """A row a contender: name, to mobile, to 200, Asterisk's and the application's CPU, multiple, held, memory."""
    return [(name, *_cells(found, results.held.get(name))) for name, found in results.summaries.items()]


def _cells(found: Summary, held: float | None) -> tuple[str, ...]:
    return (
        _pair(found.to_mobile),
        _pair(found.to_answer),
        f"{found.asterisk_cpu:.1f}",
        f"{found.application_cpu:.1f}" if found.memory else "-",
        "-" if math.isnan(found.ratio) else f"{found.ratio:.2f}",
        "-" if held is None else f"{held:.0f}",
        f"{found.memory / 1e6:.0f}" if found.memory else "-",
    )


def _pair(values: tuple[float, float]) -> str:
    return " / ".join(
        "-" if math.isnan(value) else f"{value:.1f}" if value < 100 else f"{value:.0f}" for value in values
    )


def terminal(results: Results) -> str:
    """The table and the aims, at most 80 columns wide."""
    head = ("", "to mobile ms", "to 200 ms", "CPU", "CPU", "x", "held", "MB")
    below = ("", "p50 / p99", "p50 / p99", "Ast.", "app.", "Dial", "/s", "")
    lines = [_aligned(row, (head, below, *cells(results))) for row in (head, below)]
    lines.append("-" * max(map(len, lines)))
    lines += [_aligned(row, (head, below, *cells(results))) for row in cells(results)]
    lines += ["", *(f"{'met    ' if aim.met else 'not met'}  {aim.text}: {aim.measured}" for aim in results.aims)]
    return "\n".join([*lines, *failures(results)]) + "\n"


def _aligned(row: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(other[column]) for other in rows) for column in range(len(row))]
    first, *others = [
        cell.ljust(width) if n == 0 else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join([first, *others]).rstrip()


def failures(results: Results) -> list[str]:
    """One line a contender whose calls did not all go as they should during the rounds."""
    return [
        f"{name}: {found.failed} of {found.placed} calls failed during the rounds"
        for name, found in results.summaries.items()
        if found.failed
    ]


def markdown(results: Results) -> str:
    """The whole of results.md."""
    heads = (
        "",
        "to mobile, p50 / p99 ms",
        "to 200, p50 / p99 ms",
        "CPU Asterisk",
        "CPU application",
        "x Dial()",
        "held",
        "MB",
    )
    rows = [heads, ("---", *["---:"] * (len(heads) - 1)), *cells(results)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    aims = "\n".join(f"| {aim.text} | {aim.measured} | {'yes' if aim.met else 'no'} |" for aim in results.aims)
    setting = "\n".join(f"- {line}" for line in results.setting)
    failed = "".join(f"\n{line}\n" for line in failures(results))
    parts = [
        "# Results\n\nWritten by `make bench`; README.md in this folder says how each figure is taken.\n",
        f"{table}\n{failed}",
        NOTE,
        "![The same figures as bars](results.svg)\n",
        f"## Aims\n\n| aim | measured | met |\n| --- | ---: | --- |\n{aims}\n" if results.aims else "",
        f"## Setting\n\n{setting}\n",
    ]
    return "\n".join(part for part in parts if part)
