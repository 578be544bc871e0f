"""``chain`` and ``gfql``: subgraphs that match a pattern of nodes and edges. PyGraphistry's answers.

A pattern runs forward, from the nodes that its first step matches, and then back, so that only what lies on a whole
match is left; everything is codes and positions until the rows are taken at the end, in the order of the tables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import bridge, kernels
from .ast import ASTEdge, ASTNode, Chain, as_chain, as_let
from .columns import rows
from .exceptions import ErrorCode, GFQLSchemaError, GFQLValidationError
from .filter_by_dict import NotOurs, check_columns, filter_mask, level_of, strictness
from .hop import Lookup
from .index import GraphIndex, index_of
from .numbered import met_again
from .prepared import in_pandas, is_ours, with_nodes
from .traverse import Conditions, Membership, Reached, distinct, walk


def gfql(g: Any, query: Any, **options: Any) -> Any:
    """See :meth:`Plottable.gfql`."""
    engine = options.pop("engine", "auto")
    strict = options.pop("strict", None)
    validate = options.pop("validate", False)
    asked = {name: value for name, value in options.items() if value not in (None, False)}
    asked.pop("validate_schema", None)
    if asked.get("shortest_path_backend") == "auto":
        asked.pop("shortest_path_backend")
    here = is_ours(g) and str(getattr(engine, "value", engine)) in ("auto", "pandas")
    if here and not asked:
        ops = as_chain(query)
        if ops is not None and is_plain(ops):
            with contextlib.suppress(NotOurs), strictness(level_of(strict)):
                return run(g, ops)
    named = asked.pop("output", None)
    if here and not asked:
        let = as_let(query)
        if let is not None:
            from .lets import reduces, run_let

            if reduces(let):
                with contextlib.suppress(NotOurs), strictness(level_of(strict)):
                    return run_let(g, let, named)
    if isinstance(query, dict) and query.get("type") in ("Chain", "Let") and bridge.available():
        query = bridge.parsed(query)
    given = {"engine": engine, **options, **({"strict": strict} if strict is not None else {})}
    if validate:
        given["validate"] = validate
    return bridge.verb(g, "gfql")(query, **given)


def is_plain(chain: Chain) -> bool:
    """Say whether this package runs a pattern itself; the rest is PyGraphistry's, which must then be installed."""
    if chain.where:
        return False
    aliases = [op._name for op in chain.chain if op._name is not None]
    if len(set(aliases)) < len(aliases) or any("hop" in alias.lower() for alias in aliases):
        return False
    for op in chain.chain:
        if isinstance(op, ASTEdge):
            odd = (op.min_hops, op.output_min_hops, op.output_max_hops, op.label_node_hops, op.label_edge_hops)
            if any(value is not None for value in odd) or op.label_seeds or op.include_zero_hop_seed:
                return False
            if op.prune_to_endpoints or op.max_hops == 0:
                return False
        elif not isinstance(op, ASTNode):
            return False
    return True


def _one(op: ASTEdge) -> bool:
    return not op.to_fixed_point and (op.max_hops if op.max_hops is not None else op.hops) == 1


def _exact(op: Any) -> bool:
    """Say whether going back over a step leads to nodes only that the step before it matched."""
    return isinstance(op, ASTEdge) and _one(op) and op.direction in ("forward", "reverse")


def _steps(op: ASTEdge) -> int | None:
    return None if op.to_fixed_point else op.max_hops if op.max_hops is not None else op.hops


@dataclass
class _Tables:
    """What a pattern runs on: the graph with both tables, its index, and its rows by condition."""

    g: Any
    index: GraphIndex
    nodes: Any
    edges: Any
    conditions: dict[int, Lookup | None] = field(default_factory=dict)

    def condition(self, op: ASTNode) -> Lookup | None:
        """Return what a step asks of a node, the same object each time: it remembers what it has looked up."""
        if id(op) not in self.conditions:
            found = None if not op.filter_dict and op.query is None else Lookup(self.nodes, op.filter_dict, op.query)
            self.conditions[id(op)] = found
        return self.conditions[id(op)]


def run(g: Any, chain: Chain) -> Any:
    """Run a pattern of nodes and edges; raise GFQLValidationError."""
    chain.validate()
    ops = list(chain.chain)
    _check(g, ops)
    if not ops:
        return g
    given = g
    if isinstance(ops[0], ASTEdge):
        ops.insert(0, ASTNode())
    if isinstance(ops[-1], ASTEdge):
        ops.append(ASTNode())
    g = with_nodes(in_pandas(g))
    if len(ops) == 1:
        return _select(given, g, ops[0])
    for which in ("nodes", "edges"):
        table = getattr(g, f"_{which}")
        kind = ASTNode if which == "nodes" else ASTEdge
        if table is not None and any(isinstance(op, kind) and op._name in table.columns for op in ops):
            raise NotOurs  # an alias like a column: PyGraphistry mixes the two
    if g._edges is None or g._edge is not None:
        raise NotOurs
    index = index_of(g)
    if not index.unique:
        raise NotOurs
    tables = _Tables(g, index, g._nodes, g._edges)
    forward = _forward(tables, ops)
    backward = _backward(tables, ops, forward)
    return _combined(tables, ops, forward, backward)


def _check(g: Any, ops: Sequence[Any]) -> None:
    """Raise GFQLSchemaError for what a graph does not have, before anything runs."""
    names = {g._source, g._destination, g._edge} - {None}
    for op in ops:
        if op._name is not None and op._name in ({g._node} if isinstance(op, ASTNode) else names):
            raise GFQLValidationError(
                ErrorCode.E108,
                f"An alias cannot be named after a bound column ({op._name!r})",
                field="chain.name",
                value=op._name,
                suggestion="The alias becomes a column of that name: choose another.",
            )
    if g._nodes is None and g._edges is None:
        raise GFQLSchemaError(
            ErrorCode.E305,
            "Cannot query graph: neither nodes nor edges are bound",
            suggestion="Bind them with g.nodes(df, node) and g.edges(df, source, destination)",
        )
    if g._edges is None and any(isinstance(op, ASTEdge) for op in ops):
        raise GFQLSchemaError(ErrorCode.E304, "Cannot traverse edges: graph has no edges bound",
                              suggestion="Bind them with g.edges(df, source, destination)")  # fmt: skip
    g = in_pandas(g)
    for i, op in enumerate(ops):
        if isinstance(op, ASTNode):
            conditions = [(g._nodes, op.filter_dict)]
        else:
            conditions = [(g._edges, op.edge_match), (g._nodes, op.source_node_match),
                          (g._nodes, op.destination_node_match)]  # fmt: skip
        try:
            for table, condition in conditions:
                if table is not None and condition:
                    check_columns(table, condition, times=False)
        except GFQLValidationError as e:
            e.context["operation_index"] = i
            raise


def _select(given: Any, g: Any, op: ASTNode) -> Any:
    """Return the rows of the node table that one step matches, as they are, and no edges."""
    table = g._nodes
    if op.filter_dict:
        table = table[filter_mask(table, op.filter_dict)]
    if op.query is not None:
        table = table.query(op.query)
    if op._name is not None:
        if g._node not in table.columns:
            raise NotOurs
        rest = [name for name in table.columns if name not in (g._node, op._name)]
        names = [*rest, op._name] if op._name in table.columns else [op._name, *rest]
        table = table.assign(**{op._name: True})[[g._node, *names]].reset_index(drop=True)
    out = given.nodes(table, g._node)
    if g._edges is None:
        return out
    edges = g._edges[:0]
    if g._edge is not None:
        edges = edges[[g._edge, *(name for name in edges.columns if name != g._edge)]]
    return out.edges(edges)


# --- forward ----------------------------------------------------------------------------------------------------


@dataclass
class _Step:
    """What a step leaves: codes of nodes, ascending, and positions of edges, ascending."""

    nodes: np.ndarray
    edges: np.ndarray


_NO_EDGES = np.empty(0, np.int64)


def _forward(tables: _Tables, ops: Sequence[Any]) -> list[_Step]:
    done: list[_Step] = []
    for op in ops:
        before = done[-1].nodes if done else None
        if isinstance(op, ASTNode):
            done.append(_Step(_matching(tables, op, before), _NO_EDGES))
            continue
        assert before is not None
        found = walk(tables.index, before, op.direction, _steps(op), _conditions(tables, op))
        done.append(_step_of(tables, op, before, found))
    return done


def _step_of(tables: _Tables, op: ASTEdge, seeds: np.ndarray, found: Reached) -> _Step:
    """Return what a walk from seeds leaves: undirected steps lead back to one only with no edge taken twice."""
    nodes = distinct(found.nodes, tables.index.count)
    if op.direction == "undirected" and not _one(op):
        again = met_again(tables.index, found.edges, seeds)
        nodes = nodes[~Members(seeds, tables.index.count).has(nodes) | again[nodes]]
    return _Step(nodes, found.edges)


def _matching(tables: _Tables, op: ASTNode, among: np.ndarray | None) -> np.ndarray:
    """Return which of some nodes (None: of all) a step matches."""
    condition = tables.condition(op)
    if among is None:
        if condition is None:
            return np.arange(tables.index.count, dtype=np.int32)
        return np.flatnonzero(condition.mask()).astype(np.int32)
    return among if condition is None or len(among) == 0 else among[condition.has(among)]


def _conditions(tables: _Tables, op: ASTEdge, *, back: bool = False, edges: Any = None, last: Any = None) -> Conditions:
    """Return what holds at every step of an edge pattern; ``back``: seen from its other end."""
    near = Lookup.of(tables.nodes, op.source_node_match, op.source_node_query)
    far = Lookup.of(tables.nodes, op.destination_node_match, op.destination_node_query)
    if edges is None:
        edges = Lookup.of(tables.edges, op.edge_match, op.edge_query)
    return Conditions(edges, far if back else near, near if back else far, last)


# --- back -------------------------------------------------------------------------------------------------------


def _backward(tables: _Tables, ops: Sequence[Any], forward: list[_Step]) -> list[_Step]:
    after = forward[-1].nodes
    done: list[_Step] = []
    for i in range(len(ops) - 1, -1, -1):
        op, step = ops[i], forward[i]
        before = forward[i - 1].nodes if i > 0 else None
        if isinstance(op, ASTNode):
            kept = after
            if i + 1 < len(ops) and not _exact(ops[i + 1]):
                kept = _matching(tables, op, after)  # a walk back may have met others on its way
                if before is not None:
                    kept = kept[Members(before, tables.index.count).has(kept)]
            done.append(_Step(kept, _NO_EDGES))
        elif len(step.edges) == 0:
            done.append(_Step(np.empty(0, np.int32), _NO_EDGES))
        elif _one(op):
            done.append(_one_step_back(tables, op, step, before, after))
        else:
            done.append(_steps_back(tables, op, step, before, after))
        after = done[-1].nodes
    return done[::-1]


def _one_step_back(tables: _Tables, op: ASTEdge, step: _Step, before: Any, after: np.ndarray) -> _Step:
    """Keep the edges from a node before to a node after; of the nodes, those before (undirected: both ends)."""
    count = tables.index.count
    if len(step.edges) * 4 > count:
        return _one_step_back_at_once(tables, op, step, Members(before, count), Members(after, count))
    source, destination = tables.index.source[step.edges], tables.index.destination[step.edges]
    into, out_of = Members(after, count), Members(before, count)
    if op.direction == "undirected":
        kept = (into.has(source) & out_of.has(destination)) | (out_of.has(source) & into.has(destination))
        return _Step(distinct(np.concatenate([source[kept], destination[kept]]), count), step.edges[kept])
    near, far = (destination, source) if op.direction == "reverse" else (source, destination)
    kept = into.has(far) & out_of.has(near)
    return _Step(distinct(near[kept], count), step.edges[kept])


def _one_step_back_at_once(tables: _Tables, op: ASTEdge, step: _Step, before: Members, after: Members) -> _Step:
    """Do the same in one pass, which pays for many edges."""
    near, far = tables.index.source, tables.index.destination
    if op.direction == "reverse":
        near, far = far, near
    kept, mark = np.empty(len(step.edges), step.edges.dtype), np.zeros(tables.index.count, np.bool_)
    both = op.direction == "undirected"
    count = kernels.keep_between(step.edges, near, far, before.mask(), after.mask(), both, kept, mark)
    return _Step(np.flatnonzero(mark).astype(np.int32), kept[:count])


def _steps_back(tables: _Tables, op: ASTEdge, step: _Step, before: Any, after: np.ndarray) -> _Step:
    """Walk back over the edges of a step; the last of a bounded number of steps has to end where the way began."""
    turned = {"forward": "reverse", "reverse": "forward"}.get(op.direction, op.direction)
    last = Members(before, tables.index.count)
    only = Members(step.edges, len(tables.edges))
    conditions = _conditions(tables, op, back=True, edges=only, last=last)
    if op.direction == "undirected" and conditions.near is not None:
        # As PyGraphistry, whose condition on nodes knows only those that the way out gave: no seed that it left out.
        conditions = replace(conditions, near=_Both(conditions.near, Members(step.nodes, tables.index.count)))
    found = walk(tables.index, after, turned, _steps(op), conditions)
    return _step_of(tables, op, after, found)


class Members:
    """A set of ascending codes, asked about many: by search where they are few, else by a mask."""

    def __init__(self, codes: np.ndarray, count: int) -> None:
        self.codes, self._count = codes.astype(np.int32, copy=False), count  # a search between types would convert all
        self._mask: np.ndarray | None = None
        if len(codes) * 32 > count:
            self.mask()

    def mask(self) -> np.ndarray:
        """Return for every code whether it is in."""
        if self._mask is None:
            self._mask = np.zeros(self._count, np.bool_)
            self._mask[self.codes] = True
        return self._mask

    def has(self, codes: np.ndarray) -> np.ndarray:
        """Return which of the codes are in it."""
        if self._mask is not None:
            inside: np.ndarray = self._mask[codes]
            return inside
        if len(self.codes) == 0:
            return np.zeros(len(codes), np.bool_)
        at = np.searchsorted(self.codes, codes)
        found: np.ndarray = self.codes[np.minimum(at, len(self.codes) - 1)] == codes
        return found


class _Both:
    """What is in two sets."""

    def __init__(self, a: Membership, b: Membership) -> None:
        self._a, self._b = a, b

    def has(self, codes: np.ndarray) -> np.ndarray:
        """Return which of the codes are in both."""
        both: np.ndarray = self._a.has(codes) & self._b.has(codes)
        return both

    def mask(self) -> np.ndarray:
        """Return for every code whether it is in both."""
        both: np.ndarray = self._a.mask() & self._b.mask()
        return both


# --- together ---------------------------------------------------------------------------------------------------


def _combined(tables: _Tables, ops: Sequence[Any], forward: list[_Step], backward: list[_Step]) -> Any:
    g, index = tables.g, tables.index
    edges = [step.edges for step in backward]
    if any(isinstance(op, ASTEdge) and not _one(op) for op in ops):
        for i, op in enumerate(ops):
            if isinstance(op, ASTEdge):
                only = Members(edges[i], len(tables.edges))
                conditions = _conditions(tables, op, edges=only)
                edges[i] = walk(index, forward[i - 1].nodes, op.direction, _steps(op), conditions).edges
    else:
        for i, op in enumerate(ops):
            if isinstance(op, ASTEdge) and isinstance(ops[i + 1], ASTEdge):
                # As PyGraphistry, which takes the nodes of the step after for the ends of this one: with two edges in a
                # row these are one step further. With n() between them it is as one would expect.
                edges[i] = _between(index, op, edges[i], forward[i - 1].nodes, forward[i + 1].nodes)
    all_nodes = _union([step.nodes for step in backward], index.count)
    all_edges = _union(edges, len(tables.edges))
    node_aliases = {}
    for i, op in enumerate(ops):
        if isinstance(op, ASTNode) and op._name is not None:
            node_aliases[op._name] = _tagged(tables, ops, backward, i, all_nodes)
    edge_aliases = {
        op._name: np.isin(all_edges, edges[i], assume_unique=True)
        for i, op in enumerate(ops)
        if isinstance(op, ASTEdge) and op._name is not None
    }
    nodes = _with_aliases(rows(tables.nodes, all_nodes.astype(np.intp)), g._node, node_aliases)
    return g.nodes(nodes).edges(_with_aliases(rows(tables.edges, all_edges), None, edge_aliases))


def _between(index: GraphIndex, op: ASTEdge, edges: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    source, destination = index.source[edges], index.destination[edges]
    a, b = Members(before, index.count), Members(after, index.count)
    kept = a.has(source) & b.has(destination)
    if op.direction == "reverse":
        kept = a.has(destination) & b.has(source)
    elif op.direction == "undirected":
        kept |= a.has(destination) & b.has(source)
    between: np.ndarray = edges[kept]
    return between


def _tagged(tables: _Tables, ops: Sequence[Any], backward: list[_Step], i: int, nodes: np.ndarray) -> np.ndarray:
    """Return which nodes a named step matched: its own, as far as an edge of the next step begins there."""
    named = np.isin(nodes, backward[i].nodes, assume_unique=True)
    if i + 1 < len(ops) and isinstance(ops[i + 1], ASTEdge):
        edges, direction = backward[i + 1].edges, ops[i + 1].direction
        source, destination = tables.index.source[edges], tables.index.destination[edges]
        ends = {"forward": source, "reverse": destination}.get(direction, np.concatenate([source, destination]))
        named &= Members(distinct(ends, tables.index.count), tables.index.count).has(nodes)
    return named


def _union(parts: list[np.ndarray], count: int) -> np.ndarray:
    parts = [part for part in parts if len(part)]
    if not parts:
        return np.empty(0, np.int64)
    if len(parts) == 1:
        return parts[0]
    return distinct(np.concatenate(parts), count)


def _with_aliases(frame: Any, first: str | None, aliases: dict[str, np.ndarray]) -> Any:
    """Put the aliases' columns first, after the id column."""
    if first is not None:
        frame = frame[[first, *(name for name in frame.columns if name != first)]]
    for at, (name, values) in enumerate(aliases.items()):
        frame.insert(at + (first is not None), name, values)
    return frame
