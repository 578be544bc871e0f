"""What a server holds goes to another one whole, unchanged, or not at all; and a server can begin with it."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphistry_core import BadRequest, ConfigError, GraphistryClient, Hub, NotFound, ServerError, wire
from graphistry_core.hub import User, travel
from graphistry_devserver import DevServer

RECORDS = ("users", "members", "tables", "files", "file_options", "sheets", "datasets", "functions")
ENCODINGS = {
    "node_encodings": {"bindings": {"node": "id"}, "complex": {"default": {"pointSizeEncoding": {"attribute": "n"}}}},
    "edge_encodings": {"bindings": {"source": "s", "destination": "d"}},
}
EDGES = pa.table({"s": ["a", "b", "é🙂"], "d": ["b", None, "a"], "w": [1, None, 3], "x": [0.5, float("nan"), -0.0]})
NODES = pa.table({"id": ["a", "b"], "kind": pa.array(["x", "x"]).dictionary_encode(), "tags": [["p"], None]})


def login(hub, name, org=None):
    return wire.Auth("bearer", token=hub.call(wire.Login(name, "pw", org), wire.Auth()).token)


def put_file(hub, auth, table, **options):
    file = hub.call(wire.FileCreate(**options), auth)
    assert hub.call(wire.FileUpload(file.file_id, table), auth).is_valid
    return file.file_id


def fill(hub) -> dict[str, str]:
    """Put something of every kind into a hub; return the ids of its datasets by what they are."""
    ann, bob, cid = login(hub, "ann"), login(hub, "bob", "acme"), login(hub, "cid", "acme")
    files = [put_file(hub, ann, EDGES), put_file(hub, ann, NODES, name="nodes", description="who there is")]
    csv = put_file(hub, cid, b"s;d\n1;2\n", file_type="csv", parser_options={"sep": ";"}, org_name="acme")
    hub.call(wire.FileCreate(name="announced", file_type="parquet"), bob)
    ids = {}

    def create(what, auth, **body):
        ids[what] = hub.call(wire.DatasetCreate({**ENCODINGS, "name": what, **body}), auth).dataset_id
        return ids[what]

    by_files = create("by files", ann, edge_files=[files[0]], node_files=[[files[1], 0]], metadata={"n": [1, 2.5]})
    hub.call(wire.DatasetPatch(by_files, description="changed"), ann)
    invited = ({"email": "dan@example.org", "action": "10"},)
    hub.call(wire.Share(by_files, "private", invited_users=invited), ann)
    by_tables = create("by tables", bob, org_name="acme")
    hub.call(wire.DatasetUpload(by_tables, "edges", EDGES.slice(1)), bob)
    hub.call(wire.DatasetUpload(by_tables, "nodes", NODES), bob)
    hub.call(wire.Share(by_tables, "organization"), bob)
    create("of csv", cid, edge_files=[csv], org_name="acme")
    create("without tables", ann)
    half = create("half", ann)
    hub.call(wire.DatasetUpload(half, "edges", EDGES), ann)
    task = {"execute": "def task(g):\n    return len(g._edges)", "output_type": "json"}
    hub.call(wire.FunctionCreate("acme", "python", task, alias="count", dataset_id=by_tables), bob)
    query = {"gfql_query": {"type": "Chain", "chain": []}}
    hub.call(wire.FunctionCreate("ann", "gfql", query, name="é", description="all", enabled=False), ann)
    return ids


@pytest.fixture
def another() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.close()


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a filled hub; not to be changed."""
    hub = Hub()
    fill(hub)
    target = tmp_path_factory.mktemp("export") / "out"
    hub.export_to(target)
    hub.close()
    return target


@pytest.fixture
def copy(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def records_of(hub) -> dict[str, list[tuple]]:
    return {name: [tuple(row) for row in hub.store.all(f"SELECT * FROM {name}")] for name in RECORDS}


def is_empty(hub) -> bool:
    on_disk = [path for name in ("tables", "incoming") for path in (hub.store.root / name).iterdir()]
    return not any(records_of(hub).values()) and not on_disk


class TestThere:
    def test_every_file_of_a_second_export_is_that_of_the_first(self, hub, another, tmp_path):
        fill(hub)
        counts = hub.export_to(tmp_path / "one")
        assert counts == {"users": 3, "organizations": 1, "files": 4, "datasets": 5, "functions": 2, "tables": 4}
        assert another.import_from(tmp_path / "one") == counts
        another.export_to(tmp_path / "two")
        assert files_of(tmp_path / "one") == files_of(tmp_path / "two")

    def test_clients_get_the_same_answers_from_the_other_server(self, hub, another, tmp_path):
        ids = fill(hub)
        hub.export_to(tmp_path / "out")
        another.import_from(tmp_path / "out")
        for name in ("ann", "bob", "cid", "dan@example.org", "eve"):
            answers = [answers_for(login(each, name), each, ids) for each in (hub, another)]
            assert answers[0] == answers[1]
        source = "def task(g): return [len(g._edges), len(g._nodes), g._nodes['kind'].tolist()]"
        task = wire.Python(ids["by tables"], source)
        answers = [each.call(task, login(each, "cid")).body for each in (hub, another)]
        assert json.loads(answers[0]) == json.loads(answers[1]) == [2, 2, ["x", "x"]]

    def test_what_is_there_already_stays(self, hub, another, tmp_path):
        fill(hub)
        hub.export_to(tmp_path / "out")
        mine = put_file(another, login(another, "bob", "mine"), EDGES)
        another.import_from(tmp_path / "out")
        assert another.call(wire.FileList(), login(another, "bob")).count == 2
        assert another.call(wire.FileGet(mine), login(another, "bob")).record["tables_schemas"][0]["num_rows"] == 3
        members = another.store.all("SELECT org, username FROM members JOIN users ON id = user_id ORDER BY 1, 2")
        assert [tuple(row) for row in members] == [("acme", "bob"), ("acme", "cid"), ("mine", "bob")]

    def test_an_organization_travels_with_what_belongs_to_it_and_nothing_else(self, hub, another, tmp_path):
        ids = fill(hub)
        counts = hub.export_to(tmp_path / "acme", "acme")
        assert counts == {"users": 2, "organizations": 1, "files": 1, "datasets": 2, "functions": 1, "tables": 3}
        assert b"ann" not in (tmp_path / "acme" / "manifest.json").read_bytes()
        another.import_from(tmp_path / "acme")
        cid = login(another, "cid")
        assert another.call(wire.DatasetGet(ids["by tables"]), cid).data["edge_count"] == 2  # as a member
        with pytest.raises(NotFound):
            another.call(wire.DatasetGet(ids["by tables"]), login(another, "ann"))
        with pytest.raises(NotFound, match="'nobodies'"):
            hub.export_to(tmp_path / "none", "nobodies")
        assert not (tmp_path / "none").exists()

    def test_secrets_stay_at_home(self, tmp_path):
        users = {"ann": User("hunter22", "ann@home", ("acme",), {"key-id": "key-secret"})}
        hub = Hub(tmp_path / "data", users=users)
        hub.call(wire.Login("ann", "hunter22"), wire.Auth())
        key = hub.store.secret()
        hub.export_to(tmp_path / "out")
        hub.close()
        whole = b"".join(files_of(tmp_path / "out").values())
        assert b'"ann"' in whole
        for secret in (b"hunter22", b"key-id", b"key-secret", b"ann@home", key, key.hex().encode()):
            assert secret not in whole

    def test_an_empty_server_travels(self, hub, another, tmp_path):
        hub.export_to(tmp_path / "out")
        assert set(another.import_from(tmp_path / "out").values()) == {0}
        assert is_empty(another)

    def test_the_export_is_for_its_owner_only(self, exported):
        if sys.platform != "win32":
            assert exported.stat().st_mode & 0o077 == 0


def answers_for(auth, hub, ids):
    """All that a user can see, but numbers that a database gives out."""

    def told(request):
        try:
            return without_author(hub.call(request, auth).data)
        except NotFound:
            return None

    page = hub.call(wire.DatasetList(), auth).results
    files = hub.call(wire.FileList(), auth).results
    listed = [[without_author(record) for record in results] for results in (page, files)]
    return listed, {what: told(wire.DatasetGet(dataset_id)) for what, dataset_id in ids.items()}


def without_author(record):
    return {name: value for name, value in record.items() if name not in ("author", "bytes_count")}


# --- tables ---------------------------------------------------------------------------------------------------

WHEN = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))
COLUMNS = [
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.float16(), st.floats(width=16).map(np.float16)),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.text(st.characters(exclude_categories=["Cs"]))),
    (pa.large_binary(), st.binary()),
    (pa.null(), st.none()),
    (pa.date32(), st.dates(date(1700, 1, 1), date(2200, 1, 1))),
    (pa.date64(), st.dates(date(1700, 1, 1), date(2200, 1, 1))),
    *((pa.timestamp(unit), WHEN.map(lambda t: t.replace(microsecond=0))) for unit in ("s", "ms")),
    (pa.timestamp("us"), WHEN),
    (pa.timestamp("ns", "Europe/Berlin"), WHEN.map(lambda t: t.replace(tzinfo=UTC))),
    (pa.time32("s"), st.times().map(lambda t: t.replace(microsecond=0))),
    (pa.time64("us"), st.times()),
    (pa.duration("ms"), st.timedeltas().map(lambda t: t - t % type(t)(milliseconds=1))),
    (pa.decimal128(12, 3), st.integers(-(10**8), 10**8).map(lambda n: Decimal(n) / 1000)),
    *((pa.dictionary(pa.int8(), of), st.sampled_from(["x", "y", ""])) for of in (pa.string(), pa.large_string())),
    (pa.list_(pa.int32()), st.lists(st.integers(-5, 5), max_size=3)),
    (
        pa.struct([("a", pa.float64()), ("b", pa.string())]),
        st.fixed_dictionaries({"a": st.floats(), "b": st.text("ab")}),
    ),
    (pa.map_(pa.string(), pa.int64()), st.lists(st.tuples(st.text("ab"), st.integers(0, 9)), max_size=2)),
]


@st.composite
def tables(draw):
    rows = draw(st.integers(0, 6))
    chosen = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4))
    names = draw(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=4, max_size=4, unique=True))
    columns = [pa.array(draw(st.lists(st.none() | kind, min_size=rows, max_size=rows)), of) for of, kind in chosen]
    return pa.table(columns, names=names[: len(columns)])


def bits(table: pa.Table) -> bytes:
    """A table as bytes in which every bit of a value counts, and nothing else."""
    settled = table.take(pa.array(range(table.num_rows), pa.int64())).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, settled.schema) as writer:
        writer.write_table(settled)
    return sink.getvalue().to_pybytes()


def require_the_same_after(hub, another, table):
    hub.reset()
    another.reset()
    put_file(hub, login(hub, "ann"), table)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "one"), Path(folder, "two")
        hub.export_to(first)
        another.import_from(first)
        another.export_to(second)
        assert files_of(first) == files_of(second)
    before, after = (
        each.store.open_table(each.store.one("SELECT table_id FROM files")["table_id"]) for each in (hub, another)
    )
    assert before.schema == after.schema
    assert bits(before) == bits(after)


MANY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(("kind", "values"), COLUMNS, ids=[str(kind) for kind, _ in COLUMNS])
@settings(MANY, max_examples=5)
@given(data=st.data())
def test_a_column_of_any_type_comes_back_bit_for_bit(hub, another, kind, values, data):
    column = pa.array(data.draw(st.lists(st.none() | values, max_size=6)), kind)
    require_the_same_after(hub, another, pa.table({"c": column}))


@settings(MANY, max_examples=40)
@given(table=tables())
def test_a_table_of_any_columns_and_names_comes_back_bit_for_bit(hub, another, table):
    require_the_same_after(hub, another, table)


def test_the_bits_of_a_nan_and_the_sign_of_zero_are_kept(hub, another, tmp_path):
    odd = np.array([0x7FF8000000000001, 0x7FF8000000000000, 0xFFF8000000000000, 0x8000000000000000, 0], "uint64")
    put_file(hub, login(hub, "ann"), pa.table({"f": odd.view("float64")}))
    hub.export_to(tmp_path / "out")
    another.import_from(tmp_path / "out")
    came = another.store.open_table(another.store.one("SELECT id FROM tables")["id"])
    assert np.asarray(came["f"]).view("uint64").tolist() == odd.tolist()


def test_plain_tables_are_parquet_that_anything_reads_and_equal_ones_are_one_file(hub, tmp_path):
    auth = login(hub, "ann")
    for _ in range(2):
        put_file(hub, auth, EDGES)
    put_file(hub, auth, NODES)  # has a dictionary, which Parquet would change
    hub.export_to(tmp_path / "out")
    found = sorted((tmp_path / "out" / "tables").iterdir(), key=lambda path: path.suffix)
    assert [path.suffix for path in found] == [".arrow", ".parquet"]
    assert pq.read_table(found[1]).column("s").to_pylist() == ["a", "b", "é🙂"]
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in found] == [path.stem for path in found]


# --- damage ---------------------------------------------------------------------------------------------------


def refused(hub, folder, sentence=""):
    with pytest.raises(BadRequest, match=sentence) as error:
        hub.import_from(folder)
    assert error.value.message.startswith(f"{folder} was not imported: ")
    assert "\n" not in error.value.message
    return error.value


def a_table(folder, suffix=".parquet") -> Path:
    return next(path for path in sorted((folder / "tables").iterdir()) if path.suffix == suffix)


def rewrite(path: Path, change) -> None:
    path.write_bytes(change(path.read_bytes()))


def forge(folder: Path, change) -> None:
    """Change a manifest by somebody who knows how its sha256 is made."""
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["sha256"]
    change(manifest)
    plain = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    sealed = {**manifest, "sha256": hashlib.sha256(plain.encode()).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(sealed))


def edit(old: bytes, new: bytes):
    return lambda folder: rewrite(folder / "manifest.json", lambda text: text.replace(old, new, 1))


DAMAGE = {
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json cannot be read"),
    "half a manifest": (lambda f: rewrite(f / "manifest.json", lambda b: b[: len(b) // 2]), "manifest.json is damaged"),
    "binary manifest": (lambda f: rewrite(f / "manifest.json", lambda b: b"\xff\x00"), "manifest.json is damaged"),
    "a list": (lambda f: rewrite(f / "manifest.json", lambda b: b"[]"), "not that of a graphistry-core export"),
    "another format": (edit(b"graphistry-core export", b"something else"), "not that of a graphistry-core export"),
    "another version": (edit(b'"version": 1', b'"version": 2'), "of version 2, and only version 1"),
    "an edited name": (edit(b'"half"', b'"full"'), "was changed after it was written"),
    "no sha256": (edit(b'"sha256"', b'"sha255"'), "was changed after it was written"),
    "a missing table": (lambda f: a_table(f).unlink(), r"\.parquet cannot be read"),
    "a missing arrow table": (lambda f: a_table(f, ".arrow").unlink(), r"\.arrow cannot be read"),
    "no tables": (lambda f: shutil.rmtree(f / "tables"), "cannot be read"),
    "a truncated table": (lambda f: rewrite(a_table(f), lambda b: b[:-1]), "cut short or changed"),
    "an empty table": (lambda f: rewrite(a_table(f, ".arrow"), lambda b: b""), "cut short or changed"),
    "a longer table": (lambda f: rewrite(a_table(f), lambda b: b + b"\0"), "cut short or changed"),
    "another table": (lambda f: shutil.copy(a_table(f, ".arrow"), a_table(f)), "cut short or changed"),
    "a folder": (lambda f: (a_table(f).unlink(), a_table(f, ".arrow").with_suffix("").mkdir()), "cannot be read"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_in_a_sentence_and_leaves_nothing(copy, hub, name):
    change, sentence = DAMAGE[name]
    change(copy)
    refused(hub, copy, sentence)
    assert is_empty(hub)


def not_a_table(manifest, folder):
    """Put bytes in place of a table, under their own sha256."""
    described = next(table for table in manifest["tables"] if table["format"] == "parquet")
    text = json.dumps(manifest)
    fresh = hashlib.sha256(b"nonsense").hexdigest()
    (folder / "tables" / f"{fresh}.parquet").write_bytes(b"nonsense")
    manifest.update(json.loads(text.replace(described["sha256"], fresh)))


FORGED = {
    "rows": (lambda m, f: m["tables"][0].update(rows=7), "does not have the rows and columns"),
    "dtypes": (lambda m, f: m["tables"][0]["dtypes"].update(more="int64"), "does not have the rows and columns"),
    "no table": (not_a_table, "not a valid parquet table"),
    "counts": (lambda m, f: m["counts"].update(files=1), "its counts"),
    "a missing field": (lambda m, f: m["datasets"][0].pop("mode"), "must have the fields"),
    "an unknown field": (lambda m, f: m["files"][0].update(more=1), "must have the fields"),
    "a record that is none": (lambda m, f: m["files"].__setitem__(0, 5), "must have the fields"),
    "users that are none": (lambda m, f: m.update(users="ann", counts={**m["counts"], "users": 3}), "'users'"),
    "a wrong type": (lambda m, f: m["files"][0].update(parser_options=None), "'parser_options'"),
    "a wrong time": (lambda m, f: m["files"][0].update(created=1e300), "'created'"),
    "no time": (lambda m, f: m["files"][0].update(created=float("nan")), "'created'"),
    "no unicode": (lambda m, f: m["files"][0].update(name="\ud800"), "surrogate"),
    "a stranger": (lambda m, f: m["files"][0].update(owner="eve"), "'eve', who is not one of its users"),
    "a strange member": (lambda m, f: m["organizations"][0]["members"].append({}), "who is not one of its users"),
    "an id that is a path": (lambda m, f: m["datasets"][0].update(id="../../x"), "an id that is no id"),
    "an id twice": (lambda m, f: m["files"][0].update(id=m["files"][1]["id"]), "there twice"),
    "a kind of functions that is none": (lambda m, f: m["functions"][0].update(kind="sql"), "no functions of kind"),
    "a source that is none": (lambda m, f: m["functions"][0].update(definition={}), "'execute' is missing"),
    "more than a definition": (lambda m, f: m["functions"][0]["definition"].update(more=1), "has a field that is none"),
    "an alias that is no part of a path": (lambda m, f: m["functions"][0].update(alias="a/b"), "'alias' is 'a/b'"),
    "a function of nobody": (lambda m, f: m["functions"][1].update(owner="eve"), "'eve', who is not one"),
    "a table too few": (lambda m, f: (m["tables"].pop(), m["counts"].update(tables=3)), "its records use"),
    "a table that is a path": (lambda m, f: m["tables"][0].update(sha256="../../x"), "its records use"),
    "a mode": (lambda m, f: m["datasets"][0].update(mode="secret"), "'mode'"),
    "bindings": (lambda m, f: m["datasets"][0]["body"]["edge_encodings"].update(bindings=5), "'bindings'"),
    "a bound column": (
        lambda m, f: m["datasets"][0]["body"]["edge_encodings"]["bindings"].update(source="q"),
        "no column 'q'",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_manifest_that_is_whole_but_wrong_is_refused_and_leaves_nothing(copy, hub, name):
    change, sentence = FORGED[name]
    forge(copy, lambda manifest: change(manifest, copy))
    refused(hub, copy, sentence)
    assert is_empty(hub)


@settings(MANY, max_examples=60)
@given(data=st.data())
def test_any_changed_byte_is_refused_or_changes_nothing(exported, hub, data):
    whole = files_of(exported)
    name = data.draw(st.sampled_from(sorted(whole)))
    place = data.draw(st.integers(0, len(whole[name]) - 1))
    byte = data.draw(st.integers(0, 255))
    hub.reset()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(exported, Path(folder, "copy")))
        rewrite(copy / name, lambda b: b[:place] + bytes([byte]) + b[place + 1 :])
        try:
            hub.import_from(copy)
        except BadRequest:
            assert is_empty(hub)
        else:
            hub.export_to(Path(folder, "again"))
            assert files_of(Path(folder, "again")) == whole


def test_ids_that_are_there_already_are_refused_and_nothing_changes(exported, hub):
    hub.import_from(exported)
    before, on_disk = records_of(hub), sorted((hub.store.root / "tables").iterdir())
    refused(hub, exported, "is here already")
    assert records_of(hub) == before
    assert sorted((hub.store.root / "tables").iterdir()) == on_disk


def test_an_import_that_fails_at_its_last_record_leaves_nothing(exported, hub, monkeypatch):
    insert = travel._insert_row

    def full(db, table, values):
        insert(db, table, values)
        if len(db.execute("SELECT 1 FROM datasets").fetchall()) == 5:
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(travel, "_insert_row", full)
    with pytest.raises(ServerError, match="cannot take the records: database or disk is full"):
        hub.import_from(exported)
    assert is_empty(hub)


class TestTheTarget:
    def test_what_is_there_is_not_touched(self, hub, tmp_path):
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine").write_text("x")
        (tmp_path / "file").write_text("x")
        for name in ("full", "file"):
            with pytest.raises(BadRequest, match="there already"):
                hub.export_to(tmp_path / name)
        assert files_of(tmp_path) == {"full/mine": b"x", "file": b"x"}

    def test_an_empty_directory_is_taken_and_missing_parents_are_made(self, hub, tmp_path):
        (tmp_path / "empty").mkdir()
        for target in (tmp_path / "empty", tmp_path / "a" / "b"):
            hub.export_to(target)
            assert sorted(path.name for path in target.iterdir()) == ["manifest.json", "tables"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty"]

    def test_an_export_that_fails_leaves_nothing_beside_it(self, hub, tmp_path):
        fill(hub)
        next((hub.store.root / "tables").iterdir()).unlink()
        with pytest.raises(BadRequest, match="export again"):
            hub.export_to(tmp_path / "out")
        assert not list(tmp_path.iterdir())

    def test_a_place_that_cannot_be_written_is_a_sentence(self, hub, tmp_path):
        (tmp_path / "file").write_text("x")
        with pytest.raises(BadRequest, match="cannot be written"):
            hub.export_to(tmp_path / "file" / "out")

    def test_tables_that_are_deleted_meanwhile_are_still_exported(self, hub, tmp_path, monkeypatch):
        file_id = put_file(hub, login(hub, "ann"), EDGES)
        write = travel._write_tables

        def deleting(*arguments):
            hub.call(wire.FileDelete(file_id), login(hub, "ann"))
            return write(*arguments)

        monkeypatch.setattr(travel, "_write_tables", deleting)
        assert hub.export_to(tmp_path / "out")["tables"] == 1
        assert not list((hub.store.root / "tables").iterdir())


# --- the command line, and seeds ------------------------------------------------------------------------------


def cli(*arguments, status=0):
    command = [sys.executable, "-m", "graphistry_core.cli", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)
    assert ran.returncode == status, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_export_and_import_as_commands(tmp_path):
    with DevServer(data_dir=tmp_path / "data") as server:  # exporting does not mind that it runs
        fill(server.hub)
        said = cli("export", tmp_path / "out", "--data-dir", tmp_path / "data", "--organization", "acme")
    assert "2 users, 1 organizations, 1 files, 2 datasets, 1 functions, 3 tables" in said
    assert "is there already" in cli("export", tmp_path / "out", "--data-dir", tmp_path / "data", status=1)
    assert "not the data directory" in cli("export", tmp_path / "none", "--data-dir", tmp_path, status=1)
    assert "2 datasets" in cli("import", tmp_path / "out", "--data-dir", tmp_path / "new")
    assert "is here already" in cli("import", tmp_path / "out", "--data-dir", tmp_path / "new", status=1)


class TestSeeds:
    def test_a_table_an_export_and_a_python_file(self, exported, tmp_path):
        (tmp_path / "links.tsv").write_text("weight\tto\tfrom\n1\tb\ta\n2\tc\tb\n")
        (tmp_path / "make.py").write_text(
            "import pandas as pd\n\n"
            "def seed(graphistry):\n"
            "    g = graphistry.edges(pd.DataFrame({'s': [1], 'd': [2]}), 's', 'd').name('made').upload()\n"
            "    assert g.python_remote_json('def task(g): return len(g._edges)') == 1\n"
        )
        with DevServer(seed=[tmp_path / "links.tsv", exported, str(tmp_path / "make.py")]) as server:
            client = GraphistryClient().register(**server.register_kwargs)
            auth = wire.Auth("bearer", token=client.api_token())
            made, links = server.hub.call(wire.DatasetList(), auth).results
            assert (made["name"], links["name"]) == ("made", "links")
            assert links["edge_encodings"]["bindings"] == {"source": "from", "destination": "to"}
            assert server.hub.call(wire.DatasetList(), login(server.hub, "bob")).count == 1
            assert "2 edges from 'from' to 'to'" in server.seeded[0]
            assert "5 datasets" in server.seeded[1]

    def test_named_users_own_what_is_seeded(self, tmp_path):
        (tmp_path / "e.csv").write_text("s,d\n1,2\n")
        with DevServer(seed=tmp_path / "e.csv", users={"ann": "secret", "bob": "pw"}) as server:
            assert server.hub.store.one("SELECT username FROM users")["username"] == "ann"

    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("gone.csv", None, "gone.csv cannot be read"),
            ("one.csv", "s\n1\n", "needs a source and a destination column"),
            ("bad.parquet", "nonsense", "not a valid parquet table"),
            ("gone.py", None, "FileNotFoundError"),
            ("none.py", "x = 1\n", "no function 'def seed\\(graphistry\\)'"),
            ("syntax.py", "def seed(:\n", "SyntaxError: .*line 1"),
            ("fails.py", "def seed(graphistry):\n    [][1]\n", "line 2: IndexError"),
            ("binds.py", "def seed(graphistry):\n    graphistry.bind(source='s').upload()\n", "line 2: "),
            ("empty", "", "manifest.json cannot be read"),
        ],
    )
    def test_a_bad_seed_is_one_sentence_and_the_server_does_not_start(self, tmp_path, name, content, sentence):
        path = tmp_path / name
        if name == "empty":
            path.mkdir()
        elif content is not None:
            path.write_text(content)
        server = DevServer(seed=path)
        with pytest.raises(BadRequest, match=sentence) as error:
            server.start()
        assert "\n" not in error.value.message
        assert not server.running
        with pytest.raises(ConfigError):
            _ = server.hub

    def test_the_command_gives_its_url_when_the_seed_is_in(self, tmp_path):
        (tmp_path / "e.csv").write_text("s,d\n1,2\n")
        (tmp_path / "bad.csv").write_text("s\n1\n")
        command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--port", "0", "--seed", tmp_path / "e.csv"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        url = process.stdout.readline().strip()
        password = {"username": "graphistry", "password": "graphistry"}
        token = requests.post(f"{url}/api-token-auth/", json=password, timeout=9).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.get(f"{url}/api/v2/datasets/", headers=headers, timeout=9).json()["count"] == 1
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "of graphistry, 1 edges from 's' to 'd'" in err
        ran = subprocess.run([*command, "--seed", tmp_path / "bad.csv"], capture_output=True, timeout=60, check=False)
        assert (ran.returncode, ran.stdout) == (1, b"")
        assert ran.stderr.count(b"\n") == 1

    def test_a_signal_breaks_off_a_seed(self, tmp_path):
        (tmp_path / "slow.py").write_text(
            "import sys, time\ndef seed(graphistry):\n    print('seeding', flush=True)\n    time.sleep(60)\n"
        )
        command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--port", "0", "--seed", tmp_path / "slow.py"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stderr.readline() == "seeding\n"  # stdout is for the URL
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (1, "")
        assert "Traceback" not in err
