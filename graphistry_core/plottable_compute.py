"""What a graph can be asked: degrees, neighbourhoods, patterns, parts of it. One-liners onto :mod:`compute`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .plottable import Plottable


class ComputeMethods:
    """The verbs, with PyGraphistry's parameters and answers. Tables that are not pandas' go to PyGraphistry's own.

    On Dask frames there are degrees, :meth:`materialize_nodes` and :meth:`prune_self_edges`; what needs the whole graph
    at once is a NotImplementedHere.
    """

    def _graph(self) -> Plottable:
        raise NotImplementedError

    def _ours(self) -> bool:
        from .compute.prepared import is_ours

        return is_ours(self._graph())

    def _lazy(self) -> bool:
        from .compute.lazy import is_lazy

        return is_lazy(self._graph())

    def _theirs(self, name: str) -> Any:
        from .compute import bridge

        return bridge.verb(self._graph(), name)

    def materialize_nodes(self, reuse: bool = True, engine: Any = "auto") -> Plottable:
        """Return the graph with a node table: its own, or the ids in its edges, sources first, then destinations.

        The id column is the bound node's, else ``id``, which is then bound; its dtype is that of the edges' columns.
        ``reuse=False`` makes it anew. Raises BadRequest (a ValueError) without edges or their bindings.
        """
        from .compute import lazy, prepared

        if self._lazy():
            return lazy.materialize_nodes(self._graph(), reuse)  # type: ignore[no-any-return]
        if not self._ours() or _name(engine) not in ("auto", "pandas"):
            return self._theirs("materialize_nodes")(reuse, engine)  # type: ignore[no-any-return]
        return prepared.materialize_nodes(self._graph(), reuse)  # type: ignore[no-any-return]

    def get_degrees(
        self, col: str = "degree", degree_in: str = "degree_in", degree_out: str = "degree_out"
    ) -> Plottable:
        """Return the graph with the columns ``degree_in``, ``degree_out`` and their sum (int32) on its nodes.

        Nodes without an edge have 0; an edge from a node to itself counts on both sides.
        """
        from .compute import degrees, lazy

        if self._lazy():
            ends = {degree_in: "destination", degree_out: "source"}
            return lazy.with_degrees(self._graph(), ends, col)  # type: ignore[no-any-return]
        if not self._ours():
            return self._theirs("get_degrees")(col, degree_in, degree_out)  # type: ignore[no-any-return]
        return degrees.get_degrees(self._graph(), col, degree_in, degree_out)  # type: ignore[no-any-return]

    def get_indegrees(self, col: str = "degree_in") -> Plottable:
        """Return the graph with the number of edges into each node (int32) as a column."""
        from .compute import degrees, lazy

        if self._lazy():
            return lazy.with_degrees(self._graph(), {col: "destination"})  # type: ignore[no-any-return]
        if not self._ours():
            return self._theirs("get_indegrees")(col)  # type: ignore[no-any-return]
        return degrees.one_way(self._graph(), "destination", col)  # type: ignore[no-any-return]

    def get_outdegrees(self, col: str = "degree_out") -> Plottable:
        """Return the graph with the number of edges out of each node (int32) as a column."""
        from .compute import degrees, lazy

        if self._lazy():
            return lazy.with_degrees(self._graph(), {col: "source"})  # type: ignore[no-any-return]
        if not self._ours():
            return self._theirs("get_outdegrees")(col)  # type: ignore[no-any-return]
        return degrees.one_way(self._graph(), "source", col)  # type: ignore[no-any-return]

    def hop(self, nodes: Any = None, hops: int | None = 1, **options: Any) -> Plottable:
        """Return the part of the graph within ``hops`` steps of ``nodes`` (a table with the id column; None: all).

        ``direction``: 'forward', 'reverse' or 'undirected'; ``to_fixed_point=True``: as far as there is a way.
        ``edge_match``, ``source_node_match``, ``destination_node_match``: dicts of column to value, list or predicate
        that hold at every step; the same with ``_query``, a pandas query. ``return_as_wave_front=True`` leaves out
        seeds that no edge leads to. Rows keep the order of the tables, and are numbered afresh. Edges whose ends have
        no row in the node table, where the graph has one, belong to no hop.

        ``min_hops``: only what lies on ways of at least so many steps. ``label_node_hops``, ``label_edge_hops``: names
        of columns for the step at which each was first met (``label_seeds``: 0 for seeds, else null unless a way leads
        back). ``output_min_hops``, ``output_max_hops``: of all that, what was met between these steps.

        ``target_wave_front`` is PyGraphistry's own when it is installed, and a MissingDependency else. Raises
        BadRequest (a ValueError) for bounds that clash, GFQLSchemaError for conditions on columns that are not there.
        """
        from .compute.hop import hop

        return hop(self._graph(), nodes, hops, **options)  # type: ignore[no-any-return]

    def filter_nodes_by_dict(self, filter_dict: Any = None, engine: Any = "auto") -> Plottable:
        """Return the graph with the nodes whose columns match: values, lists of them, or predicates; edges stay.

        Raises GFQLSchemaError for a column that is not there, or whose type the value does not fit.
        """
        return self._filtered("nodes", filter_dict, engine)

    def filter_edges_by_dict(self, filter_dict: Any = None, engine: Any = "auto") -> Plottable:
        """Return the graph with the edges whose columns match; see :meth:`filter_nodes_by_dict`."""
        return self._filtered("edges", filter_dict, engine)

    def _filtered(self, which: str, filter_dict: Any, engine: Any) -> Plottable:
        from .compute import parts
        from .compute.filter_by_dict import NotOurs

        if self._ours() and _name(engine) in ("auto", "pandas"):
            try:
                return parts.filter_table(self._graph(), which, filter_dict)  # type: ignore[no-any-return]
            except NotOurs:
                pass
        return self._theirs(f"filter_{which}_by_dict")(filter_dict, engine)  # type: ignore[no-any-return]

    def keep_nodes(self, nodes: Any) -> Plottable:
        """Return the graph with the nodes named (ids, or a dict of column to values) and the edges among them."""
        from .compute import parts

        return parts.keep_nodes(self._graph(), nodes) if self._ours() else self._theirs("keep_nodes")(nodes)  # type: ignore[no-any-return]

    def drop_nodes(self, nodes: Any) -> Plottable:
        """Return the graph without the nodes named by their ids, and without the edges at them."""
        from .compute import parts

        return parts.drop_nodes(self._graph(), nodes) if self._ours() else self._theirs("drop_nodes")(nodes)  # type: ignore[no-any-return]

    def prune_self_edges(self) -> Plottable:
        """Return the graph without the edges from a node to itself."""
        from .compute import lazy, parts

        if self._lazy():
            return lazy.prune_self_edges(self._graph())  # type: ignore[no-any-return]
        return parts.prune_self_edges(self._graph()) if self._ours() else self._theirs("prune_self_edges")()  # type: ignore[no-any-return]

    def search_nodes(
        self,
        term: str,
        columns: Any = None,
        case_sensitive: bool = False,
        regex: bool = False,
        float_precision: int = 4,
        temporal_tz: str = "UTC",
    ) -> Plottable:
        """Return the graph with the nodes that have a text in any column (or in those named); edges stay.

        As the table of a visualization searches: text always, numbers and times when ``term`` is made of digits, dots
        and minus signs, as they are shown: floats with ``float_precision`` places, times in ``temporal_tz``. Raises
        GFQLValidationError for columns that are not there.
        """
        options = (columns, case_sensitive, regex, float_precision, temporal_tz)
        return self._searched("nodes", term, *options)

    def search_edges(
        self,
        term: str,
        columns: Any = None,
        case_sensitive: bool = False,
        regex: bool = False,
        float_precision: int = 4,
        temporal_tz: str = "UTC",
    ) -> Plottable:
        """Return the graph with the edges that have a text in any column; see :meth:`search_nodes`."""
        options = (columns, case_sensitive, regex, float_precision, temporal_tz)
        return self._searched("edges", term, *options)

    def _searched(self, which: str, term: str, columns: Any, *rest: Any) -> Plottable:
        from .compute.search import search

        options = dict(zip(("case_sensitive", "regex", "float_precision", "temporal_tz"), rest, strict=True))
        if not self._ours():
            return self._theirs(f"search_{which}")(term, columns, **options)  # type: ignore[no-any-return]
        return search(self._graph(), which, term, columns, options)  # type: ignore[no-any-return]

    def get_topological_levels(
        self,
        level_col: str = "level",
        allow_cycles: bool = True,
        warn_cycles: bool = True,
        remove_self_loops: bool = True,
    ) -> Plottable:
        """Return the graph with a column that says how deep each node lies (int64): 0 where no edge leads to.

        Cycles are broken at the node with most edges left, with a warning in the log; ``allow_cycles=False`` makes them
        a BadRequest. Edges from a node to itself do not count unless ``remove_self_loops=False``.
        """
        if self._ours():
            from .compute.index import index_of
            from .compute.levels import topological_levels
            from .compute.prepared import in_pandas, with_nodes

            g = self._graph()
            if g._edges is not None and index_of(with_nodes(in_pandas(g))).unique:
                return topological_levels(g, level_col, allow_cycles, warn_cycles, remove_self_loops)  # type: ignore[no-any-return]
        return self._theirs("get_topological_levels")(level_col, allow_cycles, warn_cycles, remove_self_loops)  # type: ignore[no-any-return]

    def gfql(self, query: Any, **options: Any) -> Plottable:
        """Return what matches a query.

        A pattern: a list of :func:`n`, :func:`e_forward` and their kin, a Chain, the JSON of one; or anything of
        PyGraphistry's when that is installed (Cypher, ``let``, ``call``, rows). A step's ``name`` becomes a boolean
        column. Rows keep the order of the tables. ``strict``: what a condition on a column that is not there means;
        None warns and takes it as null, True is an error. Raises GFQLValidationError.
        """
        from .compute.chain import gfql

        return gfql(self._graph(), query, **options)  # type: ignore[no-any-return]

    def chain(self, ops: Any, **options: Any) -> Plottable:
        """Do what :meth:`gfql` does, for a pattern; PyGraphistry's older name."""
        return self.gfql(ops, **options)

    def gfql_index_all(self, col_stats_by_type: bool = False, engine: Any = "auto") -> Plottable:
        """Return the graph with its index built, in both directions, for hops and patterns to come.

        They build it themselves when they need it; this only chooses the moment. The index belongs to the tables the
        graph has now, and is left behind with them.
        """
        from .compute import index, prepared

        if not self._ours():
            return self._theirs("gfql_index_all")(col_stats_by_type, engine)  # type: ignore[no-any-return]
        g = prepared.with_nodes(prepared.in_pandas(self._graph()))
        index.index_of(g).both_ways()
        out = self._graph().copy()
        out.__dict__["_compute"] = index.holder_of(g)
        return out


def _name(engine: Any) -> str:
    return str(getattr(engine, "value", engine))
