"""Run tasks in this process: fast, breakpoints work, nothing is limited but the size of output and result."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback as tb
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from .. import engines
from ..errors import BadRequest, GraphistryError, ResultNotSerializable, TaskError, TaskFailed
from . import dask_hints
from .contract import APPROXIMATION, GraphData, Limits, Task, TaskResult
from .logs import TaskOutput, captured, describe
from .result import encode
from .task import check_imports, compiled, function_of, loaded, prepare

_SHOWN_FRAMES = 8
_LONGEST_LINE = 200


class InProcessExecutor:
    """The default of the library. A task that never returns, or kills the process, takes the process with it."""

    name = "inprocess"

    def run(
        self,
        task: Task,
        graph: GraphData,
        limits: Limits,
        echo: TextIO | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> TaskResult:
        """See :class:`Executor`. Raises BadRequest for a time or memory limit, which cannot be enforced here."""
        if limits.needs_isolation:
            raise BadRequest(
                "A time or memory limit needs the task to run in a process of its own: use executor='isolated' (Linux) "
                "or 'spawned', or leave the limit out."
            )
        if task.cudf_fallback:
            raise BadRequest("The stand-in for cudf is for tasks in processes of their own: use another executor.")
        start = time.perf_counter()
        if task.function is not None:
            return _call_live(task, graph, start)
        body, content_type, error = b"", "", None
        with captured(limits.output_mb, echo) as output:
            try:
                body, content_type = execute(task, graph, limits, output)
            except TaskError as e:
                error = e
        took = time.perf_counter() - start
        if error is not None:
            error = error.with_details(logs=output.text, run_id=task.run_id, duration_s=took)
        return TaskResult(task.run_id, body, content_type, None, output.text, took, error)

    def close(self) -> None:
        """Nothing to release."""


def execute(task: Task, graph: GraphData, limits: Limits, output: TaskOutput) -> tuple[bytes, str]:
    """Run a task in the current process and encode its value; raise TaskError and nothing else."""
    text = prepare(task.source)
    check_imports(text, ("cudf",) if task.cudf_fallback else ())
    if task.cudf_fallback:
        from . import stand_in

        with stand_in.provided(lambda: output.note(APPROXIMATION)):
            return _execute(text, task, graph, limits, output)
    if task.engine in engines.LAZY:
        from . import dask_frames

        with dask_frames.computing(task):
            return _execute(text, task, dask_frames.ready(graph, live=True), limits, output)
    return _execute(text, task, graph, limits, output)


def _execute(text: str, task: Task, graph: GraphData, limits: Limits, output: TaskOutput) -> tuple[bytes, str]:
    filename = f"<task {task.run_id}>"
    code = compiled(text, filename)
    g = _build(task, graph)
    failures = partial(_failures, filename, task.engine)
    with loaded(text, task.run_id) as module:
        with failures():
            exec(code, module.__dict__)  # noqa: S102
        function = function_of(module)
        with failures():
            value = function(g)
        if task.engine in engines.LAZY:
            from . import dask_frames

            value = dask_frames.computed(value, task, limits, failures)
        # Still inside the task's module: encoding may call methods of classes it defined.
        with _encoding():
            return encode(value, task, limits, output)


def _build(task: Task, graph: GraphData) -> Any:
    try:
        # A live function may keep its frames, or hand them out; a shipped one's go with its run.
        return graph.plottable(task.engine, task.plottable, lasting=task.function is not None)
    except GraphistryError as e:
        raise TaskFailed(f"The graph of the task cannot be built: {e.message}") from e
    except Exception as e:  # a library's word on values it has no form for
        raise TaskFailed(f"The graph of the task cannot be built as {task.engine} frames: {describe(e)}") from e


def _call_live(task: Task, graph: GraphData, start: float) -> TaskResult:
    assert task.function is not None
    code = getattr(task.function, "__code__", None)
    if task.engine in engines.LAZY:
        from . import dask_frames

        graph = dask_frames.ready(graph, live=True, lasting=True)
    try:
        g = _build(task, graph)
        with _failures(code.co_filename if code is not None else "", task.engine):
            value = task.function(g)
    except TaskError as e:
        return TaskResult(task.run_id, error=e.with_details(run_id=task.run_id))
    return TaskResult(task.run_id, value=value, duration_s=time.perf_counter() - start)


@contextlib.contextmanager
def _failures(filename: str, engine: str) -> Iterator[None]:
    """Turn whatever the user's code raises into TaskFailed; Ctrl-C in the main thread stays Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        if threading.current_thread() is threading.main_thread():
            raise
        raise TaskFailed("KeyboardInterrupt: the task interrupted itself.") from None
    except BaseException as e:  # sys.exit() and friends must not end the server
        raise failure(e, filename, engine) from e


@contextlib.contextmanager
def _encoding() -> Iterator[None]:
    """Turn even what ``sys.exit()`` in a value's own methods raises into an error of the result."""
    try:
        yield
    except TaskError:
        raise
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
        raise ResultNotSerializable(f"The result cannot be encoded: {describe(e)}") from e


def failure(e: BaseException, filename: str, engine: str = "") -> TaskFailed:
    """Describe an exception: the innermost line of the user's own source first, library frames folded.

    What the engine is known to do otherwise than pandas comes with what to write instead.
    """
    said, name = describe(e), type.__getattribute__(type(e), "__name__")
    try:
        summary = tb.extract_tb(e.__traceback__)
    except Exception:  # noqa: BLE001 - an exception may lie about its own traceback
        return TaskFailed(said, type=name, traceback=said)
    own = [frame for frame in summary if frame.filename == filename]
    at = own[-1] if own else None
    where = f" (line {at.lineno}: {(at.line or '').strip()[:_LONGEST_LINE]})" if at is not None else ""
    advice = dask_hints.hint(said) if engine in engines.LAZY else ""
    column = None if at is None or at.colno is None else at.colno + 1
    return TaskFailed(
        said + where + (f". {advice[0].upper()}{advice[1:]}." if advice else ""),
        line=None if at is None else at.lineno,
        column=column,
        type=name,
        traceback=_fold(summary, filename) + said,
    )


def _fold(summary: tb.StackSummary, filename: str) -> str:
    """Show the user's frames, and one line for each run of library frames."""
    shown: list[str] = []
    first_own = next((i for i, frame in enumerate(summary) if frame.filename == filename), len(summary))
    for own, run in groupby(summary[first_own:], key=lambda frame: frame.filename == filename):
        frames = list(run)
        if own:
            lines = [f"  line {f.lineno}, in {f.name}: {(f.line or '').strip()[:_LONGEST_LINE]}\n" for f in frames]
            if len(lines) > 2 * _SHOWN_FRAMES:
                left_out = f"  … {len(lines) - 2 * _SHOWN_FRAMES} more frames of the task …\n"
                lines = [*lines[:_SHOWN_FRAMES], left_out, *lines[-_SHOWN_FRAMES:]]
            shown += lines
        else:
            libraries = ", ".join(dict.fromkeys(_library(f.filename) for f in frames))
            shown.append(f"  … {len(frames)} frame{'s' * (len(frames) > 1)} in {libraries} …\n")
    return "Traceback of the task (most recent call last):\n" + "".join(shown)


def _library(filename: str) -> str:
    parts = Path(filename).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    return Path(filename).stem
