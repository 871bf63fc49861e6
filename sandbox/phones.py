"""SIPp as the phones: the carrier with every mobile behind it, and the caller."""

from __future__ import annotations

import itertools
import math
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox import processes, scenarios
from sandbox.audio import Heard
from sandbox.behaviours import NO_SUCH_NUMBER, Behaviour, Dtmf, Play
from sandbox.elements import Media
from sandbox.errors import SandboxError
from sandbox.ports import Ports
from sandbox.sip_log import Dialog
from sandbox.sipp import Sipp, listening

CARRIER_MEDIA = 50
"""From the first media port of one carrier to the other's, and to the callers'."""
CALLER_MEDIA = 4
EARS = 64
"""How many calls at once one phone, or all mobiles of a carrier, can hear."""


class Carrier:
    """The trunk's far end: every mobile, each with its behaviour, in one SIPp process.

    `play` says who does what and may be called again at any time between calls; `calls` is what has arrived since.
    """

    def __init__(
        self, ports: Ports, folder: Path, *, port: int | None = None, otherwise: Behaviour = NO_SUCH_NUMBER
    ) -> None:
        self.port = port or ports.carrier
        self.folder = folder
        self._ports = ports
        self._otherwise = otherwise
        self._numbers = itertools.count()
        self._runs: list[Sipp] = []

    def play(self, mobiles: Mapping[str, Play], otherwise: Behaviour | None = None) -> Self:
        """Numbers as they are dialled (`+33612345678`) and what each does; any other number does `otherwise`.

        A list is played INVITE by INVITE, its last one for all that follow.
        Raises SandboxError when SIPp does not take it.
        """
        self.stop()
        sheet = scenarios.carrier(mobiles, otherwise or self._otherwise)
        # Never one that was used before: whoever reads its log would find the earlier one's messages in it.
        name = f"carrier-{self.port}-{next(self._numbers)}"
        sipp = Sipp(self.folder, name, sheet, self.port, *self._other_ports(), ears=EARS)
        self._runs.append(sipp)
        processes.wait_until(
            lambda: listening(sipp.process, self.port) or not sipp.running, 10, "the carrier listens"
        )
        if not sipp.running:
            raise SandboxError(f"SIPp refused the carrier's scenario or its port: {sipp.complaint()}")
        return self

    def calls(self, number: str | None = None) -> tuple[Dialog, ...]:
        """The INVITEs that arrived since the start (or `forget`), oldest first; only to `number` if given."""
        found = [dialog for run in self._runs for dialog in run.log.dialogs()]
        return tuple(dialog for dialog in found if number is None or dialog.number == number)

    def dialog(self, call_id: str) -> Dialog:
        """One of them as it stands now. Raises LookupError when no INVITE had this Call-ID."""
        return self._run_of(call_id)[1]

    def heard(self, dialog: Dialog) -> Heard:
        """What that mobile received so far. Raises SandboxError when it was not asked to listen."""
        return self._run_of(dialog.call_id)[0].ears.heard(dialog.call_id)

    def press(self, dialog: Dialog, keys: str) -> None:
        """Lets that mobile press these keys now. It needs a `tone` or `listen`, else SandboxError."""
        self._run_of(dialog.call_id)[0].ears.press(dialog.call_id, keys)

    def _run_of(self, call_id: str) -> tuple[Sipp, Dialog]:
        for run in self._runs:
            if (dialog := run.log.dialog(call_id)) is not None:
                return run, dialog
        raise LookupError(f"no INVITE with the Call-ID {call_id} has arrived")

    def forget(self) -> None:
        """Later `calls` begin empty. Only when no call is up."""
        if self._runs:
            self._runs = self._runs[-1:]
            self._runs[0].log.forget()

    @property
    def running(self) -> bool:
        return bool(self._runs) and self._runs[-1].running

    @property
    def pid(self) -> int:
        if not self._runs:
            raise SandboxError("the carrier is not running; call play() first")
        return self._runs[-1].process.pid

    def stop(self) -> None:
        if self._runs:
            self._runs[-1].stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _other_ports(self) -> tuple[int, int]:
        """For SIPp's remote control, and the first for media."""
        first = self._ports.phones_rtp[0]
        if self.port == self._ports.carrier:
            return self._ports.spare[-1], first
        return self._ports.spare[-2], first + CARRIER_MEDIA


class Caller:
    """Places calls to Asterisk, each from a SIPp process of its own."""

    def __init__(self, ports: Ports, folder: Path) -> None:
        self.ports = ports
        self.folder = folder
        self._numbers = itertools.count()
        self._placed: list[Placed] = []

    def stop(self) -> None:
        """Drops the calls that are still up, where they stand."""
        for placed in self._placed:
            placed.stop()
        self._placed.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def place(
        self,
        to: str | Sequence[str],
        from_number: str | Sequence[str] = "+33140000001",
        from_name: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        from_header: str | None = None,
        hang_up_after: float | None = None,
        cancel_after: float | None = None,
        keys: str = "",
        keys_after: float = 0.3,
        dtmf: Dtmf = "rfc4733",
        events: bool | None = None,
        speak: bool = False,
        tone: int = 0,
        listen: bool = False,
        offer: bool = True,
        calls: int = 1,
        rate: float = 10.0,
        at_once: int = 1000,
    ) -> Placed:
        """Dials and returns at once. `calls` of them at `rate` a second, at most `at_once` up at a time, is a load.

        `to` and `from_number` may be lists that the calls take turns through. `from_header` replaces the whole From
        (without its tag); `headers` are added to the INVITE. Keys and speech begin at the answer; for what `keys`
        to `listen` mean see behaviours.Answer. `cancel_after` counts from the INVITE, `hang_up_after` from the
        answer.
        """
        media = Media(keys, keys_after, dtmf, events, speak, tone, listen, hang_up_after)
        sheet = scenarios.caller(headers=headers or {}, cancel_after=cancel_after, media=media, offer=offer)
        tos, froms = _listed(to), _listed(from_number)
        parties = [
            f"{tos[n % len(tos)]};{from_header or _from(from_name, froms[n % len(froms)])};\n"
            for n in range(min(calls, math.lcm(len(tos), len(froms))))
        ]
        # SIPp waits for a whole period before its first call: a single one shall go at once.
        pace = ["-r", str(round(rate * 100)), "-rp", "100000"] if calls > 1 else ["-r", "1000"]
        placed = Placed(self._dial(sheet, parties, ["-m", str(calls), "-l", str(at_once), *pace], calls), calls)
        for earlier in self._placed:
            if not earlier.running:
                earlier.stop()
        self._placed = [*(earlier for earlier in self._placed if earlier.running), placed]
        return placed

    def _dial(self, sheet: str, parties: Sequence[str], options: Sequence[str], calls: int) -> Sipp:
        number = next(self._numbers)
        name = f"caller-{os.getpid()}-{number}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.csv").write_text("SEQUENTIAL\n" + "".join(parties), encoding="utf-8")
        return Sipp(
            self.folder, name, sheet, *self._two_ports(), self._media_port(number),
            f"127.0.0.1:{self.ports.sip}", "-inf", f"{name}.csv", "-deadcall_wait", "0",
            "-cid_str", f"%u-{number}-%p@caller", *options, ears=min(calls, EARS),
        )  # fmt: skip

    def _media_port(self, number: int) -> int:
        """Where this caller begins to look for a port for each call's stream."""
        first, last = self.ports.phones_rtp
        first += 2 * CARRIER_MEDIA
        return first + number * CALLER_MEDIA % (last - first + 1 - CALLER_MEDIA)

    def _two_ports(self) -> tuple[int, int]:
        usable = self.ports.spare[:-2]
        free: list[int] = []
        for _ in usable:
            port = usable[next(self._numbers) % len(usable)]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            free.append(port)
            if len(free) == 2:
                return free[0], free[1]
        raise SandboxError("no port is left for another caller; wait for earlier calls to end")


class Placed:
    """Calls that were placed. Everything can be asked while they run."""

    def __init__(self, sipp: Sipp, wanted: int) -> None:
        self._sipp = sipp
        self.wanted = wanted

    def dialogs(self) -> tuple[Dialog, ...]:
        """All calls so far."""
        return self._sipp.log.dialogs()

    @property
    def dialog(self) -> Dialog:
        """The first call as it stands. Raises SandboxError when no INVITE goes out within 5 s."""
        processes.wait_until(lambda: self.dialogs() or not self.running, 5, "the caller dials")
        found = self.dialogs()
        if not found:
            raise SandboxError(f"SIPp did not dial: {self._sipp.complaint()}")
        return found[0]

    def heard(self, dialog: Dialog | None = None) -> Heard:
        """What the caller received so far, in the first call or in that one. It needs a `tone` or `listen`."""
        return self._sipp.ears.heard((dialog or self.dialog).call_id)

    def press(self, keys: str, dialog: Dialog | None = None) -> None:
        """Presses these keys now. Needs a `tone` or `listen`."""
        self._sipp.ears.press((dialog or self.dialog).call_id, keys)

    @property
    def running(self) -> bool:
        return self._sipp.running

    def wait(self, timeout: float = 60.0) -> Self:
        """Waits until every call has ended. Raises SandboxError after `timeout` seconds."""
        try:
            self._sipp.process.wait(timeout)
        except subprocess.TimeoutExpired:
            seen = [" ".join(dialog.sequence) for dialog in self.dialogs() if dialog.live][:3]
            self.stop()
            raise SandboxError(
                f"the call did not end within {timeout:g} s; seen: {'; '.join(seen) or 'nothing'}"
            ) from None
        self._sipp.deafen()
        return self

    @property
    def status(self) -> int | None:
        """SIPp's exit status: 0 every call went as planned, 1 some did not; None while it runs."""
        return self._sipp.process.poll()

    def stop(self) -> None:
        """Drops the calls where they stand: no BYE, no CANCEL."""
        self._sipp.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _from(name: str, number: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    quoted = f'"{escaped}" ' if name else ""
    return f"{quoted}<sip:{number}@127.0.0.1>"
