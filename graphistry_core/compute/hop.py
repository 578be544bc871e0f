"""``hop``: the neighbourhood of some nodes, step by step. PyGraphistry's parameters and answers."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import numpy as np
import pandas as pd

from .. import frames
from ..errors import BadRequest
from . import bridge, scan
from .columns import rows
from .filter_by_dict import NotOurs, check_columns, filter_mask
from .index import GraphIndex, index_of, resident
from .numbered import NEVER, Numbered, Window, met_again, number
from .prepared import in_pandas, is_ours, with_nodes
from .traverse import Conditions, Reached, distinct, walk

DIRECTIONS = ("forward", "reverse", "undirected")


def hop(g: Any, nodes: Any = None, hops: int | None = 1, **options: Any) -> Any:
    """Return the part of a graph within some steps of ``nodes``; see :meth:`Plottable.hop`."""
    asked = {**_DEFAULTS, **options}
    unknown = set(options) - set(_DEFAULTS)
    if unknown:
        raise TypeError(f"hop() got unexpected keyword arguments {sorted(unknown)}")
    direction = asked["direction"]
    if direction not in DIRECTIONS:
        raise BadRequest(f"Invalid direction: {direction!r}; it is one of {', '.join(map(repr, DIRECTIONS))}.")
    if asked["target_wave_front"] is not None and nodes is None:
        raise BadRequest("target_wave_front needs nodes to start from.")
    most = max_hops(hops, asked)
    if _plain(g, nodes, asked):
        with contextlib.suppress(NotOurs):
            return _hop(g, nodes, most, asked)
    return bridge.verb(g, "hop")(nodes, hops, **options)


def _hop(g: Any, nodes: Any, most: int | None, asked: dict[str, Any]) -> Any:
    window = window_of(most, asked)
    bound = g._nodes is not None and g._node is not None
    g = with_nodes(in_pandas(g))
    if g._source is None or g._destination is None:
        raise BadRequest("Source and destination must be bound: bind them with g.edges(df, source, destination).")
    seeds = None if nodes is None else _ids_of(nodes, g._node)
    index = resident(g)
    again = _comes_again(most, asked)
    if not (is_numbered(asked) or again) and (
        index is None and bound and seeds is not None and scan.pays(g, len(seeds), most, asked)
    ):
        found = scan.walk(g, seeds, asked["direction"], most)
        if found is not None:
            return _result(g, found, asked)
    index = index or index_of(g)
    start = index.codes_of(seeds) if seeds is not None else _all_codes(index, g)
    start = distinct(start[start >= 0], index.count)
    conditions = _conditions(g, index, asked)
    if is_numbered(asked):
        return _numbered_result(g, index, start, window, conditions, {**asked, "seeded": seeds is not None})
    found = walk(index, start, asked["direction"], most, conditions)
    if again:
        lone = start[~met_again(index, found.edges, start)[start]]
        found = Reached(np.setdiff1d(found.nodes, lone, assume_unique=True), found.left, found.edges)
    return _result(g, found, asked)


def _comes_again(most: int | None, asked: dict[str, Any]) -> bool:
    """Say whether seeds come back as reached only if no edge has to be taken twice for it."""
    return bool(asked["return_as_wave_front"]) and asked["direction"] == "undirected" and most != 1


_DEFAULTS: dict[str, Any] = {
    "min_hops": None, "max_hops": None, "output_min_hops": None, "output_max_hops": None, "label_node_hops": None,
    "label_edge_hops": None, "label_seeds": False, "to_fixed_point": False, "direction": "forward", "edge_match": None,
    "source_node_match": None, "destination_node_match": None, "source_node_query": None,
    "destination_node_query": None, "edge_query": None, "return_as_wave_front": False, "include_zero_hop_seed": False,
    "target_wave_front": None, "engine": "auto",
}  # fmt: skip
_NUMBERED = ("label_node_hops", "label_edge_hops", "label_seeds")


def is_numbered(asked: dict[str, Any]) -> bool:
    """Say whether it matters at which step something is met."""
    return (
        any(asked[name] for name in _NUMBERED)
        or (asked["min_hops"] or 0) > 1
        or asked["output_min_hops"] is not None
        or asked["output_max_hops"] is not None
    )


def max_hops(hops: int | None, asked: dict[str, Any]) -> int | None:
    """Return how many steps to take at most, None for as many as there are; raise BadRequest for bounds that clash."""
    if asked["to_fixed_point"]:
        most = None
    else:
        most = asked["max_hops"] if asked["max_hops"] is not None else hops
        if most is not None and not isinstance(most, int):
            raise BadRequest(f"hops must be an integer unless to_fixed_point is True, not {most!r}.")
    least = _least(most, asked)
    if least < 0 or (most is not None and most < 0):
        raise BadRequest(f"min_hops and max_hops must be at least 0, not {least} and {most}.")
    if most is not None and least > most:
        raise BadRequest(f"min_hops ({least}) cannot exceed max_hops ({most}).")
    return most


def _least(most: int | None, asked: dict[str, Any]) -> int:
    return asked["min_hops"] if asked["min_hops"] is not None else 0 if most == 0 else 1


def window_of(most: int | None, asked: dict[str, Any]) -> Window:
    """Return which hops count; raise BadRequest for bounds of the output that clash with those of the way."""
    least, low, high = _least(most, asked), asked["output_min_hops"], asked["output_max_hops"]
    if (low or 0) < 0 or (high or 0) < 0:
        raise BadRequest(f"output_min_hops and output_max_hops must be at least 0, not {low} and {high}.")
    if low is not None and high is not None and low > high:
        raise BadRequest(f"output_min_hops ({low}) cannot exceed output_max_hops ({high}).")
    high = most if high is None else high
    if low is not None and most is not None and low > most:
        raise BadRequest(f"output_min_hops ({low}) cannot exceed max_hops ({most}).")
    if high is not None and high < least:
        raise BadRequest(f"output_max_hops ({high}) cannot be below min_hops ({least}).")
    return Window(least, most, low, high)


def _plain(g: Any, nodes: Any, asked: dict[str, Any]) -> bool:
    """Say whether this package runs a hop itself; the rest is PyGraphistry's, which must then be installed."""
    if asked["include_zero_hop_seed"] or asked["target_wave_front"] is not None or not is_ours(g):
        return False
    if "" in (asked["label_node_hops"], asked["label_edge_hops"]):
        return False
    if str(getattr(asked["engine"], "value", asked["engine"])) not in ("auto", "pandas"):
        return False
    if nodes is not None and frames.library_of(nodes) not in ("pandas", "pyarrow"):
        return False
    if asked["return_as_wave_front"] and (nodes is None or asked["min_hops"] == 0):
        return False
    return g._edge is None or (g._edges is not None and g._edge in frames.column_names(g._edges))


def _ids_of(nodes: Any, column: str) -> Any:
    frame = nodes if frames.library_of(nodes) == "pandas" else frames.to_pandas(frames.to_arrow(nodes))
    if column not in frame.columns:
        raise KeyError(column)
    return frame[column]


def _all_codes(index: GraphIndex, g: Any) -> np.ndarray:
    if index.unique:
        return np.arange(index.count, dtype=np.int32)
    return index.codes_of(g._nodes[g._node])


class Lookup:
    """A condition on the rows of a table: a dict, a query, or both; looked up for some rows, or once for all.

    A few rows are filtered by themselves; when many are asked for, the whole table is, and remembered.
    """

    def __init__(self, frame: Any, match: Any, query: str | None) -> None:
        self._frame, self._match, self._query = frame, match, query
        self._whole: np.ndarray | None = None
        self._asked = 0
        if query is not None:
            _check_query(frame, query)

    @classmethod
    def of(cls, frame: Any, match: Any, query: str | None) -> Lookup | None:
        """Return a condition, or None where there is none; raise GFQLSchemaError for one that no row could have."""
        if not match and query is None:
            return None
        if match:
            check_columns(frame, match)
        return cls(frame, match, query)

    def has(self, positions: np.ndarray) -> np.ndarray:
        """Return which of the rows match."""
        self._asked += len(positions)
        if self._whole is None and self._asked * _WHOLE < len(self._frame):
            return _mask(narrow(self._frame, self._match, self._query).take(positions), self._match, self._query)
        found: np.ndarray = self.mask()[positions]
        return found

    def mask(self) -> np.ndarray:
        """Return which of all rows match."""
        if self._whole is None:
            self._whole = _mask(self._frame, self._match, self._query)
        return self._whole


def _check_query(frame: Any, query: str) -> None:
    """Raise what pandas does for a query with a wrong name or syntax, also where no row will ever be asked."""
    try:
        frame.iloc[:0].query(query)
    except (pd.errors.UndefinedVariableError, SyntaxError):
        raise
    except Exception:  # noqa: BLE001, S110 - of values that are not there
        pass


def narrow(frame: Any, match: Any, query: str | None) -> Any:
    """Return the columns that a condition looks at: what is taken from a table should be no more."""
    return frame if query is not None else frame[[name for name in match if name in frame.columns]]


class _Given:
    """A mask that is there."""

    def __init__(self, mask: np.ndarray) -> None:
        self._mask = mask

    def has(self, codes: np.ndarray) -> np.ndarray:
        """Return which of the codes are in it."""
        found: np.ndarray = self._mask[codes]
        return found

    def mask(self) -> np.ndarray:
        """Return it for all codes."""
        return self._mask


_WHOLE = 16


def _conditions(g: Any, index: GraphIndex, asked: dict[str, Any]) -> Conditions:
    edges = Lookup.of(g._edges, asked["edge_match"], asked["edge_query"])
    ends: list[Any] = []
    for which in ("source", "destination"):
        found = Lookup.of(g._nodes, asked[f"{which}_node_match"], asked[f"{which}_node_query"])
        ends.append(found if found is None or index.unique else _Given(node_mask(index, g, found.mask())))
    return Conditions(edges, *ends)


def node_mask(index: GraphIndex, g: Any, mask: np.ndarray) -> np.ndarray:
    """Turn a mask on rows of the node table into one on codes: a node is in when any of its rows is."""
    if index.unique:
        return mask
    codes = index.codes_of(g._nodes[g._node][mask])
    out = np.zeros(index.count, np.bool_)
    out[codes[codes >= 0]] = True
    return out


def _mask(frame: Any, match: Any, query: str | None) -> np.ndarray:
    """Return which rows match a dict and a query."""
    mask = filter_mask(frame, match) if match else np.ones(len(frame), np.bool_)
    return mask if query is None else mask & query_mask(frame, query)


def query_mask(frame: Any, query: str) -> np.ndarray:
    """Return which rows a pandas query selects."""
    numbered = frame.copy(deep=False)
    numbered.index = pd.RangeIndex(len(frame))
    mask = np.zeros(len(frame), np.bool_)
    mask[numbered.query(query).index.to_numpy()] = True
    return mask


def _result(g: Any, found: Reached, asked: dict[str, Any]) -> Any:
    """Build the graph of what was reached: rows in the order of its tables, numbered afresh."""
    codes = found.nodes if asked["return_as_wave_front"] else np.concatenate([found.nodes, found.left])
    return g.nodes(rows(g._nodes, distinct(codes, len(g._nodes)).astype(np.intp))).edges(rows(g._edges, found.edges))


def _numbered_result(
    g: Any, index: GraphIndex, seeds: np.ndarray, window: Window, conditions: Conditions, asked: dict[str, Any]
) -> Any:
    """Build the graph of what a hop met within its window, with the numbers of steps as columns if they are wanted."""
    label_seeds, direction = bool(asked["label_seeds"]), asked["direction"]
    found = number(index, seeds, direction, window, conditions, label_seeds=label_seeds)
    is_seed = np.zeros(index.count, np.bool_)
    is_seed[seeds] = asked["seeded"]
    numbers = found.nodes
    if direction == "undirected" and not label_seeds:  # a way back to a seed may be the way that it was left by
        numbers = np.where(is_seed, NEVER, numbers)
    edges = np.flatnonzero(window.has(found.edges))
    ends = np.zeros(index.count, np.bool_)
    ends[index.source[edges]] = ends[index.destination[edges]] = True
    nodes = _met(found, ends, is_seed, asked)
    inside = window.has(numbers) | ends
    nodes &= inside | is_seed if label_seeds else inside
    if asked["return_as_wave_front"]:
        back = found.reached
        if _comes_again(window.most, asked):
            back = back & met_again(index, edges, seeds)
        nodes &= ~is_seed | back
    kept = np.flatnonzero(nodes)
    node_rows, edge_rows = rows(g._nodes, kept), rows(g._edges, edges)
    if asked["label_node_hops"]:
        shown = numbers[kept]
        node_rows[_free_name(asked["label_node_hops"], g._nodes)] = pd.arrays.IntegerArray(
            np.where(shown == NEVER, 0, shown).astype(np.int64), shown == NEVER
        )
    if asked["label_edge_hops"]:
        edge_rows[_free_name(asked["label_edge_hops"], g._edges)] = found.edges[edges].astype(np.int64)
    return g.nodes(node_rows).edges(edge_rows)


def _met(found: Numbered, ends: np.ndarray, is_seed: np.ndarray, asked: dict[str, Any]) -> np.ndarray:
    """Return which codes were met, and are still when ways that are too short are taken out."""
    nodes = found.matched
    if found.pruned:
        nodes = nodes & (found.nodes != NEVER)
        nodes |= ends if asked["label_node_hops"] or asked["label_seeds"] else ends & ~is_seed
    return nodes.copy()


def _free_name(wanted: str, frame: Any) -> str:
    """Return a name for a column that is not there yet, numbered if need be."""
    names = itertools.chain([wanted], (f"{wanted}_{i}" for i in itertools.count(1)))
    return next(name for name in names if name not in frame.columns)
