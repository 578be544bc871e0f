"""Tasks whose graph is in Dask frames: the partitions they read, the cluster that computes them, what they return.

The task itself runs in one process, here or in one of its own; what it asks of its frames is computed by a cluster's
workers, or without one by that process's threads. May import errors, cluster, frames, the contract and partitions.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import copy
import os
import tempfile
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import cluster, frames
from ..errors import GraphistryError, InvalidTable, ResultTooLarge, TaskCancelled, TaskFailed
from ..object_storage import is_url
from . import partitions
from .contract import GraphData, Limits, Task

_SHARED = "GRAPHISTRY_CORE_PARTITIONS"
_QUIET_S = 1.0  # what is done sooner needs no words
_SAY_S = 5.0
_CLOSE_S = 5.0
_LOOK_S = 0.1

_lock = threading.Lock()
_cutting = [threading.Lock() for _ in range(16)]
_ready: weakref.WeakKeyDictionary[GraphData, GraphData] = weakref.WeakKeyDictionary()


# --- the partitions -------------------------------------------------------------------------------------------


def ready(
    graph: GraphData, cancelled: Callable[[], bool] | None = None, *, live: bool = False, lasting: bool = False
) -> GraphData:
    """Return a graph without tables, and with partitions of all it has; those that are missing are made.

    Frames of this process stay as they are if they may be ``live``; else whatever computes them writes them. What has
    no place of its own has a temporary one, which goes with the graph, or when ``lasting`` with this process.
    """
    with _lock:
        found = _ready.get(graph)
    known = {} if found is None else found.partitions
    places = {**graph.partitions, **known}
    for which in ("edges", "nodes"):
        table = getattr(graph, which)
        if table is not None:
            place = places.get(which) or _temporary(graph, which, lasting)
            with _alone(place, cancelled):
                partitions.ensure(table, place, cancelled)  # each time: the folder is anybody's to delete
            places[which] = place
        elif which in graph.lazy and not live and which not in known:
            places[which] = _temporary(graph, which, lasting)
            _write(graph.lazy[which], places[which])
    kept = graph.lazy if live else {}
    if found is not None and found.partitions == places and found.lazy.keys() == kept.keys():
        return found
    made = replace(graph, edges=None, nodes=None, files={}, urls={}, index_folder=None, partitions=places, lazy=kept)
    with _lock:
        _ready[graph] = made
    return made


@contextlib.contextmanager
def _alone(place: str, cancelled: Callable[[], bool] | None) -> Iterator[None]:
    """Let one thread after the other see to a place; raise TaskCancelled."""
    mine = _cutting[hash(place) % len(_cutting)]
    while not mine.acquire(timeout=_LOOK_S):
        if cancelled is not None and cancelled():
            raise TaskCancelled("The task was cancelled while its dataset was cut into partitions.")
    try:
        yield
    finally:
        mine.release()


def _temporary(graph: GraphData, which: str, lasting: bool) -> str:
    """Return a place of a graph's own; a folder, or below what GRAPHISTRY_CORE_PARTITIONS names."""
    base = os.environ.get(_SHARED, "")
    made = (
        f"{base.rstrip('/')}/graphistry-{os.urandom(8).hex()}" if base else tempfile.mkdtemp(prefix="graphistry-dask-")
    )
    if not is_url(made):
        Path(made).mkdir(mode=0o700, parents=True, exist_ok=True)
    if lasting:
        atexit.register(_discard, made, os.getpid())
    else:
        weakref.finalize(graph, _discard, made, os.getpid())
    return f"{made}/{which}"


def _discard(place: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a fork
        with contextlib.suppress(Exception):
            partitions.remove(place)


def _write(frame: Any, place: str) -> None:
    """Have a Dask frame written as partitions by whatever computes it, a piece on each worker."""
    names = [partitions.file_name(number) for number in range(frame.npartitions)]
    try:
        frame.to_parquet(place, write_index=False, name_function=partitions.file_name, write_metadata_file=False)
    except (TypeError, ValueError, NotImplementedError) as e:
        raise InvalidTable(f"The Dask frame cannot be written as Parquet: {' '.join(str(e).split())[:300]}.") from e
    partitions.finish(place, names)


# --- computing ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def computing(task: Task) -> Iterator[None]:
    """Have Dask compute on the task's cluster, or on as many threads as this process may have, while the block runs.

    What takes long says how far it is on stdout.
    """
    import dask
    import pyarrow as pa

    with dask.config.set(partitions.settings()):
        if not task.scheduler and dask.config.get("scheduler", None) is not None:
            yield  # whose process this is has chosen, perhaps a client of a cluster
            return
        if not task.scheduler:
            with dask.config.set(scheduler="threads", num_workers=pa.cpu_count()), _counted_threads():
                yield
            return
        with _connected(task.scheduler) as client:
            # A bound method, as it was: Dask finds the client by it.
            client.get = types.MethodType(_watched(client.get), client)
            with client.as_current(), dask.config.set(scheduler=client):
                yield


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    try:
        client = cluster.connect(scheduler)
    except GraphistryError as e:
        raise TaskFailed(f"The task cannot reach the cluster: {e.message}") from e
    try:
        yield client
    finally:
        client.close(timeout=_CLOSE_S)


class _Progress:
    """Says how many of a computation's steps are done: not at once, and not often."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _QUIET_S

    def tell(self, done: int, of: int, note: Callable[[], str] = str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SAY_S
            print(f"[graphistry-core] {done} of {of} steps on Dask frames are done{note()}", flush=True)


def _counted_threads() -> Any:
    from dask.callbacks import Callback

    class Counted(Callback):  # type: ignore[misc]
        def _start(self, dsk: Any) -> None:
            self._progress = _Progress()

        def _posttask(self, key: Any, result: Any, dsk: Any, state: Any, worker: Any) -> None:
            self._progress.tell(len(state["finished"]), len(state["dependencies"]))

    return Counted()


def _watched(get: Callable[..., Any]) -> Callable[..., Any]:
    """Return a client's ``get`` that tells how far it is while it waits."""

    def watched(client: Any, dsk: Any, keys: Any, *args: Any, sync: bool = True, **options: Any) -> Any:
        packed = get(dsk, keys, *args, sync=False, **options)
        if not sync:
            return packed
        from distributed import futures_of

        futures = futures_of(packed)
        try:
            _wait(client, futures)
            return client.gather(packed)
        finally:
            for future in futures:
                future.release()

    return watched


def _wait(client: Any, futures: Any) -> None:
    """Wait until futures are done, or have failed, and tell how far they are."""
    from distributed import wait
    from distributed.diagnostics.progressbar import ProgressBar

    class Watch(ProgressBar):  # type: ignore[misc]
        counts = (0, 0)

        def _draw_bar(self, remaining: int, all: int, **_: Any) -> None:
            self.counts = (all - remaining, all)

    progress, watch = _Progress(), None
    while True:
        try:
            wait(futures, timeout=_QUIET_S)
            return
        except TimeoutError:
            if watch is None:
                watch = Watch(futures, client.scheduler.address, interval=f"{_QUIET_S}s")
                client.loop.add_callback(watch.listen)
            elif watch.counts[1]:
                progress.tell(*watch.counts, lambda: _paused(client))
        except asyncio.CancelledError:
            return  # gathering says why


def _paused(client: Any) -> str:
    """Say that no worker goes on, where that is so: Dask waits for memory to be given back, without end."""
    workers = client.scheduler_info().get("workers", {}).values()
    paused = [worker.get("status") == "paused" for worker in workers]
    return "; all workers are paused: they are short of memory" if paused and all(paused) else ""


# --- results --------------------------------------------------------------------------------------------------


def computed(value: Any, task: Task, limits: Limits, failing: Callable[[], Any]) -> Any:
    """Return a task's value with its Dask frames computed, where they go as tables.

    Together they may take ``limits.result_mb`` in memory; ResultTooLarge comes before there is more of them here.
    """
    if task.output_type in ("json", "shape"):
        return value
    cap = _Cap(limits.result_mb, failing)
    if _is_lazy(value):
        return cap.collected(value)
    tables = ("nodes", "edges") if task.output_type == "all" else (task.output_type,)
    if isinstance(value, Mapping):
        return {key: cap.collected(item) if key in tables and _is_lazy(item) else item for key, item in value.items()}
    lazy = {which: table for which in tables if _is_lazy(table := getattr(value, f"_{which}", None))}
    if lazy:
        value = copy.copy(value)
        for which, table in lazy.items():
            setattr(value, f"_{which}", cap.collected(table))
    return value


def _is_lazy(value: Any) -> bool:
    """Say whether a value is a frame, series, index or scalar of Dask's."""
    return frames.library_of(value) == "dask" and hasattr(value, "compute")


class _TooMuch(Exception):
    """More than a result may be."""


class _Cap:
    """Brings partitions here, up to so much of them."""

    def __init__(self, result_mb: float, failing: Callable[[], Any]) -> None:
        self._mb, self._left, self._failing = result_mb, int(min(result_mb, 1 << 40) * (1 << 20)), failing

    def collected(self, lazy: Any) -> Any:
        """Return a Dask object computed; raise ResultTooLarge, or what ``failing`` makes of an error."""
        from dask.base import get_scheduler

        fits, found = True, None
        with self._failing():
            try:
                if not hasattr(lazy, "map_partitions") or type(lazy).__name__ == "Delayed":
                    return lazy.compute()
                client = getattr(get_scheduler(), "__self__", None)
                parts = self._from_threads(lazy) if client is None else self._from_cluster(lazy, client)
                found = _joined(parts)
            except _TooMuch:
                fits = False
        if not fits:
            raise ResultTooLarge(
                f"The result takes more than {self._mb:g} MiB in memory, the cap: aggregate, filter or take head() of "
                "the Dask frame in the task, or raise the cap (result_mb, serve --task-result)."
            )
        return found

    def _take(self, part: Any) -> None:
        used = part.memory_usage(index=True, deep=True)
        self._left -= int(used if isinstance(used, int) else used.sum())
        if self._left < 0:
            raise _TooMuch

    def _from_cluster(self, lazy: Any, client: Any) -> list[Any]:
        """Fetch each partition when it is computed; nobody ever holds all of them but this process, within the cap."""
        from distributed import as_completed, futures_of

        futures = futures_of(client.persist(lazy))
        places = {future.key: number for number, future in enumerate(futures)}
        found: dict[int, Any] = {}
        coming, progress = as_completed(futures), _Progress()
        del futures
        for future in coming:
            found[places[future.key]] = part = future.result()
            future.release()
            self._take(part)
            progress.tell(len(found), len(places))
        return [found[number] for number in sorted(found)]

    def _from_threads(self, lazy: Any) -> list[Any]:
        import dask
        from dask.callbacks import Callback

        cap = self

        class Counted(Callback):  # type: ignore[misc]
            def _posttask(self, key: Any, result: Any, dsk: Any, state: Any, worker: Any) -> None:
                if not state["dependents"].get(key) and hasattr(result, "memory_usage"):
                    cap._take(result)

        with Counted():
            kept = lazy.persist()
        return list(dask.compute(*kept.to_delayed()))


def _joined(parts: list[Any]) -> Any:
    """Join partitions; rows whose numbers began again in each of them are numbered afresh."""
    from dask.dataframe.dispatch import concat

    whole = concat(parts) if len(parts) > 1 else parts[0]
    index = whole.index
    if index.name is None and index.nlevels == 1 and getattr(index.dtype, "kind", "") in "iu":
        whole = whole.reset_index(drop=True)
    return whole
