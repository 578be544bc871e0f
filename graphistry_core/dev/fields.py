"""Which fields and query parameters an operation has: read off its dataclass, plus what that does not show.

The strict mode and the parity page both go by this.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from .. import wire
from ..table_options import OPTIONS
from ..wire.functions import ABOUT, DEFINITIONS, ON_RUN

_TABLE_TYPE = "Sender"  # the annotation of a body that is a table

_READING = frozenset({"compression", *(name for options in OPTIONS.values() for name in options)})
# Of uploads, the table and how it is to be read; and where the client reached the server, which is no field.
_NOT_NAMES = {"body", "options", "content_encoding", "base_url"}

_FUNCTION = tuple(dict.fromkeys(name for names in DEFINITIONS.values() for name in names))

# What the dataclass does not name: free-form bodies, forms, names that differ on the wire.
_BODIES: Mapping[str, tuple[str, ...]] = {
    "dataset_create": (
        "node_encodings",
        "edge_encodings",
        "metadata",
        "name",
        "description",
        "node_files",
        "edge_files",
        "org_name",
        "edge_hypergraph_transform",
    ),
    "switch_org": ("slug",),
    "sso_login": ("client-type",),
    "function_create": _FUNCTION,
    "function_patch": (*ABOUT, *_FUNCTION),
    "function_run": ON_RUN,
    "gfql": ("gfql_operations", "gfql_query", "gfql_output"),
}
_RENAMED: Mapping[str, tuple[str, ...]] = {
    "gfql": ("query", "output"),
    "function_create": ("definition",),
    "function_patch": ("changes",),
    "function_run": ("choices",),
}
_FORMS = {"switch_org", "sso_login"}


@dataclass(frozen=True)
class Known:
    """The names an operation takes in its body and in its query; ``table``: the body is a table, ``form``: a form."""

    body: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    table: bool = False
    form: bool = False


def known(kind: type[wire.Request[Any]]) -> Known:
    """Return what an operation takes."""
    return _known(kind.operation)


@cache
def _known(name: str) -> Known:
    kind = next(kind for kind in wire.OPERATIONS if kind.operation == name)
    in_path = set(re.findall(r"\{(\w+)\}", " ".join([kind.path, *(path for _, path in kind.aliases)])))
    own = {f.name: f.type for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    table = any(annotation == _TABLE_TYPE for annotation in own.values())
    names = set(own) - in_path - _NOT_NAMES - set(_RENAMED.get(name, ()))
    bodies = set(_BODIES.get(name, ()))
    if table:
        return Known(query=frozenset(names) | _READING, table=True)
    if kind.method in ("GET", "DELETE"):
        return Known(query=frozenset(names))
    return Known(frozenset(names | bodies), form=name in _FORMS)
