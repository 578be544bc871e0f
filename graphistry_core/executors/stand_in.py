"""A few names of cuDF over pandas, for tasks that import it where it cannot be used: an approximation, and it says so.

What it has behaves as pandas does, which is close to cuDF and not the same (row order, null handling, precision,
unsupported operations). Only in a task's own process, where the user asked for it. May import frames.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pyarrow as pa

from .. import frames

_HAS = "DataFrame, Series, from_pandas, concat and merge"


class _Rows:
    """What cuDF refuses, refused here too."""

    def iterrows(self) -> Any:
        """Raise TypeError, as cuDF does."""
        raise TypeError("cuDF does not support iterating over rows: use .to_pandas().iterrows(), or whole columns.")

    itertuples = iterrows


class Series(pd.Series):  # type: ignore[misc,unused-ignore] # with and without pandas' stubs
    """``cudf.Series``, approximated."""

    @property
    def _constructor(self) -> Any:
        return Series

    @property
    def _constructor_expanddim(self) -> Any:
        return DataFrame

    def to_pandas(self) -> Any:
        """Return the pandas Series."""
        return pd.Series(self)

    def to_arrow(self) -> Any:
        """Return the values as a ``pyarrow`` array."""
        return pa.array(self, from_pandas=True)

    @property
    def values_host(self) -> Any:
        """The values as a numpy array."""
        return self.to_numpy()


class DataFrame(_Rows, pd.DataFrame):  # type: ignore[misc,unused-ignore]
    """``cudf.DataFrame``, approximated."""

    @property
    def _constructor(self) -> Any:
        return DataFrame

    @property
    def _constructor_sliced(self) -> Any:
        return Series

    @classmethod
    def from_arrow(cls, table: Any) -> Any:
        """Make a frame from a ``pyarrow.Table``."""
        return cls(frames.to_pandas(table).copy())

    @classmethod
    def from_pandas(cls, frame: Any, nan_as_null: Any = None) -> Any:
        """Make a frame from a pandas one."""
        return cls(frame)

    def to_pandas(self) -> Any:
        """Return the pandas frame."""
        return pd.DataFrame(self)

    def to_arrow(self, preserve_index: bool | None = None) -> Any:
        """Return the frame as a ``pyarrow.Table``."""
        return pa.Table.from_pandas(pd.DataFrame(self), preserve_index=preserve_index)


def from_pandas(frame: Any, nan_as_null: Any = None) -> Any:  # noqa: ARG001 - cuDF's signature
    """Return the frame or series of this module for pandas'."""
    return DataFrame(frame) if isinstance(frame, pd.DataFrame) else Series(frame)


def concat(objs: Any, axis: int = 0, ignore_index: bool = False, **options: Any) -> Any:
    """Put frames or series one below the other."""
    together: Any = pd.concat
    return from_pandas(together(objs, axis=axis, ignore_index=ignore_index, **options))


def merge(left: Any, right: Any, *args: Any, **options: Any) -> Any:
    """Join two frames."""
    return DataFrame(pd.merge(left, right, *args, **options))


def _missing(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(
        f"cudf.{name} is not in the stand-in over pandas, which has {_HAS}: run the task where cuDF works."
    )


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.machinery.ModuleSpec("cudf", self) if name == "cudf" else None

    def exec_module(self, module: Any) -> None:
        module.is_stand_in, module.__version__ = True, "0 (stand-in over pandas)"
        for made in (DataFrame, Series, from_pandas, concat, merge):
            setattr(module, made.__name__, made)
            made.__module__ = "cudf"
        module.__getattr__ = _missing


@contextlib.contextmanager
def provided(used: Callable[[], None]) -> Iterator[None]:
    """Let ``import cudf`` give the stand-in while the block runs; call ``used`` at its end if somebody imported it."""
    finder, before = _Finder(), sys.modules.pop("cudf", None)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if sys.modules.pop("cudf", None) is not None:
            used()
        if before is not None:
            sys.modules["cudf"] = before
