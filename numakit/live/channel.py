"""Messages between a world and its processes: JSON over a socket, with a file descriptor now and then.

A process learns from the end of its channel that nobody will ask it any more: that comes however the world ended.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

HEADER = struct.Struct("!I")
MOST_ANSWERS = 1 << 24  #: elements of a status[] that one answer brings
ANSWER_SECONDS = 60.0  #: a system call over many pages takes seconds; none takes this long


class Message(NamedTuple):
    """What came in: plain data, and a descriptor if one came along."""

    data: Any
    fd: int | None = None


class Channel:
    """One end of a socket. ``seconds``: how long to wait for a message; None: as long as there is another end."""

    def __init__(self, end: socket.socket, seconds: float | None = None) -> None:
        self._end = end
        end.settimeout(seconds)

    def send(self, data: Any, fd: int | None = None) -> None:
        """Send a message. Raises BrokenPipeError if nobody is at the other end, TimeoutError if nobody listens."""
        body = json.dumps(data).encode()
        socket.send_fds(self._end, [HEADER.pack(len(body))], [] if fd is None else [fd])
        self._end.sendall(body)

    def ask(self, data: Any, fd: int | None = None) -> Message | None:
        """Send a message and wait for the answer; None if nobody is there, or nobody answers in time."""
        try:
            self.send(data, fd)
            return self.receive()
        except OSError:
            return None

    def receive(self) -> Message | None:
        """The next message, None at the end of the channel. Raises TimeoutError if none comes in time."""
        try:
            head, fds, _, _ = socket.recv_fds(self._end, HEADER.size, 1)
            head += self._exactly(HEADER.size - len(head)) if head else b""
            body = self._exactly(*HEADER.unpack(head)) if len(head) == HEADER.size else b""
        except ConnectionError:
            return None
        if not body:
            for fd in fds:
                os.close(fd)
            return None
        return Message(json.loads(body), fds[0] if fds else None)

    def _exactly(self, size: int) -> bytes:
        """So many bytes, or what came before the end of the channel."""
        data = bytearray()
        while len(data) < size and (part := self._end.recv(min(size - len(data), 1 << 20))):
            data += part
        return bytes(data) if len(data) == size else b""

    def hang_up(self) -> None:
        """Nothing more will be said: the other end sees the end of the channel, and may still answer."""
        try:
            self._end.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the other end is gone already

    def wait_for_end(self, seconds: float, insist: Callable[[], None]) -> None:
        """Read until the other end is closed. If that takes longer than ``seconds``, ``insist``, and wait once more."""
        self._end.settimeout(seconds)
        for patience in (insist, None):
            try:
                while self._end.recv(1 << 16):
                    pass  # an answer that nobody waits for any more
                return
            except TimeoutError:
                if patience:
                    patience()
            except OSError:
                return

    @property
    def closed(self) -> bool:
        """Whether this end was given up."""
        return self._end.fileno() < 0

    def close(self) -> None:
        """Give up the socket."""
        self._end.close()
