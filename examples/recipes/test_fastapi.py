"""FastAPI's own test client runs the application in this process: the mock is enough."""

import pytest

pytest.importorskip("fastapi")

import graphistry
from fastapi.testclient import TestClient
from payments_api import app


def test_report(graphistry_mock):
    graphistry.register(api=3, username="ann", password="secret")
    answer = TestClient(app).post("/report", json=[{"payer": "ann", "payee": "bob", "amount": 1.0}])
    assert answer.status_code == 200
    assert "dataset=" in answer.json()["url"]
    graphistry_mock.dev.journal.assert_called("dataset_create", times=1)
