"""Run tasks in warm worker processes that were started afresh: what runs everywhere, and every task on cuDF.

A worker goes on to the next task only if this one left no trace that can be seen: see ``traces``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ..errors import BadRequest
from .channel import BrokenChannel, Message, receive, send
from .contract import GraphData, Limits, Task
from .dispatch import ProcessExecutor, Runner, make_runner, replace_header
from .shipping import ship

_WORKER = "import sys; sys.path.insert(0, sys.argv[4]); from graphistry_core.executors.spawned import main; main()"
_SWEEP_S = 10.0


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
                if _is_quiet(runner):
                    return runner
                runner.close()
            self._bury()
        return self._start()

    def _start(self) -> Runner:
        runner, theirs = make_runner()
        here = str(Path(__file__).parents[2])
        try:
            process = subprocess.Popen(  # noqa: S603 - this very interpreter
                [sys.executable, "-c", _WORKER, *map(str, theirs), here],
                pass_fds=theirs,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            for fd in theirs:
                os.close(fd)
        send(runner.jobs, Message({"path": [os.path.abspath(p) for p in sys.path]}))
        with self._lock:
            self._processes[process.pid] = process
        return runner

    def _job(self, task: Task, graph: GraphData, limits: Limits, runner: Runner) -> Message:
        job = super()._job(task, graph, limits, runner)
        shipment = ship(graph)
        told = replace_header(job, graph={**shipment.header, "key": shipment.key}, again=shipment.key in runner.graphs)
        if shipment.key not in runner.graphs:
            runner.graphs = [*runner.graphs[1 - _GRAPHS_KEPT :], shipment.key]
            told.fds = [os.dup(fd) for fd in shipment.fds]
        return told

    def _put_back(self, runner: Runner) -> bool:
        """Have what the task left behind ended, and keep the worker if it is as it was."""
        try:
            runner.jobs.settimeout(_SWEEP_S)
            runner.control.settimeout(_SWEEP_S)
            send(runner.control, Message({"sweep": True}))
            swept = receive(runner.control)
            send(runner.jobs, Message({"traces": True}))
            said = receive(runner.jobs)
        except (BrokenChannel, OSError):
            swept = said = None
        if swept is None or said is None or "swept" not in swept.header or said.header.get("traces") != []:
            runner.end()
            return False
        with self._idle_lock, self._lock:
            if self._closed or len(self._idle) >= self.slots.concurrency:
                runner.end()
                return False
            self._idle.append(runner)
        return True

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


def _is_quiet(runner: Runner) -> bool:
    """Say whether an idle worker is there, and has said nothing unasked."""
    import select

    return not select.select([runner.control, runner.jobs], [], [], 0)[0]


# --- the worker's side ----------------------------------------------------------------------------------------

_GRAPHS_KEPT = 4


def main() -> None:
    """Be a supervisor with a lasting worker."""
    import socket

    from .supervisor import supervise

    control_fd, jobs_fd, output = map(int, sys.argv[1:4])
    control = socket.socket(fileno=control_fd)

    def work() -> None:
        os.close(control.detach())
        _serve(socket.socket(fileno=jobs_fd), output)

    supervise(control, work, [jobs_fd, output])


def _serve(jobs: Any, output: int) -> None:
    from . import worker
    from .traces import Traces

    worker.settle(jobs, output)
    hello = worker.take_job(jobs)
    if hello is None:
        return
    sys.path[:] = hello.header["path"]
    worker.prepare_libraries(["graphistry_core.plottable"])
    graphs: dict[str, GraphData] = {}
    while (job := worker.take_job(jobs)) is not None:
        about = job.header["graph"]
        if not job.header["again"]:
            while len(graphs) >= _GRAPHS_KEPT:
                del graphs[next(iter(graphs))]
            graphs[about["key"]] = worker.graph_of(about, dict(zip(about["tables"], job.fds, strict=True)))
        traces = Traces()
        worker.do_job(jobs, job, graphs[about["key"]])
        asked = worker.take_job(jobs)
        if asked is None:
            return
        send(jobs, Message({"traces": traces.found()}))
