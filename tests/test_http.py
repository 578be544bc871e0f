"""The dev server as raw HTTP: what callers get wrong, and what the answers look like."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import threading
import time

import jwt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import requests
from api import Api, arrow

from graphistry_core import ConfigError, wire
from graphistry_devserver import DevServer, create_app


@pytest.fixture
def api(graphistry_server):
    return Api(graphistry_server)


@pytest.fixture
def df():
    return pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"], "w": [1, 2]})


AUTHENTICATED = [
    ("POST", "/api/v2/files/"),
    ("POST", "/api/v2/upload/files/x"),
    ("GET", "/api/v2/files/"),
    ("DELETE", "/api/v2/files/x/"),
    ("POST", "/api/v2/upload/datasets/"),
    ("GET", "/api/v2/upload/datasets/x"),
    ("POST", "/api/v2/upload/datasets/x/edges/arrow"),
    ("GET", "/api/v2/datasets/"),
    ("DELETE", "/api/v2/datasets/x/"),
    ("POST", "/api/v2/share/link/"),
    ("POST", "/api/v2/datasets/x/python"),
    ("POST", "/api/v2/o/x/switch/"),
]


class TestTokens:
    @pytest.mark.parametrize(("method", "path"), AUTHENTICATED)
    def test_no_token_is_401(self, api, method, path):
        api.refused(401, method, path, "needs a token", token="")

    @pytest.mark.parametrize(("method", "path"), AUTHENTICATED)
    def test_an_expired_token_is_401(self, api, method, path):
        expired = api.token
        api.hub.accounts.clock.advance(hours=1.5)
        api.token = api.ok("POST", "/api-token-auth/", json={"username": "alice", "password": "pw"}, token="")["token"]
        body = api.refused(401, method, path, "Token has expired.", token=expired)
        assert body["non_field_errors"] == ["Token has expired."]

    @pytest.mark.parametrize("garbage", ["x", "a.b.c", "é", "null", "..", "=" * 5000])
    def test_a_garbage_token_is_401(self, api, garbage):
        api.refused(401, "GET", "/api/v2/files/", token=garbage.encode().decode("latin-1"))
        api.refused(401, "POST", "/api-token-verify/", json={"token": garbage}, token="")
        api.refused(401, "POST", "/api/v2/auth/token/refresh", json={"token": garbage}, token="")

    def test_tokens_signed_by_others_or_by_nobody_are_401(self, api):
        claims = jwt.decode(api.token, options={"verify_signature": False})
        for forged in (
            jwt.encode(claims, "k" * 32, algorithm="HS256"),
            jwt.encode(claims, None, algorithm="none"),
            jwt.encode({**claims, "user_id": 99}, "k" * 32, algorithm="HS256"),
        ):
            api.refused(401, "GET", "/api/v2/files/", token=forged)

    def test_basic_authentication_is_not_a_token(self, api):
        api.refused(401, "GET", "/api/v2/files/", token="", headers={"Authorization": "Basic YTpi"})

    def test_a_token_works_as_bearer_in_any_case(self, api):
        api.ok("GET", "/api/v2/files/", token="", headers={"Authorization": f"bearer {api.token}"})

    @pytest.mark.parametrize("path", ["/api/v2/auth/token/refresh", "/api-token-refresh/", "/api-token-refresh"])
    def test_refresh_gives_a_new_token(self, api, path):
        token = api.ok("POST", path, json={"token": api.token}, token="")["token"]
        first, second = (jwt.decode(t, options={"verify_signature": False}) for t in (api.token, token))
        assert first["orig_iat"] == second["orig_iat"]
        assert first["jti"] != second["jti"]
        assert jwt.get_unverified_header(token)["alg"] == "HS256"


class TestLogin:
    @pytest.mark.parametrize("path", ["/api-token-auth/", "/api-token-auth", "/api/v2/auth/token/generate"])
    def test_both_spellings(self, api, path):
        body = api.ok("POST", path, json={"username": "u", "password": "p", "org_name": "lab"}, token="")
        assert body["active_organization"] == {"slug": "lab", "is_found": True, "is_member": True}

    def test_without_an_organization_there_is_none_and_no_null(self, api):
        body = api.ok("POST", "/api-token-auth/", json={"username": "u", "password": "p"}, token="")
        assert "active_organization" not in body

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_personal_key_by_get_and_post(self, api, method):
        headers = {"Authorization": "PersonalKey id:se:cret"}
        body = api.ok(method, "/api/v2/auth/pkey/jwt/", json={"org_name": "x"}, token="", headers=headers)
        assert body["active_organization"]["slug"] == "x"

    @pytest.mark.parametrize("header", ["PersonalKey id", "PersonalKey :", "PersonalKey", "Bearer x"])
    def test_a_broken_personal_key_is_refused(self, api, header):
        response = api.send("POST", "/api/v2/auth/pkey/jwt/", json={}, token="", headers={"Authorization": header})
        assert response.status_code in (400, 401)
        assert response.json()["success"] is False

    def test_switching_to_any_organization(self, api):
        assert api.ok("POST", "/api/v2/o/any-org/switch/", data={"slug": "any-org"})["status"] == "OK"

    @pytest.mark.parametrize(
        "body", [{}, {"username": "u"}, {"username": 1, "password": "p"}, {"username": "", "password": ""}]
    )
    def test_incomplete_logins_are_400(self, api, body):
        api.refused(400, "POST", "/api-token-auth/", json=body, token="")

    def test_strict_users(self):
        with DevServer(users={"ann": "right"}) as server:
            url = server.url
            login = {"username": "ann", "password": "right", "org_name": "other"}
            body = requests.post(f"{url}/api-token-auth/", json=login, timeout=9).json()
            assert body["active_organization"]["is_found"] is False
            switched = requests.post(
                f"{url}/api/v2/o/other/switch/", headers={"Authorization": f"Bearer {body['token']}"}, timeout=9
            ).json()
            assert switched["status"] == "Failed"
            for wrong in ({"username": "ann", "password": "wrong"}, {"username": "bob", "password": "right"}):
                response = requests.post(f"{url}/api-token-auth/", json=wrong, timeout=9)
                assert response.status_code == 400
                assert response.json()["non_field_errors"] == ["Unable to log in with provided credentials."]
            key = {"Authorization": "PersonalKey a:b"}
            assert requests.post(f"{url}/api/v2/auth/pkey/jwt/", headers=key, timeout=9).status_code == 400


BODIES = [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000]


class TestBodies:
    @pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
    @pytest.mark.parametrize("path", ["/api/v2/files/", "/api/v2/upload/datasets/", "/api/v2/share/link/"])
    def test_a_body_that_is_no_json_object_is_400(self, api, path, body):
        api.refused(400, "POST", path, "JSON object", data=body)

    @pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
    def test_also_for_tasks(self, api, df, body):
        api.refused(400, "POST", f"/api/v2/datasets/{api.dataset(df)}/python", "JSON object", data=body)

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({}, "'execute' is missing"),
            ({"execute": None}, "'execute' is missing"),
            ({"execute": 3}, "'execute' must be a string, not a number"),
            ({"execute": ["def task(g): return 1"]}, "must be a string, not an array"),
            ({"execute": ""}, "defines no function 'task'"),
            ({"execute": "def task(g): return 1", "format": "xml"}, "must be one of json, csv, parquet"),
            ({"execute": "def task(g): return 1", "output_type": "x"}, "must be one of json, table"),
            ({"execute": "def task(g): return 1", "engine": "spark"}, "must be one of pandas, cudf"),
            ({"execute": "def task(g): return 1", "engine": 1}, "'engine' must be a string"),
            ({"execute": "def task(g): return 1", "format": "csv"}, "cannot hold output_type='json'"),
            ({"execute": "def task(g): return {'\x00': 1}"}, "null bytes"),
            ({"execute": "def task(g): return '\ud800'"}, "surrogate"),
        ],
    )
    def test_wrong_task_fields_are_400(self, api, df, fields, sentence):
        api.refused(400, "POST", f"/api/v2/datasets/{api.dataset(df)}/python", sentence, json=fields)

    @pytest.mark.parametrize(
        "fields",
        [
            {"node_encodings": 1},
            {"edge_encodings": {"bindings": []}},
            {"edge_encodings": {"bindings": {"source": 5, "destination": {}}}, "edge_files": ["x"]},
            {"metadata": "m"},
            {"name": 4},
            {"edge_files": "x"},
            {"edge_files": [1]},
            {"edge_files": [["x", 0], "y"]},
            {"node_files": {}},
            {"org_name": []},
            {"edge_files": ["unknown"]},
        ],
    )
    def test_wrong_dataset_fields_are_4xx(self, api, fields):
        response = api.send("POST", "/api/v2/upload/datasets/", json=fields)
        assert response.status_code in (400, 404)
        assert response.json()["success"] is False

    @pytest.mark.parametrize(
        "fields",
        [
            {"mode": "secret"},
            {"mode": "private"},
            {"obj_pk": 1},
            {"obj_pk": "x", "invited_users": ["a@b"]},
            {"obj_pk": "x", "notify": "yes"},
        ],
    )
    def test_wrong_share_fields_are_400(self, api, fields):
        api.refused(400, "POST", "/api/v2/share/link/", json=fields)

    def test_paging_numbers(self, api, df):
        for _ in range(3):
            api.dataset(df)
        page = api.ok("GET", "/api/v2/datasets/?limit=2")
        assert (page["count"], len(page["results"]), page["previous"]) == (3, 2, None)
        rest = api.ok("GET", page["next"])
        assert (len(rest["results"]), rest["next"]) == (1, None)
        for bad in ("limit=-1", "limit=x", "offset=1e3", "limit=99999999999"):
            api.refused(400, "GET", f"/api/v2/datasets/?{bad}", "must be a number")

    def test_unknown_routes_and_methods(self, api):
        api.refused(404, "GET", "/api/v3/nothing", "no route")
        api.refused(404, "GET", "/nothing", "no route")
        api.refused(501, "GET", "/api/v2/logout-user/username/x/", "not implemented")
        api.refused(405, "DELETE", "/api-token-auth/", "use POST")

    def test_chunked_bodies_are_taken(self, api, df):
        dataset_id = api.dataset()
        body = arrow(df)
        path = f"/api/v2/upload/datasets/{dataset_id}/edges/arrow"
        api.ok("POST", path, data=iter([body[:100], body[100:]]))
        assert api.run(dataset_id, "def task(g): return {'n': len(g._edges)}").json() == {"n": 2}


IDS = [
    "nope",
    "../../etc/passwd",
    "..%2F..%2Fetc%2Fpasswd",
    "' OR 1=1 --",
    "x'; DROP TABLE datasets; --",
    "%00",
    "%ff%fe",
    "a" * 3000,
    "日本🙂",
    "%",
    "*",
]


class TestIds:
    @pytest.mark.parametrize("odd", IDS, ids=range(len(IDS)))
    def test_odd_ids_are_404_and_harm_nothing(self, api, df, odd):
        kept = api.dataset(df)
        api.refused(404, "GET", f"/api/v2/upload/datasets/{odd}")
        api.refused(404, "POST", f"/api/v2/datasets/{odd}/python", json={"execute": "def task(g): return 1"})
        api.refused(404, "POST", f"/api/v2/upload/files/{odd}", data=arrow(df))
        api.refused(404, "POST", f"/api/v2/upload/datasets/{odd}/edges/arrow", data=arrow(df))
        api.refused(404, "DELETE", f"/api/v2/datasets/{odd}/")
        api.refused(404, "POST", "/api/v2/share/link/", json={"obj_pk": odd})
        assert api.ok("GET", f"/api/v2/upload/datasets/{kept}")["data"]["edge_count"] == 2

    def test_unknown_ids_come_with_help(self, api, df):
        api.refused(404, "GET", "/api/v2/upload/datasets/nope", "Upload it again")
        body = {"edge_files": ["nope"], "edge_encodings": {"bindings": {}}}
        api.refused(404, "POST", "/api/v2/upload/datasets/", "memoize=False", json=body)

    def test_a_file_may_be_used_by_other_users(self, api, graphistry_server, df):
        file_id = api.ok("POST", "/api/v2/files/", json={"file_type": "arrow"})["file_id"]
        assert api.ok("POST", f"/api/v2/upload/files/{file_id}", data=arrow(df))["is_valid"] is True
        bob = Api(graphistry_server, "bob")
        body = {"edge_files": [file_id], "edge_encodings": {"bindings": {"source": "s", "destination": "d"}}}
        dataset_id = bob.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        bob.refused(403, "POST", f"/api/v2/upload/files/{file_id}", data=arrow(df))
        bob.refused(403, "DELETE", f"/api/v2/files/{file_id}/")
        api.ok("DELETE", f"/api/v2/files/{file_id}/")
        assert bob.run(dataset_id, "def task(g): return {'n': len(g._edges)}").json() == {"n": 2}


def broken_tables():
    good = arrow(pd.DataFrame({"s": ["a"] * 1000, "d": ["b"] * 1000}))
    offsets = pa.Array.from_buffers(
        pa.large_string(),
        2,
        [None, pa.py_buffer(np.array([0, 10**9, 3], dtype="int64").tobytes()), pa.py_buffer(b"abc")],
    )
    return {
        "empty": b"",
        "random": np.random.default_rng(0).bytes(5000),
        "magic only": b"ARROW1",
        "magic and noise": b"ARROW1\0\0" + np.random.default_rng(1).bytes(5000) + b"ARROW1",
        "truncated": good[: len(good) // 2],
        "without its tail": good[:-10],
        "offsets out of bounds": arrow(pa.table({"s": offsets, "d": offsets})),
        "not UTF-8": arrow(
            pa.table(
                {
                    "s": pa.Array.from_buffers(
                        pa.utf8(),
                        1,
                        [None, pa.py_buffer(np.array([0, 2], "int32").tobytes()), pa.py_buffer(b"\xff\xff")],
                    ),
                    "d": ["a"],
                }
            )
        ),
        "two columns of one name": arrow(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["s", "s"])),
        "csv": b"s,d\n1,2\n",
        "json": b'{"s": [1], "d": [2]}',
    }


BROKEN = broken_tables()


class TestTables:
    @pytest.mark.parametrize("name", BROKEN)
    def test_a_broken_file_is_an_answer_and_is_not_stored(self, api, name):
        file_id = api.ok("POST", "/api/v2/files/", json={"file_type": "arrow"})["file_id"]
        body = api.ok("POST", f"/api/v2/upload/files/{file_id}?erase=true", data=BROKEN[name])
        assert (body["is_valid"], body["is_uploaded"]) == (False, False)
        assert body["errors"]
        assert not list((api.hub.store.root / "tables").iterdir())
        assert not list((api.hub.store.root / "incoming").iterdir())
        create = {"edge_files": [file_id], "edge_encodings": {"bindings": {"source": "s", "destination": "d"}}}
        api.refused(400, "POST", "/api/v2/upload/datasets/", "no content yet", json=create)

    @pytest.mark.parametrize("name", BROKEN)
    def test_a_broken_table_is_400_and_keeps_the_old_one(self, api, df, name):
        dataset_id = api.dataset(df)
        api.refused(400, "POST", f"/api/v2/upload/datasets/{dataset_id}/edges/arrow", data=BROKEN[name])
        assert api.run(dataset_id, "def task(g): return {'n': len(g._edges)}").json() == {"n": 2}
        assert len(list((api.hub.store.root / "tables").iterdir())) == 1

    @pytest.mark.parametrize("which", ["edges", "nodes"])
    def test_a_table_without_its_bound_column_is_400(self, api, df, which):
        dataset_id = api.dataset(df, df.rename(columns={"s": "id"}))
        wrong = arrow(pd.DataFrame({"other": [1]}))
        api.refused(400, "POST", f"/api/v2/upload/datasets/{dataset_id}/{which}/arrow", "has no column", data=wrong)
        file_id = api.ok("POST", "/api/v2/files/", json={})["file_id"]
        api.ok("POST", f"/api/v2/upload/files/{file_id}", data=wrong)
        create = {"edge_files": [file_id], "edge_encodings": {"bindings": {"source": "s", "destination": "d"}}}
        api.refused(400, "POST", "/api/v2/upload/datasets/", "has no column 's'", json=create)

    @pytest.mark.parametrize(
        "table",
        [
            pa.table({"s": pa.array([], pa.string()), "d": pa.array([], pa.string())}),
            pa.table({"s": pa.array([None, None], pa.null()), "d": pa.array(["a", None])}),
            pa.table({"s": pa.array(["a", "b"]).dictionary_encode(), "d": pa.array([[1], None])}),
            pa.table({"s": pa.array([1, None]), "d": pa.array([1.5, None])}),
            pa.table({"s": pa.chunked_array([["a"], ["b", None]]), "d": pa.chunked_array([["c", "d"], [None]])}),
            pa.table({"s": pa.array([0, 1], pa.timestamp("us", "UTC")), "d": pa.array([{"x": 1}, None])}),
            pa.table({"s": ["x" * 10**6], "d": ["🙂"]}),
        ],
        ids=["no rows", "nulls", "nested", "null numbers", "chunks", "times", "long"],
    )
    @pytest.mark.parametrize("codec", [None, "lz4", "zstd"])
    def test_every_kind_of_table_comes_back_as_it_went(self, api, table, codec):
        dataset_id = api.dataset()
        options = pa.ipc.IpcWriteOptions(compression=codec)
        body = arrow(table, options=options)
        path = f"/api/v2/upload/datasets/{dataset_id}/edges/arrow"
        answer = api.ok("POST", path, data=body)["data"]
        assert (answer["num_rows"], answer["num_cols"]) == (table.num_rows, 2)
        source = "def task(g): return g._edges"
        response = api.run(dataset_id, source, format="parquet", output_type="table")
        expected = table.to_pandas()
        pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(response.content)), expected, check_dtype=False)

    def test_a_stream_is_taken_for_a_file(self, api, df):
        dataset_id = api.dataset()
        sink = io.BytesIO()
        table = pa.Table.from_pandas(df)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        api.ok("POST", f"/api/v2/upload/datasets/{dataset_id}/edges/arrow", data=sink.getvalue())

    def test_other_file_types(self, api):
        csv = b"s,d\na,b\n"
        for kind, content in (
            ("csv", csv),
            ("json", b'[{"s": "a", "d": "b"}]'),
            ("json", b'{"s":["a"],"d":["b"],"agent_name":"x"}'),
        ):
            file_id = api.ok("POST", "/api/v2/files/", json={"file_type": kind})["file_id"]
            body = api.ok("POST", f"/api/v2/upload/files/{file_id}", data=content)
            assert body["tables_schemas"][0]["num_cols"] == 2
        api.refused(400, "POST", "/api/v2/files/", "must be one of arrow", json={"file_type": "exe"})
        api.refused(400, "POST", f"/api/v2/upload/datasets/{api.dataset()}/edges/orc", "orc", data=b"ORC")


class TestOnceBroken:
    """What hostile testing found."""

    def test_an_invited_email_must_be_text(self, api, df):
        dataset_id = api.dataset(df)
        share = {"obj_pk": dataset_id, "mode": "private", "invited_users": [{"email": ["a"]}]}
        api.refused(400, "POST", "/api/v2/share/link/", "'email'", json=share)
        api.ok("GET", f"/api/v2/upload/datasets/{dataset_id}")

    def test_an_invited_user_may_read(self, api, graphistry_server, df):
        dataset_id = api.dataset(df)
        share = {"obj_pk": dataset_id, "mode": "private", "invited_users": [{"email": "bob", "action": "10"}]}
        api.ok("POST", "/api/v2/share/link/", json=share)
        Api(graphistry_server, "bob").ok("GET", f"/api/v2/upload/datasets/{dataset_id}")
        Api(graphistry_server, "eve").refused(404, "GET", f"/api/v2/upload/datasets/{dataset_id}")

    def test_an_organization_is_not_joined_by_naming_it_in_a_dataset(self, api, graphistry_server, df):
        login = {"username": "alice", "password": "pw", "org_name": "lab"}
        api.ok("POST", "/api-token-auth/", json=login, token="")
        body = {"edge_encodings": {"bindings": {"source": "s", "destination": "d"}}, "org_name": "lab"}
        dataset_id = api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        api.ok("POST", "/api/v2/share/link/", json={"obj_pk": dataset_id, "mode": "organization"})
        eve = Api(graphistry_server, "eve")
        eve.ok("POST", "/api/v2/upload/datasets/", json=body)
        eve.refused(404, "GET", f"/api/v2/upload/datasets/{dataset_id}")
        eve.ok("POST", "/api/v2/o/lab/switch/", data={"slug": "lab"})
        eve.ok("GET", f"/api/v2/upload/datasets/{dataset_id}")

    @pytest.mark.parametrize("field", ["name", "description", "org_name"])
    @pytest.mark.parametrize("path", ["/api/v2/files/", "/api/v2/upload/datasets/"])
    def test_half_surrogates_are_400(self, api, path, field):
        api.refused(400, "POST", path, "surrogate", data=json.dumps({field: "\ud800"}))

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
    def test_numbers_that_are_no_json_are_400(self, api, number):
        body = f'{{"metadata": {{"x": {number}}}}}'
        api.refused(400, "POST", "/api/v2/upload/datasets/", "not a JSON number", data=body)

    def test_null_encodings_have_a_page(self, api):
        body = {"node_encodings": None, "edge_encodings": {"bindings": None}, "metadata": {"t": "\ud800"}}
        dataset_id = api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        page = requests.get(f"{api.url}/graph/graph.html?dataset={dataset_id}", timeout=9)
        assert page.status_code == 200

    @pytest.mark.parametrize(
        "head",
        [
            b"POST /api/v2/files/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST /api/v2/files/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
            b"POST /api/v2/files/ HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{}",
            b"NONSENSE\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        ],
        ids=range(7),
    )
    def test_broken_http_is_answered_in_json(self, api, head):
        head = head.replace(b"Host: x", b"Host: x\r\nAuthorization: Bearer " + api.token.encode())
        with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=9) as raw:
            raw.sendall(head)
            raw.shutdown(socket.SHUT_WR)
            answer = b""
            while part := raw.recv(65536):
                answer += part
        headers, _, body = answer.partition(b"\r\n\r\n")
        assert headers.split()[1].startswith(b"4")
        assert json.loads(body)["success"] is False
        assert b"html" not in answer.lower()
        assert api.ok("GET", "/api/v2/files/")

    def test_columns_that_no_dataframe_has_are_refused_at_upload(self, api):
        dataset_id = api.dataset()
        for array in (
            pa.array([10**9], pa.date32()),
            pa.array([1], pa.time64("ns")),
            pa.array([[1]], pa.list_view(pa.int8())),
        ):
            table = pa.table({"s": ["a"], "d": ["b"], "x": array})
            path = f"/api/v2/upload/datasets/{dataset_id}/edges/arrow"
            api.refused(400, "POST", path, "'x'", data=arrow(table))

    def test_several_processes_may_start_on_one_fresh_directory(self, tmp_path):
        code = f"from graphistry_core import Hub; print(Hub({str(tmp_path)!r}).store.secret().hex())"
        started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
        outputs = [process.communicate(timeout=60)[0] for process in started]
        assert [process.returncode for process in started] == [0] * 4
        assert len(set(outputs)) == 1


class TestTaskAnswers:
    def test_statuses_and_content_types(self, api, df):
        dataset_id = api.dataset(df)
        cases = [
            ("def task(g): return {'a': 1}", {}, 200, "application/json"),
            ("def task(g): return 'plain'", {}, 200, "text/plain; charset=utf-8"),
            ("def task(g): return g._edges", {"output_type": "table", "format": "csv"}, 200, "text/csv; charset=utf-8"),
            ("def task(g): return g", {"output_type": "all", "format": "parquet"}, 200, "application/zip"),
            ("def task(g): return 1/0", {}, 400, "application/json"),
            ("def task(g) return 1", {}, 400, "application/json"),
            ("def task(g): return {1, 2}", {}, 400, "application/json"),
            ("def task(g): return g._edges", {"output_type": "all"}, 400, "application/json"),
        ]
        for source, fields, status, content_type in cases:
            response = api.run(dataset_id, source, **fields)
            assert (response.status_code, response.headers["Content-Type"]) == (status, content_type), response.text

    def test_an_error_has_what_a_person_needs(self, api, df):
        body = api.run(api.dataset(df), "def task(g):\n    print('hello')\n    return g._edges['amount'].sum()").json()
        assert body["error"] == "KeyError: 'amount' (line 3: return g._edges['amount'].sum())"
        assert body["type"] == "KeyError"
        assert body["line"] == 3
        assert body["logs"] == "hello\n"
        assert body["code"] == "task-failed"
        assert body["run_id"]

    def test_a_dataset_without_tables_says_so(self, api):
        api.refused(400, "POST", f"/api/v2/datasets/{api.dataset()}/python", "no tables yet",
                    json={"execute": "def task(g): return 1"})  # fmt: skip

    def test_the_environment_overrides_the_flags(self, api, df, monkeypatch):
        dataset_id = api.dataset(df)
        monkeypatch.setenv("ENABLE_PYTHON_ENDPOINT", "false")
        api.refused(403, "POST", f"/api/v2/datasets/{dataset_id}/python", "ENABLE_PYTHON_ENDPOINT",
                    json={"execute": "def task(g): return 1"})  # fmt: skip

    def test_a_task_goes_on_when_its_dataset_is_deleted(self, api, df):
        dataset_id = api.dataset(df)
        answers = []
        source = "import time\ndef task(g):\n    time.sleep(0.6)\n    return {'s': g._edges['s'].tolist()}"
        thread = threading.Thread(target=lambda: answers.append(api.run(dataset_id, source)))
        thread.start()
        time.sleep(0.3)
        api.ok("DELETE", f"/api/v2/datasets/{dataset_id}/")
        thread.join()
        assert answers[0].json() == {"s": ["a", "b"]}
        assert api.run(dataset_id, source).status_code == 404


class TestPage:
    def test_it_says_what_the_dataset_holds_and_escapes(self, api):
        df = pd.DataFrame({"<b>s</b>": ["a"], "d": ["b"]})
        body = {
            "edge_encodings": {"bindings": {"source": "<b>s</b>", "destination": "d"}},
            "name": "<script>x</script>",
        }
        dataset_id = api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        api.ok("POST", f"/api/v2/upload/datasets/{dataset_id}/edges/arrow", data=arrow(df))
        page = requests.get(f"{api.url}/graph/graph.html?dataset={dataset_id}&type=arrow&info=true", timeout=9)
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")
        assert "1 edges" in page.text
        assert "<script>x" not in page.text
        assert "<b>" not in page.text

    def test_an_unknown_or_private_dataset_is_a_404_page(self, api, df):
        dataset_id = api.dataset(df)
        api.ok("POST", "/api/v2/share/link/", json={"obj_pk": dataset_id, "mode": "private"})
        for odd in (dataset_id, "nope", "<script>", ""):
            page = requests.get(f"{api.url}/graph/graph.html", params={"dataset": odd}, timeout=9)
            assert page.status_code == 404
            assert "<script>" not in page.text


class TestServer:
    def test_it_stays_on_this_machine(self):
        for host in ("0.0.0.0", "::", "192.168.1.4"):
            with pytest.raises(ConfigError, match="runs any code"):
                DevServer(host=host)
            with pytest.raises(ConfigError, match="runs any code"):
                DevServer(host=host, allow_remote=True)
        DevServer(host="0.0.0.0", allow_remote=True, users={"a": "b"})

    def test_a_taken_port_is_one_clear_error(self, graphistry_server):
        with pytest.raises(ConfigError, match=f"Cannot listen on 127.0.0.1:{graphistry_server.port}"):
            DevServer(port=graphistry_server.port).start()

    def test_start_and_stop_leave_nothing(self):
        def state():
            return threading.active_count()

        with DevServer():
            pass
        before = state()
        for _ in range(5):
            with DevServer() as server:
                requests.get(server.url + "/healthz", timeout=9)
                port, root = server.port, server.hub.store.root
        until = time.monotonic() + 9
        while state() > before and time.monotonic() < until:
            time.sleep(0.01)  # the thread of the last request ends on its own
        assert state() <= before
        assert not root.exists()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0

    def test_the_app_runs_under_any_wsgi_server(self, hub):
        answer = create_app(hub).test_client().post("/api-token-auth/", json={"username": "u", "password": "p"})
        assert answer.status_code == 200
        assert answer.get_json()["token"]

    def test_every_operation_has_a_handler(self, hub):
        for operation in wire.OPERATIONS:
            assert callable(getattr(hub, operation.operation))

    def test_secrets_are_not_logged(self, api, caplog):
        caplog.set_level(0)
        api.run("x", "def task(g): return 1")
        assert api.token not in caplog.text
        assert "pw" not in repr(wire.Login("u", "pw"))
        assert "tok" not in repr(wire.Refresh("tok"))


def test_json_answers_are_json(api):
    assert json.loads(api.send("GET", "/healthz").text)["success"] is True
