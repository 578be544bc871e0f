"""A store whose files and datasets lie on object storage, for several servers and their workers.

::

    tables/ID-DIGEST.arrow        a table, put before any record names it; never gets other content
    records/datasets/ID.json      a dataset: to put it is to publish it, to delete it is to unpublish it
    records/files/ID.json         a file
    unused/ID-DIGEST              since when a table is named by no record
    store.json                    that this is such a place

What is there is what counts. The database beside each server is a copy of it, with which a server looks things up,
and a local folder keeps tables that were used, which are mapped as ever. A change is made in the database and then
published; what cannot be published is taken back. Users and memberships stay with each server; owners go by name.
May import errors, frames, object_storage and store.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import frames
from ..errors import ConfigError, GraphistryError, ServerError, StorageUnavailable
from ..object_storage import Place, digest_of, fetch, is_url, trim
from .intake import MAX_UPLOAD_BYTES
from .store import Snapshot, Store, StoredTable

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("graphistry_core")

CACHE_BYTES = 20 << 30
SYNC_S = 2.0
UNUSED_S = 24 * 3600.0
_MARK, _FORMAT, _VERSION = "store.json", "graphistry-core store", 1
_KINDS = ("datasets", "files")
_ID, _TABLE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}"), re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}")
_LOCKS = 32
_NEXT = "(SELECT coalesce(max(n), 0) + 1 FROM published)"

# ``record`` is what the storage has, as far as is known here (NULL: nothing), and ``version`` what its listing says of
# it. ``n`` counts changes; ``pending`` is one that was made here and is not published yet.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS published (
    kind TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL DEFAULT '', record TEXT, n INTEGER NOT NULL,
    pending INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS published_n ON published (n);
"""
_WATCHED = {  # not 'complete': that a dataset was read is noted by each server for itself
    "datasets": ("id", "datasets", "owner, org, body, created, updated, mode, invited, edges, nodes"),
    "files": ("id", "files", "owner, org, name, description, file_type, created, updated, table_id"),
    "file_options": ("file_id", "files", "compression, options"),
    "sheets": ("file_id", "files", "position, name, table_id"),
}


def _triggers() -> str:
    """Return the statements that note which records a transaction changes."""
    made = []
    for table, (column, kind, fields) in _WATCHED.items():
        for event, row in (("INSERT", "NEW"), (f"UPDATE OF {fields}", "NEW"), ("DELETE", "OLD")):
            made.append(
                f"CREATE TRIGGER IF NOT EXISTS {table}_{event[:6].lower()} AFTER {event} ON {table} BEGIN "
                f"INSERT INTO published (kind, id, n, pending) VALUES ('{kind}', {row}.{column}, {_NEXT}, 1) "
                f"ON CONFLICT (kind, id) DO UPDATE SET pending = 1, n = {_NEXT}; END;"
            )
    return "\n".join(made)


class SharedStore(Store):
    """A store at a URL; ``cache_dir`` has its database and, up to ``cache_bytes``, the tables that were used.

    Every ``sync_s`` seconds it takes in what other servers did (0: only when asked). Tables that no record has named
    for ``unused_s`` seconds are deleted: those of deleted datasets, and those that a killed server did not come to
    publish. A table that is still to be published must not take so long. With ``existing`` the place must be a store's
    already. Raises ConfigError when it cannot be used.
    """

    def __init__(
        self,
        url: str,
        max_upload_bytes: int = MAX_UPLOAD_BYTES,
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_bytes: float = CACHE_BYTES,
        sync_s: float = SYNC_S,
        unused_s: float = UNUSED_S,
        existing: bool = False,
    ) -> None:
        self._place = Place(url)
        self.url = self._place.url
        self._cache_bytes, self._unused_s = cache_bytes, unused_s
        self._recovered = False
        self._refreshing, self._refresh_began = threading.Lock(), 0.0
        self._refresh_failed: StorageUnavailable | None = None
        self._stripes = [threading.RLock() for _ in range(_LOCKS)]
        self._unpublished: set[str] = set()  # tables that were put here and that no record has named yet
        self._damaged: set[str] = set()
        self._stop = threading.Event()
        self._syncing: threading.Thread | None = None
        super().__init__(default_cache(self.url) if cache_dir is None else cache_dir, max_upload_bytes)
        try:
            _must_be_private(self.root)
            with self._lock:
                self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {_triggers()} COMMIT;")
            self._begin(existing=existing)
        except BaseException:
            super().close()
            raise
        if sync_s > 0:
            self._syncing = threading.Thread(
                target=_sync, args=(weakref.ref(self), self._stop, sync_s), name="graphistry-core-sync", daemon=True
            )
            self._syncing.start()

    def _begin(self, *, existing: bool) -> None:
        try:
            if not existing:
                self._make_mark()
            self._check_mark()
            self._recover()
            self.refresh()
        except StorageUnavailable as e:
            raise ConfigError(f"The data directory {self.url} cannot be used: {e.message}") from None

    def _make_mark(self) -> None:
        try:
            self._place.get(_MARK)
        except FileNotFoundError:
            self._place.put(json.dumps({"format": _FORMAT, "version": _VERSION}).encode(), _MARK)

    def _check_mark(self) -> None:
        """Raise StorageUnavailable unless the place is still, or already, a store's."""
        try:
            found = json.loads(self._place.get(_MARK))
        except FileNotFoundError:
            raise StorageUnavailable(f"{self.url}: its {_MARK} is gone.") from None
        except ValueError:
            found = None
        if found != {"format": _FORMAT, "version": _VERSION}:
            raise StorageUnavailable(f"{self.url}: its {_MARK} is not that of a {_FORMAT} of version {_VERSION}.")

    def close(self) -> None:
        """Close the database; the local copy stays for the next start."""
        self._stop.set()
        if self._syncing is not None and self._syncing is not threading.current_thread():
            self._syncing.join(10)
        super().close()

    def described(self) -> str:
        """Say where the data is, in words."""
        return f"{self.url}, with a copy of what is used in {self.root}"

    # --- publishing ---

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the database to one thread; afterwards publish what the block changed, while others go on.

        Raises StorageUnavailable when it cannot be published; then it did not take place here either.
        """
        with super().transaction() as db:
            before = _highest(db)
            yield db
            query = "SELECT kind, id, n FROM published WHERE pending AND n > ? ORDER BY n"
            changed = [tuple(row) for row in db.execute(query, (before,))]
        if changed:
            self._publish(changed)

    def _publish(self, changed: list[tuple[str, str, int]]) -> None:
        published: list[tuple[str, str, str | None]] = []
        try:
            for kind, record_id, _ in changed:
                published.append((kind, record_id, self._publish_one(kind, record_id)))
        except BaseException:
            self._take_back(changed, published)
            raise

    def _publish_one(self, kind: str, record_id: str) -> str | None:
        """Put, or delete, the object of a record as it is now; return what was known to be there."""
        with self._stripe(kind, record_id):
            with self._lock:
                row = self.one("SELECT n, record FROM published WHERE kind = ? AND id = ?", kind, record_id)
                record = self._record(self._db, kind, record_id)
            assert row is not None
            tables = set() if record is None else _tables_of(kind, record)
            # From here on nobody can tell whether it is there: such tables are not deleted before they are swept.
            self._unpublished -= tables
            content = None if record is None else json.dumps(record, sort_keys=True)
            if content is None:
                self._place.delete(_name(kind, record_id))
            else:
                self._place.put(content.encode(), _name(kind, record_id))
            with super().transaction() as db:
                settled = f"UPDATE published SET record = ?, version = '', n = {_NEXT}, pending = 0"
                where = "WHERE kind = ? AND id = ?"
                done = db.execute(f"{settled} {where} AND n = ?", (content, kind, record_id, row["n"]))
                if done.rowcount == 0:  # changed again in the meantime: whoever did publishes it
                    query = f"UPDATE published SET record = ?, version = '' {where}"
                    db.execute(query, (content, kind, record_id))
        before: str | None = row["record"]
        return before

    def _take_back(self, changed: list[tuple[str, str, int]], published: list[tuple[str, str, str | None]]) -> None:
        """Go back to what the storage had before a transaction, part of which could not be published."""
        dropped: set[str] = set()
        for kind, record_id, before in reversed(published):
            with contextlib.suppress(GraphistryError, OSError), self._stripe(kind, record_id):
                if before is None:
                    self._place.delete(_name(kind, record_id))
                else:
                    self._place.put(before.encode(), _name(kind, record_id))
                with super().transaction() as db:
                    dropped |= self._take_in(db, kind, record_id, before, "")
        for kind, record_id, n in changed[len(published) :]:
            with self._stripe(kind, record_id), super().transaction() as db:
                query = "SELECT n, record FROM published WHERE kind = ? AND id = ?"
                row = db.execute(query, (kind, record_id)).fetchone()
                if row is not None and row["n"] == n:  # else it was changed again, by somebody who publishes it all
                    dropped |= self._take_in(db, kind, record_id, row["record"], "")
        self._forget(dropped)

    def _recover(self) -> None:
        """Take back what a killed process changed and did not come to publish, unless another one is at work here."""
        if not self._recovered:
            return
        dropped: set[str] = set()
        with super().transaction() as db:
            for row in db.execute("SELECT * FROM published WHERE pending ORDER BY n").fetchall():
                dropped |= self._take_in(db, row["kind"], row["id"], row["record"], "")
            db.execute("DELETE FROM published WHERE record IS NULL")
        self._forget(dropped)

    def _stripe(self, kind: str, record_id: str) -> threading.RLock:
        return self._stripes[hash((kind, record_id)) % _LOCKS]

    # --- taking in ---

    def refresh(self) -> None:
        """Take in all that other servers published and unpublished until now; raise StorageUnavailable."""
        asked = time.monotonic()
        with self._refreshing:
            if self._refresh_began <= asked:  # else another thread did it while this one waited
                self._refresh_began, self._refresh_failed = time.monotonic(), None
                try:
                    self._refresh()
                except StorageUnavailable as e:
                    self._refresh_failed = e
            if self._refresh_failed is not None:
                raise StorageUnavailable(self._refresh_failed.message)

    def _refresh(self) -> None:
        with self._lock:
            noted = _highest(self._db)
        found: dict[tuple[str, str], str] = {}
        for each in self._place.list("records"):
            kind, _, file = each.name.removeprefix("records/").partition("/")
            if kind in _KINDS and file.endswith(".json") and _ID.fullmatch(file.removesuffix(".json")):
                found[kind, file.removesuffix(".json")] = each.version
        if not found:
            self._check_mark()  # a bucket that is not there, or a wrong endpoint, also lists nothing
        known = {
            (row["kind"], row["id"]): row["version"]
            for row in self.all("SELECT kind, id, version FROM published WHERE record IS NOT NULL")
        }
        fresh = [key for key, version in found.items() if known.get(key) != version]
        content = self._place.get_all([_name(*key) for key in fresh])
        records: dict[tuple[str, str], str | None] = dict.fromkeys(known.keys() - found.keys())
        for key in fresh:
            body = content.get(_name(*key))
            records[key] = None if body is None else self._read(body, *key)
        damaged = {key for key in fresh if records[key] == ""}
        in_order = sorted(records.items(), key=lambda item: _created(item[1]))
        dropped: set[str] = set()
        if records:
            with super().transaction() as db:
                for key, record in in_order:
                    if key not in damaged:
                        dropped |= self._take_in(db, *key, record, found.get(key, ""), noted)
        self._forget(dropped)
        self._damaged = {_name(*key) for key in damaged}

    def fetch_record(self, kind: str, record_id: str) -> None:
        """Take in what is published now of one file or dataset; raise StorageUnavailable."""
        if not _ID.fullmatch(record_id):
            return
        with self._lock:
            noted = _highest(self._db)
        try:
            record = self._read(self._place.get(_name(kind, record_id)), kind, record_id)
        except FileNotFoundError:
            record = None
        if record == "":
            raise ServerError(
                f"The record {self._place.url_of(_name(kind, record_id))} is damaged; restore or delete it."
            )
        row = self.one("SELECT record FROM published WHERE kind = ? AND id = ?", kind, record_id)
        if (None if row is None else row["record"]) == record:
            return
        with super().transaction() as db:
            dropped = self._take_in(db, kind, record_id, record, "", noted)
        self._forget(dropped)

    def _read(self, content: bytes, kind: str, record_id: str) -> str:
        """Return a record's text; empty, and said once in the log, when it is none."""
        try:
            record = json.loads(content)
            _check(record, kind, record_id)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            if _name(kind, record_id) not in self._damaged:
                log.error("%s is damaged, and left out", self._place.url_of(_name(kind, record_id)))
                self._damaged.add(_name(kind, record_id))
            return ""
        return content.decode()

    def _take_in(
        self, db: sqlite3.Connection, kind: str, record_id: str, record: str | None, version: str, noted: float = 1e18
    ) -> set[str]:
        """Make the database say of one record what the storage does; return the tables that it named before.

        What was changed here after ``noted``, or is about to be published, stays.
        """
        key = (kind, record_id)
        row = db.execute("SELECT n, pending FROM published WHERE kind = ? AND id = ?", key).fetchone()
        if noted < 1e18 and row is not None and (row["pending"] or row["n"] > noted):
            return set()
        former = self._record(db, kind, record_id)
        before = set() if former is None else _tables_of(kind, former)
        complete = db.execute("SELECT complete FROM datasets WHERE id = ?", (record_id,)).fetchone()
        new = None if record is None else json.loads(record)
        if new is None:
            _delete(db, kind, record_id)
        else:
            self._insert(db, kind, new, was_complete=complete is not None and bool(complete["complete"]))
        query = (
            f"INSERT INTO published (kind, id, record, version, n) VALUES (?, ?, ?, ?, {_NEXT}) ON CONFLICT "
            f"(kind, id) DO UPDATE SET record = excluded.record, version = excluded.version, n = {_NEXT}, pending = 0"
        )
        db.execute(query, (*key, record, version))
        if new is None and kind == "datasets":
            with contextlib.suppress(OSError):
                (self.root / "pages" / f"{record_id}.html").unlink(missing_ok=True)
        return before - (set() if new is None else _tables_of(kind, new))

    def _record(self, db: sqlite3.Connection, kind: str, record_id: str) -> dict[str, Any] | None:
        """Return a record as it is published, from the database; None when it is not there."""
        row = db.execute(f"SELECT * FROM {kind} WHERE id = ?", (record_id,)).fetchone()
        if row is None:
            return None
        owner = db.execute("SELECT username FROM users WHERE id = ?", (row["owner"],)).fetchone()
        common = {
            "version": _VERSION,
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

    def _insert(self, db: sqlite3.Connection, kind: str, record: Mapping[str, Any], *, was_complete: bool) -> None:
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
        else:
            tables = [(sheet["name"], sheet["table"]) for sheet in record["tables"]]
            values |= {name: record[name] for name in ("name", "description", "file_type")}
            values["table_id"] = tables[0][1]["id"] if tables else None
        for _, table in tables:
            if table is not None:
                self.record_table(db, StoredTable(table["id"], table["rows"], table["dtypes"], table["bytes"]))
        places, updates = ", ".join("?" * len(values)), ", ".join(f"{name} = excluded.{name}" for name in values)
        query = f"INSERT INTO {kind} ({', '.join(values)}) VALUES ({places}) ON CONFLICT (id) DO UPDATE SET {updates}"
        db.execute(query, [*values.values()])
        if kind == "files":
            options = (record["id"], record["file_compression"], json.dumps(record["parser_options"]))
            db.execute("INSERT OR REPLACE INTO file_options VALUES (?, ?, ?)", options)
            db.execute("DELETE FROM sheets WHERE file_id = ?", (record["id"],))
            rows = [(record["id"], position, name, table["id"]) for position, (name, table) in enumerate(tables)]
            db.executemany("INSERT INTO sheets VALUES (?, ?, ?, ?)", rows)

    def _forget(self, table_ids: Iterable[str]) -> None:
        """Drop from the local copy tables that records do not name any more."""
        for table_id in table_ids:
            super().drop_table(table_id)

    # --- tables ---

    def url_of(self, table_id: str) -> str | None:
        """Return where a table lies for other machines."""
        return self._place.url_of(f"tables/{table_id}.arrow")

    def _new_id(self, file: Path) -> str:
        return f"{super()._new_id(file)}-{digest_of(file)}"

    def _settle(self, file: Path, table_id: str) -> None:
        """Put a table where all can have it, and keep it here, too, for it is likely to be used next."""
        self._unpublished.add(table_id)
        self._place.put_file(file, f"tables/{table_id}.arrow")
        super()._settle(file, table_id)
        self._trim()

    def open_table(self, table_id: str) -> pa.Table:
        """Map a table, which is fetched first when it is not here; raise FileNotFoundError when no record names it."""
        for _ in range(3):
            with contextlib.suppress(FileNotFoundError):
                path = self._path(table_id)
                os.utime(path)  # it is used
                return frames.map_arrow(path)
            self._fetch(table_id)  # and may be trimmed before it is mapped, if the cache is far too small
        return frames.map_arrow(self._path(table_id))

    def _fetch(self, table_id: str) -> None:
        if self.table_record(table_id) is None:
            self.refresh()
            if self.table_record(table_id) is None:
                raise FileNotFoundError(table_id)
        try:
            fetch(self._place.url_of(f"tables/{table_id}.arrow"), self._path(table_id).parent)
        except FileNotFoundError:
            self.refresh()
            if self.table_record(table_id) is None:
                raise
            raise ServerError(
                f"The table {self.url_of(table_id)} is not there any more, though a record names it: restore the "
                "object, or upload the data again."
            ) from None
        self._trim(keep=table_id)

    def _trim(self, keep: str = "") -> None:
        for name in trim(self._path("x").parent, self._cache_bytes):
            if name.removesuffix(".arrow") != keep:
                self._remove_indexes(name.removesuffix(".arrow"))

    def drop_table(self, *table_ids: str | None) -> None:
        """Forget tables that no file and no dataset uses any more.

        One that was never published goes at once. Others may be on their way into a record of another server: they are
        left to :meth:`sweep`.
        """
        super().drop_table(*table_ids)
        for table_id in {each for each in table_ids if each is not None} & self._unpublished:
            self._unpublished.discard(table_id)
            with contextlib.suppress(GraphistryError, OSError):
                self._place.delete(f"tables/{table_id}.arrow")

    def _discard(self, table_id: str) -> None:
        super()._discard(table_id)
        self.drop_table(table_id)

    def _sweep(self) -> None:
        self._recovered = True  # nobody else has this copy open
        super()._sweep()

    def sweep(self) -> int:
        """Delete the tables on the storage that no record has named for long enough; return how many.

        Who sees one first marks it, and a mark that is old enough lets anybody delete. Nothing is deleted while a
        record cannot be read, nor what a snapshot of this server needs. Raises StorageUnavailable.
        """
        marks = {each.name.removeprefix("unused/"): each.modified for each in self._place.list("unused")}
        tables = {
            each.name.removeprefix("tables/").removesuffix(".arrow"): each.modified
            for each in self._place.list("tables")
        }
        self.refresh()  # after the tables were listed: one that is published by now is named by now
        if self._damaged:
            return 0
        with self._lock:
            named = self._named() | self._unpublished
            named |= {table_id for snapshot in self._kept for table_id in snapshot.tables}
        swept, now = 0, time.time()
        for table_id in marks.keys() & named | marks.keys() - tables.keys():
            self._place.delete(f"unused/{table_id}")
        for table_id in tables.keys() - named:
            if not _TABLE_ID.fullmatch(table_id):
                continue
            since = max(marks.get(table_id, now), tables[table_id])
            if now - since >= self._unused_s:
                self._place.delete(f"tables/{table_id}.arrow", f"unused/{table_id}")
                swept += 1
            elif table_id not in marks:
                self._place.put(b"", f"unused/{table_id}")
        return swept

    def _named(self) -> set[str]:
        query = (
            "SELECT table_id AS t FROM files UNION SELECT table_id FROM sheets UNION SELECT edges FROM datasets "
            "UNION SELECT nodes FROM datasets"
        )
        return {row["t"] for row in self.all(query) if row["t"] is not None}

    # --- all of it ---

    def reset(self) -> None:
        """Unpublish every file and dataset, for all servers, and forget this server's users; the signing key stays."""
        self.refresh()
        super().reset()

    def snapshot(self) -> Snapshot:
        """Return what is published now, by all servers."""
        self.refresh()
        return super().snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Publish a snapshot's files and datasets again, and unpublish what came later, whoever did it.

        Its tables are safe from this server as long as it is kept, from others until they count as unused.
        """
        self.refresh()
        with self.transaction() as db:
            for table in ("users", "members"):
                rows = snapshot.records.execute(f"SELECT * FROM {table}").fetchall()
                db.execute(f"DELETE FROM {table}")
                db.executemany(f"INSERT INTO {table} VALUES (?, ?)", [tuple(row) for row in rows])
            dropped: set[str] = set()
            for kind in _KINDS:
                kept = [row["id"] for row in snapshot.records.execute(f"SELECT id FROM {kind} ORDER BY seq")]
                here = [row["id"] for row in db.execute(f"SELECT id FROM {kind}")]
                for record_id in [*kept, *({*here} - {*kept})]:
                    query = f"SELECT owner FROM {kind} WHERE id = ?"  # a number, of which a record does not speak
                    owners = [d.execute(query, (record_id,)).fetchone() for d in (snapshot.records, db)]
                    then = self._record(snapshot.records, kind, record_id)
                    now = self._record(db, kind, record_id)
                    if then == now and owners[0] == owners[1]:
                        continue
                    dropped |= set() if now is None else _tables_of(kind, now)
                    if then is None:
                        _delete(db, kind, record_id)
                    else:
                        self._insert(db, kind, then, was_complete=False)
        super().drop_table(*dropped)


def _highest(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(n), 0) FROM published").fetchone()[0])


def _name(kind: str, record_id: str) -> str:
    return f"records/{kind}/{record_id}.json"


def _described(db: sqlite3.Connection, table_id: str | None) -> dict[str, Any] | None:
    row = db.execute("SELECT * FROM tables WHERE id = ?", (table_id,)).fetchone()
    if row is None:
        return None
    return {"id": row["id"], "rows": row["rows"], "dtypes": json.loads(row["dtypes"]), "bytes": row["bytes"]}


def _delete(db: sqlite3.Connection, kind: str, record_id: str) -> None:
    db.execute(f"DELETE FROM {kind} WHERE id = ?", (record_id,))
    if kind == "files":
        for table in ("file_options", "sheets"):
            db.execute(f"DELETE FROM {table} WHERE file_id = ?", (record_id,))


def _tables_of(kind: str, record: Mapping[str, Any]) -> set[str]:
    """Return the ids of the tables that a record names."""
    if kind == "datasets":
        return {record[which]["id"] for which in ("edges", "nodes") if record[which] is not None}
    return {sheet["table"]["id"] for sheet in record["tables"]}


def _created(record: str | None) -> float:
    return float(json.loads(record)["created"]) if record else 0.0


_FIELDS: Mapping[str, dict[str, Any]] = {
    "datasets": {"body": dict, "mode": (str, type(None)), "invited_users": list, "complete": bool},
    "files": {
        "name": str, "description": str, "file_type": str, "file_compression": str, "parser_options": dict,
        "tables": list,
    },
}  # fmt: skip


def _check(record: Any, kind: str, record_id: str) -> None:
    """Raise ValueError, TypeError or KeyError unless this is a record as it is published."""
    seconds, text = (int, float), (str, type(None))
    common: dict[str, Any] = {"owner": str, "organization": text, "created": seconds, "updated": seconds}
    if record["version"] != _VERSION or record["id"] != record_id:
        raise ValueError("of another version, or of another id")
    for name, wanted in (common | _FIELDS[kind]).items():
        if not isinstance(record[name], wanted):
            raise TypeError(name)
    if kind == "datasets":
        tables = [record[which] for which in ("edges", "nodes")]
    else:
        tables = [sheet["table"] for sheet in record["tables"]]
        if not all(isinstance(sheet["name"], str) for sheet in record["tables"]) or None in tables:
            raise TypeError("tables")
    for table in tables:
        if table is None:
            continue
        if not _TABLE_ID.fullmatch(table["id"]):  # it becomes the name of a file
            raise ValueError("id of a table")
        whole = isinstance(table["rows"], int) and isinstance(table["bytes"], int)
        if not whole or not isinstance(table["dtypes"], dict):
            raise TypeError("table")


def default_cache(url: str) -> Path:
    """Return the folder of this user for the local copy of a URL."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    plain = re.sub(r"[^A-Za-z0-9]+", "-", url.partition("://")[2]).strip("-")[:40]
    return base / "graphistry-core" / f"{plain}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def _must_be_private(root: Path) -> None:
    """Raise ConfigError when others could read the signing key, or put tables in place of ours."""
    if not hasattr(os, "getuid"):
        return
    status = root.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(f"The cache {root} must belong to this user alone: chmod 700 {root}, or name another.")


def _sync(store: weakref.ref[SharedStore], stop: threading.Event, every_s: float) -> None:
    """Take in what others did, again and again, until the store is closed or nobody has it any more."""
    pause, failing, swept = every_s, False, -1e9
    while not stop.wait(pause):
        here = store()
        if here is None:
            return
        began = time.monotonic()
        try:
            here.refresh()
            if began - swept > 3600:
                swept = began
                here.sweep()
            failing = False
        except (GraphistryError, OSError, sqlite3.Error) as e:
            if not failing and not stop.is_set():
                log.warning("what other servers did cannot be seen at present: %s", e)
            failing = True
        pause = max(every_s, 10 * (time.monotonic() - began))  # a large listing must not be all that is done
        del here


def open_store(
    place: str | os.PathLike[str] | None,
    max_upload_bytes: int = MAX_UPLOAD_BYTES,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    cache_bytes: float | None = None,
    existing: bool = False,
) -> Store:
    """Open the store of a directory (None: a temporary one) or a URL; with ``existing`` only one that is there already.

    Raises ConfigError, also for options of a cache without a URL.
    """
    if isinstance(place, str) and is_url(place):
        size = CACHE_BYTES if cache_bytes is None else cache_bytes
        return SharedStore(place, max_upload_bytes, cache_dir=cache_dir, cache_bytes=size, existing=existing)
    if cache_dir is not None or cache_bytes is not None:
        raise ConfigError("A cache is for data at a URL (--data-dir s3://bucket/prefix); leave its options out.")
    if existing and place is not None:
        return Store.existing(place)
    return Store(place, max_upload_bytes)
