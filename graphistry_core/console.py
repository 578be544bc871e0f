"""What the commands say to a person, on stderr. Imports errors and click only."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

import click

from .errors import GraphistryError, TaskError


def say(text: str) -> None:
    """Print a message for a person, on stderr."""
    click.echo(text, err=True)


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """Print the project's errors as a sentence (and a task's traceback), and exit with 1."""
    try:
        yield
    except GraphistryError as e:
        if isinstance(e, TaskError) and e.traceback:
            say(e.traceback.rstrip())
        say(f"error: {e.message}")
        sys.exit(1)


@contextlib.contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show that something is going on, on a terminal, once it takes more than a second."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    status = Console(stderr=True).status(text)
    timer = threading.Timer(1.0, status.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        status.stop()


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Keep stdout for the result: what somebody's code, its threads and child processes print goes to stderr."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
