"""A notebook runs in a kernel, which is another process: give that one a server, through its environment."""

import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

import nbformat
from nbclient import NotebookClient

CELL = """
import graphistry, pandas as pd
graphistry.register(api=3, username="ann", password="secret")
payments = pd.DataFrame({"payer": ["ann", "bob"], "payee": ["bob", "cid"]})
graphistry.edges(payments, "payer", "payee").plot(render="url")
"""


def test_the_notebook(graphistry_server, monkeypatch):
    known = graphistry_server.register_kwargs
    monkeypatch.setenv("GRAPHISTRY_HOSTNAME", known["server"])
    monkeypatch.setenv("GRAPHISTRY_PROTOCOL", known["protocol"])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert "dataset=" in notebook.cells[0].outputs[-1]["data"]["text/plain"]
    graphistry_server.dev.journal.assert_called("dataset_create", times=1)
