"""Servers that share their data on object storage: what one publishes all have, and nothing else ever shows."""

from __future__ import annotations

import io
import json
import signal
import stat
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest
import requests
from api import Api, arrow
from object_storage_server import s3_server
from test_store import (  # noqa: F401 - the same, of a Hub at a URL
    test_a_body_at_rest_is_kept_as_it_came,
    test_a_dataset_without_its_announced_nodes_is_not_listed_until_it_is_read,
    test_a_table_at_rest_maps_into_pandas_without_a_copy,
    test_a_table_that_cannot_be_stored_leaves_nothing,
    test_strings_at_rest_are_shared_with_the_file,
    test_tables_are_shared_until_their_last_user_is_gone,
)

from graphistry_core import AccessDenied, ConfigError, GraphistryClient, Hub, NotFound, ServerError, wire
from graphistry_core.errors import StorageUnavailable
from graphistry_core.hub.shared import SharedStore
from graphistry_core.object_storage import Place
from graphistry_devserver import DevServer

pytest.importorskip("s3fs", reason="needs the extra s3")
pytestmark = [
    pytest.mark.xdist_group("s3"),
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX matter"),
]
EDGES = pd.DataFrame({"s": ["a", "b", "c"], "d": ["b", "c", "a"], "w": [1, 2, 3]})
NODES = pd.DataFrame({"id": ["a", "b", "c"], "name": ["A", "B", "é"]})
COUNT = "def task(g): return {'w': int(g._edges['w'].sum()), 'n': None if g._nodes is None else len(g._nodes)}"


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server, server.in_use():
        yield server


@pytest.fixture
def url(s3):
    return f"{s3.bucket('shared')}/{uuid.uuid4().hex}"


@pytest.fixture
def memory():
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def hub(memory, tmp_path):
    with opened(memory, tmp_path) as made:
        yield made


@contextmanager
def serving(url, cache, *options, program="from graphistry_core.cli import main; main()"):
    """A server in a process of its own, which is killed at the end."""
    arguments = ["serve", "--port", "0", "--data-dir", url, "--cache-dir", str(cache), *options]
    command = [sys.executable, "-c", program, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield SimpleNamespace(url="", hub=None, process=process)
    finally:
        process.kill()
        process.communicate()


def client(server, user="ann"):
    return GraphistryClient().register(
        username=user, password="p", server=server.url.removeprefix("http://"), protocol="http", transport="http"
    )


def test_two_servers_see_each_others_datasets(url, tmp_path):
    with serving(url, tmp_path / "one") as first, serving(url, tmp_path / "other") as second:
        servers = (first, second)
        for server in servers:  # they start at the same time
            server.url = server.process.stdout.readline().strip()
            assert server.url.startswith("http://")
        one, other = map(client, servers)
        g = one.edges(EDGES, "s", "d").nodes(NODES, "id").name("shared").upload()
        there = other.bind(dataset_id=g._dataset_id)
        assert there.python_remote_json(COUNT) == {"w": 6, "n": 3}  # known by its id at once
        here, asked = (Api(server, "ann") for server in servers)
        listed = asked.ok("GET", "/api/v2/datasets/")["results"]
        assert [row["name"] for row in listed] == ["shared"]
        assert len(asked.ok("GET", "/api/v2/files/")["results"]) == 2
        back = other.edges(EDGES.assign(w=10), "s", "d").name("back").upload()
        assert here.ok("GET", "/api/v2/datasets/")["count"] == 2
        assert one.bind(dataset_id=back._dataset_id).python_remote_json(COUNT) == {"w": 30, "n": None}

        # What one changes holds for the other: new content, a name, who may see it, that it is gone.
        path = f"/api/v2/datasets/{g._dataset_id}/"
        here.ok("POST", f"/api/v2/upload/datasets/{g._dataset_id}/edges/arrow", data=arrow(EDGES.assign(w=5)))
        asked.ok("PATCH", path, json={"name": "renamed"})
        assert {row["name"] for row in here.ok("GET", "/api/v2/datasets/")["results"]} == {"renamed", "back"}
        assert asked.run(g._dataset_id, COUNT).json() == {"w": 15, "n": 3}
        here.ok("POST", "/api/v2/share/link/", json={"obj_pk": g._dataset_id, "obj_type": "dataset", "mode": "private"})
        bob = Api(second, "bob")
        assert bob.send("PATCH", path, json={"name": "mine"}).status_code == 404
        assert bob.run(g._dataset_id, COUNT).status_code == 404
        assert bob.send("DELETE", f"/api/v2/datasets/{back._dataset_id}/").status_code == 403
        asked.ok("DELETE", path)
        assert here.ok("GET", "/api/v2/datasets/")["count"] == 1
        assert here.run(g._dataset_id, COUNT).status_code == 404

        # A server that knows a dataset does not ask each time, but now and then.
        asked.ok("DELETE", f"/api/v2/datasets/{back._dataset_id}/")
        for _ in range(100):
            if here.run(back._dataset_id, COUNT).status_code == 404:
                break
            time.sleep(0.1)
        else:
            pytest.fail("still there")


def test_a_server_that_starts_with_nothing_of_its_own_has_it_all(url, tmp_path):
    with opened(url, tmp_path) as hub:
        dataset_id = dataset(hub, login(hub), EDGES, NODES)
    with opened(url, tmp_path, "fresh") as hub:
        auth = login(hub)
        (listed,) = hub.call(wire.DatasetList(), auth).results
        assert listed["dataset_id"] == dataset_id
        assert (listed["edge_count"], listed["node_count"]) == (3, 3)
        assert json.loads(hub.call(wire.Python(dataset_id, COUNT), auth).body) == {"w": 6, "n": 3}


def test_functions_are_shared(memory, tmp_path):
    with (
        DevServer(data_dir=memory, cache_dir=tmp_path / "one", executor="inprocess") as first,
        DevServer(data_dir=memory, cache_dir=tmp_path / "other", executor="inprocess") as second,
    ):
        one, other = Api(first), Api(second)
        dataset_id, path = one.dataset(EDGES), "/api/v2/o/acme/functions/python/"
        one.ok("POST", path, json={"alias": "count", "execute": COUNT, "dataset_id": dataset_id})
        assert other.ok("POST", "/api/v2/o/acme/run/python/count") == {"w": 6, "n": None}
        other.refused(400, "POST", path, "already", json={"alias": "count", "execute": COUNT})
        other.ok("PATCH", f"{path}count/", json={"enabled": False})
        one.ok("GET", path)
        one.refused(403, "POST", "/api/v2/o/acme/run/python/count", "switched off")
        one.ok("DELETE", f"{path}count/")
        assert other.ok("GET", path)["count"] == 0


@contextmanager
def opened(url, folder, name="cache", **options):
    hub = Hub(url, cache_dir=folder / name, executor="inprocess", **options)
    try:
        yield hub
    finally:
        hub.close()


def login(hub, user="ann"):
    return wire.Auth("bearer", token=hub.call(wire.Login(user, "p"), wire.Auth()).token)


ENCODINGS = {"edge_encodings": {"bindings": {"source": "s", "destination": "d"}}}


def dataset(hub, auth, edges=EDGES, nodes=None, **body):
    dataset_id = hub.call(wire.DatasetCreate({**ENCODINGS, **body}), auth).dataset_id
    for which, frame in (("edges", edges), ("nodes", nodes)):
        if frame is not None:
            hub.call(wire.DatasetUpload(dataset_id, which, pa.Table.from_pandas(frame)), auth)
    return dataset_id


def names(url, folder):
    return [each.name for each in Place(url).list(folder)]


KILLED = """
import os, signal
from graphistry_core.cli import main
from graphistry_core.object_storage import Place
put = Place.put
def stop(self, content, name):
    if name.startswith("records/datasets/"):
        os.kill(os.getpid(), signal.SIGKILL)
    put(self, content, name)
Place.put = stop
main()
"""


def test_a_server_killed_between_put_and_publish_leaves_no_trace_of_a_dataset(url, tmp_path):
    """Its edges are put together from two files, so that the dataset has a table that nothing else names."""
    with serving(url, tmp_path / "killed", program=KILLED) as server:
        server.url = server.process.stdout.readline().strip()
        api = Api(server, "ann")
        files = []
        for part in (EDGES[:2], EDGES[2:]):
            files.append(api.ok("POST", "/api/v2/files/", json={"file_type": "arrow"})["file_id"])
            api.ok("POST", f"/api/v2/upload/files/{files[-1]}", data=arrow(part))
        with pytest.raises(requests.RequestException):
            api.send("POST", "/api/v2/upload/datasets/", json={**ENCODINGS, "edge_files": files})
        assert server.process.wait(10) == -signal.SIGKILL
    tables = {name.removeprefix("tables/").removesuffix(".arrow") for name in names(url, "tables")}
    assert len(tables) == 3
    for cache in ("killed", "other"):  # the same server again, and another one
        with opened(url, tmp_path, cache) as hub:
            auth = login(hub)
            assert hub.call(wire.DatasetList(), auth).count == 0
            assert not hub.store.all("SELECT * FROM datasets")
            assert {row["file_id"] for row in hub.call(wire.FileList(), auth).results} == set(files)
            (left,) = tables - {row["table_id"] for row in hub.store.all("SELECT table_id FROM files")}
            with pytest.raises(FileNotFoundError):
                hub.store.open_table(left)
    assert not names(url, "records/datasets")

    # It is not taken from somebody who is about to publish it, and goes when that would have been long ago.
    store = SharedStore(url, cache_dir=tmp_path / "sweeping", sync_s=0, unused_s=3600)
    assert (store.sweep(), store.sweep()) == (0, 0)
    assert names(url, "unused") == [f"unused/{left}"]
    store._unused_s = 0
    assert store.sweep() == 1
    store.close()
    assert {name.removeprefix("tables/").removesuffix(".arrow") for name in names(url, "tables")} == tables - {left}
    assert names(url, "unused") == []


def test_reading_what_is_here_needs_no_storage_and_the_rest_is_one_clear_error(tmp_path):
    with s3_server() as s3, s3.in_use():
        url = s3.bucket("stopped")
        with DevServer(data_dir=url, cache_dir=tmp_path / "one") as server:
            api = Api(server, "ann")
            dataset_id = api.dataset(EDGES, NODES)
            s3.server.stop()
            for _ in range(2):
                assert api.run(dataset_id, COUNT).json() == {"w": 6, "n": 3}
            began = time.monotonic()
            for method, path, sent in (
                ("GET", "/api/v2/datasets/", {}),
                ("POST", "/api/v2/upload/datasets/", {"json": ENCODINGS}),
            ):
                refused = api.refused(503, method, path, url, **sent)
                assert refused["code"] == "storage-unavailable"
                assert "its-secret-part" not in json.dumps(refused)
            assert time.monotonic() - began < 60
            assert api.run(dataset_id, COUNT).json() == {"w": 6, "n": 3}


def refusing(monkeypatch, *prefixes, after=0):
    """Let the storage refuse to take what begins so."""
    put, left = Place.put, [after]

    def refuse(self, content, name):
        if name.startswith(prefixes):
            left[0] -= 1
            if left[0] < 0:
                raise StorageUnavailable("full")
        put(self, content, name)

    monkeypatch.setattr(Place, "put", refuse)


def test_what_cannot_be_published_did_not_take_place(memory, tmp_path, monkeypatch):
    with opened(memory, tmp_path) as hub, opened(memory, tmp_path, "other") as other:
        auth, there = login(hub), login(other)
        kept = dataset(hub, auth, name="kept")
        before = hub.call(wire.DatasetGet(kept), auth).data
        refusing(monkeypatch, "records/")
        for attempt in (
            lambda: dataset(hub, auth),
            lambda: hub.call(wire.DatasetUpload(kept, "edges", pa.Table.from_pandas(EDGES[:1])), auth),
            lambda: hub.call(wire.DatasetPatch(kept, name="other"), auth),
            lambda: hub.call(wire.FileCreate(), auth),
        ):
            with pytest.raises(StorageUnavailable, match="full"):
                attempt()
        monkeypatch.setattr(Place, "delete", lambda *_: (_ for _ in ()).throw(StorageUnavailable("full")))
        with pytest.raises(StorageUnavailable):
            hub.call(wire.DatasetDelete(kept), auth)
        monkeypatch.undo()
        for one, of in ((hub, auth), (other, there)):
            assert one.call(wire.DatasetGet(kept), of).data == before
            assert one.call(wire.DatasetList(), of).count == 1
            assert one.call(wire.FileList(), of).count == 0
        assert len(list((hub.store.root / "tables").glob("*.arrow"))) == 1
        assert hub.call(wire.DatasetPatch(kept, name="other"), auth).data["name"] == "other"


def test_what_was_published_though_nobody_heard_of_it_is_whole(memory, tmp_path, monkeypatch):
    """The storage took the record, and its answer was lost: the table that it names must not be deleted."""
    with opened(memory, tmp_path) as hub, opened(memory, tmp_path, "other") as other:
        auth = login(hub)
        files = []
        for _ in range(2):
            files.append(hub.call(wire.FileCreate(), auth).file_id)
            hub.call(wire.FileUpload(files[-1], pa.Table.from_pandas(EDGES)), auth)
        put = Place.put

        def lose(self, content, name):
            put(self, content, name)
            raise StorageUnavailable("no answer")

        monkeypatch.setattr(Place, "put", lose)
        with pytest.raises(StorageUnavailable):
            hub.call(wire.DatasetCreate({**ENCODINGS, "edge_files": files}), auth)
        monkeypatch.undo()
        for one in (hub, other):
            (row,) = one.call(wire.DatasetList(), login(one)).results
            assert json.loads(one.call(wire.Python(row["dataset_id"], COUNT), login(one)).body) == {"w": 12, "n": None}


@pytest.mark.parametrize("slow", ["put_file", "put"])
def test_others_go_on_while_the_storage_takes_its_time(memory, tmp_path, monkeypatch, slow):
    with opened(memory, tmp_path) as hub:
        auth = login(hub)
        kept = dataset(hub, auth, name="kept")
        waiting, go_on, act = threading.Event(), threading.Event(), getattr(Place, slow)

        def wait(*arguments):
            if not waiting.is_set():
                waiting.set()
                assert go_on.wait(30)
            act(*arguments)

        monkeypatch.setattr(Place, slow, wait)
        thread = threading.Thread(target=dataset, args=(hub, auth))
        thread.start()
        try:
            assert waiting.wait(30)
            assert hub.call(wire.DatasetGet(kept), auth).data["name"] == "kept"
            assert json.loads(hub.call(wire.Python(kept, COUNT), auth).body)["w"] == 6
            assert hub.call(wire.DatasetPatch(dataset(hub, auth), name="new"), auth).data["name"] == "new"
            assert hub.call(wire.DatasetList(), auth).count == 2
        finally:
            go_on.set()
            thread.join()
        assert hub.call(wire.DatasetList(), auth).count == 3


def test_two_servers_that_write_one_dataset_at_once_leave_what_one_of_them_wrote(memory, tmp_path):
    with opened(memory, tmp_path) as one, opened(memory, tmp_path, "other") as other:
        hubs = [(hub, login(hub)) for hub in (one, other)]
        for _ in range(5):
            dataset_id = dataset(*hubs[0])
            written = {f"name {n}": {"w": n} for n in range(2)}

            def change(n, dataset_id=dataset_id, written=written):
                name = [*written][n]
                hub, auth = hubs[n]
                hub.call(wire.DatasetPatch(dataset_id, name=name, metadata=written[name]), auth)

            threads = [threading.Thread(target=change, args=(n,)) for n in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found = []
            for hub, auth in hubs:
                hub.store.refresh()
                found.append(hub.call(wire.DatasetGet(dataset_id), auth).data)
            assert found[0] == found[1]
            assert found[0]["metadata"] == written[found[0]["name"]]


def test_own_changes_are_seen_at_once_while_others_are_taken_in(memory, tmp_path):
    with opened(memory, tmp_path) as hub:
        auth, stop = login(hub), threading.Event()

        def refresh():
            while not stop.is_set():
                hub.store.refresh()

        thread = threading.Thread(target=refresh)
        thread.start()
        try:
            for n in range(30):
                dataset_id = dataset(hub, auth, name=str(n))
                for name in ("x", "y"):
                    hub.call(wire.DatasetPatch(dataset_id, name=name), auth)
                    assert hub.call(wire.DatasetGet(dataset_id), auth).data["name"] == name
                hub.call(wire.DatasetDelete(dataset_id), auth)
                with pytest.raises(NotFound):
                    hub.call(wire.DatasetGet(dataset_id), auth)
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: content + b"x"])
def test_a_damaged_table_is_a_clear_error(url, tmp_path, damage):
    with opened(url, tmp_path) as hub:
        dataset_id = dataset(hub, login(hub))
        ((table_id,),) = [tuple(row) for row in hub.store.all("SELECT edges FROM datasets")]
        Place(url).put(damage(Place(url).get(f"tables/{table_id}.arrow")), f"tables/{table_id}.arrow")
        with opened(url, tmp_path, "other") as other:
            auth = login(other)
            assert other.call(wire.DatasetGet(dataset_id), auth).data["edge_count"] == 3
            with pytest.raises(ServerError, match="is damaged"):
                other.call(wire.Python(dataset_id, COUNT), auth)
            Place(url).delete(f"tables/{table_id}.arrow")
            with pytest.raises(ServerError, match="is not there any more"):
                other.call(wire.Python(dataset_id, COUNT), auth)
        assert hub.call(wire.Python(dataset_id, COUNT), login(hub)).body == b'{"w":6,"n":null}'


def test_a_damaged_record_is_left_out_and_nothing_is_swept_meanwhile(memory, tmp_path, caplog):
    with opened(memory, tmp_path) as hub:
        first, second = (dataset(hub, login(hub), name=name) for name in ("first", "second"))
        name = f"records/datasets/{first}.json"
        whole = Place(memory).get(name)
        odd = {**json.loads(whole), "edges": {"id": "../../x", "rows": 1, "bytes": 1, "dtypes": {}}}
        for content in (whole[:-5], b"[]", b"\xff", json.dumps(odd).encode()):
            Place(memory).put(content, name)
            with opened(memory, tmp_path, uuid.uuid4().hex) as other:
                auth = login(other)
                assert [row["dataset_id"] for row in other.call(wire.DatasetList(), auth).results] == [second]
                with pytest.raises(ServerError, match=f"{first}.json is damaged"):
                    other.call(wire.DatasetGet(first), auth)
                other.store._unused_s = 0
                assert other.store.sweep() == 0
        assert f"{name} is damaged" in caplog.text
        assert len(names(memory, "tables")) == 2


def test_what_a_killed_writer_left_on_a_disk_goes_later(tmp_path):
    with opened(f"file://{tmp_path}/shared", tmp_path) as hub:
        dataset(hub, login(hub))
        left = tmp_path / "shared" / "tables" / f"{uuid.uuid4().hex}-{'0' * 32}.arrow.{uuid.uuid4().hex}.part"
        left.write_bytes(b"half")
        assert hub.store.sweep() == 0
        assert left.exists()
        hub.store._unused_s = 0
        assert hub.store.sweep() == 0
        assert [path.suffix for path in left.parent.iterdir()] == [".arrow"]


def test_deleted_tables_go_later_and_those_in_use_never(memory, tmp_path):
    with opened(memory, tmp_path) as hub:
        auth = login(hub)
        gone, kept = dataset(hub, auth), dataset(hub, auth)
        hub.call(wire.DatasetDelete(gone), auth)
        hub.store._unused_s = 0
        assert hub.store.sweep() == 1
        snapshot = hub.store.snapshot()
        hub.call(wire.DatasetDelete(kept), auth)
        assert hub.store.sweep() == 0
        hub.store.restore(snapshot)
        hub.store.release(snapshot)
        assert hub.store.sweep() == 0
        assert hub.call(wire.Python(kept, COUNT), auth).body == b'{"w":6,"n":null}'


def test_a_refused_upload_leaves_nothing_on_the_storage(memory, tmp_path):
    with opened(memory, tmp_path) as hub:
        auth = login(hub)
        dataset_id = hub.call(wire.DatasetCreate(ENCODINGS), auth).dataset_id
        with pytest.raises(ValueError, match="no column 's'"):
            hub.call(wire.DatasetUpload(dataset_id, "edges", pa.table({"x": [1]})), auth)
        assert names(memory, "tables") == []


def test_a_cache_that_is_too_small_holds_what_was_used_last(memory, tmp_path):
    with opened(memory, tmp_path, cache_bytes=5000) as hub:
        auth = login(hub)
        many = [dataset(hub, auth, EDGES.assign(w=n)) for n in range(12)]
        for _ in range(2):
            for n, dataset_id in enumerate(many):
                assert json.loads(hub.call(wire.Python(dataset_id, COUNT), auth).body)["w"] == 3 * n
        tables = list((hub.store.root / "tables").glob("*.arrow"))
        assert 0 < len(tables) < 12
        assert sum(path.stat().st_size for path in tables) <= 5000


def test_the_local_copy_is_this_users_alone(memory, tmp_path, monkeypatch):
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(ConfigError, match="chmod 700"):
        Hub(memory, cache_dir=tmp_path / "open")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    hub = Hub(memory)
    assert hub.store.root.parent == tmp_path / "graphistry-core"
    assert stat.S_IMODE(hub.store.root.stat().st_mode) == 0o700
    hub.close()


def test_tokens_are_each_servers_own(memory, tmp_path):
    with opened(memory, tmp_path) as hub, opened(memory, tmp_path, "other") as other:
        with pytest.raises(Exception, match="not one of this server's"):
            other.call(wire.DatasetList(), login(hub))
        with pytest.raises(AccessDenied):  # but who owns what is known
            other.call(wire.DatasetDelete(dataset(hub, login(hub))), login(other, "bob"))


def test_snapshots_and_resets_of_the_control_side_are_for_all_servers(memory, tmp_path):
    with DevServer(data_dir=memory, cache_dir=tmp_path / "one", executor="inprocess") as server:
        api = Api(server, "ann")
        early = api.dataset(EDGES, NODES)
        snapshot = server.dev.snapshot()
        late = api.dataset(EDGES)
        api.ok("DELETE", f"/api/v2/datasets/{early}/")
        server.dev.restore(snapshot)
        with opened(memory, tmp_path, "other") as other:
            auth = login(other)
            assert [row["dataset_id"] for row in other.call(wire.DatasetList(), auth).results] == [early]
            assert json.loads(other.call(wire.Python(early, COUNT), auth).body) == {"w": 6, "n": 3}
            assert api.run(late, COUNT).status_code == 404
            server.dev.reset()
            assert other.call(wire.DatasetList(), auth).count == 0


def test_an_export_moves_a_directory_to_a_url_and_back(memory, tmp_path):
    first = Hub(tmp_path / "directory")
    dataset_id = dataset(first, login(first), EDGES, NODES, name="moved")
    first.export_to(tmp_path / "out")
    first.close()
    with opened(memory, tmp_path) as hub:
        assert hub.import_from(tmp_path / "out")["datasets"] == 1
    with opened(memory, tmp_path, "other") as other:
        assert json.loads(other.call(wire.Python(dataset_id, COUNT), login(other)).body) == {"w": 6, "n": 3}
        other.export_to(tmp_path / "again")
    assert (tmp_path / "again/manifest.json").read_text() == (tmp_path / "out/manifest.json").read_text()


def test_an_import_that_breaks_off_is_taken_back(memory, tmp_path, monkeypatch):
    first = Hub(tmp_path / "directory")
    for n in range(4):
        dataset(first, login(first), EDGES, name=str(n))
    first.export_to(tmp_path / "out")
    first.close()
    with opened(memory, tmp_path) as hub:
        refusing(monkeypatch, "records/", after=2)
        with pytest.raises(StorageUnavailable):
            hub.import_from(tmp_path / "out")
        monkeypatch.undo()
        assert hub.call(wire.DatasetList(), login(hub)).count == 0
        assert names(memory, "records") == []
        assert hub.import_from(tmp_path / "out")["datasets"] == 4


def test_tasks_are_told_where_tables_lie_for_other_machines(memory, tmp_path):
    class Watching:
        name, close = "watching", staticmethod(lambda: None)

        def run(self, task, graph, limits, echo=None, cancelled=None):
            self.graph = graph
            raise ZeroDivisionError

    watching = Watching()
    hub = Hub(memory, cache_dir=tmp_path / "cache", executor=watching)
    auth = login(hub)
    dataset_id = dataset(hub, auth, EDGES, NODES)
    with pytest.raises(ZeroDivisionError):
        hub.call(wire.Python(dataset_id, COUNT), auth)
    assert {which: names(memory, "tables") for which in watching.graph.urls}.keys() == {"edges", "nodes"}
    for which, path in watching.graph.files.items():
        assert watching.graph.urls[which] == f"{memory}/tables/{path.name}"
        place, _, name = watching.graph.urls[which].rpartition("/")
        assert Place(place).get(name) == path.read_bytes()
    hub.close()


def test_a_url_that_cannot_be_used_refuses_to_start(s3, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"s3://no-such-bucket/x cannot be used.*no such bucket"):
        Hub("s3://no-such-bucket/x", cache_dir=tmp_path / "cache")
    with pytest.raises(ConfigError, match="in the environment"):
        Hub("s3://name:its-secret-part@shared/x", cache_dir=tmp_path / "cache")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--port", "0", "--data-dir", "s3://shared/x"]
    command += ["--cache-dir", str(tmp_path / "cache")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    (line,) = ran.stderr.strip().splitlines()
    assert line.startswith("error: The data directory s3://shared/x cannot be used: ")
    assert "onnect" in line
    assert "its-secret-part" not in line


def test_two_servers_of_one_machine_have_each_a_copy_of_their_own(memory, tmp_path):
    with opened(memory, tmp_path) as one, opened(memory, tmp_path) as other:
        assert one.store.root == tmp_path / "cache"
        assert other.store.root == tmp_path / "cache.2"
    with opened(memory, tmp_path) as again:
        assert again.store.root == tmp_path / "cache"


def test_options_of_a_cache_are_for_urls(tmp_path):
    with pytest.raises(ConfigError, match="for data at a URL"):
        Hub(tmp_path, cache_dir=tmp_path / "cache")
    with pytest.raises(ConfigError, match="as text"):
        Hub(Path("s3://bucket/prefix"))


def test_a_file_in_a_stream_is_put_as_it_came(memory, tmp_path):
    with opened(memory, tmp_path) as hub:
        stored = hub.store.add_table(io.BytesIO(arrow(EDGES)))
        assert hub.store.open_table(stored.id).to_pandas().equals(EDGES)
