"""GEXF, with PyGraphistry 0.61.2 and networkx as oracles: the same documents, the same tables."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interop_oracles import (
    EDGES,
    GRAPH,
    NODES,
    THEIR_GRAPH,
    assert_same_graph,
    ours,
    theirs,
)

from graphistry_core import (
    BadRequest,
    BindingError,
    InvalidTable,
    Plottable,
    ServerUnreachable,
)

nx = pytest.importorskip("networkx")

GEXF = """<?xml version="1.0" encoding="UTF-8"?>
<gexf xmlns="http://www.gexf.net/1.2draft" xmlns:viz="http://www.gexf.net/1.2draft/viz" version="1.2">
  <meta><creator>me</creator><description> A graph </description></meta>
  <graph defaultedgetype="directed">
    <attributes class="node">
      <attribute id="0" title="age" type="integer"><default>7</default></attribute>
      <attribute id="1" title="ok" type="boolean"/>
      <attribute id="2" type="double"/>
    </attributes>
    <attributes class="edge">
      <attribute id="0" title="since" type="string"/>
      <attribute id="1" title="since" type="string"/>
      <attribute title="no id"/>
      EDGE_ATTRIBUTE
    </attributes>
    <nodes>
      <node id="a" label="Ann"><attvalues><attvalue for="0" value="30"/><attvalue for="1" value="TRUE"/></attvalues>
        <viz:color r="255" g="128" b="0" a="0.5"/><viz:position x="1" y="2.5" z="0"/><viz:size value="3"/>
        <viz:shape value="diamond"/></node>
      <node id="b"><attvalues><attvalue for="0" value="old"/><attvalue for="2" value="1.5"/>
        <attvalue for="9" value="?"/><attvalue value="lost"/></attvalues>
        <viz:color hex="#00FF00"/><viz:shape value="image" uri="http://x/y.png"/></node>
      <node id="c"/>
    </nodes>
    <edges>
      <edge id="e1" source="a" target="b" weight="2"><attvalues><attvalue for="0" value="1999"/>
        <attvalue for="1" value="2000"/><attvalue for="3" value="taken"/></attvalues>
        <viz:thickness value="1.5"/><viz:color r="1" g="2" b="3"/><viz:shape value="dotted"/></edge>
      <edge source="b" target="a" label="back" weight="heavy"/>
    </edges>
  </graph>
</gexf>"""
PLAIN = GEXF.replace("EDGE_ATTRIBUTE", "")
COLLIDING = GEXF.replace("EDGE_ATTRIBUTE", '<attribute id="3" title="source" type="string"/>')


def assert_same_gexf(text, **options):
    mine = ours().from_gexf(text, **options)
    peer = theirs().from_gexf(text.encode(), **options)
    assert_same_graph(mine, peer)
    assert (mine._name, mine._description, mine._url_params) == (peer._name, peer._description, peer._url_params)
    return mine


@pytest.mark.parametrize("text", [PLAIN, COLLIDING], ids=["plain", "colliding"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"name": "n", "description": "d"},
        {"bind_node_viz": ["color"], "bind_edge_viz": []},
        {"bind_node_viz": "position", "bind_edge_viz": {"size", "opacity"}, "parse_engine": "stdlib"},
    ],
)
def test_gexf_becomes_the_tables_and_bindings_of_pygraphistry(text, options):
    assert_same_gexf(text, **options)


@pytest.mark.parametrize("namespace", ["http://www.gexf.net/1.1draft", "http://gexf.net/1.3"])
def test_other_versions_are_read(namespace):
    assert_same_gexf(PLAIN.replace("http://www.gexf.net/1.2draft", namespace))


@pytest.mark.parametrize("version", ["1.1draft", "1.2draft"])
@pytest.mark.parametrize("kind", ["Graph", "DiGraph", "MultiDiGraph"])
def test_files_written_by_networkx_are_read(kind, version, tmp_path):
    G = getattr(nx, kind)()
    G.add_node("a", age=3, viz={"color": {"r": 1, "g": 2, "b": 3, "a": 0.5}, "position": {"x": 1, "y": 2, "z": 0}})
    G.add_node("b", age=4, name="é🙂 <&>\"'")
    G.add_edge("a", "b", weight=2.5, since=1999, good=True)
    path = tmp_path / "x.gexf"
    nx.write_gexf(G, path, version=version)
    g = assert_same_gexf(path.read_text(encoding="utf-8"))
    assert_same_graph(ours().from_gexf(path), g)
    assert g._edges[["source", "target", "since", "good"]].values.tolist() == [["a", "b", 1999, True]]


def test_a_source_can_be_a_path_text_bytes_or_a_file(tmp_path):
    path = tmp_path / "é.gexf"
    path.write_text(PLAIN, encoding="utf-8")
    expected = ours().from_gexf(path)
    latin = PLAIN.replace("UTF-8", "ISO-8859-1").replace("Ann", "Änn")
    for source in (str(path), PLAIN, "\ufeff\n" + PLAIN, PLAIN.encode(), bytearray(PLAIN.encode()), io.StringIO(PLAIN)):
        assert_same_graph(ours().gexf(source), expected)
    with path.open("rb") as file:
        assert_same_graph(Plottable().from_gexf(file), expected)
    for source in (latin, latin.encode("latin-1")):
        assert ours().from_gexf(source)._nodes["label"][0] == "Änn"


def test_a_url_is_fetched_when_one_is_named(monkeypatch):
    import requests

    class Answer:
        ok, status_code, content = True, 200, PLAIN.encode()

    asked = []
    monkeypatch.setattr(requests, "get", lambda url, timeout: (asked.append(url), Answer)[1])
    assert len(ours().from_gexf("https://example.org/x.gexf")._nodes) == 3
    assert asked == ["https://example.org/x.gexf"]
    Answer.ok = False
    with pytest.raises(BadRequest, match="200"):
        ours().from_gexf("http://example.org/x.gexf")

    def fail(url, timeout):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests, "get", fail)
    with pytest.raises(ServerUnreachable, match="no route"):
        ours().from_gexf("http://example.org/x.gexf")


BOMB = '<!DOCTYPE gexf [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE gexf [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("doctype", [BOMB, EXTERNAL, "<!DOCTYPE gexf>", '<!DOCTYPE gexf SYSTEM "http://x/y.dtd">'])
@pytest.mark.parametrize("engine", ["auto", "stdlib", "defused"])
def test_a_document_type_is_refused(doctype, engine):
    head, body = PLAIN.split("?>", 1)
    with pytest.raises(BadRequest, match="DOCTYPE"):
        ours().from_gexf(f"{head}?>{doctype}{body.replace('A graph', '&b;')}", parse_engine=engine)


@pytest.mark.parametrize(
    "broken",
    [
        "no/such/file.gexf",
        PLAIN[:-10],
        PLAIN.replace("gexf.net", "example.net"),
        PLAIN.replace("<gexf ", "<graphml ").replace("</gexf>", "</graphml>"),
        PLAIN.replace("graph ", "grass ").replace("</graph>", "</grass>"),
        PLAIN.replace("nodes>", "knots>"),
        PLAIN.replace('id="b"', ""),
        PLAIN.replace('id="c"', 'id="a"'),
        PLAIN.replace('source="b"', ""),
        PLAIN.replace('source="b"', 'source="z"'),
        PLAIN.encode().replace(b"Ann", b"\xff\xfe"),
        PLAIN.replace("UTF-8", "nonsense").encode(),
    ],
)
def test_broken_documents_are_refused_as_in_pygraphistry(broken):
    with pytest.raises(BadRequest):
        ours().from_gexf(broken)
    with pytest.raises((ValueError, LookupError)):
        theirs().from_gexf(broken.encode() if "<" in str(broken) and isinstance(broken, str) else broken)


@pytest.mark.parametrize(
    "options",
    [{"bind_node_viz": ["shape"]}, {"bind_edge_viz": 3}, {"bind_edge_viz": [["color"]]}, {"parse_engine": "lxml"}],
)
def test_options_that_do_not_exist_are_refused(options):
    with pytest.raises(BadRequest):
        ours().from_gexf(PLAIN, **options)
    with pytest.raises(ValueError):
        theirs().from_gexf(PLAIN.encode(), **options)


def test_what_is_no_source_is_refused():
    with pytest.raises(BadRequest, match="int"):
        ours().from_gexf(3)


def test_attributes_never_replace_the_node_id():
    text = PLAIN.replace('title="age"', 'title="node_id"')
    g = ours().from_gexf(text)
    assert g._nodes["node_id"].tolist() == ["a", "b", "c"]
    assert g._nodes["__attr_node_id_2__"].tolist()[0] == 30


RICH = {
    "nodes": NODES.assign(
        n=[1, 2, 3],
        f=[0.5, None, 2],
        at=pd.to_datetime(["2020-01-01", None, "2021-02-03"]),
        hue=["#ff0000", None, "#00FF0080"],
        px=[1.0, 2.0, None],
        py=[3, 4, 5],
        viz_z=[0.0, 0.0, 1.0],
        viz_shape=["disc", None, "square"],
        big=[5.0, None, 7.5],
    ),
    "edges": EDGES.assign(e=["e1", "e2", "e3", "e4"], viz_color="#010203", viz_opacity=0.25, viz_shape="dotted"),
}


def rich(client):
    g = client.edges(RICH["edges"], "s", "d", "e").nodes(RICH["nodes"], "id").description("What it is")
    g = g.bind(point_title="name", point_color="hue", point_x="px", point_y="py", point_size="big")
    return g.bind(edge_weight="w", edge_size="x", edge_title="s")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"version": "1.1draft", "directed": False},
        {"version": "1.3", "include_viz": False},
        {"include_meta": False},
        {"meta_creator": None, "meta_description": "Other", "meta_lastmodifieddate": "2020-01-01"},
        {"node_attributes": ["n", "ok"], "edge_attributes": []},
    ],
)
def test_gexf_is_written_as_pygraphistry_writes_it(options, tmp_path):
    path = tmp_path / "x.gexf"
    text = rich(ours()).to_gexf(str(path), **options)
    assert path.read_text(encoding="utf-8") == text
    assert canonical(text) == canonical(rich(theirs()).to_gexf(**options))


def canonical(text):
    def form(element):
        return element.tag, dict(element.attrib), (element.text or "").strip(), [form(child) for child in element]

    return form(ET.fromstring(text))


@pytest.mark.parametrize("version", ["1.1draft", "1.2draft", "1.3"])
def test_what_is_written_can_be_read_by_all(version, tmp_path):
    text = rich(ours()).to_gexf(version=version)
    g = assert_same_gexf(text)
    assert g._nodes["n"].tolist() == [1, 2, 3]
    assert g._nodes["ok"].tolist() == [True, False, True]
    assert g._point_color == "viz_color"
    if version != "1.3":
        G = nx.read_gexf(io.BytesIO(text.encode()))
        assert sorted(G.nodes) == ["a", "b", "c"]
        assert G.nodes["c"]["n"] == 3


def test_numbers_keep_their_type():
    """In PyGraphistry a table of numbers alone becomes floats: node '1' is written as '1.0'."""
    g = ours().edges(pd.DataFrame({"s": [1], "d": [2], "n": [2**60 + 1], "f": [0.5]}), "s", "d")
    back = ours().from_gexf(g.to_gexf())
    assert back._edges[["source", "target", "n", "f"]].values.tolist() == [["1", "2", 2**60 + 1, 0.5]]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=4),
            st.integers(-(2**70), 2**70),
            st.floats(allow_nan=False),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=40, deadline=None)
def test_values_survive_gexf(rows):
    table = pd.DataFrame(rows, columns=["text", "int", "float", "bool"])
    table["int"] = table["int"].clip(-(2**62), 2**62).astype("int64")
    edges = table.assign(s=table["text"], d="hub")
    back = ours().from_gexf(ours().edges(edges, "s", "d").to_gexf())._edges
    assert back["source"].tolist() == edges["s"].tolist()
    for name in table:
        assert back[name].tolist() == table[name].tolist()


def test_an_empty_graph_survives_gexf():
    g = ours().edges(EDGES.head(0), "s", "d")
    back = ours().from_gexf(g.to_gexf())
    assert (len(back._nodes), list(back._edges), back._node) == (0, ["source", "target"], "node_id")


@pytest.mark.parametrize(
    "call",
    [
        lambda g: g.to_gexf(version="9"),
        lambda g: g.bind(source="zz").to_gexf(),
        lambda g: g.bind(point_title="zz").to_gexf(),
        lambda g: g.bind(edge_label="zz").to_gexf(),
        lambda g: g.bind(edge_weight="s").to_gexf(),
        lambda g: g.bind(point_color="name").to_gexf(),
        lambda g: g.bind(point_color="zz").to_gexf(),
        lambda g: g.bind(point_size="name").to_gexf(),
        lambda g: g.bind(point_x="ok").to_gexf(),
        lambda g: g.to_gexf(node_attributes=["zz"]),
        lambda g: g.to_gexf(node_attributes=["id"]),
        lambda g: g.nodes(NODES.assign(id=["a", "a", "b"])).to_gexf(),
        lambda g: g.nodes(NODES.assign(id=["a", None, "b"])).to_gexf(),
        lambda g: g.edges(EDGES.assign(s=None)).to_gexf(),
    ],
)
def test_what_gexf_cannot_hold_is_refused_as_in_pygraphistry(call):
    with pytest.raises(BadRequest):
        call(GRAPH)
    with pytest.raises(ValueError):
        call(THEIR_GRAPH)


def test_characters_that_xml_cannot_hold_are_refused():
    with pytest.raises(InvalidTable, match=r"\\x00"):
        GRAPH.nodes(NODES.assign(name="a\0b")).to_gexf()
    with pytest.raises(BindingError, match="no edges"):
        ours().to_gexf()
