"""Run one task on one dataset under limits: executors by name, instance or entry point."""

from __future__ import annotations

import atexit
import sys
from typing import TYPE_CHECKING, Any

from .. import engines
from ..errors import BadRequest
from .contract import Executor, GraphData, Limits, Task, TaskResult
from .inprocess import InProcessExecutor

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

__all__ = [
    "Executor",
    "GraphData",
    "Limits",
    "Task",
    "TaskResult",
    "executor_names",
    "get_executor",
    "isolating",
    "settle_engine",
    "shared_executor",
]

ENTRY_POINTS = "graphistry_core.executors"
_BUILT_IN = ("dask", "inprocess", "isolated", "spawned")
_shared: dict[tuple[Any, ...], Executor] = {}


def executor_names() -> list[str]:
    """Return the names :func:`get_executor` knows: built in and from entry points, sorted."""
    return sorted({*_BUILT_IN, *(point.name for point in _entry_points())})


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # slow to import, and seldom asked

    return entry_points(group=ENTRY_POINTS)


def isolating() -> str:
    """Return the name of the executor that gives every task a process of its own: the best one of this platform."""
    return "isolated" if sys.platform == "linux" else "spawned"


def shared_executor(executor: str | Executor | Any, **options: Any) -> Executor:
    """Return an executor as :func:`get_executor` does, the same one each time; its processes end with this one."""
    if not isinstance(executor, str):
        return get_executor(executor, **options)
    key = (executor, *options.items())
    if key not in _shared:
        _shared[key] = get_executor(executor, **options)
        atexit.register(_shared[key].close)
    return _shared[key]


def settle_engine(executor: Executor | Any, engine: str, fallback: str | None) -> tuple[str, str]:
    """Return the engine and the stand-in for cudf ('' for none) that a task is to be run with; see engines.resolve().

    An executor whose tasks run on other machines (it has ``elsewhere = True``) gets both as they were asked for: what
    can be used is found out there.
    """
    if getattr(executor, "elsewhere", False) and engine not in engines.LAZY:  # whose tasks run here
        return str(getattr(engine, "value", engine)), fallback or ""
    fallback = fallback if fallback and engines.cudf_problem() is not None else ""
    return ("cudf" if engine == "cudf" and fallback else engines.resolve(engine)), fallback


def get_executor(executor: str | Executor | Any, **options: Any) -> Executor:
    """Return an executor by name ('auto' is in-process), or the instance that was given.

    Names come from this package and from entry points of the group ``graphistry_core.executors``, each naming a
    callable without arguments that returns an Executor. ``options`` (``concurrency``, ``queue``, for 'isolated'
    ``preload``, for 'dask' ``scheduler``) are for executors with processes of their own. Raises BadRequest for an
    unknown name, and for 'dask' what :func:`graphistry_core.cluster.connect` raises.
    """
    if not isinstance(executor, str):
        if callable(getattr(executor, "run", None)):
            return executor
        raise BadRequest(f"executor={executor!r} is neither a name nor an object with a run() method.")
    name = "inprocess" if executor == "auto" else executor
    if name == "inprocess":
        return InProcessExecutor()
    if name == "isolated":
        from .isolated import IsolatedExecutor

        return IsolatedExecutor(**options)
    if name == "spawned":
        from .spawned import SpawnedExecutor

        return SpawnedExecutor(**options)
    if name == "dask":
        from .dask import DaskExecutor

        return DaskExecutor(**options)
    for point in _entry_points():
        if point.name == name:
            return point.load()()  # type: ignore[no-any-return]
    raise BadRequest(f"executor={executor!r} is unknown; there are {', '.join(['auto', *executor_names()])}.")
