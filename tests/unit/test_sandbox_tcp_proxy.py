"""The bad network of the fault tests: it passes everything on, until it is told to do otherwise."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from sandbox.frames import Frames
from sandbox.processes import wait_until
from sandbox.tcp_proxy import CLOSE_FRAME, TcpProxy

PATIENCE = 5.0


class Echo:
    """Says everything once more, to everybody who connects."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard: list[bytes] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._talk, args=(line,), daemon=True))
            self._threads[-1].start()

    def _talk(self, line: socket.socket) -> None:
        with line:
            try:
                while data := line.recv(4096):
                    self.heard.append(data)
                    line.sendall(data)
            except ConnectionError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy(echo.port) as made:
        yield made


def line(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)


def said(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    return client.recv(4096)


def reset(client: socket.socket) -> bool:
    """Whether the connection ends with a reset, and not in an orderly way."""
    try:
        client.recv(4096)
    except ConnectionResetError:
        return True
    return False


def refused(proxy: TcpProxy) -> bool:
    """Whether a new connection is reset, be it while it is made."""
    try:
        with line(proxy) as client:
            return reset(client)
    except ConnectionResetError:
        return True


def test_it_passes_on_what_both_sides_say_and_their_end(proxy: TcpProxy) -> None:
    with line(proxy) as client:
        assert said(client, b"hello") == b"hello"
        assert (proxy.accepted, proxy.open) == (1, 1)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(4096) == b""
    wait_until(lambda: proxy.open == 0, PATIENCE, "the connection is gone")


def test_a_reset_is_one(proxy: TcpProxy) -> None:
    with line(proxy) as client:
        said(client, b"hello")
        assert proxy.reset() == 1
        assert reset(client)


def test_a_close_is_orderly_and_may_say_farewell(proxy: TcpProxy) -> None:
    with line(proxy) as client:
        said(client, b"hello")
        assert proxy.close(CLOSE_FRAME) == 1
        assert client.recv(4096) == CLOSE_FRAME
        assert client.recv(4096) == b""


def test_while_it_is_down_nobody_gets_through(proxy: TcpProxy, echo: Echo) -> None:
    with line(proxy) as client:
        said(client, b"hello")
        with proxy.down():
            assert reset(client)
            assert refused(proxy)
    with line(proxy) as client:
        assert said(client, b"again") == b"again"
    assert echo.heard == [b"hello", b"again"]
    assert proxy.accepted == 2


def test_frozen_it_holds_everything_back_and_then_lets_it_go(proxy: TcpProxy) -> None:
    with line(proxy) as client, contextlib.ExitStack() as open_lines:
        said(client, b"hello")
        with proxy.frozen():
            late = open_lines.enter_context(line(proxy))
            client.sendall(b"held")
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(4096)
            client.settimeout(PATIENCE)
        assert client.recv(4096) == b"held"
        assert reset(late), "on such a network it would not have been made"


def test_a_cut_comes_behind_the_request_and_before_the_answer(proxy: TcpProxy, echo: Echo) -> None:
    with line(proxy) as client:
        assert said(client, b"first") == b"first"
        made = proxy.cut("second", "second")
        assert not made()
        client.sendall(b"the second")
        assert reset(client)
        assert made()
    assert echo.heard == [b"first", b"the second"], "it was carried out"
    with line(proxy) as client:
        assert said(client, b"the second") == b"the second", "one cut only"


def test_a_cut_that_stays_down_lets_nobody_back_before_a_down_has_ended(proxy: TcpProxy) -> None:
    with line(proxy) as client:
        made = proxy.cut("now", stays_down=True)
        client.sendall(b"now")
        assert reset(client)
        assert made()
    assert refused(proxy)
    with proxy.down():
        assert refused(proxy)
    with line(proxy) as client:
        assert said(client, b"hello") == b"hello"


def frame(content: bytes, mask: bytes = b"") -> bytes:
    size = len(content)
    head = bytes([0x81, (0x80 if mask else 0) | (size if size < 126 else 126)])
    head += size.to_bytes(2) if size >= 126 else b""
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(content)) if mask else head + content


@pytest.mark.parametrize("mask", [b"", b"\x01\x02\x03\x04"])
@pytest.mark.parametrize("size", [0, 5, 125, 126, 4000])
def test_frames_are_read_however_they_are_cut_up(mask: bytes, size: int) -> None:
    contents = [b"a" * size, b"b" * size]
    wire = b"".join(frame(each, mask) for each in contents)
    for part in (1, 7, len(wire)):
        frames = Frames()
        frames.add(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
        found = [one for at in range(0, len(wire), part) for one in frames.add(wire[at : at + part])]
        assert found == contents


def test_before_an_upgrade_a_request_is_as_it_stands() -> None:
    frames = Frames()
    assert frames.add(b"POST /a HTTP/1.1\r\n\r\n{}") == [b"POST /a HTTP/1.1\r\n\r\n{}"]
    assert frames.add(b"POST /b HTTP/1.1\r\n\r\n{}") == [b"POST /b HTTP/1.1\r\n\r\n{}"]
