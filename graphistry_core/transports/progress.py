"""A progress bar for long uploads, where a person is looking. Imports nothing of ours but the body's type."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from ..arrow_body import ArrowBody

_AFTER_S = 1.0


class _Watched:
    """An Arrow body that shows how much of it is gone, once sending takes longer than a second."""

    def __init__(self, body: ArrowBody) -> None:
        self._body = body

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[memoryview]:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

        columns = ("Uploading", BarColumn(), DownloadColumn(), TransferSpeedColumn())
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        bar = progress.add_task("", total=len(self._body))
        started, shown = time.monotonic(), False
        try:
            for piece in self._body:
                yield piece
                progress.advance(bar, len(piece))
                if not shown and time.monotonic() - started > _AFTER_S:
                    progress.start()
                    shown = True
        finally:
            progress.stop()


def with_progress(body: Any) -> Any:
    """Return the body, watched when it is a table and stderr is a terminal or a notebook shows it."""
    if not isinstance(body, ArrowBody) or not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        return body
    return _Watched(body)
