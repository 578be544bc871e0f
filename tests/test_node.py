"""Graphistry's JavaScript clients, unmodified, from the npm registry, run by node against the dev server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from conftest import ROOT

from graphistry_core import GraphistryClient

READ = """
def task(g):
    return {
        'edges': g._edges.to_dict(orient='list'), 'nodes': g._nodes.to_dict(orient='list'),
        'bound': [g._source, g._destination, g._node],
    }
"""
EXPECTED = {
    "edges": {"s": ["a", "b", "c"], "d": ["b", "c", "a"], "v": [1, 2, 3]},
    "nodes": {"n": ["a", "b", "c"], "x": ["A", "B", "C"]},
    "bound": ["s", "d", "n"],
}


def missing(reason):
    """Skip where a person has no node or no network; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and in CI it must be there")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """A folder with the tours and the clients they use."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(ROOT / "tests" / "node", folder, dirs_exist_ok=True)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
    except (subprocess.SubprocessError, OSError) as e:
        missing(f"npm cannot install Graphistry's clients ({e})")
    return folder


@pytest.mark.parametrize("tour", ["node_api", "js_upload_api"])
def test_tour(packages, graphistry_server, tour):
    command = ["node", f"{tour}.mjs", graphistry_server.url]
    ran = subprocess.run(command, cwd=packages, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    datasets = json.loads(ran.stdout.strip().splitlines()[-1])["datasets"]
    reader = GraphistryClient().register(**graphistry_server.register_kwargs, org_name="lab")
    for dataset_id in datasets:
        assert reader.from_dataset_id(dataset_id).python_remote_json(READ) == EXPECTED
