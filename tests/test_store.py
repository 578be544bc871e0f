"""What is stored stays whole, whatever happens to the process."""

from __future__ import annotations

import io
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
import requests

from graphistry_core import ConfigError, Hub, InvalidTable, ServerError, wire
from graphistry_core.frames import copies_on_write, map_arrow, to_pandas
from graphistry_core.hub.store import Store

ROWS = 20_000


def table(seed: int) -> pa.Table:
    numbers = np.random.default_rng(seed).integers(0, 1000, ROWS)
    return pa.table({"s": numbers, "d": numbers[::-1], "t": [f"é{seed}"] * ROWS})


def body(seed: int) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table(seed).schema) as writer:
        writer.write_table(table(seed))
    return sink.getvalue()


def serve(data_dir):
    command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--port", "0", "--data-dir", str(data_dir)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, process.stdout.readline().strip()


ENCODINGS = {
    "node_encodings": {"bindings": {"node": "s"}},
    "edge_encodings": {"bindings": {"source": "s", "destination": "d"}},
}


class Uploader(threading.Thread):
    """Uploads until the server is gone; remembers what was acknowledged to the end, and in what shape."""

    def __init__(self, url, seeds):
        super().__init__()
        self.url, self.seeds, self.done, self.begun = url, seeds, {}, 0
        login = requests.post(f"{url}/api-token-auth/", json={"username": "u", "password": "p"}, timeout=30)
        self.headers = {"Authorization": f"Bearer {login.json()['token']}"}

    def post(self, path, **options):
        response = requests.post(self.url + path, headers=self.headers, timeout=30, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def run(self):
        try:
            for seed in self.seeds:
                self.begun += 1
                dataset_id = self.by_files(seed) if seed % 2 else self.by_tables(seed)
                self.done[dataset_id] = seed
        except requests.RequestException:
            pass  # the server was killed

    def by_tables(self, seed):
        dataset_id = self.post("/api/v2/upload/datasets/", json={**ENCODINGS, "name": str(seed)})["data"]["dataset_id"]
        for which in ("edges", "nodes"):
            self.post(f"/api/v2/upload/datasets/{dataset_id}/{which}/arrow", data=body(seed))
        return dataset_id

    def by_files(self, seed):
        ids = {}
        for which in ("edge_files", "node_files"):
            ids[which] = [self.post("/api/v2/files/", json={"file_type": "arrow"})["file_id"]]
            assert self.post(f"/api/v2/upload/files/{ids[which][0]}", data=body(seed))["is_valid"]
        create = {**ENCODINGS, **ids, "name": str(seed)}
        return self.post("/api/v2/upload/datasets/", json=create)["data"]["dataset_id"]


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX matter")
def test_kill_minus_9_during_50_uploads_loses_nothing_acknowledged(tmp_path):
    process, url = serve(tmp_path / "data")
    uploaders = [Uploader(url, range(n, 50, 2)) for n in (0, 1)]  # one of each way
    for uploader in uploaders:
        uploader.start()
    while sum(len(u.done) for u in uploaders) < 24:
        time.sleep(0.002)
    time.sleep(random.uniform(0, 0.03))
    process.kill()
    process.wait()
    process.stdout.close()
    for uploader in uploaders:
        uploader.join()
    done = {k: v for u in uploaders for k, v in u.done.items()}
    assert 24 <= len(done) < 50

    process, url = serve(tmp_path / "data")
    try:
        reader = Uploader(url, [])
        page = requests.get(f"{url}/api/v2/datasets/?limit=1000", headers=reader.headers, timeout=30).json()
        listed = {row["dataset_id"]: row for row in page["results"]}
        assert set(done) <= set(listed)
        source = """def task(g):
            return {w: [len(t), int(t['s'].sum()), t['t'].iloc[-1]] for w, t in [('e', g._edges), ('n', g._nodes)]}"""
        for dataset_id, row in listed.items():
            answer = reader.post(f"/api/v2/datasets/{dataset_id}/python", json={"execute": source})
            seed = int(row["name"])
            whole = [ROWS, int(np.asarray(table(seed)["s"]).sum()), f"é{seed}"]
            assert answer == {"e": whole, "n": whole}
        assert not list((tmp_path / "data" / "incoming").iterdir())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        process.stdout.close()


def test_a_dataset_without_its_announced_nodes_is_not_listed_until_it_is_read(hub):
    token = hub.call(wire.Login("u", "p"), wire.Auth()).token
    auth = wire.Auth("bearer", token=token)
    made = hub.call(wire.DatasetCreate(ENCODINGS), auth)

    def listed():
        return hub.call(wire.DatasetList(), auth).count

    assert listed() == 0
    hub.call(wire.DatasetUpload(made.dataset_id, "edges", table(1)), auth)
    assert listed() == 0
    hub.call(wire.DatasetGet(made.dataset_id), auth)
    assert listed() == 1


def test_data_outlives_the_hub(tmp_path):
    first = Hub(tmp_path)
    auth = wire.Auth("bearer", token=first.call(wire.Login("u", "p"), wire.Auth()).token)
    made = first.call(wire.DatasetCreate({}), auth)
    first.call(wire.DatasetUpload(made.dataset_id, "edges", table(1)), auth)
    first.close()
    second = Hub(tmp_path)
    assert second.call(wire.DatasetGet(made.dataset_id), auth).data["edge_count"] == ROWS  # tokens live on, too
    second.close()


def test_the_signing_key_is_private_and_kept(tmp_path):
    store = Store(tmp_path)
    assert len(store.secret()) == 32
    assert store.secret() == Store(tmp_path).secret()
    if sys.platform != "win32":
        assert stat.S_IMODE(os.stat(tmp_path / "secret.key").st_mode) == 0o600


def test_leftovers_of_a_killed_process_are_swept_unless_the_directory_is_in_use(tmp_path):
    store = Store(tmp_path)
    leftovers = [tmp_path / "incoming" / "x.raw", tmp_path / "tables" / "orphan.arrow"]
    for path in leftovers:
        path.write_bytes(b"x")
    second = Store(tmp_path)
    assert all(path.exists() for path in leftovers)
    second.close()
    store.close()
    Store(tmp_path).close()
    assert not any(path.exists() for path in leftovers)


def test_tables_are_shared_until_their_last_user_is_gone(hub):
    auth = wire.Auth("bearer", token=hub.call(wire.Login("u", "p"), wire.Auth()).token)
    file = hub.call(wire.FileCreate(), auth)
    hub.call(wire.FileUpload(file.file_id, table(1)), auth)
    create = wire.DatasetCreate({"edge_files": [file.file_id], "node_files": [[file.file_id, 0]]})
    made = hub.call(create, auth)
    tables = hub.store.root / "tables"
    hub.call(wire.FileUpload(file.file_id, table(2)), auth)  # new content is a new table
    assert len(list(tables.iterdir())) == 2
    hub.call(wire.FileDelete(file.file_id), auth)
    assert len(list(tables.iterdir())) == 1
    hub.call(wire.DatasetDelete(made.dataset_id), auth)
    assert not list(tables.iterdir())


def test_a_table_at_rest_maps_into_pandas_without_a_copy(hub):
    chunks = pa.chunked_array([[1.0, None], [3.0]])
    stored = hub.store.add_table(pa.table({"f": chunks, "i": [1, 2, 3], "t": pa.array(["a", "b", None])}))
    mapped = map_arrow(hub.store._path(stored.id))
    assert mapped.schema.types == [pa.float64(), pa.int64(), pa.large_string()]
    mapped.select(["f", "i"]).to_pandas(split_blocks=True, zero_copy_only=True)  # raises where it would copy
    assert mapped.to_pandas()["f"].isna().tolist() == [False, True, False]


def test_strings_at_rest_are_shared_with_the_file(hub):
    if not copies_on_write():
        pytest.skip("before pandas 3 strings become Python objects")
    path = hub.store._path(hub.store.add_table(table(1)).id)
    region = pa.memory_map(str(path)).read_buffer()
    frame = to_pandas(pa.ipc.open_file(region).read_all())
    data = pa.array(frame["t"]).buffers()[2]
    assert region.address <= data.address < region.address + region.size


def test_a_body_at_rest_is_kept_as_it_came(hub, monkeypatch):
    import graphistry_core.hub.store as module

    resting = map_arrow(hub.store._path(hub.store.add_table(table(1)).id))
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, resting.schema) as writer:
        writer.write_table(resting)
    monkeypatch.setattr(module, "_write", lambda *_: pytest.fail("written again"))
    stored = hub.store.add_table(io.BytesIO(sink.getvalue()))
    assert map_arrow(hub.store._path(stored.id)).equals(resting)
    monkeypatch.undo()
    stored = hub.store.add_table(io.BytesIO(body(1)))  # short strings: written again
    assert map_arrow(hub.store._path(stored.id)).schema.field("t").type == pa.large_string()


def test_a_table_that_cannot_be_stored_leaves_nothing(hub):
    with pytest.raises(InvalidTable):
        hub.store.add_table(b"nonsense")
    assert not list((hub.store.root / "incoming").iterdir())


def test_full_records_are_one_clear_error_and_the_next_write_finds_them_as_they_were(hub):
    auth = wire.Auth("bearer", token=hub.call(wire.Login("ann", "pw"), wire.Auth()).token)
    known = hub.call(wire.DatasetCreate({"name": "first"}), auth).dataset_id
    (pages,) = hub.store.one("PRAGMA page_count")
    hub.store.one(f"PRAGMA max_page_count = {pages}")  # SQLite's own "database or disk is full"
    for _ in range(3):
        with pytest.raises(ServerError, match="cannot take the records: database or disk is full"):
            hub.call(wire.DatasetCreate({"name": "x" * 100_000}), auth)
    hub.store.one("PRAGMA max_page_count = 1000000")
    second = hub.call(wire.DatasetCreate({"name": "second"}), auth).dataset_id
    assert [row["id"] for row in hub.store.all("SELECT id FROM datasets ORDER BY seq")] == [known, second]


def test_a_directory_that_cannot_be_used_is_one_clear_error(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(ConfigError, match="cannot be used"):
        Hub(path)


def test_a_temporary_directory_goes_with_its_hub():
    hub = Hub()
    root = hub.store.root
    assert root.is_dir()
    hub.close()
    assert not root.exists()
