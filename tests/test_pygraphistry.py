"""The released PyGraphistry, unmodified, against the dev server: a test per line of the route table it reaches."""

from __future__ import annotations

import sys
import warnings

import pandas as pd
import pytest
import requests

graphistry = pytest.importorskip("graphistry", reason="PyGraphistry is not installed")

from graphistry.client_session import ClientSession
from graphistry.compute.python_remote import python_remote_generic

from graphistry_core import wire
from graphistry_devserver import DevServer

COUNT = "def task(g):\n    return {'edges': len(g._edges)}"


def count_nodes(g):
    return {
        "nodes": len(g._nodes),
        "text": """a
  b
""",
    }


@pytest.fixture
def calls(monkeypatch):
    """Every (method, path, status) that goes over the socket."""
    seen = []
    real = requests.Session.send

    def send(self, request, **kwargs):
        response = real(self, request, **kwargs)
        seen.append((request.method, request.path_url.partition("?")[0], response.status_code))
        return response

    monkeypatch.setattr(requests.Session, "send", send)
    return seen


@pytest.fixture
def where(graphistry_server):
    return {k: graphistry_server.register_kwargs[k] for k in ("api", "protocol", "server")}


def make(where, **credentials):
    """A PyGraphistry client of its own (its global one would leak between tests)."""
    client = graphistry.client()
    client.register(**where, **(credentials or {"username": "alice", "password": "pw"}))
    return client


@pytest.fixture
def client(where):
    return make(where)


@pytest.fixture
def g(client, edges, nodes):
    return client.edges(edges, "s", "d").nodes(nodes, "id").bind(point_title="name")


def names(calls):
    return [wire.match(method, path)[0].operation for method, path, _ in calls]


class TestRegister:
    def test_route_1_and_3_by_password(self, where, calls):
        client = make(where)
        assert client.api_token()
        assert names(calls) == ["login", "refresh"]

    def test_route_6_with_an_organization(self, where, calls):
        client = make(where, username="alice", password="pw", org_name="lab")
        assert client.org_name() == "lab"
        assert names(calls)[:2] == ["login", "switch_org"]
        assert {status for _, _, status in calls} == {200}

    @pytest.mark.parametrize("org", [None, "lab"])
    def test_route_4_by_token(self, where, client, calls, org):
        holder = make(where, token=client.api_token(), **({"org_name": org} if org else {}))
        assert holder.session._is_authenticated
        assert names(calls) == ["verify"] + (["switch_org"] if org else [])

    @pytest.mark.parametrize("org", [None, "lab"])
    def test_route_5_by_personal_key(self, where, calls, org):
        client = make(where, personal_key_id="id", personal_key_secret="secret", **({"org_name": org} if org else {}))
        assert client.api_token()
        assert calls[0] == ("GET", "/api/v2/auth/pkey/jwt/", 200)
        assert client.org_name() == org

    def test_a_bad_token_is_refused(self, where):
        with pytest.raises(ValueError, match="token"):
            make(where, token="bad")

    def test_a_bad_password_is_refused(self):
        with DevServer(users={"ann": "right"}) as server, pytest.raises(Exception, match="Unable to log in"):
            graphistry.client().register(**{**server.register_kwargs, "password": "wrong"})

    def test_switch_org_later(self, client, calls):
        client.org_name("other")
        assert client.org_name() == "other"
        assert names(calls) == ["switch_org"]


class TestUpload:
    def test_routes_13_and_14_plot(self, g, calls, graphistry_server):
        url = g.plot(render="url")
        assert names(calls) == ["refresh", "dataset_create", "dataset_upload", "dataset_upload"]
        page = requests.get(url, timeout=9)  # route 19
        assert page.status_code == 200
        assert "4 nodes" in page.text

    def test_routes_11_and_12_upload(self, g, calls):
        uploaded = g.upload()
        expected = ["refresh", *["file_create", "file_upload"] * 2, "dataset_create"]
        assert names(calls) == expected
        assert uploaded._dataset_id
        assert uploaded._edges_file_id != uploaded._nodes_file_id

    def test_route_15_from_dataset_id(self, client, g):
        uploaded = g.name("the name").description("words").upload()
        again = client.from_dataset_id(uploaded._dataset_id)
        assert (again._source, again._destination, again._node) == ("s", "d", "id")
        assert (again._point_title, again._name, again._description) == ("name", "the name", "words")

    def test_route_16_privacy(self, where, g, calls):
        uploaded = g.privacy("private").upload()
        assert names(calls)[-1] == "share"
        bob = make(where, username="bob", password="pw")
        with pytest.raises(ValueError, match="404"):
            bob.from_dataset_id(uploaded._dataset_id)
        assert uploaded.python_remote_json(COUNT) == {"edges": 4}

    def test_an_organization_travels_with_the_dataset(self, where, edges, graphistry_server):
        client = make(where, username="alice", password="pw", org_name="lab")
        uploaded = client.edges(edges, "s", "d").upload()
        [row] = graphistry_server.hub.store.all("SELECT org FROM datasets WHERE id = ?", uploaded._dataset_id)
        assert row["org"] == "lab"

    def test_encodings_come_back(self, client, g):
        coloured = g.encode_point_color("name", categorical_mapping={"A": "red"}, default_mapping="gray")
        uploaded = coloured.addStyle(bg={"color": "#fff"}).upload()
        record = client.from_dataset_id(uploaded._dataset_id)
        assert "pointColorEncoding" in record._complex_encodings["node_encodings"]["default"]

    def test_equal_frames_go_to_two_servers_at_once(self, edges):
        with DevServer() as one, DevServer() as two:
            for server in (one, two, one):
                client = graphistry.client()
                client.register(**server.register_kwargs)
                uploaded = client.edges(edges, "s", "d").upload()
                assert uploaded.python_remote_json(COUNT) == {"edges": 4}

    def test_pygraphistry_remembers_again_when_no_server_runs(self, edges):
        memo = sys.modules["graphistry.ArrowFileUploader"]
        while_running = []
        with DevServer() as server:
            client = graphistry.client()
            client.register(**server.register_kwargs)
            client.edges(edges, "s", "d").upload()
            while_running.append(dict(memo._CACHE))
        assert while_running == [{}]


class TestPython:
    """Route 17."""

    def test_json(self, g, calls):
        uploaded = g.upload()
        calls.clear()
        assert uploaded.python_remote_json(COUNT) == {"edges": 4}
        assert names(calls) == ["refresh", "python"]

    def test_a_callable(self, g):
        assert g.upload().python_remote_json(count_nodes) == {"nodes": 4, "text": "a\n  b\n"}

    def test_indented_source_with_imports(self, g):
        out = g.upload().python_remote_json(
            """
            from typing import Any, Dict
            from graphistry import Plottable

            def task(g: Plottable) -> Dict[str, Any]:
                return {
                    'num_edges': len(g._edges)
                }
            """
        )
        assert out == {"num_edges": 4}

    @pytest.mark.parametrize("format", ["json", "csv", "parquet"])
    @pytest.mark.parametrize("output_type", ["nodes", "edges", "all"])
    @pytest.mark.filterwarnings("ignore::UserWarning")  # PyGraphistry warns that csv is lossy
    def test_graphs(self, g, edges, nodes, format, output_type):
        out = g.upload().python_remote_g("def task(g): return g", format=format, output_type=output_type)
        for which, expected in (("nodes", nodes), ("edges", edges)):
            table = getattr(out, f"_{which}")
            if output_type in (which, "all"):
                pd.testing.assert_frame_equal(table, expected)
            else:
                assert table is None

    @pytest.mark.parametrize("format", ["json", "csv", "parquet"])
    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_tables(self, g, edges, format):
        out = g.upload().python_remote_table("def task(g): return g._edges", format=format, output_type="table")
        pd.testing.assert_frame_equal(out, edges)

    @pytest.mark.parametrize("format", ["json", "csv", "parquet"])
    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_shapes(self, g, format):
        # PyGraphistry's wrappers refuse output_type='shape' before they send anything; what they call does not.
        out = python_remote_generic(g.upload(), "def task(g): return g", format=format, output_type="shape")
        assert out.to_dict(orient="records") == [
            {"kind": "nodes", "rows": 4, "cols": 3},
            {"kind": "edges", "rows": 4, "cols": 4},
        ]

    @pytest.mark.parametrize("format", ["csv", "parquet"])
    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_a_graph_without_nodes(self, client, edges, format):
        out = client.edges(edges, "s", "d").upload().python_remote_g("def task(g): return g", format=format)
        assert len(out._nodes) == 0
        pd.testing.assert_frame_equal(out._edges, edges)

    def test_a_tasks_error_is_its_message(self, g):
        with pytest.raises(Exception, match=r"KeyError: 'amount' \(line 2: return g\._edges\['amount'\]") as caught:
            g.upload().python_remote_json("def task(g):\n    return g._edges['amount']")
        assert caught.value.context["status_code"] == 400

    def test_an_unknown_dataset_is_404_with_help(self, g):
        with pytest.raises(Exception, match="Upload it again") as caught:
            g.python_remote_json(COUNT, dataset_id="nope")
        assert caught.value.context["status_code"] == 404

    def test_a_token_may_be_given(self, client, g, calls):
        uploaded = g.upload()
        calls.clear()
        assert uploaded.python_remote_json(COUNT, api_token=client.api_token()) == {"edges": 4}
        assert names(calls) == ["python"]

    def test_a_json_string_is_what_pygraphistry_can_read(self, g):
        uploaded = g.upload()
        assert uploaded.python_remote_json("import json\ndef task(g): return json.dumps('hello')") == "hello"
        with pytest.raises(Exception, match="JSON"):
            uploaded.python_remote_json("def task(g): return 'hello'")


def test_an_expired_token_is_replaced_by_relogin(client, g, graphistry_server, capsys):
    graphistry_server.hub.accounts.clock.advance(hours=2)
    assert g.upload()._dataset_id
    assert "relogin" in capsys.readouterr().out


def test_a_token_only_client_cannot_relogin(where, client, edges, graphistry_server):
    holder = make(where, token=client.api_token())
    graphistry_server.hub.accounts.clock.advance(hours=2)
    with pytest.raises(ValueError, match="Failed to refresh token"):
        holder.edges(edges, "s", "d").upload()


def test_the_global_client_works_too(graphistry_server, edges):
    before = graphistry.pygraphistry.PyGraphistry.session
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns after client() was used anywhere in the process
            graphistry.register(**graphistry_server.register_kwargs)
        assert graphistry.edges(edges, "s", "d").upload()._dataset_id
    finally:
        graphistry.pygraphistry.PyGraphistry.session = before if isinstance(before, ClientSession) else ClientSession()
