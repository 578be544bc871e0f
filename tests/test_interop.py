"""Networkx, igraph, cuGraph and dataframe libraries, with PyGraphistry 0.61.2, networkx and igraph as oracles."""

from __future__ import annotations

import inspect

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interop_oracles import (
    EDGES,
    GRAPH,
    NODES,
    assert_same_graph,
    assert_same_table,
    ours,
    theirs,
)
from pandas.testing import assert_frame_equal

from graphistry_core import (
    ArrowConversionError,
    BadRequest,
    BindingError,
    EngineUnavailable,
    InvalidTable,
    MissingDependency,
    Plottable,
)
from graphistry_core.engines import cudf_problem
from graphistry_core.interop.igraph import _column

nx = pytest.importorskip("networkx")
igraph = pytest.importorskip("igraph")

# --- networkx -------------------------------------------------------------------------------------------------

KINDS = ["Graph", "DiGraph", "MultiGraph", "MultiDiGraph"]


def networkx_graph(kind):
    G = getattr(nx, kind)()
    G.add_node("a", color="red", size=1)
    G.add_node("b", color="blue")
    G.add_node(3, size=2.5)
    G.add_edges_from([("a", "b", {"w": 1}), ("b", 3, {"w": 2, "tag": "x"}), ("a", "a"), ("a", "b", {"w": 9})])
    return G


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bound", [{}, {"source": "u", "destination": "v"}, {"source": "u", "node": "key"}])
def test_networkx_graphs_become_the_tables_of_pygraphistry(kind, bound):
    G = networkx_graph(kind)
    assert_same_graph(ours().bind(**bound).from_networkx(G), theirs().bind(**bound).from_networkx(G))


@pytest.mark.parametrize("node", [None, "key"])
def test_networkx2pandas_is_as_in_pygraphistry(node):
    G = networkx_graph("DiGraph")
    mine = ours().bind("u", "v", node).networkx2pandas(G)
    peer = theirs().bind("u", "v", node).networkx2pandas(G)
    for one, other in zip(mine, peer, strict=True):
        assert_same_table(one, other)
    with pytest.raises(ValueError, match="bind"):
        ours().networkx2pandas(G)


def test_an_empty_networkx_graph_has_its_id_columns():
    g = ours().from_networkx(nx.Graph())
    assert (list(g._edges), list(g._nodes), len(g._nodes)) == (["src", "dst"], ["n"], 0)


def test_attributes_never_replace_ids():
    G = nx.Graph()
    G.add_node("n", n="other")  # in PyGraphistry the attribute replaces the id, and a node called 'n' is an error
    with pytest.raises(BindingError, match="'n'"):
        ours().from_networkx(G)
    with pytest.raises(BindingError, match="'n'"):
        ours().bind(node="n").networkx_checkoverlap(G)
    assert ours().networkx_checkoverlap(G) is None
    assert ours().bind(node="id").from_networkx(G)._nodes.to_dict("list") == {"id": ["n"], "n": ["other"]}
    G = nx.Graph([("a", "b", {"src": 1})])
    with pytest.raises(BindingError, match="'src'"):
        ours().from_networkx(G)
    with pytest.raises(BadRequest, match="networkx"):
        ours().from_networkx({"a": ["b"]})


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("multigraph", [True, False])
def test_to_networkx_is_as_networkx_has_it(directed, multigraph):
    g = ours().edges(EDGES, "s", "d").nodes(NODES, "id")
    kind = getattr(nx, f"{'Multi' if multigraph else ''}{'Di' if directed else ''}Graph")
    expected = nx.from_pandas_edgelist(EDGES, "s", "d", edge_attr=["w", "x"], create_using=kind)
    nx.set_node_attributes(expected, NODES.set_index("id").to_dict("index"))
    made = g.to_networkx(directed=directed, multigraph=multigraph)
    assert type(made) is kind
    assert nx.utils.graphs_equal(without_nan(made), without_nan(expected))


def without_nan(G):
    for *_, attributes in G.edges(data=True):
        attributes.update({k: None for k, v in attributes.items() if v != v})
    return G


@pytest.mark.parametrize(
    ("pairs", "directed", "kind"),
    [
        ([("a", "b"), ("b", "a")], True, nx.DiGraph),
        ([("a", "b"), ("b", "a")], False, nx.MultiGraph),
        ([("a", "b"), ("a", "b")], True, nx.MultiDiGraph),
        ([("a", "a")], False, nx.Graph),
        ([], True, nx.DiGraph),
    ],
)
def test_to_networkx_loses_no_edge(pairs, directed, kind):
    made = ours().edges(pd.DataFrame(pairs, columns=["s", "d"]), "s", "d").to_networkx(directed=directed)
    assert type(made) is kind
    assert made.number_of_edges() == len(pairs)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers()), max_size=8))
@settings(max_examples=40, deadline=None)
def test_tables_survive_networkx(rows):
    edges = pd.DataFrame(rows, columns=["s", "d", "w"])
    g = ours().edges(edges, "s", "d")
    back = g.from_networkx(g.to_networkx())
    expected = edges[["s", "d"]] if not rows else edges
    found = back._edges.sort_values(list(expected)).reset_index(drop=True)
    assert_frame_equal(found, expected.sort_values(list(expected)).reset_index(drop=True), check_dtype=bool(rows))


def test_to_networkx_chooses_tables_and_attributes():
    g = ours().edges(EDGES, "s", "d").nodes(pd.concat([NODES, NODES.assign(id=["x", "y", "z"])]), "id")
    assert len(g.to_networkx()) == 6
    bare = g.to_networkx(include_nodes=False, edge_attributes=["w"])
    assert len(bare) == 3
    assert bare.edges["b", "c"] == {"w": 2}
    assert g.to_networkx(node_attributes=["ok"]).nodes["b"] == {"ok": False}
    with pytest.raises(BindingError, match="'zz'"):
        g.to_networkx(node_attributes=["zz"])
    with pytest.raises(InvalidTable, match="nulls"):
        ours().edges(pd.DataFrame({"s": ["a", None], "d": ["b", "c"]}), "s", "d").to_networkx()
    for g in (ours(), ours().bind(edges=EDGES, source="s", destination="zz"), Plottable()._with(edges=EDGES)):
        with pytest.raises(BindingError):
            g.to_networkx()


# --- igraph ---------------------------------------------------------------------------------------------------


def named_igraph(**attributes):
    ig = igraph.Graph(n=3, edges=[(0, 1), (1, 2), (2, 2)], directed=True)
    ig.vs["name"] = ["a", "b", "c"]
    ig.es["w"] = [1, 2, 3]
    for name, values in attributes.items():
        ig.vs[name] = values
    return ig


def bare_igraph():
    return igraph.Graph(n=4, edges=[(0, 1), (2, 1)], directed=True)


def colliding_igraph():
    ig = named_igraph()
    ig.es["source"], ig.es["target"], ig.es["s"] = ["x", "y", "z"], [1, 2, 3], [True, False, True]
    return ig


IGRAPHS = {
    "named": named_igraph,
    "with attributes": lambda: named_igraph(color=["red", None, "blue"], size=[1, 2, None]),
    "bare": bare_igraph,
    "colliding": colliding_igraph,
    "with ids": lambda: named_igraph(id=[10, 20, 30]),
    "famous": lambda: igraph.Graph.Famous("Petersen"),
    "large integers": lambda: named_igraph(big=[2**60 + 1, 5, 7]),
}
BASES = {
    "empty": lambda g: g,
    "ends": lambda g: g.bind("s", "d"),
    "edges": lambda g: g.edges(EDGES.head(3), "s", "d"),
    "edges with ids": lambda g: g.edges(EDGES.head(3).assign(e=[0, 1, 2]), "s", "d", "e"),
    "edges and nodes": lambda g: g.edges(EDGES.head(3), "s", "d").nodes(NODES, "id"),
    "longer tables": lambda g: g.edges(EDGES, "s", "d").nodes(NODES.head(2), "id"),
    "only ends": lambda g: g.edges(EDGES[["s", "d"]].head(3), "s", "d"),
}
# Integer ids against the graph's strings.
STRANGE = {(kind, base) for kind in ("bare", "famous", "with ids") for base in ("edges and nodes", "longer tables")}


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", IGRAPHS)
def test_igraphs_become_the_tables_of_pygraphistry(kind, base, merge):
    if merge and (kind, base) in STRANGE:
        for client in (ours(), theirs()):
            with pytest.raises(ValueError, match="merge"):
                BASES[base](client.bind()).from_igraph(IGRAPHS[kind](), merge_if_existing=merge)
        return
    mine = BASES[base](ours()).from_igraph(IGRAPHS[kind](), merge_if_existing=merge)
    assert_same_graph(mine, BASES[base](theirs().bind()).from_igraph(IGRAPHS[kind](), merge_if_existing=merge))


@pytest.mark.parametrize(
    "options",
    [
        {"load_nodes": False},
        {"load_edges": False},
        {"node_attributes": ["id", "color"]},
        {"node_attributes": ["color", "id"], "edge_attributes": ["s", "d", "w"]},
    ],
)
def test_parts_of_an_igraph_are_those_of_pygraphistry(options):
    ig = named_igraph(color=["red", "green", "blue"], size=[1, 2, 3])
    mine, peer = (g.edges(EDGES.head(3), "s", "d").nodes(NODES, "id") for g in (ours(), theirs()))
    assert_same_graph(mine.from_igraph(ig, **options), peer.from_igraph(ig, **options))


def test_ids_are_kept_whatever_attributes_are_chosen():
    g = ours().from_igraph(named_igraph(color=[1, 2, 3]), node_attributes=["color"], edge_attributes=[])
    assert list(g._nodes) == ["_n_implicit", "color"]
    assert list(g._edges) == ["source", "target"]


@pytest.mark.parametrize("base", ["edges", "edges with ids", "edges and nodes", "longer tables"])
@pytest.mark.parametrize(
    "options",
    [{}, {"directed": False}, {"include_nodes": False}, {"edge_attributes": ["w"], "node_attributes": ["ok"]}],
)
def test_to_igraph_is_as_in_pygraphistry(base, options):
    results = []
    for g in (BASES[base](ours()), BASES[base](theirs().bind())):
        if "node_attributes" in options and g._nodes is None:
            options = {k: v for k, v in options.items() if k != "node_attributes"}
        try:
            results.append(g.to_igraph(**options))
        except ValueError as e:
            results.append(type(e).__mro__[-3:])
    mine, peer = results
    if isinstance(peer, tuple):
        assert mine == peer
        return
    assert mine.is_directed() == peer.is_directed()
    assert {n: mine[n] for n in mine.attributes()} == {n: peer[n] for n in peer.attributes()}
    assert_frame_equal(mine.get_vertex_dataframe(), peer.get_vertex_dataframe())
    assert_frame_equal(mine.get_edge_dataframe(), peer.get_edge_dataframe())


def test_vertex_numbers_are_ids_with_use_vids():
    edges = pd.DataFrame({"s": [0, 1], "d": [1, 2]})
    made = ours().edges(edges, "s", "d").to_igraph(use_vids=True)
    assert made.get_edgelist() == [(0, 1), (1, 2)]
    assert made.get_edgelist() == theirs().edges(edges, "s", "d").to_igraph(use_vids=True).get_edgelist()
    with pytest.raises(BadRequest, match="igraph"):
        ours().edges(EDGES, "s", "d").to_igraph(use_vids=True)


@pytest.mark.parametrize("ids", ["str", "int64", "int32", "category"])
def test_tables_survive_igraph(ids):
    names = {"str": ["a", "b", "c"]}.get(ids, [10, 20, 30])
    nodes = NODES.assign(id=pd.Series(names).astype(ids))
    edges = pd.DataFrame({"s": nodes["id"].iloc[[0, 1]].values, "d": nodes["id"].iloc[[1, 2]].values, "w": [1, 2]})
    g = ours().edges(edges, "s", "d").nodes(nodes, "id")
    back = g.from_igraph(g.to_igraph())
    assert_frame_equal(back._nodes, nodes)
    assert_frame_equal(back._edges, edges)
    peer = theirs().edges(edges, "s", "d").nodes(nodes, "id")
    assert_same_graph(g.from_igraph(peer.to_igraph()), peer.from_igraph(g.to_igraph()))


def test_an_empty_graph_survives_igraph():
    g = ours().edges(EDGES.head(0), "s", "d").nodes(NODES.head(0), "id")
    back = g.from_igraph(g.to_igraph())
    assert back._nodes.dtypes.to_dict() == NODES.dtypes.to_dict()
    assert len(back._edges) == 0


def test_nodes_and_edges_agree_on_ids():
    """PyGraphistry refuses the first, and gives the second node numbers in one table and names in the other."""
    ig = bare_igraph()
    ig.vs["color"] = ["r"] * 4
    g = ours().from_igraph(ig)
    assert g._nodes["_n_implicit"].tolist() == [0, 1, 2, 3]
    assert g._edges["source"].tolist() == [0, 2]
    nodes = pd.DataFrame({"id": pd.Categorical(["a", "b"]), "v": [1, 2]})
    g = ours().edges(pd.DataFrame({"s": ["a"], "d": ["b"]}), "s", "d").nodes(nodes, "id")
    back = g.from_igraph(g.to_igraph())
    assert_frame_equal(back._nodes, nodes)


def test_edges_without_ids_are_matched_by_position():
    edges = EDGES.iloc[[2, 0]]  # index 2, 0: PyGraphistry takes these for positions
    g = ours().edges(edges, "s", "d")
    ig = g.to_igraph(edge_attributes=[])
    ig.es["new"] = ["first", "second"]
    assert g.from_igraph(ig)._edges.to_dict("list") == {
        "s": ["c", "a"],
        "d": ["a", "b"],
        "new": ["first", "second"],
        "w": [3, 1],
        "x": [2.0, 0.5],
    }
    ids = edges.assign(e=["p", "q"])
    g = ours().edges(ids, "s", "d", "e")
    assert g.from_igraph(ig)._edges[["e", "new", "w"]].to_dict("list") == {
        "e": ["p", "q"],
        "new": ["first", "second"],
        "w": [3, 1],
    }


def test_integers_beyond_floats_stay_exact_beside_nulls():
    ig = named_igraph(big=[2**60 + 1, None, 7], huge=[2**63 + 1, None, 1])
    nodes = ours().from_igraph(ig)._nodes
    assert (nodes["big"][0], nodes["huge"][0]) == (2**60 + 1, 2**63 + 1)
    assert nodes["big"].isna().tolist() == [False, True, False]
    assert _column([True, None]) == [True, None]


@pytest.mark.parametrize(
    "call",
    [
        lambda g: g.from_igraph("no igraph"),
        lambda g: g.nodes(NODES).from_igraph(named_igraph()),
        lambda g: g.from_igraph(named_igraph(), node_attributes=["zz"]),
        lambda g: g.to_igraph(),
        lambda g: g.edges(EDGES, "s", "d").to_igraph(edge_attributes=["zz"]),
        lambda g: g.edges(pd.DataFrame({"s": [None], "d": ["a"]}), "s", "d").to_igraph(),
        lambda g: g.edges(EDGES, "s", "d").nodes(NODES.assign(id=[None, "a", "b"]), "id").to_igraph(),
        lambda g: g.edges(EDGES, "s", "d").nodes(pd.concat([NODES, NODES]), "id").to_igraph(),
        lambda g: g.edges(EDGES, "s", "d").nodes(NODES.head(1), "id").to_igraph(),
    ],
)
def test_what_igraph_cannot_hold_is_refused_as_pygraphistry_does(call):
    with pytest.raises(BadRequest):
        call(ours())
    with pytest.raises(Exception):  # noqa: B017 - of many kinds
        call(theirs().bind())


@pytest.mark.parametrize("node", [None, "key"])
def test_the_deprecated_pair_is_as_in_pygraphistry(node):
    results = []
    for client in (ours(), theirs()):
        g = client.bind("s", "d", node)
        with pytest.warns(DeprecationWarning, match="pandas2igraph"):
            ig = g.pandas2igraph(EDGES, directed=False)
        with pytest.warns(DeprecationWarning, match="igraph2pandas"):
            results.append((ig.get_edgelist(), *(g.bind(node=node or "_n_implicit").igraph2pandas(ig))))
    assert results[0][0] == results[1][0]
    assert_same_table(results[0][1], results[1][1])
    assert_same_table(results[0][2], results[1][2])


def test_igraph2pandas_numbers_nodes_without_a_binding_and_changes_nothing():
    ig = named_igraph()
    with pytest.warns(DeprecationWarning, match="igraph2pandas"):
        edges, nodes = ours().bind("s", "d").igraph2pandas(ig)
    assert edges.to_dict("list") == {"s": [0, 1, 2], "d": [1, 2, 2], "w": [1, 2, 3]}
    assert list(nodes) == ["name", "_n_implicit"]
    assert ig.vs.attributes() == ["name"]
    with pytest.warns(DeprecationWarning, match="igraph2pandas"), pytest.raises(BindingError, match="'zz'"):
        ours().bind("s", "d", "zz").igraph2pandas(ig)
    with pytest.warns(DeprecationWarning, match="igraph2pandas"), pytest.raises(BindingError, match="not bound"):
        ours().igraph2pandas(ig)


def test_graph_takes_an_igraph_a_networkx_graph_or_a_table():
    g = ours().edges(EDGES, "s", "d").nodes(NODES, "id").bind(dataset_id="D", url="U")
    taken = g.graph(EDGES.head(1))
    assert (len(taken._edges), taken._nodes, taken._dataset_id, taken._url) == (1, None, None, None)
    assert_same_graph(ours().graph(named_igraph()), theirs().bind().graph(named_igraph()))
    assert_same_graph(ours().graph(networkx_graph("Graph")), theirs().bind().from_networkx(networkx_graph("Graph")))


# --- dataframe libraries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_to_pandas_is_as_in_pygraphistry(library):
    def convert(frame):
        if library == "pyarrow":
            return pa.Table.from_pandas(frame)
        return pytest.importorskip("polars").from_pandas(frame) if library == "polars" else frame

    edges, nodes = convert(EDGES), convert(NODES)
    mine, peer = (g.edges(edges, "s", "d").nodes(nodes, "id").bind(dataset_id="D") for g in (ours(), theirs()))
    assert_same_graph(mine.to_pandas(), peer.to_pandas())
    assert mine.to_pandas()._dataset_id == peer.to_pandas()._dataset_id
    assert (mine.to_pandas()._edges is EDGES) == (library == "pandas")
    frame = mine.to_pandas()._edges
    frame.loc[frame["w"] > 10, "w"] = 0  # a frame to write to, not a view of the table
    assert mine._edges is edges


def test_to_pandas_computes_a_dask_frame():
    dd = pytest.importorskip("dask.dataframe")
    g = ours().edges(dd.from_pandas(EDGES, npartitions=2), "s", "d").to_pandas()
    assert g._edges["w"].tolist() == [1, 2, 3, 4]


MIXED = pd.DataFrame({"s": ["a", "b"], "d": ["b", "a"], "mix": [b"x", 1.5]})


@pytest.mark.parametrize("validate", ["autofix", "strict", "strict-fast", True, False])
@pytest.mark.parametrize("warn", [True, False])
@pytest.mark.filterwarnings("ignore:Coerced", "ignore:Columns")
def test_to_arrow_is_as_in_pygraphistry(validate, warn):
    mine, peer = (g.edges(EDGES, "s", "d") for g in (ours(), theirs()))
    assert mine.to_arrow(validate=validate, warn=warn).equals(peer.to_arrow(validate=validate, warn=warn))
    assert mine.to_arrow(NODES, validate, warn).equals(peer.to_arrow(NODES, validate, warn))
    if validate in (False, "autofix"):
        assert mine.to_arrow(MIXED, validate, warn).equals(peer.to_arrow(MIXED, validate, warn))
        return
    with pytest.raises(ArrowConversionError, match="mix"):
        mine.to_arrow(MIXED, validate, warn)


def test_to_arrow_warns_about_mixed_columns_only_when_asked():
    with pytest.warns(UserWarning, match="mix"):
        ours().to_arrow(MIXED)
    ours().to_arrow(MIXED, warn=False)
    ours().to_arrow(MIXED, validate=False)


def test_to_arrow_of_nothing_is_none_and_of_no_table_is_refused():
    assert ours().to_arrow() is None
    assert theirs().bind().to_arrow() is None
    with pytest.raises(InvalidTable, match="not a table"):
        ours().to_arrow([1])


def test_to_arrow_holds_a_table_to_its_schema():
    from graphistry.schema import EdgeType, GraphSchema

    schema = GraphSchema(edge_types=[EdgeType("E", "N", "N", {"w": pa.float64()})])
    g = ours().edges(EDGES.assign(label__E=True), "s", "d").bind(schema=schema)
    with pytest.raises(InvalidTable, match="w"):
        g.to_arrow(schema_validate=True)
    assert g.to_arrow(schema_validate="autofix").schema.field("w").type == pa.float64()
    with pytest.raises(BadRequest, match="GraphSchema"):
        ours().edges(EDGES, "s", "d").to_arrow(schema_validate=True)
    for options in ({"schema_validate": "maybe"}, {"schema_validate": True, "schema_table": "rows"}):
        with pytest.raises(BadRequest, match="unknown"):
            g.to_arrow(**options)


@pytest.mark.skipif(cudf_problem() is None, reason="cuDF works here")
def test_cuda_libraries_that_are_missing_are_named():
    for call in (lambda g: g.to_cudf(), lambda g: g.to_cugraph(), lambda g: g.from_cugraph(None)):
        with pytest.raises((MissingDependency, EngineUnavailable), match="cannot be used here"):
            call(GRAPH)
    with pytest.raises(BadRequest, match="'Hyper'"):
        GRAPH.to_cugraph(kind="Hyper")


@pytest.mark.skipif(cudf_problem() is not None, reason=str(cudf_problem()))
def test_tables_go_to_cudf_and_back():
    g = GRAPH.to_cudf()
    assert type(g._edges).__module__.startswith("cudf")
    assert_same_table(g.to_pandas()._edges, EDGES)
    made = ours().hypergraph(g._nodes, verbose=False)
    assert type(made["nodes"]).__module__.startswith("cudf")


def test_optional_libraries_that_are_missing_are_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "networkx", None)
    monkeypatch.setitem(sys.modules, "igraph", None)
    for call, extra in ((lambda g: g.to_networkx(), "networkx"), (lambda g: g.to_igraph(), "igraph")):
        with pytest.raises(MissingDependency, match=rf"graphistry-core\[{extra}\]"):
            call(GRAPH)
    with pytest.raises(BadRequest, match="no networkx graph"):
        GRAPH.from_networkx(object())


# --- signatures -----------------------------------------------------------------------------------------------

NAMES = ["graph", "from_networkx", "networkx2pandas", "networkx_checkoverlap", "from_igraph", "to_igraph"]
NAMES += ["pandas2igraph", "igraph2pandas", "from_cugraph", "to_cugraph", "from_gexf", "to_gexf", "hypergraph"]
NAMES += ["to_pandas", "to_cudf", "to_arrow"]


def shape(function):
    return [(p.name, p.kind, p.default or None) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_those_of_pygraphistry(name):
    assert shape(getattr(Plottable(), name)) == shape(getattr(theirs().bind(), name))


@pytest.mark.parametrize("name", ["hypergraph", "gexf", "from_gexf"])
def test_signatures_of_the_client_are_those_of_pygraphistry(name):
    assert shape(getattr(ours(), name)) == shape(getattr(theirs(), name))
