#!/usr/bin/env python3
"""Prove, or disprove, on this machine's GPU that tasks on cuDF give pandas' answers; write docs/gpu-evidence.md.

Runs the engines' conformance suite with --require-engine=cudf, the whole dataset as records, and a benchmark beside
pandas: a reduce, a group-by, a join and get_degrees over 1e6, 1e7 and 1e8 edges. Needs cuDF, pytest and this project on
the path, and no network. Where cuDF cannot be used the page says so, with the reason, and the exit code is 1.

    python tools/gpu_check.py [--sizes 1000000,10000000] [--out docs/gpu-evidence.md]
"""

from __future__ import annotations

import argparse
import gc
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "fixtures"), str(ROOT / "devserver"), str(ROOT / "benchmarks")]

from graphistry_core import engines, frames, run_task  # noqa: E402
from graphistry_core.errors import GraphistryError  # noqa: E402

LIBRARIES = ("pandas", "pyarrow", "numpy", "numba", "numba-cuda", "cupy-cuda13x", "cupy-cuda12x", "cudf-cu13",
             "cudf-cu12", "rmm-cu13", "rmm-cu12", "graphistry")  # fmt: skip
RECORDS = """
def task(g):
    return {
        'nodes': g._nodes.to_dict(orient='records') if g._nodes is not None else [],
        'edges': g._edges.to_dict(orient='records') if g._edges is not None else []
    }
"""
WORK: dict[str, Callable[[Any], Any]] = {
    "reduce (sum)": lambda g: float(g._edges["weight"].sum()),
    "group-by": lambda g: len(g._edges.groupby("src")["weight"].sum()),
    "join": lambda g: len(g._edges[["src", "weight"]].merge(g._nodes[["id", "risk"]], left_on="src", right_on="id")),
    "get_degrees": lambda g: len(g.get_degrees()._nodes),
}
ROUNDS = 3


def first_line(command: list[str]) -> str:
    """Return the first line that a command prints, or '-'."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return "-"
    return (ran.stdout.strip().splitlines() or ["-"])[0]


def installed(name: str) -> str:
    """Return a distribution's version, or '-'."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds that a call takes; the GPU works while Python goes on, so it is waited for."""
    gc.collect()
    started = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - started


def wait() -> None:
    """Wait until the GPU has done what it was given."""
    try:
        import cupy
    except ImportError:
        return  # each of our operations ends with a value on the host, which waits too
    cupy.cuda.runtime.deviceSynchronize()


def benchmark(sizes: list[int]) -> list[str]:
    """Return the table's lines: milliseconds of both engines, transfers apart."""
    from rmat import rmat

    from graphistry_core.executors import GraphData

    lines = ["| edges | work | pandas ms | cuDF ms | ratio | to the GPU, ms |", "|---|---|---|---|---|---|"]
    for size in sizes:
        edges, nodes = rmat(size)
        tables = [frames.to_arrow(table) for table in (edges.drop(columns=["kind"]), nodes.drop(columns=["label"]))]
        del edges, nodes
        data = GraphData(*tables, {"source": "src", "destination": "dst", "node": "id"})
        moved = statistics.median(timed(partial(data.plottable, "cudf")) for _ in range(ROUNDS))
        graphs = {engine: data.plottable(engine) for engine in ("cudf", "pandas")}
        for name, work in WORK.items():
            try:
                values = {engine: work(g) for engine, g in graphs.items()}  # warms both up
                times = {engine: [] for engine in graphs}
                for _ in range(ROUNDS):
                    for engine, g in graphs.items():
                        times[engine].append(timed(partial(work, g)))
            except Exception as e:  # noqa: BLE001 - too little memory, or what this is here to find out
                lines.append(f"| {size:.0e} | {name} | | | {type(e).__name__}: {str(e)[:100]} | |")
                continue
            ours, theirs = (statistics.median(times[engine]) for engine in ("cudf", "pandas"))
            close = abs(values["cudf"] - values["pandas"]) <= 1e-9 * max(abs(values["pandas"]), 1)
            odd = "" if close else f" (**other values**: {values})"
            row = f"{theirs * 1e3:.1f} | {ours * 1e3:.1f} | {theirs / ours:.1f}x{odd} | {moved * 1e3:.1f}"
            lines.append(f"| {size:.0e} | {name} | {row} |")
    return lines


def conformance() -> tuple[str, str]:
    """Return (counts, full log) of the engines' suite."""
    options = ["-v", "-p", "no:randomly", "-p", "no:cacheprovider", "-k", "TestCudf", "--require-engine=cudf"]
    command = [sys.executable, "-m", "pytest", "tests/test_engines.py", *options]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    log = ran.stdout + ran.stderr
    counts = re.findall(r"(\d+ (?:passed|failed|skipped|errors?))", log.strip().rpartition("\n")[2])
    return ", ".join(counts) or f"exit code {ran.returncode}", log


def records() -> str:
    """Run the whole dataset as records on both engines, and say how it went."""
    import pandas as pd

    from graphistry_core import edges

    nodes = pd.DataFrame({"id": ["1", "2"], "name": ["Alice", "Bob"], "age": [30, 40]})
    g = edges(pd.DataFrame({"s": ["1"], "d": ["2"], "relation": ["knows"]}), "s", "d").nodes(nodes, "id")
    try:
        run_task(RECORDS, g, engine="cudf", executor="spawned", compare="pandas", lenient_json=True)
    except GraphistryError as e:
        return f"failed: {e.message}"
    return "the same as on pandas"


def main() -> int:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000000,10000000,100000000")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gpu-evidence.md")
    options = parser.parse_args()
    problem = engines.cudf_problem()
    about = [
        "# Evidence from a GPU",
        "",
        "Written by `tools/gpu_check.py`; not edited by hand.",
        "",
        f"- date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- commit: {first_line(['git', 'rev-parse', '--short', 'HEAD'])}",
        f"- GPU and driver: {first_line(['nvidia-smi', '--query-gpu=name,driver_version', '--format=csv,noheader'])}",
        f"- Python {platform.python_version()}; " + ", ".join(f"{name} {installed(name)}" for name in LIBRARIES),
    ]
    if problem is not None:
        page = [
            *about,
            "",
            f"**Not yet run**: cuDF cannot be used on the machine where this was last tried: {problem}.",
        ]
        options.out.write_text("\n".join(page) + "\n")
        print(f"cuDF cannot be used here: {problem}.", file=sys.stderr)
        return 1
    counts, log = conformance()
    page = [
        *about,
        f"- conformance suite: {counts}",
        f"- the dataset as records (`to_dict(orient='records')`): {records()}",
        "",
        "## Beside pandas on the same machine",
        "",
        "Medians; the frames are on the GPU already. What bringing both tables there took is in the last column.",
        "",
        *benchmark([int(float(size)) for size in options.sizes.split(",")]),
        "",
        "## Full log of the suite",
        "",
        "```",
        log.rstrip(),
        "```",
    ]
    options.out.write_text("\n".join(page) + "\n")
    print(f"{counts}; written to {options.out}", file=sys.stderr)
    return 0 if "failed" not in counts and "error" not in counts else 1


if __name__ == "__main__":
    sys.exit(main())
