"""What the operations on files and datasets share: the store, who owns what, and pages. May import wire and store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .. import wire
from ..errors import AccessDenied
from .accounts import Accounts, Caller
from .store import Store


class Records:
    """The part of a Hub that keeps records; the Hub itself sets ``store`` and ``accounts``."""

    store: Store
    accounts: Accounts

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


def text(value: str) -> str:
    """An id as the database can look it up; text that is no Unicode names nothing."""
    return value.encode("utf-8", "replace").decode()


def iso(seconds: float) -> str:
    """Return a time as the protocol writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
