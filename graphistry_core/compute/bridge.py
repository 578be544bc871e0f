"""Verbs we do not have: handed to PyGraphistry when it is installed, and its answer handed back.

A graph goes over with its tables (by identity), bindings, encodings, style and ids, tied to a PyGraphistry client that
stands for this graph's session: one per session, so two sessions' plugin configurations stay apart. May import errors,
encodings and frames; imports graphistry only when a verb is asked for that is not ours.
"""

from __future__ import annotations

import functools
import inspect
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..encodings import BINDINGS
from ..errors import MissingDependency, NotImplementedHere
from . import exceptions
from .ASTSerializable import ASTSerializable
from .lazy import is_lazy

if TYPE_CHECKING:
    from ..plottable import Plottable

_CARRIED = (*(f"_{name}" for name in BINDINGS), "_dataset_id", "_url", "_nodes_file_id", "_edges_file_id", "_name",
            "_description", "_height", "_render", "_url_params", "_complex_encodings")  # fmt: skip
_REMOTE = ("gfql_remote", "chain_remote")  # they would go to a server that a local session never named
_WHOLE = ("hop", "gfql", "chain", "filter_nodes_by_dict", "filter_edges_by_dict", "keep_nodes", "drop_nodes",
          "search_nodes", "search_edges", "get_topological_levels", "gfql_index_all")  # fmt: skip
_PLUGINS = ("kusto", "spanner", "_bolt_driver")
_SETTINGS = ("hostname", "protocol", "client_protocol_hostname", "certificate_validation", "org_name", "api_token")


def available() -> bool:
    """Say whether PyGraphistry is installed."""
    return find_spec("graphistry") is not None


def verb(g: Plottable, name: str) -> Any:
    """Return PyGraphistry's attribute of this name for a graph; a method gives our Plottable for its own.

    Raises AttributeError when PyGraphistry has none either, or is not installed (naming the extra that brings it).
    """
    if name.startswith("_"):
        raise AttributeError(f"'Plottable' object has no attribute {name!r}")
    _refuse_lazy(g, name)
    if not available() and hasattr(type(g), name):
        raise MissingDependency(
            f'{name}() in this form is PyGraphistry\'s own; install it: pip install "graphistry-core[pygraphistry]".'
        )
    if not available():
        raise AttributeError(
            f"'Plottable' object has no attribute {name!r}. If it is one of PyGraphistry's, install that: "
            'pip install "graphistry-core[pygraphistry]".'
        )
    if name.startswith(_REMOTE) and g._client is not None and not hasattr(g.session.transport, "url"):
        raise NotImplementedHere(
            f"{name}() needs a server; with the local transport call the verb itself, on the graph."
        )
    from graphistry.plotter import Plotter

    if not hasattr(Plotter, name):
        raise AttributeError(f"'Plottable' object has no attribute {name!r}, and neither has PyGraphistry's Plotter")
    found = getattr(to_peer(g), name)
    if not callable(found):
        return from_peer(found, g)

    @functools.wraps(found)
    def call(*args: Any, **kwargs: Any) -> Any:
        peer = to_peer(g)
        try:
            answer = getattr(peer, name)(*_to_peers(args), **{k: handed_over(v) for k, v in kwargs.items()})
        except Exception as e:
            ours = _ours(e)
            if ours is e:
                raise
            raise ours from e
        _keep_plugins(g, peer)
        return from_peer(answer, g)

    return call


def _refuse_lazy(g: Plottable, name: str) -> None:
    if name in _WHOLE and is_lazy(g):  # PyGraphistry would bring it all into memory, and say nothing
        raise NotImplementedHere(
            f"{name}() needs the whole graph in memory, and a table of this one is a Dask frame: filter or aggregate "
            "first, then write g.edges(ddf.compute()) (and g.nodes()), or ask for engine='pandas'."
        )


def _to_peers(values: Any) -> tuple[Any, ...]:
    return tuple(handed_over(value) for value in values)


def handed_over(value: Any) -> Any:
    """Graphs, patterns and predicates among the arguments go over too; a function gets and gives ours."""
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(handed_over(item) for item in value)
    if type(value) is dict:
        return {key: handed_over(item) for key, item in value.items()}
    if isinstance(value, ASTSerializable):
        return _to_peers_query(value)
    return to_peer(value) if hasattr(value, "_complex_encodings") and hasattr(value, "_client") else value


def _to_peers_query(part: ASTSerializable) -> Any:
    from graphistry.compute import ast, chain
    from graphistry.compute.predicates.from_json import from_json

    if type(part).__name__ == "Chain":
        return chain.Chain([handed_over(op) for op in part.chain])  # type: ignore[attr-defined]
    if type(part).__name__ == "ASTLet":
        return ast.ASTLet({name: handed_over(value) for name, value in part.bindings.items()})  # type: ignore[attr-defined]
    if type(part).__name__ == "ASTRef":
        return ast.ASTRef(part.ref, [handed_over(op) for op in part.chain])  # type: ignore[attr-defined]
    if type(part).__name__.startswith("AST"):
        return ast.from_json(part.to_json())
    return from_json(part.to_json())


def parsed(query: dict[str, Any]) -> Any:
    """Return PyGraphistry's own Chain or Let for the JSON of one."""
    from graphistry.compute.ast import ASTLet
    from graphistry.compute.chain import Chain

    try:
        return ASTLet.from_json(query) if query["type"] == "Let" else Chain.from_json(query)
    except Exception as e:
        raise _ours(e) from e


def filtered(frame: Any, filter_dict: dict[str, Any]) -> Any:
    """Return the rows of a table that match by PyGraphistry's own rules; raise MissingDependency without it."""
    if not available():
        raise MissingDependency(
            f"A condition among {sorted(filter_dict)} is PyGraphistry's own; install it: pip install "
            '"graphistry-core[pygraphistry]".'
        )
    from graphistry.compute.filter_by_dict import filter_by_dict

    try:
        return filter_by_dict(frame, handed_over(filter_dict))
    except Exception as e:
        raise _ours(e) from e


def step(o: dict[str, Any], validate: bool) -> Any:
    """Return PyGraphistry's own step for the JSON of one."""
    from graphistry.compute.ast import from_json

    try:
        return from_json(o, validate=validate)
    except Exception as e:
        raise _ours(e) from e


def _ours(e: Exception) -> Exception:
    """Return PyGraphistry's refusal of a query as ours of the same name; any other error as it is."""
    cls = getattr(exceptions, type(e).__name__, None)
    if not type(e).__module__.startswith("graphistry.") or cls is None or not hasattr(e, "context"):
        return e
    return cls(e.code, e.message, **e.context)  # type: ignore[attr-defined, no-any-return]


def to_peer(g: Plottable) -> Any:
    """Return PyGraphistry's Plotter for a graph: the same tables, bindings, encodings, style, ids and settings."""
    peer = _client_of(g).bind()
    for name in _CARRIED:
        setattr(peer, name, getattr(g, name))
    peer._edges, peer._nodes = g._edges, g._nodes
    peer._style = g._style or None
    return peer


def from_peer(answer: Any, g: Plottable) -> Any:
    """Return our Plottable for PyGraphistry's (also inside a tuple, list or dict); anything else as it is."""
    if isinstance(answer, tuple | list) and type(answer) in (tuple, list):
        return type(answer)(from_peer(item, g) for item in answer)
    if type(answer) is dict:
        return {key: from_peer(item, g) for key, item in answer.items()}
    if not (hasattr(answer, "_edges") and hasattr(answer, "_complex_encodings") and hasattr(answer, "_pygraphistry")):
        return answer
    ours = g.copy()
    for name in _CARRIED:
        setattr(ours, name, getattr(answer, name))
    ours._edges, ours._nodes = answer._edges, answer._nodes
    ours._style = answer._style or {}
    return ours


def _client_of(g: Plottable) -> Any:
    """Return the PyGraphistry client that stands for the graph's session, with the session's present settings."""
    import graphistry

    session = g._session
    peer = getattr(session, "_peer", None)
    if peer is None:
        peer = graphistry.pygraphistry.GraphistryClient()
        if session is not None:
            session._peer = peer
    if session is None or g._client is None:
        return peer
    peer.relogin = lambda: peer.api_token(g._owner().relogin())
    for name in _SETTINGS:
        setattr(peer.session, name, getattr(session, name))
    for name in _PLUGINS:
        configured = getattr(session, name)
        if name == "_bolt_driver" and isinstance(configured, dict):
            peer.set_bolt_driver(configured)
        elif configured is not None:
            setattr(peer.session, name, configured)
    return peer


def _keep_plugins(g: Plottable, peer: Any) -> None:
    """Keep what a call configured (``configure_kusto``, …) in the graph's own session."""
    if g._client is None:
        return
    for name in _PLUGINS:
        configured = getattr(peer.session, name, None)
        if configured is not None:
            setattr(g.session, name, configured)


def public(name: str) -> Any:
    """Return what PyGraphistry's module calls by this name (no submodules), or None."""
    if not available():
        return None
    import graphistry

    found = getattr(graphistry, name, None)
    return None if inspect.ismodule(found) else found
