"""The server's logic, once: one method per wire operation, no HTTP in it.

LocalTransport calls it, the dev server exposes it, the pytest mock routes intercepted requests into it. May import
errors, wire, frames, encodings, engines and the executors.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .. import engines, wire
from ..encodings import from_wire
from ..errors import AccessDenied, BadRequest, InvalidTable, NotAuthenticated, NotFound
from ..executors import GraphData, Limits, Task, get_executor
from ..executors.contract import check_bindings
from ..messages import Auth
from . import page
from .accounts import Accounts, Caller, Clock
from .directory import User
from .sso import Sso
from .store import Store, StoredTable

_GRAPHS_KEPT = 8
log = logging.getLogger("graphistry_core")


class Hub:
    """Users, files, datasets and tasks, in this process.

    ``data_dir``: where everything is kept; a temporary directory, removed at the end, when None. ``users`` (name to
    password, or to a :class:`User`) makes it strict; by default everybody is let in. ``flags`` are feature flags.
    ``executor`` runs the tasks. ``plottable`` is what tasks get as ``g``: 'core' or 'pygraphistry'. Safe to call from
    many threads; no lock is held while a task runs.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        users: Mapping[str, str | User] | None = None,
        flags: Mapping[str, bool] | None = None,
        executor: Any = "auto",
        plottable: str = "core",
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.executor = get_executor(executor)
        self.limits = limits or Limits()
        self._plottable = plottable
        self.store = Store(data_dir)
        self.accounts = Accounts(self.store, users, clock, flags)
        self.sso = Sso(self.accounts)
        self._graphs: OrderedDict[tuple[str, str | None, str | None], GraphData] = OrderedDict()
        self._graphs_lock = threading.Lock()

    def call(self, request: wire.Request[wire.A], auth: Auth) -> wire.A:
        """Carry out one operation for whoever ``auth`` says; raise a GraphistryError."""
        handler = getattr(self, request.operation)
        if request.auth == "none":
            answer = handler(request)
        elif request.auth == "personal_key":
            answer = handler(request, auth)
        else:
            answer = handler(request, self.caller(auth))
        return answer  # type: ignore[no-any-return]

    def caller(self, auth: Auth) -> Caller:
        """Return who is calling; raise NotAuthenticated."""
        if auth.scheme != "bearer":
            raise NotAuthenticated("This needs a token: log in, and send 'Authorization: Bearer <token>'.")
        return self.accounts.authenticate(auth.token)

    def reset(self) -> None:
        """Forget all users, files and datasets, and every change of flags and clock."""
        with self._graphs_lock:
            self._graphs.clear()
        self.store.reset()
        self.accounts.reset()
        self.sso.reset()

    def close(self) -> None:
        """End running tasks and close the store; a temporary directory is removed."""
        self.executor.close()
        self._graphs.clear()
        self.store.close()

    # --- accounts ---

    def login(self, request: wire.Login) -> wire.TokenAnswer:
        """Check user name and password and give a token."""
        return self._welcome(self.accounts.login(request.username, request.password), request.org_name)

    def personal_key(self, request: wire.PersonalKeyLogin, auth: Auth) -> wire.TokenAnswer:
        """Check a personal key and give a token."""
        if auth.scheme != "personal_key":
            raise NotAuthenticated("This needs a personal key: send 'Authorization: PersonalKey <id>:<secret>'.")
        return self._welcome(self.accounts.personal_key(auth.key_id, auth.key_secret), request.org_name)

    def _welcome(self, caller: Caller, org: str | None) -> wire.TokenAnswer:
        organization = None if org is None else self.accounts.join(caller, org)
        return wire.TokenAnswer(self.accounts.token(caller), organization)

    def refresh(self, request: wire.Refresh) -> wire.TokenAnswer:
        """Exchange a valid token for a fresher one."""
        return wire.TokenAnswer(self.accounts.refresh(request.token))

    def verify(self, request: wire.Verify) -> wire.OkAnswer:
        """Answer when the token is valid, else raise."""
        self.accounts.authenticate(request.token)
        return wire.OkAnswer("The token is valid.")

    def switch_org(self, request: wire.SwitchOrg, caller: Caller) -> wire.OkAnswer:
        """Make an organization the active one."""
        if not self.accounts.join(caller, request.org).is_member:
            raise NotFound(f"No such organization id '{request.org}'", status="Failed")
        return wire.OkAnswer(f"Switched to organization: {request.org}")

    def sso_login(self, request: wire.SsoLogin) -> wire.SsoAnswer:
        """Begin a login in the browser."""
        return self.sso.login(request)

    def sso_token(self, request: wire.SsoToken) -> wire.SsoAnswer:
        """Return the token of a login in the browser, once it is approved."""
        return self.sso.token(request)

    # --- files ---

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
        row = self.store.one("SELECT * FROM files WHERE id = ?", _text(file_id))
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
            "created_at": _iso(row["created"]),
            "updated_at": _iso(row["updated"]),
            "bytes_count": 0 if table is None else table.bytes,
            "tables_schemas": [] if table is None else [table.schema(row["name"])],
        }

    def _file_answer(self, row: sqlite3.Row) -> wire.FileAnswer:
        uploaded = row["table_id"] is not None
        return wire.FileAnswer(row["id"], self._file_record(row), uploaded, uploaded)

    # --- datasets ---

    def dataset_create(self, request: wire.DatasetCreate, caller: Caller) -> wire.DatasetAnswer:
        """Create a dataset, complete when it names its files, else awaiting its tables."""
        self.accounts.require_org(caller, request.body.get("org_name"))
        tables: dict[str, StoredTable | None] = {}
        with self.store.transaction() as db:  # the files' tables cannot go away in between
            for which in ("edges", "nodes"):
                tables[which] = self._files_table(request, which)
            dataset_id, now = uuid.uuid4().hex, self.accounts.clock.now()
            edges, nodes = (None if t is None else t.id for t in (tables["edges"], tables["nodes"]))
            body = json.dumps(dict(request.body))
            org = request.body.get("org_name")
            values = (dataset_id, caller.user_id, org, body, now, now, edges, nodes, edges is not None)
            columns = "id, owner, org, body, created, updated, edges, nodes, complete"
            db.execute(f"INSERT INTO datasets ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        return wire.DatasetAnswer(dataset_id, {}, "Dataset created")

    def _files_table(self, request: wire.DatasetCreate, which: str) -> StoredTable | None:
        file_ids = request.files(which)
        if not file_ids:
            return None
        if len(file_ids) > 1:
            raise BadRequest(f"{which[:-1]}_files has {len(file_ids)} entries; one file per table is supported here.")
        file = self._file(file_ids[0])
        table = self.store.table_record(file["table_id"])
        if table is None:
            raise BadRequest(f"The file {file['id']} has no content yet: upload it before creating the dataset.")
        _check_columns(table, which, request.bindings(which))
        return table

    def dataset_upload(self, request: wire.DatasetUpload, caller: Caller) -> wire.DatasetAnswer:
        """Store a dataset's nodes or edges; raise InvalidTable or BindingError and store nothing."""
        dataset = self._dataset(request.dataset_id, caller)
        self._require_owner(dataset, caller, "dataset")
        which = request.table
        bindings = wire.DatasetCreate(json.loads(dataset["body"])).bindings(which)
        table = self.store.add_table(request.body, request.file_type)
        try:
            _check_columns(table, which, bindings)
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
        rows, page_of = self._page("datasets", "owner = ? AND complete", (caller.user_id,), request)
        return page_of([self._dataset_record(row) for row in rows])

    def dataset_delete(self, request: wire.DatasetDelete, caller: Caller) -> wire.OkAnswer:
        """Delete a dataset."""
        dataset = self._dataset(request.dataset_id, caller)
        self._require_owner(dataset, caller, "dataset")
        with self.store.transaction() as db:
            db.execute("DELETE FROM datasets WHERE id = ?", (dataset["id"],))
        with self._graphs_lock:
            for key in [key for key in self._graphs if key[0] == dataset["id"]]:
                del self._graphs[key]
        self.store.drop_table(dataset["edges"], dataset["nodes"])
        return wire.OkAnswer("Dataset deleted", {"dataset_id": dataset["id"]})

    def share(self, request: wire.Share, caller: Caller) -> wire.OkAnswer:
        """Set who may see a dataset."""
        dataset = self._dataset(request.obj_pk, caller)
        self._require_owner(dataset, caller, "dataset")
        invited = json.dumps([dict(user) for user in request.invited_users])
        with self.store.transaction() as db:
            db.execute("UPDATE datasets SET mode = ?, invited = ? WHERE id = ?", (request.mode, invited, dataset["id"]))
        return wire.OkAnswer("Share link updated", {"obj_pk": dataset["id"], "mode": request.mode})

    def _dataset(self, dataset_id: str, caller: Caller | None) -> sqlite3.Row:
        """Return a dataset that the caller may see; to others it does not exist."""
        row = self.store.one("SELECT * FROM datasets WHERE id = ?", _text(dataset_id))
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
            "created_at": _iso(row["created"]),
            "updated_at": _iso(row["updated"]),
            "mode": row["mode"] or "unlisted",
            "tables": tables,
        }

    def page(self, dataset_id: str, caller: Caller | None = None) -> bytes:
        """Return the viewer's page for a dataset as HTML; raise NotFound."""
        return page.render(self._dataset_record(self._use(dataset_id, caller)))

    def page_for_owner(self, dataset_id: str) -> bytes:
        """Return the page whatever the dataset's mode: for the process that holds the Hub, not for its users."""
        row = self.store.one("SELECT * FROM datasets WHERE id = ?", _text(dataset_id))
        if row is None:
            raise NotFound(f"There is no dataset {dataset_id!r}.")
        return page.render(self._dataset_record(row))

    # --- tasks ---

    def python(self, request: wire.Python, caller: Caller) -> wire.PythonAnswer:
        """Run ``task(g)`` on a dataset; raise TaskError."""
        self.accounts.require_python(caller)
        dataset = self._use(request.dataset_id, caller)
        task = Task(
            source=request.execute,
            engine=engines.resolve(request.engine),
            plottable=self._plottable,
            format=request.format,
            output_type=request.output_type,
        )
        result = self.executor.run(task, self._graph(dataset), self.limits)
        outcome = "ok" if result.error is None else result.error.code
        log.info("task %s of %s: %s in %.3f s", task.run_id, caller.username, outcome, result.duration_s)
        result.unwrap()
        return wire.PythonAnswer(result.body, result.content_type)

    def _graph(self, row: sqlite3.Row) -> GraphData:
        if row["edges"] is None and row["nodes"] is None:
            raise BadRequest(f"The dataset {row['id']} has no tables yet: upload its edges first.")
        key = (row["id"], row["edges"], row["nodes"])
        with self._graphs_lock:
            if key in self._graphs:
                self._graphs.move_to_end(key)
                return self._graphs[key]
        create = wire.DatasetCreate(json.loads(row["body"]))
        try:
            tables = {w: None if row[w] is None else self.store.open_table(row[w]) for w in ("edges", "nodes")}
        except FileNotFoundError as e:  # deleted or replaced since the row was read
            raise NotFound(f"The dataset {row['id']!r} was deleted just now.") from e
        graph = GraphData(
            tables["edges"],
            tables["nodes"],
            from_wire(create.bindings("nodes"), create.bindings("edges")),
            row["id"],
            create.body.get("name"),
            create.body.get("description"),
        )
        with self._graphs_lock:
            graph = self._graphs.setdefault(key, graph)
            while len(self._graphs) > _GRAPHS_KEPT:
                self._graphs.popitem(last=False)
        return graph

    # --- shared ---

    def _require_owner(self, row: sqlite3.Row, caller: Caller, what: str) -> None:
        if row["owner"] != caller.user_id:
            raise AccessDenied(f"The {what} {row['id']} belongs to another user, who alone can change it.")

    def _page(
        self, table: str, where: str, values: tuple[Any, ...], request: Any
    ) -> tuple[list[sqlite3.Row], Callable[[list[dict[str, Any]]], wire.Page]]:
        counted = self.store.one(f"SELECT count(*) AS n FROM {table} WHERE {where}", *values)
        total = 0 if counted is None else int(counted["n"])
        limit, offset = min(request.limit, 1000) or 100, request.offset
        query = f"SELECT * FROM {table} WHERE {where} ORDER BY seq DESC LIMIT ? OFFSET ?"
        rows = self.store.all(query, *values, limit, offset)

        def link(start: int) -> str:
            return f"{request.path}?limit={limit}&offset={start}"

        def page_of(results: list[dict[str, Any]]) -> wire.Page:
            following = link(offset + limit) if offset + limit < total else None
            return wire.Page(total, tuple(results), following, link(max(offset - limit, 0)) if offset else None)

        return rows, page_of


def _check_columns(table: StoredTable, which: str, wire_bindings: Mapping[str, Any]) -> None:
    names = {"node_encodings": wire_bindings} if which == "nodes" else {"edge_encodings": wire_bindings}
    bindings = from_wire(names.get("node_encodings", {}), names.get("edge_encodings", {}))
    check_bindings(list(table.dtypes), which, bindings)


def _text(value: str) -> str:
    """An id as the database can look it up; text that is no Unicode names nothing."""
    return value.encode("utf-8", "replace").decode()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
