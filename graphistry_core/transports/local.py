"""LocalTransport: the Hub of this process is the server. No port, no thread, no credentials."""

from __future__ import annotations

import itertools
import os
import threading

from .. import wire
from ..hub import Hub
from ..messages import Auth

DATA_DIR = "GRAPHISTRY_CORE_DATA_DIR"
_shared: list[Hub] = []
_shared_lock = threading.Lock()
_numbers = itertools.count(1)


def local_hub() -> Hub:
    """Return the Hub that the local clients of this process share, made on first use.

    It keeps its data in the directory named by ``GRAPHISTRY_CORE_DATA_DIR``, else in a temporary one.
    """
    with _shared_lock:
        if not _shared:
            _shared.append(Hub(os.environ.get(DATA_DIR) or None))
        return _shared[0]


class LocalTransport:
    """Calls a Hub directly. Each transport logs in as a user of its own unless credentials are given.

    Arrow tables go to the Hub as they are; it writes them beside its records, so that what the caller does to the
    frame afterwards cannot reach what is stored.
    """

    def __init__(self, hub: Hub | None = None) -> None:
        self.hub = hub or local_hub()
        self.place = f"local {id(self.hub)}"
        number = next(_numbers)
        self.default_login: wire.Login | None = None
        if not self.hub.accounts.strict:
            self.default_login = wire.Login("local" if number == 1 else f"local-{number}", "local")

    def call(self, request: wire.Request[wire.A], auth: Auth) -> wire.A:
        """Carry out one operation on the Hub; it raises what a server would answer with."""
        return self.hub.call(request, auth)

    def viewer_url(self, base: str, query: str, dataset_id: str) -> str:
        """Write the dataset's page beside the Hub's data and return its file:// URL."""
        folder = self.hub.store.root / "pages"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{dataset_id}.html"
        path.write_bytes(self.hub.page_for_owner(dataset_id))
        return path.as_uri()

    def close(self) -> None:
        """Nothing to release; the Hub is shared."""
