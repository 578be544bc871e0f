"""Run tasks in this process: fast, breakpoints work, nothing is limited but the size of output and result."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback as tb
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TextIO

from ..errors import BadRequest, InvalidTask, TaskError, TaskFailed
from .contract import GraphData, Limits, Task, TaskResult
from .logs import TaskOutput, captured
from .result import encode
from .task import loaded, prepare

_SHOWN_FRAMES = 8


class InProcessExecutor:
    """The default of the library. A task that never returns, or kills the process, takes the process with it."""

    name = "inprocess"

    def run(self, task: Task, graph: GraphData, limits: Limits, echo: TextIO | None = None) -> TaskResult:
        """See :class:`Executor`. Raises BadRequest for a time or memory limit, which cannot be enforced here."""
        if limits.needs_isolation:
            raise BadRequest(
                "A time or memory limit needs the task to run in a process of its own, which executor='inprocess' "
                "does not do; leave the limit out."
            )
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
    """Run a task in the current process and encode its value; raise TaskError."""
    text = prepare(task.source)
    g = graph.plottable(task.engine, task.plottable)
    with contextlib.ExitStack() as stack:
        with _failures(f"<task {task.run_id}>"):
            function, _ = stack.enter_context(loaded(text, task.run_id))
            value = function(g)
        # Still inside the task's module: encoding may call methods of classes it defined.
        return encode(value, task, limits, output)


def _call_live(task: Task, graph: GraphData, start: float) -> TaskResult:
    assert task.function is not None
    code = getattr(task.function, "__code__", None)
    try:
        with _failures(code.co_filename if code is not None else ""):
            value = task.function(graph.plottable(task.engine, task.plottable))
    except TaskError as e:
        return TaskResult(task.run_id, error=e.with_details(run_id=task.run_id))
    return TaskResult(task.run_id, value=value, duration_s=time.perf_counter() - start)


@contextlib.contextmanager
def _failures(filename: str) -> Iterator[None]:
    """Turn whatever the user's code raises into TaskFailed; Ctrl-C in the main thread stays Ctrl-C."""
    try:
        yield
    except InvalidTask:
        raise
    except KeyboardInterrupt:
        if threading.current_thread() is threading.main_thread():
            raise
        raise TaskFailed("KeyboardInterrupt: the task interrupted itself.") from None
    except BaseException as e:  # sys.exit() and friends must not end the server
        raise failure(e, filename) from e


def failure(e: BaseException, filename: str) -> TaskFailed:
    """Describe an exception: the innermost line of the user's own source first, library frames folded."""
    summary = tb.extract_tb(e.__traceback__)
    own = [frame for frame in summary if frame.filename == filename]
    at = own[-1] if own else None
    said = describe(e)
    where = f" (line {at.lineno}: {(at.line or '').strip()})" if at is not None else ""
    column = None if at is None or at.colno is None else at.colno + 1
    return TaskFailed(
        said + where,
        line=None if at is None else at.lineno,
        column=column,
        type=type(e).__name__,
        traceback=_fold(summary, filename) + said,
    )


def describe(e: BaseException) -> str:
    """Return ``Type: text`` of an exception, even of one whose ``__str__`` raises."""
    try:
        text = str(e)
    except BaseException as broken:  # noqa: BLE001 - even its own text may be broken
        text = f"<its text cannot be shown: {type(broken).__name__}>"
    return f"{type(e).__name__}: {text}" if text else type(e).__name__


def _fold(summary: tb.StackSummary, filename: str) -> str:
    """Show the user's frames, and one line for each run of library frames."""
    shown: list[str] = []
    first_own = next((i for i, frame in enumerate(summary) if frame.filename == filename), len(summary))
    for own, run in groupby(summary[first_own:], key=lambda frame: frame.filename == filename):
        frames = list(run)
        if own:
            lines = [f"  line {f.lineno}, in {f.name}: {(f.line or '').strip()}\n" for f in frames]
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
