"""``run_task``: one call from a function and a graph to a value, by the rules of a deployed task."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..engines import resolve
from ..errors import BadRequest, InvalidTask
from . import isolating, shared_executor
from .contract import GraphData, Limits, Task, TaskResult
from .result import decode
from .task import source_of


def run_task(
    task: Callable[[Any], Any] | Path | str,
    g: Any,
    *,
    engine: str = "auto",
    executor: Any = "auto",
    plottable: str = "core",
    timeout_s: float | None = None,
    memory_mb: int | None = None,
    format: str = "json",
    output_type: str = "json",
    lenient_json: bool = False,
    direct: bool = False,
    scheduler: str | None = None,
) -> Any:
    """Run ``task(g)`` here as a server would, and return its decoded value.

    ``task`` is a function, a ``Path`` or a string ending in ``.py``, or source text. Its source runs in a fresh
    module on a graph rebuilt from Arrow, and the value makes the trip through ``format`` and ``output_type``
    ('json', 'table', 'nodes', 'edges', 'all', 'shape'), so what passes here passes deployed. What the task prints
    goes to stderr. ``lenient_json`` converts numpy scalars and times instead of refusing them.

    ``direct=True`` calls the live function, for breakpoints. It no longer checks that the source is self-contained,
    that the task can run in a fresh module, or that its value can travel: the value comes back as it is.

    ``executor``: 'inprocess' (the default), 'isolated' (Linux) or 'spawned', where every task has a process of its
    own. ``timeout_s`` (seconds) and ``memory_mb`` (MiB) choose one of these, and are a BadRequest where neither can
    enforce them. Ctrl-C ends the task.
    Raises InvalidTask, TaskFailed, ResultNotSerializable and the other TaskError subclasses.
    """
    result = run_encoded(
        task,
        g,
        engine=engine,
        executor=executor,
        plottable=plottable,
        timeout_s=timeout_s,
        memory_mb=memory_mb,
        format=format,
        output_type=output_type,
        lenient_json=lenient_json,
        direct=direct,
        scheduler=scheduler,
    )
    return result.value if direct else decode(result.body, result.content_type, format, output_type, g)


def run_encoded(
    task: Callable[[Any], Any] | Path | str,
    g: Any,
    *,
    engine: str = "auto",
    executor: Any = "auto",
    timeout_s: float | None = None,
    memory_mb: int | None = None,
    direct: bool = False,
    scheduler: str | None = None,
    **options: Any,
) -> TaskResult:
    """Run a task as :func:`run_task` does and return its encoded result; raise TaskError."""
    if scheduler is not None:
        raise BadRequest(f"scheduler={scheduler!r} is for executor='dask', which this version does not have.")
    if direct and not callable(task):
        raise InvalidTask("direct=True calls a live function; pass the function itself, not its source.")
    live = task if direct and callable(task) else None
    source = "" if live is not None else source_of(task)
    spec = Task(source, resolve(engine), function=live, **options)
    limits = Limits(timeout_s=timeout_s, memory_mb=memory_mb)
    if executor == "auto" and limits.needs_isolation and not direct:
        executor = isolating()
    return shared_executor(executor).run(spec, GraphData.of(g), limits, echo=sys.stderr).unwrap()
