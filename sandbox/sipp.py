"""One SIPp process: a phone's signalling, and the files around it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sandbox import installation, media, processes
from sandbox.ears import PORTS, Ears
from sandbox.errors import SandboxError
from sandbox.sip_log import MessageLog


class Sipp:
    """One SIPp process, started at once, with its scenario and logs in `folder`."""

    def __init__(
        self,
        folder: Path,
        name: str,
        scenario: str,
        port: int,
        control: int,
        rtp: int,
        *options: str,
        ears: int = 0,
    ) -> None:
        """`ears`: how many calls at once are heard, should the scenario ask for any to be."""
        self.folder = folder
        self.name = name
        self.log = MessageLog(folder / f"{name}.messages")
        self.errors = folder / f"{name}.errors"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "tone.ulaw").exists():
            media.write_files(folder)
        self._ears: Ears | None = None
        ports: list[str] = []
        if ears and PORTS in scenario:
            self._ears = Ears(self.log.path, ears)
            injection = folder / f"{name}.ports"
            injection.write_text(self._ears.injection(), encoding="utf-8")
            scenario = scenario.replace(PORTS, f'file="{injection.name}"')
            ports = ["-inf", injection.name]
        sheet = folder / f"{name}.xml"
        sheet.write_text(scenario, encoding="utf-8")
        command = [
            *installation.find().sipp, "-sf", sheet.name, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-bind_local",
            "-p", str(port), "-ci", "127.0.0.1", "-cp", str(control),
            "-min_rtp_port", str(rtp), "-nostdin",
            # One message at a time: each is answered before the next is read, as by a phone.
            "-max_recv_loops", "1",
            "-trace_msg", "-message_file", self.log.path.name, "-trace_err", "-error_file", self.errors.name,
            *options, *ports,
        ]  # fmt: skip
        # SIPp stamps its messages with local time.
        surroundings = {"TZ": "UTC0", "TERM": "dumb"}
        self.process = processes.spawn(
            command, output=folder / f"{name}.screen", folder=folder, environment=surroundings
        )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def complaint(self) -> str:
        """The last thing it complained of, for an error's text."""
        for path in (self.errors, self.folder / f"{self.name}.screen"):
            if path.exists() and (lines := path.read_text(encoding="utf-8", errors="replace").strip().splitlines()):
                return f"{lines[-1]} ({path})"
        return f"it said nothing ({self.folder})"

    @property
    def ears(self) -> Ears:
        """Raises SandboxError when none of its phones listens."""
        if self._ears is None:
            raise SandboxError("no phone here was asked to listen; give it a tone or listen=True")
        return self._ears

    def stop(self) -> None:
        if self.running:
            self.process.kill()
        self.process.wait()
        self.deafen()

    def deafen(self) -> None:
        """Gives the media ports back; what was heard stays."""
        if self._ears is not None:
            self._ears.close()


def listening(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether this process has bound the UDP port on loopback (proc_net(5))."""
    wanted = f"0100007F:{port:04X}"
    lines = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    inodes = {f"socket:[{line.split()[9]}]" for line in lines if line.split()[1] == wanted}
    try:
        return bool(inodes) and any(
            str(link.readlink()) in inodes for link in Path(f"/proc/{process.pid}/fd").iterdir()
        )
    except OSError:
        return False  # it ended, or closed a descriptor, while we looked
