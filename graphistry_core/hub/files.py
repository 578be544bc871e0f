"""The Hub's operations on files: tables that datasets are made of. May import wire, records and store."""

from __future__ import annotations

import json
import sqlite3
import uuid
from typing import Any

from .. import wire
from ..errors import BadRequest, InvalidTable, NotFound
from ..table_options import Reading, reading
from .accounts import Caller
from .records import Records, iso
from .store import StoredTable


class FileOperations(Records):
    """One method per operation of ``wire/files.py``."""

    def file_create(self, request: wire.FileCreate, caller: Caller) -> wire.FileAnswer:
        """Declare a file; options that no upload could use are refused now."""
        self.accounts.require_org(caller, request.org_name)
        reading(request.file_type, request.parser_options)
        file_id, now = uuid.uuid4().hex, self.accounts.clock.now()
        values = (file_id, caller.user_id, request.org_name, request.name, request.description, request.file_type)
        options = (file_id, request.file_compression, json.dumps(dict(request.parser_options)))
        with self.store.transaction() as db:
            columns = "id, owner, org, name, description, file_type, created, updated"
            db.execute(f"INSERT INTO files ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, now, now))
            db.execute("INSERT INTO file_options VALUES (?, ?, ?)", options)
        return self._file_answer(self._file(file_id))

    def file_upload(self, request: wire.FileUpload, caller: Caller) -> wire.FileAnswer:
        """Store a file's table. Content that does not parse is an answer with ``is_valid`` False, and not stored."""
        file = self._file(request.file_id, fresh=True)
        self._require_owner(file, caller, "file")
        how = self._reading(file, request)
        try:
            found = self.store.add_tables(request.body, file["file_type"], how)
        except InvalidTable as e:
            return wire.FileAnswer(file["id"], {"error": e.message, "message": e.message}, False, False, (e.message,))
        fresh = [table.id for _, table in found]
        with self.store.transaction() as db:
            row = db.execute("SELECT id FROM files WHERE id = ?", (file["id"],)).fetchone()
            old = fresh if row is None else self._replace_tables(db, file["id"], found)
        self.store.drop_table(*old)
        return self._file_answer(self._file(file["id"]))

    def _reading(self, file: sqlite3.Row, request: wire.FileUpload) -> Reading:
        """Return how to read an upload: what the file was declared with, and over it what the upload says."""
        declared = self._declared(file)
        options = {"compression": declared["compression"], **declared["options"], **request.options}
        return reading(file["file_type"], options, request.content_encoding)

    def _declared(self, file: sqlite3.Row) -> dict[str, Any]:
        row = self.store.one("SELECT * FROM file_options WHERE file_id = ?", file["id"])
        if row is None:
            return {"compression": "", "options": {}}
        return {"compression": row["compression"], "options": json.loads(row["options"])}

    def _replace_tables(self, db: sqlite3.Connection, file_id: str, found: list[tuple[str, StoredTable]]) -> list[str]:
        """Give a file its tables, within a transaction; return the ids of those that it had before."""
        query = "SELECT table_id FROM files WHERE id = ?1 UNION SELECT table_id FROM sheets WHERE file_id = ?1"
        old = [row["table_id"] for row in db.execute(query, (file_id,)) if row["table_id"] is not None]
        db.execute("DELETE FROM sheets WHERE file_id = ?", (file_id,))
        for position, (name, table) in enumerate(found):
            self.store.record_table(db, table)
            db.execute("INSERT INTO sheets VALUES (?, ?, ?, ?)", (file_id, position, name, table.id))
        first = found[0][1].id if found else None
        values = (first, self.accounts.clock.now(), file_id)
        db.execute("UPDATE files SET table_id = ?, updated = ? WHERE id = ?", values)
        return old

    def file_get(self, request: wire.FileGet, caller: Caller) -> wire.FileAnswer:
        """Return the record of one of the caller's files; others may make datasets from it, but not read its record."""
        file = self._file(request.file_id)
        self._require_owner(file, caller, "file")
        return self._file_answer(file)

    def file_patch(self, request: wire.FilePatch, caller: Caller) -> wire.FileAnswer:
        """Change a file's name or description."""
        file = self._file(request.file_id, fresh=True)
        self._require_owner(file, caller, "file")
        with self.store.transaction() as db:
            query = "UPDATE files SET name = coalesce(?, name), description = coalesce(?, description), updated = ?"
            values = (request.name, request.description, self.accounts.clock.now(), file["id"])
            db.execute(f"{query} WHERE id = ?", values)
        return self._file_answer(self._file(file["id"]))

    def file_list(self, request: wire.FileList, caller: Caller) -> wire.Page:
        """List the caller's files, newest first."""
        self.store.refresh()
        rows, page_of = self._page("files", "owner = ?", (caller.user_id,), request)
        return page_of([{**self._file_record(row), "file_id": row["id"]} for row in rows])

    def file_delete(self, request: wire.FileDelete, caller: Caller) -> wire.OkAnswer:
        """Delete a file."""
        file = self._file(request.file_id, fresh=True)
        self._require_owner(file, caller, "file")
        with self.store.transaction() as db:
            old = self._replace_tables(db, file["id"], [])
            db.execute("DELETE FROM file_options WHERE file_id = ?", (file["id"],))
            db.execute("DELETE FROM files WHERE id = ?", (file["id"],))
        self.store.drop_table(*old)
        return wire.OkAnswer("File deleted", {"file_id": file["id"]})

    def _file(self, file_id: str, *, fresh: bool = False) -> sqlite3.Row:
        row = self._row("files", file_id, fresh=fresh)
        if row is None:
            raise NotFound(
                f"There is no file {file_id!r} on this server. Was it uploaded to another server, or before a reset? "
                "PyGraphistry remembers file ids by content in one process-wide cache, whatever the server: upload "
                "with memoize=False, or restart the client."
            )
        return row

    def _tables(self, file: sqlite3.Row) -> list[tuple[str, StoredTable]]:
        """Return the (name, table) pairs of a file, in order; none before its upload."""
        sheets = self.store.all("SELECT name, table_id FROM sheets WHERE file_id = ? ORDER BY position", file["id"])
        named = [(row["name"], row["table_id"]) for row in sheets] or [("", file["table_id"])]
        found = [(name or file["name"], self.store.table_record(table_id)) for name, table_id in named]
        return [(name, table) for name, table in found if table is not None]

    def _file_table(self, file_id: str, index: int) -> StoredTable:
        """Return one table of a file; raise BadRequest when it is not there."""
        file = self._file(file_id, fresh=True)
        tables = self._tables(file)
        if not tables:
            raise BadRequest(f"The file {file['id']} has no content yet: upload it before creating the dataset.")
        if index >= len(tables):
            raise BadRequest(f"The file {file['id']} has no table {index}; it has {len(tables)}, counted from 0.")
        return tables[index][1]

    def _file_record(self, row: sqlite3.Row) -> dict[str, Any]:
        tables, declared = self._tables(row), self._declared(row)
        return {
            "name": row["name"],
            "description": row["description"],
            "file_type": row["file_type"],
            "file_compression": declared["compression"],
            "parser_options": declared["options"],
            "author": row["owner"],
            "created_at": iso(row["created"]),
            "updated_at": iso(row["updated"]),
            "bytes_count": sum(table.bytes for _, table in tables),
            "tables_schemas": [table.schema(name) for name, table in tables],
        }

    def _file_answer(self, row: sqlite3.Row) -> wire.FileAnswer:
        uploaded = row["table_id"] is not None
        return wire.FileAnswer(row["id"], self._file_record(row), uploaded, uploaded)
