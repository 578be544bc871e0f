"""What it costs to run a task: in this process, isolated, spawned, beside a bare call and a warm pebble call."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from measure import machine
from pebble import ProcessPool
from rmat import rmat

from graphistry_core import frames
from graphistry_core.executors import GraphData, Limits, Task, get_executor, processes
from graphistry_core.executors.logs import TaskOutput
from graphistry_core.executors.result import to_json

SOURCE = "def task(g): return {'edges': len(g._edges), 'mean': float(g._edges['weight'].head(1000).mean())}"
ROUNDS, CALLS, PAUSE_S = 7, 20, 0.03
_held: Any = None


def graph(rows: int, folder: Path) -> GraphData:
    """A graph that is stored as a server stores it."""
    table = pa.Table.from_pandas(rmat(rows)[0], preserve_index=False).replace_schema_metadata(None)
    path = folder / f"{rows}.arrow"
    frames.write_arrow(frames.at_rest(table), path)
    bindings = {"source": "src", "destination": "dst"}
    return GraphData(frames.map_arrow(path), None, bindings, "d", files={"edges": path})


def task(g: Any) -> dict[str, Any]:
    """What SOURCE does."""
    return {"edges": len(g._edges), "mean": float(g._edges["weight"].head(1000).mean())}


def bare(g: Any) -> Any:
    """The function itself, with the JSON round trip of its value."""
    return json.loads(json.dumps(task(g)))


def hold(path: str) -> None:
    """Keep the graph in a process of the pool, once and for all."""
    global _held  # noqa: PLW0603 - what a worker of the pool keeps
    table = frames.map_arrow(Path(path))
    _held = GraphData(table, None, {"source": "src", "destination": "dst"}).plottable("pandas")


def in_pool() -> str:
    return json.dumps(task(_held))


def in_a_row(call: Callable[[], Any]) -> float:
    """Milliseconds of one of several calls, each as soon as the one before it is answered."""
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - started) / CALLS * 1e3


def now_and_then(call: Callable[[], Any]) -> float:
    """Milliseconds of a call that finds everybody at rest, as a person's or a test's does: the median of several."""
    times = []
    for _ in range(CALLS // 2):
        time.sleep(PAUSE_S)
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def main() -> None:
    print(time.strftime("%Y-%m-%d"), machine())
    limits = Limits()
    executors = {name: get_executor(name) for name in ("inprocess", "isolated", "spawned")}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        graphs = {rows: graph(rows, Path(folder)) for rows in (100_000, 10_000_000)}
        kept = str(graphs[100_000].files["edges"])
        pool = stack.enter_context(ProcessPool(1, initializer=hold, initargs=[kept]))
        plot = graphs[100_000].plottable("pandas")
        sides: dict[str, Callable[[], Any]] = {
            "bare call": lambda: bare(plot),
            "warm pebble call": lambda: json.loads(pool.schedule(in_pool, timeout=60).result()),
        }
        for name, executor in executors.items():
            for rows, data in graphs.items():
                started = time.perf_counter()
                executor.run(Task(SOURCE), data, limits).unwrap()
                print(f"{name} at {rows:.0e} rows, first call: {(time.perf_counter() - started) * 1e3:.0f} ms")
                sides[f"{name} at {rows:.0e}"] = lambda executor=executor, data=data: executor.run(
                    Task(SOURCE), data, limits
                ).unwrap()
        for call in sides.values():
            in_a_row(call)
        for how in (now_and_then, in_a_row):
            report(how, sides, list(executors))
        importing(executors["isolated"], graphs[100_000])
        ready(graphs[10_000_000])
    dict_to_json()
    for executor in executors.values():
        executor.close()


def report(how: Callable[[Callable[[], Any]], float], sides: Mapping[str, Callable[[], Any]], names: list[str]) -> None:
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, call in sides.items():
            found[name].append(how(call))

    def ratio(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(found[one], found[other], strict=True))

    print(f"--- {how.__name__}")
    for name, times in found.items():
        print(f"{name}: {statistics.median(times):.2f} ms")
    print(f"in-process / bare call: {ratio('inprocess at 1e+05', 'bare call'):.1f}x (goal <= 8x)")
    print(f"isolated / warm pebble call: {ratio('isolated at 1e+05', 'warm pebble call'):.1f}x (goal <= 4x)")
    print(f"spawned / warm pebble call: {ratio('spawned at 1e+05', 'warm pebble call'):.1f}x")
    for name in names:
        print(f"{name}, 1e7 rows / 1e5 rows: {ratio(f'{name} at 1e+07', f'{name} at 1e+05'):.2f}x (goal <= 1.5x)")


def importing(executor: Any, data: GraphData) -> None:
    """A task that imports PyGraphistry beside one that does not."""
    found: dict[str, list[float]] = {"": [], "import graphistry\n": []}
    for _ in range(ROUNDS):
        for start, times in found.items():
            run = lambda start=start: executor.run(Task(start + SOURCE), data, Limits()).unwrap()  # noqa: E731
            times.append(now_and_then(run))
    without, with_it = found.values()
    ratio = statistics.median(b / a for a, b in zip(without, with_it, strict=True))
    print(f"isolated, a task that imports graphistry / one that does not: {ratio:.2f}x (goal: no more)")


def ready(data: GraphData) -> None:
    """Mapping and making ``g``, beside reading the same table from Parquet; with the memory that it takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edges.parquet"
        assert data.edges is not None
        frames.to_pandas(data.edges).to_parquet(path)
        mapped, read, own = [], [], []
        for _ in range(5):
            before = processes.anonymous_bytes(os.getpid())
            started = time.perf_counter()
            g = GraphData(frames.map_arrow(data.files["edges"]), None, data.bindings).plottable("pandas")
            mapped.append(time.perf_counter() - started)
            own.append(processes.anonymous_bytes(os.getpid()) - before)
            del g
            started = time.perf_counter()
            pd.read_parquet(path)
            read.append(time.perf_counter() - started)
    ratio = statistics.median(r / m for r, m in zip(read, mapped, strict=True))
    print(
        f"dataset of 1e7 rows to ready g: {statistics.median(mapped) * 1e3:.1f} ms and {max(own) / 1e6:.1f} MB, from "
        f"parquet {statistics.median(read) * 1e3:.0f} ms, {ratio:.0f}x (goal >= 300x, <= 5 MB)"
    )


def dict_to_json() -> None:
    """A result of 1e5 rows to JSON, beside the standard library."""
    value = {"rows": [{"id": n, "name": f"acct-{n}", "risk": n / 7, "ok": n % 2 == 0} for n in range(100_000)]}
    ours, theirs = [], []
    for _ in range(9):
        started = time.perf_counter()
        to_json(value, TaskOutput(1.0), lenient=False)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        json.dumps(value).encode()
        theirs.append(time.perf_counter() - started)
    ratio = statistics.median(t / o for o, t in zip(ours, theirs, strict=True))
    print(
        f"1e5-row dict to JSON: {statistics.median(ours) * 1e3:.0f} ms, {ratio:.1f}x the standard library (goal >= 15x)"
    )


if __name__ == "__main__":
    main()
