"""Keep PyGraphistry from remembering uploads while one of our servers runs in its process.

PyGraphistry keeps file ids by table content in one process-wide dict, whatever the server or user: an equal table is
never uploaded again, not even to another server. That is right for one server in production and wrong for tests with
several, or with one that forgets. This is the only place that touches PyGraphistry's insides: the dict
``graphistry.ArrowFileUploader._CACHE``, replaced by one that remembers nothing, if and when that module is there.
"""

from __future__ import annotations

import sys
import threading
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_MODULE, _ATTRIBUTE = "graphistry.ArrowFileUploader", "_CACHE"


class _Forgetful(dict[Any, Any]):
    """A dict that takes everything and keeps nothing."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Drop it."""

    def setdefault(self, _key: Any, default: Any = None) -> Any:
        """Return the default without keeping it."""
        return default


class _AfterImport(MetaPathFinder, Loader):
    """Lets the module load as always, then calls back."""

    def __init__(self, memo: _UploadMemo) -> None:
        self._memo = memo
        self._loader: Any = None

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find the one module, with this object in front of its loader."""
        if fullname != _MODULE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create it as always."""
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        """Execute it as always, then switch its memory off if a server is still running."""
        self._loader.exec_module(module)
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._memo.loaded(module)


class _UploadMemo:
    """Counts running servers; the first switches the memory off, the last switches it on again."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users = 0
        self._saved: Any = None
        self._finder = _AfterImport(self)

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            module = sys.modules.get(_MODULE)
            if module is not None:
                self.loaded(module)
            else:
                sys.meta_path.insert(0, self._finder)

    def loaded(self, module: ModuleType) -> None:
        with self._lock:
            if self._users and isinstance(getattr(module, _ATTRIBUTE, None), dict):
                self._saved = getattr(module, _ATTRIBUTE)
                setattr(module, _ATTRIBUTE, _Forgetful())

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            if self._finder in sys.meta_path:
                sys.meta_path.remove(self._finder)
            module = sys.modules.get(_MODULE)
            if module is not None and self._saved is not None:
                setattr(module, _ATTRIBUTE, self._saved)
            self._saved = None


_memo = _UploadMemo()


def forget_uploads() -> _UploadMemo:
    """Return the one switch; ``enter()`` and ``leave()`` it in pairs."""
    return _memo
