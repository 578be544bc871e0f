"""Two things at a time, where they are large: the kernels let go of the interpreter while they run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

_LARGE = 200_000
_HALVES = 2_000_000


def both(work: Callable[[str], Any], first: str, second: str, size: int) -> tuple[Any, Any]:
    """Return ``work`` of two names; at the same time where ``size``, the rows that each looks at, is large."""
    if size < _LARGE or (os.cpu_count() or 1) < 2:
        return work(first), work(second)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work(second)))
    thread.start()
    try:
        mine = work(first)
    finally:
        thread.join()
    return mine, found[0] if found else work(second)  # which raises what it raised there


def halves(work: Callable[[np.ndarray], np.ndarray], column: np.ndarray) -> np.ndarray:
    """Return the positions that ``work`` finds in a column; its halves at the same time where it is long."""
    if len(column) < _HALVES:
        return work(column)
    middle = len(column) // 2
    parts = {"first": column[:middle], "second": column[middle:]}
    first, second = both(lambda name: work(parts[name]), "first", "second", len(column))
    return np.concatenate([first, second + middle])
