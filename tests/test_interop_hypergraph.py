"""Hypergraphs, with PyGraphistry 0.61.2 as the oracle: the same input, the same tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interop_oracles import (
    EDGES,
    NODES,
    assert_same_table,
    bindings,
    ours,
    theirs,
)
from pandas.testing import assert_frame_equal

from graphistry_core import (
    BadRequest,
    BindingError,
    EngineUnavailable,
    InvalidTable,
    Plottable,
)
from graphistry_core.engines import cudf_problem
from graphistry_core.errors import NotImplementedHere

FRAMES = ("entities", "events", "edges", "nodes")
EVENTS = pd.DataFrame(
    {
        "user": ["a", "b", None, "a"],
        "boss": ["b", "c", "a", None],
        "n": [1, 2, 2, 0],
        "f": [1.5, np.nan, 2.0, 1.5],
        "ok": [True, False, True, True],
        "at": pd.to_datetime(["2020-01-01 00:00:00", "2020-01-02 03:04:05", None, "2020-01-01 00:00:00"]),
        "kind": pd.Categorical(["p", "q", None, "p"]),
        "odd": [[1], {"k": 2}, (3,), [1]],
        "EventID": [7, 8, 8, 9],
    },
    index=[10, 11, 12, 13],
)

OPTS = {
    "none": {},
    "skip": {"SKIP": ["n", "odd", "missing"]},
    "skip nothing": {"SKIP": []},
    "categories": {"CATEGORIES": {"person": ["user", "boss"], "number": ["n", "f"]}},
    "categories that repeat": {"CATEGORIES": {"one": ["user"], "two": ["user", "boss"]}},
    "edges": {"EDGES": {"user": ["boss", "user"], "boss": ["n"]}},
    "no edges": {"EDGES": {}},
    "edges and categories": {"EDGES": {"user": ["boss"]}, "CATEGORIES": {"person": ["user", "boss"]}},
    "event id": {"EVENTID": "n"},
    "absent event id": {"EVENTID": "row"},
    "names": {
        "TITLE": "t",
        "DELIM": "|",
        "NODEID": "nid",
        "ATTRIBID": "aid",
        "EVENTTYPE": "row",
        "SOURCE": "from",
        "DESTINATION": "to",
        "CATEGORY": "cat",
        "NODETYPE": "nt",
        "EDGETYPE": "et",
        "NULLVAL": "nothing",
    },
}


def assert_same_hypergraph(table, *, frames=FRAMES, **options):
    mine = ours().hypergraph(table, verbose=False, **options)
    peer = theirs().hypergraph(table, verbose=False, **options)
    assert mine.keys() == peer.keys()
    for name in frames:
        assert_same_table(mine[name], peer[name], columns_in_order=False)
    for name in ("entities", "events", "nodes"):
        assert list(mine[name].columns) == list(peer[name].columns)
    assert bindings(mine["graph"]) == bindings(peer["graph"])
    assert mine["graph"]._edges is mine["edges"]
    assert mine["graph"]._nodes is mine["nodes"]
    return mine


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("drop_na", [False, True])
@pytest.mark.parametrize("drop_edge_attrs", [False, True])
@pytest.mark.parametrize("opts", OPTS)
def test_hypergraphs_are_those_of_pygraphistry(opts, drop_edge_attrs, drop_na, direct):
    before = EVENTS.copy()
    assert_same_hypergraph(EVENTS, opts=OPTS[opts], drop_na=drop_na, drop_edge_attrs=drop_edge_attrs, direct=direct)
    assert_frame_equal(EVENTS, before)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("entity_types", [["user", "boss"], ["boss", "user"], ["n"], ["EventID", "ok"], ["at", "kind"]])
def test_entity_types_choose_the_columns_that_become_nodes(entity_types, direct):
    assert_same_hypergraph(EVENTS, entity_types=entity_types, direct=direct)
    assert_same_hypergraph(EVENTS.head(0), entity_types=entity_types, direct=direct)
    assert_same_hypergraph(EVENTS, entity_types=entity_types, direct=direct, drop_edge_attrs=True)


def test_a_hypergraph_of_one_column_with_direct_has_no_edges():
    made = assert_same_hypergraph(EVENTS, entity_types=["user"], direct=True, opts=OPTS["categories"])
    assert len(made["edges"]) == 0
    assert len(made["nodes"]) == 2


VALUES = {
    "int": st.integers(-(2**40), 2**40),
    "bool": st.booleans(),
    "float": st.floats(allow_nan=True, width=32),
    "text": st.text(max_size=3) | st.none(),
    "few": st.sampled_from(["x", "y", "z", None]),
}


def test_nulls_are_of_the_kind_pygraphistry_has():
    table = pd.DataFrame({"bool0": [False], "bool1": [False], "text2": pd.Series([None], dtype=object)})
    mine, peer = (who.hypergraph(table, drop_na=False, verbose=False)["entities"] for who in (ours(), theirs()))
    assert [repr(value) for value in mine["EventID"]] == [repr(value) for value in peer["EventID"]]


@st.composite
def event_tables(draw):
    rows = draw(st.integers(0, 6))
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=2, max_size=4))
    columns = {f"{kind}{i}": draw(st.lists(VALUES[kind], min_size=rows, max_size=rows)) for i, kind in enumerate(kinds)}
    return pd.DataFrame(columns)


@given(event_tables(), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_table_makes_the_same_hypergraph(table, direct, drop_na, drop_edge_attrs):
    opts = {"CATEGORIES": {"all": list(table.columns)[:2]}}
    assert_same_hypergraph(table, direct=direct, drop_na=drop_na, drop_edge_attrs=drop_edge_attrs)
    assert_same_hypergraph(table, direct=direct, drop_na=drop_na, drop_edge_attrs=drop_edge_attrs, opts=opts)


@pytest.mark.parametrize("return_as", ["graph", "all", *FRAMES])
def test_a_graph_returns_what_return_as_names(return_as):
    mine = Plottable().hypergraph(EVENTS, verbose=False, return_as=return_as)
    peer = theirs().bind().hypergraph(EVENTS, verbose=False, return_as=return_as)
    if return_as == "graph":
        assert_same_table(mine._edges, peer._edges, columns_in_order=False)
        assert bindings(mine) == bindings(peer)
    elif return_as == "all":
        assert mine.keys() == peer.keys()
    else:
        assert_same_table(mine, peer, columns_in_order=False)


@pytest.mark.parametrize("from_edges", [False, True])
@pytest.mark.parametrize("short", [False, True])
def test_a_graph_takes_its_own_tables(from_edges, short):
    column = "w" if from_edges else "name"
    made = []
    for start in (Plottable(), theirs()):
        g = start.edges(EDGES, "s", "d").nodes(NODES, "id").bind(point_color="ok")
        args, options = ([[column]], {}) if short else ([], {"entity_types": [column]})
        made.append(g.hypergraph(*args, from_edges=from_edges, verbose=False, **options))
    assert_same_table(made[0]._nodes, made[1]._nodes)
    assert bindings(made[0]) == bindings(made[1])


def test_verbose_prints_the_counts_of_pygraphistry(capsys):
    ours().hypergraph(EVENTS)
    mine = capsys.readouterr().out
    theirs().hypergraph(EVENTS)
    assert mine == capsys.readouterr().out != ""


@pytest.mark.parametrize("convert", ["polars", "pyarrow"])
def test_other_tables_make_the_same_hypergraph(convert):
    frame = EVENTS[["user", "boss", "n"]].reset_index(drop=True)
    table = pa.Table.from_pandas(frame) if convert == "pyarrow" else pytest.importorskip("polars").from_pandas(frame)
    made = ours().hypergraph(table, verbose=False)
    for name, expected in ours().hypergraph(frame, verbose=False).items():
        if name != "graph":
            assert_same_table(made[name], expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64"])
def test_other_integers_make_a_hypergraph_where_pygraphistry_fails(dtype):
    table = EVENTS[["user"]].assign(n=EVENTS["n"].astype(dtype))
    with pytest.raises(ValueError, match="non-finite"):
        theirs().hypergraph(table, verbose=False)
    made = ours().hypergraph(table, verbose=False)
    assert made["entities"]["n"].tolist() == [0, 0, 1, 2, 0]
    assert made["entities"]["n"].dtype == dtype


def test_durations_stay_durations():
    table = pd.DataFrame({"a": ["x"], "t": pd.to_timedelta([1], unit="s").as_unit("ns")})
    assert ours().hypergraph(table, verbose=False)["nodes"]["t"].dtype == "timedelta64[ns]"


def test_columns_named_like_results_keep_their_own_values_in_ids():
    table = pd.DataFrame({"src": ["a"], "dst": ["b"], "edgeType": ["c"]})
    edges = ours().hypergraph(table, verbose=False, direct=True)["edges"]
    assert set(edges["src"]) | set(edges["dst"]) == {"src::a", "dst::b", "edgeType::c"}
    assert set(ours().hypergraph(table, verbose=False)["edges"]["attribID"]) == {"src::a", "dst::b", "edgeType::c"}


def test_columns_whose_names_are_numbers_become_nodes():
    made = ours().hypergraph(pd.DataFrame({0: ["a"], 1: ["b"]}), verbose=False)
    assert made["entities"]["nodeID"].tolist() == ["0::a", "1::b"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda g: g.hypergraph(EVENTS, opts={"SKIPP": []}), BadRequest, "SKIPP"),
        (lambda g: g.hypergraph(EVENTS, entity_types=["zz"]), BindingError, "'zz'"),
        (lambda g: g.hypergraph(EVENTS, entity_types=[]), BadRequest, "no columns left"),
        (lambda g: g.hypergraph(EVENTS, direct=True, opts={"EDGES": {"user": ["zz"]}}), BindingError, "'zz'"),
        (lambda g: g.hypergraph(), BadRequest, "no rows"),
        (lambda g: g.hypergraph(from_edges=True), BadRequest, "no edges"),
        (lambda g: g.hypergraph(3), InvalidTable, "not a table"),
        (lambda g: g.hypergraph(EVENTS, engine="nonsense"), BadRequest, "nonsense"),
    ],
)
def test_what_pygraphistry_refuses_is_refused_with_a_reason(call, error, words):
    with pytest.raises(error, match=words):
        call(Plottable())
    with pytest.raises(Exception):  # noqa: B017 - of many kinds
        call(theirs().bind())


def test_engines_that_are_not_here_say_so():
    with pytest.raises(NotImplementedHere, match="dask"):
        ours().hypergraph(EVENTS, engine="dask")
    if cudf_problem():
        with pytest.raises(EngineUnavailable, match="cudf"):
            ours().hypergraph(EVENTS, engine="cudf")
    from graphistry.Engine import Engine

    assert len(ours().hypergraph(EVENTS, verbose=False, engine=Engine.PANDAS)["events"]) == 4


def test_an_unknown_form_and_repeated_columns_are_refused():
    with pytest.raises(BadRequest, match="return_as='x'"):
        Plottable().hypergraph(EVENTS, return_as="x")
    with pytest.raises(InvalidTable, match="'a'"):
        Plottable().hypergraph(pd.DataFrame([[1, 2]], columns=["a", "a"]))
