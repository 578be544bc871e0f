"""Which engine a task can use here: pandas always, cuDF when it really works. Imports errors only."""

from __future__ import annotations

import ctypes
import logging
from enum import Enum
from functools import cache
from importlib.util import find_spec

from .errors import BadRequest, EngineUnavailable


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


ENGINES = ("pandas", "cudf", "auto")
log = logging.getLogger("graphistry_core")


@cache
def cudf_problem() -> str | None:
    """Return why cuDF cannot be used here, or None when it can.

    Probed in this order, because ``import cudf`` succeeds without a driver and proves nothing: the package, the
    CUDA driver and a device through ctypes, then an import with one small operation.
    """
    if find_spec("cudf") is None:
        return 'cudf is not installed (pip install "graphistry-core[cudf-cu12]" or [cudf-cu13], on a CUDA machine)'
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "the NVIDIA driver is not installed (libcuda.so.1 was not found)"
    count = ctypes.c_int(0)
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return "the NVIDIA driver is installed but does not start (cuInit failed)"
    if count.value == 0:
        return "the NVIDIA driver sees no GPU"
    try:
        import cudf

        total = int(cudf.Series([1, 2, 3]).sum())
    except Exception as e:  # noqa: BLE001 - a broken install can raise anything at import or first use
        return f"cudf is installed but does not work: {type(e).__name__}: {e}"
    return None if total == 6 else "cudf is installed but its results are wrong"


@cache
def _log_fallback(reason: str) -> None:
    log.info("engine 'auto' uses pandas: %s", reason)


def resolve(engine: str) -> str:
    """Turn 'pandas', 'cudf' or 'auto' into the engine to use.

    'auto' is cuDF where it works, else pandas (the reason is logged once); a plain 'cudf' that cannot be used
    raises EngineUnavailable with the reason.
    """
    engine = str(getattr(engine, "value", engine))
    if engine not in ENGINES:
        raise BadRequest(f"engine={engine!r} is unknown; use 'pandas', 'cudf' or 'auto'.")
    if engine == "pandas":
        return engine
    problem = cudf_problem()
    if problem is None:
        return "cudf"
    if engine == "cudf":
        raise EngineUnavailable(f"engine='cudf' cannot be used here: {problem}. Use engine='pandas' or 'auto'.")
    _log_fallback(problem)
    return "pandas"
