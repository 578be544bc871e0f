"""The Hub's operations on datasets, and who may see them. May import wire, records, files and store."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import wire
from ..encodings import from_wire
from ..errors import BadRequest, NotFound
from ..executors.contract import check_bindings
from ..table_options import reading
from ..viewer import page as viewer_page
from ..viewer.scene import Scene
from .accounts import Caller
from .assembly import Assembled, assemble
from .files import FileOperations
from .records import iso
from .store import StoredTable
from .visits import Visits

_SCENES = 4  # kept in memory


class DatasetOperations(FileOperations):
    """One method per operation of ``wire/datasets.py`` and ``wire/viewer.py``."""

    visits: Visits
    _scenes: OrderedDict[Any, Scene]
    _scenes_lock: threading.Lock

    def dataset_create(self, request: wire.DatasetCreate, caller: Caller) -> wire.DatasetAnswer:
        """Create a dataset, complete when it names its files, else awaiting its tables."""
        self.accounts.require_org(caller, request.body.get("org_name"))
        made = assemble(self.store, self._file_table, request)
        dataset_id, now, org = uuid.uuid4().hex, self.accounts.clock.now(), request.body.get("org_name")
        body = json.dumps(dict(made.body))
        try:
            for which in ("edges", "nodes"):
                table = made.tables[which]
                if table is not None:
                    check_columns(table, which, wire.DatasetCreate(made.body).bindings(which))
            with self.store.transaction() as db:
                self._require_tables(made)  # they cannot go away any more
                for table in made.fresh:
                    self.store.record_table(db, table)
                edges, nodes = (None if t is None else t.id for t in (made.tables["edges"], made.tables["nodes"]))
                values = (dataset_id, caller.user_id, org, body, now, now, edges, nodes, edges is not None)
                columns = "id, owner, org, body, created, updated, edges, nodes, complete"
                db.execute(f"INSERT INTO datasets ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        except BaseException:
            self.store.drop_table(*(table.id for table in made.fresh))
            raise
        return wire.DatasetAnswer(dataset_id, {}, "Dataset created")

    def _require_tables(self, made: Assembled) -> None:
        for table in made.tables.values():
            if table is not None and table not in made.fresh and self.store.table_record(table.id) is None:
                raise BadRequest("A file of this dataset was deleted or replaced just now; create the dataset again.")

    def dataset_upload(self, request: wire.DatasetUpload, caller: Caller) -> wire.DatasetAnswer:
        """Store a dataset's nodes or edges; raise InvalidTable or BindingError and store nothing."""
        dataset = self._dataset(request.dataset_id, caller, fresh=True)
        self._require_owner(dataset, caller, "dataset")
        which = request.table
        bindings = wire.DatasetCreate(json.loads(dataset["body"])).bindings(which)
        how = reading(request.file_type, request.options, request.content_encoding)
        table = self.store.add_table(request.body, request.file_type, how)
        try:
            check_columns(table, which, bindings)
        except BadRequest:
            self.store.drop_table(table.id)
            raise
        with self.store.transaction() as db:
            row = db.execute("SELECT * FROM datasets WHERE id = ?", (dataset["id"],)).fetchone()
            if row is not None:
                self.store.record_table(db, table)
                has = {"edges": row["edges"], "nodes": row["nodes"], which: table.id}
                # A bound node column announces a node table: until it is there, the dataset is half of itself.
                expects_nodes = "node" in wire.DatasetCreate(json.loads(row["body"])).bindings("nodes")
                complete = has["edges"] is not None and (has["nodes"] is not None or not expects_nodes)
                values = (table.id, self.accounts.clock.now(), complete or row["complete"], dataset["id"])
                db.execute(f"UPDATE datasets SET {which} = ?, updated = ?, complete = ? WHERE id = ?", values)
        self.store.drop_table(table.id if row is None else row[which])
        self._dataset(dataset["id"], caller)
        schema = {**table.schema(), "time_parsing_s": 0}
        return wire.DatasetAnswer(dataset["id"], schema, f"Dataset {which} created")

    def dataset_get(self, request: wire.DatasetGet, caller: Caller) -> wire.DatasetAnswer:
        """Return a dataset's record."""
        return wire.DatasetAnswer(request.dataset_id, self._dataset_record(self._use(request.dataset_id, caller)))

    def dataset_list(self, request: wire.DatasetList, caller: Caller) -> wire.Page:
        """List the caller's complete datasets, newest first."""
        self.store.refresh()
        rows, page_of = self._page("datasets", "owner = ? AND complete", (caller.user_id,), request)
        return page_of([self._dataset_record(row) for row in rows])

    def dataset_patch(self, request: wire.DatasetPatch, caller: Caller) -> wire.DatasetAnswer:
        """Change a dataset's name, description or metadata."""
        dataset = self._dataset(request.dataset_id, caller, fresh=True)
        self._require_owner(dataset, caller, "dataset")
        given = {"name": request.name, "description": request.description, "metadata": request.metadata}
        with self.store.transaction() as db:
            row = db.execute("SELECT body FROM datasets WHERE id = ?", (dataset["id"],)).fetchone()
            if row is not None:
                body = {**json.loads(row["body"]), **{n: v for n, v in given.items() if v is not None}}
                values = (json.dumps(body), self.accounts.clock.now(), dataset["id"])
                db.execute("UPDATE datasets SET body = ?, updated = ? WHERE id = ?", values)
        self._forget_graph(dataset["id"])
        return wire.DatasetAnswer(dataset["id"], self._dataset_record(self._dataset(dataset["id"], caller)), "Changed")

    def dataset_delete(self, request: wire.DatasetDelete, caller: Caller) -> wire.OkAnswer:
        """Delete a dataset."""
        dataset = self._dataset(request.dataset_id, caller, fresh=True)
        self._require_owner(dataset, caller, "dataset")
        with self.store.transaction() as db:
            db.execute("DELETE FROM datasets WHERE id = ?", (dataset["id"],))
        self._forget_graph(dataset["id"])
        self.store.drop_table(dataset["edges"], dataset["nodes"])
        return wire.OkAnswer("Dataset deleted", {"dataset_id": dataset["id"]})

    def share(self, request: wire.Share, caller: Caller) -> wire.OkAnswer:
        """Set who may see a dataset."""
        dataset = self._dataset(request.obj_pk, caller, fresh=True)
        self._require_owner(dataset, caller, "dataset")
        invited = json.dumps([dict(user) for user in request.invited_users])
        with self.store.transaction() as db:
            db.execute("UPDATE datasets SET mode = ?, invited = ? WHERE id = ?", (request.mode, invited, dataset["id"]))
        return wire.OkAnswer("Share link updated", {"obj_pk": dataset["id"], "mode": request.mode})

    def _dataset(self, dataset_id: str, caller: Caller | None, *, fresh: bool = False) -> sqlite3.Row:
        """Return a dataset that the caller may see; to others it does not exist."""
        row = self._row("datasets", dataset_id, fresh=fresh)
        if row is None or not self._may_see(row, caller):
            raise NotFound(
                f"There is no dataset {dataset_id!r} for you on this server: it was deleted, belongs to another "
                "server, or is private. Upload it again with g.upload()."
            )
        return row

    def _may_see(self, row: sqlite3.Row, caller: Caller | None) -> bool:
        if row["mode"] in (None, "public"):
            return True  # unlisted, but open to whoever has its id
        if caller is None:
            return False
        if row["owner"] == caller.user_id:
            return True
        if {caller.username, self.accounts.email(caller)} & {user.get("email") for user in json.loads(row["invited"])}:
            return True
        return row["mode"] == "organization" and self.accounts.is_member(caller, row["org"])

    def _use(self, dataset_id: str, caller: Caller | None) -> sqlite3.Row:
        """Return a dataset for reading. Reading one with edges shows that its client had finished uploading."""
        row = self._dataset(dataset_id, caller)
        if row["edges"] is not None and not row["complete"]:
            with self.store.transaction() as db:
                db.execute("UPDATE datasets SET complete = 1 WHERE id = ?", (row["id"],))
        return row

    def _dataset_record(self, row: sqlite3.Row) -> dict[str, Any]:
        body = json.loads(row["body"])
        records = {which: self.store.table_record(row[which]) for which in ("nodes", "edges")}
        tables = {which: table.schema(which) for which, table in records.items() if table is not None}
        counts = {f"{w[:-1]}_count": None if t is None else t.rows for w, t in records.items()}
        metadata = body.get("metadata") or {}
        return {
            "name": "",
            "description": "",
            **body,
            **counts,
            "dataset_id": row["id"],
            "author": row["owner"],
            "agent_name": metadata.get("agent"),
            "agent_version": metadata.get("agentversion"),
            "created_at": iso(row["created"]),
            "updated_at": iso(row["updated"]),
            "mode": row["mode"] or "unlisted",
            "tables": tables,
        }

    def page(
        self, dataset_id: str, caller: Caller | None = None, single_use: str = "", *, look_only: bool = False
    ) -> viewer_page.Served:
        """Return the viewer's page for a dataset, and note the visit; raise NotFound.

        ``single_use`` is the secret of a link that opens the page once, for whoever has it; ``look_only`` does not use
        it up.
        """
        invited = bool(single_use) and self.visits.redeem(single_use, dataset_id, keep=look_only)
        row = self._any(dataset_id) if invited else self._use(dataset_id, caller)
        session = self.visits.open(row["id"], caller, invited=invited)
        record = self._dataset_record(row)
        tables = record["tables"]
        counts = [f"{tables[which]['num_rows']:,} {which}" for which in ("nodes", "edges") if which in tables]
        title = str(record["name"] or "Untitled")
        return viewer_page.served(row["id"], session.session_id, title, " · ".join([title, *counts]))

    def page_scene(self, dataset_id: str, session_id: str) -> Scene:
        """Return what a page shows; raise NotFound.

        ``session_id`` is that of a page that was opened; who opened it must still be allowed to see the dataset.
        """
        session = self.visits.find(session_id)
        if session is None or session.dataset_id != dataset_id:
            raise NotFound("This page is no longer known to the server; load it again.")
        return self._scene(self._any(dataset_id) if session.invited else self._use(dataset_id, session.caller))

    def page_file(self, dataset_id: str, query: str = "") -> bytes:
        """Return one self-contained HTML file, whatever the dataset's mode: for the process that holds the Hub."""
        return viewer_page.contained(self._scene(self._any(dataset_id)), query)

    def page_path(self, dataset_id: str) -> Path:
        """Return where a dataset's page is kept for those who have no server; it goes with the dataset."""
        return self.store.root / "pages" / f"{dataset_id}.html"

    def _any(self, dataset_id: str) -> sqlite3.Row:
        row = self._row("datasets", dataset_id)
        if row is None:
            raise NotFound(f"There is no dataset {dataset_id!r}.")
        return row

    def _scene(self, row: sqlite3.Row) -> Scene:
        """Return what a dataset looks like; the last few are kept, for the layout takes time."""
        if row["edges"] is None:
            raise NotFound(f"The dataset {row['id']!r} has no edges yet; its upload was not finished.")
        key = (row["id"], row["nodes"], row["edges"], row["body"])
        with self._scenes_lock:
            if key not in self._scenes:
                try:
                    nodes, edges = (
                        None if row[t] is None else self.store.open_table(row[t]) for t in ("nodes", "edges")
                    )
                except FileNotFoundError:
                    raise NotFound(f"There is no dataset {row['id']!r} any more.") from None
                self._scenes[key] = Scene(self._dataset_record(row), nodes, edges)
            self._scenes.move_to_end(key)
            while len(self._scenes) > _SCENES:
                self._scenes.popitem(last=False)
            return self._scenes[key]

    # --- around the viewer ---

    def session_list(self, request: wire.SessionList, caller: Caller) -> wire.Page:
        """List who has the caller's datasets open, newest first."""
        owned = {row["id"] for row in self.store.all("SELECT id FROM datasets WHERE owner = ?", caller.user_id)}
        found = [session.record() for session in self.visits.sessions() if session.dataset_id in owned]
        limit, page_of = self._page_links(request, len(found))
        return page_of(found[request.offset : request.offset + limit])

    def session_get(self, request: wire.SessionGet, caller: Caller) -> wire.RecordAnswer:
        """Return one open viewer, of a dataset that the caller may see."""
        session = self.visits.find(request.session_id)
        row = None if session is None else self.store.one("SELECT * FROM datasets WHERE id = ?", session.dataset_id)
        if session is None or row is None or not self._may_see(row, caller):
            raise NotFound(f"There is no session {request.session_id!r} for you on this server.")
        return wire.RecordAnswer(session.record())

    def single_use_url(self, request: wire.SingleUseUrl, caller: Caller) -> wire.RecordAnswer:
        """Make a link that shows one of the caller's datasets once, to whoever opens it."""
        dataset = self._dataset(request.dataset_id, caller, fresh=True)
        self._require_owner(dataset, caller, "dataset")
        secret = self.visits.link(dataset["id"])
        url = f"{self._base_url(request)}{wire.VIEWER_PATH}?dataset={dataset['id']}&single_use={secret}"
        return wire.RecordAnswer({"url": url, "username": request.username, "dataset_id": dataset["id"]})

    def _forget_graph(self, dataset_id: str) -> None:
        """Drop what is kept of a deleted dataset beside its records."""
        raise NotImplementedError


def check_columns(table: StoredTable, which: str, wire_bindings: Mapping[str, Any]) -> None:
    """Raise BindingError when a dataset's nodes or edges lack a column that is bound."""
    names = {"node_encodings": wire_bindings} if which == "nodes" else {"edge_encodings": wire_bindings}
    bindings = from_wire(names.get("node_encodings", {}), names.get("edge_encodings", {}))
    check_bindings(list(table.dtypes), which, bindings)
