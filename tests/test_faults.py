"""The fault table, for every executor, through the library and through HTTP; and what only one of them can show."""

from __future__ import annotations

import sys
import textwrap

import pytest
from api import Api, arrow

from graphistry_core.executors import Limits, get_executor
from graphistry_devserver import DevServer
from pytest_graphistry.contracts import LIMITS, ExecutorContract, Outcome, dataset

pytestmark = [
    pytest.mark.xdist_group("faults"),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted through /proc"),
]


class HttpHarness:
    """A dev server around an executor, asked as any client asks."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.server = DevServer(executor=name, limits=limits).start()
        self.api = Api(self.server)
        self.dataset_id = self._upload()

    def _upload(self) -> str:
        body = {
            "edge_encodings": {"bindings": {"source": "s", "destination": "d"}},
            "node_encodings": {"bindings": {"node": "id"}},
            "name": "n",
        }
        made = self.api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        for which, table in zip(("edges", "nodes"), dataset(), strict=True):
            self.api.ok("POST", f"/api/v2/upload/datasets/{made}/{which}/arrow", data=arrow(table))
        return made

    def run(self, source, limits=LIMITS, **fields) -> Outcome:
        answer = self.api.run(self.dataset_id, textwrap.dedent(source), **fields)
        if answer.status_code == 200:
            return Outcome(answer.content)
        about = answer.json()
        assert answer.status_code == STATUSES[about["code"]]
        return Outcome(b"", about["code"], about["error"], about.get("logs", ""), about)

    def data(self) -> bytes:
        row = self.server.hub.store.one("SELECT edges FROM datasets WHERE id = ?", self.dataset_id)
        return self.server.hub.store.path_of(row["edges"]).read_bytes()

    def drop(self) -> None:
        gone, self.dataset_id = self.dataset_id, self._upload()
        self.api.ok("DELETE", f"/api/v2/datasets/{gone}/")

    def close(self) -> None:
        self.server.stop()


STATUSES = {
    "invalid-task": 400, "task-failed": 400, "result-not-serializable": 400, "result-too-large": 413,
    "task-timeout": 504, "task-crashed": 500, "task-out-of-memory": 500, "queue-full": 503, "task-cancelled": 409,
}  # fmt: skip


class TestInProcess(ExecutorContract):
    isolates = False

    def make_executor(self):
        return get_executor("inprocess")


class TestIsolated(ExecutorContract):
    def make_executor(self):
        return get_executor("isolated")


class TestSpawned(ExecutorContract):
    fresh = False

    def make_executor(self):
        return get_executor("spawned")


class TestIsolatedOverHttp(ExecutorContract):
    def make_harness(self, limits):
        return HttpHarness("isolated", limits)


class TestSpawnedOverHttp(ExecutorContract):
    fresh = False

    def make_harness(self, limits):
        return HttpHarness("spawned", limits)
