"""What the tests share: small graphs, one server per session, the folder of real data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Nobody's environment or home reaches a test.
for _name in [name for name in os.environ if name.startswith(("GRAPHISTRY_", "PYGRAPHISTRY_", "ENABLE_PYTHON"))]:
    del os.environ[_name]

import numpy as np
import pandas as pd
import pytest

from graphistry_core import GraphistryClient, Hub, LocalTransport, Plottable

ROOT = Path(__file__).parents[1]
np.fft.fft  # noqa: B018 - numpy imports it late: within a test of pytester's it would go again, and dask misses it


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep tests of one ``xdist_group`` on one worker, so that what is dear to start is started once.

    xdist 3.8 says the group in an attribute that pytest 9.2 does not read any more.
    """
    for item in items if getattr(config.option, "loadgroup", False) else ():
        groups = sorted({mark.args[0] for mark in item.iter_markers("xdist_group")})
        if groups and "@" not in item.nodeid.rpartition("]")[2] and hasattr(item, "_id"):
            item._id = type(item._id).parse(f"{item.nodeid}@{'_'.join(groups)}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real edge lists that lies beside the project on some machines."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real edge lists are not here ({folder})")
    return folder


@pytest.fixture
def edges() -> pd.DataFrame:
    return pd.DataFrame(
        {"s": ["a", "b", "c", "a"], "d": ["b", "c", "a", "é🙂"], "w": [1, 2, 3, 4], "x": [0.5, None, 2, 3]}
    )


@pytest.fixture
def nodes() -> pd.DataFrame:
    return pd.DataFrame({"id": ["a", "b", "c", "é🙂"], "name": ["A", "B", "C", "É"], "ok": [True, False, True, True]})


@pytest.fixture
def graph(edges: pd.DataFrame, nodes: pd.DataFrame) -> Plottable:
    return Plottable().edges(edges, "s", "d").nodes(nodes, "id")


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.close()


@pytest.fixture(params=["local", "http"])
def client(request: pytest.FixtureRequest) -> GraphistryClient:
    """Our client, logged in as alice: in-process, and over a real socket."""
    made = GraphistryClient()
    if request.param == "local":
        made.register(username="alice", password="pw", transport=LocalTransport(request.getfixturevalue("hub")))
    else:
        server = request.getfixturevalue("graphistry_server")
        made.register(**{**server.register_kwargs, "username": "alice", "password": "pw"})
    return made


@pytest.fixture
def client_hub(client: GraphistryClient, request: pytest.FixtureRequest) -> Hub:
    """The Hub behind ``client``."""
    if isinstance(client.session.transport, LocalTransport):
        return client.session.transport.hub
    hub: Hub = request.getfixturevalue("graphistry_server").hub
    return hub


@pytest.fixture
def other(client: GraphistryClient) -> GraphistryClient:
    """A second user of the same server."""
    made = GraphistryClient()
    session = client.session
    if isinstance(session.transport, LocalTransport):
        return made.register(username="bob", password="pw", transport=session.transport)
    return made.register(username="bob", password="pw", server=session.hostname, protocol=session.protocol)
