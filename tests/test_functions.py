"""User-defined functions: tasks and queries kept on the server, over plain HTTP and in-process."""

from __future__ import annotations

import pandas as pd
import pytest
from api import Api

from graphistry_core import AccessDenied, Hub, NotFound, wire
from graphistry_core.hub import User
from graphistry_devserver import DevServer

EDGES = pd.DataFrame({"src": ["a", "b", "c"], "dst": ["b", "c", "a"], "amount": [1, 20, 300]})
COUNT = "def task(g):\n    print('counting')\n    return {'edges': len(g._edges)}\n"
CHAIN = {"type": "Chain", "chain": [{"type": "Edge", "direction": "forward", "hops": 1, "edge_match": {"amount": 20}}]}
PYTHON = "/api/v2/o/acme/functions/python/"


@pytest.fixture
def api(graphistry_server):
    return Api(graphistry_server)


@pytest.fixture
def dataset_id(api):
    return api.dataset(EDGES, bindings={"source": "src", "destination": "dst"})


def test_a_function_is_made_listed_run_changed_and_deleted(api, dataset_id):
    made = api.ok("POST", PYTHON, json={"alias": "count", "name": "Count", "execute": COUNT})
    assert (made["alias"], made["name"], made["enabled"], made["type"]) == ("count", "Count", True, "python")
    assert made["execute"].strip() == COUNT.strip()
    page = api.ok("GET", PYTHON)
    assert page["count"] == 1
    assert [row["uuid"] for row in page["results"]] == [made["uuid"]]
    assert api.ok("GET", "/api/v2/o/acme/functions/gfql/")["results"] == []
    for name in ("count", made["uuid"]):
        answer = api.ok("POST", f"/api/v2/o/acme/run/python/{name}", json={"dataset_id": dataset_id})
        assert answer == {"edges": 3}
    changed = api.ok("PATCH", f"{PYTHON}count/", json={"execute": "def task(g):\n    return 'other'", "alias": "say"})
    assert changed["name"] == "Count"
    assert api.send("POST", "/api/v2/o/acme/run/python/say", json={"dataset_id": dataset_id}).text == "other"
    api.refused(404, "POST", "/api/v2/o/acme/run/python/count", "no python function 'count'", json={})
    api.ok("DELETE", f"{PYTHON}say/")
    api.refused(404, "GET", f"{PYTHON}say/")
    assert api.ok("GET", PYTHON)["count"] == 0


@pytest.mark.parametrize("body", [{}, {"format": "csv", "output_type": "edges"}, {"output_type": "shape"}])
def test_a_run_answers_byte_for_byte_as_the_python_endpoint(api, dataset_id, body):
    source = "def task(g):\n    return g" if body else COUNT
    api.ok("POST", PYTHON, json={"alias": "f", "execute": source, "dataset_id": dataset_id, **body})
    ours = api.send("POST", "/api/v2/o/acme/run/python/f")
    once = api.send("POST", f"/api/v2/datasets/{dataset_id}/python", json={"execute": source, **body})
    assert ours.status_code == once.status_code == 200
    assert (ours.content, ours.headers["content-type"]) == (once.content, once.headers["content-type"])


def test_a_run_answers_byte_for_byte_as_the_gfql_endpoint(api, dataset_id):
    path = "/api/v2/o/acme/functions/gfql/"
    made = {"alias": "twenty", "gfql_query": CHAIN, "output_type": "edges", "format": "csv", "dataset_id": dataset_id}
    api.ok("POST", path, json=made)
    ours = api.send("POST", "/api/v2/o/acme/run/gfql/twenty")
    once = api.send(
        "POST", f"/api/v2/etl/datasets/{dataset_id}/gfql/edges", json={"gfql_query": CHAIN, "format": "csv"}
    )
    assert ours.content == once.content
    assert b"20" in ours.content
    assert b"300" not in ours.content
    shape = api.send("POST", "/api/v2/o/acme/run/gfql/twenty", json={"output_type": "shape", "format": "json"})
    assert shape.json() == api.ok("POST", f"/api/v2/etl/datasets/{dataset_id}/gfql/shape", json={"gfql_query": CHAIN})


@pytest.mark.parametrize(
    ("kind", "body", "sentence"),
    [
        ("python", {}, "'execute' is missing"),
        ("python", {"execute": "def task(g:"}, "line 1"),
        ("python", {"execute": "def other(g): return 1"}, "def task(g)"),
        ("python", {"execute": COUNT, "engine": "spark"}, "'engine'"),
        ("python", {"execute": COUNT, "format": "csv"}, "output_type"),
        ("python", {"execute": COUNT, "alias": "a/b"}, "'alias' is 'a/b'"),
        ("python", {"execute": COUNT, "alias": "f" * 32}, "no uuid"),
        ("python", {"execute": COUNT, "enabled": "yes"}, "'enabled' must be true or false"),
        ("gfql", {}, "neither 'gfql_query' nor"),
        ("gfql", {"gfql_query": {"type": "Nonsense"}}, "'Chain' or 'Let'"),
        ("gfql", {"gfql_query": CHAIN, "output_type": "json"}, "Unknown output"),
        ("gfql", {"gfql_query": CHAIN, "df_export_args": {"path_or_buf": "/etc/x"}}, "df_export_args"),
    ],
)
def test_what_could_never_run_is_refused_when_it_is_sent(api, kind, body, sentence):
    path = f"/api/v2/o/acme/functions/{kind}/"
    api.refused(400, "POST", path, sentence, json=body)
    assert api.ok("GET", path)["count"] == 0


def test_a_change_that_cannot_be_changes_nothing(api, dataset_id):
    api.ok("POST", PYTHON, json={"alias": "count", "execute": COUNT, "dataset_id": dataset_id})
    api.ok("POST", PYTHON, json={"alias": "taken", "execute": COUNT})
    before = api.ok("GET", f"{PYTHON}count/")
    for body in ({"execute": "def"}, {"alias": "taken"}, {"name": "x", "format": "csv"}, {"color": "red"}, {}):
        api.refused(400, "PATCH", f"{PYTHON}count/", json=body)
    api.refused(404, "PATCH", f"{PYTHON}count/", json={"name": "x", "dataset_id": "nothing"})
    assert api.ok("GET", f"{PYTHON}count/") == before
    api.refused(400, "POST", PYTHON, "'taken' in 'acme' already", json={"alias": "taken", "execute": COUNT})


def test_a_function_can_be_switched_off_and_needs_a_dataset(api, dataset_id):
    api.ok("POST", PYTHON, json={"alias": "count", "execute": COUNT})
    run = "/api/v2/o/acme/run/python/count"
    api.refused(400, "POST", run, "name a 'dataset_id'")
    api.ok("PATCH", f"{PYTHON}count/", json={"enabled": False})
    api.refused(403, "POST", run, "switched off", json={"dataset_id": dataset_id})
    api.ok("PATCH", f"{PYTHON}count/", json={"enabled": True, "dataset_id": dataset_id})
    assert api.ok("POST", run) == {"edges": 3}
    api.ok("DELETE", f"/api/v2/datasets/{dataset_id}/")
    api.refused(404, "POST", run, "no dataset")
    api.refused(404, "POST", "/api/v2/o/acme/functions/sql/", "no functions of kind 'sql'", json={})


def test_a_task_that_fails_fails_as_ever_and_is_in_the_journal(api, dataset_id, graphistry_server):
    api.ok("POST", PYTHON, json={"alias": "bad", "execute": "def task(g):\n    print('now')\n    return 1 / 0"})
    body = api.refused(400, "POST", "/api/v2/o/acme/run/python/bad", "division", json={"dataset_id": dataset_id})
    assert body["code"] == "task-failed"
    (entry,) = graphistry_server.dev.journal.find("function_run")
    assert entry.task["logs"] == "now\n"


def test_functions_belong_to_their_organization_and_runs_to_who_runs_them(tmp_path):
    users = {
        "ann": User("pw", organizations=("acme",)),
        "bob": User("pw", organizations=("acme",), flags={"flag_create_pe_udf": False}),
        "eve": User("pw"),
    }
    with DevServer(users=users, data_dir=tmp_path) as server:
        ann, bob, eve = (Api(server, name) for name in users)
        dataset_id = ann.dataset(EDGES, bindings={"source": "src", "destination": "dst"})
        ann.ok("POST", "/api/v2/share/link/", json={"obj_pk": dataset_id, "mode": "private"})
        ann.ok("POST", PYTHON, json={"alias": "count", "execute": COUNT, "dataset_id": dataset_id})
        assert [row["alias"] for row in bob.ok("GET", PYTHON)["results"]] == ["count"]
        bob.refused(404, "POST", "/api/v2/o/acme/run/python/count", "no dataset")
        bob.refused(403, "POST", PYTHON, "flag_create_pe_udf is False", json={"execute": COUNT})
        bob.refused(403, "PATCH", f"{PYTHON}count/", "flag_create_pe_udf", json={"execute": COUNT})
        for method, path in (
            ("GET", PYTHON),
            ("GET", f"{PYTHON}count/"),
            ("DELETE", f"{PYTHON}count/"),
            ("POST", "/api/v2/o/acme/run/python/count"),
        ):
            eve.refused(403, method, path, "not a member of the organization 'acme'")
        mine = "/api/v2/o/eve/functions/python/"
        eve.ok("POST", mine, json={"alias": "count", "execute": COUNT})
        ann.refused(403, "GET", mine)
        server.dev.flags.set(flag_python_endpoint_disabled=True)
        ann.refused(403, "POST", "/api/v2/o/acme/run/python/count", "flag_python_endpoint_disabled")
    with DevServer(users=users, data_dir=tmp_path) as server:
        assert Api(server, "ann").ok("POST", "/api/v2/o/acme/run/python/count") == {"edges": 3}


def test_where_everybody_is_let_in_nobody_enters_another_users_own_organization(graphistry_server):
    Api(graphistry_server, "bob")
    ann = Api(graphistry_server, "ann")
    ann.refused(403, "GET", "/api/v2/o/bob/functions/python/", "another user's own")
    assert ann.ok("GET", "/api/v2/o/ann/functions/python/")["count"] == 0


def test_pages_lead_to_each_other(api):
    for number in range(3):
        api.ok("POST", PYTHON, json={"alias": f"f{number}", "execute": COUNT})
    first = api.ok("GET", f"{PYTHON}?limit=2&offset=0")
    assert [row["alias"] for row in first["results"]] == ["f2", "f1"]
    second = api.ok("GET", first["next"])
    assert [row["alias"] for row in second["results"]] == ["f0"]
    assert second["next"] is None


def test_in_process_and_through_the_wire_it_is_the_same():
    hub = Hub()
    auth = wire.Auth("bearer", token=hub.call(wire.Login("ann", "pw"), wire.Auth()).token)
    create = wire.FunctionCreate("acme", "python", {"execute": COUNT}, alias="count")
    requests = [
        create,
        wire.FunctionList(org="acme", kind="python"),
        wire.FunctionPatch("acme", "python", "count", {"enabled": False}),
        wire.FunctionRun("acme", "python", "count", {"dataset_id": "d"}),
    ]
    for request in requests:
        sent = request.encode()
        kind, params = wire.match(sent.method, sent.path)
        again = kind.decode(params, sent)
        assert again == request
    hub.call(create, auth)
    hub.call(requests[2], auth)
    with pytest.raises(AccessDenied, match="switched off"):
        hub.call(requests[3], auth)
    hub.call(wire.FunctionDelete("acme", "python", "count"), auth)
    with pytest.raises(NotFound):
        hub.call(wire.FunctionGet("acme", "python", "count"), auth)
    hub.close()
