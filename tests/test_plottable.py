"""The immutable graph value, compared with PyGraphistry's own where it has one."""

from __future__ import annotations

import copy

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphistry_core
from graphistry_core import BindingError, ConfigError, GraphistryClient, Plottable
from graphistry_core.encodings import BINDINGS

EDGES = pd.DataFrame({"s": [1], "d": [2]})
NODES = pd.DataFrame({"id": [1, 2]})
IDS = {"dataset_id": "D", "url": "U", "nodes_file_id": "N", "edges_file_id": "E"}

STEPS = {
    "bind source": lambda g: g.bind(source="s"),
    "bind nothing": lambda g: g.bind(source="", node=None),
    "bind color": lambda g: g.bind(point_color="c"),
    "bind color and id": lambda g: g.bind(point_color="c", dataset_id="X"),
    "bind edge": lambda g: g.bind(edge="e"),
    "edges": lambda g: g.edges(EDGES, "s", "d"),
    "edges of a callable": lambda g: g.edges(lambda g, n: EDGES.head(n), None, None, None, 1),
    "nodes": lambda g: g.nodes(NODES, "id"),
    "nodes of a callable": lambda g: g.nodes(lambda g: NODES),
    "name": lambda g: g.name("x"),
    "description": lambda g: g.description("x"),
    "privacy": lambda g: g.privacy("public"),
    "copy": lambda g: g.copy(),
    "pipe": lambda g: g.pipe(lambda g, c: g.bind(edge_color=c), "c"),
}


def state(g):
    return {name: getattr(g, f"_{name}") for name in (*IDS, *BINDINGS, "name", "description")}


@pytest.mark.parametrize("step", STEPS)
def test_what_is_kept_and_what_is_forgotten_is_as_in_pygraphistry(step):
    graphistry = pytest.importorskip("graphistry")
    ours = STEPS[step](Plottable().bind(source="a", **IDS))
    theirs = STEPS[step](graphistry.client().bind(source="a", **IDS))
    assert state(ours) == state(theirs)


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=8))
@settings(max_examples=80, deadline=None)
def test_no_sequence_of_calls_changes_the_original(steps):
    g = Plottable().edges(EDGES, "s", "d").bind(**IDS)
    for step in steps:
        before, tables = copy.deepcopy({k: v for k, v in vars(g).items() if k != "_client"}), (g._edges, g._nodes)
        STEPS[step](g)
        after = {k: v for k, v in vars(g).items() if k != "_client"}
        assert before.keys() == after.keys()
        assert all(before[k] == after[k] for k in before if k not in ("_edges", "_nodes"))
        assert (g._edges is tables[0], g._nodes is tables[1]) == (True, True)
        g = STEPS[step](g)


def test_tables_are_kept_by_identity():
    g = Plottable().edges(EDGES, "s", "d").nodes(NODES, "id")
    assert g._edges is EDGES
    assert g._nodes is NODES
    assert g.copy()._edges is EDGES


@pytest.mark.parametrize(
    ("nodes", "title"),
    [
        (["id", "Label"], "Label"),
        (["id", "name", "title"], "title"),
        (["id", "my_title"], "my_title"),
        (["id", "x"], "id"),
    ],
)
def test_infer_labels_is_as_in_pygraphistry(nodes, title):
    frame = pd.DataFrame({c: ["a"] for c in nodes})
    assert Plottable().nodes(frame, "id").infer_labels()._point_title == title
    graphistry = pytest.importorskip("graphistry")
    assert graphistry.client().nodes(frame, "id").infer_labels()._point_title == title


def test_infer_labels_without_candidates_says_what_to_do():
    with pytest.raises(BindingError, match="bind one"):
        Plottable().infer_labels()


class TestGuesses:
    def test_conventional_names_win(self):
        with pytest.warns(UserWarning, match=r"bind\(source='src', destination='dst', node='node'\)") as caught:
            g = Plottable().bind(
                edges=pd.DataFrame(columns=["w", "dst", "src"]), nodes=pd.DataFrame(columns=["x", "node"])
            )
        assert (g._source, g._destination, g._node) == ("src", "dst", "node")
        assert [w.filename for w in caught] == [__file__]

    def test_what_is_bound_is_not_guessed(self):
        with pytest.warns(UserWarning, match=r"Guessed bind\(source='x', destination='y'\)"):
            g = Plottable().bind(source="x", node="n", edges=pd.DataFrame(columns=["x", "y"]), nodes=NODES)
        assert (g._source, g._destination, g._node) == ("x", "y", "n")

    def test_nothing_to_guess_warns_nothing(self):
        g = Plottable().bind("s", "d", "id", nodes=NODES, edges=EDGES)
        assert (g._source, g._nodes is NODES) == ("s", True)


def test_a_graph_without_client_says_how_to_get_one():
    for attempt in (lambda g: g.plot(), lambda g: g.session, lambda g: g.python_remote_json("x")):
        with pytest.raises(ConfigError, match="set_client_for"):
            attempt(Plottable().edges(EDGES, "s", "d"))


def test_the_client_passes_an_edge_column():
    client = GraphistryClient()
    assert client.edges(EDGES, "s", "d", "e")._edge == "e"
    assert client.edges(EDGES, source="s", destination="d", edge="e")._edge == "e"


def test_repr_shows_sizes_and_bindings():
    assert repr(Plottable().edges(EDGES, "s", "d")) == "<Plottable edges: 1 x 2 ('s' -> 'd'), no nodes>"
    assert "no table but list" in repr(Plottable().edges([1], "s", "d"))


def test_module_functions_are_those_of_the_default_client(monkeypatch):
    from graphistry_core import pygraphistry

    fresh = GraphistryClient()
    monkeypatch.setattr(pygraphistry, "PyGraphistry", fresh)
    monkeypatch.setattr(pygraphistry, "_clients_made", False)
    assert graphistry_core.bind(source="s").session is fresh.session
    assert graphistry_core.client().session is not fresh.session
    with pytest.warns(UserWarning, match="do not share a login"):
        graphistry_core.register(transport="local")
    graphistry_core.register(transport="local")  # once


class TestConfiguration:
    def test_environment_then_files_then_defaults(self, monkeypatch, tmp_path):
        config = tmp_path / "config.json"
        config.write_text('{"GRAPHISTRY_HOSTNAME": "from.file", "GRAPHISTRY_PROTOCOL": "http"}')
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("PYGRAPHISTRY_CONFIG", str(config))
        monkeypatch.setenv("GRAPHISTRY_PROTOCOL", "https")
        session = GraphistryClient().session
        assert (session.hostname, session.protocol, session.api_version) == ("from.file", "https", 3)
        assert session.certificate_validation is True

    def test_values_that_cannot_be_used_warn(self, monkeypatch, tmp_path):
        config = tmp_path / "broken.json"
        config.write_text("{")
        monkeypatch.setenv("PYGRAPHISTRY_CONFIG", str(config))
        monkeypatch.setenv("GRAPHISTRY_CERTIFICATE_VALIDATION", "perhaps")
        with pytest.warns(UserWarning, match="skipped") as caught:
            session = GraphistryClient().session
        assert {str(w.message).split()[0] for w in caught} >= {
            str(config),
            "GRAPHISTRY_CERTIFICATE_VALIDATION='perhaps'",
        }
        assert session.certificate_validation is True

    def test_another_api_version_is_refused(self, monkeypatch):
        monkeypatch.setenv("GRAPHISTRY_API_VERSION", "1")
        with pytest.raises(ValueError, match="use 3"):
            GraphistryClient()
