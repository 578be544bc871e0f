"""The two documents this project was started from, run as they are written."""

from __future__ import annotations

import json
import shutil
import subprocess
import webbrowser

import pandas as pd
import pytest

import graphistry_core as graphistry
from graphistry_core import LocalTransport

# The request of Graphistry's Python endpoint documentation; only host, token and dataset id are filled in.
CURL = r"""
curl -s -X POST "http://<host>/api/v2/datasets/<dataset_id>/python" \
 -H "Authorization: Bearer <your_jwt_token>" \
 -H "Content-Type: application/json" \
 -d "
{
    \"execute\": \" \
        def task(g): \
            return { \
                'nodes': g._nodes.to_dict(orient='records') if g._nodes is not None else [], \
                'edges': g._edges.to_dict(orient='records') if g._edges is not None else [] \
            } \
    \"
}
"
"""


@pytest.fixture
def df_nodes():
    return pd.DataFrame({"id": ["1", "2"], "name": ["Alice", "Bob"], "age": [30, 40]})


@pytest.fixture
def df_edges():
    return pd.DataFrame({"source": ["1"], "target": ["2"], "relation": ["knows"]})


@pytest.fixture(params=["local", "http"])
def register_kwargs(request):
    if request.param == "local":
        return {"transport": LocalTransport(request.getfixturevalue("hub"))}
    server = request.getfixturevalue("graphistry_server")
    return {k: v for k, v in server.register_kwargs.items() if k in ("server", "protocol")}


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch):
    def get(using=None):
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", get)


@pytest.fixture(autouse=True)
def _fresh_default_client(monkeypatch):
    from graphistry_core import pygraphistry

    monkeypatch.setattr(pygraphistry, "PyGraphistry", graphistry.GraphistryClient())
    monkeypatch.setattr(pygraphistry, "_clients_made", False)


def test_the_curl_request_of_the_python_endpoint(graphistry_server, df_nodes, df_edges, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    client = graphistry.GraphistryClient()
    client.register(**graphistry_server.register_kwargs)
    g = client.edges(df_edges, "source", "target").nodes(df_nodes, "id").upload()
    script = CURL.replace("<host>", graphistry_server.url.removeprefix("http://"))
    script = script.replace("<dataset_id>", g._dataset_id).replace("<your_jwt_token>", client.api_token())
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(ran.stdout) == {
        "nodes": [{"id": "1", "name": "Alice", "age": 30}, {"id": "2", "name": "Bob", "age": 40}],
        "edges": [{"source": "1", "target": "2", "relation": "knows"}],
    }


def test_the_example_of_the_client(register_kwargs, df_nodes, df_edges):
    graphistry.register(api=3, username="me", password="pw", **register_kwargs)
    with pytest.warns(UserWarning, match=r"Guessed bind\(source='source', destination='target', node='id'\)") as caught:
        g = graphistry.bind(nodes=df_nodes, edges=df_edges)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    url = g.plot()
    assert "graph" in url


def test_the_multiple_clients_of_the_client(register_kwargs, df_nodes, df_edges):
    alice_g = graphistry.client()
    alice_g.register(api=3, username="alice", password="pw", **register_kwargs)
    bob_g = graphistry.client()
    bob_g.register(api=3, username="bob", password="pw", **register_kwargs)
    assert alice_g.session is not bob_g.session
    assert alice_g.api_token() != bob_g.api_token()
    g = alice_g.edges(df_edges, "source", "target").privacy("private").upload()
    with pytest.raises(graphistry.NotFound):
        bob_g.from_dataset_id(g._dataset_id)
