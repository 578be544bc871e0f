"""The index of a stored dataset: kept beside its tables, found by the next task, gone with the dataset."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest

from graphistry_core import GraphistryClient, Hub, LocalTransport
from graphistry_core.hub.store import Store

rng = np.random.default_rng(4)
IDS = rng.permutation(3000) * 7 - 500
EDGES = pd.DataFrame({"s": rng.choice(IDS, 20_000), "d": rng.choice(IDS, 20_000), "w": np.arange(20_000)})
NODES = pd.DataFrame({"id": IDS, "kind": rng.integers(0, 3, 3000)})
TEXT_NODES = NODES.assign(id="x" + NODES["id"].astype(str))
TASK = f"""
def task(g):
    import pandas as pd
    from graphistry_core.compute import kept_index, index
    built = []
    build, index.build = index.build, lambda g: built.append(1) or build(g)
    try:
        out = g.hop(pd.DataFrame({{"id": [{int(IDS[0])}]}}), 3)
    finally:
        index.build = build
    return {{"edges": out._edges["w"].tolist(), "built": len(built)}}
"""


def expected(nodes):
    g = GraphistryClient().edges(EDGES, "s", "d")
    g = g if nodes is None else g.nodes(nodes, "id")
    return g.hop(pd.DataFrame({"id": [int(IDS[0])]}), 3)._edges["w"].tolist()


@pytest.mark.parametrize("executor", ["inprocess", "spawned", *(["isolated"] if sys.platform == "linux" else [])])
@pytest.mark.parametrize(
    "nodes", [NODES, None, NODES.assign(id="x" + NODES["id"].astype(str))], ids=["int", "none", "str"]
)
def test_the_next_task_finds_it(executor, nodes, tmp_path):
    edges, task, answer = EDGES, TASK, None
    if nodes is not None and nodes["id"].dtype != np.int64:
        edges = EDGES.assign(s="x" + EDGES["s"].astype(str), d="x" + EDGES["d"].astype(str))
        task = TASK.replace(f"[{int(IDS[0])}]", f"['x{int(IDS[0])}']")
        answer = expected(NODES)
    hub = Hub(tmp_path / "data", executor=executor)
    try:
        client = GraphistryClient().register(api=3, transport=LocalTransport(hub), username="u", password="p")
        g = client.edges(edges, "s", "d")
        g = (g if nodes is None else g.nodes(nodes, "id")).upload()
        folder = tmp_path / "data" / "indexes"
        assert not list(folder.iterdir())
        first, second = (g.python_remote_json(task) for _ in range(2))
        assert first["edges"] == second["edges"] == (answer or expected(nodes))
        assert (first["built"], second["built"]) == (1, 0)
        kept = sorted(folder.iterdir())
        assert kept
        assert not [path for path in kept if path.suffix == ".part"]

        damaged = next(path for path in kept if (path / "out_perm.npy").exists())
        (damaged / "out_perm.npy").write_bytes(b"no array")
        third = g.python_remote_json(task)
        assert third == first

        changed = task.replace("out = g.hop", "g._edges['s'] = g._edges['d']\n        out = g.hop")
        assert g.python_remote_json(changed)["built"] == 1  # other tables than the dataset's
        assert g.python_remote_json(task)["edges"] == first["edges"]

        _delete(hub, client, g)
        assert not list(folder.iterdir())
    finally:
        hub.close()


def _delete(hub, client, g):
    from graphistry_core import wire

    auth = wire.Auth("bearer", token=client.api_token())
    hub.call(wire.DatasetDelete(g._dataset_id), auth)
    for file_id in filter(None, (g._edges_file_id, g._nodes_file_id)):
        hub.call(wire.FileDelete(file_id), auth)


def test_what_has_no_dataset_any_more_is_swept(tmp_path):
    store = Store(tmp_path)
    kept = store.add_table(_table())
    with store.transaction() as db:
        store.record_table(db, kept)
    for name in (
        f"{kept.id}.none.1",
        f"{kept.id}.none.1.ids",
        f"{kept.id}.gone.1",
        "gone.none.1",
        f"{kept.id}.none.2.part",
    ):
        (tmp_path / "indexes" / name.format(kept.id)).mkdir()
    store.close()
    Store(tmp_path).close()
    assert {path.name for path in (tmp_path / "indexes").iterdir()} == {f"{kept.id}.none.1", f"{kept.id}.none.1.ids"}


def _table():
    import pyarrow as pa

    return pa.table({"s": [1]})


def test_small_graphs_keep_none(tmp_path):
    hub = Hub(tmp_path)
    client = GraphistryClient().register(api=3, transport=LocalTransport(hub), username="u", password="p")
    g = client.edges(EDGES[:100], "s", "d").upload()
    assert json.dumps(g.python_remote_json("def task(g): return {'n': len(g.hop(None, 2)._edges)}"))
    assert not list((tmp_path / "indexes").iterdir())
    hub.close()
