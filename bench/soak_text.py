"""The soak's figures as text, for the terminal and as Markdown, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.figures import percentile
from bench.gauge import Reading, last_half, slope

RESIDENT, DESCRIPTORS = "#0072B2", "#E69F00"


@dataclass(slots=True)
class Soak:
    """What came out. `cpu`: the router's, in milliseconds a call."""

    calls: int
    rate: float
    counts: dict[str, int]
    failed: int
    """Kinds of calls of which not every one went as its caller meant it to."""
    rows: int
    complaints: list[str]
    router: list[Reading]
    asterisk: list[Reading]
    cpu: float
    asked: list[float]
    """Seconds of each report and listing."""
    packets: int
    legs: list[int]
    paces: list[float]
    setting: tuple[str, ...] = ()

    @property
    def growth(self) -> float:
        """Bytes of its own memory a call, over the second half."""
        return slope([(reading.at * self.rate, reading.own) for reading in last_half(self.router)])


def figures(soak: Soak) -> list[tuple[str, str]]:
    """What was measured, and how much it is."""
    last, later = soak.router[-1], [reading.descriptors for reading in last_half(soak.router)]
    half = last_half(soak.router)[0]
    asterisk = [reading.descriptors for reading in soak.asterisk]
    return [
        ("calls placed", f"{soak.calls:,} ({', '.join(f'{n:,} {kind}' for kind, n in soak.counts.items())})"),
        ("calls a second", f"{soak.rate:.1f}"),
        ("rows with an outcome", f"{soak.rows:,}"),
        ("lost, or wrong", "; ".join(soak.complaints) or "none"),
        ("kinds of calls that failed for a caller", str(soak.failed)),
        ("legs with sound at once, median and most", f"{_middle(soak.legs):.0f}, {max(soak.legs, default=0)}"),
        ("RTP packets counted, without the last seconds of a leg", f"{soak.packets:,}"),
        (
            "packets a second of a leg, 1st percentile and median",
            f"{percentile(soak.paces, 1):.1f}, {_middle(soak.paces):.1f} (50 are sent)",
        ),
        ("reports and listings meanwhile", f"{len(soak.asked)}, the slowest in {max(soak.asked, default=0):.1f} s"),
        ("router's memory at half-time and at the end", f"{_mb(half.resident)}, {_mb(last.resident)}"),
        ("of it its own, not of files", f"{_mb(half.own)}, {_mb(last.own)}"),
        ("its growth over the second half", f"{soak.growth:.0f} bytes a call"),
        ("router's descriptors over the second half", f"{min(later)} to {max(later)}"),
        ("Asterisk's descriptors, before and after", f"{asterisk[0]}, {asterisk[-1]}"),
        ("router's CPU a call", f"{soak.cpu:.1f} ms"),
    ]


def _middle(values: Sequence[float]) -> float:
    return median(values) if values else 0.0


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def terminal(soak: Soak) -> str:
    return "\n".join(f"{what}: {value}" for what, value in figures(soak))


def markdown(soak: Soak) -> str:
    """The whole of soak.md."""
    rows = "\n".join(f"| {what} | {value} |" for what, value in figures(soak))
    setting = "\n".join(f"- {line}" for line in soak.setting)
    return (
        "# Soak\n\nWritten by `make soak`; README.md in this folder says what it does.\n\n"
        f"| measured | |\n| --- | --- |\n{rows}\n\n"
        "![The router's memory and descriptors over time](soak.svg)\n\n"
        f"## Setting\n\n{setting}\n"
    )


def draw(soak: Soak, path: Path) -> None:
    """Memory and descriptors over time as an SVG. Nothing is drawn without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        return
    mpl.use("svg")
    import matplotlib.pyplot as plt

    with mpl.rc_context():
        mpl.rc("svg", hashsalt="callrouter")
        mpl.rc("font", size=9)
        mpl.rc("axes.spines", top=False)
        figure, memory = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
        counted = memory.twinx()
        at = [reading.at / 60 for reading in soak.router]
        counted.plot(at, [reading.descriptors for reading in soak.router], color=DESCRIPTORS, linewidth=1)
        memory.plot(at, [reading.resident / 1e6 for reading in soak.router], color=RESIDENT)
        memory.set_ylim(0, 1.3 * max(reading.resident for reading in soak.router) / 1e6)
        counted.set_ylim(0, 2.5 * max(reading.descriptors for reading in soak.router))
        memory.set_xlabel("minutes")
        memory.set_ylabel("resident, MB", color=RESIDENT)
        counted.set_ylabel("descriptors", color=DESCRIPTORS)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None, "Title": "Callrouter's soak"})
        plt.close(figure)
