"""Which engine a task can use here: pandas always, cuDF when it really works. Imports errors and frames only."""

from __future__ import annotations

import ctypes
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from . import frames
from .errors import BadRequest, EngineUnavailable

if TYPE_CHECKING:
    import pyarrow as pa


class Engine(Enum):
    """The dataframe libraries, by PyGraphistry's names for them."""

    PANDAS = "pandas"
    CUDF = "cudf"
    DASK = "dask"
    DASK_CUDF = "dask_cudf"
    POLARS = "polars"


class EngineAbstract(Enum):
    """The same, and 'auto': whichever fits."""

    PANDAS = "pandas"
    CUDF = "cudf"
    DASK = "dask"
    DASK_CUDF = "dask_cudf"
    POLARS = "polars"
    AUTO = "auto"


log = logging.getLogger("graphistry_core")
CUDF_PACKAGES = ("cudf-cu13", "cudf-cu12", "cudf")
LAZY = ("dask", "dask_cudf")  # their frames are read when they are computed, a partition at a time


@dataclass(frozen=True)
class _Known:
    """How an engine makes a frame from an Arrow table, and what keeps it from being used (None: nothing)."""

    frame: Callable[[pa.Table], Any]
    problem: Callable[[], str | None]


def _cudf_frame(table: pa.Table) -> Any:
    import cudf

    return cudf.DataFrame.from_arrow(table)


def _cudf_problem() -> str | None:
    return cudf_problem()  # by its name, so that it can be replaced


def _dask_frame(table: pa.Table) -> Any:
    import dask.dataframe as dd

    return dd.from_pandas(frames.to_pandas(table), chunksize=max(table.num_rows, 1), sort=False)


def _dask_cudf_frame(table: pa.Table) -> Any:
    return _dask_frame(table).to_backend("cudf")


@cache
def dask_problem() -> str | None:
    """Return why Dask's frames cannot be used here, or None when they can."""
    if find_spec("dask") is None:
        return 'dask is not installed (pip install "graphistry-core[dask]")'
    try:
        import dask.dataframe
    except Exception as e:  # noqa: BLE001 - a broken install can raise anything at import or first use
        return f"dask is installed, but its frames fail at import: {type(e).__name__}: {' '.join(str(e).split())[:300]}"
    _ = dask.dataframe
    return None


def _dask_cudf_problem() -> str | None:
    problem = dask_problem() or cudf_problem()
    if problem is None and find_spec("dask_cudf") is None:
        return "dask_cudf is not installed (pip install dask-cudf-cu12 or dask-cudf-cu13, of cuDF's version)"
    return problem


_known = {
    "pandas": _Known(frames.to_pandas, lambda: None),
    "cudf": _Known(_cudf_frame, _cudf_problem),
    "dask": _Known(_dask_frame, dask_problem),
    "dask_cudf": _Known(_dask_cudf_frame, _dask_cudf_problem),
}


def register_engine(
    name: str, frame: Callable[[pa.Table], Any], problem: Callable[[], str | None] = lambda: None
) -> None:
    """Add an engine of your own, for tasks in this process.

    ``frame`` makes its dataframe from a ``pyarrow.Table``; ``problem`` says why it cannot be used, or None.
    """
    _known[name] = _Known(frame, problem)


def names() -> list[str]:
    """Return what :func:`resolve` takes."""
    return [*_known, "auto"]


def to_frame(table: pa.Table, engine: str) -> Any:
    """Turn a table into a frame of an engine; raise BadRequest for one that this process does not know."""
    if engine not in _known:
        raise BadRequest(f"engine={engine!r} is not known in this process; use {_choice()}.")
    return _known[engine].frame(table)


def _choice() -> str:
    return ", ".join(map(repr, names()[:-1])) + " or 'auto'"


def resolve(engine: str) -> str:
    """Turn 'pandas', 'cudf', 'dask', 'dask_cudf' or 'auto' into the engine to use.

    'auto' is cuDF where it works, else pandas (the reason is logged once); one that was named and cannot be used
    raises EngineUnavailable with the reason.
    """
    engine = str(getattr(engine, "value", engine))
    if engine == "auto":
        problem = cudf_problem()
        if problem is None:
            return "cudf"
        _log_fallback(problem)
        return "pandas"
    if engine not in _known:
        raise BadRequest(f"engine={engine!r} is unknown; use {_choice()}.")
    problem = _known[engine].problem()
    if problem is not None:
        raise EngineUnavailable(f"engine={engine!r} cannot be used here: {problem}. Use engine='pandas' or 'auto'.")
    return engine


@cache
def _log_fallback(reason: str) -> None:
    log.info("engine 'auto' uses pandas: %s", reason)


# --- the probe ------------------------------------------------------------------------------------------------

_PROBE_S = 60.0
_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from graphistry_core.engines import try_cudf
print("\\n" + json.dumps(try_cudf()))
"""


@cache
def cudf_problem() -> str | None:
    """Return why cuDF cannot be used here, or None when it can; found out once.

    Whether it is installed is looked up; the rest is tried in a process of its own, because a broken install may end
    the process, and because a process in which CUDA runs must never be forked.
    """
    if "cudf" in sys.modules and not getattr(sys.modules["cudf"], "is_stand_in", False):
        return try_cudf()
    if find_spec("cudf") is None:
        return 'cudf is not installed (pip install "graphistry-core[cudf-cu12]" or [cudf-cu13], on a CUDA machine)'
    command = [sys.executable, "-c", _CHILD, json.dumps(sys.path)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"cudf is installed, but a first operation did not end within {_PROBE_S:g} s"
    if ran.returncode < 0:
        return f"cudf is installed, but using it ends the process (signal {-ran.returncode})"
    try:
        found = json.loads(ran.stdout.strip().rpartition("\n")[2])
    except ValueError:
        said = ran.stderr.strip().rpartition("\n")[2][:300]
        return f"cudf is installed, but using it ends the process (exit code {ran.returncode}: {said})"
    return None if found is None else str(found)


def try_cudf() -> str | None:
    """Use cuDF in this process, and say what is wrong with it, or None.

    In this order, because ``import cudf`` succeeds without a driver and proves nothing: the CUDA driver and a device
    through ctypes, then an import with one small operation.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "the NVIDIA driver is not installed (libcuda.so.1 was not found)"
    count = ctypes.c_int(0)
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return "the NVIDIA driver is installed but does not start (cuInit failed)"
    if count.value == 0:
        return "the NVIDIA driver sees no GPU"
    doing = "import"
    try:
        import cudf

        doing = "first use"
        total = int(cudf.Series([1, 2, 3]).sum())
    except Exception as e:  # noqa: BLE001 - a broken install can raise anything at import or first use
        said = " ".join(str(e).split())[:300]
        clash = [text for name in CUDF_PACKAGES for _, text in conflicts(name)]
        why = f"; {'; '.join(clash)}" if clash else ""
        return f"cudf is installed but fails at {doing}: {type(e).__name__}: {said}{why}"
    return None if total == 6 else f"cudf is installed but its results are wrong (1 + 2 + 3 is {total})"


def installed(name: str) -> str:
    """Return the version of a distribution, or '-'."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


def conflicts(name: str) -> list[tuple[str, str]]:
    """Return what a distribution requires and the environment does not hold, with the command that mends it."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        required = distribution(name).requires or []
    except PackageNotFoundError:
        return []
    rows = []
    for text in required:
        try:
            need = Requirement(text)
        except InvalidRequirement:
            continue
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        found = installed(need.name)
        if found == "-" or not need.specifier.contains(found, prereleases=True):
            state = "it is missing" if found == "-" else f"{found} is installed"
            rows.append((name, f'needs {need}, but {state}: pip install "{need.name}{need.specifier}"'))
    return rows
