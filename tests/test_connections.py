"""Connections to the dev server: kept open, cut, lied over, and ended at a stop. The oracle is http.client."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import re
import socket
import threading
import time

import pyarrow as pa
import pytest
from api import Api, answer_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphistry_core import wire
from graphistry_core.arrow_body import ArrowBody
from graphistry_core.messages import Auth
from graphistry_core.transports import HttpTransport
from graphistry_devserver import DevServer

LOGIN = b'{"username": "u", "password": "p"}'


@contextlib.contextmanager
def connected(server, timeout=9):
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as raw:
        yield raw


def request(method=b"POST", path=b"/api-token-auth/", *headers, body=LOGIN, length=None):
    head = [b"%s %s HTTP/1.1" % (method, path), b"Host: localhost", b"Content-Type: application/json", *headers]
    if length is not False:
        head.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return b"\r\n".join([*head, b"", body])


def statuses_of(raw):
    """Say that nothing more comes; return the statuses of all answers."""
    with contextlib.suppress(ConnectionError):
        raw.shutdown(socket.SHUT_WR)
    said = b""
    with contextlib.suppress(ConnectionError):
        said = b"".join(iter(lambda: raw.recv(65536), b""))
    return [int(number) for number in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", said)]


class TestKeptOpen:
    def test_many_requests_over_one_connection(self, graphistry_server):
        with connected(graphistry_server) as raw:
            for _ in range(5):
                raw.sendall(request())
                status, answer = answer_of(raw)
                assert status == 200
                assert answer["token"]

    def test_requests_sent_at_once_are_answered_in_turn(self, graphistry_server):
        with connected(graphistry_server) as raw:
            raw.sendall(request() + request(body=b"[]") + request(b"GET", b"/nothing/here/", body=b""))
            assert statuses_of(raw) == [200, 400, 404]

    def test_the_answers_to_http_1_0_and_close_end_the_connection(self, graphistry_server):
        for asked in (request().replace(b"HTTP/1.1", b"HTTP/1.0"), request(b"POST", b"/", b"Connection: close")):
            with connected(graphistry_server) as raw:
                raw.sendall(asked)
                answer = http.client.HTTPResponse(raw)
                answer.begin()
                answer.read()
                assert answer.headers["Connection"] == "close"
                assert raw.recv(1) == b""

    def test_a_refused_body_is_not_taken_for_the_next_request(self, graphistry_server):
        with connected(graphistry_server) as raw:
            hidden = request(b"DELETE", b"/api/v2/files/x", body=b"")
            raw.sendall(request(b"POST", b"/api/v2/files/", b"Authorization: Bearer no", body=hidden) + request())
            assert statuses_of(raw) == [401, 200]

    def test_chunks_then_another_request(self, graphistry_server):
        chunked = request(b"POST", b"/api-token-auth/", b"Transfer-Encoding: chunked", body=b"", length=False)
        parts = b"".join(b"%X;a=b\r\n%s\r\n" % (len(part), part) for part in (LOGIN[:7], LOGIN[7:]))
        parts += b"0\r\nT: x\r\n\r\n"
        with connected(graphistry_server) as raw:
            for _ in range(2):
                raw.sendall(chunked + parts)
                assert answer_of(raw)[0] == 200

    def test_a_body_comes_only_after_a_100(self, graphistry_server):
        with connected(graphistry_server) as raw:
            asked = request(b"POST", b"/api-token-auth/", b"Expect: 100-continue")
            raw.sendall(asked[: -len(LOGIN)])
            assert raw.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            raw.sendall(LOGIN)
            assert answer_of(raw)[0] == 200

    def test_a_body_over_the_limit_is_refused_unsent(self):
        with DevServer(max_upload_bytes=1000) as server, connected(server) as raw:
            api = Api(server)
            head = (b"Expect: 100-continue", b"Authorization: Bearer " + api.token.encode())
            raw.sendall(request(b"POST", b"/api/v2/files/", *head, body=b"", length=1001))
            assert answer_of(raw)[0] == 413

    def test_a_head_request_has_the_length_and_no_body(self, graphistry_server):
        with connected(graphistry_server) as raw:
            raw.sendall(request(b"HEAD", b"/healthz", body=b""))
            answer = http.client.HTTPResponse(raw, method="HEAD")
            answer.begin()
            assert int(answer.headers["Content-Length"]) > 0
            assert answer.read() == b""
            raw.sendall(request())
            assert answer_of(raw)[0] == 200

    def test_a_target_may_be_a_whole_url(self, graphistry_server):
        with connected(graphistry_server) as raw:
            raw.sendall(request(path=b"http://localhost/api-token-auth/"))
            assert answer_of(raw)[0] == 200


class TestStop:
    def test_an_idle_connection_does_not_delay_it(self):
        server = DevServer().start()
        with connected(server) as raw:
            raw.sendall(request())
            assert answer_of(raw)[0] == 200
            started = time.monotonic()
            server.stop()
            assert time.monotonic() - started < 3
            assert raw.recv(1) == b""

    def test_a_request_under_way_is_answered(self):
        server = DevServer().start()
        fault = server.dev.faults.add("login", latency_s=0.5)
        with connected(server) as raw:
            raw.sendall(request())
            while not fault.hits:
                time.sleep(0.01)
            server.stop()
            assert answer_of(raw)[0] == 200
            assert raw.recv(1) == b""

    def test_no_thread_is_left(self):
        before = set(threading.enumerate())
        server = DevServer().start()
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                raw = stack.enter_context(connected(server))
                raw.sendall(request())
                answer_of(raw)
            server.stop()
        assert not [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]


TOKENS = st.sampled_from([b"GET", b"POST", b"PATCH", b"DELETE", b"OPTIONS", b"BREW", b"", b"G ET", b"\xff"])
PATHS = st.sampled_from(
    [b"/api-token-auth/", b"/api/v2/files/", b"/api/v2/upload/datasets/", b"/healthz", b"*", b"//", b"/%zz",
     b"/\xc3\xa9", b"http://[/", b"/graph/graph.html?dataset=%00", b"/_dev/journal"]
)  # fmt: skip
HEADERS = st.lists(
    st.sampled_from(
        [b"Content-Length: abc", b"Content-Length: -1", b"Content-Length: 5", b"Content-Length: 99999999999999999999",
         b"Content-Length: 3, 4", b"Content-Length : 2", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip",
         b"Transfer-Encoding: chunked, identity", b"Expect: 100-continue", b"Connection: close",
         b"Connection: keep-alive", b" folded", b"no colon", b": nameless", b"X: \x00", b"Long: ",
         b"Cookie: \xff=;;=", b"Host: evil.example",
         b"Authorization: Bearer x", b"Authorization: PersonalKey \xff:", b"Content-Encoding: gzip",
         b"Content-Type: application/json; charset=\xff", b"Origin: http://localhost"]
    ), max_size=6)  # fmt: skip
BODIES = st.one_of(
    st.sampled_from([LOGIN, b"", b"5\r\nhello\r\n0\r\n\r\n", b"-1\r\n", b"zz\r\n", b"5\r\nhel",
                     b"fffffffffffffffff\r\n",
                     b"5\r\nhelloXX0\r\n\r\n", b"0\r\n" + b"a: b\r\n" * 200, b"5;" + b"x" * 9000 + b"\r\n"]),
    st.binary(max_size=300),
)  # fmt: skip


class TestWhateverComes:
    @settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(method=TOKENS, path=PATHS, headers=HEADERS, body=BODIES, cut=st.integers(0, 400), whole=st.booleans())
    def test_it_is_answered_with_no_5xx_and_the_next_request_works(
        self, graphistry_server, caplog, method, path, headers, body, cut, whole
    ):
        headers = [header.replace(b"Long:", b"Long: " + b"y" * 70_000) for header in headers]
        data = b"\r\n".join([method + b" " + path + b" HTTP/1.1", b"Host: localhost", *headers, b"", body])
        with caplog.at_level(logging.ERROR), connected(graphistry_server) as raw:
            with contextlib.suppress(ConnectionError):
                raw.sendall(data if whole else data[:cut])
            statuses = statuses_of(raw)
            with connected(graphistry_server) as after:
                after.sendall(request())
                assert answer_of(after)[0] == 200
        assert not [status for status in statuses if status > 499 and status != 501]
        if whole:
            assert statuses
        assert not caplog.records

    @pytest.mark.parametrize("cut", [1, 20, 60, 100, 130])
    def test_a_request_that_is_cut_off_is_not_carried_out(self, graphistry_server, cut):
        api = Api(graphistry_server)
        head = b"Authorization: Bearer " + api.token.encode()
        whole = request(b"POST", b"/api/v2/files/", head, body=json.dumps({"file_type": "csv", "name": "n"}).encode())
        with connected(graphistry_server) as raw:
            raw.sendall(whole[:-cut])
            raw.shutdown(socket.SHUT_WR)
            raw.recv(65536)
        assert api.ok("GET", "/api/v2/files/")["results"] == []


class TestBrokenBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"zz\r\n0\r\n\r\n",
            b"0\r\n" + b"a: b\r\n" * 100,
            b"0\r\nlong: " + b"x" * 5000 + b"\r\n",
            b"5\r\nhelloXX0\r\n\r\n",
            b"zz\r\n\r\n0\r\n\r\n",
        ],
        ids=["size", "trailers", "trailer", "end", "size-and-end"],
    )  # fmt: skip
    def test_what_follows_is_not_taken_for_a_request(self, graphistry_server, body):
        head = request(b"POST", b"/api-token-auth/", b"Transfer-Encoding: chunked", body=b"", length=False)
        with connected(graphistry_server) as raw:
            raw.sendall(head + body + request(b"GET", b"/smuggled/", body=b"") * 20)
            assert statuses_of(raw) == [400]
        assert not [entry for entry in graphistry_server.dev.journal.entries if "smuggled" in entry.path]

    def test_both_lengths_end_the_connection(self, graphistry_server):
        head = request(b"POST", b"/api-token-auth/", b"Transfer-Encoding: chunked", body=b"", length=5)
        chunks = b"%X\r\n%s\r\n0\r\n\r\n" % (len(LOGIN), LOGIN)
        with connected(graphistry_server) as raw:
            raw.sendall(head + chunks + request(b"GET", b"/smuggled/", body=b""))
            assert statuses_of(raw) == [200]


def test_an_upload_may_take_longer_than_one_send_may():
    """A socket's timeout is for all that is sent at once: a column must not be."""
    listener = socket.create_server(("127.0.0.1", 0))

    def slowly() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            head, _, rest = connection.recv(1 << 12).partition(b"\r\n\r\n")
            left = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1]) - len(rest)
            while left and (part := connection.recv(1 << 18)):
                left -= len(part)
                time.sleep(len(part) / 24e6)
            answer = b'{"is_valid": true, "is_uploaded": true, "file_id": "f"}'
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(answer), answer)
            )

    thread = threading.Thread(target=slowly)
    thread.start()
    transport = HttpTransport(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=(0.3, 30.0))
    try:
        table = pa.table({"n": pa.array(range(3_000_000), pa.int64())})
        assert transport.call(wire.FileUpload("f", ArrowBody(table)), Auth("bearer", "t")).file_id == "f"
    finally:
        transport.close()
        thread.join()
        listener.close()
