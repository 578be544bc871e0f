"""Run tasks in warm worker processes that were started afresh: what runs everywhere, and every task on cuDF.

A worker goes on to the next task only if this one left no trace that can be seen: see ``traces``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from .. import engines
from ..errors import BadRequest, TaskCancelled
from .channel import BrokenChannel, Message, receive, send
from .contract import GraphData, Limits, Task
from .dispatch import STOPPING, ProcessExecutor, replace_header
from .runner import Runner
from .shipping import ship

_WORKER = "import sys; sys.path.insert(0, sys.argv[2]); from graphistry_core.executors.spawned import main; main()"
_SWEEP_S = 10.0
_TRACES_S = 1.0


class SpawnedExecutor(ProcessExecutor):
    """A warm process for each task that runs at once, replaced after any fault. Raises BadRequest on Windows."""

    name = "spawned"

    def __init__(self, **options: Any) -> None:
        if os.name == "nt":
            raise BadRequest("Tasks in processes of their own need a POSIX system (on Windows, WSL): use 'inprocess'.")
        super().__init__(**options)
        self._idle: list[Runner] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._idle_lock = threading.Lock()

    def warm(self) -> None:
        """Start a worker, so that the first task need not wait for the libraries."""
        runner = self._start()
        with self._idle_lock:
            self._idle.append(runner)

    def _take(self, task: Task, graph: GraphData) -> Runner:
        with self._idle_lock:
            while self._idle:
                runner = self._idle.pop()
                while runner.hear(0):
                    pass
                if not runner.gone:
                    return runner
                runner.close()
            self._bury()
        return self._start()

    def _start(self) -> Runner:
        if self._closed:
            raise TaskCancelled(STOPPING)
        runner = Runner()
        here = str(Path(__file__).parents[2])
        with runner.theirs:
            process = subprocess.Popen(  # noqa: S603 - this very interpreter
                [sys.executable, "-c", _WORKER, str(runner.theirs.fileno()), here],
                pass_fds=[runner.theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        with self._lock:
            self._processes[process.pid] = process
        return runner

    def _job(self, task: Task, graph: GraphData, limits: Limits, runner: Runner) -> Message:
        job = super()._job(task, graph, limits, runner)
        shipment = ship(graph)
        again = shipment.key in runner.graphs
        told = replace_header(job, graph={**shipment.header, "key": shipment.key}, again=again, path=_paths())
        if not again:
            runner.graphs = [*runner.graphs[1 - _GRAPHS_KEPT :], shipment.key]
            told.fds = [os.dup(fd) for fd in shipment.fds]
        return told

    def _is_done(self, runner: Runner) -> bool:
        """Have what the task left behind ended, and then see whether the worker is as it was."""
        if runner.ended is not None:
            runner.gone = True
            return True
        if not runner.sweeping:
            runner.sweeping = True
            runner.tell(sweep=True)
        return runner.swept

    def _put_back(self, runner: Runner) -> None:
        worker, runner.sweeping = runner.worker, False
        try:
            assert worker is not None
            worker.jobs.settimeout(_TRACES_S)
            said = receive(worker.jobs)
        except (BrokenChannel, OSError):
            said = None
        clean = said is not None and said.header.get("traces") == []
        with self._idle_lock:
            if clean and not self._closed and len(self._idle) < self.slots.concurrency:
                runner.rest()
                self._idle.append(runner)
                return
        runner.close()
        if not self._closed and not self._idle:
            self.warm()  # the next task should not have to wait for what this one spoilt

    def _disown(self) -> None:
        super()._disown()
        self._idle_lock = threading.Lock()
        for runner in self._idle:
            runner.close()
        self._idle, self._processes = [], {}

    def _bury(self) -> None:
        with self._lock:
            for pid in [pid for pid, process in self._processes.items() if process.poll() is not None]:
                del self._processes[pid]

    def _tidy(self) -> None:
        self._bury()

    def close(self) -> None:
        """End running tasks and all processes."""
        super().close()
        with self._idle_lock:
            for runner in self._idle:
                runner.close()
            self._idle.clear()
        for process in list(self._processes.values()):
            try:
                process.wait(_SWEEP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


def _paths() -> list[str]:
    return [os.path.abspath(path) for path in sys.path]


# --- the worker's side ----------------------------------------------------------------------------------------

_GRAPHS_KEPT = 4


def main() -> None:
    """Be a supervisor with a lasting worker."""
    from .supervisor import supervise

    supervise(socket.socket(fileno=int(sys.argv[1])), _serve, lasting=True)


def _serve(jobs: socket.socket, output: int, scratch: str) -> None:
    from . import worker
    from .traces import Traces

    worker.settle(jobs, output)
    worker.prepare_libraries(["graphistry_core.plottable"])
    graphs: dict[str, GraphData] = {}
    traces: Traces | None = None
    while (job := worker.take_job(jobs)) is not None:
        about = job.header["graph"]
        sys.path[:] = job.header["path"]
        if not job.header["again"]:
            while len(graphs) >= _GRAPHS_KEPT:
                del graphs[next(iter(graphs))]
            graphs[about["key"]] = worker.graph_of(about, dict(zip(about["tables"], job.fds, strict=True)))
            traces = None  # which opened files, and may have imported something
        if worker.start_cuda(job.header["task"]):
            traces = None
        traces = traces or Traces()
        succeeded = worker.do_job(jobs, job, graphs[about["key"]], scratch)
        # After an error in a kernel nothing works any more in this process: CUDA says so at every call.
        spoilt = [] if succeeded or "cudf" not in sys.modules else ["an error with CUDA running"]
        if job.header["task"]["engine"] in engines.LAZY:
            spoilt.append("Dask's settings, which are in dicts that nobody looks into")
        send(jobs, Message({"traces": traces.found() + spoilt}))
