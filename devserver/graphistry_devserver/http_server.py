"""HTTP/1.1 on a socket, with the connection kept open between requests. Imports the standard library's socketserver.

What the standard library and werkzeug read a request with costs more than answering it, and a third of a start; a body
is read straight from the socket. What comes is whatever a client sends: each fault of it is answered in JSON, and the
next request works.
"""

from __future__ import annotations

import contextlib
import logging
import re
import select
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from graphistry_core.errors import BadRequest, GraphistryError
from graphistry_core.gateway import error_response
from graphistry_core.messages import HttpRequest, HttpResponse

from .body import Body, Chunks, length_of
from .edge import Edge

if TYPE_CHECKING:
    import ssl

log = logging.getLogger("graphistry_core")
_HANDSHAKE_S = 10.0
_PLAIN = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nThis port speaks HTTPS.\n"
_IDLE_S = 60.0  # how long a connection waits for its next request
_LAST_S = 2.0
_WRITE_S = 300.0
_LINGER_S, _LINGER_PARTS = 0.5, 64  # seconds, and reads of up to 64 KiB
_LINE, _HEADERS = 65536, 100  # bytes of a line, number of headers
_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) +(\S+) +HTTP/([0-9])\.([0-9])", re.ASCII)
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.ASCII | re.DOTALL)
_NOT_IN_A_HEADER = re.compile(r"[\r\n\0]+")
_AUTHORITY = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)
_JOINED_BY = {"cookie": "; "}
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class _NoHttp(Exception):
    """What came is no HTTP request; has the status to say so with."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class HttpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves an :class:`Edge`, a thread for each connection; in TLS with ``tls``. Binds at once; raises OSError."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, edge: Edge, tls: ssl.SSLContext | None = None) -> None:
        self.edge, self.tls = edge, tls
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, Any] = {}
        self._stopping = False
        self.grace_is_over = False
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Connection)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    @property
    def stopping(self) -> bool:
        """Whether connections are to end after the answer they are at."""
        return self._stopping

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; its handshake is left to its own thread, so that nobody waits for it."""
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def _shake_hands(self, connection: ssl.SSLSocket) -> None:
        import ssl

        connection.settimeout(_HANDSHAKE_S)
        try:
            connection.do_handshake()
        except ssl.SSLError as e:
            if e.reason == "HTTP_REQUEST":
                socket.socket.sendall(connection, _PLAIN)
            raise

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        with self._lock:
            self._connections[request] = threading.current_thread()
        try:
            if self.tls is not None:
                self._shake_hands(request)
            super().finish_request(request, client_address)
        finally:
            with self._lock:
                self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what only a bug, or a connection lost at the wrong moment, can cause."""
        if not isinstance(sys.exception(), OSError):
            log.exception("a connection failed")

    def close(self, grace_s: float) -> None:
        """Stop listening; let requests that are being answered finish for some seconds; then end all connections."""
        self._stopping = True
        self.server_close()
        deadline = time.monotonic() + grace_s
        self._end(idle_only=True)
        for thread in self._threads_now():
            thread.join(max(deadline - time.monotonic(), 0))
        self.grace_is_over = True  # tasks that still run are cancelled, which is an answer too
        deadline = time.monotonic() + _LAST_S
        for thread in self._threads_now():
            thread.join(max(deadline - time.monotonic(), 0))
        self._end(idle_only=False)
        for thread in self._threads_now():
            thread.join(1)

    def _threads_now(self) -> list[threading.Thread]:
        with self._lock:
            return [thread for thread in self._connections.values() if thread is not threading.current_thread()]

    def _end(self, *, idle_only: bool) -> None:
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    # An idle one sees the end at once; one that is being answered still writes its answer.
                    # Not the method of a TLS socket, which would write that answer in the clear.
                    socket.socket.shutdown(connection, socket.SHUT_RD if idle_only else socket.SHUT_RDWR)


class _Connection(socketserver.StreamRequestHandler):
    """One connection: requests one after the other."""

    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    server: HttpServer
    connection: Any  # a socket, or one of TLS

    def handle(self) -> None:
        """Answer requests until one of them, or the server, ends the connection."""
        with contextlib.suppress(OSError, ValueError):  # the connection is gone, or silent for too long
            while self._one() and not self.server.stopping:
                pass
            self._linger()

    def _linger(self) -> None:
        """Take what a refused client is still sending: closing over it would reset the connection under the answer."""
        if self.server.tls is not None:
            self.connection.setblocking(False)
            with contextlib.suppress(OSError):
                self.connection.unwrap()  # says goodbye, and does not wait for an answer to it
        self.connection.shutdown(socket.SHUT_WR)
        end = time.monotonic() + _LINGER_S
        for _ in range(_LINGER_PARTS):
            self.connection.settimeout(max(end - time.monotonic(), 0.001))
            if not self.connection.recv(1 << 16):
                return

    def _one(self) -> bool:
        """Read one request and answer it; return whether another may follow."""
        self.connection.settimeout(_IDLE_S)
        try:
            line = self._line() or self._line()  # an empty line before a request is to be ignored (RFC 9112, 2.2)
            if line is None:
                return False
            method, target, keep = _request_line(line)
            headers = self._headers()
        except _NoHttp as e:
            said = error_response(BadRequest(f"The request is not valid HTTP: {e}."))
            self._write(HttpResponse(e.status, said.body, said.content_type), keep=False)
            return False
        asked = headers.get("connection", "").lower()
        keep = asked == "keep-alive" if not keep else asked != "close"
        self.connection.settimeout(None)
        try:
            body = self._body(headers)
        except GraphistryError as e:
            self._write(error_response(e), keep=False)
            return False
        return self._answer(method, target, headers, body, keep=keep)

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: Body, *, keep: bool) -> bool:
        path, _, query = _AUTHORITY.sub("", target, count=1).partition("?")
        path = unquote(_utf8(path.partition("#")[0]), errors="replace")
        values = dict(reversed(parse_qsl(_utf8(query), keep_blank_values=True)))
        if self.server.tls is not None:
            headers = {**headers, "x-forwarded-proto": "https"}  # for the links in answers
        request = HttpRequest(method, path, values, headers, body, self.client_address[0], self._gone)
        answer = self.server.edge.answer(request)
        body.drain()
        twice = "transfer-encoding" in headers and "content-length" in headers  # others may count otherwise
        keep = keep and body.finished and not twice and not answer.fault and not self.server.stopping
        self._write(answer, keep=keep, bodiless=method == "HEAD")
        return keep

    def _line(self) -> str | None:
        """Return the next line without its end, or None where the connection ends."""
        line = self.rfile.readline(_LINE + 1)
        if len(line) > _LINE:
            raise _NoHttp(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a line is over {_LINE} bytes")
        if not line.endswith(b"\n"):
            return None
        return line.decode("latin-1").rstrip("\r\n")

    def _headers(self) -> dict[str, str]:
        """Return headers by lower-case name; several of one name as one, lengths that agree as one."""
        found: dict[str, str] = {}
        for _ in range(_HEADERS + 1):
            line = self._line()
            if line is None:
                raise _NoHttp(HTTPStatus.BAD_REQUEST, "it ends within its headers")
            if not line:
                return found
            header = _HEADER.fullmatch(line)
            if header is None:
                raise _NoHttp(HTTPStatus.BAD_REQUEST, f"{line[:100]!r} is no header")
            name, value = header[1].lower(), _utf8(header[2])
            if name not in found:
                found[name] = value
            elif name != "content-length" or value not in found[name].split(", "):
                found[name] += _JOINED_BY.get(name, ", ") + value
        raise _NoHttp(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"it has more than {_HEADERS} headers")

    def _body(self, headers: Mapping[str, str]) -> Body:
        limit = self.server.edge.gateway.hub.store.max_upload_bytes
        source: Any = self.rfile
        coding = headers.get("transfer-encoding", "").lower()
        length: int | None = length_of(headers.get("content-length") or "0")
        if coding:
            if coding != "chunked":
                raise BadRequest(f"The Transfer-Encoding {coding[:100]!r} is not one that is read here: chunked is.")
            source, length = Chunks(self.rfile), None
        if headers.get("expect", "").lower() == "100-continue" and (length is None or length <= limit):
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Body(source, length, limit)

    def _gone(self) -> bool:
        """Say whether the client has closed the connection."""
        if self.server.stopping:
            return self.server.grace_is_over  # it is this side that has
        if self.server.tls is not None:
            return _hung_up(self.connection)
        try:
            self.connection.setblocking(False)
            return bool(self.connection.recv(1, socket.MSG_PEEK) == b"")
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            with contextlib.suppress(OSError):
                self.connection.settimeout(None)

    def _write(self, answer: HttpResponse, *, keep: bool, bodiless: bool = False) -> None:
        if answer.fault == "drop":
            return
        lines = [f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, 'Unknown')}"]
        if answer.status not in (204, 304):
            lines += [f"Content-Type: {answer.content_type}", f"Content-Length: {len(answer.body)}"]
        else:
            bodiless = True
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        lines += [f"Date: {_now()}"] if keep else [f"Date: {_now()}", "Connection: close"]
        lines = [_NOT_IN_A_HEADER.sub(" ", line) for line in lines]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        body = b"" if bodiless else answer.body
        if answer.fault == "truncate":
            body = body[: len(body) // 2]
        self.connection.settimeout(_WRITE_S)
        if len(body) < 1 << 16:
            self.connection.sendall(head + body)
        else:
            self.connection.sendall(head)
            self.connection.sendall(body)


def _hung_up(connection: socket.socket) -> bool:
    """Say whether the other side has closed, also behind bytes that were not read yet; no where one cannot tell."""
    event = getattr(select, "POLLRDHUP", 0)
    if not event:
        return False
    poll = select.poll()
    poll.register(connection, event)
    return bool(poll.poll(0))


def _request_line(line: str) -> tuple[str, str, bool]:
    """Return method, target, and whether the connection is kept unless a header says otherwise."""
    words = _REQUEST_LINE.fullmatch(line)
    if words is None:
        raise _NoHttp(HTTPStatus.BAD_REQUEST, f"{line[:100]!r} is no request line")
    if words[3] != "1":
        raise _NoHttp(HTTPStatus.BAD_REQUEST, f"HTTP/{words[3]}.{words[4]} is not spoken here, HTTP/1.1 is")
    return words[1], words[2], words[4] != "0"


def _utf8(text: str) -> str:
    """Return what was read as Latin-1, as HTTP has it, for the UTF-8 that it is in practice."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")


def _now() -> str:
    """Return the time as HTTP writes it, in English whatever the locale."""
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime()
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year} {hour:02}:{minute:02}:{second:02} GMT"
