"""Other graph forms to and from a graph. Methods only; the work is in the modules of ``interop``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import frames
from .errors import warn_user
from .interop import cugraph, gexf, gexf_writer, hypergraph, igraph, networkx, tables

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from .plottable import Plottable


class InteropMethods:
    """The methods of a graph (and of a client, for an empty one) that take or give other graph forms."""

    def _graph(self) -> Plottable:
        raise NotImplementedError

    def graph(self, ig: Any) -> Plottable:
        """Return a copy that holds this graph: an igraph, a networkx graph, or an edge table (nodes are cleared).

        Forgets the dataset id, URL and file ids. A networkx graph is turned into tables now (PyGraphistry does so in
        ``plot()``).
        """
        if igraph.is_igraph(ig):
            return self.from_igraph(ig)
        if networkx.is_networkx(ig):
            return self.from_networkx(ig)
        return self._graph().edges(ig)._with(nodes=None)

    # --- networkx ---

    def from_networkx(self, G: Any) -> Plottable:  # noqa: N803 - PyGraphistry's name
        """Return a copy with the nodes and edges of a networkx graph of any kind, one column per attribute.

        Ids go to the bound columns, else to ``src``, ``dst`` and ``n``, which are bound. Raises BindingError when an
        attribute has the name of an id column (PyGraphistry lets it replace the ids), BadRequest for anything that is
        no networkx graph. The keys of parallel edges are left out, as in PyGraphistry 0.61.
        """
        return networkx.from_networkx(self._graph(), G)

    def to_networkx(
        self,
        directed: bool = True,
        include_nodes: bool = True,
        node_attributes: list[str] | None = None,
        edge_attributes: list[str] | None = None,
        multigraph: bool | None = None,
    ) -> Any:
        """Return the graph as networkx, with the other columns as attributes (None: all of them).

        ``multigraph`` None makes a multigraph only when two edges join the same nodes, so that no edge is lost.
        Raises BindingError for columns that do not exist, InvalidTable for null ids, MissingDependency without
        networkx. Our choice; PyGraphistry has no such method.
        """
        return networkx.to_networkx(
            self._graph(), directed, include_nodes, node_attributes, edge_attributes, multigraph
        )

    def networkx2pandas(self, G: Any) -> tuple[pd.DataFrame, pd.DataFrame]:  # noqa: N803 - PyGraphistry's name
        """Return (edges, nodes) of a networkx graph as pandas frames, ids under the bound names.

        Source and destination must be bound (else BindingError); an unbound node id is ``_n_implicit``.
        """
        return networkx.networkx2pandas(self._graph(), G)

    def networkx_checkoverlap(self, g: Any) -> None:
        """Raise BindingError when a node attribute of a networkx graph has the name of the bound node column."""
        node = self._graph()._node
        if node is not None:
            networkx.refuse_node_overlap(g, node)

    # --- igraph ---

    def from_igraph(
        self,
        ig: Any,
        node_attributes: list[str] | None = None,
        edge_attributes: list[str] | None = None,
        load_nodes: bool = True,
        load_edges: bool = True,
        merge_if_existing: bool = True,
    ) -> Plottable:
        """Return a copy with the nodes and edges of an igraph graph.

        Node ids are the vertex attribute named as the node binding, else ``name``, else the vertex numbers; unbound
        columns are ``_n_implicit``, ``source`` and ``target``. An edge attribute with the name of an end becomes
        ``__attr_<name>_2__``. With ``merge_if_existing`` the columns that the graph's own tables have and the igraph
        lacks are added: to nodes by id, to edges by the edge binding, else by position. As PyGraphistry 0.61, except
        that nodes and edges always agree on their ids. Raises BadRequest and BindingError.
        """
        return igraph.from_igraph(
            self._graph(), ig, node_attributes, edge_attributes, load_nodes, load_edges, merge_if_existing
        )

    def to_igraph(
        self,
        directed: bool = True,
        include_nodes: bool = True,
        node_attributes: list[str] | None = None,
        edge_attributes: list[str] | None = None,
        use_vids: bool = False,
    ) -> Any:
        """Return the graph as igraph, with the other columns as attributes (None: all of them).

        Ids become the vertex attribute ``name``; a column of that name is kept as ``__attr_name_2__``, and
        :meth:`from_igraph` restores it. ``use_vids`` takes the ids as vertex numbers, from 0. As PyGraphistry 0.61.
        Raises BindingError, InvalidTable for null ids, BadRequest for ids igraph does not take, MissingDependency.
        """
        return igraph.to_igraph(self._graph(), directed, include_nodes, node_attributes, edge_attributes, use_vids)

    def pandas2igraph(self, edges: pd.DataFrame, directed: bool = True) -> Any:
        """Return an edge frame as igraph under the current bindings; deprecated, use :meth:`to_igraph`."""
        warn_user("pandas2igraph() is deprecated; use to_igraph().", DeprecationWarning)
        return igraph.pandas2igraph(self._graph(), edges, directed)

    def igraph2pandas(self, ig: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return (edges, nodes) of an igraph under the current bindings; deprecated, use :meth:`from_igraph`."""
        warn_user("igraph2pandas() is deprecated; use from_igraph().", DeprecationWarning)
        return igraph.igraph2pandas(self._graph(), ig)

    # --- cuGraph ---

    def from_cugraph(
        self,
        G: Any,  # noqa: N803 - PyGraphistry's name
        node_attributes: list[str] | None = None,
        edge_attributes: list[str] | None = None,
        load_nodes: bool = True,
        load_edges: bool = True,
        merge_if_existing: bool = True,
    ) -> Plottable:
        """Return a copy with the edges of a cuGraph graph, and the attributes that the graph's own edges have.

        The attribute choices and ``load_edges`` change nothing, as in PyGraphistry 0.61. Raises MissingDependency
        without cuDF or cuGraph, EngineUnavailable when there is no usable GPU, BadRequest when the graph has a node
        table and ``load_nodes`` is set.
        """
        return cugraph.from_cugraph(self._graph(), G, load_nodes, merge_if_existing)

    def to_cugraph(
        self,
        directed: bool = True,
        include_nodes: bool = True,
        node_attributes: list[str] | None = None,
        edge_attributes: list[str] | None = None,
        kind: str = "Graph",
    ) -> Any:
        """Return the edges, with the bound edge weight, as a cuGraph 'Graph', 'MultiGraph' or 'BiPartiteGraph'.

        Raises MissingDependency without cuDF or cuGraph, EngineUnavailable when there is no usable GPU, BindingError.
        """
        return cugraph.to_cugraph(self._graph(), directed, include_nodes, kind)

    # --- GEXF ---

    def from_gexf(
        self,
        source: gexf.GexfSource,
        name: str | None = None,
        description: str | None = None,
        bind_node_viz: Iterable[str] | None = None,
        bind_edge_viz: Iterable[str] | None = None,
        parse_engine: str = "auto",
    ) -> Plottable:
        """Return a copy with the tables and bindings of a GEXF document (1.1 to 1.3).

        ``source``: a path, an ``http(s)://`` URL, GEXF text or bytes, or an open file. Ids are strings, in
        ``node_id``, ``source`` and ``target``; attributes have the types they declare; what the viz extension says is
        in ``viz_…`` columns, bound unless ``bind_node_viz`` (of color, size, opacity, position, icon) or
        ``bind_edge_viz`` (of color, size, opacity) name fewer. ``parse_engine`` changes nothing: every document is
        read by a parser that refuses DOCTYPE, so that there are no entities. Raises BadRequest saying what is wrong.
        """
        return gexf.from_gexf(self._graph(), source, name, description, bind_node_viz, bind_edge_viz, parse_engine)

    def gexf(
        self,
        source: gexf.GexfSource,
        name: str | None = None,
        description: str | None = None,
        bind_node_viz: Iterable[str] | None = None,
        bind_edge_viz: Iterable[str] | None = None,
        parse_engine: str = "auto",
    ) -> Plottable:
        """Return a copy with the tables and bindings of a GEXF document: :meth:`from_gexf` by its shorter name."""
        return self.from_gexf(source, name, description, bind_node_viz, bind_edge_viz, parse_engine)

    def to_gexf(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        version: str = "1.2draft",
        directed: bool = True,
        include_viz: bool = True,
        include_meta: bool = True,
        meta_creator: str | None = "graphistry",
        meta_description: str | None = None,
        meta_lastmodifieddate: str | None = None,
        node_attributes: list[str] | None = None,
        edge_attributes: list[str] | None = None,
    ) -> str:
        """Return the graph as GEXF text ('1.1draft', '1.2draft' or '1.3'), and write it to ``path`` if given.

        Bound titles, edge id and weight, and (``include_viz``) colors, sizes, opacities and positions go where GEXF
        has a place for them; the other columns (or those named) become attributes. Numbers keep their type (in
        PyGraphistry integers next to floats become floats). Raises BindingError for what is not bound, InvalidTable
        for null or repeated node ids, colors that are not hexadecimal, and characters that XML cannot hold.
        """
        g = self._graph()
        described = g._description if meta_description is None else meta_description
        meta = {"creator": meta_creator, "description": described, "lastmodifieddate": meta_lastmodifieddate}
        return gexf_writer.to_gexf(
            g, path, version, directed, include_viz, meta if include_meta else None, node_attributes, edge_attributes
        )

    # --- hypergraph ---

    def hypergraph(
        self,
        raw_events: Any = None,
        *,
        entity_types: Sequence[str] | None = None,
        opts: Mapping[str, Any] | None = None,
        drop_na: bool = True,
        drop_edge_attrs: bool = False,
        verbose: bool = True,
        direct: bool = False,
        engine: str = "auto",
        npartitions: int | None = None,
        chunksize: int | None = None,
        from_edges: bool = False,
        return_as: str = "graph",
    ) -> Any:
        """Turn rows into a graph of their values, and return it (or what ``return_as`` names).

        Every distinct value of the ``entity_types`` columns (None: all; also given as a list in place of the table)
        becomes a node ``<column>::<value>``; every row becomes a node that all its values are joined to, or, with
        ``direct``, the values of a row are joined to each other. ``raw_events`` None takes the graph's own nodes,
        or edges with ``from_edges``.

        ``opts``: SKIP (columns that make no nodes), CATEGORIES ({category: columns whose values are the same nodes}),
        EDGES (with ``direct``: {column: columns to join it to}), EVENTID (the column of row ids), DELIM, NULLVAL, and
        the names TITLE, NODEID, ATTRIBID, SOURCE, DESTINATION, CATEGORY, NODETYPE, EDGETYPE, EVENTTYPE.
        ``drop_na`` makes no nodes of nulls; ``drop_edge_attrs`` keeps a row's columns off its edges; ``verbose``
        prints three counts. ``engine``: 'pandas', 'cudf' (computed in pandas), or 'auto', as the table is.
        ``return_as``: 'graph', 'entities', 'events', 'edges', 'nodes', or 'all', a dictionary of these five.

        The tables are PyGraphistry 0.61's, with columns in a fixed order. Raises BadRequest for options that do not
        exist or when there are no rows, BindingError for columns that do not, NotImplementedHere for dask engines.
        """
        hypergraph.check_form(return_as)
        choices = hypergraph.Choices(drop_na, drop_edge_attrs, direct)
        made = hypergraph.hypergraph(
            self._graph(), raw_events, entity_types, opts, choices, verbose, engine, from_edges
        )
        return hypergraph.pick(made, return_as)

    # --- dataframe libraries ---

    def to_pandas(self) -> Plottable:
        """Return a copy with both tables in pandas, whatever they are now; pandas frames stay as they are."""
        return tables.to_pandas(self._graph())

    def to_cudf(self) -> Plottable:
        """Return a copy with both tables in cuDF, whatever they are now; cuDF frames stay as they are.

        Raises MissingDependency when cuDF is not installed, EngineUnavailable with the reason when it does not work.
        """
        return tables.to_cudf(self._graph())

    def to_arrow(
        self,
        table: Any = None,
        validate: frames.Validate = "autofix",
        warn: bool = True,
        schema_validate: bool | str = False,
        schema_table: str = "edges",
    ) -> pa.Table | None:
        """Return a table (None: the edges; without edges None) as a ``pyarrow.Table`` without metadata.

        ``validate``: 'autofix' stores columns of mixed types as strings and warns (if ``warn``), 'strict' raises
        ArrowConversionError naming them; True is 'strict', False is 'autofix' without warning. ``schema_validate``
        holds the table to the bound GraphSchema, by PyGraphistry, which must be installed; InvalidTable when it does
        not fit. Raises InvalidTable for what is no table.
        """
        return tables.to_arrow(self._graph(), table, validate, warn, schema_validate, schema_table)
