"""Files, datasets and functions as the records that servers share: from the database, into it, and which were changed.

A record is JSON: ``version``, ``id``, ``owner`` (a name), ``organization``, ``created`` and ``updated`` (seconds since
1970); of a dataset ``body``, ``mode``, ``invited_users``, ``complete``, ``edges`` and ``nodes``, of a file ``name``,
``description``, ``file_type``, ``file_compression``, ``parser_options`` and ``tables`` (``name`` and ``table`` each),
of a function the columns of its row. A table is described by ``id``, ``rows``, ``dtypes`` and ``bytes``. May import
store.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from .store import Store, StoredTable

VERSION = 1
KINDS = ("datasets", "files", "functions")
ID, TABLE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}"), re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}")
NEXT = "(SELECT coalesce(max(n), 0) + 1 FROM published)"

# ``record`` is what the storage has, as far as is known here (NULL: nothing), and ``version`` what its listing says of
# it. ``n`` counts changes; ``pending`` is one that was made here and is not published yet.
SCHEMA = """
CREATE TABLE IF NOT EXISTS published (
    kind TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL DEFAULT '', record TEXT, n INTEGER NOT NULL,
    pending INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS published_n ON published (n);
"""
_OF_FUNCTIONS = ("kind", "alias", "name", "description", "enabled", "dataset_id", "definition")
_WATCHED = {  # not 'complete': that a dataset was read is noted by each server for itself
    "datasets": ("id", "datasets", "owner, org, body, created, updated, mode, invited, edges, nodes"),
    "files": ("id", "files", "owner, org, name, description, file_type, created, updated, table_id"),
    "file_options": ("file_id", "files", "compression, options"),
    "sheets": ("file_id", "files", "position, name, table_id"),
    "functions": ("id", "functions", f"owner, org, created, updated, {', '.join(_OF_FUNCTIONS)}"),
}


def triggers() -> str:
    """Return the statements that note which records a transaction changes."""
    made = []
    for table, (column, kind, fields) in _WATCHED.items():
        for event, row in (("INSERT", "NEW"), (f"UPDATE OF {fields}", "NEW"), ("DELETE", "OLD")):
            made.append(
                f"CREATE TRIGGER IF NOT EXISTS {table}_{event[:6].lower()} AFTER {event} ON {table} BEGIN "
                f"INSERT INTO published (kind, id, n, pending) VALUES ('{kind}', {row}.{column}, {NEXT}, 1) "
                f"ON CONFLICT (kind, id) DO UPDATE SET pending = 1, n = {NEXT}; END;"
            )
    return "\n".join(made)


def read(db: sqlite3.Connection, kind: str, record_id: str) -> dict[str, Any] | None:
    """Return a record as it is published, from the database; None when it is not there."""
    row = db.execute(f"SELECT * FROM {kind} WHERE id = ?", (record_id,)).fetchone()
    if row is None:
        return None
    owner = db.execute("SELECT username FROM users WHERE id = ?", (row["owner"],)).fetchone()
    common = {
        "version": VERSION,
        "id": record_id,
        "owner": "" if owner is None else owner["username"],
        "organization": row["org"],
        "created": row["created"],
        "updated": row["updated"],
    }
    if kind == "datasets":
        return {
            **common,
            "body": json.loads(row["body"]),
            "mode": row["mode"],
            "invited_users": json.loads(row["invited"]),
            "complete": bool(row["complete"]),
            "edges": _described(db, row["edges"]),
            "nodes": _described(db, row["nodes"]),
        }
    if kind == "functions":
        about = {name: row[name] for name in _OF_FUNCTIONS}
        return {**common, **about, "enabled": bool(row["enabled"]), "definition": json.loads(row["definition"])}
    options = db.execute("SELECT * FROM file_options WHERE file_id = ?", (record_id,)).fetchone()
    sheets = db.execute("SELECT * FROM sheets WHERE file_id = ? ORDER BY position", (record_id,)).fetchall()
    named = [(sheet["name"], sheet["table_id"]) for sheet in sheets] or [("", row["table_id"])]
    tables = [(name, _described(db, table_id)) for name, table_id in named]
    return {
        **common,
        **{name: row[name] for name in ("name", "description", "file_type")},
        "file_compression": "" if options is None else options["compression"],
        "parser_options": {} if options is None else json.loads(options["options"]),
        "tables": [{"name": name, "table": table} for name, table in tables if table is not None],
    }


def write(db: sqlite3.Connection, kind: str, record: Mapping[str, Any], *, was_complete: bool) -> None:
    """Put a record into the database, in place of the one of its id, which keeps its place among the others."""
    db.execute("INSERT OR IGNORE INTO users (username) VALUES (?)", (record["owner"],))
    owner = db.execute("SELECT id FROM users WHERE username = ?", (record["owner"],)).fetchone()["id"]
    values: dict[str, Any] = {
        "id": record["id"], "owner": owner, "org": record["organization"], "created": record["created"],
        "updated": record["updated"],
    }  # fmt: skip
    if kind == "datasets":
        tables = [(which, record[which]) for which in ("edges", "nodes")]
        values |= {which: None if table is None else table["id"] for which, table in tables}
        values |= {"body": json.dumps(record["body"]), "mode": record["mode"]}
        values |= {"invited": json.dumps(record["invited_users"]), "complete": record["complete"] or was_complete}
    elif kind == "functions":
        tables = []
        values |= {name: record[name] for name in _OF_FUNCTIONS} | {"definition": json.dumps(record["definition"])}
    else:
        tables = [(sheet["name"], sheet["table"]) for sheet in record["tables"]]
        values |= {name: record[name] for name in ("name", "description", "file_type")}
        values["table_id"] = tables[0][1]["id"] if tables else None
    for _, table in tables:
        if table is not None:
            Store.record_table(db, StoredTable(table["id"], table["rows"], table["dtypes"], table["bytes"]))
    places, updates = ", ".join("?" * len(values)), ", ".join(f"{name} = excluded.{name}" for name in values)
    query = f"INSERT INTO {kind} ({', '.join(values)}) VALUES ({places}) ON CONFLICT (id) DO UPDATE SET {updates}"
    db.execute(query, [*values.values()])
    if kind == "files":
        options = (record["id"], record["file_compression"], json.dumps(record["parser_options"]))
        db.execute("INSERT OR REPLACE INTO file_options VALUES (?, ?, ?)", options)
        db.execute("DELETE FROM sheets WHERE file_id = ?", (record["id"],))
        rows = [(record["id"], position, name, table["id"]) for position, (name, table) in enumerate(tables)]
        db.executemany("INSERT INTO sheets VALUES (?, ?, ?, ?)", rows)


def _described(db: sqlite3.Connection, table_id: str | None) -> dict[str, Any] | None:
    row = db.execute("SELECT * FROM tables WHERE id = ?", (table_id,)).fetchone()
    if row is None:
        return None
    return {"id": row["id"], "rows": row["rows"], "dtypes": json.loads(row["dtypes"]), "bytes": row["bytes"]}


def delete(db: sqlite3.Connection, kind: str, record_id: str) -> None:
    """Delete a file, a dataset or a function from the database; tables stay."""
    db.execute(f"DELETE FROM {kind} WHERE id = ?", (record_id,))
    if kind == "files":
        for table in ("file_options", "sheets"):
            db.execute(f"DELETE FROM {table} WHERE file_id = ?", (record_id,))


def tables_of(kind: str, record: Mapping[str, Any]) -> set[str]:
    """Return the ids of the tables that a record names."""
    if kind == "datasets":
        return {record[which]["id"] for which in ("edges", "nodes") if record[which] is not None}
    return {sheet["table"]["id"] for sheet in record.get("tables", ())}


_FIELDS: Mapping[str, dict[str, Any]] = {
    "datasets": {"body": dict, "mode": (str, type(None)), "invited_users": list, "complete": bool},
    "files": {
        "name": str, "description": str, "file_type": str, "file_compression": str, "parser_options": dict,
        "tables": list,
    },
    "functions": {
        "organization": str, "kind": str, "alias": (str, type(None)), "name": str, "description": str,
        "enabled": bool, "dataset_id": (str, type(None)), "definition": dict,
    },
}  # fmt: skip


def check(record: Any, kind: str, record_id: str) -> None:
    """Raise ValueError, TypeError or KeyError unless this is a record as it is published."""
    seconds, text = (int, float), (str, type(None))
    common: dict[str, Any] = {"owner": str, "organization": text, "created": seconds, "updated": seconds}
    if record["version"] != VERSION or record["id"] != record_id:
        raise ValueError("of another version, or of another id")
    if not all(-6e10 < record[name] < 2e11 for name in ("created", "updated")):
        raise ValueError("no time")
    for name, wanted in (common | _FIELDS[kind]).items():
        if not isinstance(record[name], wanted):
            raise TypeError(name)
    for table in _checked_tables(kind, record):
        if not TABLE_ID.fullmatch(table["id"]):  # it becomes the name of a file
            raise ValueError("id of a table")
        whole = isinstance(table["rows"], int) and isinstance(table["bytes"], int)
        if not whole or not isinstance(table["dtypes"], dict):
            raise TypeError("table")


def _checked_tables(kind: str, record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if kind == "datasets":
        if not all(isinstance(user, dict) for user in record["invited_users"]):
            raise TypeError("invited_users")
        return [record[which] for which in ("edges", "nodes") if record[which] is not None]
    if kind == "functions":
        return []
    if not all(isinstance(sheet["name"], str) for sheet in record["tables"]):
        raise TypeError("tables")
    return [sheet["table"] for sheet in record["tables"]]
