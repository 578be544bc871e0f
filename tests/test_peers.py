"""What goes wrong with such tools elsewhere, by its number: the test that keeps it from going wrong here.

Points 1, 2, 5 and 6 are in test_mock.py.
"""

from __future__ import annotations

import importlib.metadata
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
import requests
from api import BINDINGS, Api, arrow

import graphistry_core
from graphistry_core import errors, run_task
from graphistry_devserver import DevServer
from pytest_graphistry import CassetteError, record_graphistry

EDGES = pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"]})


def test_peers_3_what_a_newer_client_sends_is_accepted_and_in_the_journal(graphistry_server):
    api = Api(graphistry_server)
    body = {**BINDINGS, "name": "n", "from_the_future": {"deep": [1]}}
    api.ok("POST", "/api/v2/upload/datasets/?hint=2", json=body)
    assert set(graphistry_server.dev.journal.last.unknown) >= {"from_the_future"}


def test_peers_4_not_implemented_is_another_error_than_invalid(graphistry_server):
    api = Api(graphistry_server)
    assert api.send("GET", "/api/v2/logout-user/username/ann/").status_code == 501
    assert api.send("POST", "/api/v2/upload/datasets/", data=b"{").status_code == 400
    assert api.send("GET", "/api/v2/never/heard/").status_code == 404


def test_peers_7_starts_and_stops_leave_no_thread_and_no_descriptor():
    with DevServer() as server:
        requests.get(f"{server.url}/healthz", timeout=9)
    threads, files = threading.active_count(), len(os.listdir("/dev/fd"))
    for _ in range(10):
        with DevServer() as server, requests.Session() as session:
            assert session.get(f"{server.url}/healthz", timeout=9).ok
    assert threading.active_count() <= threads
    assert len(os.listdir("/dev/fd")) <= files + 2


def test_peers_8_the_tasks_traceback_is_in_the_error_and_not_a_bare_500(graphistry_server):
    client = graphistry_core.GraphistryClient().register(**graphistry_server.register_kwargs, transport="http")
    g = client.edges(EDGES, "s", "d").upload()
    with pytest.raises(errors.TaskFailed, match=r"KeyError: 'nope' \(line 2") as failed:
        g.python_remote_json("def task(g):\n    return g._edges['nope']")
    assert "line 2, in task" in failed.value.traceback


def test_peers_9_started_means_ready():
    with DevServer() as server:
        assert requests.get(f"{server.url}/healthz", timeout=9).ok  # the first request, without a wait before it


def test_peers_10_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\ninteractions: []\n")
    with DevServer() as server:
        host = server.url.removeprefix("http://")

        def fail():
            with record_graphistry(path, "record", hosts=[host]):
                requests.get(f"{server.url}/healthz", timeout=9)
                raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError):
            fail()
    assert path.read_text() == "version: 1\ninteractions: []\n"
    assert os.listdir(tmp_path) == ["c.yaml"]


def test_peers_11_no_account_and_no_network(graphistry_server, monkeypatch):
    import socket

    def refuse(*_):
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(socket, "gethostbyname", refuse)
    client = graphistry_core.GraphistryClient().register(
        api=3, protocol="http", server=f"127.0.0.1:{graphistry_server.port}", username="any", password="thing",
        transport="http",
    )  # fmt: skip
    assert client.edges(EDGES, "s", "d").upload()._dataset_id


def test_peers_12_urls_are_those_under_which_the_client_asked(graphistry_server):
    url = f"http://localhost:{graphistry_server.port}"
    data = {"action": "login"}
    answer = requests.post(f"{url}/api/v2/g/sso/oidc/login/", data=data, timeout=9).json()
    assert answer["data"]["auth_url"].startswith(url)


def test_peers_13_what_works_here_only_fails_here_too():
    threshold = 1

    def task(g):
        return {"n": len(g._edges) > threshold}

    with pytest.raises(errors.InvalidTask, match="threshold"):
        run_task(task, graphistry_core.edges(EDGES, "s", "d"))


def test_peers_14_no_lock_is_held_while_a_task_runs(graphistry_server):
    api = Api(graphistry_server)
    dataset = api.ok("POST", "/api/v2/upload/datasets/", json={**BINDINGS, "name": "n"})["data"]["dataset_id"]
    api.ok("POST", f"/api/v2/upload/datasets/{dataset}/edges/arrow", data=arrow(EDGES))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(api.run, dataset, "import time\ndef task(g):\n    time.sleep(1.5)\n    return 'slow'")
        time.sleep(0.3)
        for _ in range(5):
            api.ok("POST", "/api/v2/files/", json={"file_type": "csv", "name": "n"})
        assert not slow.done()
        assert slow.result().text == "slow"


def test_peers_15_nothing_is_installed_under_the_clients_name():
    files = importlib.metadata.files("graphistry-core") or []
    tops = {file.parts[0] for file in files}
    assert "graphistry" not in tops
    assert not {top for top in tops if top in ("fixtures", "devserver")}


def test_peers_16_a_cassette_with_a_token_is_refused(tmp_path):
    with DevServer() as server:
        host = server.url.removeprefix("http://")
        token = requests.post(
            f"{server.url}/api-token-auth/", json={"username": "u", "password": "p"}, timeout=9
        ).json()["token"]

        def leak():
            with record_graphistry(tmp_path / "c.yaml", "record", hosts=[host]):
                requests.get(f"{server.url}/healthz?note={token}", timeout=9)

        with pytest.raises(CassetteError, match="would be in it"):
            leak()
