"""What PyGraphistry's users run into, each as a test that it does not happen here."""

from __future__ import annotations

import sys
from types import ModuleType

import pandas as pd
import pyarrow as pa
import pytest

from graphistry_core import GraphistryClient, NotFound, Plottable, TaskFailed, errors, wire
from graphistry_core.arrow_body import ArrowBody

COUNT = "def task(g): return {'edges': len(g._edges)}"


def holder_of(client):
    """A client that has a token and nothing else."""
    session = client.session
    return GraphistryClient().register(
        token=client.api_token(), server=session.hostname, protocol=session.protocol, transport=session.transport
    )


def test_a_token_only_register_is_authenticated(client):
    holder = holder_of(client)
    assert holder.session._is_authenticated
    assert holder.session.login_type == "token"


def test_after_expiry_a_password_client_logs_in_silently(client, client_hub, edges, capsys):
    client_hub.accounts.clock.advance(hours=2)
    assert client.edges(edges, "s", "d").upload()._dataset_id
    assert capsys.readouterr().out == ""


def test_after_expiry_a_token_only_client_raises_value_error(client, client_hub, edges):
    holder = holder_of(client)
    client_hub.accounts.clock.advance(hours=2)
    with pytest.raises(ValueError, match="Failed to refresh token") as caught:
        holder.edges(edges, "s", "d").plot(render="url")
    assert isinstance(caught.value, errors.RefreshFailed)


def test_a_client_leaks_neither_organization_nor_token_into_the_global_session(client):
    import graphistry_core

    before = graphistry_core.PyGraphistry.session
    token, org = before.api_token, before.org_name
    child = client.client()
    child.register(username="x", password="p", org_name="lab", transport=client.session.transport)
    child.edges(pd.DataFrame({"s": [1], "d": [2]}), "s", "d").upload()
    assert graphistry_core.PyGraphistry.session is before
    assert (before.api_token, before.org_name) == (token, org)
    assert client.session.org_name is None


def test_a_callable_already_named_task_is_taken(client, edges):
    def task(g):
        return {"edges": len(g._edges)}

    assert client.edges(edges, "s", "d").python_remote_json(task) == {"edges": 4}


def test_indented_sources_are_taken(client, edges):
    source = """
        import math

        def task(g):
            return {'edges': len(g._edges), 'text': '''a
  b'''}
    """
    assert client.edges(edges, "s", "d").python_remote_json(source) == {"edges": 4, "text": "a\n  b"}


def test_remote_errors_keep_the_servers_sentence(client, edges):
    g = client.edges(edges, "s", "d").upload()
    with pytest.raises(TaskFailed, match="KeyError: 'amount'"):
        g.python_remote_table("def task(g): return g._edges['amount']", format="csv")
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        g.python_remote_g("def task(g): return 1 / 0")
    with pytest.raises(NotFound, match="Upload it again"):
        g.python_remote_json(COUNT, dataset_id="nope")


def test_auto_engine_follows_the_graph_not_what_is_installed(client, client_hub, edges, monkeypatch):
    monkeypatch.setitem(sys.modules, "cudf", ModuleType("cudf"))
    asked = []
    real = type(client_hub).python
    monkeypatch.setattr(type(client_hub), "python", lambda hub, r, c: asked.append(r.engine) or real(hub, r, c))
    client.edges(edges, "s", "d").python_remote_json(COUNT)
    assert asked == ["pandas"]


def test_csv_results_keep_their_values(client, edges):
    source = (
        "import pandas as pd\ndef task(g): return pd.DataFrame({'id': ['007', '10'], 'c': ['NA', None], 'n': [1, 2]})"
    )
    out = client.edges(edges, "s", "d").python_remote_table(source, format="csv")
    assert out["id"].tolist() == ["007", "10"]
    assert out["c"].fillna("-").tolist() == ["NA", "-"]
    assert out["n"].tolist() == [1, 2]


def test_filters_on_a_column_called_id(client):
    pytest.importorskip("graphistry")
    edges = pd.DataFrame({"src": ["a", "b"], "dst": ["b", "c"], "id": [10, 20]})
    nodes = pd.DataFrame({"id": ["a", "b", "c"], "n": [1, 2, 3]})
    g = client.edges(edges, "src", "dst").nodes(nodes, "id")
    source = """
def task(g):
    edges, nodes = g._edges[g._edges['id'] == 20], g._nodes[g._nodes['id'] == 'a']
    return {'edges': edges['dst'].tolist(), 'nodes': nodes['n'].tolist()}
"""
    assert g.python_remote_json(source) == {"edges": ["c"], "nodes": [1]}
    assert g.filter_edges_by_dict({"id": 20})._edges["dst"].tolist() == ["c"]


def test_a_let_is_answered_and_not_with_the_whole_graph(graphistry_server, edges):
    graphistry = pytest.importorskip("graphistry")
    client = graphistry.client()
    client.register(**graphistry_server.register_kwargs)
    g = client.edges(edges, "s", "d").upload()
    from graphistry.compute.ast import let

    nobody = let({"a": graphistry.n({"id": "nobody"})})
    with pytest.warns(UserWarning, match="Let/DAG"):
        out = g.gfql_remote(nobody, output="a")
    assert (len(out._nodes), len(out._edges)) == (0, 0)


def test_the_organization_is_chosen_again_for_every_new_token(client, edges, monkeypatch):
    client.register(username="alice", password="pw", org_name="lab", transport=client.session.transport)
    switched = []
    real = client.session.transport.call

    def call(request, auth):
        if isinstance(request, wire.SwitchOrg):
            switched.append((request.org, auth.token))
        return real(request, auth)

    monkeypatch.setattr(client.session.transport, "call", call)
    client.refresh()
    client.refresh()
    client.edges(edges, "s", "d").upload()
    assert [org for org, _ in switched] == ["lab"] * 3
    assert len({token for _, token in switched}) == 3


def test_two_slices_of_one_table_are_two_files(client):
    whole = pa.table({"s": list(range(10)), "d": list(range(10)), "t": [f"t{i}" for i in range(10)]})
    sums = []
    for start in (0, 5):
        g = client.edges(whole.slice(start, 5), "s", "d").upload()
        sums.append(
            g.python_remote_json("def task(g): return {'s': int(g._edges['s'].sum()), 't': g._edges['t'].tolist()}")
        )
    assert sums == [{"s": 10, "t": ["t0", "t1", "t2", "t3", "t4"]}, {"s": 35, "t": ["t5", "t6", "t7", "t8", "t9"]}]


class TestContentKeys:
    def test_equal_content_is_sent_once_per_user_and_server(self, client, other, edges):
        first = client.edges(edges, "s", "d").upload()
        again = client.edges(edges.copy(), "s", "d").upload()
        assert again._edges_file_id == first._edges_file_id
        assert again._dataset_id != first._dataset_id
        assert other.edges(edges, "s", "d").upload()._edges_file_id != first._edges_file_id
        assert client.edges(edges, "s", "d").upload(memoize=False)._edges_file_id != first._edges_file_id

    def test_changed_content_is_sent_again(self, client, edges):
        first = client.edges(edges, "s", "d").upload()
        edges.loc[0, "w"] = 99
        g = client.edges(edges, "s", "d").upload()
        assert g._edges_file_id != first._edges_file_id
        assert g.python_remote_json("def task(g): return {'w': int(g._edges['w'].max())}") == {"w": 99}

    def test_a_server_that_has_forgotten_gets_the_table_again(self, client, client_hub, edges):
        first = client.edges(edges, "s", "d").upload()
        client._call(wire.FileDelete(first._edges_file_id))
        g = client.edges(edges, "s", "d").upload()
        assert g._edges_file_id != first._edges_file_id
        assert g.python_remote_json(COUNT) == {"edges": 4}

    def test_the_key_is_the_contents(self):
        table = pa.table({"a": [1, 2, 3], "b": ["x", "y", None]})
        same = pa.table({"a": [1, 2, 3], "b": ["x", "y", None]})
        assert ArrowBody(table).content_key == ArrowBody(same).content_key
        for other in (
            table.slice(0, 2),
            table.rename_columns(["a", "c"]),
            table.select(["b", "a"]),
            table.take([0, 2, 1]),
        ):
            assert ArrowBody(other).content_key != ArrowBody(table).content_key

    def test_the_body_is_the_tables_own_memory(self):
        table = pa.table({"a": list(range(100_000))})
        before = pa.total_allocated_bytes()
        body = ArrowBody(table)
        assert len(body) > 800_000
        assert pa.total_allocated_bytes() - before < 10_000
        assert pa.ipc.open_file(body.tobytes()).read_all().equals(table)


def test_bind_takes_tables_as_the_documentation_shows(client, edges, nodes):
    with pytest.warns(UserWarning, match="Guessed"):
        g = client.bind(nodes=nodes, edges=edges)
    assert isinstance(g, Plottable)
    assert (g._source, g._destination, g._node) == ("s", "d", "id")
