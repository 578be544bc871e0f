"""Run one task on one dataset under limits: executors by name, instance or entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import BadRequest
from .contract import Executor, GraphData, Limits, Task, TaskResult
from .inprocess import InProcessExecutor

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

__all__ = ["Executor", "GraphData", "Limits", "Task", "TaskResult", "executor_names", "get_executor"]

ENTRY_POINTS = "graphistry_core.executors"
_BUILT_IN = {"inprocess": InProcessExecutor}


def executor_names() -> list[str]:
    """Return the names :func:`get_executor` knows: built in and from entry points, sorted."""
    return sorted({*_BUILT_IN, *(point.name for point in _entry_points())})


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # slow to import, and seldom asked

    return entry_points(group=ENTRY_POINTS)


def get_executor(executor: str | Executor | Any) -> Executor:
    """Return an executor by name ('auto' is in-process), or the instance that was given.

    Names come from this package and from entry points of the group ``graphistry_core.executors``, each naming a
    callable without arguments that returns an Executor. Raises BadRequest for an unknown name.
    """
    if not isinstance(executor, str):
        if callable(getattr(executor, "run", None)):
            return executor
        raise BadRequest(f"executor={executor!r} is neither a name nor an object with a run() method.")
    name = "inprocess" if executor == "auto" else executor
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    for point in _entry_points():
        if point.name == name:
            return point.load()()  # type: ignore[no-any-return]
    raise BadRequest(f"executor={executor!r} is unknown; there are {', '.join(['auto', *executor_names()])}.")
