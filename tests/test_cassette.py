"""Recording a real server, and replaying without it."""

from __future__ import annotations

import re

import pandas as pd
import pytest
import requests

import graphistry_core
from graphistry_devserver import DevServer
from pytest_graphistry import CassetteError, record_graphistry

EDGES = pd.DataFrame({"src": ["a", "b"], "dst": ["b", "c"], "w": [1, 2]})
TASK = "def task(g): return {'sum': int(g._edges['w'].sum())}"


def work(host, module=None):
    client = graphistry_core.GraphistryClient() if module is None else module
    client.register(api=3, protocol="http", server=host, username="annabel", password="hunter22")
    g = client.edges(EDGES, "src", "dst").privacy().plot(render="g")
    table = g.python_remote_table("def task(g): return g._edges", output_type="table")
    return g._dataset_id, g.python_remote_json(TASK), table.to_dict("list")


@pytest.fixture
def recorded(tmp_path):
    path = tmp_path / "cassettes" / "one.yaml"
    with DevServer() as server:
        host = server.url.removeprefix("http://")
        with record_graphistry(path, "record", hosts=[host]):
            first = work(host)
    return path, host, first


class TestReplay:
    def test_the_same_answers_without_the_server(self, recorded):
        path, host, first = recorded
        with record_graphistry(path, hosts=[host]):
            assert work(host) == first

    def test_pygraphistry_too(self, tmp_path):
        graphistry = pytest.importorskip("graphistry")
        path = tmp_path / "two.yaml"
        with DevServer() as server:
            host = server.url.removeprefix("http://")
            with record_graphistry(path, "record", hosts=[host]):
                first = work(host, graphistry.client())
        with record_graphistry(path, hosts=[host]):
            assert work(host, graphistry.client()) == first

    def test_what_is_not_on_it_is_an_error_that_says_what_is(self, recorded):
        path, host, _ = recorded
        with record_graphistry(path, "none", hosts=[host]):
            with pytest.raises(requests.ConnectionError, match=r"(?s)no answer for GET /api/v2/files/.*api-token-auth"):
                requests.get(f"http://{host}/api/v2/files/", timeout=9)
            with pytest.raises(requests.ConnectionError):
                requests.get("http://127.0.0.1:9/elsewhere", timeout=9)

    def test_without_a_file_it_records_only_outside_ci(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CI", "true")
        with pytest.raises(CassetteError, match="no cassette"), record_graphistry(tmp_path / "none.yaml"):
            pass
        monkeypatch.delenv("CI")
        with pytest.raises(CassetteError, match="no cassette"), record_graphistry(tmp_path / "none.yaml", "none"):
            pass
        with DevServer() as server, record_graphistry(tmp_path / "new.yaml", hosts=[f"127.0.0.1:{server.port}"]):
            requests.get(f"{server.url}/healthz", timeout=9)
        assert (tmp_path / "new.yaml").exists()

    @pytest.mark.parametrize("text", ["", "a: [", "version: 9\ninteractions: []", "[1]"])
    def test_a_broken_file_is_one_sentence(self, tmp_path, text):
        (tmp_path / "broken.yaml").write_text(text)
        with pytest.raises(CassetteError, match=r"broken\.yaml"), record_graphistry(tmp_path / "broken.yaml"):
            pass


class TestSecrets:
    def test_none_is_in_the_file(self, recorded):
        text = recorded[0].read_text()
        assert "hunter22" not in text
        assert not re.search(r"eyJ[\w-]{8,}\.[\w-]{8,}\.", text)
        assert "Bearer" not in text
        assert "annabel" in text

    def test_one_that_would_be_is_refused_and_nothing_is_written(self, tmp_path):
        path = tmp_path / "leaky.yaml"
        with DevServer() as server:
            host = server.url.removeprefix("http://")

            def leak():
                with record_graphistry(path, "record", hosts=[host]):
                    body = {"username": "hunter22", "password": "hunter22"}
                    requests.post(f"{server.url}/api-token-auth/", json=body, timeout=9)

            with pytest.raises(CassetteError, match="would be in it"):
                leak()
        assert not path.exists()
        assert not list(tmp_path.iterdir())
