"""Import, conversion and upload, beside the released PyGraphistry.

Run: ``python benchmarks/client.py [--edges 1e6 1e7]``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import graphistry
from graphistry.ArrowFileUploader import _hash_full_table, _hash_metadata
from graphistry.PlotterBase import PlotterBase
from measure import HEADER, Row, compare, machine, peak_mb
from rmat import rmat

from graphistry_core import GraphistryClient, wire
from graphistry_core.arrow_body import ArrowBody
from graphistry_core.frames import to_arrow

warnings.simplefilter("ignore")


class Sink(BaseHTTPRequestHandler):
    """Reads whatever comes and answers what makes every client go on."""

    protocol_version = "HTTP/1.1"
    answer = json.dumps(
        {
            "token": "t",
            "file_id": "f",
            "is_valid": True,
            "is_uploaded": True,
            "success": True,
            "data": {"dataset_id": "d"},
        }
    ).encode()

    def do_POST(self) -> None:
        """Read the body, piece by piece."""
        left = int(self.headers.get("Content-Length", 0))
        room = memoryview(bytearray(1 << 20))
        while left > 0:
            left -= self.rfile.readinto(room[: min(left, len(room))])
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _serve_sink(pipe: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    pipe.send(server.server_port)
    server.serve_forever()


def _serve_ours(pipe: Any) -> None:
    from graphistry_devserver import DevServer

    with DevServer() as server:
        pipe.send(server.port)
        server.join()


@contextlib.contextmanager
def served(target: Any) -> Iterator[dict[str, Any]]:
    """Run a server in a process of its own; yield what registers with it."""
    mine, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(theirs,), daemon=True)
    process.start()
    port = mine.recv()
    yield {"api": 3, "protocol": "http", "server": f"127.0.0.1:{port}", "username": "u", "password": "p"}
    process.terminate()
    process.join()


def imports(rounds: int = 9) -> str:
    """CPU time of importing ours, against pandas and pyarrow alone, in fresh processes in turn."""
    statements = {
        "pandas, pyarrow": "import pandas, pyarrow",
        "ours": "import graphistry_core, pandas, pyarrow",
        "ours with its first graph": "import graphistry_core, pandas, pyarrow; graphistry_core.bind()",
        "PyGraphistry": "import graphistry",
    }
    times: dict[str, list[float]] = {name: [] for name in statements}
    probe = "import time; {}; print(time.process_time())"
    for _ in range(rounds):
        for name, statement in statements.items():
            ran = subprocess.run([sys.executable, "-c", probe.format(statement)], capture_output=True, check=True)
            times[name].append(float(ran.stdout))
    medians = {name: statistics.median(values) * 1e3 for name, values in times.items()}
    ratio = statistics.median(o / b for o, b in zip(times["ours"], times["pandas, pyarrow"], strict=True))
    listed = ", ".join(f"{name} {value:.0f} ms" for name, value in medians.items())
    return f"import, CPU: {listed}; ours / (pandas, pyarrow) = {ratio:.3f} (goal <= 1.05)"


def forget() -> None:
    """Empty PyGraphistry's memos, so that every round does the work."""
    sys.modules["graphistry.ArrowFileUploader"]._CACHE.clear()
    PlotterBase._pd_hash_to_arrow.clear()


def conversion(edges: Any) -> Row:
    """A table to Arrow and its content key."""
    plotter = graphistry.client().bind()

    def peer() -> Any:
        forget()
        table = plotter._table_to_arrow(edges)
        return _hash_metadata(table), _hash_full_table(table)

    def ours() -> Any:
        return ArrowBody(to_arrow(edges)).content_key

    return compare(f"table to Arrow + content key, {len(edges):.0e}", ours, peer, ">= 17x")


def upload(edges: Any, register: dict[str, Any], where: str, goal: str, *, memoize: bool) -> Row:
    """Time one edge table on its way to a server: as a file with a content key, or as a plain table."""
    mine, theirs = GraphistryClient(), graphistry.client()
    mine.register(**register), theirs.register(**register)

    def ours() -> Any:
        mine.session._uploaded_files.clear()
        return mine.edges(edges, "src", "dst").plot(render="g", as_files=memoize, memoize=memoize)

    def peer() -> Any:
        forget()
        return theirs.edges(edges, "src", "dst").plot(render="g", as_files=memoize, memoize=memoize)

    def clean() -> None:
        if where != "a sink":
            for dataset in mine._call(wire.DatasetList(1000)).results:
                mine._call(wire.DatasetDelete(dataset["dataset_id"]))
            for file in mine._call(wire.FileList(1000)).results:
                mine._call(wire.FileDelete(file["file_id"]))

    named = "upload()" if memoize else "plot(memoize=False)"
    return compare(f"{named}, {len(edges):.0e} edges, to {where}", ours, peer, goal, clean=clean)


def extra_memory(edges: int) -> str:
    """The memory that one upload adds to a process that holds the graph, ours and PyGraphistry's, each in its own."""
    found = {}
    for name in ("ours", "peer"):
        ran = subprocess.run(
            [sys.executable, __file__, "--memory-of", name, "--edges", str(edges)],
            capture_output=True,
            text=True,
            check=True,
        )
        found[name] = float(ran.stdout.strip().splitlines()[-1])
    ours, peer = (f"{found[name]:.0f} MB" for name in ("ours", "peer"))
    return f"extra memory of an upload of {edges:.0e} edges: ours {ours} (goal < 20 MB), peer {peer}"


def _memory_of(name: str, edges: int) -> None:
    table, _ = rmat(edges)
    with served(_serve_sink) as register:
        small = table.head(1000)
        client: Any = GraphistryClient() if name == "ours" else graphistry.client()
        client.register(**register)
        client.edges(small, "src", "dst").upload()
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the peak so far
        before = _resident()
        client.edges(table, "src", "dst").upload()
        print(_peak() - before)


def _status(field: str) -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field)) / 1024


def _resident() -> float:
    return _status("VmRSS")


def _peak() -> float:
    return _status("VmHWM")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--memory-of", choices=["ours", "peer"])
    arguments = parser.parse_args()
    if arguments.memory_of:
        return _memory_of(arguments.memory_of, int(arguments.edges[0]))
    print(time.strftime("%Y-%m-%d"), machine())
    print(imports())
    print(HEADER)
    largest = int(max(arguments.edges))
    with served(_serve_sink) as sink, served(_serve_ours) as server:
        for count in arguments.edges:
            edges, _ = rmat(int(count))
            if int(count) == largest:
                print(conversion(edges), flush=True)
                print(upload(edges, sink, "a sink", ">= 10x", memoize=True), flush=True)
                print(upload(edges, sink, "a sink", ">= 2x", memoize=False), flush=True)
            print(upload(edges, server, "our server", ">= 5x", memoize=True), flush=True)
            del edges
    print(extra_memory(largest))
    print(f"peak of this process: {peak_mb():.0f} MB")
    return None


if __name__ == "__main__":
    main()
