"""What the operations on files and datasets share: the store, who owns what, and pages. May import wire and store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from .. import wire
from ..errors import AccessDenied, ConfigError
from .accounts import Accounts, Caller
from .store import Store


class Records:
    """The part of a Hub that keeps records; the Hub itself sets ``store`` and ``accounts``."""

    store: Store
    accounts: Accounts
    external_url: str | None = None

    def _base_url(self, request: Any) -> str:
        """Return what links begin with: the configured address, else the one the request came to, else nothing."""
        return self.external_url or str(request.base_url)

    def _row(self, table: str, record_id: str, *, fresh: bool = False) -> sqlite3.Row | None:
        """Return a row of ``'files'`` or ``'datasets'``, or None; ``fresh``: as other servers left it, for a change."""
        query, known = f"SELECT * FROM {table} WHERE id = ?", text(record_id)
        row = None if fresh else self.store.one(query, known)
        if row is None:
            self.store.fetch_record(table, known)
            row = self.store.one(query, known)
        return row

    def _require_owner(self, row: sqlite3.Row, caller: Caller, what: str) -> None:
        if row["owner"] != caller.user_id:
            raise AccessDenied(f"The {what} {row['id']} belongs to another user, who alone can change it.")

    def _page(
        self, table: str, where: str, values: tuple[Any, ...], request: Any
    ) -> tuple[list[sqlite3.Row], Callable[[list[dict[str, Any]]], wire.Page]]:
        """Return the rows of the page that a list request asks for, and what makes a page of their records."""
        counted = self.store.one(f"SELECT count(*) AS n FROM {table} WHERE {where}", *values)
        limit, page_of = self._page_links(request, 0 if counted is None else int(counted["n"]))
        query = f"SELECT * FROM {table} WHERE {where} ORDER BY seq DESC LIMIT ? OFFSET ?"
        return self.store.all(query, *values, limit, request.offset), page_of

    def _page_links(self, request: Any, total: int) -> tuple[int, Callable[[list[dict[str, Any]]], wire.Page]]:
        """Return how many rows a page takes, and what makes a page, with links to its neighbours, of records."""
        limit, offset = min(request.limit, 1000) or 100, request.offset

        def link(start: int) -> str:
            return f"{self._base_url(request)}{request.place()}?limit={limit}&offset={start}"

        def page_of(results: list[dict[str, Any]]) -> wire.Page:
            following = link(offset + limit) if offset + limit < total else None
            return wire.Page(total, tuple(results), following, link(max(offset - limit, 0)) if offset else None)

        return limit, page_of


def checked_url(url: str) -> str:
    """Return an external URL without a slash at the end; raise ConfigError when it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ConfigError(f"external_url is {url!r}; it must be like https://graphistry.example.org.")
    return url.rstrip("/")


def text(value: str) -> str:
    """An id as the database can look it up; text that is no Unicode names nothing."""
    return value.encode("utf-8", "replace").decode()


def iso(seconds: float) -> str:
    """Return a time as the protocol writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
