"""Which columns are source, destination and node when nobody said. Imports errors only."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import BindingError

_SOURCE = ("source", "src", "from", "s", "start", "sender", "subject", "src_id", "source_id", "from_id", "u")
_DESTINATION = ("destination", "dst", "dest", "target", "to", "d", "t", "end", "receiver", "object", "dst_id",
                "destination_id", "target_id", "to_id", "v")  # fmt: skip
_NODE = ("id", "node", "node_id", "nodeid", "name", "key", "index")


def _first_match(columns: Sequence[str], wanted: Sequence[str]) -> str | None:
    by_name = {column.lower(): column for column in reversed(columns)}
    return next((by_name[name] for name in wanted if name in by_name), None)


def guess_ends(columns: Sequence[str], source: str | None = None, destination: str | None = None) -> tuple[str, str]:
    """Guess (source, destination): conventional names (whatever their case), else the first columns left.

    What is given stays, and is not guessed a second time for the other end. Raises BindingError when there are fewer
    than two columns.
    """
    if len(columns) < 2:
        raise BindingError(
            f"An edge table needs a source and a destination column; this one has {list(columns) or 'no columns'}."
        )
    left = [column for column in columns if column not in (source, destination)]
    found_destination = destination or _first_match(left, _DESTINATION)
    left = [column for column in left if column != found_destination]
    source = source or _first_match(left, _SOURCE) or next(iter(left))
    left = [column for column in left if column != source]
    return source, found_destination or next(iter(left))


def guess_node(columns: Sequence[str]) -> str:
    """Guess the node id column: a conventional name, else the first column. Raises BindingError without columns."""
    if not columns:
        raise BindingError("A node table needs an id column; this one has no columns.")
    return _first_match(columns, _NODE) or columns[0]
