"""What grows with a graph, and how: ``python benchmarks/scale.py [--edges 1e6 1e7] [--large] [--rounds 3]``.

Two columns of int64 ids, an eighth as many nodes as edges, a few hubs. A table is stored in this machine's Hub and over
HTTP, asked by tasks, drawn; each stage has a server in a fresh process. Wall and CPU time, the most memory of the
server's process and of a task's, bytes on disk; at the end how each grows (exponent 1: twice the edges, twice the
cost). ``--large`` adds 1e8 edges: 1.6 GB of disk three times over, up to 10 GB of
memory, one round.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import requests
from measure import Watch, machine, peak_mb
from server import served

from graphistry_core import GraphistryClient, frames
from graphistry_core.errors import GraphistryError
from graphistry_core.executors import Limits

_PIECE = 5_000_000
_MEMORY_MB = 10_000  # what a stage may be expected to take here; beyond it is left out, and said
TASKS = {
    "count the edges": "def task(g): return len(g._edges)",
    "group by source, ten largest": (
        "def task(g):\n    top = g._edges.groupby('src', sort=False).size().nlargest(10)\n"
        "    return {str(k): int(v) for k, v in top.items()}"
    ),
    "get_degrees": (
        "def task(g):\n    found = g.get_degrees()._nodes\n"
        "    return {'nodes': len(found), 'most': int(found['degree'].max())}"
    ),
    "hop, 1 step from 1 node": (
        "def task(g):\n    import pandas as pd\n    found = g.hop(pd.DataFrame({'id': [SEED]}), hops=1)\n"
        "    return {'edges': len(found._edges)}"
    ),
}
Row = tuple[str, dict[str, float]]


def make(edges: int, path: Path) -> int:
    """Write a table as a server keeps it, a piece at a time; return an id in the middle of it."""
    rng = np.random.default_rng(7)
    names = rng.permutation(max(edges // 8, 100)) * 1013 + 17
    table = {end: np.empty(edges, np.int64) for end in ("src", "dst")}
    for column in table.values():
        for start in range(0, edges, _PIECE):
            part = column[start : start + _PIECE]
            part[:] = names[(len(names) * rng.random(len(part)) ** 3).astype(np.int64)]  # some have many
    frames.write_arrow(pa.table(table), path)
    return int(table["src"][edges // 2])


def serve(pipe: Any, folder: str, limits: Limits, max_upload_bytes: int) -> None:
    """A server in a process of its own; says its port and process id."""
    from graphistry_devserver import DevServer

    with DevServer(data_dir=folder, limits=limits, max_upload_bytes=max_upload_bytes, executor="isolated") as server:
        pipe.send((server.port, os.getpid()))
        server.join()


@contextlib.contextmanager
def server_at(folder: Path, max_upload_bytes: int = 1 << 30, memory_mb: int = 8192) -> Iterator[Any]:
    """Yield a client of a fresh server, its URL and its process id."""
    limits = Limits(timeout_s=300, memory_mb=memory_mb)
    start = functools.partial(serve, folder=str(folder), limits=limits, max_upload_bytes=max_upload_bytes)
    with served(start) as (port, pid):
        client = GraphistryClient()
        client.register(server=f"127.0.0.1:{port}", protocol="http", username="u", password="p", transport="http")
        yield client, f"http://127.0.0.1:{port}", pid


def timed(call: Callable[[], Any], pid: int) -> dict[str, float]:
    """Wall time, CPU time of client, server and tasks, and peaks of memory."""
    mine = time.process_time()
    with Watch(pid) as watch:
        started = time.perf_counter()
        call()
        wall = time.perf_counter() - started
        mine = time.process_time() - mine
        time.sleep(0.1)  # what is done after the answer counts, too
    found = {"wall s": wall, "client CPU s": mine, "server CPU s": watch.cpu_s, "tasks CPU s": watch.cpu_below_s}
    return {**found, "server MB": watch.peak_mb, "task MB": watch.below_mb}


def medians(several: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure, the greatest of memory."""
    return {
        name: (max if name.endswith("MB") else statistics.median)(one[name] for one in several) for name in several[0]
    }


def size_of(folder: Path) -> int:
    """Bytes in the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def forget_pages(path: Path) -> None:
    """Have the system drop a file's pages, so that the next who reads it waits for the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def store_here(table: Path, folder: Path) -> None:
    """Stage: upload() to the Hub of this process."""
    os.environ["GRAPHISTRY_CORE_DATA_DIR"] = str(folder)
    client = GraphistryClient()
    client.register(transport="local")
    g = client.edges(frames.map_arrow(table), "src", "dst")
    cpu, started = time.process_time(), time.perf_counter()
    with Watch(os.getpid()) as watch:
        g.upload()
        wall = time.perf_counter() - started
    found = {"wall s": wall, "client CPU s": time.process_time() - cpu, "server MB": watch.peak_mb}
    print(json.dumps({**found, "disk MB": size_of(folder / "tables") / 1e6}))


def index_here(table: Path, folder: Path) -> None:
    """Stage: node ids, codes and adjacency in both directions, and how many bytes they are."""
    import graphistry_core
    from graphistry_core.compute import index

    def built(frame: Any) -> int:
        g = graphistry_core.edges(frame, "src", "dst").materialize_nodes()
        found = index.build(g)
        found.both_ways()
        return found.nbytes

    frame = frames.to_pandas(frames.map_arrow(table))
    built(frame.head(1000))  # compiles, or loads what was compiled
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    with Watch(os.getpid()) as watch:
        size = built(frame)
        wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall s": wall, "client CPU s": cpu, "server MB": watch.peak_mb, "index MB": size / 1e6}))


def scene_here(table: Path, folder: Path) -> None:
    """Stage: all that a page asks for at its first picture, made in this process."""
    from graphistry_core.viewer.scene import PARTS, Scene

    record = {"edge_encodings": {"bindings": {"source": "src", "destination": "dst"}}, "node_encodings": {}}
    scene, size = Scene(record, None, frames.map_arrow(table)), 0
    cpu, started = time.process_time(), time.perf_counter()
    with Watch(os.getpid()) as watch:
        scene.graph  # noqa: B018 - what is drawn is worked out
        drawn = time.perf_counter() - started
        for name in PARTS:
            part = scene.part(name)
            size += len(part if isinstance(part, bytes) else json.dumps(part))
        wall = time.perf_counter() - started
    found = {"wall s": wall, "choosing s": drawn, "client CPU s": time.process_time() - cpu}
    print(json.dumps({**found, "server MB": watch.peak_mb, "page MB": size / 1e6}))


STAGES = {"upload() to the Hub of this process": store_here, "index, built in this process": index_here}
SCENE = "scene of the viewer, all parts"


def in_a_process(stage: Callable[[Path, Path], None], table: Path) -> dict[str, float]:
    """Run a stage in a fresh process with a data directory of its own."""
    with tempfile.TemporaryDirectory(dir=table.parent) as folder:
        command = [sys.executable, __file__, "--stage", stage.__name__, "--table", str(table), "--folder", folder]
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=900)
        found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
        return found


def over_http(table: Path, folder: Path) -> dict[str, float]:
    """Upload over HTTP to a server that takes as much."""
    shutil.rmtree(folder, ignore_errors=True)
    size = table.stat().st_size
    with server_at(folder, max(1 << 30, size + (1 << 20))) as (client, _, pid):
        g = client.edges(frames.map_arrow(table), "src", "dst")
        found = timed(lambda: (folder / "dataset").write_text(g.upload()._dataset_id), pid)
    return {**found, "disk MB": size_of(folder / "tables") / 1e6}


def refused(table: Path, folder: Path) -> str:
    """What a server with the default limit says to a table over it."""
    with server_at(folder) as (client, _, _pid):
        try:
            client.edges(frames.map_arrow(table), "src", "dst").upload()
        except GraphistryError as e:
            return f"{e.status} {e.code}: {e.message}"
    return "taken"


def tasks(folder: Path, seed: int, rounds: int) -> Iterator[Row]:
    """The tasks on a stored dataset, each first and then again, by a server in a fresh process."""
    dataset_id = (folder / "dataset").read_text()
    for name, template in TASKS.items():
        source = template.replace("SEED", str(seed))
        shutil.rmtree(folder / "indexes", ignore_errors=True)
        (kept,) = (folder / "tables").glob("*.arrow")
        forget_pages(kept)
        with server_at(folder) as (client, _, pid):
            call = lambda source=source: client.bind(dataset_id=dataset_id).python_remote_json(source)  # noqa: E731
            try:
                first = timed(call, pid)
                first["index MB"] = size_of(folder / "indexes") / 1e6
                yield f"task: {name}, the first on this dataset, table not in memory", first
                yield f"task: {name}, again", medians([timed(call, pid) for _ in range(rounds)])
            except GraphistryError as e:
                print(f"| task: {name} | {e.status} {e.code}: {e.message.splitlines()[0]} |", flush=True)


def results(folder: Path) -> Iterator[Row]:
    """All edges back to the client, as each format, within the default limits."""
    dataset_id = (folder / "dataset").read_text()
    for form in ("parquet", "json"):
        with server_at(folder, memory_mb=4096) as (client, _, pid):
            g = client.bind(dataset_id=dataset_id)
            call = lambda g=g, form=form: g.python_remote_g(  # noqa: E731
                "def task(g): return g", output_type="edges", format=form
            )
            try:
                yield f"task: all edges back as {form}", timed(call, pid)
            except GraphistryError as e:
                print(
                    f"| task: all edges back as {form} | {e.status} {e.code}: {e.message.splitlines()[0]} |", flush=True
                )


def picture(folder: Path) -> dict[str, float]:
    """What a page asks a fresh server for at its first picture."""
    dataset_id = (folder / "dataset").read_text()
    with server_at(folder) as (_, url, pid):
        page = requests.get(f"{url}/graph/graph.html", {"dataset": dataset_id}, timeout=60).text
        session = re.search(r'"session": ?"([^"]+)"', page)
        assert session is not None

        def ask() -> None:
            for part in ("setup", "points", "lines", "nodes", "edges"):
                at = f"{url}/graph/data/{dataset_id}/{part}"
                requests.get(at, {"session": session[1]}, timeout=600).raise_for_status()

        return timed(ask, pid)


def measured(edges: int, rounds: int, known: dict[str, dict[int, dict[str, float]]]) -> Iterator[Row]:
    """Every stage at one size."""
    with tempfile.TemporaryDirectory(prefix="graphistry-scale-") as name:
        table, folder = Path(name) / "table.arrow", Path(name) / "server"
        seed = make(edges, table)
        for what, stage in STAGES.items():
            yield what, medians([in_a_process(stage, table) for _ in range(rounds)])
        if table.stat().st_size > 1 << 30:
            print(
                f"| upload over HTTP with the default limit | {refused(table, Path(name) / 'refusing')} |", flush=True
            )
            shutil.rmtree(Path(name) / "refusing", ignore_errors=True)
        yield "upload() over HTTP", medians([over_http(table, folder) for _ in range(rounds)])
        yield from tasks(folder, seed, rounds)
        yield from results(folder)
        expected = grown(known.get(SCENE, {}), "server MB", edges)
        if expected > _MEMORY_MB:
            print(f"| {SCENE} | left out: about {expected / 1e3:.0f} GB of memory are to be expected |", flush=True)
            return
        yield SCENE, medians([in_a_process(scene_here, table) for _ in range(rounds)])
        yield "viewer: what a page asks for, from a server", picture(folder)


def grown(found: dict[int, dict[str, float]], name: str, edges: int) -> float:
    """What to expect of a figure at a size, from the greatest one that was measured."""
    if not found:
        return 0.0
    most = max(found)
    return found[most][name] * edges / most


def exponents(found: dict[str, dict[int, dict[str, float]]]) -> None:
    """How CPU time, memory and disk grow between the two largest sizes, and 1e9 edges on the same straight line."""
    print(
        "\n| stage | figure | for each further edge | exponent | at 1e9 edges, on a straight line |\n|---|---|---|---|---|"
    )
    for what, sizes in found.items():
        if len(sizes) < 2:
            continue
        before, most = sorted(sizes)[-2:]
        for name, value in sizes[most].items():
            less = sizes[before].get(name, 0)
            if name == "wall s" or value < 0.05 or less <= 0 or value < 1.2 * less:
                continue  # too small to tell, or it does not grow
            each, slope = (value - less) / (most - before), math.log(value / less) / math.log(most / before)
            unit = f"{each * 1e9:.1f} ns" if name.endswith(" s") else f"{each * 1e6:.2f} B"
            print(f"| {what} | {name} | {unit} | {slope:.2f} | {value + each * (1e9 - most):,.4g} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--edges", type=float, nargs="*", default=[1e6, 1e7])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    for name in ("stage", "table", "folder"):
        parser.add_argument(f"--{name}", default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.stage:
        globals()[chosen.stage](Path(chosen.table), Path(chosen.folder))
        return
    print(time.strftime("%Y-%m-%d"), machine())
    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f}")
    found: dict[str, dict[int, dict[str, float]]] = {}
    for edges in map(int, [*chosen.edges, *([1e8] if chosen.large else [])]):
        print(f"\n{edges:.0e} edges\n\n| stage | figures |\n|---|---|", flush=True)
        for what, figures in measured(edges, chosen.rounds if edges < 1e8 else 1, found):
            found.setdefault(what, {})[edges] = figures
            print(f"| {what} | {', '.join(f'{name} {value:.3g}' for name, value in figures.items())} |", flush=True)
    exponents(found)
    print(f"\nload at the end: {os.getloadavg()[0]:.1f}; this process's own memory, at most: {peak_mb():.0f} MB")


if __name__ == "__main__":
    main()
