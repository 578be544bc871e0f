"""Files, datasets and who may see them: SQLite for the records, Arrow IPC files for the tables.

A table is written under a temporary name and renamed, and only then recorded, so a killed process leaves either a
whole table with its record or nothing that is ever read. Tables never change: new content is a new table, and a
task goes on with the one it has. Survives the death of the process at any moment; a power cut may lose the last
seconds. May import errors, wire, frames and readers.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sqlite3
import tempfile
import threading
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .. import frames, readers
from ..errors import ConfigError, InvalidTable, ServerError

if TYPE_CHECKING:
    import pyarrow as pa

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS members (org TEXT NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (org, user_id));
CREATE TABLE IF NOT EXISTS tables (
    id TEXT PRIMARY KEY, rows INTEGER NOT NULL, dtypes TEXT NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL, org TEXT,
    name TEXT NOT NULL, description TEXT NOT NULL, file_type TEXT NOT NULL, created REAL NOT NULL,
    updated REAL NOT NULL, table_id TEXT);
CREATE TABLE IF NOT EXISTS datasets (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL, org TEXT,
    body TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL, mode TEXT, invited TEXT NOT NULL DEFAULT '[]',
    edges TEXT, nodes TEXT, complete INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS datasets_owner ON datasets (owner);
CREATE INDEX IF NOT EXISTS files_owner ON files (owner);
"""
_CHUNK = 1 << 18


@dataclass(frozen=True)
class StoredTable:
    """The record of one table at rest: ``bytes`` on disk, ``dtypes`` by column in Arrow's words."""

    id: str
    rows: int
    dtypes: Mapping[str, str]
    bytes: int

    def schema(self, name: str = "") -> dict[str, Any]:
        """Return the table's description as the protocol's answers give it."""
        return {"name": name, "dtypes": dict(self.dtypes), "num_cols": len(self.dtypes), "num_rows": self.rows}


@dataclass(frozen=True)
class Snapshot:
    """All records of a store at one moment, in memory, and the tables they need, which stay on disk for it."""

    records: sqlite3.Connection
    tables: frozenset[str]


class Store:
    """A directory of tables and the database beside it; temporary (gone at exit) when no directory is named."""

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self.temporary = directory is None
        try:
            root = Path(tempfile.mkdtemp(prefix="graphistry-core-") if directory is None else directory).absolute()
            for folder in (root, root / "tables", root / "incoming"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root = root
            self._lock_file = _lock(root)
            self._db = _open_database(root / "graphistry.db", durable=not self.temporary)
        except (OSError, sqlite3.Error) as e:
            raise ConfigError(f"The data directory {directory} cannot be used: {e}.") from e
        self._lock = threading.RLock()
        self._kept: list[Snapshot] = []
        self._finalizer = weakref.finalize(self, _dispose, self._db, self._lock_file, root if self.temporary else None)
        if self._lock_file is not None:
            self._sweep()

    def close(self) -> None:
        """Close the database; a temporary directory is removed."""
        for snapshot in self._kept:
            snapshot.records.close()
        self._finalizer()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the database to one thread; all statements of the block take effect together or not at all."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def one(self, query: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        with self._lock:
            row = self._db.execute(query, values).fetchone()
        return row if isinstance(row, sqlite3.Row) else None

    def all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def secret(self) -> bytes:
        """Return this directory's signing key, 32 random bytes, made on first use and readable by its owner only."""
        path = self.root / "secret.key"
        if not path.exists():
            fresh = self.root / "incoming" / f"{uuid.uuid4().hex}.key"
            with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
            with contextlib.suppress(FileExistsError):  # another process was first: its key counts
                os.link(fresh, path)
            _unlink(fresh)
        key = path.read_bytes()
        if len(key) != 32:
            raise ConfigError(f"{path} is damaged; delete it (tokens given out so far become invalid).")
        return key

    def reset(self) -> None:
        """Forget every record and table; the signing key stays."""
        with self.transaction() as db:
            for table in ("users", "members", "files", "datasets", "tables"):
                db.execute(f"DELETE FROM {table}")
        with self._lock:
            for path in (self.root / "tables").iterdir():
                self._remove(path.stem)

    # --- snapshots ---

    def snapshot(self) -> Snapshot:
        """Return what is recorded now; hand it back with :meth:`release` when it is not needed any more."""
        with self._lock:
            records = sqlite3.connect(":memory:", check_same_thread=False)
            self._db.backup(records)
            snapshot = Snapshot(records, self._table_ids())
            self._kept.append(snapshot)
        return snapshot

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot, which stays good; tables that came later are deleted."""
        with self._lock:
            later = self._table_ids() - snapshot.tables
            snapshot.records.backup(self._db)
            for table_id in later:
                self._remove(table_id)

    def release(self, snapshot: Snapshot) -> None:
        """Forget a snapshot, and the tables that only it still needed."""
        with self._lock:
            self._kept.remove(snapshot)
            snapshot.records.close()
            for table_id in snapshot.tables - self._table_ids():
                self._remove(table_id)

    def _table_ids(self) -> frozenset[str]:
        return frozenset(row["id"] for row in self.all("SELECT id FROM tables"))

    def _remove(self, table_id: str) -> None:
        """Delete a table's file unless a snapshot still needs it."""
        if not any(table_id in snapshot.tables for snapshot in self._kept):
            _unlink(self._path(table_id))

    # --- tables ---

    def add_table(self, body: Any, kind: str = "arrow") -> StoredTable:
        """Store a table from a stream, bytes or a ``pyarrow.Table``; raise InvalidTable and store nothing.

        The table is on disk afterwards but belongs to nobody: record it with a file or dataset, or drop it.
        """
        table_id = uuid.uuid4().hex
        raw = self.root / "incoming" / f"{table_id}.raw"
        ready = self.root / "incoming" / f"{table_id}.arrow"
        try:
            body = getattr(body, "table", body)  # what a client in this process would send
            if hasattr(body, "schema"):
                table = body
            else:
                _receive(body, raw)
                table = readers.parse(raw, kind)
            table = frames.at_rest(table)
            frames.check_readable(table)
            mapped = None if hasattr(body, "schema") or kind != "arrow" else readers.mapped_in_place(raw)
            if mapped is not None and frames.is_at_rest(mapped):
                os.replace(raw, ready)
            else:
                _write(table, ready)
            stored = StoredTable(table_id, table.num_rows, frames.dtypes(table), ready.stat().st_size)
            os.replace(ready, self._path(table_id))
        except OSError as e:
            raise ServerError(f"The data directory cannot take the table: {e.strerror or e}.") from e
        finally:
            _unlink(raw)
            _unlink(ready)
        return stored

    def record_table(self, db: sqlite3.Connection, table: StoredTable) -> None:
        """Record a stored table, inside the transaction that gives it an owner."""
        values = (table.id, table.rows, json.dumps(dict(table.dtypes)), table.bytes)
        db.execute("INSERT OR IGNORE INTO tables VALUES (?, ?, ?, ?)", values)

    def table_record(self, table_id: str | None) -> StoredTable | None:
        """Return the record of a table, or None."""
        row = None if table_id is None else self.one("SELECT * FROM tables WHERE id = ?", table_id)
        return None if row is None else StoredTable(row["id"], row["rows"], json.loads(row["dtypes"]), row["bytes"])

    def open_table(self, table_id: str) -> pa.Table:
        """Map a stored table."""
        return frames.map_arrow(self._path(table_id))

    def drop_table(self, *table_ids: str | None) -> None:
        """Delete tables that no file and no dataset uses any more; readers of a mapped one are not disturbed."""
        for table_id in filter(None, table_ids):
            with self.transaction() as db:
                query = (
                    "SELECT 1 FROM files WHERE table_id = ?1 UNION SELECT 1 FROM datasets WHERE ?1 IN (edges, nodes)"
                )
                if db.execute(query, (table_id,)).fetchone() is None:
                    db.execute("DELETE FROM tables WHERE id = ?", (table_id,))
                    self._remove(table_id)

    def _path(self, table_id: str) -> Path:
        return self.root / "tables" / f"{table_id}.arrow"

    def _sweep(self) -> None:
        """Remove what a killed process left; only when no other process has the directory open."""
        if not _try_exclusive(self._lock_file):
            return
        known = {row["id"] for row in self.all("SELECT id FROM tables")}
        for path in (self.root / "incoming").iterdir():
            _unlink(path)
        for path in (self.root / "tables").iterdir():
            if path.stem not in known:
                _unlink(path)
        _share(self._lock_file)


def _open_database(path: Path, *, durable: bool) -> sqlite3.Connection:
    """Open the records, waiting for another process that is setting them up at the same moment."""
    db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
    db.row_factory = sqlite3.Row
    deadline = time.monotonic() + 30
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")  # does not wait for a lock by itself
            break
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    db.execute(f"PRAGMA synchronous={'NORMAL' if durable else 'OFF'}")
    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    return db


def _receive(body: bytes | BinaryIO, path: Path) -> None:
    """Write a body to disk as it comes, through one buffer."""
    with path.open("wb", buffering=0) as file:
        if isinstance(body, bytes):
            file.write(body)
            return
        room = memoryview(bytearray(_CHUNK))
        while count := body.readinto(room):  # type: ignore[attr-defined]
            file.write(room[:count])


def _write(table: pa.Table, path: Path) -> None:
    import pyarrow as pa

    try:
        frames.write_arrow(table, path)
    except (pa.ArrowException, ValueError) as e:
        raise InvalidTable(f"The table cannot be stored: {' '.join(str(e).split())[:300]}.") from e


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):  # still mapped on Windows: the next start sweeps it
        path.unlink(missing_ok=True)


def _dispose(db: sqlite3.Connection, lock_file: int | None, remove: Path | None) -> None:
    db.close()
    if lock_file is not None:
        os.close(lock_file)
    if remove is not None:
        shutil.rmtree(remove, ignore_errors=True)


def _lock(root: Path) -> int | None:
    """Hold the directory open with a shared lock, where the platform has such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(root / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _try_exclusive(descriptor: int | None) -> bool:
    import fcntl

    assert descriptor is not None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # a failed conversion may have dropped the shared lock
        return False
    return True


def _share(descriptor: int | None) -> None:
    import fcntl

    assert descriptor is not None
    fcntl.flock(descriptor, fcntl.LOCK_SH)
