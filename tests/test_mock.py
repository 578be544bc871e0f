"""The pytest plugin and the mock: real clients, no socket, no escape, no leak."""

from __future__ import annotations

import threading

import httpserver_stub
import pandas as pd
import pytest
import requests

import graphistry_core
from graphistry_devserver import DevServer
from pytest_graphistry import GraphistryMock

pytest_plugins = ["pytester"]
COUNT = "def task(g): return {'edges': len(g._edges)}"
early = requests.Session()  # made before any mock starts


def our_client(mock):
    return graphistry_core.GraphistryClient().register(**mock.register_kwargs)


def test_our_client(graphistry_mock, edges):
    assert our_client(graphistry_mock).edges(edges, "s", "d").upload().python_remote_json(COUNT) == {"edges": 4}


def test_unmodified_pygraphistry_at_its_default_host(graphistry_mock, edges):
    graphistry = pytest.importorskip("graphistry")
    client = graphistry.client()
    client.register(api=3, username="u", password="p")
    assert client.session.hostname == "hub.graphistry.com"
    g = client.edges(edges, "s", "d").upload()
    assert g.python_remote_json(COUNT) == {"edges": 4}
    assert client.edges(edges, "s", "d").plot(render="url").startswith("https://hub.graphistry.com/graph/")


def test_peers_1_a_client_made_before_the_mock_is_intercepted(graphistry_mock):
    response = early.post("https://hub.graphistry.com/api-token-auth/", json={"username": "u", "password": "p"})
    assert response.json()["token"]


def test_peers_2_another_graphistry_host_is_an_error_that_names_it(graphistry_mock):
    with pytest.raises(
        requests.ConnectionError, match=r"other\.example was stopped.*hosts=\['other\.example'\].*test_mock"
    ):
        early.post("https://other.example/api-token-auth/", json={})
    with pytest.raises(graphistry_core.ServerUnreachable, match=r"other\.example was stopped.*hosts="):
        graphistry_core.GraphistryClient().register(username="u", password="p", server="other.example")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/etl/datasets/x/gfql/all",
        "/api/v2/o/x/sso/oidc/login/",
        "/api/v1/auth/jwt/ott/",
        "//api/v2/files/",
        "/graph/graph.html",
    ],
)
def test_peers_2_paths_that_are_not_served_do_not_escape_either(graphistry_mock, path):
    with pytest.raises(requests.ConnectionError, match="was stopped"):
        early.post(f"https://other.example{path}")


def test_peers_2_a_named_host_is_answered_too():
    with GraphistryMock(hosts=["other.example"]):
        answer = early.post("https://other.example/api-token-auth/", json={"username": "u", "password": "p"})
        assert answer.status_code == 200
        with pytest.raises(requests.ConnectionError, match="was stopped"):
            early.get("https://hub.graphistry.com/api/v2/datasets/")


def test_the_configured_host_is_the_mocked_one(monkeypatch):
    monkeypatch.setenv("GRAPHISTRY_HOSTNAME", "graphistry.corp.example:8443")
    with GraphistryMock() as mock:
        client = graphistry_core.GraphistryClient().register(username="u", password="p")
        assert client.api_token()
        assert mock.register_kwargs["server"] == "graphistry.corp.example:8443"


def test_unrelated_hosts_and_local_servers_are_left_alone(graphistry_mock):
    with httpserver_stub.serving(b"unrelated") as url:
        assert requests.get(url, timeout=9).content == b"unrelated"
        assert requests.get(url, timeout=9).content == b"unrelated"
    with DevServer() as server:
        assert requests.get(server.url + "/healthz", timeout=9).ok


def test_the_mock_is_gone_afterwards():
    import requests.adapters

    before = requests.adapters.HTTPAdapter.send
    with GraphistryMock():
        assert requests.adapters.HTTPAdapter.send is not before
    assert requests.adapters.HTTPAdapter.send is before
    with pytest.raises(RuntimeError, match="not active"):
        GraphistryMock().hub  # noqa: B018


@pytest.mark.parametrize("n", range(3))
def test_peers_5_every_test_starts_empty(graphistry_server, edges, n):
    graphistry = pytest.importorskip("graphistry")
    client = graphistry.client()
    client.register(**graphistry_server.register_kwargs)
    g = client.edges(edges, "s", "d").upload()  # an equal table each time: PyGraphistry would not send it again
    assert g.python_remote_json(COUNT) == {"edges": 4}
    [row] = graphistry_server.hub.store.all("SELECT * FROM datasets")
    assert row["id"] == g._dataset_id


def test_peers_5_a_token_of_an_earlier_test_is_worth_nothing(graphistry_server):
    client = graphistry_core.GraphistryClient().register(**graphistry_server.register_kwargs)
    token = client.api_token()
    graphistry_server.hub.reset()
    assert not client.verify_token(token)


def test_peers_6_a_taken_port_raises_in_the_calling_thread():
    with DevServer() as server, pytest.raises(graphistry_core.ConfigError, match="taken"):
        DevServer(port=server.port).start()
    assert not [t for t in threading.enumerate() if t.name == f"graphistry-devserver-{server.port}"]


def test_peers_6_what_kills_the_serving_thread_reaches_the_caller(monkeypatch):
    from graphistry_devserver.http_server import HttpServer

    def broken(self, poll_interval=0.5):
        raise OSError("broken")

    monkeypatch.setattr(HttpServer, "serve_forever", broken)
    server = DevServer().start()
    with pytest.raises(OSError, match="broken"):
        server.join()
    monkeypatch.undo()
    with pytest.raises(OSError, match="broken"):
        server.stop()


def test_the_fixtures_work_in_somebody_elses_suite(pytester):
    pytester.makepyfile(
        """
        import pandas as pd
        import graphistry_core as graphistry

        def count(g):
            return {"edges": len(g._edges)}

        def test_server(graphistry_server):
            graphistry.register(**graphistry_server.register_kwargs)
            g = graphistry.edges(pd.DataFrame({"s": [1], "d": [2]}), "s", "d").upload()
            assert g.python_remote_json(count) == {"edges": 1}

        def test_mock(graphistry_mock):
            graphistry.register(api=3, username="u", password="p")
            g = graphistry.edges(pd.DataFrame({"s": [1], "d": [2]}), "s", "d").upload()
            assert g.python_remote_json(count) == {"edges": 1}
        """
    )
    pytester.runpytest_subprocess("-q", "-p", "no:randomly", "-p", "no:xdist").assert_outcomes(passed=2)
    assert pd.__name__ == "pandas"
