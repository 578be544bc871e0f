"""GFQL over HTTP: PyGraphistry's own client asks, PyGraphistry's own local answer is the oracle."""

from __future__ import annotations

import json

import pandas as pd
import pytest

graphistry = pytest.importorskip("graphistry", reason="PyGraphistry is not installed")

from graphistry import e_forward, n, ref
from graphistry.compute.ast import let

from graphistry_core import wire

EDGES = pd.DataFrame({"s": ["a", "b", "c", "a"], "d": ["b", "c", "d", "d"], "w": [1, 2, 3, 4]})
NODES = pd.DataFrame({"id": ["a", "b", "c", "d"], "kind": ["x", "y", "x", "y"], "score": [1.0, None, 3.0, 4.0]})

QUERIES = {
    "nodes": [n({"kind": "x"})],
    "hop": [n({"id": "a"}), e_forward(hops=1), n()],
    "named": [n({"kind": "x"}, name="start"), e_forward({"w": graphistry.gt(0)}), n(name="end")],
    "two hops": [n({"id": "a"}), e_forward(hops=2), n({"kind": "x"})],
    "nobody": [n({"id": "zzz"}), e_forward(), n()],
}


@pytest.fixture
def client(graphistry_server):
    made = graphistry.client()
    made.register(**graphistry_server.register_kwargs)
    return made


@pytest.fixture
def g(client):
    return client.edges(EDGES, "s", "d").nodes(NODES, "id").upload()


def rows(table):
    """A table as a set: the order of a query's rows is nobody's promise."""
    records = [] if table is None or len(table) == 0 else table.to_dict(orient="records")
    return sorted(json.dumps(record, sort_keys=True, default=str) for record in records)


@pytest.mark.parametrize("format", ["json", "csv", "parquet"])
@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.filterwarnings("ignore::UserWarning")  # csv is lossy, says the client
def test_the_same_as_locally(g, name, format):
    remote, local = g.gfql_remote(QUERIES[name], format=format), g.gfql(QUERIES[name])
    assert rows(remote._nodes) == rows(local._nodes)
    assert rows(remote._edges) == rows(local._edges)


@pytest.mark.parametrize("output_type", ["nodes", "edges"])
def test_one_table(g, output_type):
    remote, local = g.gfql_remote(QUERIES["hop"], output_type=output_type), g.gfql(QUERIES["hop"])
    assert rows(getattr(remote, f"_{output_type}")) == rows(getattr(local, f"_{output_type}"))


def test_the_shape(g):
    shape = g.gfql_remote_shape(QUERIES["hop"])
    assert shape.to_dict(orient="records") == [
        {"kind": "nodes", "rows": 3, "cols": 3},
        {"kind": "edges", "rows": 2, "cols": 3},
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")  # the client warns that older servers ignore a Let
def test_a_let_is_answered_and_not_ignored(g):
    query = let({"x": n({"kind": "x"}), "out": ref("x", [n({"id": "a"})])})
    assert g.gfql_remote(query, output="out")._nodes["id"].tolist() == ["a"]


def test_columns(g):
    remote = g.gfql_remote(QUERIES["hop"], node_col_subset=["id"], edge_col_subset=["s", "d"])
    assert list(remote._nodes.columns) == ["id"]
    assert list(remote._edges.columns) == ["s", "d"]


@pytest.mark.parametrize("format", ["json", "parquet"])
def test_persist_keeps_the_result_as_a_dataset(client, g, format):
    kept = g.bind(point_color="kind").upload().gfql_remote(QUERIES["hop"], persist=True, format=format)
    assert kept._dataset_id != g._dataset_id
    again = client.from_dataset_id(kept._dataset_id)
    assert (again._source, again._node, again._point_color) == ("s", "id", "kind")
    counts = again.python_remote_json("def task(g): return {'n': len(g._nodes), 'e': len(g._edges)}")
    assert counts == {"n": 3, "e": 2}


def test_privacy_of_what_is_kept(graphistry_server, client, g):
    kept = g.privacy("private").gfql_remote(QUERIES["hop"], persist=True)
    other = graphistry.client()
    other.register(**{**graphistry_server.register_kwargs, "username": "eve"})
    with pytest.raises(ValueError, match="404"):
        other.from_dataset_id(kept._dataset_id)


class TestRefusals:
    def ask(self, graphistry_server, **body):
        hub = graphistry_server.hub
        auth = wire.Auth("bearer", token=hub.call(wire.Login("u", "p"), wire.Auth()).token)
        made = hub.call(wire.DatasetCreate({}), auth)
        hub.call(wire.DatasetUpload(made.dataset_id, "edges", wire_table()), auth)
        from graphistry_core.gateway import Gateway
        from graphistry_core.messages import HttpRequest

        path = f"/api/v2/etl/datasets/{made.dataset_id}/gfql/{body.pop('where', 'all')}"
        headers = {"authorization": f"Bearer {auth.token}"}
        answer = Gateway(hub).handle(HttpRequest("POST", path, {}, headers, json.dumps(body).encode()))
        return answer.status, json.loads(answer.body)

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            ({}, "neither 'gfql_query' nor 'gfql_operations'"),
            ({"gfql_query": {"type": "Nonsense"}}, "type 'Chain' or 'Let'"),
            ({"gfql_operations": [{"type": "Nonsense"}]}, "onsense"),
            ({"gfql_operations": "x"}, "must be an array"),
            ({"gfql_query": []}, "must be an object"),
            ({"gfql_operations": [], "strictness": "very"}, "must be one of warn"),
            ({"gfql_operations": [], "node_col_subset": "id"}, "must be an array"),
            ({"gfql_operations": [], "persist": True, "where": "nodes"}, "persist keeps a whole graph"),
            ({"gfql_operations": [], "where": "tables"}, "Unknown output"),
            ({"gfql_operations": [], "format": "csv", "df_export_args": {"path_or_buf": "/tmp/x"}}, "path_or_buf"),
        ],
    )
    def test_each_is_400_with_a_sentence(self, graphistry_server, body, sentence):
        status, answer = self.ask(graphistry_server, **body)
        assert status == 400, answer
        assert sentence in answer["error"]
        assert "json.loads" not in answer["error"]

    def test_a_switched_off_flag_is_named(self, graphistry_server):
        graphistry_server.hub.accounts.user_flags["u"] = {"flag_gfql_endpoint": False}
        status, answer = self.ask(graphistry_server, gfql_operations=[])
        assert status == 403
        assert "flag_gfql_endpoint" in answer["error"]


def wire_table():
    import pyarrow as pa

    return pa.table({"s": ["a"], "d": ["b"]})


def test_export_options_shape_the_text(graphistry_server):
    status_and_body = TestRefusals().ask
    with pytest.raises(json.JSONDecodeError):  # not JSON: the csv itself
        status_and_body(
            graphistry_server,
            gfql_operations=[],
            format="csv",
            where="edges",
            df_export_args={"sep": ";", "header": False},
        )
