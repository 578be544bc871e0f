"""Nonsense from everywhere, and everybody at once: no 5xx, no foreign data, nothing left behind."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pandas as pd
import pytest
import requests
from api import Api, arrow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphistry_core import Hub, wire
from graphistry_core.gateway import Gateway
from graphistry_core.messages import HttpRequest
from graphistry_devserver import DevServer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = sorted(
    {name for operation in wire.OPERATIONS for name in getattr(operation, "__dataclass_fields__", {})}
    | {"execute", "file_type", "username", "password", "token", "node_encodings", "edge_encodings", "edge_files",
       "metadata", "gfql_query", "gfql_operations", "format", "obj_pk", "invited_users", "parser_options"}
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=60),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6).map(lambda value: json.dumps(value).encode()),
)
ROUTES = sorted({(method, path) for method, path, _ in wire.routes()})


@pytest.fixture(scope="module")
def served():
    """A Hub with one private dataset of alice's, her token, eve's, and the word that must never leave."""
    hub = Hub()
    alice, eve = (hub.call(wire.Login(name, "pw"), wire.Auth()).token for name in ("alice", "eve"))
    auth = wire.Auth("bearer", token=alice)
    body = {"name": "SECRETNAME", "edge_encodings": {"bindings": {"source": "SECRETCOLUMN", "destination": "d"}}}
    dataset = hub.call(wire.DatasetCreate(body), auth).dataset_id
    table = pd.DataFrame({"SECRETCOLUMN": ["a"], "d": ["b"]})
    hub.call(wire.DatasetUpload(dataset, "edges", arrow(table)), auth)
    hub.call(wire.Share(dataset, "private"), auth)
    file_id = hub.call(wire.FileCreate("arrow", "SECRETNAME"), auth).file_id
    yield Gateway(hub), dataset, file_id, alice, eve
    hub.close()


@given(data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nonsense_on_every_route_is_refused_in_json(served, data):
    gateway, dataset, file_id, alice, eve = served
    method, template = data.draw(st.sampled_from(ROUTES))
    values = st.one_of(
        st.just(dataset), st.just(file_id), st.text(max_size=12), st.sampled_from(["edges", "nodes", "csv", "all"])
    )
    path = template
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        path = path[:start] + data.draw(values).replace("{", "(").replace("}", ")") + path[end + 1 :]
    method = data.draw(st.sampled_from([method, method, method, "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]))
    if method == "DELETE":
        path = path.replace(dataset, "x").replace(file_id, "x") if data.draw(st.booleans()) else path
    headers = {
        "authorization": data.draw(st.sampled_from(["", f"Bearer {eve}", "Bearer x", "PersonalKey a:b", "Basic x"]))
    }
    headers |= data.draw(
        st.dictionaries(st.sampled_from(["content-type", "content-encoding", "cookie"]), st.text(max_size=12))
    )
    query = data.draw(
        st.dictionaries(
            st.sampled_from([*NAMES, "limit", "offset", "compression", "sep"]), st.text(max_size=8), max_size=3
        )
    )
    answer = gateway.handle(HttpRequest(method, path, query, headers, data.draw(BODIES)))
    assert answer.status < 500 or answer.status == 501, answer.body
    assert b"SECRET" not in answer.body
    assert b"Traceback" not in answer.body
    if answer.status >= 400 and answer.content_type.startswith("application/json"):
        document = json.loads(answer.body)
        assert document["success"] is False
        assert document["error"]
    mine = gateway.handle(HttpRequest("GET", f"/api/v2/datasets/{dataset}/", {}, {"authorization": f"Bearer {alice}"}))
    assert mine.status == 200


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_50_starts_and_stops_leave_nothing():
    with DevServer() as server:
        requests.get(f"{server.url}/healthz", timeout=9)
    threads, files = threading.active_count(), open_files()
    for _ in range(50):
        with DevServer() as server:
            assert requests.get(f"{server.url}/healthz", timeout=9).status_code == 200
    assert threading.active_count() <= threads
    assert open_files() <= files + 2


def one_users_work(server, number):
    """Uploads, tasks, sharing, reading of others' ids, deletes: every answer one that the protocol has."""
    org = f"org{number % 2}"
    api = Api(server, f"user{number}")
    api.ok("POST", f"/api/v2/o/{org}/switch/", data={"slug": org})
    statuses, kept = [], []
    for round_ in range(4):
        word = f"{org}-{number}-{round_}"
        body = {"edge_encodings": {"bindings": {"source": "s", "destination": "d"}}, "name": word, "org_name": org}
        dataset = api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        table = arrow(pd.DataFrame({"s": [word] * 50, "d": ["x"] * 50}))
        api.ok("POST", f"/api/v2/upload/datasets/{dataset}/edges/arrow", data=table)
        api.ok("POST", "/api/v2/share/link/", json={"obj_pk": dataset, "mode": "organization"})
        answer = api.run(dataset, "def task(g): return {'w': sorted(set(g._edges['s']))}")
        assert answer.json() == {"w": [word]}
        kept.append((org, dataset, word))
        SEEN.append(kept[-1])
        for other_org, other, text in list(SEEN)[-6:]:
            answer = api.send("GET", f"/api/v2/upload/datasets/{quote(other)}")
            statuses.append(answer.status_code)
            if answer.status_code == 200:
                assert other_org == org
                assert answer.json()["data"]["name"] == text
        if round_ % 2:
            _, gone, _ = kept.pop(0)
            api.ok("DELETE", f"/api/v2/datasets/{gone}/")
            assert api.send("GET", f"/api/v2/upload/datasets/{gone}").status_code == 404
    assert api.ok("GET", "/api/v2/datasets/")["count"] == 2
    return set(statuses)


SEEN: list[tuple[str, str, str]] = []


def test_32_threads_of_two_organizations():
    SEEN.clear()
    with DevServer() as server:
        requests.get(f"{server.url}/healthz", timeout=9)
    threads, files = threading.active_count(), open_files()
    with DevServer() as server, ThreadPoolExecutor(32) as pool:
        statuses = set().union(*pool.map(lambda n: one_users_work(server, n), range(32)))
    assert statuses == {200, 404}
    assert threading.active_count() <= threads
    assert open_files() <= files + 4
