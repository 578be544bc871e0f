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
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .. import wire
from ..encodings import from_wire
from ..errors import BadRequest, NotAuthenticated, NotFound
from ..executors import GraphData, Limits, Task, TaskResult, get_executor, settle_engine
from ..log_lines import facts
from ..messages import Auth, HttpRequest
from . import queries, travel
from .accounts import Accounts, Caller, Clock
from .directory import User
from .functions import FunctionOperations
from .intake import MAX_UPLOAD_BYTES
from .records import checked_url
from .runs import Runs
from .shared import open_store
from .sso import Sso
from .visits import Visits

_GRAPHS_KEPT = 8
log = logging.getLogger("graphistry_core")


class Hub(FunctionOperations):
    """Users, files, datasets and tasks, in this process.

    ``data_dir``: where everything is kept; a temporary directory, removed at the end, when None. ``users`` (name to
    password, or to a :class:`User`) makes it strict; by default everybody is let in. ``flags`` are feature flags.
    ``executor`` runs the tasks, within ``limits``; ``executor_options`` are for one that is named (``concurrency``,
    ``queue``, ``preload``, for 'dask' ``scheduler``). ``plottable``: what tasks get as ``g``, 'core' or 'pygraphistry'.
    ``cudf_fallback='pandas'`` gives tasks that import cudf a stand-in where it cannot be used. Safe to call from
    many threads; no lock is held while a task runs. An upload of more than ``max_upload_bytes`` is refused, also when
    it only gets there by being decompressed. ``external_url``: how others reach this server, for the links it gives.
    ``data_dir`` may be a URL (``s3://bucket/prefix``) that several share; ``cache_dir`` and ``cache_bytes`` then say
    where the local copy of what is used lies, and how large its tables may be together.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        users: Mapping[str, str | User] | None = None,
        flags: Mapping[str, bool] | None = None,
        executor: Any = "auto",
        executor_options: Mapping[str, Any] | None = None,
        plottable: str = "core",
        cudf_fallback: str | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
        max_upload_bytes: int = MAX_UPLOAD_BYTES,
        external_url: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_bytes: float | None = None,
    ) -> None:
        self._owns_executor = isinstance(executor, str)
        self.executor = get_executor(executor, **executor_options or {})
        self.limits = limits or Limits()
        self._plottable, self._cudf_fallback = plottable, cudf_fallback
        self.store = open_store(data_dir, max_upload_bytes, cache_dir=cache_dir, cache_bytes=cache_bytes)
        self.external_url = None if external_url is None else checked_url(external_url)
        self.visits = Visits()
        self._scenes, self._scenes_lock = OrderedDict(), threading.Lock()
        self.accounts = Accounts(self.store, users, clock, flags)
        self.sso = Sso(self.accounts)
        self._graphs: OrderedDict[tuple[str, str | None, str | None, float], GraphData] = OrderedDict()
        self._graphs_lock = threading.Lock()
        self.runs = Runs()
        self._asking = threading.local()  # about the request that this thread carries out
        self.task_watchers: list[Callable[[Task, TaskResult], None]] = []  # told of every run, in its request's thread

    def call(self, request: wire.Request[wire.A], auth: Auth, gone: Callable[[], bool] | None = None) -> wire.A:
        """Carry out one operation for whoever ``auth`` says; raise a GraphistryError.

        ``gone`` tells whether the caller has gone away: a task that runs for him is then ended.
        """
        self._asking.gone = gone
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
        self.forget_graphs()
        self.store.reset()
        self.accounts.reset()
        self.sso.reset()
        self.visits.clear()

    def export_to(self, directory: str | os.PathLike[str], organization: str | None = None) -> dict[str, int]:
        """Write everything, or what belongs to one organization, as a directory; see :func:`.travel.export_to`."""
        return travel.export_to(self.store, directory, organization)

    def import_from(self, directory: str | os.PathLike[str]) -> dict[str, int]:
        """Take in all of a directory that was exported, or nothing; see :func:`.travel.import_from`."""
        return travel.import_from(self.store, directory)

    def forget_graphs(self) -> None:
        """Drop the graphs that are kept open for tasks; they are opened again when needed."""
        with self._graphs_lock:
            self._graphs.clear()
        with self._scenes_lock:
            self._scenes.clear()

    def close(self) -> None:
        """End running tasks and close the store; a temporary directory is removed.

        An executor that was given as an instance is its owner's to close.
        """
        if self._owns_executor:
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
        return self.sso.login(replace(request, base_url=self._base_url(request)))

    def sso_token(self, request: wire.SsoToken) -> wire.SsoAnswer:
        """Return the token of a login in the browser, once it is approved."""
        return self.sso.token(request)

    # --- tasks ---

    def python(self, request: wire.Python, caller: Caller) -> wire.PythonAnswer:
        """Run ``task(g)`` on a dataset; raise TaskError."""
        self.accounts.require_python(caller)
        dataset = self._use(request.dataset_id, caller)
        engine, fallback = settle_engine(self.executor, request.engine, self._cudf_fallback)
        task = Task(
            source=request.execute,
            engine=engine,
            plottable=self._plottable,
            format=request.format,
            output_type=request.output_type,
            cudf_fallback=fallback,
        )
        result = self._run(task, dataset, caller).unwrap()
        return wire.PythonAnswer(result.body, result.content_type, result.approximation)

    def gfql(self, request: wire.Gfql, caller: Caller) -> wire.PythonAnswer:
        """Run a GFQL query on a dataset, and keep the result as a dataset if asked to."""
        self.accounts.require_gfql(caller)
        dataset = self._use(request.dataset_id, caller)
        answer = self._query(queries.task_of(request), dataset, caller)
        if not request.persist:
            return wire.PythonAnswer(answer.body, answer.content_type)
        kept = self._query(queries.task_of(request, keep=True), dataset, caller)
        dataset_id = self._keep(kept.body, dataset["org"], request.privacy, caller)
        body = queries.with_dataset(answer.body, answer.content_type, dataset_id, request.privacy)
        return wire.PythonAnswer(body, answer.content_type)

    def _query(self, task: Task, dataset: sqlite3.Row, caller: Caller) -> TaskResult:
        result = self._run(task, dataset, caller)
        if result.error is not None:
            raise queries.refusal(result.error) from result.error
        return result

    def _keep(self, body: bytes, org: str | None, privacy: Mapping[str, Any] | None, caller: Caller) -> str:
        tables, about = queries.unpack(body)
        create = wire.DatasetCreate(queries.dataset_body(about, org))
        dataset_id = self.dataset_create(create, caller).dataset_id
        for which, content in tables.items():
            self.dataset_upload(wire.DatasetUpload(dataset_id, which, content, "parquet"), caller)
        if privacy:
            asked = json.dumps({**privacy, "obj_pk": dataset_id}).encode()
            self.share(wire.Share.decode({}, HttpRequest("POST", wire.Share.path, body=asked)), caller)
        return dataset_id

    def _run(self, task: Task, dataset: sqlite3.Row, caller: Caller) -> TaskResult:
        with self.runs.entered(task.run_id, caller.username, dataset["id"]) as run:
            cancelled = run.cancelled_or(getattr(self._asking, "gone", None))
            result = self.executor.run(task, self._graph(dataset), self.limits, cancelled=cancelled)
        for watcher in self.task_watchers:
            watcher(task, result)
        outcome = "ok" if result.error is None else result.error.code
        log.info(
            "task %s of %s: %s in %.3f s",
            task.run_id,
            caller.username,
            outcome,
            result.duration_s,
            extra=facts(
                event="task",
                run_id=task.run_id,
                user=caller.username,
                dataset_id=dataset["id"],
                engine=task.engine,
                executor=self.executor.name,
                outcome=outcome,
                duration_s=round(result.duration_s, 6),
            ),
        )
        return result

    def _graph(self, row: sqlite3.Row) -> GraphData:
        if row["edges"] is None and row["nodes"] is None:
            raise BadRequest(f"The dataset {row['id']} has no tables yet: upload its edges first.")
        key = (row["id"], row["edges"], row["nodes"], row["updated"])
        with self._graphs_lock:
            if key in self._graphs:
                self._graphs.move_to_end(key)
                return self._graphs[key]
        create = wire.DatasetCreate(json.loads(row["body"]))
        bindings = from_wire(create.bindings("nodes"), create.bindings("edges"))
        try:
            tables = {w: None if row[w] is None else self.store.open_table(row[w]) for w in ("edges", "nodes")}
        except FileNotFoundError as e:  # deleted or replaced since the row was read
            raise NotFound(f"The dataset {row['id']!r} was deleted just now.") from e
        graph = GraphData(
            tables["edges"],
            tables["nodes"],
            bindings,
            row["id"],
            create.body.get("name"),
            create.body.get("description"),
            {w: self.store.path_of(row[w]) for w in ("edges", "nodes") if row[w] is not None},
            self.store.index_folder(row["edges"], row["nodes"], bindings),
            urls={w: url for w in ("edges", "nodes") if row[w] and (url := self.store.url_of(row[w])) is not None},
            partitions={w: self.store.partitions_place(row[w]) for w in ("edges", "nodes") if row[w] is not None},
        )
        with self._graphs_lock:
            graph = self._graphs.setdefault(key, graph)
            while len(self._graphs) > _GRAPHS_KEPT:
                self._graphs.popitem(last=False)
        return graph

    def _forget_graph(self, dataset_id: str) -> None:
        with self._graphs_lock:
            for key in [key for key in self._graphs if key[0] == dataset_id]:
                del self._graphs[key]
        self.page_path(dataset_id).unlink(missing_ok=True)
        with self._scenes_lock:
            for key in [key for key in self._scenes if key[0] == dataset_id]:
                del self._scenes[key]
