"""The dev server as a caller without a client library sees it."""

from __future__ import annotations

import http.client
import io
import json
import socket

import pandas as pd
import pyarrow as pa
import requests


def arrow(frame, **options) -> bytes:
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema, **options) as writer:
        writer.write_table(table)
    return sink.getvalue()


class Api:
    """A caller without a client library."""

    def __init__(self, server, user="alice", password="pw"):
        self.url, self.hub = server.url, server.hub
        self.token = self.ok("POST", "/api-token-auth/", json={"username": user, "password": password}, token="")[
            "token"
        ]

    def send(self, method, path, token=None, **options):
        token = self.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        url = path if path.startswith("http") else self.url + path
        return requests.request(method, url, headers=headers, timeout=30, **options)

    def ok(self, method, path, **options):
        response = self.send(method, path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, status, method, path, sentence="", **options):
        """A refusal: this status, JSON with success, error, message, no traceback; and the next request works."""
        response = self.send(method, path, **options)
        assert response.status_code == status, response.text
        assert response.headers["Content-Type"] == "application/json"
        body = response.json()
        assert body["success"] is False
        assert isinstance(body["error"], str)
        assert body["message"] == body["error"]
        assert sentence in body["error"]
        assert "Traceback" not in response.text or body["code"] == "task-failed"
        assert self.ok("POST", "/api-token-verify/", json={"token": self.token}, token="")
        return body

    def dataset(self, edges=None, nodes=None, bindings=None, node="id"):
        body = {
            "node_encodings": {"bindings": {"node": node} if nodes is not None else {}},
            "edge_encodings": {"bindings": bindings or {"source": "s", "destination": "d"}},
            "metadata": {},
            "name": "n",
        }
        dataset_id = self.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        for which, table in (("edges", edges), ("nodes", nodes)):
            if table is not None:
                self.ok("POST", f"/api/v2/upload/datasets/{dataset_id}/{which}/arrow", data=arrow(table))
        return dataset_id

    def run(self, dataset_id, source, **fields):
        return self.send("POST", f"/api/v2/datasets/{dataset_id}/python", json={"execute": source, **fields})


READ = "def task(g): return g._edges"


BINDINGS = {"edge_encodings": {"bindings": {"source": "s", "destination": "d"}}}


FRAME = pd.DataFrame({"s": ["a", "é🙂", "c"], "d": ["b", "c", None], "w": [1, 2, 3], "x": [0.5, 1.25, -3.0]})


def kept(hub) -> list[str]:
    """What lies in the data directory, beside the records."""
    return [p.name for folder in ("tables", "incoming") for p in (hub.store.root / folder).iterdir()]


def parquet(frame, **options) -> bytes:
    sink = io.BytesIO()
    frame.to_parquet(sink, index=False, **options)
    return sink.getvalue()


def csv(frame=FRAME, **options) -> bytes:
    return frame.to_csv(index=False, **options).encode()


def declare(api, kind, **fields) -> str:
    return api.ok("POST", "/api/v2/files/", json={"file_type": kind, **fields})["file_id"]


def upload(api, kind, content, query="", headers=None, **fields):
    """Upload a file, and return its id and the answer."""
    file_id = declare(api, kind, **fields)
    return file_id, api.ok("POST", f"/api/v2/upload/files/{file_id}{query}", data=content, headers=headers or {})


def edges_of(api, dataset_id) -> pd.DataFrame:
    response = api.run(dataset_id, READ, format="parquet", output_type="table")
    assert response.status_code == 200, response.text
    return pd.read_parquet(io.BytesIO(response.content))


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    expected = expected.rename(columns=str)
    pd.testing.assert_frame_equal(_plain(found), _plain(expected), check_dtype=False, check_index_type=False)


def _plain(df: pd.DataFrame) -> pd.DataFrame:
    """Give text columns one kind of missing value, and times one unit: before pandas 3 there are several of each."""
    out = df.copy()
    for name, dtype in df.dtypes.items():
        if getattr(dtype, "kind", "") == "O":
            out[name] = df[name].where(df[name].notna(), None)
        elif str(dtype).startswith("datetime64["):
            out[name] = df[name].astype(str(dtype).replace("us", "ns").replace("ms", "ns").replace("[s", "[ns"))
    return out


def answer_of(raw: socket.socket) -> tuple[int, dict]:
    """Read one answer; it must be JSON. The connection stays as it is."""
    answer = http.client.HTTPResponse(raw)
    answer.begin()
    return answer.status, json.loads(answer.read())
