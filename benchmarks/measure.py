"""Two sides in turn, several rounds, medians: only ratios mean something on a noisy machine."""

from __future__ import annotations

import gc
import os
import platform
import resource
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphistry_core.executors import processes


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
    from importlib.metadata import version

    names = ("pandas", "pyarrow", "numpy", "graphistry", "graphistry-core")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}"


_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of the children that it has buried, to a hundredth of a second (Linux); 0 if gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICK


class Watch:
    """CPU time and memory of a process and of those below it, while a block runs; looks every 20 ms (Linux).

    ``peak_mb``: the most memory of its own (mapped files are not counted) that the process had; ``below_mb``: the most
    that any one process below it had. ``cpu_s`` and ``cpu_below_s``: the same for CPU time, of all of them.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._stop = pid, threading.Event()
        self.peak_mb = self.below_mb = self.cpu_s = self.cpu_below_s = 0.0

    def _below(self) -> float:
        return sum(map(cpu_seconds, processes.descendants(self._pid)))

    def _look(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, processes.anonymous_bytes(self._pid) / 1e6)
            for pid in processes.descendants(self._pid):
                self.below_mb = max(self.below_mb, processes.anonymous_bytes(pid) / 1e6)
            if self._stop.wait(0.02):
                return

    def __enter__(self) -> Watch:
        self._before = cpu_seconds(self._pid), self._below()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()
        self.cpu_s, self.cpu_below_s = cpu_seconds(self._pid) - self._before[0], self._below() - self._before[1]
