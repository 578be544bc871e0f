"""The Hub's operations on files: tables that datasets are made of. May import wire, records and store."""

from __future__ import annotations

import sqlite3
import uuid
from typing import Any

from .. import wire
from ..errors import InvalidTable, NotFound
from .accounts import Caller
from .records import Records, iso, text


class FileOperations(Records):
    """One method per operation of ``wire/files.py``."""

    def file_create(self, request: wire.FileCreate, caller: Caller) -> wire.FileAnswer:
        """Declare a file."""
        self.accounts.require_org(caller, request.org_name)
        file_id, now = uuid.uuid4().hex, self.accounts.clock.now()
        values = (file_id, caller.user_id, request.org_name, request.name, request.description, request.file_type)
        with self.store.transaction() as db:
            columns = "id, owner, org, name, description, file_type, created, updated"
            db.execute(f"INSERT INTO files ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, now, now))
        return self._file_answer(self._file(file_id))

    def file_upload(self, request: wire.FileUpload, caller: Caller) -> wire.FileAnswer:
        """Store a file's table. Content that does not parse is an answer with ``is_valid`` False, and not stored."""
        file = self._file(request.file_id)
        self._require_owner(file, caller, "file")
        try:
            table = self.store.add_table(request.body, file["file_type"])
        except InvalidTable as e:
            return wire.FileAnswer(file["id"], {"error": e.message, "message": e.message}, False, False, (e.message,))
        with self.store.transaction() as db:
            row = db.execute("SELECT table_id FROM files WHERE id = ?", (file["id"],)).fetchone()
            if row is not None:
                self.store.record_table(db, table)
                values = (table.id, self.accounts.clock.now(), file["id"])
                db.execute("UPDATE files SET table_id = ?, updated = ? WHERE id = ?", values)
        self.store.drop_table(table.id if row is None else row["table_id"])
        return self._file_answer(self._file(file["id"]))

    def file_list(self, request: wire.FileList, caller: Caller) -> wire.Page:
        """List the caller's files, newest first."""
        rows, page_of = self._page("files", "owner = ?", (caller.user_id,), request)
        return page_of([{**self._file_record(row), "file_id": row["id"]} for row in rows])

    def file_delete(self, request: wire.FileDelete, caller: Caller) -> wire.OkAnswer:
        """Delete a file."""
        file = self._file(request.file_id)
        self._require_owner(file, caller, "file")
        with self.store.transaction() as db:
            db.execute("DELETE FROM files WHERE id = ?", (file["id"],))
        self.store.drop_table(file["table_id"])
        return wire.OkAnswer("File deleted", {"file_id": file["id"]})

    def _file(self, file_id: str) -> sqlite3.Row:
        row = self.store.one("SELECT * FROM files WHERE id = ?", text(file_id))
        if row is None:
            raise NotFound(
                f"There is no file {file_id!r} on this server. Was it uploaded to another server, or before a reset? "
                "PyGraphistry remembers file ids by content in one process-wide cache, whatever the server: upload "
                "with memoize=False, or restart the client."
            )
        return row

    def _file_record(self, row: sqlite3.Row) -> dict[str, Any]:
        table = self.store.table_record(row["table_id"])
        return {
            "name": row["name"],
            "description": row["description"],
            "file_type": row["file_type"],
            "file_compression": "",
            "author": row["owner"],
            "created_at": iso(row["created"]),
            "updated_at": iso(row["updated"]),
            "bytes_count": 0 if table is None else table.bytes,
            "tables_schemas": [] if table is None else [table.schema(row["name"])],
        }

    def _file_answer(self, row: sqlite3.Row) -> wire.FileAnswer:
        uploaded = row["table_id"] is not None
        return wire.FileAnswer(row["id"], self._file_record(row), uploaded, uploaded)
