"""What the viewer's page is given: drawn nodes and edges, looks, layout, communities; and who is given it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

import graphistry_core
from graphistry_core import wire
from graphistry_core.messages import Auth
from graphistry_core.viewer import layout, page
from graphistry_core.viewer.columns import shown
from graphistry_core.viewer.communities import communities
from graphistry_core.viewer.scene import Scene

IDS = st.one_of(st.integers(0, 6), st.none())


def _scene(edges, nodes=None, node="id", limit=1_000_000, **looks) -> Scene:
    record = {
        "name": "test",
        "dataset_id": "d",
        "node_encodings": {
            "bindings": {"node": node, **looks.pop("node_bindings", {})},
            "complex": looks.pop("node_complex", {}),
        },
        "edge_encodings": {
            "bindings": {"source": "s", "destination": "d", **looks.pop("edge_bindings", {})},
            "complex": {},
        },
    }
    tables = [None if frame is None else pa.Table.from_pandas(frame, preserve_index=False) for frame in (nodes, edges)]
    return Scene(record, tables[0], tables[1], limit)


def _read(part) -> pd.DataFrame:
    return pa.ipc.open_stream(part).read_all().to_pandas()


def _edges(*pairs) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["s", "d"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(IDS, IDS), max_size=12), st.lists(IDS, max_size=8), st.booleans())
def test_every_edge_points_at_its_own_nodes(pairs, rows, as_text):
    kind = (lambda v: None if v is None else f"n{v}") if as_text else (lambda v: v)
    pairs = [(kind(a), kind(b)) for a, b in pairs]
    dtype = "string" if as_text else "Int64"
    edges = pd.DataFrame(pairs, columns=["s", "d"]).astype(dtype)
    nodes = pd.DataFrame({"id": [kind(v) for v in rows], "row": range(len(rows))}).astype({"id": dtype})
    scene = _scene(edges, nodes)
    lines, points, table = _read(scene.part("lines")), _read(scene.part("points")), _read(scene.part("nodes"))
    whole = [(a, b) for a, b in pairs if a is not None and b is not None]
    ids = list(table["id"])
    assert [(ids[a], ids[b]) for a, b in zip(lines["source"], lines["destination"], strict=True)] == whole
    # Plain Python: ids of the table, then ids of edges that it lacks; the first row of each.
    expected = list(
        dict.fromkeys(
            [kind(v) for v in rows if v is not None] + [v for pair in zip(*whole, strict=True) for v in pair]
            if whole
            else [kind(v) for v in rows if v is not None]
        )
    )
    assert ids == expected
    first = {kind(v): row for row, v in reversed(list(enumerate(rows)))}
    assert [None if pd.isna(row) else int(row) for row in table["row"]] == [first.get(one) for one in ids]
    assert len(points) == len(ids)
    assert np.isfinite(points[["x", "y"]].to_numpy()).all()
    assert list(table["degree"]) == [sum((a == one) + (b == one) for a, b in whole) for one in ids]


def test_ids_of_two_types_and_of_nested_ones_meet():
    scene = _scene(pd.DataFrame({"s": [1, 2], "d": [2, 3]}), pd.DataFrame({"id": [1.0, 2.0]}))
    assert scene.graph.nodes.num_rows == 3
    scene = _scene(pd.DataFrame({"s": [1, 2], "d": ["2", "3"]}))
    assert scene.graph.nodes.column("id").to_pylist() == ["1", "2", "3"]
    scene = _scene(pd.DataFrame({"s": pd.Categorical(["a", "b"]), "d": pd.Categorical(["b", "c"])}))
    assert scene.graph.nodes.column("id").to_pylist() == ["a", "b", "c"]


def test_a_sample_is_said_and_stays_whole():
    rng = np.random.default_rng(0)
    edges = pd.DataFrame({"s": rng.integers(0, 500, 4000), "d": rng.integers(0, 500, 4000)})
    scene = _scene(edges, limit=100)
    assert scene.graph.edges.num_rows <= 100
    assert scene.graph.nodes.num_rows <= 100
    lines, nodes = _read(scene.part("lines")), _read(scene.part("nodes"))
    known = set(edges.itertuples(index=False, name=None))
    assert {
        (nodes["id"][a], nodes["id"][b]) for a, b in zip(lines["source"], lines["destination"], strict=True)
    } <= known
    setup = scene.part("setup")
    assert setup["counts"] == {"nodes": edges.stack().nunique(), "edges": 4000}
    assert any("A sample" in note for note in setup["notes"])


def test_colors_by_mapping_palette_gradient_and_binding():
    edges = _edges(("a", "b"), ("b", "c"))
    nodes = pd.DataFrame(
        {"id": ["a", "b", "c"], "kind": ["x", "y", None], "n": [0.0, 5.0, 10.0], "css": ["red", "#00ff00", "red"]}
    )

    def color(encoding=None, **bindings):
        looks = {} if encoding is None else {"node_complex": {"default": {"pointColorEncoding": encoding}}}
        scene = _scene(edges, nodes, node_bindings=bindings, **looks)
        look, codes = scene.part("setup")["looks"]["pointColor"], list(_read(scene.part("points"))["color"])
        return [look["entries"][code]["color"] for code in codes] if look["kind"] == "category" else (look, codes)

    base = {"graphType": "point", "encodingType": "color"}
    mapping = {"categorical": {"fixed": {"x": "#111"}, "other": "#999"}}
    assert color({**base, "attribute": "kind", "mapping": mapping}) == ["#111", "#999", "#999"]
    palette = {**base, "attribute": "n", "variation": "categorical", "colors": ["#aaa", "#bbb"]}
    assert color(palette) == ["#aaa", "#bbb", "#aaa"]
    look, codes = color({**base, "attribute": "n", "variation": "continuous", "colors": ["#000", "#fff"]})
    assert (look["min"], look["max"], look["stops"]) == (0, 10, ["#000", "#fff"])
    assert codes == [0, 127, 255]
    assert color(node_color="css") == ["red", "#00ff00", "red"]
    bins = {"continuous": {"bins": [[5, "#l"], [None, "#h"]], "comparator": "<"}}
    assert color({**base, "attribute": "n", "mapping": bins}) == ["#l", "#h", "#h"]
    assert color(
        {**base, "attribute": "n", "mapping": {"continuous": {"bins": [[5, "#l"], [None, "#h"]], "comparator": "<="}}}
    ) == ["#l", "#l", "#h"]


def test_a_mapping_by_numbers_and_booleans_meets_its_json_keys():
    nodes = pd.DataFrame({"id": [1, 2], "flag": [True, False], "level": [1.0, 2.5]})
    for column, fixed in (("flag", {True: 4, False: 1}), ("level", {1: 4, 2.5: 1}), ("id", {1: 4, 2: 1})):
        mapping = json.loads(json.dumps({"categorical": {"fixed": fixed}}))
        encoding = {"graphType": "point", "encodingType": "size", "attribute": column, "mapping": mapping}
        sizes = _read(
            _scene(_edges((1, 2)), nodes, node_complex={"default": {"pointSizeEncoding": encoding}}).part("points")
        )["size"]
        assert sizes[0] > sizes[1], column


def test_an_encoding_by_a_column_that_is_not_there_is_a_note():
    encoding = {"graphType": "point", "encodingType": "color", "attribute": "gone", "variation": "categorical"}
    setup = _scene(_edges((1, 2)), node_complex={"default": {"pointColorEncoding": encoding}}).part("setup")
    assert setup["notes"] == ["The nodes have no column 'gone', which an encoding is by."]


def test_bound_positions_win():
    nodes = pd.DataFrame({"id": [1, 2, 3], "x": [0, 5, -5], "y": [1.5, None, 2.0]})
    scene = _scene(_edges((1, 2), (2, 3)), nodes, node_bindings={"node_x": "x", "node_y": "y"})
    setup = scene.part("setup")  # what the page asks for first
    assert setup["placed"]
    assert setup["notes"] == ["1 nodes have no place; they are drawn in the middle."]
    assert _read(scene.part("points"))[["x", "y"]].to_numpy().tolist() == [[0, 1.5], [-2.5, 1.75], [-5, 2]]


def test_columns_of_every_type_arrive_as_the_page_reads_them():
    table = pa.table(
        {
            "whole": pa.array([1, None, 3], pa.int64()),
            "large": pa.array([1, 2**40, 3], pa.int64()),
            "huge": pa.array([1, 2**62, 3], pa.int64()),
            "time": pa.array([pd.Timestamp("2020-01-01", tz="Europe/Vienna"), None, pd.Timestamp(0, tz="UTC")]),
            "text": pa.array(["a", None, "a"], pa.large_string()),
            "yes": pa.array([True, None, False]),
            "list": pa.array([[1], None, [2, 3]]),
            "bytes": pa.array([b"\xff", b"a", None], pa.large_binary()),
            "decimal": pa.array([Decimal("1.5"), None, Decimal(2)]),
            "span": pa.array([pd.Timedelta("1.5s"), None, pd.Timedelta(0)]),
        }
    )
    made = shown(table)
    kinds = ["number", "number", "text", "time", "text", "bool", "text", "text", "number", "number"]
    assert [one["kind"] for one in made.columns] == kinds
    assert [one["name"] for one in made.columns if "zone" in one] == ["time"]
    assert made.table.column("span").to_pylist() == [1.5, None, 0]
    assert made.table.column("whole").type == pa.int32()
    assert made.table.column("large").to_pylist() == [1, 2**40, 3]
    assert made.table.column("huge").to_pylist() == ["1", str(2**62), "3"]
    assert made.table.column("time").to_pylist() == [
        pd.Timestamp("2020-01-01", tz="Europe/Vienna").timestamp() * 1000,
        None,
        0,
    ]
    assert made.table.column("list").to_pylist() == ["[1]", None, "[2, 3]"]


def test_communities_are_as_good_as_those_of_networkx():
    graph = nx.planted_partition_graph(6, 30, 0.5, 0.02, seed=4)
    source, destination = np.array(graph.edges).T
    found = communities(source, destination, len(graph))
    ours = nx.community.modularity(graph, [set(np.flatnonzero(found == i)) for i in np.unique(found)])
    theirs = nx.community.modularity(graph, nx.community.louvain_communities(graph, seed=1))
    assert ours > 0.97 * theirs
    sizes = np.bincount(found)
    assert (np.diff(sizes) <= 0).all()
    assert list(communities(np.array([], int), np.array([], int), 3)) == [0, 1, 2]


def test_components_are_those_of_networkx():
    graph = nx.gnm_random_graph(300, 180, seed=2)
    source, destination = np.array(graph.edges).T
    label = layout.components(source, destination, 300)
    assert {frozenset(np.flatnonzero(label == one)) for one in np.unique(label)} == set(
        map(frozenset, nx.connected_components(graph))
    )


def test_the_layout_shows_communities_and_keeps_components_apart():
    graph = nx.disjoint_union_all(
        [nx.planted_partition_graph(4, 25, 0.6, 0.02, seed=1), nx.path_graph(3), nx.empty_graph(5)]
    )
    source, destination = np.array(graph.edges).T
    at = layout.seed(source.astype(np.int32), destination.astype(np.int32), len(graph))
    assert at.shape == (108, 2)
    assert (at == layout.seed(source.astype(np.int32), destination.astype(np.int32), len(graph))).all()
    assert np.abs(at).max() <= 1.001
    group = np.repeat(np.arange(4), 25)
    far = np.linalg.norm(at[:100, None] - at[None, :100], axis=2)
    same = group[:, None] == group[None, :]
    assert far[same].mean() < 0.6 * far[~same].mean()
    boxes = [
        (at[part].min(axis=0), at[part].max(axis=0))
        for part in (slice(0, 100), slice(100, 103), *(slice(i, i + 1) for i in range(103, 108)))
    ]
    for i, (low, high) in enumerate(boxes):
        assert not any(
            (low <= other_high).all() and (other_low <= high).all() for other_low, other_high in boxes[i + 1 :]
        )


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 600])
def test_the_layout_of_small_and_of_lonely_graphs(count):
    at = layout.seed(np.arange(count // 2, dtype=np.int32), np.arange(count // 2, dtype=np.int32)[::-1].copy(), count)
    assert at.shape == (count, 2)
    assert np.isfinite(at).all()
    assert len(np.unique(at, axis=0)) == count


# --- who is given what ---


def _parts(url: str) -> tuple[requests.Response, dict]:
    answer = requests.get(url, timeout=30)
    found = re.search(r"id=boot[^>]*>(.*?)</script>", answer.text)
    return answer, json.loads(found[1]) if found else {}


def test_the_page_its_policy_and_its_data(graphistry_server):
    client = graphistry_core.client()
    client.register(**graphistry_server.register_kwargs)
    url = client.edges(_edges(("a", "b")), "s", "d").name("</script><b>").plot(render=False)
    answer, boot = _parts(url)
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
    asked = {source for sources in policy.values() for source in sources.split()}
    here = {"'none'", "'self'", "'unsafe-inline'", "data:", "blob:"}
    assert {source for source in asked - here if not source.startswith("'nonce-")} == set()
    assert "unsafe" not in policy["script-src"]
    assert "<b>" not in answer.text
    base = graphistry_server.url + boot["data"]
    setup = requests.get(base + "setup", {"session": boot["session"]}, timeout=30)
    assert setup.json()["counts"] == {"nodes": 2, "edges": 1}
    for name in ("points", "lines", "nodes", "edges"):
        assert len(_read(requests.get(base + name, {"session": boot["session"]}, timeout=30).content)) == (
            2 if name in ("points", "nodes") else 1
        )
    for name, session in (
        ("setup", "made-up"),
        ("setup", ""),
        ("nothing", boot["session"]),
        ("_lock", boot["session"]),
    ):
        refused = requests.get(base + name, {"session": session}, timeout=30)
        assert (refused.status_code, refused.json()["success"]) == (404, False)
    for name in ("app.js", "style.css", "vendor/arrow.js", "favicon.svg"):
        assert requests.get(f"{graphistry_server.url}/graph/static/{name}", timeout=30).status_code == 200
    for name in ("../scene.py", "page.html", "vendor/versions.json", "..%2fscene.py", "nothing.js"):
        assert requests.get(f"{graphistry_server.url}/graph/static/{name}", timeout=30).status_code == 404


def test_data_of_a_page_goes_with_the_right_to_see_it(graphistry_server):
    client = graphistry_core.client()
    client.register(**graphistry_server.register_kwargs)
    graph = client.edges(_edges(("a", "b")), "s", "d").plot(render="g")
    _, boot = _parts(f"{graphistry_server.url}/graph/graph.html?dataset={graph._dataset_id}")
    url, session = graphistry_server.url + boot["data"] + "edges", {"session": boot["session"]}
    assert requests.get(url, session, timeout=30).status_code == 200
    hub = graphistry_server.hub
    with hub.store.transaction() as db:  # what sharing it with nobody does
        db.execute("UPDATE datasets SET mode = 'private' WHERE id = ?", (graph._dataset_id,))
    assert requests.get(url, session, timeout=30).status_code == 404
    other = requests.get(url.replace(graph._dataset_id, "0" * 32), session, timeout=30)
    assert other.status_code == 404


@pytest.mark.parametrize("with_nodes", [True, False])
def test_of_very_many_edges_only_the_sample_is_looked_at(monkeypatch, with_nodes):
    monkeypatch.setattr("graphistry_core.viewer.scene._LOOKED_AT", 3999)
    rng = np.random.default_rng(0)
    edges = pd.DataFrame({"s": rng.integers(0, 5000, 4000), "d": rng.integers(0, 5000, 4000), "row": range(4000)})
    scene = _scene(edges, pd.DataFrame({"id": range(5000)}) if with_nodes else None, limit=100)
    setup, drawn = scene.part("setup"), _read(scene.part("edges"))
    rows = drawn["row"].to_list()
    assert 0 < len(set(rows)) == len(rows) <= 100
    lines, nodes = _read(scene.part("lines")), _read(scene.part("nodes"))
    ends = [(nodes["id"][a], nodes["id"][b]) for a, b in zip(lines["source"], lines["destination"], strict=True)]
    assert ends == [(edges["s"][row], edges["d"][row]) for row in rows]
    assert setup["counts"]["edges"] == 4000
    assert any("only the sample was looked at" in note for note in setup["notes"])
    if with_nodes:
        assert setup["counts"]["nodes"] == 5000


def test_one_file_holds_everything_and_says_when_it_is_a_sample(monkeypatch):
    client = graphistry_core.client()
    edges = pd.DataFrame({"s": np.arange(4000), "d": np.arange(4000) + 1, "text": [f"{i}" * 9 for i in range(4000)]})
    html = client.edges(edges, "s", "d").to_html()
    assert re.findall(r"(?:src|href)=(?![\"']?data:)", html.split("id=sources")[0]) == []
    monkeypatch.setattr(page, "FILE_LIMIT", 100_000)
    smaller = client.edges(edges, "s", "d").to_html()
    assert len(html) - len(smaller) > 100_000
    boot = json.loads(re.search(r"id=boot>(.*?)</script>", smaller)[1])
    assert boot["setup"]["counts"]["edges"] == 4000
    assert boot["setup"]["drawn"]["edges"] < 4000
    assert any("A sample" in note for note in boot["setup"]["notes"])
    with pytest.raises(graphistry_core.errors.BindingError):
        client.edges(edges).to_html()


def test_collections_hold_what_their_patterns_find():
    nodes = pd.DataFrame({"id": ["a", "b", "c", "d"], "kind": ["x", "x", "y", "y"]})
    scene = _scene(_edges(("a", "b"), ("b", "c"), ("c", "d")), nodes)

    def chain(*operations):
        return {"type": "gfql_chain", "gfql": list(operations)}

    node, edge = {"type": "Node", "filter_dict": {}}, {"type": "Edge", "direction": "forward", "hops": 1}
    sets = [
        {
            "type": "set",
            "id": "xs",
            "name": "X",
            "node_color": "red",
            "expr": chain({**node, "filter_dict": {"kind": "x"}}),
        },
        {"type": "set", "id": "from-b", "expr": chain({**node, "filter_dict": {"id": "b"}}, edge, node)},
        {"type": "intersection", "id": "both", "expr": {"type": "intersection", "sets": ["xs", "from-b"]}},
        {"type": "set", "id": "code", "expr": chain({"type": "Node", "query": "__import__('os')"})},
    ]
    found = {one["id"]: one for one in scene.collections(json.dumps(sets))}
    assert found["xs"] == {
        "id": "xs",
        "name": "X",
        "node_color": "red",
        "edge_color": None,
        "nodes": [0, 1],
        "edges": [],
    }
    assert (found["from-b"]["nodes"], found["from-b"]["edges"]) == ([1, 2], [1])
    assert (found["both"]["nodes"], found["both"]["edges"]) == ([1], [])
    assert "no query text" in found["code"]["problem"]
    assert scene.collections("") == []
    assert scene.collections("not JSON") == []


def test_ids_of_several_types_are_neither_split_nor_merged():
    second = pd.to_datetime(pd.Series(["2026-01-01 01:00", "2026-01-02 02:00"]))
    edges = pd.DataFrame({"s": second.astype("datetime64[ns]"), "d": second[::-1].to_numpy().astype("datetime64[ns]")})
    assert _scene(edges, pd.DataFrame({"id": second.astype("datetime64[s]")})).graph.nodes.num_rows == 2
    large = pd.DataFrame({"s": [2**60, 2**60 + 1], "d": [1.0, 2.0]})
    assert _scene(large).graph.nodes.num_rows == 4
    unsigned = pd.DataFrame({"s": np.array([2**64 - 1], "uint64"), "d": [-1]})
    assert _scene(unsigned).graph.nodes.column("id").to_pylist() == [str(2**64 - 1), "-1"]
    money = pd.DataFrame({"s": [Decimal("1.00")], "d": [Decimal("2.50")]})
    assert _scene(money, pd.DataFrame({"id": [1, 3]})).graph.nodes.column("id").to_pylist() == [1.0, 3.0, 2.5]


@pytest.mark.parametrize(
    "encoding",
    [
        {"attribute": "list", "mapping": {"categorical": {"fixed": {"[1]": "red"}}}},
        {"attribute": "number", "mapping": {"continuous": {"bins": [["x", "red"]]}}},
        {"attribute": ["number"], "variation": "categorical"},
        {"attribute": {"a": 1}, "variation": "continuous"},
    ],
)
@pytest.mark.parametrize("kind", ["color", "size", "icon", "badgeTop", "opacity"])
def test_an_odd_encoding_never_costs_the_picture(encoding, kind):
    nodes = pd.DataFrame({"id": [1, 2], "list": [[1], [2]], "number": [1.0, np.inf]})
    made = {"graphType": "point", "encodingType": kind, **encoding}
    scene = _scene(_edges((1, 2)), nodes, node_complex={"default": {"x": made}}, node_bindings={"node_color": "number"})
    assert scene.part("setup")["drawn"] == {"nodes": 2, "edges": 1}
    assert np.isfinite(_read(scene.part("points"))[["x", "y", "size"]].to_numpy()).all()


def test_a_column_of_the_authors_keeps_its_name():
    nodes = pd.DataFrame({"id": ["a", "b"], "community": ["red", "blue"], "degree": ["x", "y"]})
    scene = _scene(_edges(("a", "b")), nodes)
    table = _read(scene.part("nodes"))
    assert list(table["community"]) == ["red", "blue"]
    assert list(table["degree (found)"]) == [1, 1]
    assert scene.part("setup")["looks"]["pointColor"]["column"] == "community (found)"


def test_a_legend_has_an_end():
    nodes = pd.DataFrame({"id": np.arange(5000).astype(str)})
    encoding = {"graphType": "point", "encodingType": "color", "attribute": "id", "variation": "categorical"}
    scene = _scene(_edges(("0", "1")), nodes, node_complex={"default": {"c": encoding}})
    entries = scene.part("setup")["looks"]["pointColor"]["entries"]
    assert len(entries) == 1000
    assert (entries[-1]["label"], entries[-1]["count"]) == ("others", 4001)


def test_a_look_at_a_link_that_works_once_does_not_use_it_up(graphistry_server):
    client = graphistry_core.client()
    client.register(**graphistry_server.register_kwargs)
    graph = client.edges(_edges(("a", "b")), "s", "d").privacy("private").plot(render="g")
    secret = graphistry_server.hub.visits.link(graph._dataset_id)
    url = f"{graphistry_server.url}/graph/graph.html?dataset={graph._dataset_id}&single_use={secret}"
    assert requests.head(url, timeout=30).status_code == 200
    assert [requests.get(url, timeout=30).status_code for _ in range(2)] == [200, 404]


def test_the_page_of_a_local_dataset_goes_with_it():
    client = graphistry_core.client()
    client.register(transport="local")
    url = client.edges(_edges(("a", "b")), "s", "d").plot(render="url")
    path = Path(url2pathname(urlsplit(url).path))
    assert path.exists()
    client.session.transport.hub.dataset_delete(
        wire.DatasetDelete(path.stem), client.session.transport.hub.caller(Auth("bearer", token=client.api_token()))
    )
    assert not path.exists()
