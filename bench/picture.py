"""The results as a picture: CPU a call, time to the mobile, calls a second."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import FIRST_STOP, GOAL, Results, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette (2008): told apart with every kind of colour blindness, and by their lightness in print.
ASTERISK, APPLICATION, LATENCY, HELD, LINE = "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#555555"
WIDEST = 3.0
"""The panel of CPU ends at this multiple of plain `Dial()`; a longer bar is cut, and says so."""


def draw(results: Results, path: Path) -> None:
    """Writes an SVG: the same bytes for the same results. Raises ImportError without matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    with mpl.rc_context():
        mpl.rc("svg", hashsalt="callrouter")
        mpl.rc("font", size=9)
        mpl.rc("axes.spines", top=False, right=False)
        names, found = list(results.summaries), list(results.summaries.values())
        panels = 3 if results.held else 2
        size = (1.4 + 3.1 * panels, 1.5 + 0.36 * len(names))
        figure, axes = plt.subplots(1, panels, figsize=size, sharey=True, layout="constrained")
        _cpu(axes[0], found)
        _latency(axes[1], found)
        if results.held:
            _held(axes[2], [results.held.get(name, 0.0) for name in names])
        axes[0].set_yticks(range(len(names)), names)
        axes[0].set_ylim(len(names) - 0.4, -0.75)
        for ax in axes:
            ax.tick_params(axis="y", length=0)
        metadata = {"Date": None, "Creator": None, "Title": "Callrouter beside its peers"}
        figure.savefig(path, format="svg", metadata=metadata)
        plt.close(figure)


def _cpu(ax: Axes, found: list[Summary]) -> None:
    rows = range(len(found))
    asterisk = [one.asterisk_cpu for one in found]
    totals = [one.asterisk_cpu + one.application_cpu for one in found]
    plain = next((one.asterisk_cpu for one in found if one.ratio == 1.0), None)
    widest = max(totals) if plain is None else min(max(totals), WIDEST * plain)
    ax.set_title("CPU a call, ms")
    ax.barh(rows, totals, color=APPLICATION, height=0.62, label="application")
    ax.barh(rows, asterisk, color=ASTERISK, height=0.62, label="Asterisk")
    for row, total in enumerate(totals):
        text = f"{total:.1f} →" if total > widest else f"{total:.1f}"
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        ax.annotate(text, (min(total, widest), row), (4, 0), textcoords="offset points", va="center", bbox=behind)
    if plain is not None:
        for multiple, side in ((GOAL, "right"), (FIRST_STOP, "left")):
            ax.axvline(multiple * plain, color=LINE, linewidth=0.9, linestyle=":", zorder=0)
            ax.text(multiple * plain, -0.48, f" {multiple:g} x ", ha=side, va="bottom", fontsize=7, color=LINE)
    ax.set_xlim(0, widest)
    ax.set_xmargin(0)
    _legend_below(ax)


def _latency(ax: Axes, found: list[Summary]) -> None:
    ax.set_title("Caller's INVITE to mobile's INVITE, ms")
    rows = [(row, *one.to_mobile) for row, one in enumerate(found) if not math.isnan(one.to_mobile[0])]
    ax.hlines([row for row, _, _ in rows], [p50 for _, p50, _ in rows], [p99 for _, _, p99 in rows], color=LATENCY)
    ax.scatter([p50 for _, p50, _ in rows], [row for row, _, _ in rows], s=40, color=LATENCY, zorder=2, label="p50")
    ax.scatter(
        [p99 for _, _, p99 in rows], [row for row, _, _ in rows], s=40, facecolor="white", edgecolor=LATENCY,
        zorder=2, label="p99",
    )  # fmt: skip
    for row, p50, p99 in rows:
        # On either side: the two are often too near for two figures above them.
        for at, far, side in ((p50, -7, "right"), (p99, 7, "left")):
            ax.annotate(
                f"{at:.1f}", (at, row), (far, 0), textcoords="offset points", ha=side, va="center", fontsize=8
            )
    ax.set_xscale("log")
    lowest, highest = min((p50 for _, p50, _ in rows), default=1.0), max((p99 for _, _, p99 in rows), default=10.0)
    ax.set_xlim(10 ** math.floor(math.log10(lowest / 2)), 10 ** math.ceil(math.log10(2 * highest)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    _legend_below(ax)


def _held(ax: Axes, values: list[float]) -> None:
    ax.set_title("Calls a second held")
    ax.barh(range(len(values)), values, color=HELD, height=0.62)
    for row, value in enumerate(values):
        ax.text(value, row, f" {value:.0f}", va="center")
    ax.set_xlim(0, max(values) * 1.18 or 1.0)


def _legend_below(ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda n: ("Asterisk", "application", "p50", "p99").index(labels[n]))
    ax.legend(
        [handles[n] for n in order], [labels[n] for n in order], frameon=False, fontsize=8, ncols=2,
        loc="upper center", bbox_to_anchor=(0.5, -0.12),
    )  # fmt: skip
