"""Messages between the server's process and those that run tasks: a JSON header, bytes, and open files, over a socket.

A task can write whatever it likes to the descriptors that it finds. So every message begins with a word that only the
two ends know, and what does not is refused. Imports nothing of ours.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

_FRAME = struct.Struct(">16sIQ")
_HEADER_LIMIT = 64 << 20  # bytes: a header holds at most a traceback, or a dataset's encodings
_PAYLOAD_LIMIT = 1 << 31
_FDS = 8
WORD = b"graphistry-core:"  # where no task can write yet


class BrokenChannel(ConnectionError):
    """What came is no message of ours, or the other end is gone."""


@dataclass
class Message:
    """One message; the receiver owns ``fds``."""

    header: dict[str, Any]
    payload: bytes = field(default=b"", repr=False)
    fds: list[int] = field(default_factory=list)


def send(channel: socket.socket, message: Message, word: bytes = WORD) -> None:
    """Send a message; raise OSError where the other end is gone."""
    header = json.dumps(message.header).encode()
    first = _FRAME.pack(word, len(header), len(message.payload)) + header
    sent = socket.send_fds(channel, [first], message.fds) if message.fds else channel.send(first)
    if sent < len(first):
        channel.sendall(first[sent:])
    if message.payload:
        channel.sendall(message.payload)


def receive(channel: socket.socket, word: bytes = WORD) -> Message | None:
    """Wait for a message, or None where the other end has closed; raise BrokenChannel."""
    fds: list[int] = []
    try:
        raw = _exactly(channel, _FRAME.size, fds)
        if not raw:
            return None
        said, header, payload = _FRAME.unpack(raw)
        if said != word or header > _HEADER_LIMIT or payload > _PAYLOAD_LIMIT:
            raise BrokenChannel("what came is no message")
        values = json.loads(_all(channel, header, fds))
        if not isinstance(values, dict):
            raise BrokenChannel("what came is no message")
        return Message(values, bytes(_all(channel, payload, fds)), fds)
    except (OSError, ValueError) as e:
        for fd in fds:
            os.close(fd)
        if isinstance(e, BrokenChannel):
            raise
        raise BrokenChannel(f"the channel broke: {e}") from e


def _all(channel: socket.socket, size: int, fds: list[int]) -> bytes:
    raw = _exactly(channel, size, fds)
    if len(raw) < size:
        raise BrokenChannel("the message ends early")
    return raw


def _exactly(channel: socket.socket, size: int, fds: list[int]) -> bytes:
    """Read so many bytes, and the descriptors that come with them; nothing where the other end has closed."""
    parts: list[bytes] = []
    left = size
    while left:
        data, found = _some(channel, min(left, 1 << 20))
        fds += found
        if not data:
            if parts:
                raise BrokenChannel("the message ends early")
            return b""
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def _some(channel: socket.socket, size: int) -> tuple[bytes, list[int]]:
    found = array.array("i")
    data, ancillary, _, _ = channel.recvmsg(size, socket.CMSG_LEN(_FDS * found.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(content[: len(content) - len(content) % found.itemsize])
    return data, list(found)
