"""The dev server beside moto's, and beside a bare werkzeug route: ``python benchmarks/server.py``."""

from __future__ import annotations

import compileall
import contextlib
import http.client
import io
import multiprocessing
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from measure import machine
from rmat import rmat

from graphistry_core.arrow_body import ArrowBody

_MOTO = "from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
_OURS = "from graphistry_core.cli import main; main(['serve', '--port', '{port}'])"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compile_ours() -> None:
    """Compile our modules, as pip does with what it installs (moto's are): a checkout may have no bytecode."""
    import graphistry_core
    import graphistry_devserver

    for package in (graphistry_core, graphistry_devserver):
        compileall.compile_dir(Path(package.__file__ or "").parent, quiet=1)


def first_answer(code: str, path: str) -> float:
    """Seconds from starting a server's process to its first answer."""
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code.format(port=port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", path)
                connection.getresponse().read()
                return time.perf_counter() - started
            time.sleep(0.002)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def served(target: Callable[[Any], None]) -> Iterator[Any]:
    """Run a server in a process of its own; yield what it says about itself."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs,), daemon=True)
    process.start()
    yield mine.recv()
    process.terminate()
    process.join()


def _ours(pipe: Any) -> None:
    from graphistry_devserver import DevServer

    with DevServer() as server:
        pipe.send(server.port)
        server.join()


def _moto(pipe: Any) -> None:
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    pipe.send(server.get_host_and_port()[1])
    threading.Event().wait()


def _bare(pipe: Any) -> None:
    """A werkzeug route that writes the body to disk, a MiB at a time, and nothing else."""
    from werkzeug.serving import WSGIRequestHandler, make_server
    from werkzeug.wrappers import Request, Response

    class Quiet(WSGIRequestHandler):
        """Says nothing."""

        def log_request(self, *_: Any) -> None:
            """Say nothing."""

    @Request.application
    def app(request: Request) -> Response:
        with tempfile.TemporaryFile() as file:
            while chunk := request.stream.read(1 << 20):
                file.write(chunk)
        return Response("ok")

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    pipe.send(server.port)
    server.serve_forever()


class Client:
    """Sends POST requests, over one connection as long as the server keeps it open, as a requests.Session does."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path: str, body: Any, headers: dict[str, str]) -> bytes:
        """Send a request; return the body of its answer."""
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status < 300, data[:200]
        return data


def post(port: int, path: str, body: Any, headers: dict[str, str]) -> bytes:
    """Send one POST request over a connection of its own, as requests.post() does."""
    client = Client(port)
    data = client.post(path, body, headers)
    client._connection.close()
    return data


def rate(call: Callable[[], Any], seconds: float = 2.0) -> float:
    """Calls per second, one after the other."""
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        call()
        count += 1
    return count / (time.perf_counter() - started)


def in_turn(rounds: int, *calls: Callable[[], float]) -> list[list[float]]:
    """Run the calls in turn; return what each gave, by call."""
    found = [[call() for call in calls] for _ in range(rounds)]
    return [list(values) for values in zip(*found, strict=True)]


def main() -> None:
    print(time.strftime("%Y-%m-%d"), machine())
    compile_ours()
    ours, moto = in_turn(7, lambda: first_answer(_OURS, "/healthz"), lambda: first_answer(_MOTO, "/moto-api/"))
    ratio = statistics.median(o / m for o, m in zip(ours, moto, strict=True))
    print(
        f"start to first answer: ours {statistics.median(ours) * 1e3:.0f} ms, "
        f"moto {statistics.median(moto) * 1e3:.0f} ms, "
        f"ratio {ratio:.2f} (goal <= 0.5)"
    )
    from graphistry_core import GraphistryClient, wire

    with served(_ours) as port, served(_moto) as moto_port, served(_bare) as bare_port:
        client = GraphistryClient().register(
            username="u", password="p", server=f"127.0.0.1:{port}", protocol="http", transport="http"
        )
        token = {"Authorization": f"Bearer {client.api_token()}", "Content-Type": "application/json"}
        aws = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "DynamoDB_20120810.ListTables",
            "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, "
            "SignedHeaders=host, Signature=x",
        }
        body = b'{"file_type": "arrow", "name": "n"}'
        ours_kept, moto_kept = Client(port), Client(moto_port)
        fresh, theirs, kept, theirs_kept = in_turn(
            5,
            lambda: rate(lambda: post(port, "/api/v2/files/", body, token)),
            lambda: rate(lambda: post(moto_port, "/", b"{}", aws)),
            lambda: rate(lambda: ours_kept.post("/api/v2/files/", body, token)),
            lambda: rate(lambda: moto_kept.post("/", b"{}", aws)),
        )
        for how, mine, other in (("a session", kept, theirs_kept), ("a connection each", fresh, theirs)):
            ratio = statistics.median(m / t for m, t in zip(mine, other, strict=True))
            print(
                f"small authenticated JSON requests, {how}: ours {statistics.median(mine):.0f}/s, "
                f"moto {statistics.median(other):.0f}/s, ratio {ratio:.1f}x (goal >= 2x)"
            )
        edges, _ = rmat(4_500_000)
        raw = ArrowBody(pa.Table.from_pandas(edges, preserve_index=False).replace_schema_metadata(None)).tobytes()
        upload = {"Authorization": token["Authorization"]}

        def to_ours() -> float:
            file_id = client._call(wire.FileCreate("arrow", "n")).file_id
            started = time.perf_counter()
            post(port, f"/api/v2/upload/files/{file_id}", io.BytesIO(raw), {**upload, "Content-Length": str(len(raw))})
            taken = time.perf_counter() - started
            client._call(wire.FileDelete(file_id))
            return taken

        def to_bare() -> float:
            started = time.perf_counter()
            post(bare_port, "/", io.BytesIO(raw), {"Content-Length": str(len(raw))})
            return time.perf_counter() - started

        to_ours(), to_bare()
        mine, theirs = in_turn(9, to_ours, to_bare)
        ratio = statistics.median(t / m for m, t in zip(mine, theirs, strict=True))
        print(
            f"receiving {len(raw) / 1e6:.0f} MB of Arrow: ours {len(raw) / statistics.median(mine) / 1e9:.2f} GB/s, "
            f"a bare route {len(raw) / statistics.median(theirs) / 1e9:.2f} GB/s, ratio {ratio:.2f} (goal >= 0.9)"
        )


if __name__ == "__main__":
    main()
