"""A store whose files, datasets and functions lie on object storage, for several servers and their workers.

::

    tables/ID-DIGEST.arrow        a table, put before any record names it; never gets other content
    records/datasets/ID.json      a dataset: to put it is to publish it, to delete it is to unpublish it
    records/files/ID.json         a file, and records/functions/ID.json a function
    partitions/ID-DIGEST/…        the same table in pieces, for tasks on Dask frames; goes with it
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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .. import frames
from ..errors import ConfigError, GraphistryError, ServerError, StorageUnavailable
from ..object_storage import Place, digest_of, fetch, is_url, trim
from . import published
from .intake import MAX_UPLOAD_BYTES
from .store import Snapshot, Store

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("graphistry_core")

CACHE_BYTES = 20 << 30
SYNC_S = 2.0
UNUSED_S = 24 * 3600.0
_MARK, _FORMAT = "store.json", "graphistry-core store"
_LOCKS = 32
_NO_LONGER_A_URL = re.compile(r"(s3a?|gc?s|az|abfss?|memory|file):/[^/]")


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
        self._refreshing, self._refresh_began = threading.Lock(), 0.0
        self._refresh_failed: StorageUnavailable | None = None
        self._stripes = [threading.RLock() for _ in range(_LOCKS)]
        self._unpublished: set[str] = set()  # tables that were put here and that no record has named yet
        self._damaged: set[str] = set()
        self._stop = threading.Event()
        self._syncing: threading.Thread | None = None
        wanted = default_cache(self.url) if cache_dir is None else Path(cache_dir).absolute()
        folder, claim = _claimed(wanted)
        self._unclaim = weakref.finalize(self, _close, os.getpid(), claim)
        try:
            super().__init__(folder, max_upload_bytes)
        except BaseException:
            self._unclaim()
            raise
        try:
            with self._lock:
                self._db.executescript(f"BEGIN IMMEDIATE; {published.SCHEMA} {published.triggers()} COMMIT;")
            self._begin(existing=existing)
        except BaseException:
            self.close()
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
            self._place.put(json.dumps({"format": _FORMAT, "version": published.VERSION}).encode(), _MARK)

    def _check_mark(self) -> None:
        """Raise StorageUnavailable unless the place is still, or already, a store's."""
        try:
            found = json.loads(self._place.get(_MARK))
        except FileNotFoundError:
            raise StorageUnavailable(f"{self.url} is no server's data: there is no {_MARK} at it.") from None
        except ValueError:
            found = None
        if found != {"format": _FORMAT, "version": published.VERSION}:
            raise StorageUnavailable(
                f"{self.url}: its {_MARK} is not that of a {_FORMAT} of version {published.VERSION}."
            )

    def close(self) -> None:
        """Close the database; the local copy stays for the next start."""
        self._stop.set()
        if self._syncing is not None and self._syncing is not threading.current_thread():
            self._syncing.join(10)
        super().close()
        self._unclaim()

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
        done: list[tuple[str, str, str | None]] = []
        try:
            for kind, record_id, _ in changed:
                done.append((kind, record_id, self._publish_one(kind, record_id)))
        except BaseException:
            self._take_back(changed, done)
            raise

    def _publish_one(self, kind: str, record_id: str) -> str | None:
        """Put, or delete, the object of a record as it is now; return what was known to be there."""
        with self._stripe(kind, record_id):
            with self._lock:
                row = self.one("SELECT n, record FROM published WHERE kind = ? AND id = ?", kind, record_id)
                record = published.read(self._db, kind, record_id)
            assert row is not None
            tables = set() if record is None else published.tables_of(kind, record)
            # From here on nobody can tell whether it is there: such tables are not deleted before they are swept.
            self._unpublished -= tables
            content = None if record is None else json.dumps(record)
            if content is None:
                self._place.delete(_name(kind, record_id))
            else:
                self._place.put(content.encode(), _name(kind, record_id))
            with super().transaction() as db:
                settled = f"UPDATE published SET record = ?, version = '', n = {published.NEXT}, pending = 0"
                where = "WHERE kind = ? AND id = ?"
                done = db.execute(f"{settled} {where} AND n = ?", (content, kind, record_id, row["n"]))
                if done.rowcount == 0:  # changed again in the meantime: whoever did publishes it
                    query = f"UPDATE published SET record = ?, version = '' {where}"
                    db.execute(query, (content, kind, record_id))
        before: str | None = row["record"]
        return before

    def _take_back(self, changed: list[tuple[str, str, int]], done: list[tuple[str, str, str | None]]) -> None:
        """Go back to what the storage had before a transaction, part of which could not be published."""
        dropped: set[str] = set()
        with contextlib.suppress(StorageUnavailable):  # then what is left of it is published, and stays here, too
            for kind, record_id, before in reversed(done):
                with self._stripe(kind, record_id):
                    if before is None:
                        self._place.delete(_name(kind, record_id))
                    else:
                        self._place.put(before.encode(), _name(kind, record_id))
                    with super().transaction() as db:
                        dropped |= self._take_in(db, kind, record_id, before, "")
        for kind, record_id, n in changed[len(done) :]:
            with self._stripe(kind, record_id), super().transaction() as db:
                query = "SELECT n, record FROM published WHERE kind = ? AND id = ?"
                row = db.execute(query, (kind, record_id)).fetchone()
                if row is not None and row["n"] == n:  # else it was changed again, by somebody who publishes it all
                    dropped |= self._take_in(db, kind, record_id, row["record"], "")
        self._forget(dropped)

    def _recover(self) -> None:
        """Take back what a killed process changed and did not come to publish."""
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
                except BaseException:
                    self._refresh_began = 0.0
                    raise
            if self._refresh_failed is not None:
                raise StorageUnavailable(self._refresh_failed.message)

    def _refresh(self) -> None:
        with self._lock:
            noted = _highest(self._db)
        found: dict[tuple[str, str], str] = {}
        for each in self._place.list("records"):
            kind, _, file = each.name.removeprefix("records/").partition("/")
            record_id = file.removesuffix(".json")
            if kind in published.KINDS and record_id != file and published.ID.fullmatch(record_id):
                found[kind, record_id] = each.version
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
                    if key not in damaged and not _stays(db, *key, noted):
                        dropped |= self._take_in(db, *key, record, found.get(key, ""))
        self._forget(dropped)
        self._damaged = {_name(*key) for key in damaged}

    def fetch_record(self, kind: str, record_id: str) -> None:
        """Take in what is published now of one file, dataset or function; raise StorageUnavailable."""
        if not published.ID.fullmatch(record_id):
            return
        for _ in range(3):  # again when something was taken in while this one was on its way
            if self._fetch_record(kind, record_id):
                return

    def _fetch_record(self, kind: str, record_id: str) -> bool:
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
        with super().transaction() as db:
            stays = _stays(db, kind, record_id, noted)
            dropped = set() if stays else self._take_in(db, kind, record_id, record, "")
        self._forget(dropped)
        return stays != "newer"

    def _read(self, content: bytes, kind: str, record_id: str) -> str:
        """Return a record's text; empty, and said once in the log, when it is none."""
        try:
            record = json.loads(content)
            published.check(record, kind, record_id)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            if _name(kind, record_id) not in self._damaged:
                log.error("%s is damaged, and left out", self._place.url_of(_name(kind, record_id)))
                self._damaged.add(_name(kind, record_id))
            return ""
        return content.decode()

    def _take_in(self, db: sqlite3.Connection, kind: str, record_id: str, record: str | None, version: str) -> set[str]:
        """Make the database say of one record what the storage does; return tables that only the former one named."""
        key = (kind, record_id)
        row = db.execute("SELECT record, pending FROM published WHERE kind = ? AND id = ?", key).fetchone()
        if (None if row is None else row["record"]) == record and not (row and row["pending"]):
            db.execute("UPDATE published SET version = ? WHERE kind = ? AND id = ?", (version, *key))
            return set()
        former = published.read(db, kind, record_id)
        before = set() if former is None else published.tables_of(kind, former)
        complete = db.execute("SELECT complete FROM datasets WHERE id = ?", (record_id,)).fetchone()
        new = None if record is None else json.loads(record)
        if new is None:
            published.delete(db, kind, record_id)
        else:
            published.write(db, kind, new, was_complete=complete is not None and bool(complete["complete"]))
        settled = f"record = excluded.record, version = excluded.version, n = {published.NEXT}, pending = 0"
        query = (
            f"INSERT INTO published (kind, id, record, version, n) VALUES (?, ?, ?, ?, {published.NEXT}) "
            f"ON CONFLICT (kind, id) DO UPDATE SET {settled}"
        )
        db.execute(query, (*key, record, version))
        if new is None and kind == "datasets":
            with contextlib.suppress(OSError):
                (self.root / "pages" / f"{record_id}.html").unlink(missing_ok=True)
        return before - (set() if new is None else published.tables_of(kind, new))

    def _forget(self, table_ids: Iterable[str]) -> None:
        """Drop from the local copy tables that records do not name any more."""
        for table_id in table_ids:
            super().drop_table(table_id)

    # --- tables ---

    def url_of(self, table_id: str) -> str | None:
        """Return where a table lies for other machines."""
        return self._place.url_of(f"tables/{table_id}.arrow")

    def partitions_place(self, table_id: str) -> str:
        """Return where the partitions of a table are to be kept for Dask: workers read them there."""
        return self._place.url_of(f"partitions/{table_id}")

    def _new_id(self, file: Path) -> str:
        return f"{super()._new_id(file)}-{digest_of(file)}"

    def _settle(self, file: Path, table_id: str) -> None:
        """Put a table where all can have it, and keep it here, too, for it is likely to be used next."""
        self._unpublished.add(table_id)
        try:
            self._place.put_file(file, f"tables/{table_id}.arrow")
            super()._settle(file, table_id)
        except BaseException:
            self._unpublished.discard(table_id)
            raise
        self._trim()

    def open_table(self, table_id: str) -> pa.Table:
        """Map a table, which is fetched first when it is not here; raise FileNotFoundError when no record names it."""
        path, record = self._path(table_id), self.table_record(table_id)
        for _ in range(3):
            with contextlib.suppress(FileNotFoundError):
                if record is not None and path.stat().st_size != record.bytes:
                    path.unlink(missing_ok=True)  # a power cut came before all of it was on the disk
                os.utime(path)  # it is used
                return frames.map_arrow(path)
            self._fetch(table_id)  # and may be trimmed before it is mapped, if the cache is far too small
        return frames.map_arrow(path)

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
            if self.table_record(table_id) is not None:
                continue
            self._unpublished.discard(table_id)
            with contextlib.suppress(GraphistryError, OSError):
                self._place.delete(f"tables/{table_id}.arrow")

    def _discard(self, table_id: str) -> None:
        super()._discard(table_id)
        self.drop_table(table_id)

    def sweep(self) -> int:
        """Delete the tables on the storage that no record has named for long enough; return how many.

        Who sees one first marks it, and a mark that is old enough lets anybody delete. Nothing is deleted while a
        record cannot be read, nor what a snapshot of this server needs. Raises StorageUnavailable.
        """
        marks = {each.name.removeprefix("unused/"): each.modified for each in self._place.list("unused")}
        tables = {
            each.name.removeprefix("tables/").removesuffix(".arrow"): each.modified
            for each in self._place.list("tables", unfinished=True)
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
            if table_id.endswith(".part"):  # of a writer that was killed
                if now - tables[table_id] >= self._unused_s:
                    self._place.delete(f"tables/{table_id}")
                continue
            if not published.TABLE_ID.fullmatch(table_id):
                continue
            since = max(marks.get(table_id) or now, tables[table_id])  # 0: the storage does not say when
            if now - since >= self._unused_s:
                parts = [each.name for each in self._place.list(f"partitions/{table_id}")]
                self._place.delete(*parts, f"tables/{table_id}.arrow", f"unused/{table_id}")
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
            for kind in published.KINDS:
                kept = [row["id"] for row in snapshot.records.execute(f"SELECT id FROM {kind} ORDER BY seq")]
                here = [row["id"] for row in db.execute(f"SELECT id FROM {kind}")]
                for record_id in [*kept, *({*here} - {*kept})]:
                    query = f"SELECT owner FROM {kind} WHERE id = ?"  # a number, of which a record does not speak
                    owners = [d.execute(query, (record_id,)).fetchone() for d in (snapshot.records, db)]
                    then = published.read(snapshot.records, kind, record_id)
                    now = published.read(db, kind, record_id)
                    if then == now and owners[0] == owners[1]:
                        continue
                    dropped |= set() if now is None else published.tables_of(kind, now)
                    if then is None:
                        published.delete(db, kind, record_id)
                    else:
                        published.write(db, kind, then, was_complete=False)
        super().drop_table(*dropped)


def _highest(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(n), 0) FROM published").fetchone()[0])


def _stays(db: sqlite3.Connection, kind: str, record_id: str, noted: int) -> str:
    """Say why a record that was read from the storage after ``noted`` is not to be taken in; empty when it is."""
    row = db.execute("SELECT n, pending FROM published WHERE kind = ? AND id = ?", (kind, record_id)).fetchone()
    if row is None:
        return ""
    return "pending" if row["pending"] else "newer" if row["n"] > noted else ""


def _name(kind: str, record_id: str) -> str:
    return f"records/{kind}/{record_id}.json"


def _created(record: str | None) -> float:
    return float(json.loads(record)["created"]) if record else 0.0


def default_cache(url: str) -> Path:
    """Return the folder of this user for the local copy of a URL."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    plain = re.sub(r"[^A-Za-z0-9]+", "-", url.partition("://")[2]).strip("-")[:40]
    return base / "graphistry-core" / f"{plain}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def _claimed(wanted: Path) -> tuple[Path, int]:
    """Return a folder for the local copy of one store, and a descriptor that holds it; raise ConfigError.

    Where another process, or another store of this one, has the folder, the next beside it: NAME.2, NAME.3, …
    """
    for number in range(1, 1000):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}.{number}")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _must_be_private(folder)
            descriptor = os.open(folder / "owner", os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as e:
            raise ConfigError(f"The cache {folder} cannot be used: {e.strerror or e}.") from e
        try:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            return folder, descriptor
        except OSError:
            os.close(descriptor)
            continue
        return folder, descriptor
    raise ConfigError(f"The cache {wanted} is in use, and so are all beside it: name another.")


def _close(owner: int, descriptor: int) -> None:
    if os.getpid() == owner:
        os.close(descriptor)


def _must_be_private(folder: Path) -> None:
    """Raise ConfigError when others could read the signing key, or put tables in place of ours."""
    if not hasattr(os, "getuid"):
        return
    status = folder.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(f"The cache {folder} must belong to this user alone: chmod 700 {folder}, or name another.")


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
        except Exception as e:  # noqa: BLE001 - it must go on, whatever it was
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
    if place is not None and _NO_LONGER_A_URL.match(os.fspath(place)):
        raise ConfigError(
            f"The data directory {place} looks like a URL that became a path: give it as text, with '://'."
        )
    if cache_dir is not None or cache_bytes is not None:
        raise ConfigError("A cache is for data at a URL (--data-dir s3://bucket/prefix); leave its options out.")
    if existing and place is not None:
        return Store.existing(place)
    return Store(place, max_upload_bytes)
