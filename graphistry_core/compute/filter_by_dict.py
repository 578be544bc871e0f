"""Which rows of a table match a dict of column names to values, lists of values, or predicates."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import numpy as np
import pandas as pd

from . import bridge
from .exceptions import ErrorCode, GFQLSchemaError

_LISTS = (list, tuple, set, frozenset, pd.Index, pd.Series)
_LEVELS = ("strict", "warn", "quiet")
_scope: ContextVar[tuple[str, set[str]] | None] = ContextVar("graphistry_core_strictness", default=None)


@contextlib.contextmanager
def strictness(level: str) -> Iterator[None]:
    """What a column that is not there means in the block: 'strict' an error, else null; 'warn' says so once each."""
    if _scope.get() is not None:
        yield
        return
    token = _scope.set((level, set()))
    try:
        yield
    finally:
        _scope.reset(token)


def level_of(strict: Any) -> str:
    """Return the level that PyGraphistry's ``strict`` names: None is 'warn', True 'strict', False 'quiet'."""
    if strict is None:
        return "warn"
    if isinstance(strict, bool):
        return "strict" if strict else "quiet"
    if strict in _LEVELS:
        return str(strict)
    raise ValueError(f"strict must be None, a bool, or one of {_LEVELS}, not {strict!r}.")


def filter_by_dict(frame: Any, filter_dict: Mapping[str, Any] | None = None) -> Any:
    """Return the rows that match; all of them without a condition."""
    if not filter_dict:
        return frame
    try:
        return frame[filter_mask(frame, filter_dict)]
    except NotOurs:
        return bridge.filtered(frame, dict(filter_dict))


def check_columns(frame: Any, filter_dict: Mapping[str, Any], *, times: bool = True) -> None:
    """Raise what :func:`filter_mask` would, without looking at a row; ``times``: also for text that is no time."""
    for name, value in filter_dict.items():
        column = _column(frame, name, value)
        if column is None or len(frame) == 0:
            continue
        if is_predicate(value):
            _check_predicate(frame[column], name, value)
        elif not isinstance(value, _LISTS) and (times or not _is_time(frame[column].dtype)):
            _checked_scalar(frame[column], name, value)


def filter_mask(frame: Any, filter_dict: Mapping[str, Any]) -> np.ndarray:
    """Return which rows match, as booleans; raise GFQLSchemaError for a column that is not there or of another type."""
    mask = np.ones(len(frame), np.bool_)
    for name, value in filter_dict.items():
        column = _column(frame, name, value)
        if column is None:
            if not _matches_missing(value):
                mask[:] = False
            continue
        mask &= _matches(frame[column], name, value, empty=len(frame) == 0)
    return mask


def _column(frame: Any, name: str, value: Any) -> str | None:
    """Return the column that a name means; None where it is not there and that is no error."""
    if name in frame.columns:
        return name
    if name.startswith("label__") or (name in ("type", "labels") and isinstance(value, str)):
        raise NotOurs
    scope = _scope.get()
    if scope is None or scope[0] == "strict":
        shown = ", ".join(map(str, frame.columns[:10])) + ("..." if len(frame.columns) > 10 else "")
        raise GFQLSchemaError(
            ErrorCode.E301,
            f'Column "{name}" does not exist in dataframe',
            field=name,
            value=value,
            suggestion=f"Available columns: {shown}",
        )
    level, said = scope
    if level == "warn" and name not in said:
        said.add(name)
        warnings.warn(
            f'GFQL: the column "{name}" is not there, and counts as null. strict=True makes this an error, '
            "strict='quiet' silences it.",
            UserWarning,
            stacklevel=2,
        )
    return None


class NotOurs(Exception):
    """A condition whose meaning is PyGraphistry's own: Cypher's labels."""


def is_predicate(value: Any) -> bool:
    """Say whether a value is a predicate, ours or PyGraphistry's: something to call with a column."""
    return callable(value) and hasattr(value, "to_json")


def _matches_missing(value: Any) -> bool:
    return type(value).__name__ in ("IsNA", "IsNull")


def _matches(column: Any, name: str, value: Any, *, empty: bool) -> np.ndarray:
    if is_predicate(value):
        _check_predicate(column, name, value)
        return _booleans(value(column))
    if isinstance(value, _LISTS):
        return _booleans(column.isin(list(value)) & column.notna())
    if not empty:
        value = _checked_scalar(column, name, value)
    return _booleans(column == value)


def _booleans(mask: Any) -> np.ndarray:
    if getattr(mask.dtype, "kind", "") == "b" and isinstance(mask.dtype, np.dtype):
        return mask.to_numpy()  # type: ignore[no-any-return]
    return mask.astype("boolean").fillna(False).to_numpy(dtype=np.bool_)  # type: ignore[no-any-return]


def is_string(dtype: Any) -> bool:
    """Say whether a column of this dtype may hold text."""
    return bool(pd.api.types.is_string_dtype(dtype))


def _is_time(dtype: Any) -> bool:
    return bool(pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype))


def _checked_scalar(column: Any, name: str, value: Any) -> Any:
    dtype = column.dtype
    if isinstance(value, str):
        if _is_time(dtype):
            try:
                return (pd.to_datetime if pd.api.types.is_datetime64_any_dtype(dtype) else pd.to_timedelta)(value)
            except (TypeError, ValueError, OverflowError) as e:
                raise _mismatch(name, value, dtype, "is temporal, and the filter value is no time",
                                "Use a timestamp or duration that pandas can parse") from e  # fmt: skip
        if pd.api.types.is_numeric_dtype(dtype):
            raise _mismatch(name, value, dtype, "is numeric but filter value is string", f"Use a number: {name}=123")
    _checked_number(column, name, value)
    return value


def _checked_number(column: Any, name: str, value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool) and is_string(column.dtype):
        raise _mismatch(name, value, column.dtype, "is string but filter value is numeric",
                        f'Use a string: {name}="value"')  # fmt: skip


def _check_predicate(column: Any, name: str, value: Any) -> None:
    families = {base.__name__ for base in type(value).__mro__}
    numeric = type(value).__module__.endswith(".predicates.numeric")  # PyGraphistry's older ones take numbers only
    if numeric and families & {"NumericASTPredicate", "Between"} and not pd.api.types.is_numeric_dtype(column.dtype):
        said = f"{type(value).__name__}(...)"
        raise _mismatch(name, said, column.dtype, "is not numeric, and the predicate is",
                        "Use string predicates like contains() or startswith() for text")  # fmt: skip
    if families & {"Contains", "Startswith", "Endswith", "Match"} and not is_string(column.dtype):
        said = f"{type(value).__name__}(...)"
        raise _mismatch(name, said, column.dtype, "is not text, and the predicate is for text",
                        "Use numeric predicates like gt() or lt() for numbers")  # fmt: skip


def _mismatch(name: str, value: Any, dtype: Any, what: str, suggestion: str) -> GFQLSchemaError:
    return GFQLSchemaError(
        ErrorCode.E302,
        f'Type mismatch: column "{name}" {what}',
        field=name,
        value=value,
        column_type=str(dtype),
        suggestion=suggestion,
    )
