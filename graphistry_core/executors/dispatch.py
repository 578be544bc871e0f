"""What executors with processes of their own share: the queue, one run from job to answer, and what ends it early.

May import errors, the contract, channel, logs and processes.
"""

from __future__ import annotations

import codecs
import contextlib
import logging
import os
import secrets
import select
import selectors
import signal
import socket
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, TextIO

from .. import engines
from ..errors import (
    BadRequest,
    QueueFull,
    TaskCancelled,
    TaskCrashed,
    TaskError,
    TaskFailed,
    TaskOutOfMemory,
    TaskTimeout,
    from_body,
    warn_user,
)
from . import processes
from .channel import BrokenChannel, Message, receive, send
from .contract import APPROXIMATION, GraphData, Limits, Task, TaskResult
from .inprocess import InProcessExecutor
from .logs import TaskOutput
from .runner import Runner, Worker

log = logging.getLogger("graphistry_core")
DEFAULTS = Limits(timeout_s=60.0, memory_mb=4096, scratch_mb=1024)
QUEUE = 64
_LOOK_S = 0.03  # how often a run that can be cancelled looks whether it was
_BEGIN_S = 120.0  # for a worker to come to life: libraries to import, tables to map
_END_S = 10.0
_READ = 1 << 16
_TRIES = 3
_READS = 1000
STOPPING = "The server is stopping."
_NO_WORKER = "The processes that run tasks end before they can run one: see what the server's log says of them."
_FOREVER_S = 10.0**6  # what poll can wait
_TIDY_S = 5.0


def with_defaults(limits: Limits) -> Limits:
    """Return limits with the defaults of a process of its own where none was given; infinite ones are none."""
    if not processes.LINUX:
        if limits.memory_mb is not None:
            raise BadRequest("A memory limit cannot be enforced on this platform: leave memory_mb out, or use Linux.")
        _warn_once()
    chosen: dict[str, Any] = {}
    for name in ("timeout_s", "memory_mb", "scratch_mb"):
        value = getattr(limits, name)
        value = getattr(DEFAULTS, name) if value is None else value
        chosen[name] = None if value == float("inf") else value
    return replace(limits, **chosen)


_warned = threading.Event()


def _warn_once() -> None:
    if not _warned.is_set():
        _warned.set()
        warn_user("Memory limits of tasks cannot be enforced on this platform; time limits are.")


class Slots:
    """How many tasks run at once, and how many may wait for one to end: who came first goes first."""

    def __init__(self, concurrency: int, queue: int) -> None:
        self.concurrency, self.queue = concurrency, queue
        self._lock = threading.Lock()
        self._line: deque[threading.Condition] = deque()
        self.running = 0
        self.closed = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._line)

    def take(self, cancelled: Callable[[], bool] | None) -> None:
        """Wait for a slot; raise QueueFull, or TaskCancelled."""
        with self._lock:
            if self.closed:
                raise TaskCancelled(STOPPING)
            if self.running + self.waiting >= self.concurrency + self.queue:
                raise QueueFull(
                    f"{self.running} tasks are running and {self.waiting} are waiting, which is all that this server "
                    "takes: try again later.",
                    retry_after_s=1,
                )
            turn = threading.Condition(self._lock)
            self._line.append(turn)
            try:
                while not self.closed and (self.running >= self.concurrency or self._line[0] is not turn):
                    turn.wait(None if cancelled is None else _LOOK_S)
                    if cancelled is not None and cancelled():
                        raise TaskCancelled("The task was cancelled while it waited for others to end.")
                if self.closed:
                    raise TaskCancelled(STOPPING)
                self.running += 1
            finally:
                self._line.remove(turn)
                self._call()

    def _call(self) -> None:
        if self._line and self.running < self.concurrency:
            self._line[0].notify()

    def resize(self, concurrency: int) -> None:
        """Let so many run at once from now on."""
        with self._lock:
            self.concurrency = concurrency
            self._call()

    def give_back(self) -> None:
        """Let the next one run."""
        with self._lock:
            self.running -= 1
            self._call()

    def close(self) -> None:
        """Let all who wait go on, to find that nothing runs any more."""
        with self._lock:
            self.closed = True
            for turn in self._line:
                turn.notify()


_executors: weakref.WeakSet[ProcessExecutor] = weakref.WeakSet()


def _after_fork() -> None:
    for executor in list(_executors):
        executor._disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class ProcessExecutor(ABC):
    """Runs each task in a worker process, within limits, and leaves nothing of it behind.

    ``concurrency`` tasks run at once (the number of cores unless given), ``queue`` more wait, and further ones are
    refused with QueueFull. ``cores``: how many cores they share. Limits that are not given are those of ``DEFAULTS``.
    """

    name = ""

    def __init__(self, *, concurrency: int | None = None, queue: int = QUEUE, cores: int | None = None) -> None:
        self._cores = cores or os.cpu_count() or 1
        self.slots = Slots(concurrency or self._cores, queue)
        self._lock = threading.Lock()
        self._active: dict[str, Runner] = {}
        self._attendant: _Attendant | None = None
        self._closed = False
        _executors.add(self)

    def run(
        self,
        task: Task,
        graph: GraphData,
        limits: Limits,
        echo: TextIO | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> TaskResult:
        """See :class:`Executor`. Raises QueueFull, and BadRequest for a limit that cannot be enforced here."""
        if task.function is not None:
            return InProcessExecutor().run(task, graph, limits, echo)
        limits = with_defaults(limits)
        output, started = TaskOutput(limits.output_mb, echo), time.perf_counter()
        self.slots.take(cancelled)
        runner: Runner | None = None
        try:
            if task.engine in engines.LAZY:  # in this process: cutting a large dataset takes none of a task's time
                from . import dask_frames

                graph = dask_frames.ready(graph, cancelled)
            for left in reversed(range(_TRIES)):
                runner = self._take(task, graph)
                self._enter(task.run_id, runner)
                try:
                    answer = _Run(runner, limits, output, cancelled).attend(self._job(task, graph, limits, runner))
                    error = _error_in(answer)
                    output.add(str(answer.header.get("notes", "")))
                    break
                except _NotBegun as e:  # its worker, or what forks workers, was gone: nothing was run
                    runner.close()
                    runner = None
                    if not left:
                        raise TaskCrashed(_NO_WORKER) from e
        except TaskError as e:
            answer, error = Message({}), e
        finally:
            self._leave(task.run_id, runner)
        took = time.perf_counter() - started
        if error is not None:
            about = {"logs": output.text, "run_id": task.run_id, "limits": about_limits(limits), "duration_s": took}
            error = error.with_details(**about)
        notes = str(answer.header.get("notes", ""))
        return TaskResult(
            task.run_id,
            answer.payload,
            answer.header.get("type", ""),
            None,
            output.text,
            took,
            error,
            APPROXIMATION if APPROXIMATION in notes else "",
        )

    def _job(self, task: Task, graph: GraphData, limits: Limits, runner: Runner) -> Message:
        """Return the message that begins a run, but for its word."""
        fields = {name: value for name, value in vars(task).items() if name not in ("source", "function")}
        fields["export_options"] = dict(task.export_options)
        header: dict[str, Any] = {
            "task": fields,
            "limits": asdict(limits),
            "memory": None if limits.memory_mb is None else int(limits.memory_mb) << 20,
            "scratch_limit": None if limits.scratch_mb is None else int(limits.scratch_mb) << 20,
            "threads": max(1, self._cores // max(self.slots.running, 1)),
        }
        return Message(header, task.source.encode("utf-8", "surrogatepass"))

    @abstractmethod
    def _take(self, task: Task, graph: GraphData) -> Runner:
        """Return a worker that waits for a job."""

    @abstractmethod
    def _is_done(self, runner: Runner) -> bool:
        """Say whether all that a runner's task has left behind is gone; called when its supervisor has said a word."""

    @abstractmethod
    def _put_back(self, runner: Runner) -> None:
        """Keep a runner that is done for another task, or close it."""

    def _enter(self, run_id: str, runner: Runner) -> None:
        with self._lock:
            if self._closed:
                raise TaskCancelled(STOPPING)
            self._active[run_id] = runner

    def _leave(self, run_id: str, runner: Runner | None) -> None:
        with self._lock:
            self._active.pop(run_id, None)
        if runner is None:
            self.slots.give_back()
        elif self._closed or runner.gone or not runner.begun:
            runner.close()  # its supervisor ends what there is, and itself
            self.slots.give_back()
        else:
            self._attend().see_off(runner)

    def _settled(self, runner: Runner) -> None:
        """A runner's task has left nothing, or the runner is gone: let the next task have its place."""
        try:
            if runner.gone or self._closed:
                runner.close()
            else:
                self._put_back(runner)
        except Exception:  # the thread that calls this goes on, for all other tasks
            log.exception("a worker could not be kept for another task")
            runner.close()
        finally:
            self.slots.give_back()

    def _disown(self) -> None:
        """Forget, in a forked child, what belongs to its parent: nobody there is told anything."""
        self.slots = Slots(self.slots.concurrency, self.slots.queue)
        self._lock = threading.Lock()
        for runner in self._active.values():
            runner.close()
        self._active, self._attendant = {}, None

    def _attend(self) -> _Attendant:
        with self._lock:
            if self._attendant is None:
                self._attendant = _Attendant(self._is_done, self._settled, self._tidy)
            return self._attendant

    def _tidy(self) -> None:
        """Let go of what was not used for long; called every few seconds."""
        return

    def close(self) -> None:
        """End running tasks and all processes."""
        with self._lock:
            self._closed = True
            active, attendant = list(self._active.values()), self._attendant
        self.slots.close()
        for runner in active:
            runner.tell(end=True)
        deadline = time.monotonic() + _END_S
        while self._active and time.monotonic() < deadline:
            time.sleep(0.005)
        if attendant is not None:
            attendant.close()


def _error_in(answer: Message) -> TaskError | None:
    """Return the error that a worker answered with, of its own class."""
    said = answer.header.get("error")
    if said is None:
        return None
    found = from_body(400, {"code": said["code"], "error": said["message"], **said["details"]}, "")
    return found if isinstance(found, TaskError) else TaskFailed(found.message)


def about_limits(limits: Limits) -> dict[str, Any]:
    """Return limits as an error shows them."""
    return {name: value for name, value in asdict(limits).items() if value is not None}


class _NotBegun(Exception):
    """There was no worker to run a task, which can be tried again."""


class _Run:
    """One run: sends the job, passes on what is printed, and waits for the answer or a reason to end it."""

    def __init__(
        self, runner: Runner, limits: Limits, output: TaskOutput, cancelled: Callable[[], bool] | None
    ) -> None:
        self._runner, self._limits, self._output, self._cancelled = runner, limits, output, cancelled
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._word = secrets.token_bytes(16)
        self._deadline = time.monotonic() + _BEGIN_S
        self._began = False

    def attend(self, job: Message) -> Message:
        """Return the worker's answer; raise the TaskError that stands for its absence."""
        try:
            self._begin(job)
            return self._wait()
        except BaseException:
            # Whatever it was: when the caller hears of it, the task and all that it started are gone.
            if self._runner.begun and self._runner.ended is None:
                self._runner.tell(end=True)
                self._runner.wait_for_end(_END_S)
            raise

    def _begin(self, job: Message) -> None:
        try:
            worker = self._ready()
            limits = {name: job.header[name] for name in ("memory", "scratch_limit")}
            self._runner.begun = True
            self._runner.tell(begin=worker.pid, **limits)
            send(worker.jobs, replace_header(job, word=self._word.hex()))
        except OSError as e:
            raise self._without_answer() from e
        finally:
            for fd in job.fds:
                os.close(fd)

    def _ready(self) -> Worker:
        while (worker := self._runner.take(_LOOK_S)) is None:
            if self._cancelled is not None and self._cancelled():
                raise TaskCancelled("The task was cancelled.")
            if time.monotonic() >= self._deadline:
                raise self._too_late()
        return worker

    def _wait(self) -> Message:
        runner, worker = self._runner, self._runner.worker
        assert worker is not None
        poll = select.poll()
        for source in (worker.jobs, runner.control, worker.logs):
            poll.register(source, select.POLLIN)
        while True:
            left = self._deadline - time.monotonic()
            wait = left if self._cancelled is None else min(left, _LOOK_S)
            ready = {fd for fd, _ in poll.poll(max(wait, 0) * 1000 + 1)}
            if worker.logs in ready and not self._pass_on():
                poll.unregister(worker.logs)
            if worker.jobs.fileno() in ready:
                answer = self._receive(worker.jobs)
                if answer is not None:
                    return answer
            elif runner.control.fileno() in ready and (not runner.hear(0) or runner.ended is not None):
                raise self._without_answer()
            if time.monotonic() >= self._deadline:
                raise self._too_late()
            if self._cancelled is not None and self._cancelled():
                raise TaskCancelled("The task was cancelled.")

    def _receive(self, jobs: socket.socket) -> Message | None:
        """Return the answer if what comes is it; note the beginning."""
        try:
            first = jobs.recv(len(self._word), socket.MSG_PEEK)
        except OSError as e:
            raise self._without_answer() from e
        if first and not self._word.startswith(first):
            raise TaskCrashed("The task wrote to a descriptor that is not its own, and was ended.")
        if 0 < len(first) < len(self._word):
            time.sleep(0.001)  # of what is sent at once, the rest is here soon
            return None
        jobs.settimeout(_END_S)
        try:
            message = receive(jobs, self._word)
        except BrokenChannel as e:
            raise TaskCrashed("The task wrote to a descriptor that is not its own, and was ended.") from e
        if message is None:
            raise self._without_answer()
        if "began" in message.header:
            self._began = True
            limit = self._limits.timeout_s
            self._deadline = time.monotonic() + (_FOREVER_S if limit is None else min(limit, _FOREVER_S))
            return None
        for fd in message.fds:
            message.payload = _content(fd, int(message.header.get("size", 0)))
        for _ in range(_READS):
            if not self._pass_on():
                break
        return message

    def _pass_on(self) -> bool:
        """Read what was printed; return whether there was something."""
        assert self._runner.worker is not None
        try:
            data = os.read(self._runner.worker.logs, _READ)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        text = self._text.decode(data, final=not data)
        if text:
            self._output.write(text)
        return bool(data)

    def _too_late(self) -> TaskError:
        if not self._began:
            return TaskCrashed(f"The worker did not come to life within {_BEGIN_S:g} s.")
        return TaskTimeout(
            f"The task was ended after {self._limits.timeout_s:g} s, its time limit: make it do less, or raise the "
            "limit (timeout_s, run --timeout, serve --task-timeout)."
        )

    def _without_answer(self) -> TaskError:
        """Return the error for a worker that ended before it answered; raise _NotBegun if it had not begun."""
        report = self._runner.wait_for_end(_END_S if self._began else 0.1)
        if not self._began and report.get("reason") not in ("told", "memory"):
            raise _NotBegun
        while self._runner.worker is not None and self._pass_on():
            pass
        reason = report.get("reason")
        if reason == "memory":
            return TaskOutOfMemory(
                f"The task was ended because it used more than {self._limits.memory_mb} MiB of memory, its limit: load "
                "less at a time, or raise the limit (memory_mb, run --memory, serve --task-memory)."
            )
        if reason == "scratch":
            return TaskFailed(
                f"The task was ended because its files took more than {self._limits.scratch_mb} MiB, the limit of its "
                "scratch directory (scratch_mb, serve --task-scratch)."
            )
        if reason == "told":
            return TaskCancelled("The task was ended because the server is stopping.")
        if reason == "orphaned" or not report:
            return TaskCrashed(
                "The process that holds the task's dataset was killed, and the task with it: run it again."
            )
        if "signal" in report:
            number = report["signal"]
            name = signal.Signals(number).name if number in set(signal.Signals) else "unknown"
            hint = _HINTS.get(number, "")
            return TaskCrashed(
                f"The task's process was killed by signal {number} ({name}) and gave no result. {hint}".rstrip()
            )
        return TaskCrashed(
            f"The task's process ended itself with exit code {report.get('exit')} and gave no result: return a value "
            "instead of calling os._exit()."
        )


_HINTS = {
    int(signal.SIGSEGV): "A library, or ctypes, used memory that is not its own; the logs say where.",
    int(signal.SIGKILL): "The system may have run out of memory.",
}


def replace_header(message: Message, **values: Any) -> Message:
    """Return a message with more in its header."""
    return Message({**message.header, **values}, message.payload, message.fds)


def _content(fd: int, size: int) -> bytes:
    """Read a result; not mapped, since its writer could still cut it off."""
    try:
        first = os.pread(fd, size, 0)
        if len(first) == size:
            return first
        found = bytearray(first)
        while len(found) < size and (part := os.pread(fd, size - len(found), len(found))):
            found += part
    finally:
        os.close(fd)
    if len(found) < size:
        raise TaskCrashed("The task's process cut off its own result.")
    return bytes(found)


def _end_the_late(selector: selectors.BaseSelector) -> None:
    """End workers that have answered and go on: a task that answers by itself can have it so."""
    for key in list(selector.get_map().values()):
        if key.data is not None and time.monotonic() - key.data.answered > _TIDY_S:
            key.data.tell(end=True)


class _Attendant(threading.Thread):
    """Waits until nothing is left of tasks that were answered, one thread for all, so that no caller has to."""

    def __init__(
        self, is_done: Callable[[Runner], bool], then: Callable[[Runner], None], tidy: Callable[[], None]
    ) -> None:
        super().__init__(name="graphistry-attendant", daemon=True)
        self._is_done, self._then, self._tidy = is_done, then, tidy
        self._new: deque[Runner] = deque()
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._stopping = False
        self.start()

    def see_off(self, runner: Runner) -> None:
        """Take over a runner whose task was answered."""
        runner.answered = time.monotonic()
        with self._lock:
            if self._stopping:
                runner.gone = True
                self._then(runner)
                return
            self._new.append(runner)
        with contextlib.suppress(OSError):
            self._woken.send(b"x")

    def run(self) -> None:
        """Wait for whoever is done first."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            looked = time.monotonic()
            while not self._stopping:
                for key, _ in selector.select(_TIDY_S):
                    if key.fileobj is self._wake:
                        self._wake.recv(4096)
                    elif key.data.hear(0) is False or self._is_done(key.data):
                        selector.unregister(key.fileobj)
                        self._then(key.data)
                while self._new:
                    runner = self._new.popleft()
                    if runner.gone or self._is_done(runner):
                        self._then(runner)
                    else:
                        selector.register(runner.control, selectors.EVENT_READ, runner)
                if time.monotonic() - looked > _TIDY_S:
                    looked = time.monotonic()
                    _end_the_late(selector)
                    self._tidy()
            left = [key.data for key in selector.get_map().values() if key.data is not None]
        for runner in [*left, *self._new]:
            runner.close()
        self._wake.close()
        self._woken.close()

    def close(self) -> None:
        """Stop; runners that are not done are closed, and their supervisors end what is left."""
        with self._lock:
            self._stopping = True
        with contextlib.suppress(OSError):
            self._woken.send(b"x")
        if threading.current_thread() is not self:
            self.join(_END_S)
