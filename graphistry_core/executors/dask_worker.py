"""The worker's side of ``executor="dask"``: tables that lie ready on its disk, and tasks in processes of their own.

Dask imports this by name on its workers. What comes are bytes of ours, a header in JSON and a task's source or a piece
of a table, and what goes is the same: no object of a user's is ever pickled. May import the executors, and distributed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import shutil
import threading
import time
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import engines, frames, object_storage
from ..errors import GraphistryError, TaskCancelled
from . import get_executor, isolating, processes
from .contract import Executor, GraphData, Limits, Task, TaskResult

log = logging.getLogger("graphistry_core")
FORMAT = 1  # of what goes to and fro; another one is refused
KEY = "graphistry-run-"  # how the Dask task of a run is called, before the run's claim
_KEPT = 8  # graphs, with their tables, on a worker's disk
_CLAIMS = 10_000  # runs that are remembered
HEAR_S, _HEAR_LOOK_S = 5.0, 0.1


class _Tail:
    """What a task has printed so far, for who listens."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        self._parts.append(text)
        return len(text)

    def after(self, position: int) -> str:
        return "".join(self._parts)[position:]


@dataclass
class _Run:
    """A task that runs here."""

    tail: _Tail = field(default_factory=_Tail)
    ended: threading.Event = field(default_factory=threading.Event)


class Place:
    """What one worker has of ours. ``nonce`` tells it from a worker that has its address after it."""

    def __init__(self, worker: Any) -> None:
        self.nonce = uuid.uuid4().hex
        self._worker = weakref.ref(worker)
        self._threads = int(worker.state.nthreads)
        self._folder = Path(worker.local_directory) / f"graphistry-core-{self.nonce}"
        self._lock = threading.Lock()
        self._claims: OrderedDict[str, _Run | None] = OrderedDict()
        self._graphs: OrderedDict[str, GraphData] = OrderedDict()
        self._tables: OrderedDict[str, Path] = OrderedDict()
        self._executors: dict[str, Executor] = {}
        self._closed = False
        worker.plugins[f"graphistry-core-{self.nonce}"] = self  # told of the worker's end

    # --- tables ---

    def keep(self, table: str, upload: str, size: int, offset: int, data: bytes) -> None:
        """Take a piece of a table; with its last one it is there, whole."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        part = self._folder / f"{upload}.part"
        with part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)
        if offset + len(data) == size:
            path = self._folder / f"{table}.arrow"
            os.replace(part, path)
            with self._lock:
                self._tables[table] = path
                self._tables.move_to_end(table)

    def _graph(self, about: Mapping[str, Any]) -> GraphData | list[str]:
        """Return a graph, or which of its tables have to be sent."""
        key = json.dumps(about, sort_keys=True)
        self._fetch(about["urls"])
        with self._lock:
            if key in self._graphs:
                self._graphs.move_to_end(key)
                return self._graphs[key]
            missing = [table for table in about["tables"].values() if table not in self._tables]
            if missing:
                return missing
            files = {which: self._tables[table] for which, table in about["tables"].items()}
            tables = {which: frames.map_arrow(path) for which, path in files.items()}
            names = (about["dataset_id"], about["name"], about["description"])
            index = self._folder / "indexes" / hashlib.sha256(key.encode()).hexdigest()
            ends = tables.get("edges"), tables.get("nodes")
            graph = GraphData(*ends, about["bindings"], *names, files=files, index_folder=index)
            self._graphs[key] = graph
            self._make_room()
            return graph

    def _fetch(self, urls: Mapping[str, str]) -> None:
        """Bring tables that lie on shared storage; one that cannot be had is sent by who asks."""
        for table, url in urls.items():
            if table in self._tables:
                continue
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                path = object_storage.fetch(url, self._folder / "fetched")
            except (GraphistryError, OSError) as e:
                log.warning("the table %s cannot be fetched, and is sent instead: %s", object_storage.redacted(url), e)
                continue
            with self._lock:
                self._tables[table] = path

    def _make_room(self) -> None:
        """Let go of the graphs that were not used for longest, and of tables that no graph is made of any more."""
        while len(self._graphs) > _KEPT:
            _, gone = self._graphs.popitem(last=False)
            shutil.rmtree(gone.index_folder or "", ignore_errors=True)
        used = {path for graph in self._graphs.values() for path in graph.files.values()}
        spare = [table for table, path in self._tables.items() if path not in used]
        for table in spare[: -2 * _KEPT]:  # the newest have come for a task that has yet to begin
            self._tables.pop(table).unlink(missing_ok=True)

    # --- tasks ---

    def run(self, job: Mapping[str, Any], source: bytes) -> tuple[dict[str, Any], bytes]:
        """Run the task of a job, once; else say why not: another worker is meant, tables are missing, it ran before."""
        if job["nonce"] != self.nonce or job["format"] != FORMAT:
            return {"nonce": self.nonce, "format": FORMAT, "age_s": _age_s()}, b""
        graph = self._graph(job["graph"])
        if isinstance(graph, list):
            return {"missing": graph}, b""
        claim, run = job["claim"], _Run()
        with self._lock:
            if claim in self._claims:
                return {"again": True}, b""
            self._claims[claim] = run
            while len(self._claims) > _CLAIMS:
                self._claims.popitem(last=False)
        try:
            result = self._run(job, source, graph, run)
            return _about(result), result.body
        except GraphistryError as e:
            return {"raised": {"code": e.code, "error": e.message, **e.details}}, b""
        finally:
            run.ended.set()
            with self._lock:
                self._claims[claim] = None

    def _run(self, job: Mapping[str, Any], source: bytes, graph: GraphData, run: _Run) -> TaskResult:
        fields = dict(job["task"])
        if fields["cudf_fallback"] and engines.cudf_problem() is None:
            fields["cudf_fallback"] = ""
        if not (fields["cudf_fallback"] and fields["engine"] == "cudf"):
            fields["engine"] = engines.resolve(fields["engine"])
        task = Task(source.decode("utf-8", "surrogatepass"), **fields)
        echo: Any = run.tail if job["listens"] else None
        key = KEY + job["claim"]
        executor = self._executor(job["options"])
        return executor.run(
            task, graph, Limits(**job["limits"]), echo, lambda: run.ended.is_set() or self._is_unwanted(key)
        )

    def _executor(self, options: Mapping[str, Any]) -> Executor:
        key = json.dumps(options, sort_keys=True)
        with self._lock:
            if self._closed:
                raise TaskCancelled("The worker is stopping.")
            if key not in self._executors:
                share = {"concurrency": self._threads, "cores": self._threads}
                self._executors[key] = get_executor(isolating(), **share, **options)
            return self._executors[key]

    def _is_unwanted(self, key: str) -> bool:
        """Say whether the scheduler has let go of a run's Dask task: its client has gone, or does not want it."""
        worker = self._worker()
        task = None if worker is None else worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    def warm(self, options: Mapping[str, Any]) -> None:
        """Start what the first task needs."""
        getattr(self._executor(options), "warm", int)()

    def end(self, claim: str) -> bool:
        """End a run; return whether it is one that has begun. One that has not never will."""
        with self._lock:
            run = self._claims.setdefault(claim, None)
        if run is not None:
            run.ended.set()
        return run is not None

    async def hear(self, claim: str, position: int) -> str:
        """Wait some seconds for what a run prints from a position on."""
        for _ in range(int(HEAR_S / _HEAR_LOOK_S)):
            run = self._claims.get(claim)
            if run is not None and (text := run.tail.after(position)):
                return text
            if (run is None and claim in self._claims) or (run is not None and run.ended.is_set()):
                return ""
            await asyncio.sleep(_HEAR_LOOK_S)
        return ""

    async def teardown(self, worker: Any) -> None:
        """End everything: the worker stops."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End running tasks and their processes, and remove the tables."""
        with self._lock:
            self._closed = True
            executors = list(self._executors.values())
        for executor in executors:
            executor.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _about(result: TaskResult) -> dict[str, Any]:
    about = {name: getattr(result, name) for name in ("logs", "duration_s", "approximation")}
    error = result.error
    said = None if error is None else {"code": error.code, "error": error.message, **error.details}
    return {**about, "type": result.content_type, "error": said}


def _age_s() -> float:
    """Return how long there has been no other worker at this process's addresses, at least, in seconds."""
    if _counted[0] > 1 or not processes.LINUX:
        return 0.0
    ticks = int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])  # since the machine started
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


_counted = [0]  # places that were made in this process
_places: weakref.WeakKeyDictionary[Any, Place] = weakref.WeakKeyDictionary()
_places_lock = threading.Lock()


def place_of(worker: Any) -> Place:
    """Return what a worker has of ours, made on first use."""
    with _places_lock:
        if worker not in _places:
            _places[worker] = Place(worker)
            _counted[0] += 1
        return _places[worker]


# --- what a client calls ----------------------------------------------------------------------------------------


def run_job(job: bytes, source: bytes) -> tuple[bytes, bytes]:
    """Run a job as a Dask task; return a header in JSON, and the encoded result."""
    from distributed import get_worker

    header, body = place_of(get_worker()).run(json.loads(job), source)
    return json.dumps(header).encode(), body


async def keep(table: str, upload: str, size: int, offset: int, data: bytes, dask_worker: Any) -> None:
    """See :meth:`Place.keep`."""
    await asyncio.to_thread(place_of(dask_worker).keep, table, upload, size, offset, data)


async def warm(options: bytes, dask_worker: Any) -> None:
    """See :meth:`Place.warm`."""
    with contextlib.suppress(GraphistryError):  # the first task will say it
        await asyncio.to_thread(place_of(dask_worker).warm, json.loads(options))


def end(claim: str, dask_worker: Any) -> bool:
    """See :meth:`Place.end`."""
    return place_of(dask_worker).end(claim)


async def hear(claim: str, position: int, dask_worker: Any) -> str:
    """See :meth:`Place.hear`."""
    return await place_of(dask_worker).hear(claim, position)


def idle() -> None:
    """Do nothing: a cluster that grows with what is asked of it starts a worker for this."""
