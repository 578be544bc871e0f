"""What a graph can be asked. PyGraphistry's names of this path (steps, predicates, times) are loaded when asked for.

No module here is called like one of these names: it would take the name's place.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from inspect import ismodule
from typing import Any


def __getattr__(name: str) -> Any:
    # The import system asks for submodules this way before it imports them.
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is None:
        for path in ("conditions", "ast_temporal", "ast"):
            found = vars(import_module(f".{path}", __name__)).get(name)
            if found is not None and not ismodule(found):
                return found
        if find_spec("graphistry") is not None:
            found = getattr(import_module("graphistry.compute"), name, None)
            if found is not None and not ismodule(found):
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
