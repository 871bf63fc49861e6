"""What a websocket client says, read from the bytes of its connection: its frames are masked (RFC 6455, 5.3)."""

from __future__ import annotations

_HEAD_ENDS = b"\r\n\r\n"


class Frames:
    """Bytes go in, messages come out: each HTTP request as it stands, and after an upgrade each frame's content."""

    def __init__(self) -> None:
        self._bytes = b""
        self._upgraded = False

    def add(self, data: bytes) -> list[bytes]:
        """The messages that are whole now."""
        if not self._upgraded:
            end = data.find(_HEAD_ENDS)
            self._upgraded = b"upgrade: websocket" in data[: max(end, 0)].lower()
            return [data]
        self._bytes += data
        found: list[bytes] = []
        while (frame := _first_frame(self._bytes)) is not None:
            content, length = frame
            found.append(content)
            self._bytes = self._bytes[length:]
        return found


def _first_frame(data: bytes) -> tuple[bytes, int] | None:
    """The content of the first frame, and the frame's whole length; None when it is not whole yet."""
    if len(data) < 2:
        return None
    length, at = data[1] & 0x7F, 2
    if length >= 126:
        size = 2 if length == 126 else 8
        length, at = int.from_bytes(data[at : at + size]), at + size
    mask = data[at : at + 4] if data[1] & 0x80 else b""
    at += len(mask)
    if len(data) < at + length or (data[1] & 0x80 and len(mask) < 4):
        return None
    content = data[at : at + length]
    if mask:
        content = bytes(byte ^ mask[n % 4] for n, byte in enumerate(content))
    return content, at + length
