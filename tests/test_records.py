"""What surrounds uploads: broken HTTP, other origins, links, files and datasets as records, open viewers."""

from __future__ import annotations

import socket

import pandas as pd
import pyarrow as pa
import pytest
import requests
from api import BINDINGS, FRAME, Api, answer_of, arrow, csv, declare, edges_of, kept, parquet, same, upload

from graphistry_core import wire
from graphistry_core.errors import ConfigError
from graphistry_core.hub import Hub
from graphistry_core.messages import HttpRequest
from graphistry_devserver import DevServer


@pytest.fixture
def api(graphistry_server):
    return Api(graphistry_server)


class TestRawHttp:
    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            ("Content-Length: abc", b"{}"),
            ("Content-Length: -1", b"{}"),
            ("Content-Length: 1_0", b"{}"),
            ("Content-Length: +2", b"{}"),
            ("Content-Length: 2\r\nContent-Length: 3", b"{}"),
            ("Content-Length: 0x2", b"{}"),
            ("Transfer-Encoding: chunked", b"5\r\n{}"),
            ("Transfer-Encoding: chunked", b"-2\r\n{}\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked", b"2\r\n{}XX0\r\n\r\n"),
            ("Transfer-Encoding: chunked", b"2\r\n{}\r\n"),
            ("Transfer-Encoding: chunked", b""),
        ],
        ids=range(11),
    )
    @pytest.mark.parametrize("path", ["/api/v2/files/", "upload"])
    def test_what_is_broken_is_400_json_and_the_next_request_works(self, api, path, headers, body):
        if path == "upload":
            path = f"/api/v2/upload/files/{declare(api, 'csv')}"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.token}\r\n{headers}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=9) as raw:
            raw.sendall(head.encode() + body)
            raw.shutdown(socket.SHUT_WR)
            status, answer = answer_of(raw)
        assert status == 400
        assert answer["success"] is False
        assert api.ok("GET", "/api/v2/files/")
        assert not kept(api.hub)

    def test_the_same_length_twice_is_one(self, api):
        head = f"POST /api/v2/files/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.token}\r\n"
        with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=9) as raw:
            raw.sendall(head.encode() + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}")
            assert answer_of(raw)[0] == 200


class TestCors:
    @pytest.mark.parametrize(
        "origin", ["http://localhost", "http://localhost:3000", "https://127.0.0.1:8443", "http://[::1]:5173"]
    )
    def test_pages_of_this_machine_may_ask_and_read(self, api, origin):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST",
                   "Access-Control-Request-Headers": "authorization,content-type,x-csrftoken"}  # fmt: skip
        preflight = requests.options(f"{api.url}/api/v2/files/", headers=headers, timeout=9)
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == origin
        allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"authorization", "content-type", "x-csrftoken"} <= set(allowed)
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        for response in (
            api.send("GET", "/api/v2/files/", headers={"Origin": origin}),
            api.send("GET", "/api/v2/files/nope/", headers={"Origin": origin}),
        ):
            assert response.headers["Access-Control-Allow-Origin"] == origin
            assert "Origin" in response.headers["Vary"]

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example", "http://localhost.evil.example", "http://localhost:80@evil.example", "null",
         "http://127.0.0.1.evil.example", "http://xlocalhost", "file://", "http://localhost:"],
    )  # fmt: skip
    def test_others_may_not(self, api, origin):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        preflight = requests.options(f"{api.url}/api/v2/files/", headers=headers, timeout=9)
        response = api.send("GET", "/api/v2/files/", headers={"Origin": origin})
        for each in (preflight, response):
            assert "Access-Control-Allow-Origin" not in each.headers
            assert "Access-Control-Allow-Credentials" not in each.headers

    def test_without_an_origin_nothing_is_said(self, api):
        assert "Access-Control-Allow-Origin" not in api.send("GET", "/api/v2/files/").headers


class TestLinks:
    def test_they_follow_the_host_header(self, api):
        for _ in range(2):
            declare(api, "csv")
        page = api.ok("GET", "/api/v2/files/?limit=1", headers={"Host": "localhost:99"})
        assert page["next"] == "http://localhost:99/api/v2/files/?limit=1&offset=1"
        assert api.ok("GET", "/api/v2/files/?limit=1")["next"].startswith(api.url)

    @pytest.mark.parametrize("host", ['x"><script>', "a b", "user@host", "x/y", ""])
    def test_a_hostile_host_is_not_repeated(self, host):
        request = HttpRequest("GET", "/api/v2/files/", headers={"host": host})
        assert wire.FileList.decode({}, request).base_url == ""

    def test_an_external_url_goes_before(self):
        with DevServer(external_url="https://graphistry.example.org/base/") as server:
            api = Api(server)
            for _ in range(2):
                declare(api, "csv")
            page = api.ok("GET", "/api/v2/files/?limit=1")
            assert page["next"] == "https://graphistry.example.org/base/api/v2/files/?limit=1&offset=1"
            sso = api.ok("POST", "/api/v2/g/sso/oidc/login/", data="client-type=pygraphistry", token="")
            assert sso["data"]["auth_url"].startswith("https://graphistry.example.org/base/sso/")

    @pytest.mark.parametrize("url", ["graphistry.example.org", "ftp://x", "https://", "https://x/?q=1"])
    def test_what_is_no_url_refuses_to_start(self, url):
        with pytest.raises(ConfigError, match="external_url"):
            Hub(external_url=url)


class TestFiles:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_get_and_patch(self, api, slash):
        file_id, _ = upload(api, "csv", csv(), name="old", description="kept")
        record = api.ok("GET", f"/api/v2/files/{file_id}{slash}")
        assert (record["name"], record["is_valid"], record["file_type"]) == ("old", True, "csv")
        changed = api.ok("PATCH", f"/api/v2/files/{file_id}{slash}", json={"name": "new"})
        assert (changed["name"], changed["description"]) == ("new", "kept")
        assert api.ok("GET", f"/api/v2/files/{file_id}/")["name"] == "new"

    def test_only_the_owner_changes(self, api, graphistry_server):
        file_id = declare(api, "csv", name="old")
        bob = Api(graphistry_server, "bob")
        bob.refused(403, "PATCH", f"/api/v2/files/{file_id}/", "another user", json={"name": "x"})
        bob.refused(404, "PATCH", "/api/v2/files/nope/", json={"name": "x"})
        api.refused(404, "GET", "/api/v2/files/nope/")
        api.refused(401, "GET", f"/api/v2/files/{file_id}/", token="")
        api.refused(401, "PATCH", f"/api/v2/files/{file_id}/", token="", json={"name": "x"})
        assert api.ok("GET", f"/api/v2/files/{file_id}/")["name"] == "old"

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [({}, "nothing to change"), ({"file_type": "csv"}, "'file_type'"), ({"name": 3}, "'name'"), ([], "object")],
    )
    def test_wrong_changes_are_400(self, api, body, sentence):
        file_id = declare(api, "csv")
        api.refused(400, "PATCH", f"/api/v2/files/{file_id}/", sentence, json=body)


class TestStrangers:
    """Another user knows the id of what is not shared with anybody, and can do nothing to it."""

    @pytest.mark.parametrize(
        ("method", "path", "options"),
        [
            ("GET", "/api/v2/files/{file}/", {}),
            ("PATCH", "/api/v2/files/{file}/", {"json": {"name": "x"}}),
            ("DELETE", "/api/v2/files/{file}/", {}),
            ("POST", "/api/v2/upload/files/{file}", {"data": b"s,d\nx,y\n"}),
            ("PATCH", "/api/v2/datasets/{dataset}/", {"json": {"name": "x"}}),
            ("DELETE", "/api/v2/datasets/{dataset}/", {}),
            ("POST", "/api/v2/upload/datasets/{dataset}/edges/arrow", {"data": arrow(FRAME[:1])}),
            ("POST", "/api/v2/share/link/", {"json": {"obj_pk": "{dataset}", "mode": "public"}}),
            ("POST", "/api/v2/share/link/", {"json": {"obj_pk": "{dataset}", "mode": "private"}}),
            ("GET", "/api/v2/generate/single-use-url/?username=bob&dataset_id={dataset}", {}),
        ],
    )
    def test_can_do_nothing(self, api, graphistry_server, method, path, options):
        file_id, dataset_id = upload(api, "csv", csv())[0], api.dataset(FRAME)
        names = {"{file}": file_id, "{dataset}": dataset_id}
        for name, value in names.items():
            path = path.replace(name, value)
        if "json" in options:
            options = {"json": {key: names.get(value, value) for key, value in options["json"].items()}}
        before = self.state(api, file_id, dataset_id)
        bob = Api(graphistry_server, "bob")
        bob.refused(403, method, path, "belongs to another user", **options)
        assert self.state(api, file_id, dataset_id) == before
        api.ok("POST", "/api/v2/share/link/", json={"obj_pk": dataset_id, "mode": "private"})
        before = self.state(api, file_id, dataset_id)
        if dataset_id in path + str(options):
            bob.refused(404, method, path, **options)  # not even that it is there
        assert self.state(api, file_id, dataset_id) == before

    def state(self, api, file_id, dataset_id):
        records = [
            api.ok("GET", f"/api/v2/{kind}/{id_}/") for kind, id_ in (("files", file_id), ("datasets", dataset_id))
        ]
        return records, edges_of(api, dataset_id).to_dict("list")


class TestDatasets:
    @pytest.mark.parametrize("path", ["/api/v2/datasets/{}/", "/api/v2/datasets/{}", "/api/v2/upload/datasets/{}"])
    def test_patch(self, api, path):
        dataset_id = api.dataset(FRAME)
        changed = api.ok("PATCH", path.format(dataset_id), json={"name": "new", "metadata": {"bg": "x"}})["data"]
        assert (changed["name"], changed["metadata"]) == ("new", {"bg": "x"})
        record = api.ok("GET", path.format(dataset_id))["data"]
        assert (record["name"], record["metadata"], record["edge_count"]) == ("new", {"bg": "x"}, 3)
        assert record["edge_encodings"]["bindings"] == {"source": "s", "destination": "d"}

    def test_only_the_owner_changes(self, api, graphistry_server):
        dataset_id = api.dataset(FRAME)
        bob = Api(graphistry_server, "bob")
        bob.refused(403, "PATCH", f"/api/v2/datasets/{dataset_id}/", json={"name": "x"})
        api.ok("POST", "/api/v2/share/link/", json={"obj_pk": dataset_id, "mode": "private"})
        bob.refused(404, "PATCH", f"/api/v2/datasets/{dataset_id}/", json={"name": "x"})
        assert api.ok("GET", f"/api/v2/datasets/{dataset_id}/")["data"]["name"] == "n"

    @pytest.mark.parametrize("body", [{}, {"edge_encodings": {}}, {"metadata": 3}, {"name": []}])
    def test_wrong_changes_are_400(self, api, body):
        api.refused(400, "PATCH", f"/api/v2/datasets/{api.dataset()}/", json=body)

    def test_several_files_make_one_table(self, api):
        ids = [upload(api, "csv", csv())[0], upload(api, "parquet", parquet(FRAME[["x", "w", "d", "s"]]))[0]]
        body = {**BINDINGS, "edge_files": [ids[0], [ids[1], 0]]}
        dataset_id = api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        same(edges_of(api, dataset_id), pd.concat([FRAME, FRAME], ignore_index=True))
        for file_id in ids:
            api.ok("DELETE", f"/api/v2/files/{file_id}/")
        assert len(edges_of(api, dataset_id)) == 6
        assert len(kept(api.hub)) == 1

    @pytest.mark.parametrize(
        ("other", "sentence"),
        [
            (FRAME.assign(w=["x", "y", "z"]), "the column 'w' is"),
            (FRAME.drop(columns="x"), "a column 'x'"),
            (FRAME.assign(y=1), "a column 'y'"),
        ],
    )
    def test_files_that_do_not_agree_are_400_and_name_the_column(self, api, other, sentence):
        ids = [upload(api, "arrow", arrow(frame))[0] for frame in (FRAME, other)]
        before = kept(api.hub)
        body = {**BINDINGS, "edge_files": ids}
        api.refused(400, "POST", "/api/v2/upload/datasets/", sentence, json=body)
        assert kept(api.hub) == before

    def test_a_column_of_nulls_agrees_with_every_type(self, api):
        nulls = pa.table({"s": ["a"], "d": ["b"], "w": pa.nulls(1), "x": pa.nulls(1)})
        ids = [upload(api, "arrow", arrow(frame))[0] for frame in (FRAME, nulls)]
        body = {**BINDINGS, "edge_files": ids}
        dataset_id = api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        assert edges_of(api, dataset_id)["w"].isna().tolist() == [False] * 3 + [True]

    @pytest.mark.parametrize("index", [-1, 1, 0.5, True, "0", None])
    def test_a_wrong_table_index_is_400(self, api, index):
        file_id, _ = upload(api, "csv", csv())
        api.refused(400, "POST", "/api/v2/upload/datasets/", json={**BINDINGS, "edge_files": [[file_id, index]]})

    def test_a_missing_column_leaves_nothing_behind(self, api):
        ids = [upload(api, "csv", csv())[0] for _ in range(2)]
        before = kept(api.hub)
        body = {"edge_encodings": {"bindings": {"source": "zz", "destination": "d"}}, "edge_files": ids}
        api.refused(400, "POST", "/api/v2/upload/datasets/", "'zz'", json=body)
        assert kept(api.hub) == before


class TestHypergraph:
    EVENTS = pd.DataFrame({"user": ["a", "b"], "ip": ["x", "x"], "n": [1, 2]})

    def create(self, api, transform, **more):
        file_id, _ = upload(api, "csv", csv(self.EVENTS))
        return {"edge_files": [file_id], "edge_hypergraph_transform": transform, **more}

    @pytest.mark.parametrize("direct", [False, True])
    def test_it_is_what_hypergraph_makes(self, api, direct):
        transform = {"entity_types": ["user", "ip"], "direct": direct, "opts": {"CATEGORIES": {"who": ["user"]}}}
        dataset_id = api.ok("POST", "/api/v2/upload/datasets/", json=self.create(api, transform))["data"]["dataset_id"]
        graphistry = pytest.importorskip("graphistry")
        options = {"direct": direct, "opts": transform["opts"], "verbose": False}
        expected = graphistry.hypergraph(self.EVENTS, ["user", "ip"], **options)["graph"]
        ends = "'s': g._source, 'd': g._destination"
        source = f"def task(g): return {{'e': len(g._edges), 'n': sorted(g._nodes[g._node]), {ends}}}"
        assert api.run(dataset_id, source).json() == {
            "e": len(expected._edges),
            "n": sorted(expected._nodes[expected._node]),
            "s": expected._source,
            "d": expected._destination,
        }

    @pytest.mark.parametrize(
        ("transform", "sentence"),
        [
            ({"entity_types": ["zz"]}, "zz"),
            ({"entity_types": [1]}, "entity_types"),
            ({"opts": {"NOPE": 1}}, "NOPE"),
            ({"opts": {"DELIM": 1}}, "opts"),
            ({"what": 1}, "'what'"),
            ({"direct": "yes"}, "'direct'"),
            ([1], "object"),
        ],
    )
    def test_wrong_transforms_are_400(self, api, transform, sentence):
        body = self.create(api, transform)
        before = kept(api.hub)
        api.refused(400, "POST", "/api/v2/upload/datasets/", sentence, json=body)
        assert kept(api.hub) == before

    def test_it_needs_events_and_makes_the_nodes(self, api):
        transform = {"entity_types": ["user"]}
        api.refused(
            400, "POST", "/api/v2/upload/datasets/", "edge_files", json={"edge_hypergraph_transform": transform}
        )
        body = self.create(api, transform)
        api.refused(
            400, "POST", "/api/v2/upload/datasets/", "node_files", json={**body, "node_files": body["edge_files"]}
        )


class TestAroundTheViewer:
    PATH = "/api/experimental/viz/sessions/"

    def test_opening_the_page_makes_a_session(self, api, graphistry_server):
        assert api.ok("GET", self.PATH)["results"] == []
        dataset_id = api.dataset(FRAME)
        requests.get(f"{api.url}/graph/graph.html?dataset={dataset_id}", timeout=9)
        [row] = api.ok("GET", self.PATH)["results"]
        assert row["revision"]["dataset"] == {"dataset_id": dataset_id}
        one = api.ok("GET", f"{self.PATH}{row['session_id']}")
        assert one["session_id"] == row["session_id"]
        bob = Api(graphistry_server, "bob")
        assert bob.ok("GET", self.PATH)["results"] == []
        bob.ok("GET", f"{self.PATH}{row['session_id']}/")
        api.ok("POST", "/api/v2/share/link/", json={"obj_pk": dataset_id, "mode": "private"})
        bob.refused(404, "GET", f"{self.PATH}{row['session_id']}/")
        api.refused(404, "GET", f"{self.PATH}nope/")
        api.refused(401, "GET", self.PATH, token="")

    def test_a_single_use_link_works_once(self, api, graphistry_server):
        dataset_id, other = api.dataset(FRAME), api.dataset(FRAME)
        for each in (dataset_id, other):
            api.ok("POST", "/api/v2/share/link/", json={"obj_pk": each, "mode": "private"})
        path = "/api/v2/generate/single-use-url/"
        url = api.ok("GET", path, params={"username": "guest", "dataset_id": dataset_id})["url"]
        assert url.startswith(api.url)
        assert requests.get(url.replace(dataset_id, other), timeout=9).status_code == 404
        assert requests.get(url, timeout=9).status_code == 200
        assert requests.get(url, timeout=9).status_code == 404
        bob = Api(graphistry_server, "bob")
        bob.refused(404, "GET", path, params={"username": "bob", "dataset_id": dataset_id})
        api.refused(400, "GET", path, "'username'", params={"dataset_id": dataset_id})

    @pytest.mark.parametrize(
        "path",
        ["/healthz", "/healthcheck/", "/ht/", "/caddy/health/", "/streamgl-viz/health", "/pivot/health",
         "/streamgl-sessions/health", "/streamgl-gpu/primary/health", "/streamgl-gpu/secondary/cpu/health",
         "/streamgl-gpu/secondary/gpu/health"],
    )  # fmt: skip
    def test_health(self, api, path):
        for spelling in (path, path.rstrip("/"), path.rstrip("/") + "/"):
            assert api.ok("GET", spelling, token="")["status"] == "OK"
