"""The process that runs tasks: it takes jobs from a socket and answers each with a result or an error.

Its stdout and stderr are one pipe to the server, its stdin is at its end, and it has no other descriptor but the
socket. May import the executors, frames and errors; pandas comes with the first graph.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import frames
from ..errors import TaskError, TaskFailed, TaskOutOfMemory
from . import processes
from .channel import WORD, BrokenChannel, Message, receive, send
from .contract import GraphData, Limits, Task
from .inprocess import execute
from .logs import TaskOutput

_INLINE = 1 << 16  # bytes of a result up to which it goes through the socket
_THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def graph_of(header: Mapping[str, Any], fds: Mapping[str, int]) -> GraphData:
    """Map the tables behind descriptors; a dataset's other properties are in the header."""
    tables = {which: frames.map_arrow(Path(_path_of(fd))) for which, fd in fds.items()}
    for fd in fds.values():
        os.close(fd)
    names = (header["dataset_id"], header["name"], header["description"])
    index = None if header["index"] is None else Path(header["index"])
    return GraphData(
        tables.get("edges"),
        tables.get("nodes"),
        header["bindings"],
        *names,
        index_folder=index,
        partitions=header["partitions"],
    )


def _path_of(fd: int) -> str:
    return f"/proc/self/fd/{fd}" if processes.LINUX else f"/dev/fd/{fd}"


def settle(jobs: socket.socket, output: int) -> None:
    """Make this process a worker: standard streams, descriptors, signals, randomness, garbage."""
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    processes.close_others({jobs.fileno()})
    processes.gain_nothing()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name, fd in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        raw: Any = io.FileIO(fd, "wb" if fd else "rb", closefd=False)
        if fd == 0:
            raw = io.BufferedReader(raw)
        # Unbuffered: what a child process of the task says comes in its place.
        stream = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=fd > 0)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    import random

    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


_REHEARSAL = """
def task(g):
    table = g._nodes if g._edges is None else g._edges
    column = table[list(table)[-1]].head(3)
    mean = float(column.mean()) if column.dtype.kind in "if" else 0.0
    return {"rows": len(table), "mean": mean, "some": int(column.isin([1]).sum())}
"""


def rehearse(graph: GraphData, plottable: str, scratch: str) -> None:
    """Do a small job that changes nothing, and answer nobody.

    What a fork touches for the first time is copied, or mapped, page by page: some milliseconds of a first task, and
    half of one of a second.
    """
    task = {"plottable": plottable}
    limits: dict[str, Any] = {"limits": {}, "memory": None, "scratch_limit": None}
    header = {**limits, "word": WORD.hex(), "task": task, "threads": 1}
    ours, theirs = socket.socketpair()
    with ours, theirs:
        do_job(ours, Message(header, _REHEARSAL.encode()), graph, scratch)
        receive(theirs)
        receive(theirs)


def take_job(jobs: socket.socket) -> Message | None:
    """Wait for a job; None where the server has no more."""
    try:
        return receive(jobs)
    except BrokenChannel:
        return None


def do_job(jobs: socket.socket, job: Message, graph: GraphData, scratch: str) -> bool:
    """Run the task of a job and answer with what becomes of it; return whether it succeeded."""
    header = job.header
    word = bytes.fromhex(header["word"])
    send(jobs, Message({"began": True}), word)
    limits = Limits(**header["limits"])
    task = Task(job.payload.decode("utf-8", "surrogatepass"), **header["task"])
    notes, this = TaskOutput(1.0), os.getpid()
    started = time.perf_counter()
    on_gpu = task.engine == "cudf" and not task.cudf_fallback
    with _limited(header, on_gpu, scratch):
        try:
            with _gpu_limited(header["memory"] if on_gpu else None, graph):
                body, kind = execute(task, graph, limits, notes)
            answer: dict[str, Any] = {"type": kind}
        except TaskError as e:
            error = _as_out_of_memory(e)
            body, answer = b"", {"error": {"code": error.code, "message": error.message, "details": error.details}}
        except BaseException as e:  # noqa: BLE001 - a KeyboardInterrupt that the task raised itself
            body, answer = b"", _unknown(e)
        if os.getpid() != this:
            os._exit(0)  # a child that the task forked, and that went on here: one answer is enough
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()
    answer |= {"notes": notes.text, "duration_s": time.perf_counter() - started}
    if len(body) <= _INLINE:
        send(jobs, Message(answer, body), word)
    else:
        fd = _shared(body)
        send(jobs, Message({**answer, "size": len(body)}, fds=[fd]), word)
        os.close(fd)
    return "error" not in answer


def _unknown(e: BaseException) -> dict[str, Any]:
    failed = TaskFailed(f"{type(e).__name__}: the task interrupted itself.")
    return {"error": {"code": failed.code, "message": failed.message, "details": failed.details}}


# Python's, numpy's, Arrow's, cuPy's; RMM and libcudf say std::bad_alloc, whatever the class
_OUT_OF_MEMORY = ("MemoryError", "_ArrayMemoryError", "ArrowMemoryError", "OutOfMemoryError")


def _as_out_of_memory(e: TaskError) -> TaskError:
    if isinstance(e, TaskFailed) and (e.details.get("type") in _OUT_OF_MEMORY or "std::bad_alloc" in e.message):
        return TaskOutOfMemory(e.message, **e.details)
    return e


def _shared(body: bytes) -> int:
    """Return a descriptor of a file without a name that holds a result."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("graphistry-result")
    else:
        fd, path = tempfile.mkstemp()
        os.unlink(path)
    view = memoryview(body)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def start_cuda(task: Mapping[str, Any]) -> bool:
    """Have cuDF do its first work before a task that uses it, and return whether this was it.

    What CUDA opens and starts then is not the task's doing.
    """
    if task.get("engine") != "cudf" or task.get("cudf_fallback") or "cudf" in sys.modules:
        return False
    with contextlib.suppress(Exception):  # the task will meet it, and its error says what it is
        import cudf

        cudf.Series([1]).sum()
    return True


@contextlib.contextmanager
def _gpu_limited(memory: int | None, graph: GraphData) -> Any:
    """Let RMM, which cuDF allocates with, refuse more than ``memory`` bytes beyond the tables."""
    if memory is None:
        yield
        return
    try:
        import rmm
    except ImportError as e:
        raise TaskFailed(f"A limit on GPU memory needs rmm, which cuDF comes with: {e}.") from e
    before = rmm.mr.get_current_device_resource()
    tables = sum(table.nbytes for table in (graph.edges, graph.nodes) if table is not None)
    rmm.mr.set_current_device_resource(rmm.mr.LimitingResourceAdaptor(before, memory + tables))
    try:
        yield
    finally:
        rmm.mr.set_current_device_resource(before)


@contextlib.contextmanager
def _limited(header: Mapping[str, Any], on_gpu: bool, scratch: str) -> Any:
    """Give a task its scratch directory, its share of the threads, and what of its limits a process can hold itself."""
    import resource

    memory, size = header["memory"], header["scratch_limit"]
    environment = dict(os.environ)
    os.chdir(scratch)
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    share_threads(header["threads"])
    before = {}
    if memory is not None and processes.LINUX and not on_gpu:  # CUDA reserves far more than it uses
        before[resource.RLIMIT_AS] = _soften(resource.RLIMIT_AS, processes.address_space() + memory)
    if size is not None:
        before[resource.RLIMIT_FSIZE] = _soften(resource.RLIMIT_FSIZE, size)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an OSError instead
    try:
        yield
    finally:
        for which, pair in before.items():
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(which, pair)
        with contextlib.suppress(OSError):
            os.chdir("/")
        tempfile.tempdir = None
        os.environ.clear()
        os.environ.update(environment)


def _soften(which: int, value: int) -> tuple[int, int]:
    import resource

    soft, hard = resource.getrlimit(which)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
    return soft, hard


def share_threads(count: int) -> None:
    """Let the thread pools of a task's libraries have so many threads; none of them has started yet."""
    for name in _THREADS:
        os.environ[name] = str(count)
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].set_cpu_count(count)
    if "numba" in sys.modules:
        with contextlib.suppress(Exception):
            _share_numbas(sys.modules["numba"], count)


def _share_numbas(numba: Any, count: int) -> None:
    """Set how many threads numba will start; where it has started them already, how many it uses.

    Not by ``set_num_threads`` alone: that starts them, and settles which kind, before the task can say which.
    """
    if numba.np.ufunc.parallel._is_initialized:
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    else:
        numba.config.reload_config()  # now: at the next compilation it would undo what the task has set by then


def prepare_libraries(preload: list[str]) -> None:
    """Import what tasks use, without starting a thread."""
    import importlib

    import pandas as pd

    sys.modules["pyarrow"].set_cpu_count(1)
    if not frames.copies_on_write():
        pd.set_option("mode.copy_on_write", True)
    import faulthandler

    faulthandler.enable(sys.__stderr__ or 2)  # of whichever fork it happens in
    for name in preload:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def freeze() -> None:
    """Move everything that is there out of the garbage collector's sight, so that forks share it."""
    gc.collect()
    gc.freeze()
