"""Whether two engines gave the same answer, and where they did not.

cuDF promises neither pandas' row order after a group-by or join, nor the last bits of a float sum. So tables, and lists
of records, are compared as multisets of rows, and floats to a relative 1e-9; order and dtypes are only reported.
May import frames and tables.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from .. import frames

RTOL = 1e-9
_SHOWN = 20
_LONGEST = 80
_TRIED = 1000


@dataclass
class Comparison:
    """What differs between two values: ``differences`` count, ``warnings`` are only said."""

    differences: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return it for a person, cut after a while."""
        shown = [f"differs: {each}" for each in self.differences[:_SHOWN]]
        hidden = len(self.differences) - len(shown)
        more = [f"… and {hidden} more differences"] if hidden > 0 else []
        return [*shown, *more, *(f"note: {each}" for each in self.warnings[:_SHOWN])]


def compare(ours: Any, theirs: Any, exact: bool = False) -> Comparison:
    """Compare two decoded values of the same task: JSON, tables, or graphs (with ``_nodes`` and ``_edges``).

    ``exact``: order, dtypes and the last bits count too.
    """
    found = Comparison()
    _compare("result", ours, theirs, exact, found)
    if exact:
        found.differences += found.warnings
        found.warnings = []
    return found


def _compare(path: str, a: Any, b: Any, exact: bool, found: Comparison) -> None:
    if hasattr(a, "_edges") and hasattr(b, "_edges"):
        for which in ("_edges", "_nodes"):
            _compare(f"{path}.{which}", getattr(a, which), getattr(b, which), exact, found)
    elif frames.is_table(a) and frames.is_table(b):
        _tables(path, a, b, exact, found)
    elif isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            if key not in a or key not in b:
                found.differences.append(f"{path}[{key!r}] is only in the {'first' if key in a else 'second'}")
            else:
                _compare(f"{path}[{key!r}]", a[key], b[key], exact, found)
        if list(a) != list(b) and set(a) == set(b):
            found.warnings.append(f"{path} has its keys in another order")
    elif isinstance(a, list) and isinstance(b, list):
        _lists(path, a, b, exact, found)
    elif not _same(a, b, exact):
        found.differences.append(f"{path} is {_short(a)} and {_short(b)}")


def _same(a: Any, b: Any, exact: bool) -> bool:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (a, b))
    if numbers:
        if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
            return True
        if exact or not (isinstance(a, float) or isinstance(b, float)):
            return bool(a == b)
        return math.isclose(a, b, rel_tol=RTOL, abs_tol=0.0)
    return type(a) is type(b) and bool(a == b)


def _lists(path: str, a: list[Any], b: list[Any], exact: bool, found: Comparison) -> None:
    if len(a) != len(b):
        found.differences.append(f"{path} has {len(a)} and {len(b)} items")
    at = Comparison()
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        _compare(f"{path}[{i}]", x, y, exact, at)
    if not at.differences and len(a) == len(b):
        found.warnings += at.warnings
        return
    left, right = _unmatched(a, b, exact)
    if not left and not right:
        found.warnings.append(f"{path} has its items in another order")
        return
    if len(a) == len(b) and len(at.differences) <= len(left) + len(right):
        found.differences += at.differences
        return
    found.differences += [f"{path} has {_short(each)} only in the first" for each in left]
    found.differences += [f"{path} has {_short(each)} only in the second" for each in right]


def _tables(path: str, a: Any, b: Any, exact: bool, found: Comparison) -> None:
    x, y = frames.to_arrow(a, warn=False), frames.to_arrow(b, warn=False)
    for name in [*x.column_names, *(name for name in y.column_names if name not in x.column_names)]:
        if name not in x.column_names or name not in y.column_names:
            where = "first" if name in x.column_names else "second"
            found.differences.append(f"{path} has the column {name!r} only in the {where}")
    shared = [name for name in x.column_names if name in y.column_names]
    if shared != [name for name in y.column_names if name in x.column_names]:
        found.warnings.append(f"{path} has its columns in another order")
    for name in shared:
        kinds = [frames.at_rest(each.select([name])).schema.types[0] for each in (x, y)]
        if kinds[0] != kinds[1]:
            found.warnings.append(f"{path} has the column {name!r} as {kinds[0]} and as {kinds[1]}")
    if x.num_rows != y.num_rows:
        found.differences.append(f"{path} has {x.num_rows} and {y.num_rows} rows")
    rows = [list(zip(*(each[name].to_pylist() for name in shared), strict=True)) for each in (x, y)]
    if len(rows[0]) == len(rows[1]) and all(map(_rows_alike(exact), rows[0], rows[1])):
        return
    left, right = _unmatched(rows[0], rows[1], exact)
    if not left and not right:
        if x.num_rows == y.num_rows:
            found.warnings.append(f"{path} has its rows in another order")
        return
    found.differences += [f"{path} has the row {_short(dict(zip(shared, each, strict=True)))} only in the first"
                          for each in left]  # fmt: skip
    found.differences += [f"{path} has the row {_short(dict(zip(shared, each, strict=True)))} only in the second"
                          for each in right]  # fmt: skip


def _rows_alike(exact: bool) -> Any:
    def alike(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
        return all(_cells_alike(x, y, exact) for x, y in zip(a, b, strict=True))

    return alike


def _cells_alike(a: Any, b: Any, exact: bool) -> bool:
    if a is None or b is None:
        return _is_missing(a) and _is_missing(b)  # a frame's column of integers with nulls has NaN instead
    if isinstance(a, list | dict):
        return not compare(a, b, exact).differences
    return _same(a, b, exact) or (not exact and isinstance(a, int | float) and isinstance(b, int | float) and a == b)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _unmatched(a: list[Any], b: list[Any], exact: bool) -> tuple[list[Any], list[Any]]:
    """Return what is in only one of two lists, as multisets.

    Items come together by their text with floats rounded; what is left after that (values at the edge of a rounding,
    and what really differs) is tried against each other, as long as that is few.
    """
    groups: dict[str, list[Any]] = {}
    for item in b:
        groups.setdefault(_key(item), []).append(item)
    left = []
    for item in a:
        candidates = groups.get(_key(item), [])
        at = next((i for i, other in enumerate(candidates[:_TRIED]) if _items_alike(item, other, exact)), None)
        if at is None:
            left.append(item)
        else:
            candidates.pop(at)
    right = [item for items in groups.values() for item in items]
    if len(left) * len(right) > _TRIED**2:
        return left, right
    for item in list(left):
        at = next((i for i, other in enumerate(right) if _items_alike(item, other, exact)), None)
        if at is not None:
            left.remove(item)
            right.pop(at)
    return left, right


def _items_alike(a: Any, b: Any, exact: bool) -> bool:
    if isinstance(a, tuple):
        return bool(_rows_alike(exact)(a, b))
    inner = Comparison()
    _compare("", a, b, exact, inner)
    return not inner.differences


def _key(item: Any) -> str:
    return json.dumps(_rounded(item), sort_keys=True, default=str)


def _rounded(item: Any) -> Any:
    if isinstance(item, dict):
        return {str(key): _rounded(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_rounded(value) for value in item]
    if isinstance(item, bool):
        return item
    if _is_missing(item):
        return None
    return float(f"{item:.7g}") + 0.0 if isinstance(item, int | float) else item


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
