"""`make demo`, `make run` and `make call` do what they say."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.asterisk import CHECKOUT
from sandbox.serve import STATE

pytestmark = pytest.mark.asterisk


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_the_demo_sees_every_step() -> None:
    demo = run("sandbox.demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.count("✓") >= 29
    assert "she presses 1, and only then" in demo.stdout
    assert "alice not_accepted" in demo.stdout
    assert "✗" not in demo.stdout + demo.stderr
    assert "spring-flyer" in demo.stdout.split("callbacks list")[1]


def test_make_run_serves_and_make_call_calls(tmp_path: Path) -> None:
    if STATE.exists():
        pytest.skip("somebody serves in this checkout already: stop `make run` and test again")
    with (tmp_path / "said").open("w", encoding="utf-8") as said:
        serving = subprocess.Popen([sys.executable, "-m", "sandbox.serve"], cwd=CHECKOUT, stdout=said, stderr=said)
    try:
        processes.wait_until(lambda: STATE.exists() or serving.poll() is not None, 30, "make run serves", every=0.1)
        call = run("sandbox.place_call", "+33184801001", "+33145678901", "0.5")
        second = run("sandbox.serve")
    finally:
        serving.send_signal(signal.SIGINT)
        try:
            status = serving.wait(30)
        finally:
            # Its Asterisk and its phones end with it.
            serving.kill()
    text = (tmp_path / "said").read_text(encoding="utf-8")
    assert status == 0, text
    assert "make call TO=+33184801001" in text
    assert [line.split("s  ")[1] for line in call.stdout.splitlines()] == [
        "dialling +33184801001",
        "it rings",
        "answered",
        "we hang up",
    ]
    assert call.returncode == 0
    assert second.returncode == 1
    assert "another copy is running" in second.stderr
    assert not STATE.exists()


@pytest.mark.skipif(STATE.exists(), reason="somebody serves in this checkout: stop `make run` and test again")
def test_a_call_with_nobody_serving_is_said_in_one_line() -> None:
    call = run("sandbox.place_call", "+33184801001", "+33145678901", "1")
    assert call.returncode == 1
    assert call.stderr == "sandbox: nothing serves in this checkout; type: make run\n"


def test_wrong_arguments_are_wrong_usage() -> None:
    assert run("sandbox.place_call", "+33184801001").returncode == 2
