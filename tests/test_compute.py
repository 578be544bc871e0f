"""Graphistry's verbs against PyGraphistry's own, on drawn graphs: the same tables, or the same kind of error."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphistry_core
from graphistry_core.compute import index, kernels
from graphistry_core.errors import BadRequest

graphistry = pytest.importorskip("graphistry")
settings.register_profile("compute", deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(parent=settings.get_profile("compute"), max_examples=400)
FEW = settings(parent=settings.get_profile("compute"), max_examples=150)

TEXT = "str" if int(pd.__version__[0]) >= 3 else object
IDS = {
    "int": [3, 10, -7, 2**40, 5, 0],
    "str": ["a", "b", "ü", "", "d d", "5"],
    "float": [0.5, 1.0, -2.25, 1e300, 3.0, 7.0],
    "datetime": [dt.datetime(2026, 1, day) for day in range(1, 7)],
    "int32": [1, 2, 3, 4, 5, 6],
    "object": [1, "1", "b", 2.5, "c", True],
}


@st.composite
def graphs(draw, kinds=tuple(IDS), missing=True, tables=("none", "full", "partial", "doubled")):
    kind = draw(st.sampled_from(kinds))
    ids = IDS[kind]
    nullable = missing and kind in ("str", "float", "datetime") and draw(st.booleans())
    value = st.sampled_from([*ids, None] if nullable else ids)
    count = draw(st.integers(0, 12))
    source, destination = (draw(st.lists(value, min_size=count, max_size=count)) for _ in range(2))
    names = draw(st.sampled_from([("s", "d", "n"), ("src", "dst", "id"), ("index", "id", "src"), ("d", "s", "node")]))

    def column(values):
        dtype = {"int": "int64", "int32": "int32", "float": "float64", "object": object}.get(kind)
        if kind == "datetime":
            return pd.Series(pd.to_datetime(pd.Series(values, dtype="object"))).astype("datetime64[us]")
        return pd.Series(values, dtype=dtype or TEXT)

    edges = pd.DataFrame({names[0]: column(source), names[1]: column(destination)})
    edges["w"] = np.arange(count) % 3
    edges["kind"] = pd.Series([["x", "y", None][i % 3] for i in range(count)], dtype=TEXT)
    table = draw(st.sampled_from(tables))
    nodes = None
    if table != "none":
        rows = ids if table == "full" else draw(st.lists(st.sampled_from(ids), unique=True, max_size=5))
        rows = [*rows, *rows[:2]] if table == "doubled" else rows
        nodes = pd.DataFrame({"size": np.arange(len(rows)), names[2]: column(rows)})
        nodes["kind"] = pd.Series([["p", "q"][i % 2] for i in range(len(rows))], dtype=TEXT)
        nodes["score"] = np.arange(len(rows)) / 2
        if draw(st.booleans()):
            nodes = nodes[[names[2], "size", "kind", "score"]]
    return edges, nodes, names


def made(module, edges, nodes, names):
    g = module.edges(edges, names[0], names[1])
    return g if nodes is None else g.nodes(nodes, names[2])


def outcome(call):
    """Return ('ok', graph) or ('error', kind of error): a ValueError, a schema error by name, …"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "ok", call()
        except Exception as e:
            if isinstance(e, AssertionError):
                raise
            names = {cls.__name__ for cls in type(e).__mro__}
            if names & {"GFQLValidationError"}:
                return "error", (type(e).__name__, e.code)
            return "error", next((n for n in ("KeyError", "ValueError", "TypeError") if n in names), type(e).__name__)


def same(ours, theirs, *, ordered=True, indexed=True, typed=True):
    assert ours[0] == theirs[0], (ours, theirs)
    if ours[0] == "error":
        assert ours[1] == theirs[1]
        return
    a, b = ours[1], theirs[1]
    assert (a._node, a._source, a._destination) == (b._node, b._source, b._destination)
    for mine, peers in ((a._nodes, b._nodes), (a._edges, b._edges)):
        if peers is None:
            assert mine is None
            continue
        if not ordered and mine.columns[0] == a._node != peers.columns[0]:
            # It puts the id column first, and then the aliases, on one of its ways and not on the other; we always do.
            peers = peers[[a._node, *(name for name in peers.columns if name != a._node)]]  # noqa: PLW2901
        assert list(mine.columns) == list(peers.columns)
        arrange = _sorted if not ordered else _as_it_is if indexed else _renumbered
        pd.testing.assert_frame_equal(arrange(mine), arrange(peers), check_index_type=False, check_dtype=typed)


def _as_it_is(frame):
    return frame


def _renumbered(frame):
    return frame.reset_index(drop=True)


def _sorted(frame):
    keys = [repr(row) for row in frame.itertuples(index=False, name=None)]
    return frame.iloc[sorted(range(len(keys)), key=keys.__getitem__)].reset_index(drop=True)


@FEW
@given(graphs(), st.sampled_from(["materialize_nodes", "get_degrees", "get_indegrees", "get_outdegrees", "again"]))
def test_nodes_and_degrees(drawn, verb):
    def run(module):
        g = made(module, *drawn)
        if verb == "again":
            return g.materialize_nodes(reuse=False)
        return getattr(g, verb)()

    theirs = outcome(lambda: run(graphistry))
    if theirs == ("error", "ValueError") and drawn[0].iloc[:, 0].dtype == object and len(drawn[0]):
        return  # it joins columns of mixed types, which pandas refuses for some mixtures
    same(outcome(lambda: run(graphistry_core)), theirs)


CONDITIONS = {
    "edge_match": [{"w": 1}, {"kind": "x"}, {"w": [0, 2]}, {"nowhere": 1}, {"kind": 1}],
    "source_node_match": [{"kind": "p"}, {"size": [0, 1, 2]}, {}],
    "destination_node_match": [{"kind": "q"}, {"size": 3}, {}, {"size": "x"}],
    "edge_query": ["w > 0", "kind == 'x'"],
    "source_node_query": ["size < 4"],
    "destination_node_query": ["size >= 1 and kind == 'p'"],
}


@st.composite
def hops(draw):
    options = {"direction": draw(st.sampled_from(["forward", "reverse", "undirected"]))}
    if draw(st.integers(0, 4)) == 0:
        options["to_fixed_point"] = True
    for name, values in CONDITIONS.items():
        if draw(st.integers(0, 4)) == 0:
            options[name] = draw(st.sampled_from(values))
    if draw(st.integers(0, 3)) == 0:
        options["return_as_wave_front"] = True
    return draw(st.integers(0, 4)), options


@MANY
@given(graphs(), hops(), st.lists(st.integers(0, 7), max_size=4), st.booleans())
def test_hop(drawn, asked, seeds, everything):
    edges, nodes, names = drawn
    count, options = asked
    if nodes is None:
        options = {name: value for name, value in options.items() if "node_" not in name}
    doubled = nodes is not None and nodes[names[2]].duplicated().any()
    wave_of_both = options.get("return_as_wave_front") and options["direction"] == "undirected"

    def run(module, indexed=False):
        g = made(module, edges, nodes, names)
        if indexed:
            g = g.gfql_index_all()
        table = g.materialize_nodes()._nodes if len(edges) or nodes is not None else None
        start = None
        if not everything and table is not None:
            start = table.iloc[[i % max(len(table), 1) for i in seeds] if len(table) else []]
        return g.hop(start, count, **options)

    theirs = outcome(lambda: run(graphistry))
    if theirs[0] == "ok" and doubled and not len(theirs[1]._edges):
        return  # PyGraphistry keeps all rows of a doubled id here, and the first one everywhere else
    if theirs == ("error", "KeyError") and names[0] == "index" and options.get("return_as_wave_front"):
        return  # where it looks for cycles, it mistakes an edge's column for one of its own, or for the node's
    if theirs == ("error", "ValueError") and object in [edges[name].dtype for name in names[:2]]:
        # It joins what it reached with ids of another type, which pandas refuses for some mixtures; we have an answer.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match="You are trying to merge on"):
                run(graphistry)
        assert outcome(lambda: run(graphistry_core))[0] == "ok"
        return
    # PyGraphistry turns integers into floats on the way when it adds rows and takes them away again; we do not.
    how = {"indexed": not doubled and not wave_of_both, "typed": not options.get("return_as_wave_front")}
    same(outcome(lambda: run(graphistry_core)), theirs, **how)
    same(outcome(lambda: run(graphistry_core, indexed=True)), theirs, **how)


@st.composite
def numbered_hops(draw):
    """Hops with labels, least hops and slices of the output."""
    count, options = draw(hops())
    if options.pop("to_fixed_point", False) and draw(st.booleans()):
        count = None
    for name in ("label_node_hops", "label_edge_hops"):
        if draw(st.booleans()):
            options[name] = draw(st.sampled_from(["far", "kind"]))
    for name, odds in (("min_hops", 1), ("max_hops", 3), ("output_min_hops", 2), ("output_max_hops", 2)):
        if draw(st.integers(0, odds)) == 0:
            options[name] = draw(st.integers(0, 4))
    if draw(st.integers(0, 2)) == 0:
        options["label_seeds"] = True
    return count, options


def numbered_same(ours, theirs, options, everything, endless=False):
    """Compare, but for where PyGraphistry's ways contradict each other; see docs/compute.md, "Where we chose"."""
    sliced = {"output_min_hops", "output_max_hops"} & set(options)
    if theirs[0] == "ok" and ours[0] == "ok":
        (a, b), label = (ours[1], theirs[1]), options.get("label_node_hops")
        if options.get("min_hops", 0) > 1 and not len(b._edges) and endless:
            return  # it does not go round in a cycle to see whether there is a way so long; we do
        if sliced and not len(b._edges):
            assert not len(a._edges)
            return  # without labels it may keep all nodes that were met, with labels those in the slice
        if label is not None:
            label = b._nodes.columns[-1]
            if everything and not options.get("label_seeds"):
                # Where nothing leads to, it may say 1 if edges have numbers too, and has no number else; we have none.
                theirs = ("ok", b.nodes(b._nodes.assign(**{label: b._nodes[label].where(a._nodes[label].notna())})))
        if options.get("min_hops", 0) > 1 and (label is not None or options.get("label_seeds")):
            theirs = ("ok", theirs[1].nodes(filled(theirs[1]._nodes, a._nodes, b._node, label)))
        for mine, peers in ((a._nodes, theirs[1]._nodes), (a._edges, theirs[1]._edges)):
            if not len(mine):
                for name in set(mine.columns) & set(peers.columns):
                    peers[name] = peers[name].astype(mine[name].dtype)
    same(ours, theirs, indexed=False, typed=not options.get("return_as_wave_front"))


def filled(nodes, ours, key, label):
    """Give seeds that it brings back with their id only what they have in the node table."""
    rest = [name for name in nodes.columns if name not in (key, label)]
    if set(nodes[key]) != set(ours[key]):
        return nodes
    nodes = nodes.set_index(key, drop=False).loc[list(ours[key])]
    if not rest:
        return nodes
    bare = nodes[rest].isna().all(axis=1).to_numpy()
    known = ours[bare].set_index(key, drop=False)
    for name in rest:
        nodes[name] = [
            known[name][i] if is_bare else value
            for i, is_bare, value in zip(nodes[key], bare, nodes[name], strict=True)
        ]
        nodes[name] = nodes[name].astype(ours[name].dtype)
    return nodes


@MANY
@given(graphs(tables=("none", "full", "partial")), numbered_hops(), st.lists(st.integers(0, 7), max_size=4))
def test_numbered_hop(drawn, asked, seeds):
    edges, nodes, names = drawn
    count, options = asked
    if nodes is None:
        options = {name: value for name, value in options.items() if "node_" not in name or "label" in name}
    everything = not seeds and "return_as_wave_front" not in options

    def run(module):
        g = made(module, edges, nodes, names)
        table = g.materialize_nodes()._nodes if len(edges) or nodes is not None else None
        start = None
        if not everything and table is not None:
            start = table.iloc[[i % max(len(table), 1) for i in seeds] if len(table) else []]
        return g.hop(start, count, **options)

    theirs = outcome(lambda: run(graphistry))
    if theirs == ("error", "KeyError") and names[0] == "index" and options.get("return_as_wave_front"):
        return  # see test_hop
    endless = options.get("to_fixed_point") or (count is None and "max_hops" not in options)
    numbered_same(outcome(lambda: run(graphistry_core)), theirs, options, everything, endless)


@pytest.mark.parametrize("seeds", [["a"], ["lone"], ["loop"], ["a", "lone", "loop"], ["lone", "nobody"], []])
def test_all_that_is_connected(seeds):
    edges = pd.DataFrame({"s": ["a", "c", "x", "loop"], "d": ["b", "b", "y", "loop"], "w": [1, 2, 3, 4]})
    nodes = pd.DataFrame({"id": ["lone", "y", "x", "c", "loop", "b", "a"], "n": range(7)})
    start = pd.DataFrame({"id": pd.Series(seeds, dtype=TEXT)})

    def run(module):
        g = module.edges(edges, "s", "d").nodes(nodes, "id")
        return g.hop(start, to_fixed_point=True, direction="undirected")

    same(outcome(lambda: run(graphistry_core)), outcome(lambda: run(graphistry)))


@FEW
@given(graphs(kinds=("int", "str", "float"), missing=False, tables=("none", "full")), st.booleans(), st.booleans())
def test_topological_levels(drawn, cycles, loops):
    def run(module):
        options = {"allow_cycles": cycles, "warn_cycles": False, "remove_self_loops": loops}
        g = made(module, *drawn).get_topological_levels(**options)
        return g if g._node is not None or g._nodes is None else g.bind(node="id")  # which PyGraphistry forgets

    theirs = outcome(lambda: run(graphistry))
    same(outcome(lambda: run(graphistry_core)), theirs, indexed=drawn[1] is not None)


@FEW
@given(graphs(missing=False, tables=("full", "partial")), st.lists(st.integers(0, 5), max_size=3))
def test_parts_of_a_graph(drawn, chosen):
    _, nodes, names = drawn
    ids = [nodes[names[2]].iloc[i % len(nodes)] for i in chosen] if len(nodes) else []
    for call in (
        lambda g: g.keep_nodes(ids),
        lambda g: g.keep_nodes({names[2]: ids, "kind": ["p"]}),
        lambda g: g.drop_nodes(ids),
        lambda g: g.prune_self_edges(),
        lambda g: g.filter_nodes_by_dict({"kind": "p"}),
        lambda g: g.filter_nodes_by_dict({"kind": "p", "size": [0, 2]}),
        lambda g: g.filter_edges_by_dict({"w": 1}),
        lambda g: g.filter_edges_by_dict({"nowhere": 1}),
        lambda g: g.filter_edges_by_dict({"w": "1"}),
        lambda g: g.filter_edges_by_dict({"kind": graphistry.isna()}),
        lambda g: g.filter_nodes_by_dict({"size": graphistry.gt(1)}),
        lambda g: g.filter_nodes_by_dict({"kind": graphistry.gt(1)}),
    ):
        ours, theirs = (outcome(lambda m=m, c=call: c(made(m, *drawn))) for m in (graphistry_core, graphistry))
        same(ours, theirs)


ROWS = pd.DataFrame(
    {
        "id": ["a", "B2", "c.3", "d", "1"],
        "n": [1, 20, 300, -4, 2**31 - 1],
        "x": [0.1 + 0.2, 2.0, float("nan"), -2.5, 2.0**31 - 1],
        "y": [1e21, float("inf"), -0.0, 12345.678949, 0.00005],
        "at": pd.to_datetime(
            ["2026-01-02 00:04:05", None, "2024-12-31 12:00:00", "1999-07-09 23:59:59", "2026-07-02 00:00:00"]
        ),
        "zoned": pd.to_datetime(["2026-01-02", "2026-07-02", None, "2024-12-31", "2024-12-31"], utc=True),
        "flag": [True, False, True, False, True],
        "mixed": ["x", 1, None, 2.5, "Yy 2"],
        "lists": [[1], ["a"], [], None, ["2"]],
        "whole": pd.array([1, None, 3, 20, 5], "Int64"),
        "kind": pd.Categorical(["p", "q", None, "p", "2"]),
    },
    index=[5, 4, 3, 2, 1],
)
SEARCHES = [
    {}, {"case_sensitive": True}, {"regex": True}, {"columns": ["mixed"]},
    {"columns": ["x", "y"], "float_precision": 1},
    {"columns": ["lists"]},
    {"columns": ["at", "zoned"], "temporal_tz": "America/New_York"}, {"temporal_tz": "Asia/Kolkata"}, {"columns": []},
    {"columns": ["flag", "kind", "whole"]}, {"columns": ["nowhere"]}, {"columns": ["at"], "regex": True},
]  # fmt: skip


@pytest.mark.parametrize("options", SEARCHES, ids=str)
@pytest.mark.parametrize(
    "term", ["x", "B", "2", "0.3", "-", "2.0", "1e+21", "inf", "am", "Jan 2", "^1|2$", "5:3", "", "4 "]
)
def test_search(term, options, monkeypatch):
    from graphistry_core.compute import bridge

    monkeypatch.setattr(bridge, "find_spec", lambda name: None)
    edges = ROWS.rename(columns={"id": "s"}).assign(d="b")
    for call in (
        lambda g: g.search_nodes(term, **options),
        lambda g: g.search_edges(term, **options),
        lambda g: g.nodes(ROWS[:0]).search_nodes(term, **options),
        lambda g: g.nodes(ROWS[[]]).search_nodes(term),
    ):
        ours, theirs = (
            outcome(lambda m=m, c=call: c(m.edges(edges, "s", "d").nodes(ROWS, "id")))
            for m in (graphistry_core, graphistry)
        )
        same(ours, theirs)


# --- patterns -------------------------------------------------------------------------------------------------

NODE_FILTERS = [None, {"kind": "p"}, {"size": [0, 1, 2]}, ("size", "gt", 1), {"size": 3}, ("kind", "startswith", "p"),
                {"nowhere": 1}, {"kind": 1}, ("kind", "isna")]  # fmt: skip
EDGE_FILTERS = [None, {"w": 1}, {"kind": "x"}, ("w", "ge", 1), ("kind", "is_in", ["x", "y"]), {"nowhere": 1}]


@st.composite
def patterns(draw):
    """Steps as plain data, to be made with either library's classes."""
    steps, aliases = [], iter(["a", "b", "c", "d", "e"])

    def some(values, odds=2):
        return draw(st.sampled_from(values)) if draw(st.integers(0, odds)) == 0 else None

    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            steps.append(("n", {"filter_dict": some(NODE_FILTERS, 1), "query": some(["size < 4"], 6)}))
        else:
            direction = draw(st.sampled_from(["e_forward", "e_reverse", "e_undirected"]))
            options = {"edge_match": some(EDGE_FILTERS, 1), "source_node_match": some([{"kind": "p"}], 4),
                       "destination_node_match": some([{"size": [0, 1, 2]}, {"kind": "q"}], 4),
                       "edge_query": some(["w > 0"], 6), "destination_node_query": some(["size > 0"], 8)}  # fmt: skip
            options |= draw(st.sampled_from([{}, {}, {}, {"hops": 2}, {"hops": 3}, {"to_fixed_point": True}]))
            steps.append((direction, options))
        if draw(st.integers(0, 2)) == 0:
            steps[-1][1]["name"] = next(aliases)
    return steps


def pattern(module, steps):
    def value(found):
        if isinstance(found, tuple):
            column, predicate, *arguments = found
            return {column: getattr(module, predicate)(*arguments)}
        return found

    return [
        getattr(module, kind)(**{k: value(v) for k, v in options.items() if v is not None}) for kind, options in steps
    ]


@MANY
@given(graphs(tables=("none", "full", "partial")), patterns(), st.sampled_from([None, True, "quiet"]))
def test_chain(drawn, steps, strict):
    if drawn[1] is None:
        steps = [(kind, {k: v for k, v in options.items() if "node" not in k and k not in ("filter_dict", "query")})
                 for kind, options in steps]  # fmt: skip
    theirs = outcome(lambda: made(graphistry, *drawn).gfql(pattern(graphistry, steps), strict=strict))
    walks = any(kind != "n" for kind, _ in steps)  # its rows come as its steps do; ours as in the tables
    far = any(kind == "e_undirected" and (o.get("hops", 1) != 1 or o.get("to_fixed_point")) for kind, o in steps)
    if far and theirs == ("error", "KeyError") and ("id" if drawn[1] is None else drawn[2][2]) in drawn[0]:
        return  # it mixes up an id column and an edge column of that name
    for patterned in (pattern(graphistry_core, steps), pattern(graphistry, steps)):
        ours = outcome(lambda p=patterned: made(graphistry_core, *drawn).gfql(p, strict=strict))
        same(ours, theirs, ordered=not walks)


# --- queries as JSON, and what is wrong with them -----------------------------------------------------------------

PREDICATES = [
    ("gt", (1,)), ("lt", (1.5,)), ("ge", (2,)), ("le", (2,)), ("eq", (3,)), ("ne", ("x",)), ("between", (1, 3)),
    ("between", (1, 3, False)), ("isna", ()), ("notna", ()), ("is_in", (["x", 1, None],)), ("duplicated", ()),
    ("duplicated", (False,)), ("contains", ("x",)), ("contains", ("X", False, 0, False, True)), ("startswith", ("x",)),
    ("startswith", (("x", "y"),)), ("endswith", ("Y", False)), ("match", ("[xy]",)), ("fullmatch", ("x.*", False)),
    ("isnumeric", ()), ("isalpha", ()), ("isdigit", ()), ("islower", ()), ("isupper", ()), ("isspace", ()),
    ("isalnum", ()), ("isdecimal", ()), ("istitle", ()), ("isnull", ()), ("notnull", ()), ("is_month_start", ()),
    ("is_month_end", ()), ("is_quarter_start", ()), ("is_quarter_end", ()), ("is_year_start", ()), ("is_year_end", ()),
    ("is_leap_year", ()), ("gt", (pd.Timestamp("2026-01-02"),)), ("le", (dt.datetime(2026, 1, 2, 3),)),
    ("eq", (dt.date(2026, 1, 2),)), ("lt", (dt.time(3, 4, 5),)), ("ge", ({"type": "datetime", "value": "2026-01-02"},)),
    ("between", (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-03"))), ("is_in", ([pd.Timestamp("2026-01-02")],)),
    ("is_in", ([dt.time(0, 0)],)), ("gt", (pd.Timestamp("2026-01-02", tz="Europe/Berlin"),)),
]  # fmt: skip
TIMES = ["2026-01-01 00:00:00", "2026-01-02 03:04:05", None, "2024-12-31 00:00:00"]
COLUMNS = {
    "int": pd.Series([1, 2, 3, 3]),
    "float": pd.Series([1.0, None, 3.0, 1.5]),
    "bool": pd.Series([True, False, True, True]),
    "text": pd.Series(["x", "Yy", None, "12"], dtype=TEXT),
    "mixed": pd.Series(["x", 1, None, 2.5], dtype=object),
    "time": pd.Series(pd.to_datetime(TIMES)),
    "zoned": pd.Series(pd.to_datetime(TIMES, utc=True)),
    "empty": pd.Series([], dtype="float64"),
}


KINDS = ("GFQLValidationError", "TypeError", "ValueError", "AttributeError")


def raw(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except Exception as e:
            return next((n.__name__ for n in type(e).__mro__ if n.__name__ in KINDS), type(e).__name__)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(("name", "arguments"), PREDICATES, ids=lambda v: v if isinstance(v, str) else "")
def test_predicates(name, arguments, column):
    ours, theirs = (getattr(module, name)(*arguments) for module in (graphistry_core, graphistry))
    values = COLUMNS[column]
    mine, peers = (raw(lambda p=p: p(values)) for p in (ours, theirs))
    if isinstance(peers, str):
        assert mine == peers
    else:
        plain = [None if value is None or value is pd.NA else bool(value) for value in mine]
        assert plain == [None if value is None or value is pd.NA else bool(value) for value in peers]


@pytest.mark.parametrize(("name", "arguments"), PREDICATES, ids=lambda v: v if isinstance(v, str) else "")
def test_predicates_as_json(name, arguments):
    from graphistry.compute.predicates.from_json import from_json as theirs_from

    from graphistry_core.compute.conditions import from_json

    ours, theirs = (getattr(module, name)(*arguments) for module in (graphistry_core, graphistry))
    assert ours.to_json() == _tupled(theirs.to_json())
    if name != "is_in":  # where times come back from JSON as dicts, which nothing is equal to; ours are times again
        assert from_json(theirs.to_json()).to_json() == _tupled(theirs_from(theirs.to_json()).to_json())
        assert _tupled(theirs_from(ours.to_json()).to_json()) == ours.to_json()


def _tupled(d):
    return {key: list(value) if isinstance(value, tuple) else value for key, value in d.items()}


@FEW
@given(patterns())
def test_patterns_as_json(steps):
    from graphistry.compute.chain import Chain

    theirs = raw(lambda: Chain(pattern(graphistry, steps)).to_json())
    assert graphistry_core.Chain(pattern(graphistry_core, steps)).to_json() == theirs
    assert graphistry_core.Chain.from_json(theirs).to_json() == theirs
    assert Chain.from_json(theirs).to_json() == theirs


WRONG = [
    lambda m: m.Chain("no list"),
    lambda m: m.Chain([1]),
    lambda m: m.Chain([m.n(), "x"]),
    lambda m: m.n("x").validate(),
    lambda m: m.n({1: 2}).validate(),
    lambda m: m.n({"a": object()}).validate(),
    lambda m: m.n(name=1).validate(),
    lambda m: m.n(query=1).validate(),
    lambda m: m.e_forward(hops=0).validate(),
    lambda m: m.e_forward(hops="2").validate(),
    lambda m: m.e_forward(min_hops=3, max_hops=2).validate(),
    lambda m: m.e_forward(output_min_hops=3, output_max_hops=2).validate(),
    lambda m: m.e_forward(max_hops=-1).validate(),
    lambda m: m.e_forward(edge_match="x").validate(),
    lambda m: m.e_forward(name=1).validate(),
    lambda m: m.e_forward(edge_query=1).validate(),
    lambda m: m.Chain.from_json([]),
    lambda m: m.Chain.from_json({}),
    lambda m: m.Chain.from_json({"chain": 1}),
    lambda m: m.Chain.from_json({"chain": [{"type": "Edge"}]}),
    lambda m: m.Chain.from_json({"chain": [{"type": "Edge", "direction": "up"}]}),
    lambda m: m.Chain.from_json({"chain": [{}]}),
    lambda m: m.Chain.from_json({"chain": [{"type": "Node", "filter_dict": 3}]}),
    lambda m: m.gt(object()),
    lambda m: m.is_in([1, pd.Timestamp("2026-01-01")]),
    lambda m: m.contains(3).validate(),
    lambda m: m.startswith((1,)).validate(),
    lambda m: m.duplicated("x").validate(),
    lambda m: m.between(1, pd.Timestamp("2026-01-01")).validate(),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_what_is_wrong_with_a_query(number):
    ours, theirs = (outcome(lambda m=m: WRONG[number](m)) for m in (graphistry_core, graphistry))
    assert ours[0] == theirs[0] == "error", (ours, theirs)
    assert ours[1] == theirs[1]


def test_all_errors_at_once():
    both = []
    for module in (graphistry_core, graphistry):
        chain = module.Chain([module.n({1: 2}), module.e_forward(hops=0)], validate=False)
        both.append([error.code for error in chain.validate(collect_all=True)])
    assert both[0] == both[1] == ["invalid-filter-key", "invalid-hops-value"]


@pytest.mark.parametrize("wrong", ["zz > 1", "w >", "kind +"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda g, m, q: g.gfql([m.n({"id": "nobody"}), m.e_forward(), m.n(query=q)]),
        lambda g, m, q: g.gfql([m.n({"id": "nobody"}), m.e_forward(edge_query=q), m.n()]),
        lambda g, m, q: g.gfql([m.n({"id": "nobody"}), m.e_reverse(source_node_query=q), m.n()]),
        lambda g, m, q: g.hop(SMALL_NODES[:0], edge_query=q),
        lambda g, m, q: g.hop(SMALL_NODES[:0], destination_node_query=q),
    ],
)
def test_a_wrong_query_is_an_error_though_no_row_is_reached(ask, wrong):
    ours, theirs = (outcome(lambda m=m: ask(small(m), m, wrong)) for m in (graphistry_core, graphistry))
    assert ours[0] == theirs[0] == "error", (ours, theirs)
    assert ours[1] == theirs[1]


SMALL = pd.DataFrame({"s": ["a", "b", "c", "a"], "d": ["b", "c", "d", "d"], "w": [1, 2, 3, 4]})
SMALL_NODES = pd.DataFrame({"id": ["a", "b", "c", "d"], "kind": ["x", "y", "x", "y"]})


def small(module=graphistry_core):
    return module.edges(SMALL, "s", "d").nodes(SMALL_NODES, "id")


@pytest.mark.parametrize(
    "ask",
    [
        lambda g, m: g.gfql([m.n({"id": "a"}), m.e_forward(min_hops=2, max_hops=3), m.n()]),
        lambda g, m: g.gfql([m.n(), m.e_forward({"w": m.gt(1)}, label_edge_hops="far", hops=2), m.n()]),
        lambda g, m: g.hop(SMALL_NODES[:1], 2, target_wave_front=SMALL_NODES[2:]),
        lambda g, m: g.hop(None, 1, return_as_wave_front=True),
        lambda g, m: g.gfql("MATCH (a)-[e]->(b) RETURN a"),
        lambda g, m: g.gfql(m.let({"x": m.n({"kind": "x"}), "y": m.ref("x", [m.n({"id": "a"})])})),
        lambda g, m: g.gfql([m.n({"label__x": True}), m.e_forward(), m.n()]),
        lambda g, m: g.chain([m.n({"id": "a"}), m.e_forward(), m.n()]),
        lambda g, m: g.get_topological_levels(),
        lambda g, m: g.collapse("a", "x", "kind"),
    ],
)
def test_what_is_not_ours_is_pygraphistrys(ask):
    ours, theirs = (outcome(lambda m=m: ask(small(m), m)) for m in (graphistry_core, graphistry))
    same(ours, theirs, ordered=False)


@pytest.mark.parametrize(
    "options",
    [{"label_node_hops": "far", "label_edge_hops": "far", "label_seeds": True},
     {"min_hops": 2, "label_node_hops": "at"},
     {"output_min_hops": 2}, {"direction": "undirected", "return_as_wave_front": True}],
)  # fmt: skip
def test_hops_that_need_no_pygraphistry(options, monkeypatch):
    from graphistry_core.compute import bridge

    theirs = outcome(lambda: small(graphistry).hop(SMALL_NODES[1:2], 3, **options))
    monkeypatch.setattr(bridge, "find_spec", lambda name: None)
    numbered_same(outcome(lambda: small().hop(SMALL_NODES[1:2], 3, **options)), theirs, options, False)


def test_several_undirected_steps_need_no_pygraphistry(monkeypatch):
    from graphistry_core.compute import bridge

    def ask(m):
        return small(m).gfql([m.n({"kind": m.is_in(["x"])}), m.e_undirected(hops=2), m.n({"kind": "y"})])

    theirs = outcome(lambda: ask(graphistry))
    monkeypatch.setattr(bridge, "find_spec", lambda name: None)
    same(outcome(lambda: ask(graphistry_core)), theirs, ordered=False)


@pytest.mark.parametrize("condition", [{}, {"kind": "x"}, {"kind": "nothing"}])
def test_an_alias_named_like_a_column(condition, monkeypatch):
    from graphistry_core.compute import bridge

    def ask(m):
        nodes = SMALL_NODES.assign(more=range(4))[["kind", "id", "more"]]
        return m.edges(SMALL, "s", "d").nodes(nodes, "id").gfql([m.n(condition, name="kind")])

    theirs = outcome(lambda: ask(graphistry))
    monkeypatch.setattr(bridge, "find_spec", lambda name: None)
    same(outcome(lambda: ask(graphistry_core)), theirs)


LETS = [
    {"x": ("n", {"kind": "x"})},
    {"x": ("n", {"kind": "x"}), "out": ("ref", "x", [("n", {"id": "a"})])},
    {
        "x": [("n", {"kind": "x"}), ("e_forward", {}), ("n", {})],
        "y": ("ref", "x", [("n", {"kind": "y"}), ("e_reverse", {})]),
    },
    {"y": ("ref", "x", [("e_forward", {"w": 1})]), "x": ("n", {"kind": ["x", "y"]})},
    {"x": ("n", {"kind": "x"}), "y": ("ref", "x", [])},
    {"x": ("n", {"kind": "x"}), "in": {"z": ("ref", "x", [("n", {"id": "c"})])}},
    {"x": ("ref", "x", [])},
    {"x": ("ref", "y", []), "y": ("ref", "x", [])},
    {"x": ("ref", "gone", [])},
    {"x": ("n", {"nowhere": 1})},
    {},
]


def let_of(module, bindings):
    def made(value):
        if isinstance(value, dict):
            return module.let({name: made(each) for name, each in value.items()})
        if isinstance(value, list):
            return [made(each) for each in value]
        if value[0] == "ref":
            return module.ref(value[1], made(value[2]))
        return getattr(module, value[0])(value[1])

    return made(bindings)


@pytest.mark.parametrize("output", [None, "x", "nowhere"])
@pytest.mark.parametrize("bindings", LETS)
def test_let(bindings, output):
    theirs = outcome(lambda: small(graphistry).gfql(let_of(graphistry, bindings), output=output))
    same(outcome(lambda: small().gfql(let_of(graphistry_core, bindings), output=output)), theirs, ordered=False)
    same(outcome(lambda: small().gfql(let_of(graphistry, bindings), output=output)), theirs, ordered=False)
    assert let_of(graphistry_core, bindings).to_json() == let_of(graphistry, bindings).to_json()
    same(outcome(lambda: small().gfql(let_of(graphistry, bindings).to_json(), output=output)), theirs, ordered=False)


def test_its_refusals_come_back_as_ours():
    from graphistry_core.compute.exceptions import GFQLValidationError

    with pytest.raises(GFQLValidationError) as refused:
        small().gfql("MATCH this is no Cypher")
    assert refused.value.code
    assert isinstance(refused.value, BadRequest)


# --- the index ----------------------------------------------------------------------------------------------------


def ids_of(g):
    return sorted(g._nodes["id"])


def test_an_index_is_never_stale():
    edges, nodes = SMALL.copy(), SMALL_NODES.copy()
    g = graphistry_core.edges(edges, "s", "d").nodes(nodes, "id").gfql_index_all()
    start = nodes[:1]
    assert index.resident(g) is not None
    assert ids_of(g.hop(start)) == ["a", "b", "d"]
    edges.loc[0, "d"] = "c"  # in place
    assert index.resident(g) is None
    assert ids_of(g.hop(start)) == ["a", "c", "d"]
    edges["s"] = ["b", "b", "c", "b"]
    assert ids_of(g.hop(start)) == []
    nodes.loc[0, "id"] = "z"
    edges.loc[0, "s"] = "z"
    assert ids_of(g.hop(nodes[:1])) == ["c", "z"]
    assert ids_of(g.edges(SMALL, "s", "d").nodes(SMALL_NODES, "id").hop(SMALL_NODES[:1])) == ["a", "b", "d"]


@pytest.mark.parametrize("columns", [["s", "d", "w"], ["s", "w", "d"], ["d", "w", "x", "s"]])
def test_nor_is_a_node_table_made_from_edges(columns):
    edges = pd.DataFrame({name: np.arange(6) for name in columns}).copy()
    edges["d"] += 10
    g = graphistry_core.edges(edges, "s", "d")
    assert 99 not in ids_of(g.get_degrees())
    edges.loc[0, "d"] = 99  # in place
    assert 99 in ids_of(g.get_degrees())
    edges.loc[1, "d"] = 98
    assert 98 in ids_of(g.hop(None, 1))
    edges.loc[2, "s"] = 97
    assert 97 in ids_of(g.hop(None, 1))


def test_what_is_done_to_a_result_stays_in_it():
    g = small()
    for out in (g.hop(None, 1), g.gfql([graphistry_core.n(), graphistry_core.e_undirected(), graphistry_core.n()])):
        assert len(out._edges) == len(SMALL)
        assert len(out._nodes) == len(SMALL_NODES)
        out._edges.loc[0, "w"] = 77
        out._nodes.loc[0, "kind"] = "changed"
    assert g._edges["w"].tolist() == [1, 2, 3, 4]
    assert g._nodes["kind"].tolist() == ["x", "y", "x", "y"]


def test_other_columns_and_bindings_keep_it():
    g = small().gfql_index_all()
    assert index.resident(g.edges(g._edges.assign(new=1))) is not None
    assert index.resident(g.bind(point_color="kind")) is not None
    assert index.resident(g.bind(source="d", destination="s")) is None
    assert ids_of(g.bind(source="d", destination="s").hop(SMALL_NODES[:1])) == []


def test_eight_threads_on_one_graph():
    rng = np.random.default_rng(1)
    edges = pd.DataFrame({"s": rng.integers(0, 2000, 20_000), "d": rng.integers(0, 2000, 20_000)})
    g = graphistry_core.edges(edges, "s", "d").nodes(pd.DataFrame({"id": np.arange(2000)}), "id")
    seeds = [pd.DataFrame({"id": [n]}) for n in range(40)]
    expected = [len(graphistry_core.edges(edges, "s", "d").nodes(g._nodes, "id").hop(s, 2)._edges) for s in seeds]
    found = {}

    def work(which):
        for i, s in enumerate(seeds):
            found[which, i] = len(g.hop(s, 2)._edges)
            assert len(g.gfql([graphistry_core.n({"id": i}), graphistry_core.e_forward(hops=2)])._edges) == expected[i]

    threads = [threading.Thread(target=work, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[found[which, i] for i in range(40)] for which in range(8)] == [expected] * 8


SCRIPT = """
import hashlib, sys
if sys.argv[1] == "without numba":
    sys.modules["numba"] = None
import numpy as np, pandas as pd
import graphistry_core as m
from graphistry_core.compute import kernels
rng = np.random.default_rng(3)
edges = pd.DataFrame({"s": rng.integers(-50, 50, 400), "d": rng.integers(-50, 50, 400), "w": rng.integers(0, 9, 400)})
nodes = pd.DataFrame({"id": np.arange(-50, 50), "kind": ["x", "y"] * 50})
g = m.edges(edges, "s", "d").nodes(nodes, "id")
answers = [g.hop(nodes[:1], 2), g.hop(nodes[:80], 1, direction="reverse"), g.get_degrees(),
           g.hop(nodes[:2], direction="undirected", to_fixed_point=True),
           g.hop(nodes[:9], 3, direction="undirected", return_as_wave_front=True),
           g.hop(nodes[:3], min_hops=2, max_hops=3, label_node_hops="at", edge_match={"w": m.gt(6)}),
           g.materialize_nodes(reuse=False),
           m.edges(edges, "s", "d").hop(nodes[:1], 3, edge_match={"w": m.gt(3)}),
           g.gfql([m.n({"kind": "x"}), m.e_forward({"w": m.lt(5)}), m.n({"kind": "y"}, name="z"), m.e_reverse(hops=2)])]
texts = [table.to_csv() for a in answers for table in (a._nodes, a._edges)]
print(kernels.COMPILED, hashlib.sha256("".join(texts).encode()).hexdigest())
"""


def test_the_same_without_a_compiler():
    said = {}
    for how in ("compiled", "without jit", "without numba"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": "1" if how == "without jit" else "0"}
        command = [sys.executable, "-W", "error", "-c", SCRIPT, how]
        ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert ran.returncode == 0, ran.stderr
        said[how] = ran.stdout.split()
        assert ran.stderr.count("are slow") == (how != "compiled"), ran.stderr
    assert [compiled for compiled, _ in said.values()] == ["True", "False", "False"]
    assert len({answer for _, answer in said.values()}) == 1
    assert kernels.COMPILED


def test_memory_of_a_hop_and_of_the_index():
    import tracemalloc

    rng = np.random.default_rng(5)
    size = 1_000_000
    edges = pd.DataFrame(
        {"s": rng.integers(0, 100_000, size), "d": rng.integers(0, 100_000, size), "w": rng.random(size)}
    )
    g = graphistry_core.edges(edges, "s", "d").nodes(pd.DataFrame({"id": np.arange(100_000)}), "id").gfql_index_all()
    assert index.resident(g).nbytes < 1.5 * 16 * size
    everything = g._nodes[:3000]
    g.hop(everything, 2)
    tracemalloc.start()
    try:
        out = g.hop(everything, 2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    result = int(out._edges.memory_usage(index=False).sum() + out._nodes.memory_usage(index=False).sum())
    assert result > 1_000_000
    assert peak < 3 * result  # the result, and less than twice its size besides


@pytest.mark.parametrize(("most", "what"), [(2, "3 edges"), (3, "4 nodes")])
def test_more_rows_than_codes_can_number_are_refused(most, what, monkeypatch):
    monkeypatch.setattr(index, "_MOST", most)
    g = graphistry_core.edges(pd.DataFrame({"s": [1, 2, 3], "d": [2, 3, 4]}), "s", "d")
    with pytest.raises(BadRequest, match=f"A graph of {what} is too large for this verb"):
        g.hop(pd.DataFrame({"id": [1]}))
