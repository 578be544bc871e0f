"""Run each task on one worker of a Dask cluster, in a process of its own there, once.

A run is one Dask task, bound to one worker process: it goes to a worker's address with the word (``nonce``) that this
process chose, so a worker that comes after it at the same address refuses it, and a claim, which a process takes
once. Nothing is ever retried that may have begun. Tables go to a worker once, in pieces, and lie there as files. May
import the executors, cluster, and distributed when it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TextIO

from .. import cluster, engines
from ..errors import (
    BadRequest,
    GraphistryError,
    MissingDependency,
    ServerUnreachable,
    TaskCancelled,
    TaskCrashed,
    TaskError,
    from_body,
)
from . import dask_worker
from .contract import GraphData, Limits, Task, TaskResult
from .dispatch import QUEUE, STOPPING, Slots, about_limits
from .inprocess import InProcessExecutor
from .shipping import ship
from .spawned import SpawnedExecutor

if TYPE_CHECKING:
    from distributed import Client, Future

_TRIES = 5
_PIECE = 8 << 20
_FRESH_S, _LOOK_S = 0.1, 0.5  # how old what is known of the workers may be: when one is chosen, and while a task runs
_CANCEL_LOOK_S = 0.03
_SILENT_S = 20.0  # a scheduler that answers nothing for so long is gone
_END_S = 10.0
_ANSWER_S = 10.0
_SEND_S = 60.0  # for a piece
_GROW_S = 0.1


@dataclass
class _Worker:
    """A worker, as this process knows it."""

    address: str
    load: cluster.Load
    nonce: str = ""  # empty until it has been heard of
    ours: int = 0  # runs of this process that are there now
    has: dict[str, float] = field(default_factory=dict)  # tables, and when they had arrived (time.monotonic)
    sending: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class _Parcel:
    """A graph's tables to be sent: a header, and by content hash the file of each table and its size."""

    header: dict[str, Any]
    files: dict[str, tuple[int, int]]


class DaskExecutor:
    """Runs tasks on the workers of a Dask cluster.

    ``scheduler``: its address, or a ``distributed.Client``; see :func:`.cluster.connect`, whose errors this raises. As
    many tasks run at once as the workers have threads, or ``concurrency``; ``queue`` more wait. ``preload`` and
    ``sandbox`` are for the processes on the workers. A cluster without workers is waited for ``patience_s`` seconds.
    """

    name = "dask"
    elsewhere = True

    def __init__(
        self,
        scheduler: str | Client | None = None,
        *,
        concurrency: int | None = None,
        queue: int = QUEUE,
        preload: Sequence[str] = (),
        sandbox: str = "off",
        patience_s: float = 30.0,
    ) -> None:
        chosen: dict[str, Any] = {"preload": list(preload)} if preload else {}
        self._options = {**chosen, "sandbox": sandbox} if sandbox != "off" else chosen
        self._patience_s, self._fixed = patience_s, concurrency
        self._lock = threading.RLock()
        self._scheduler = cluster.named(scheduler)
        self._client: Client | None = None
        self._pid = os.getpid()
        self._workers: dict[str, _Worker] = {}
        self._looked = self._answered = -1e9
        self._closed = False
        self._drivers: SpawnedExecutor | None = None
        self.slots = Slots(concurrency or 1, queue)
        self.client()
        self.look(0)

    @property
    def address(self) -> str:
        """The scheduler's address."""
        client = self._client
        return "" if client is None or client.scheduler is None else str(client.scheduler.address)

    def workers(self) -> dict[str, int]:
        """Return the workers, by address, with the number of their threads."""
        self.client()
        self.look(0)
        return {worker.address: worker.load.threads for worker in self._workers.values()}

    def warm(self) -> None:
        """Start what the first task needs, on every worker that is there now."""
        options = json.dumps(self._options).encode()
        with contextlib.suppress(Exception):  # the first task will say it better
            self.client().run(dask_worker.warm, options, on_error="ignore", callback_timeout=_SEND_S)

    def run(
        self,
        task: Task,
        graph: GraphData,
        limits: Limits,
        echo: TextIO | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> TaskResult:
        """See :class:`Executor`. Raises QueueFull, ServerUnreachable where there is no scheduler or no worker."""
        if task.function is not None:
            return InProcessExecutor().run(task, graph, limits, echo)
        client = self.client()
        if task.engine in engines.LAZY:  # the cluster computes what the task asks for; the task itself runs here
            return self._frames().run(replace(task, scheduler=self.address), graph, limits, echo, cancelled)
        self.look(_LOOK_S)
        self.slots.take(cancelled)
        try:
            return _Run(self, client, task, graph, limits, echo, cancelled).result()
        finally:
            self.slots.give_back()

    def _frames(self) -> SpawnedExecutor:
        """Return what runs tasks on Dask frames, each in a process beside this one."""
        if self.address.startswith("inproc:"):
            raise BadRequest(
                "A task on Dask frames has a process of its own, which cannot reach a scheduler inside this one: use "
                "LocalCluster(processes=True), or `dask scheduler`."
            )
        with self._lock:
            if self._drivers is None:
                self._drivers = SpawnedExecutor(concurrency=self._fixed, queue=self.slots.queue)
            return self._drivers

    # --- the cluster ---

    def client(self) -> Client:
        """Return the connection to the scheduler, a new one where the last has broken; raise ServerUnreachable."""
        with self._lock:
            if self._closed:
                raise TaskCancelled(STOPPING)
            client = self._client if self._pid == os.getpid() else None
            while client is not None and client.status == "connecting":  # by itself, for some seconds
                time.sleep(_GROW_S)
                if client.status not in ("connecting", "running"):
                    raise ServerUnreachable(f"No Dask scheduler answers at {self.address} any more.")
            if client is not None and client.status == "running":
                return client
            self._client, self._workers, self._looked = None, {}, -1e9
            self._client, self._pid = cluster.connect(self._scheduler), os.getpid()
            self._answered = time.monotonic()
            return self._client

    def look(self, age_s: float) -> None:
        """See which workers there are, unless that is known from ``age_s`` seconds ago; raise ServerUnreachable."""
        with self._lock:
            now, client = time.monotonic(), self._client
            if now - self._looked < age_s:
                return
            if client is None or client.status != "running":
                raise ServerUnreachable("The connection to the Dask scheduler broke.")
            try:
                loads = cluster.loads(client)
            except ServerUnreachable:
                if client.status != "running" or now - self._answered > _SILENT_S:
                    raise
                return
            self._looked = self._answered = time.monotonic()
            known = self._workers
            self._workers = {address: known.get(address) or _Worker(address, load) for address, load in loads.items()}
            for address, worker in self._workers.items():
                worker.load = loads[address]
            if self._fixed is None:
                self.slots.resize(max(sum(load.threads for load in loads.values()), 1))

    def has(self, worker: _Worker) -> bool:
        """Say whether a worker is there, as far as is known."""
        return self._workers.get(worker.address) is worker

    @contextlib.contextmanager
    def chosen(self, client: Client, tables: Sequence[str], check: Callable[[], None]) -> Iterator[_Worker]:
        """Have one run more counted for a worker with a free thread, rather one that has the tables.

        Waits for a worker where there is none; ``check`` is called now and then, and may raise.
        """
        deadline, asked = time.monotonic() + self._patience_s, None
        while True:
            self.look(_FRESH_S)
            with self._lock:
                there = [worker for worker in self._workers.values() if worker.load.accepts and worker.load.threads]
                if there:
                    worker = min(there, key=lambda w: _preference(w, tables))
                    worker.ours += 1
                    break
            if asked is None:
                asked = client.submit(dask_worker.idle, pure=False)  # a cluster that can grow does
            check()
            if time.monotonic() > deadline:
                raise ServerUnreachable(
                    f"The Dask cluster at {self.address} has no worker that takes tasks: start one with `dask worker "
                    f"{self.address}`."
                )
            time.sleep(_GROW_S)
        try:
            yield worker
        finally:
            with self._lock:
                worker.ours -= 1

    def close(self) -> None:
        """End running tasks, and the connection, unless it was given."""
        with self._lock:
            self._closed = True
            client, drivers = self._client, self._drivers
        self.slots.close()
        if drivers is not None:
            drivers.close()
        deadline = time.monotonic() + _END_S
        while self.slots.running and time.monotonic() < deadline:
            time.sleep(0.01)
        if client is not None and client is not self._scheduler and self._pid == os.getpid():
            _close(client)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def options(self) -> dict[str, Any]:
        """What the executors on the workers are made with."""
        return self._options


def _preference(worker: _Worker, tables: Sequence[str]) -> tuple[float, bool, float, float]:
    """Prefer a thread that is free, then one where the tables are: to send them takes longer than most tasks do."""
    share = (max(worker.ours, worker.load.tasks) + 1) / worker.load.threads  # with this run
    has = all(table in worker.has for table in tables)
    return max(share, 1.0), not has, share, random.random()  # noqa: S311


def _close(client: Client) -> None:
    with contextlib.suppress(Exception):
        client.close(timeout=1)


# --- one run --------------------------------------------------------------------------------------------------


class _Run:
    """One run, from the choice of a worker to its answer."""

    def __init__(
        self,
        executor: DaskExecutor,
        client: Client,
        task: Task,
        graph: GraphData,
        limits: Limits,
        echo: TextIO | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._executor, self._client, self._task, self._graph = executor, client, task, graph
        self._limits, self._echo, self._cancelled = limits, echo, cancelled
        self._heard = ""

    def result(self) -> TaskResult:
        """Run the task and return its result; raise what is no fault of a task's."""
        started, error = time.perf_counter(), None
        head: dict[str, Any] = {}
        body = b""
        try:
            head, body = self._answer()
            if head["error"] is not None:
                found = from_body(400, head["error"], "")
                error = found if isinstance(found, TaskError) else None
        except TaskError as e:
            about = {"logs": self._heard, "run_id": self._task.run_id, "limits": about_limits(self._limits)}
            error = e.with_details(**about, duration_s=time.perf_counter() - started)
        logs = head.get("logs", self._heard)
        if self._echo is not None and len(logs) > len(self._heard):
            self._echo.write(logs[len(self._heard) :].encode("utf-8", "replace").decode())
        took = head.get("duration_s", time.perf_counter() - started)
        approximation = head.get("approximation", "")
        return TaskResult(self._task.run_id, body, head.get("type", ""), None, logs, took, error, approximation)

    def _answer(self) -> tuple[dict[str, Any], bytes]:
        parcel = parcel_of(self._graph)
        for _ in range(_TRIES):
            with self._executor.chosen(self._client, list(parcel.files), self._check) as worker:
                answer = self._answer_of(worker, parcel)
                if answer is not None:
                    return answer
        raise TaskCrashed("The workers of the Dask cluster go before a task can begin: see their logs.")

    def _answer_of(self, worker: _Worker, parcel: _Parcel) -> tuple[dict[str, Any], bytes] | None:
        """Return what a worker answers once it is known and has the tables; None when it went before it began."""
        for _ in range(_TRIES):
            known, asked = worker.nonce, time.monotonic()
            head, body = self._ask(worker, parcel)
            # Another process has this address. Was the one that was meant there when it was asked?
            began = "nonce" in head and known and head["age_s"] <= time.monotonic() - asked
            if "again" in head or began:
                raise _lost(worker)
            if "nonce" in head:
                if head["format"] != dask_worker.FORMAT:
                    raise MissingDependency(_OTHER_VERSION.format(worker.address))
                worker.nonce = head["nonce"]
                worker.has.clear()
            elif "missing" in head:
                self._send(worker, parcel, head["missing"], asked)
            elif "raised" in head:
                raise from_body(400, head["raised"], "")
            else:
                for table in parcel.files:  # also where it fetched them itself
                    worker.has.setdefault(table, asked)
                return head, body
            if not self._executor.has(worker):
                return None
        return None

    def _check(self) -> None:
        if self._executor.closed:
            raise TaskCancelled(STOPPING)
        if self._cancelled is not None and self._cancelled():
            raise TaskCancelled("The task was cancelled.")

    # --- a task of Dask's ---

    def _ask(self, worker: _Worker, parcel: _Parcel) -> tuple[dict[str, Any], bytes]:
        """Have a worker run the task, and return its answer."""
        task = self._task
        fields = {name: value for name, value in vars(task).items() if name not in ("source", "function")}
        fields["export_options"] = dict(task.export_options)
        claim = uuid.uuid4().hex
        job = {
            "format": dask_worker.FORMAT,
            "nonce": worker.nonce,
            "claim": claim,
            "task": fields,
            "limits": asdict(self._limits),
            "graph": parcel.header,
            "options": self._executor.options,
            "listens": self._echo is not None,
        }
        done = threading.Event()
        future = self._submit(worker, job, claim)
        listener = None
        if self._echo is not None and worker.nonce:
            listener = _Listener(self._client, worker, claim, self._echo, done)
        try:
            future.add_done_callback(lambda _: done.set())
            self._wait(worker, claim, done)
            return self._fetch(worker, future)
        finally:
            done.set()
            if listener is not None:
                self._heard += listener.stop()
            with contextlib.suppress(Exception):
                future.release()  # whatever is left of it is ended

    def _submit(self, worker: _Worker, job: dict[str, Any], claim: str) -> Future:
        source = self._task.source.encode("utf-8", "surrogatepass")
        try:
            return self._client.submit(
                dask_worker.run_job,
                json.dumps(job).encode(),
                source,
                key=dask_worker.KEY + claim,
                workers=[worker.address],
                allow_other_workers=False,
                retries=0,
                pure=False,
            )
        except Exception as e:
            raise ServerUnreachable(f"The connection to the Dask scheduler broke ({type(e).__name__}: {e}).") from e

    def _wait(self, worker: _Worker, claim: str, done: threading.Event) -> None:
        """Wait for a run's end, as long as its worker is there and somebody wants it."""
        try:
            self._watch(worker, done)
        except (TaskCancelled, KeyboardInterrupt):
            self._end(worker, claim, done)
            raise

    def _watch(self, worker: _Worker, done: threading.Event) -> None:
        while not done.wait(_LOOK_S if self._cancelled is None else _CANCEL_LOOK_S):
            self._check()
            try:
                self._executor.look(_LOOK_S)
            except ServerUnreachable as e:
                raise self._scheduler_gone() from e
            if not self._executor.has(worker) and not done.wait(_CANCEL_LOOK_S):
                raise _lost(worker)

    def _end(self, worker: _Worker, claim: str, done: threading.Event) -> None:
        """Have a run ended, and wait until its process is gone."""
        with contextlib.suppress(Exception):
            if self._on(worker, dask_worker.end, claim):
                done.wait(_END_S)

    def _on(self, worker: _Worker, function: Callable[..., Any], *args: Any, seconds: float = _ANSWER_S) -> Any:
        return self._client.run(function, *args, workers=[worker.address], callback_timeout=seconds)[worker.address]

    def _fetch(self, worker: _Worker, future: Future) -> tuple[dict[str, Any], bytes]:
        """Get a finished run's answer; raise the error that stands for its absence."""
        seconds = _ANSWER_S
        while future.status == "finished":
            try:
                head, body = future.result(timeout=seconds)
                return json.loads(head), body
            except TimeoutError:
                seconds *= 2  # a large result takes its time, and a lost one would take for ever
                self._check()
                with contextlib.suppress(ServerUnreachable):
                    self._executor.look(0)
                if not self._executor.has(worker):
                    raise _lost(worker) from None
            except Exception as e:
                if future.status == "finished":
                    raise _lost(worker) from e
        if future.status == "error":
            raise _refused(worker, future)
        if self._executor.closed:
            raise TaskCancelled(STOPPING)
        raise self._scheduler_gone()

    def _scheduler_gone(self) -> TaskCrashed:
        return TaskCrashed(
            "The connection to the Dask scheduler broke while the task ran. How far it came is not known, and it was "
            "not run again: run it again if that does no harm."
        )

    # --- tables ---

    def _send(self, worker: _Worker, parcel: _Parcel, missing: Sequence[str], asked: float) -> None:
        """Send tables to a worker, each once, however many runs wait for it."""
        with worker.sending:
            for table in missing:
                if worker.has.get(table, -1e9) > asked:
                    continue
                fd, size = parcel.files[table]
                upload, offset = uuid.uuid4().hex, 0
                while offset < size:
                    self._check()
                    piece = os.pread(fd, min(_PIECE, size - offset), offset)
                    try:
                        self._on(worker, dask_worker.keep, table, upload, size, offset, piece, seconds=_SEND_S)
                    except Exception as e:  # noqa: BLE001 - whatever it is, nothing has begun
                        self._look_again(worker, e)
                        return
                    offset += len(piece)
                worker.has[table] = time.monotonic()

    def _look_again(self, worker: _Worker, e: Exception) -> None:
        """After a failure with a worker: nothing has begun, and another one may do, if this one has gone."""
        try:
            self._executor.look(0)
        except ServerUnreachable as gone:
            raise ServerUnreachable(f"The tables cannot be sent: {gone.message}") from e
        if self._executor.has(worker):
            raise ServerUnreachable(
                f"The tables cannot be sent to the worker {worker.address}: {type(e).__name__}: {str(e)[:300]}."
            ) from e


_OTHER_VERSION = (
    "The worker {} has another version of graphistry-core, which this one cannot talk to: install the same one there "
    "(graphistry-core doctor --scheduler shows them)."
)


def _lost(worker: _Worker) -> TaskCrashed:
    return TaskCrashed(
        f"The Dask worker {worker.address} was lost, and the task with it. It was not run again: run it again if that "
        "does no harm."
    )


def _refused(worker: _Worker, future: Future) -> GraphistryError:
    """Return the error for a run whose Dask task failed, which no task's fault leads to."""
    error: Any = None
    with contextlib.suppress(Exception):
        error = future.exception(timeout=_ANSWER_S)
    if type(error).__name__ == "KilledWorker":
        return _lost(worker)
    chain = [error, getattr(error, "__cause__", None)]
    said = "; ".join(f"{type(e).__name__}: {' '.join(str(e).split())[:200]}" for e in chain if e is not None)
    if any(isinstance(e, ImportError) for e in chain):
        return MissingDependency(
            f'The Dask worker {worker.address} cannot run tasks ({said}): pip install "graphistry-core[dask]" there.'
        )
    return TaskCrashed(f"The Dask worker {worker.address} failed to run the task ({said}): see its log.")


class _Listener(threading.Thread):
    """Passes on what a task prints while it runs."""

    def __init__(self, client: Client, worker: _Worker, claim: str, echo: TextIO, done: threading.Event) -> None:
        super().__init__(name="graphistry-listener", daemon=True)
        self._client, self._address, self._claim, self._echo, self._done = client, worker.address, claim, echo, done
        self._lock = threading.Lock()
        self._text = ""
        self._stopped = False
        self.start()

    def run(self) -> None:
        """Ask for more until the task is done."""
        where = {"workers": [self._address], "callback_timeout": _ANSWER_S + dask_worker.HEAR_S}
        while not self._done.is_set():
            try:
                text = self._client.run(dask_worker.hear, self._claim, len(self._text), **where)[self._address]
            except Exception:  # noqa: BLE001 - what is not heard now is in the result
                return
            with self._lock:
                if self._stopped:
                    return
                if text:
                    self._text += text
                    self._echo.write(text.encode("utf-8", "replace").decode())

    def stop(self) -> str:
        """Write nothing any more; return what was written."""
        with self._lock:
            self._stopped = True
            return self._text


# --- a graph's tables -------------------------------------------------------------------------------------------

_parcels: weakref.WeakKeyDictionary[GraphData, _Parcel] = weakref.WeakKeyDictionary()
_parcels_lock = threading.Lock()


def parcel_of(graph: GraphData) -> _Parcel:
    """Return what is to be sent of a graph; its tables are known by their content, so that a worker has each once."""
    with _parcels_lock:
        parcel = _parcels.get(graph)
        if parcel is None:
            shipment = ship(graph)
            header = {name: value for name, value in shipment.header.items() if name != "index"}
            names, files, urls = {}, {}, {}
            for which, fd in zip(header["tables"], shipment.fds, strict=True):
                name = names[which] = _name_of(fd, graph.urls.get(which))
                files[name] = (fd, os.fstat(fd).st_size)
                if which in graph.urls:
                    urls[name] = graph.urls[which]
            parcel = _parcels[graph] = _Parcel({**header, "tables": names, "urls": urls}, files)
        return parcel


def _name_of(fd: int, url: str | None) -> str:
    """Return a table's name: the digest of its content, or of the URL where it lies, which never has other content."""
    if url is not None:
        return hashlib.sha256(url.encode()).hexdigest()
    with open(fd, "rb", closefd=False) as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()
