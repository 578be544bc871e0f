"""Files, datasets and who may see them: SQLite for the records, Arrow IPC files for the tables.

A table is written under a temporary name and renamed, and only then recorded, so a killed process leaves either a
whole table with its record or nothing that is ever read. Tables never change: new content is a new table, and a
task goes on with the one it has. Survives the death of the process at any moment; a power cut may lose the last
seconds. The same on object storage is in ``shared``. May import errors, wire, frames and readers.
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
from typing import TYPE_CHECKING, Any

from .. import frames, readers
from ..errors import ConfigError, InvalidTable, ServerError
from ..table_options import Reading
from .intake import MAX_UPLOAD_BYTES, read_upload

if TYPE_CHECKING:
    import pyarrow as pa

_DATABASE = "graphistry.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS members (org TEXT NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (org, user_id));
CREATE TABLE IF NOT EXISTS tables (
    id TEXT PRIMARY KEY, rows INTEGER NOT NULL, dtypes TEXT NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL, org TEXT,
    name TEXT NOT NULL, description TEXT NOT NULL, file_type TEXT NOT NULL, created REAL NOT NULL,
    updated REAL NOT NULL, table_id TEXT);
CREATE TABLE IF NOT EXISTS file_options (file_id TEXT PRIMARY KEY, compression TEXT NOT NULL, options TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sheets (
    file_id TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, table_id TEXT NOT NULL,
    PRIMARY KEY (file_id, position));
CREATE TABLE IF NOT EXISTS datasets (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL, org TEXT,
    body TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL, mode TEXT, invited TEXT NOT NULL DEFAULT '[]',
    edges TEXT, nodes TEXT, complete INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS functions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL, org TEXT NOT NULL,
    kind TEXT NOT NULL, alias TEXT, name TEXT NOT NULL, description TEXT NOT NULL, enabled INTEGER NOT NULL,
    dataset_id TEXT, definition TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL);
CREATE INDEX IF NOT EXISTS functions_alias ON functions (org, kind, alias);
CREATE INDEX IF NOT EXISTS datasets_owner ON datasets (owner);
CREATE INDEX IF NOT EXISTS files_owner ON files (owner);
"""


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

    def __init__(
        self, directory: str | os.PathLike[str] | None = None, max_upload_bytes: int = MAX_UPLOAD_BYTES
    ) -> None:
        self.max_upload_bytes = max_upload_bytes
        self.temporary = directory is None
        try:
            root = Path(tempfile.mkdtemp(prefix="graphistry-core-") if directory is None else directory).absolute()
            for folder in (root, root / "tables", root / "indexes", root / "incoming"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root = root
            self._lock_file = _lock(root)
            self._db = _open_database(root / _DATABASE, durable=not self.temporary)
        except (OSError, sqlite3.Error) as e:
            raise ConfigError(f"The data directory {directory} cannot be used: {e}.") from e
        self._lock = threading.RLock()
        self._kept: list[Snapshot] = []
        self._finalizer = weakref.finalize(
            self, _dispose, os.getpid(), self._db, self._lock_file, root if self.temporary else None
        )
        if self._lock_file is not None:
            self._sweep()

    @classmethod
    def existing(cls, directory: str | os.PathLike[str]) -> Store:
        """Open a directory that a store has been in before; raise ConfigError for any other."""
        if not (Path(directory) / _DATABASE).is_file():
            raise ConfigError(f"{directory} is not the data directory of a server: there is no {_DATABASE} in it.")
        return cls(directory)

    def described(self) -> str:
        """Say where the data is, in words."""
        return str(self.root)

    def close(self) -> None:
        """Close the database; a temporary directory is removed."""
        for snapshot in self._kept:
            snapshot.records.close()
        self._finalizer()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the database to one thread; all statements of the block take effect together or not at all.

        Raises ServerError, with nothing changed, where the disk is full or the database cannot be written.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as e:
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                if isinstance(e, sqlite3.OperationalError):
                    raise ServerError(f"The data directory cannot take the records: {e}.") from e
                raise

    def one(self, query: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        with self._lock:
            row = self._db.execute(query, values).fetchone()
        return row if isinstance(row, sqlite3.Row) else None

    def all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def refresh(self) -> None:
        """Take in what other servers did that share the data. A directory has nothing to take in."""

    def fetch_record(self, kind: str, record_id: str) -> None:
        """Take in what other servers did to one record of ``'datasets'``, ``'files'`` or ``'functions'``."""

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
            for table in ("users", "members", "files", "file_options", "sheets", "datasets", "functions", "tables"):
                db.execute(f"DELETE FROM {table}")
        with self._lock:
            for path in (self.root / "tables").iterdir():
                self._remove(path.stem)

    # --- snapshots ---

    def snapshot(self) -> Snapshot:
        """Return what is recorded now; hand it back with :meth:`release` when it is not needed any more."""
        with self._lock:
            records = sqlite3.connect(":memory:", check_same_thread=False)
            records.row_factory = sqlite3.Row
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
            self._remove_indexes(table_id)

    def _remove_indexes(self, table_id: str) -> None:
        for folder in (self.root / "indexes").iterdir():
            if table_id in folder.name.split("."):
                shutil.rmtree(folder, ignore_errors=True)

    # --- tables ---

    def add_table(self, body: Any, kind: str = "arrow", reading: Reading | None = None) -> StoredTable:
        """Store one table (of a workbook the first); see :meth:`add_tables`."""
        (_, first), *others = self.add_tables(body, kind, reading)
        self.drop_table(*(table.id for _, table in others))
        return first

    def add_tables(
        self, body: Any, kind: str = "arrow", reading: Reading | None = None
    ) -> list[tuple[str, StoredTable]]:
        """Store the tables in a stream, bytes or a ``pyarrow.Table``: (name, table), several only of a workbook.

        They are on disk afterwards but belong to nobody: record them with a file or dataset, or drop them. Raises
        InvalidTable or TooLarge, and then stores nothing.
        """
        work = self.root / "incoming" / uuid.uuid4().hex
        stored: list[tuple[str, StoredTable]] = []
        try:
            work.mkdir(mode=0o700)
            body = getattr(body, "table", body)  # what a client in this process would send
            plain = None
            if hasattr(body, "schema"):
                found = [("", body)]
            else:
                found, plain = read_upload(body, kind, reading or Reading(), work, self.max_upload_bytes)
            for name, table in found:
                stored.append((name, self._keep(table, plain if kind == "arrow" else None, work)))
        except BaseException as e:
            for _, table in stored:
                self._discard(table.id)
            if isinstance(e, OSError):
                raise ServerError(f"The data directory cannot take the table: {e.strerror or e}.") from e
            if isinstance(e, RecursionError):
                raise InvalidTable("the values nest too deeply for a table.") from e
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return stored

    def _keep(self, table: pa.Table, file: Path | None, work: Path) -> StoredTable:
        """Bring a table to rest under a new id; ``file`` becomes it, if it is an Arrow file in the resting shape."""
        table = frames.at_rest(table)
        frames.check_readable(table)
        mapped = None if file is None else readers.mapped_in_place(file)
        if file is not None and mapped is not None and frames.is_at_rest(mapped):
            ready = file
        else:
            ready = work / "ready.arrow"
            _write(table, ready)
        stored = StoredTable(self._new_id(ready), table.num_rows, frames.dtypes(table), ready.stat().st_size)
        self._settle(ready, stored.id)
        return stored

    def _new_id(self, file: Path) -> str:
        return uuid.uuid4().hex

    def _settle(self, file: Path, table_id: str) -> None:
        """Bring a file to where the table of this id rests."""
        os.replace(file, self._path(table_id))

    def _discard(self, table_id: str) -> None:
        """Delete a table that was never recorded."""
        _unlink(self._path(table_id))

    @staticmethod
    def record_table(db: sqlite3.Connection, table: StoredTable) -> None:
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
                    "SELECT 1 FROM files WHERE table_id = ?1 UNION SELECT 1 FROM datasets WHERE ?1 IN (edges, nodes) "
                    "UNION SELECT 1 FROM sheets WHERE table_id = ?1"
                )
                if db.execute(query, (table_id,)).fetchone() is None:
                    db.execute("DELETE FROM tables WHERE id = ?", (table_id,))
                    self._remove(table_id)

    def index_folder(self, edges: str | None, nodes: str | None, bindings: Mapping[str, str]) -> Path | None:
        """Return where the index of a graph of two stored tables is to be kept; it goes with the first of them."""
        if edges is None:
            return None
        import xxhash

        bound = xxhash.xxh3_64_hexdigest(repr(sorted(bindings.items())).encode("utf-8", "surrogatepass"))
        return self.root / "indexes" / f"{edges}.{nodes or 'none'}.{bound}"

    def partitions_place(self, table_id: str) -> str:
        """Return where the partitions of a stored table are to be kept, for Dask; they go with it."""
        return str(self.root / "indexes" / f"{table_id}.none.partitions")

    def path_of(self, table_id: str) -> Path:
        """Return where a stored table lies."""
        return self._path(table_id)

    def url_of(self, table_id: str) -> str | None:
        """Return where a stored table lies for other machines, if it does."""
        return None

    def _path(self, table_id: str) -> Path:
        return self.root / "tables" / f"{table_id}.arrow"

    def _sweep(self) -> None:
        """Remove what a killed process left; only when no other process has the directory open."""
        if not _try_exclusive(self._lock_file):
            return
        known = {row["id"] for row in self.all("SELECT id FROM tables")}
        for path in (self.root / "incoming").iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else _unlink(path)
        for path in (self.root / "tables").iterdir():
            if path.stem not in known:
                _unlink(path)
        for path in (self.root / "indexes").iterdir():
            if path.suffix == ".part" or not {part for part in path.name.split(".")[:2] if part != "none"} <= known:
                shutil.rmtree(path, ignore_errors=True)
        _share(self._lock_file)


def _open_database(path: Path, *, durable: bool) -> sqlite3.Connection:
    """Open the records, waiting for another process that is setting them up at the same moment."""
    db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
    db.row_factory = sqlite3.Row
    path.chmod(0o600)
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


def _write(table: pa.Table, path: Path) -> None:
    import pyarrow as pa

    try:
        frames.write_arrow(table, path)
    except (pa.ArrowException, ValueError) as e:
        raise InvalidTable(f"The table cannot be stored: {' '.join(str(e).split())[:300]}.") from e


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):  # still mapped on Windows: the next start sweeps it
        path.unlink(missing_ok=True)


def _dispose(owner: int, db: sqlite3.Connection, lock_file: int | None, remove: Path | None) -> None:
    if os.getpid() != owner:
        return  # a forked child: everything here is its parent's
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
