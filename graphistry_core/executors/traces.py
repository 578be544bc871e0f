"""What a task leaves behind in a process that goes on: threads, working directory, environment, patched modules."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

_WATCHED = ("builtins", "os", "sys", "json", "math", "random", "time", "datetime", "warnings", "signal",
            "numpy", "pandas", "pyarrow", "cudf", "cupy", "numba", "graphistry", "graphistry_core")  # fmt: skip
_SKIPPED = {"__builtins__", "__warningregistry__", "__cached__", "last_traceback", "last_type", "last_value",
            "last_exc", "modules", "path_importer_cache"}  # fmt: skip

_listdir = os.listdir  # as it was, whatever a task makes of it
_SIGNALS = sorted(signal.valid_signals())


class Traces:
    """Notes how this process is, and finds what has changed since."""

    def __init__(self) -> None:
        self._before = _state()

    def found(self) -> list[str]:
        """Return the names of what has changed; lists and dicts inside watched modules are not looked into."""
        now = _state()
        return sorted(
            {name for name, value in self._before.items() if now.get(name) != value}
            | {name for name in now.keys() - self._before.keys() if not name.startswith("import ")}
        )


def _state() -> dict[str, Any]:
    state: dict[str, Any] = {
        "threads": threading.active_count(),
        "environment": hash(frozenset(os.environ.items())),
        "directory": _directory(),
        "descriptors": len(_listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")),
        "timers": [signal.getitimer(which)[0] > 0 for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL)],
        "handlers": [str(signal.getsignal(number)) for number in _SIGNALS],
        "sys.path": tuple(map(str, sys.path)),
    }
    for name, namespace in _namespaces():
        state[name] = hash(frozenset((key, id(value)) for key, value in namespace.items() if key not in _SKIPPED))
    return state


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _namespaces() -> Iterator[tuple[str, Mapping[str, Any]]]:
    seen: set[type] = set()
    for name in _WATCHED:
        module = sys.modules.get(name)
        if module is None:
            continue
        # A package gets a name for each submodule that is imported: that is no trace.
        yield (
            f"module {name}",
            {key: value for key, value in vars(module).items() if f"{name}.{key}" not in sys.modules},
        )
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__.partition(".")[0] == name:
                for base in value.__mro__:
                    if base not in seen and base.__module__.partition(".")[0] == name:
                        seen.add(base)
                        yield f"class {base.__module__}.{base.__qualname__}", vars(base)
