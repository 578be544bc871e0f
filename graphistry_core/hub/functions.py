"""The Hub's operations on user-defined functions. May import wire, records, datasets and store."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .. import wire
from ..errors import AccessDenied, BadRequest, NotFound
from ..executors import Task
from ..executors.task import prepare
from ..wire.functions import ABOUT, request_of
from . import queries
from .accounts import Caller
from .datasets import DatasetOperations
from .records import iso, text


class FunctionOperations(DatasetOperations):
    """One method per operation of ``wire/functions.py``.

    Functions belong to their organization: whoever is in it may list, run, change and delete them.
    """

    def function_list(self, request: wire.FunctionList, caller: Caller) -> wire.Page:
        """List an organization's functions of one kind, newest first."""
        self.accounts.enter(caller, request.org)
        self.store.refresh()
        rows, page_of = self._page("functions", "org = ? AND kind = ?", (request.org, request.kind), request)
        return page_of([self._function_record(row) for row in rows])

    def function_create(self, request: wire.FunctionCreate, caller: Caller) -> wire.RecordAnswer:
        """Keep a function; raise InvalidTask or BadRequest for what could never run."""
        self.accounts.require_functions(caller, request.kind)
        self.accounts.enter(caller, request.org)
        self._check_function(request.kind, request.definition, request.dataset_id, caller)
        function_id, now = uuid.uuid4().hex, self.accounts.clock.now()
        about = {name: getattr(request, name) for name in ABOUT}
        values = {
            "id": function_id, "owner": caller.user_id, "org": request.org, "kind": request.kind, **about,
            "definition": json.dumps(dict(request.definition)), "created": now, "updated": now,
        }  # fmt: skip
        self.store.refresh()
        with self.store.transaction() as db:
            self._require_free(db, request, request.alias)
            places = ", ".join("?" * len(values))
            db.execute(f"INSERT INTO functions ({', '.join(values)}) VALUES ({places})", [*values.values()])
        return self._function_answer(request, function_id)

    def function_get(self, request: wire.FunctionGet, caller: Caller) -> wire.RecordAnswer:
        """Return a function's record."""
        self.accounts.enter(caller, request.org)
        return wire.RecordAnswer(self._function_record(self._function(request)))

    def function_patch(self, request: wire.FunctionPatch, caller: Caller) -> wire.RecordAnswer:
        """Change a function, which stays as it was when anything of the change cannot be."""
        self.accounts.enter(caller, request.org)
        self.store.refresh()
        row = self._function(request)
        about = {name: value for name, value in request.changes.items() if name in ABOUT}
        changed = {name: value for name, value in request.changes.items() if name not in ABOUT}
        if changed:
            self.accounts.require_functions(caller, request.kind)
        definition = {**json.loads(row["definition"]), **changed}
        self._check_function(request.kind, definition, about.get("dataset_id"), caller)
        values = {**about, "updated": self.accounts.clock.now()}
        if changed:
            values["definition"] = json.dumps(definition)
        with self.store.transaction() as db:
            if about.get("alias") not in (None, row["alias"]):
                self._require_free(db, request, about["alias"])
            places = ", ".join(f"{name} = ?" for name in values)
            db.execute(f"UPDATE functions SET {places} WHERE id = ?", [*values.values(), row["id"]])
        return self._function_answer(request, row["id"])

    def function_delete(self, request: wire.FunctionDelete, caller: Caller) -> wire.OkAnswer:
        """Delete a function."""
        self.accounts.enter(caller, request.org)
        self.store.refresh()
        row = self._function(request)
        with self.store.transaction() as db:
            db.execute("DELETE FROM functions WHERE id = ?", (row["id"],))
        return wire.OkAnswer("Function deleted", {"uuid": row["id"]})

    def function_run(self, request: wire.FunctionRun, caller: Caller) -> wire.PythonAnswer:
        """Run a function for the caller, who must be allowed to run such things and to see the dataset."""
        self.accounts.enter(caller, request.org)
        row = self._function(request)
        if not row["enabled"]:
            raise AccessDenied(f"The function {request.function!r} is switched off: change its field 'enabled'.")
        choices = dict(request.choices)
        dataset_id = choices.pop("dataset_id", None) or row["dataset_id"]
        if dataset_id is None:
            raise BadRequest(f"The function {request.function!r} has no dataset of its own: name a 'dataset_id'.")
        once = request_of(request.kind, dataset_id, {**json.loads(row["definition"]), **choices})
        return self.python(once, caller) if isinstance(once, wire.Python) else self.gfql(once, caller)

    def _check_function(self, kind: str, definition: Mapping[str, Any], dataset_id: str | None, caller: Caller) -> None:
        if dataset_id is not None:
            self._dataset(dataset_id, caller)
        once = request_of(kind, "none yet", definition)
        if isinstance(once, wire.Python):
            Task(prepare(once.execute), format=once.format, output_type=once.output_type)
        else:
            queries.task_of(once)

    def _require_free(self, db: sqlite3.Connection, where: Any, alias: str | None) -> None:
        found = db.execute(
            "SELECT 1 FROM functions WHERE org = ? AND kind = ? AND alias = ?", (where.org, where.kind, alias)
        )
        if found.fetchone() is not None:
            raise BadRequest(
                f"There is a {where.kind} function {alias!r} in {where.org!r} already: change or delete it."
            )

    def _function(self, request: Any) -> sqlite3.Row:
        query = "SELECT * FROM functions WHERE org = ?1 AND kind = ?2 AND (id = ?3 OR alias = ?3) ORDER BY seq DESC"
        named = (text(request.org), request.kind, text(request.function))
        row = self.store.one(query, *named)
        if row is None:
            self.store.refresh()
            row = self.store.one(query, *named)
        if row is None:
            raise NotFound(f"There is no {request.kind} function {request.function!r} in {request.org!r}.")
        return row

    def _function_answer(self, request: Any, function_id: str) -> wire.RecordAnswer:
        row = self.store.one("SELECT * FROM functions WHERE id = ?", function_id)
        if row is None:
            raise NotFound(f"The {request.kind} function was deleted just now.")
        return wire.RecordAnswer(self._function_record(row))

    def _function_record(self, row: sqlite3.Row) -> dict[str, Any]:
        name = row["alias"] or row["id"]
        return {
            **json.loads(row["definition"]),
            "uuid": row["id"],
            "type": row["kind"],
            "org_name": row["org"],
            "alias": row["alias"],
            "name": row["name"],
            "description": row["description"],
            "enabled": bool(row["enabled"]),
            "dataset_id": row["dataset_id"],
            "author": row["owner"],
            "created_at": iso(row["created"]),
            "updated_at": iso(row["updated"]),
            "run": wire.FunctionRun.path.format(org=quote(row["org"], safe=""), kind=row["kind"], function=name),
        }

    def python(self, request: wire.Python, caller: Caller) -> wire.PythonAnswer:
        """Run ``task(g)`` on a dataset."""
        raise NotImplementedError

    def gfql(self, request: wire.Gfql, caller: Caller) -> wire.PythonAnswer:
        """Run a query on a dataset."""
        raise NotImplementedError
