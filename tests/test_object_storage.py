"""Objects under a URL are there whole or not at all, and a fetched one is what was put."""

from __future__ import annotations

import itertools
import json
import os
import threading
import uuid

import pytest
import requests
from object_storage_server import s3_server

from graphistry_core import object_storage
from graphistry_core.errors import ConfigError, MissingDependency, ServerError, StorageUnavailable
from graphistry_core.object_storage import Place, digest_of, fetch, is_url, trim

pytest.importorskip("fsspec", reason="needs the extra s3")
pytestmark = pytest.mark.xdist_group("s3")


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server, server.in_use():
        server.bucket("bucket")
        yield server


@pytest.fixture(params=["memory", "file", "s3"])
def place(request, tmp_path):
    name = uuid.uuid4().hex
    if request.param == "s3":
        request.getfixturevalue("s3")
        return Place(f"s3://bucket/{name}")
    return Place(f"memory://{name}" if request.param == "memory" else f"file://{tmp_path}/place")


def test_objects_by_name(place, tmp_path):
    assert place.list("records") == []
    place.put(b"one", "records/a.json")
    place.put(b"two", "records/b.json")
    before = {each.name: each.version for each in place.list("records")}
    assert before.keys() == {"records/a.json", "records/b.json"}
    place.put(b"other", "records/a.json")
    after = {each.name: each.version for each in place.list("records")}
    assert after["records/a.json"] != before["records/a.json"]
    assert after["records/b.json"] == before["records/b.json"]
    assert place.get("records/a.json") == b"other"
    assert place.get_all(["records/b.json", "records/none.json"]) == {"records/b.json": b"two"}
    with pytest.raises(FileNotFoundError):
        place.get("records/none.json")
    place.delete("records/a.json", "records/none.json")
    assert [each.name for each in place.list("records")] == ["records/b.json"]
    (tmp_path / "file").write_bytes(b"content")
    place.put_file(tmp_path / "file", "tables/t.arrow")
    assert place.get("tables/t.arrow") == b"content"


def test_a_table_is_fetched_once_however_many_ask(place, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(os.urandom(100_000))
    name = f"t-{digest_of(tmp_path / 'file')}.arrow"
    place.put_file(tmp_path / "file", f"tables/{name}")
    fetched, original = [], Place.get_file
    monkeypatch.setattr(Place, "get_file", lambda *a: fetched.append(a) or original(*a))
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(place.url_of(f"tables/{name}"), tmp_path / "cache")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "cache" / name] * 6
    assert found[0].read_bytes() == (tmp_path / "file").read_bytes()
    assert len(fetched) == 1
    assert not list((tmp_path / "cache").glob("*.part"))


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"x" + content[1:], lambda _: b""])
def test_what_was_damaged_is_not_taken(place, tmp_path, damage):
    (tmp_path / "file").write_bytes(b"content")
    name = f"tables/t-{digest_of(tmp_path / 'file')}.arrow"
    place.put(damage(b"content"), name)
    with pytest.raises(ServerError, match=r"damaged.*Restore"):
        fetch(place.url_of(name), tmp_path / "cache")
    place.put(b"content", name)
    assert fetch(place.url_of(name), tmp_path / "cache").read_bytes() == b"content"
    with pytest.raises(FileNotFoundError):
        fetch(place.url_of("tables/none.arrow"), tmp_path / "cache")


def test_the_cache_gives_up_what_was_not_used_for_longest(tmp_path):
    for n, name in enumerate(("old", "used", "new")):
        (tmp_path / name).write_bytes(b"x" * 10)
        os.utime(tmp_path / name, (n, n))
    (tmp_path / ".dead.part").write_bytes(b"x")
    os.utime(tmp_path / ".dead.part", (0, 0))
    Place.put(place := Place(f"memory://{uuid.uuid4().hex}"), b"", "used")
    fetch(place.url_of("used"), tmp_path)
    assert trim(tmp_path, 20) == ["old"]
    assert trim(tmp_path, 20) == []
    assert trim(tmp_path, 10) == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["used"]


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("s3://name:its-secret-part@bucket/x", ConfigError, "environment"),
        ("simplecache::s3://name:its-secret-part@bucket", ConfigError, "chain"),
        ("s3://bucket/x?key=its-secret-part", ConfigError, "like s3://bucket/prefix"),
        ("s3://", ConfigError, "names no place"),
        ("nosuch://bucket", ConfigError, "not known"),
        ("gs://bucket/x", MissingDependency, "gcsfs"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_tells_no_secret(url, error, said):
    with pytest.raises(error, match=said) as caught:
        Place(url)
    assert "its-secret-part" not in str(caught.value)


def test_a_path_is_no_url():
    assert is_url("s3://bucket")
    assert is_url("memory::s3://bucket")
    assert not any(map(is_url, ("/data", "data", "C:\\data", "C:/data", None)))


def refusals(place, tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    for act in (
        lambda: place.put(b"", "x"),
        lambda: place.put_file(tmp_path / "file", "x"),
        lambda: place.get("x"),
        lambda: place.get_all(["x"]),
        lambda: place.get_file("x", tmp_path / "other"),
        lambda: place.delete("x"),
    ):
        with pytest.raises(StorageUnavailable) as caught:
            act()
        assert "its-secret-part" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert place.url in str(caught.value)
        yield str(caught.value)


def test_no_bucket_and_no_access_are_said(s3, tmp_path):
    assert all("no such bucket" in said for said in refusals(Place("s3://nobucket/x"), tmp_path))
    url = s3.bucket("closed")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::closed/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    requests.put(f"{s3.endpoint}/closed?policy", data=policy, timeout=30).raise_for_status()
    assert all("access is denied" in said for said in refusals(Place(url), tmp_path))


def test_a_storage_that_does_not_answer_is_said_within_seconds(s3, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    object_storage._filesystem.cache_clear()
    try:
        said = [*itertools.islice(refusals(Place("s3://bucket/x"), tmp_path), 2)]
        assert all("onnect" in each for each in said), said
    finally:
        object_storage._filesystem.cache_clear()
