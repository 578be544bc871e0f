"""``run_task``: one call from a function and a graph to a value, by the rules of a deployed task."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from .. import engines
from ..errors import BadRequest, EnginesDiffer, InvalidTask
from . import isolating, settle_engine, shared_executor
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
    scheduler: Any = None,
    compare: str | None = None,
    exact: bool = False,
    cudf_fallback: str | None = None,
) -> Any:
    """Run ``task(g)`` here as a server would, and return its decoded value.

    ``task`` is a function, a ``Path`` or a string ending in ``.py``, or source text. Its source runs in a fresh
    module on a graph rebuilt from Arrow, and the value makes the trip through ``format`` and ``output_type``
    ('json', 'table', 'nodes', 'edges', 'all', 'shape'), so what passes here passes deployed. What the task prints
    goes to stderr. ``lenient_json`` converts numpy scalars and times instead of refusing them.

    ``direct=True`` calls the live function, for breakpoints. It no longer checks that the source is self-contained,
    that the task can run in a fresh module, or that its value can travel: the value comes back as it is.

    ``executor``: 'inprocess' (the default), 'isolated' (Linux) or 'spawned', where every task has a process of its
    own, or 'dask', where it runs so on a worker of the Dask cluster whose ``scheduler`` is named (its address, or a
    ``distributed.Client``; ServerUnreachable where nobody answers). ``timeout_s`` (seconds) and ``memory_mb`` (MiB)
    choose one of these, and are a BadRequest where neither can enforce them. Ctrl-C ends the task.

    ``engine``: 'pandas', 'cudf', or 'auto', the better of the two here; 'dask' and 'dask_cudf' give the task Dask
    frames over partitions of the tables, which a cluster's workers compute (``executor='dask'``), or without one this
    computer's threads. Dask frames that the graph has are never brought into memory for it.

    ``compare``: run it on this engine too, and raise EnginesDiffer when the values differ; what differs, and both times
    (seconds, of the whole run), go to stderr. Rows and items are compared as multisets and floats to a relative 1e-9;
    with ``exact``, order, dtypes and the last bits count. ``cudf_fallback='pandas'`` gives a task that imports cudf,
    where it cannot be used, a stand-in over pandas: an approximation, in a process of its own.
    Raises InvalidTask, TaskFailed, ResultNotSerializable and the other TaskError subclasses.
    """
    result = run_encoded(
        task,
        g,
        engine=engine,
        compare=compare,
        exact=exact,
        cudf_fallback=cudf_fallback,
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
    scheduler: Any = None,
    compare: str | None = None,
    exact: bool = False,
    cudf_fallback: str | None = None,
    **options: Any,
) -> TaskResult:
    """Run a task as :func:`run_task` does and return its encoded result; raise TaskError or EnginesDiffer."""
    if scheduler is not None and executor == "auto":
        executor = "dask"
    if scheduler is not None and executor != "dask":
        raise BadRequest(f"scheduler={scheduler!r} is for executor='dask': leave out executor={executor!r}.")
    if direct and not callable(task):
        raise InvalidTask("direct=True calls a live function; pass the function itself, not its source.")
    if compare is not None and direct:
        raise BadRequest("compare= looks at values that have travelled; leave out direct=True.")
    live = task if direct and callable(task) else None
    source = "" if live is not None else source_of(task)
    limits = Limits(timeout_s=timeout_s, memory_mb=memory_mb)
    stands_in = cudf_fallback is not None and engines.cudf_problem() is not None
    if executor == "auto" and (limits.needs_isolation or stands_in) and not direct:
        executor = isolating()
    place = {"scheduler": scheduler} if executor == "dask" else {}
    runs = shared_executor(executor, **place)
    graph_of = cache(partial(GraphData.of, g))

    def run_on(name: str) -> TaskResult:
        engine, fallback = settle_engine(runs, name, cudf_fallback)
        spec = Task(source, engine, function=live, cudf_fallback=fallback, **options)
        graph = graph_of(lazy=engine in engines.LAZY)
        return runs.run(spec, graph, limits, echo=sys.stderr).unwrap()

    if compare is None:
        return run_on(engine)
    first, second = (settle_engine(runs, name, cudf_fallback)[0] for name in (engine, compare))
    if first == second:
        raise BadRequest(f"engine={engine!r} is {first!r} here, which is what to compare it with: name another.")
    ours, theirs = run_on(first), run_on(second)
    _compare(ours, theirs, (first, second), exact, g, options)
    return ours


def _compare(
    ours: TaskResult, theirs: TaskResult, names: tuple[str, str], exact: bool, g: Any, options: Mapping[str, Any]
) -> None:
    """Say on stderr how two results differ, and how long they took; raise EnginesDiffer when values do."""
    from .compare import compare

    format, output_type = options.get("format", "json"), options.get("output_type", "json")
    values = [decode(each.body, each.content_type, format, output_type, g) for each in (ours, theirs)]
    found = compare(values[0], values[1], exact)
    took = ", ".join(f"{name} {each.duration_s:.3g} s" for name, each in zip(names, (ours, theirs), strict=True))
    said = ["the same values", "other values"][bool(found.differences)]
    print("\n".join([f"{names[0]} and {names[1]}: {said} ({took})", *found.lines()]), file=sys.stderr)
    if found.differences:
        count, first = len(found.differences), found.differences[0]
        raise EnginesDiffer(
            f"{names[0]} and {names[1]} give different values in {count} place{'s'[: count != 1]}: {first}.",
            differences=found.differences,
            warnings=found.warnings,
        )
