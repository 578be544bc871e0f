"""A store's records and tables as a directory that another server takes in: one manifest, and a file for each table.

The manifest is JSON: ``format``, ``version``, ``sha256`` (of all the rest), ``counts``, ``users`` (names),
``organizations``, ``files``, ``datasets``, ``functions`` and ``tables``. People go by their names and tables by the
sha256 of their files, so that equal states make equal directories. May import wire, frames, readers, records and store.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from .. import frames, readers, wire
from ..errors import BadRequest, InvalidTable, NotFound, ServerError
from ..messages import Fields, HttpRequest
from ..wire.functions import ABOUT
from .datasets import check_columns
from .records import iso
from .store import Store, StoredTable

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT, VERSION = "graphistry-core export", 1
_MANIFEST, _TABLES = "manifest.json", "tables"
_COUNTED = ("users", "organizations", "files", "datasets", "functions", "tables")
_ID, _DIGEST = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{64}")

Record = dict[str, Any]


# --- out ------------------------------------------------------------------------------------------------------


def export_to(store: Store, directory: str | os.PathLike[str], organization: str | None = None) -> dict[str, int]:
    """Write the whole store, or what belongs to one organization, as a new directory; return its counts.

    It is there whole or not at all. Raises BadRequest when something is in its place or it cannot be written, and
    NotFound for an organization that nothing belongs to.
    """
    target = Path(directory).absolute()
    snapshot = store.snapshot()  # its tables stay until it is released
    try:
        rows = _Rows.of(snapshot.records, organization)
        with _new_directory(target) as fresh:
            manifest = _manifest(rows, _write_tables(store, rows.table_ids(), fresh / _TABLES))
            document = json.dumps({"sha256": _digest_of(manifest), **manifest}, indent=1)
            (fresh / _MANIFEST).write_text(f"{document}\n", encoding="utf-8")
    except FileNotFoundError as e:  # another process works on the same data
        raise BadRequest(f"A table was deleted before it was written to {target}: export again.") from e
    except OSError as e:
        raise BadRequest(f"The export cannot be written to {target}: {e.strerror or e}.") from e
    finally:
        store.release(snapshot)
    counts: dict[str, int] = manifest["counts"]
    return counts


@contextlib.contextmanager
def _new_directory(target: Path) -> Iterator[Path]:
    """Give a directory beside the target, which becomes the target when the block ends well."""
    if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
        raise BadRequest(f"{target} is there already and not an empty directory: name a new one for the export.")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        yield fresh
        with contextlib.suppress(FileNotFoundError):
            target.rmdir()
        fresh.rename(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


@dataclass(frozen=True)
class _Rows:
    """The records that travel, as the database has them: in the order in which they came into being."""

    users: Mapping[int, str]
    members: list[sqlite3.Row]
    files: list[sqlite3.Row]
    options: Mapping[str, sqlite3.Row]
    sheets: Mapping[str, list[tuple[str, str]]]
    datasets: list[sqlite3.Row]
    functions: list[sqlite3.Row]

    @classmethod
    def of(cls, db: sqlite3.Connection, organization: str | None) -> _Rows:
        """Read a store's records; raise NotFound for an organization that nothing belongs to."""
        where, values = ("", ()) if organization is None else (" WHERE org = ?", (organization,))

        def read(table: str, order: str) -> list[sqlite3.Row]:
            return db.execute(f"SELECT * FROM {table}{where} ORDER BY {order}", values).fetchall()

        members, files, datasets = read("members", "org, user_id"), read("files", "seq"), read("datasets", "seq")
        functions = read("functions", "seq")
        if organization is not None and not (members or files or datasets or functions):
            raise NotFound(f"Nothing here belongs to an organization {organization!r}.")
        concerned = {row["user_id"] for row in members} | {row["owner"] for row in (*files, *datasets, *functions)}
        users = db.execute("SELECT * FROM users ORDER BY id").fetchall()
        sheets: dict[str, list[tuple[str, str]]] = {}
        for row in db.execute("SELECT * FROM sheets ORDER BY position"):
            sheets.setdefault(row["file_id"], []).append((row["name"], row["table_id"]))
        # Directories of before there were workbooks have a file's only table in its own record.
        first = {row["id"]: [("", row["table_id"])] for row in files if row["table_id"] is not None}
        return cls(
            {row["id"]: row["username"] for row in users if organization is None or row["id"] in concerned},
            members,
            files,
            {row["file_id"]: row for row in db.execute("SELECT * FROM file_options")},
            {row["id"]: sheets.get(row["id"]) or first.get(row["id"], []) for row in files},
            datasets,
            functions,
        )

    def table_ids(self) -> list[str]:
        """Return the ids of all tables that these records use."""
        of_files = [table_id for sheets in self.sheets.values() for _, table_id in sheets]
        of_datasets = [row[which] for row in self.datasets for which in ("edges", "nodes")]
        return sorted({*of_files, *of_datasets} - {None})


def _manifest(rows: _Rows, tables: Mapping[str | None, Record]) -> Record:
    """Describe records; ``tables`` are the descriptions of their tables by id. All but the manifest's own sha256."""
    digests = {table_id: table["sha256"] for table_id, table in tables.items()}
    organizations: dict[str, list[str]] = {}
    for row in rows.members:
        organizations.setdefault(row["org"], []).append(rows.users[row["user_id"]])
    content: dict[str, list[Any]] = {
        "users": [*rows.users.values()],
        "organizations": [{"name": name, "members": members} for name, members in organizations.items()],
        "files": [_file_record(row, rows, digests) for row in rows.files],
        "datasets": [_dataset_record(row, rows, digests) for row in rows.datasets],
        "functions": [_function_record(row, rows) for row in rows.functions],
        "tables": [table for _, table in sorted({table["sha256"]: table for table in tables.values()}.items())],
    }
    counts = {name: len(content[name]) for name in _COUNTED}
    return {"format": FORMAT, "version": VERSION, "counts": counts, **content}


def _file_record(row: sqlite3.Row, rows: _Rows, digests: Mapping[str | None, str]) -> Record:
    options = rows.options.get(row["id"])
    return {
        "id": row["id"],
        "owner": rows.users[row["owner"]],
        "organization": row["org"],
        "name": row["name"],
        "description": row["description"],
        "file_type": row["file_type"],
        "file_compression": "" if options is None else options["compression"],
        "parser_options": {} if options is None else json.loads(options["options"]),
        "created": row["created"],
        "updated": row["updated"],
        "tables": [{"name": name, "table": digests[table_id]} for name, table_id in rows.sheets[row["id"]]],
    }


def _dataset_record(row: sqlite3.Row, rows: _Rows, digests: Mapping[str | None, str]) -> Record:
    return {
        "id": row["id"],
        "owner": rows.users[row["owner"]],
        "organization": row["org"],
        "body": json.loads(row["body"]),
        "mode": row["mode"],
        "invited_users": json.loads(row["invited"]),
        "created": row["created"],
        "updated": row["updated"],
        "complete": bool(row["complete"]),
        "edges": digests.get(row["edges"]),
        "nodes": digests.get(row["nodes"]),
    }


def _function_record(row: sqlite3.Row, rows: _Rows) -> Record:
    return {
        "id": row["id"],
        "owner": rows.users[row["owner"]],
        "organization": row["org"],
        "kind": row["kind"],
        **{name: row[name] for name in ABOUT if name != "enabled"},
        "enabled": bool(row["enabled"]),
        "definition": json.loads(row["definition"]),
        "created": row["created"],
        "updated": row["updated"],
    }


def _digest_of(manifest: Record) -> str:
    """Return the sha256 of a manifest's meaning: spaces and the order of its keys do not count."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


# --- tables ---------------------------------------------------------------------------------------------------


def _write_tables(store: Store, table_ids: list[str], folder: Path) -> dict[str | None, Record]:
    folder.mkdir()
    return {table_id: _write_table(store.open_table(table_id), folder) for table_id in table_ids}


def _write_table(table: pa.Table, folder: Path) -> Record:
    """Write a table under the sha256 of its bytes, and return its description.

    Parquet, if it gives every column back as it was; else the Arrow file in which the store keeps it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = pa.Table.from_arrays(table.columns, names=table.column_names)  # a field's own metadata says nothing here
    kind = "parquet" if plain.columns and all(map(_parquet_is_exact, plain.schema.types)) else "arrow"
    fresh = folder / f"fresh.{kind}"
    if kind == "parquet":
        pq.write_table(plain, fresh, compression="zstd")
    else:
        frames.write_arrow(plain, fresh)
    digest = _digest_of_file(fresh)
    fresh.replace(_place(folder, digest, kind))
    return {"sha256": digest, "format": kind, "rows": plain.num_rows, "dtypes": frames.dtypes(plain)}


def _parquet_is_exact(kind: pa.DataType) -> bool:
    """Say whether a column of this type comes back from Parquet as it was; others change their type or their bits."""
    import pyarrow as pa

    t = pa.types
    if t.is_timestamp(kind):
        return bool(kind.unit != "s")
    whole = t.is_integer(kind) or t.is_boolean(kind) or t.is_time(kind) or kind == pa.date32()
    text = t.is_large_string(kind) or t.is_large_binary(kind)
    return bool((whole and kind != pa.time32("s")) or text or kind in (pa.float32(), pa.float64()))


def _place(folder: Path, digest: str, kind: str) -> Path:
    return folder / f"{digest}.{kind}"


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- in -------------------------------------------------------------------------------------------------------


def import_from(store: Store, directory: str | os.PathLike[str]) -> dict[str, int]:
    """Take in all of an export; return its counts. Users and organizations that are here already are the same ones.

    All or nothing. Raises BadRequest for anything in the directory that is not as it was exported, and for ids of
    files, datasets and functions that are here already.
    """
    folder = Path(directory)
    stored: dict[str | None, StoredTable] = {}
    try:
        manifest = _read_manifest(folder / _MANIFEST)
        content = _Content.of(manifest)
        store.refresh()
        _refuse_known(store, content)  # before tables are read in vain
        for digest, described in content.tables.items():
            _check_file(folder / _TABLES, digest, described)
        for digest, described in content.tables.items():
            stored[digest] = store.add_table(_read_table(folder / _TABLES, digest, described))
            _check_table(stored[digest], digest, described)
        for record in content.datasets:
            for which in ("edges", "nodes"):
                if record[which] is not None:
                    bindings = wire.DatasetCreate(record["body"]).bindings(which)
                    check_columns(stored[record[which]], which, bindings)
        with store.transaction() as db:
            _refuse_known(store, content)
            _insert(store, db, content, stored)
    except BaseException as e:
        with contextlib.suppress(ServerError):  # a full disk: they are swept at the next start
            store.drop_table(*(table.id for table in stored.values()))
        if isinstance(e, BadRequest):
            raise BadRequest(f"{folder} was not imported: {e.message}") from e
        raise
    counts: dict[str, int] = manifest["counts"]
    return counts


def _read_manifest(path: Path) -> Record:
    """Read a manifest; raise BadRequest unless it is of our version, and what was written."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise BadRequest(f"its {path.name} cannot be read ({e.strerror or e}).") from e
    except (ValueError, RecursionError) as e:
        raise BadRequest(f"its {path.name} is damaged ({e}).") from e
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadRequest(f"its {path.name} is not that of a {FORMAT}.")
    if document.get("version") != VERSION:
        raise BadRequest(f"it is of version {document.get('version')!r}, and only version {VERSION} can be read here.")
    digest = document.pop("sha256", None)
    if digest != _digest_of(document):
        raise BadRequest(f"its {path.name} was changed after it was written (its sha256 is another).")
    return document


@dataclass(frozen=True)
class _Content:
    """A manifest's records, of which every field is known to be what it should be; tables by their sha256."""

    users: list[str]
    organizations: list[Record]
    files: list[Record]
    datasets: list[Record]
    functions: list[Record]
    tables: Mapping[str, Record]

    @classmethod
    def of(cls, manifest: Record) -> _Content:
        """Look at every field of a manifest; raise BadRequest naming one that is not what it should be."""
        _check(manifest, "manifest", {"format": str, "version": int, "counts": dict, **dict.fromkeys(_COUNTED, list)})
        if {name: len(manifest[name]) for name in _COUNTED} != manifest["counts"]:
            raise BadRequest("its counts are not those of its records.")
        for name, shape in _SHAPES.items():
            for record in manifest[name]:
                _check(record, f"record of its {name}", shape)
        for user in manifest["users"]:
            _check({"name": user}, "record of its users", {"name": str})
        for record in manifest["files"]:
            for table in record["tables"]:
                _check(table, "record of its files", {"name": str, "table": str})
        for record in manifest["datasets"]:
            _check_dataset(record)
        for record in manifest["functions"]:
            _check_function(record)
        content = cls(
            manifest["users"],
            manifest["organizations"],
            manifest["files"],
            manifest["datasets"],
            manifest["functions"],
            {record["sha256"]: record for record in manifest["tables"]},
        )
        content._check_names()
        return content

    def _check_names(self) -> None:
        """Raise BadRequest unless what the records name is there, once, under names that the store could have given."""
        named = [record["owner"] for record in (*self.files, *self.datasets, *self.functions)]
        named += [member for organization in self.organizations for member in organization["members"]]
        strangers = [name for name in named if name not in self.users]
        if strangers:
            raise BadRequest(f"its records name {strangers[0]!r}, who is not one of its users.")
        for name, ids in self.ids().items():
            odd = [each for each, count in Counter(ids).items() if count > 1 or not _ID.fullmatch(each)]
            if odd:  # an id becomes part of the names of files
                raise BadRequest(f"its {name} have an id that is no id, or is there twice: {odd[0]!r}.")
        aliases = Counter((r["organization"], r["kind"], r["alias"]) for r in self.functions if r["alias"] is not None)
        twice = [alias for (_, _, alias), count in aliases.items() if count > 1]
        if twice:
            raise BadRequest(f"its functions have the alias {twice[0]!r} twice.")
        of_files = {table["table"] for record in self.files for table in record["tables"]}
        of_datasets = {record[which] for record in self.datasets for which in ("edges", "nodes")} - {None}
        if of_files | of_datasets != self.tables.keys() or not all(map(_DIGEST.fullmatch, self.tables)):
            raise BadRequest("the tables that it describes are not those that its records use.")

    def ids(self) -> dict[str, list[str]]:
        """Return the ids of files, datasets and functions."""
        of = {"files": self.files, "datasets": self.datasets, "functions": self.functions}
        return {name: [record["id"] for record in records] for name, records in of.items()}


_TEXT_OR_NOT = (str, NoneType)
_OWNED = {"id": str, "owner": str, "organization": _TEXT_OR_NOT, "created": float, "updated": float}
_SHAPES: Mapping[str, Mapping[str, Any]] = {
    "organizations": {"name": str, "members": list},
    "files": {
        **_OWNED, "name": str, "description": str, "file_type": str, "file_compression": str, "parser_options": dict,
        "tables": list,
    },
    "datasets": {
        **_OWNED, "body": dict, "mode": _TEXT_OR_NOT, "invited_users": list, "complete": bool, "edges": _TEXT_OR_NOT,
        "nodes": _TEXT_OR_NOT,
    },
    "functions": {
        **_OWNED, "organization": str, "kind": str, "alias": _TEXT_OR_NOT, "name": str, "description": str,
        "enabled": bool, "dataset_id": _TEXT_OR_NOT, "definition": dict,
    },
    "tables": {"sha256": str, "format": str, "rows": int, "dtypes": dict},
}  # fmt: skip


def _check(record: Any, what: str, shape: Mapping[str, Any]) -> None:
    """Raise BadRequest unless a record has these fields and no others, of these types."""
    if not isinstance(record, dict) or record.keys() != shape.keys():
        raise BadRequest(f"a {what} must have the fields {', '.join(shape)}.")
    fields = Fields(record, what)
    for name, kind in shape.items():
        if not isinstance(record[name], kind):
            raise BadRequest(f"the field {name!r} of a {what} cannot be {record[name]!r:.100}.")
        if isinstance(record[name], str):
            fields.text(name)
        if kind is float:
            _check_time(name, record[name])


def _check_time(name: str, seconds: float) -> None:
    try:
        iso(seconds)
    except (ValueError, OverflowError, OSError) as e:
        raise BadRequest(f"the field {name!r} of a record must be a time in seconds since 1970, not {seconds}.") from e


def _check_dataset(record: Record) -> None:
    """Hold what clients once sent against what they may send."""
    sent = {"obj_pk": record["id"], "mode": record["mode"], "invited_users": record["invited_users"]}
    wire.Share.decode({}, HttpRequest("POST", wire.Share.path, body=json.dumps(sent).encode()))
    body = json.dumps(record["body"]).encode()
    wire.DatasetCreate.decode({}, HttpRequest("POST", wire.DatasetCreate.path, body=body))


def _check_function(record: Record) -> None:
    """Hold what clients once sent against what they may send."""
    sent = {**record["definition"], **{name: record[name] for name in ABOUT}}
    params = {"org": record["organization"], "kind": record["kind"]}
    try:
        made = wire.FunctionCreate.decode(params, HttpRequest("POST", "", body=json.dumps(sent).encode()))
    except NotFound as e:
        raise BadRequest(e.message) from e
    if made.definition != record["definition"]:
        raise BadRequest(f"the definition of the function {record['id']} has a field that is none.")


def _check_file(folder: Path, digest: str, described: Record) -> None:
    path = _place(folder, digest, described["format"])
    try:
        same = _digest_of_file(path) == digest
    except OSError as e:
        raise BadRequest(f"its table {path.name} cannot be read ({e.strerror or e}).") from e
    if not same:
        raise BadRequest(
            f"its table {path.name} was cut short or changed after it was written (its sha256 is another)."
        )


def _read_table(folder: Path, digest: str, described: Record) -> pa.Table:
    import pyarrow as pa

    path = _place(folder, digest, described["format"])
    try:
        table = readers.parse(path, described["format"])
    except InvalidTable as e:
        raise BadRequest(f"its table {path.name} is none: {e.message}") from e
    return pa.Table.from_arrays(table.columns, names=table.column_names)


def _check_table(table: StoredTable, digest: str, described: Record) -> None:
    if (table.rows, dict(table.dtypes)) != (described["rows"], described["dtypes"]):
        raise BadRequest(f"its table {digest} does not have the rows and columns that the {_MANIFEST} says.")


def _refuse_known(store: Store, content: _Content) -> None:
    """Raise BadRequest when a file, dataset or function of the export is here already."""
    for record in content.functions:
        query = "SELECT 1 FROM functions WHERE org = ? AND kind = ? AND alias = ?"
        if store.one(query, record["organization"], record["kind"], record["alias"]) is not None:
            raise BadRequest(f"a function {record['alias']!r} is here already: change its alias, or delete it.")
    for name, ids in content.ids().items():
        for each in ids:
            if store.one(f"SELECT 1 FROM {name} WHERE id = ?", each) is not None:
                raise BadRequest(
                    f"one of its {name}, {each}, is here already: delete it, or import into another data directory."
                )


def _insert(store: Store, db: sqlite3.Connection, content: _Content, stored: Mapping[str | None, StoredTable]) -> None:
    """Record everything, within a transaction."""
    db.executemany("INSERT OR IGNORE INTO users (username) VALUES (?)", [(name,) for name in content.users])
    users = {row["username"]: row["id"] for row in db.execute("SELECT * FROM users")}
    for table in stored.values():
        store.record_table(db, table)
    for organization in content.organizations:
        members = [(organization["name"], users[name]) for name in organization["members"]]
        db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", members)
    for record in content.files:
        _insert_file(db, record, users, [(sheet["name"], stored[sheet["table"]].id) for sheet in record["tables"]])
    for record in content.datasets:
        tables = {which: stored[record[which]].id for which in ("edges", "nodes") if record[which] is not None}
        _insert_row(db, "datasets", {
            **_owned(record, users), "body": json.dumps(record["body"]), "mode": record["mode"],
            "invited": json.dumps(record["invited_users"]), "complete": record["complete"], **tables,
        })  # fmt: skip
    for record in content.functions:
        about = {name: record[name] for name in ("kind", *ABOUT)}
        definition = json.dumps(record["definition"])
        _insert_row(db, "functions", {**_owned(record, users), **about, "definition": definition})


def _insert_file(
    db: sqlite3.Connection, record: Record, users: Mapping[str, int], tables: list[tuple[str, str]]
) -> None:
    about = {name: record[name] for name in ("name", "description", "file_type")}
    first = tables[0][1] if tables else None
    _insert_row(db, "files", {**_owned(record, users), **about, "table_id": first})
    options = (record["id"], record["file_compression"], json.dumps(record["parser_options"]))
    db.execute("INSERT INTO file_options VALUES (?, ?, ?)", options)
    sheets = [(record["id"], position, name, table_id) for position, (name, table_id) in enumerate(tables)]
    db.executemany("INSERT INTO sheets VALUES (?, ?, ?, ?)", sheets)


def _owned(record: Record, users: Mapping[str, int]) -> Record:
    owner, organization = users[record["owner"]], record["organization"]
    return {"id": record["id"], "owner": owner, "org": organization, **{n: record[n] for n in ("created", "updated")}}


def _insert_row(db: sqlite3.Connection, table: str, values: Record) -> None:
    places = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", [*values.values()])
