"""LocalTransport: the Hub of this process is the server. No port, no thread, no credentials."""

from __future__ import annotations

import itertools
import os
import threading
from typing import Any
from urllib.parse import unquote

from .. import wire
from ..hub import Hub
from ..messages import Auth

DATA_DIR = "GRAPHISTRY_CORE_DATA_DIR"
_shared: list[Hub] = []
_shared_lock = threading.Lock()
_numbers = itertools.count(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_shared.clear)  # a child makes its own, and leaves the parent's alone


def local_hub() -> Hub:
    """Return the Hub that the local clients of this process share, made on first use.

    It keeps its data in the directory, or at the URL, named by ``GRAPHISTRY_CORE_DATA_DIR``, else in a temporary one.
    """
    with _shared_lock:
        if not _shared:
            _shared.append(Hub(os.environ.get(DATA_DIR) or None))
        return _shared[0]


def _next_username() -> str:
    number = next(_numbers)
    return "local" if number == 1 else f"local-{number}"


class LocalTransport:
    """Calls a Hub directly. Each transport logs in as a user of its own unless credentials are given.

    Arrow tables go to the Hub as they are; it writes them beside its records, so that what the caller does to the
    frame afterwards cannot reach what is stored.
    """

    def __init__(self, hub: Hub | None = None, username: str | None = None) -> None:
        self.hub = hub or local_hub()
        self.place = f"local {id(self.hub)}"
        self._queries: dict[str, str] = {}
        self.username = username or _next_username()
        self.default_login = None if self.hub.accounts.strict else wire.Login(self.username, "local")

    def call(self, request: wire.Request[wire.A], auth: Auth) -> wire.A:
        """Carry out one operation on the Hub; it raises what a server would answer with.

        What is no table goes through its wire form first, so that nothing is accepted here that a server refuses.
        """
        checked: Any = request
        if not isinstance(request, wire.FileUpload | wire.DatasetUpload):
            http = request.encode()
            operation, params = wire.match(http.method, unquote(http.path))
            checked = operation.decode(params, http)
        answer: wire.A = self.hub.call(checked, auth)
        return answer

    def viewer_url(self, base: str, query: str, dataset_id: str) -> str:
        """Return the file:// URL of the dataset's page, which :meth:`prepare_page` writes."""
        self._queries[dataset_id] = query
        return self.hub.page_path(dataset_id).as_uri()

    def prepare_page(self, dataset_id: str) -> None:
        """Write the dataset's page beside the Hub's data, when it is about to be shown: layout takes time."""
        page, path = self.hub.page_file(dataset_id, self._queries.get(dataset_id, "")), self.hub.page_path(dataset_id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = path.with_suffix(f".{threading.get_ident()}")
        fresh.write_bytes(page)
        fresh.replace(path)

    def close(self) -> None:
        """Nothing to release; the Hub is shared."""
