"""Two sides in turn, several rounds, medians: only ratios mean something on a noisy machine."""

from __future__ import annotations

import gc
import platform
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One comparison: seconds of wall clock and of CPU, ours and the peer's, as medians."""

    what: str
    ours_s: float
    peer_s: float
    ratio: float
    cpu_ratio: float
    goal: str

    def __str__(self) -> str:
        return (
            f"| {self.what} | {self.peer_s * 1e3:.1f} | {self.ours_s * 1e3:.1f} | {self.ratio:.1f}x | "
            f"{self.cpu_ratio:.1f}x | {self.goal} |"
        )


HEADER = "| workload | peer ms | ours ms | ratio | CPU ratio | goal |\n|---|---|---|---|---|---|"


def _timed(call: Callable[[], Any]) -> tuple[float, float]:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(
    what: str,
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    goal: str,
    rounds: int = 5,
    clean: Callable[[], Any] = lambda: None,
) -> Row:
    """Run both in turn; the ratio is the median of the rounds' ratios (peer by ours: above 1 ours is faster).

    ``clean`` runs after each, untimed, so that neither pays for what the other left behind.
    """

    def timed(call: Callable[[], Any]) -> tuple[float, float]:
        taken = _timed(call)
        clean()
        return taken

    timed(ours), timed(peer)  # warm both up
    pairs = [(timed(ours), timed(peer)) for _ in range(rounds)]
    ratios = [p[0] / o[0] for o, p in pairs]
    cpu = [p[1] / max(o[1], 1e-9) for o, p in pairs]
    mine, theirs = statistics.median(o[0] for o, _ in pairs), statistics.median(p[0] for _, p in pairs)
    return Row(what, mine, theirs, statistics.median(ratios), statistics.median(cpu), goal)


def peak_mb() -> float:
    """The most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine() -> str:
    """Describe the machine and the libraries in one line."""
    import os
    from importlib.metadata import version

    names = ("pandas", "pyarrow", "numpy", "graphistry", "graphistry-core")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}"
