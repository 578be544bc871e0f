"""Plottable: the immutable graph value.

Two tables, the names of the columns that mean something, and how to show them. Every method returns a new value;
the tables themselves are kept by identity and never copied or changed. Methods here are one-liners onto other
modules or onto the client the graph belongs to. May import errors, frames, bindings and encodings.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from . import frames, render
from .bindings import guess_ends, guess_node
from .compute import bridge
from .encodings import BINDINGS, STRUCTURE
from .errors import BindingError, ConfigError, warn_user
from .plottable_compute import ComputeMethods
from .plottable_interop import InteropMethods
from .plottable_show import ShowMethods

_IDS = ("dataset_id", "url", "nodes_file_id", "edges_file_id")
PRIVACY_KEYS = ("mode", "notify", "invited_users", "mode_action", "message")


class Client(Protocol):
    """What a graph needs from the client that made it."""

    session: Any

    def server(self, value: str | None = None) -> str:
        """Return the server's host name, or set it."""

    def protocol(self, value: str | None = None) -> str:
        """Return the protocol, or set it."""

    def relogin(self) -> str | None:
        """Log in again; return the token."""

    def for_session(self, session: Any) -> Client:
        """Return a client of another session."""

    def plot_graph(self, g: Plottable, **options: Any) -> Any:
        """Upload and show a graph."""

    def html_of(self, g: Plottable) -> bytes:
        """Return a graph as one HTML file."""

    def run_remote(self, g: Plottable, task: Any, **options: Any) -> Any:
        """Run a task on the server that holds the graph's dataset."""


class GraphVerbs(ShowMethods, InteropMethods):
    """What makes graphs: on a Plottable from itself, on a client from an empty graph."""

    def _graph(self) -> Plottable:
        raise NotImplementedError

    def pipe(self, graph_transform: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return ``graph_transform(g, *args, **kwargs)``."""
        return graph_transform(self._graph(), *args, **kwargs)

    def bind(
        self,
        source: str | None = None,
        destination: str | None = None,
        node: str | None = None,
        edge: str | None = None,
        edge_title: str | None = None,
        edge_label: str | None = None,
        edge_color: str | None = None,
        edge_weight: str | None = None,
        edge_size: str | None = None,
        edge_opacity: str | None = None,
        edge_icon: str | None = None,
        edge_source_color: str | None = None,
        edge_destination_color: str | None = None,
        point_title: str | None = None,
        point_label: str | None = None,
        point_color: str | None = None,
        point_weight: str | None = None,
        point_size: str | None = None,
        point_opacity: str | None = None,
        point_icon: str | None = None,
        point_x: str | None = None,
        point_y: str | None = None,
        point_longitude: str | None = None,
        point_latitude: str | None = None,
        dataset_id: str | None = None,
        url: str | None = None,
        nodes_file_id: str | None = None,
        edges_file_id: str | None = None,
        schema: Any = None,
        nodes: Any = None,
        edges: Any = None,
    ) -> Plottable:
        """Return a copy with the given column names bound; None and ``""`` keep what was bound.

        An encoding keyword (not source, destination, node, edge) forgets ``_dataset_id`` unless an id is given
        too, as in PyGraphistry. ``nodes=`` and ``edges=`` take tables, as PyGraphistry's documentation shows (its
        code raises TypeError): ends and node id that are not bound are then guessed from conventional column
        names, else from the first columns, with one warning that names the guess.
        """
        given = {name: value for name, value in locals().items() if name in BINDINGS and value}
        ids = {name: value for name, value in locals().items() if name in _IDS and value}
        g = self._graph()._with(**given)
        if schema is not None:
            g._schema = schema  # type: ignore[attr-defined]
        if nodes is not None or edges is not None:
            g = _with_guessed_tables(g, nodes, edges)
        if not ids and any(name not in STRUCTURE for name in given):
            g = g._with(dataset_id=None)
        return g._with(**ids)

    def edges(
        self,
        edges: Any,
        source: str | None = None,
        destination: str | None = None,
        edge: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Plottable:
        """Return a copy with this edge table (or the table that a callable makes of the graph).

        Forgets the dataset id, URL and file ids: the server has not seen this table.
        """
        g = self.bind(source=source, destination=destination, edge=edge)
        if callable(edges) and not frames.is_table(edges):
            edges = edges(g, *args, **kwargs)
        return g._with(edges=_kept(edges), **dict.fromkeys(_IDS))

    def nodes(self, nodes: Any, node: str | None = None, *args: Any, **kwargs: Any) -> Plottable:
        """Return a copy with this node table (or the table that a callable makes of the graph).

        Forgets the dataset id, URL and file ids: the server has not seen this table.
        """
        g = self.bind(node=node)
        if callable(nodes) and not frames.is_table(nodes):
            nodes = nodes(g, *args, **kwargs)
        return g._with(nodes=_kept(nodes), **dict.fromkeys(_IDS))

    def name(self, name: str) -> Plottable:
        """Return a copy with this upload name; forgets the dataset id."""
        return self._graph()._with(name=name, dataset_id=None)

    def description(self, description: str) -> Plottable:
        """Return a copy with this upload description; forgets the dataset id."""
        return self._graph()._with(description=description, dataset_id=None)


class Plottable(ComputeMethods, GraphVerbs):
    """A graph: edges, optionally nodes, bindings, and how to show it.

    Attributes that tasks read, as in PyGraphistry: ``_edges`` and ``_nodes`` (any table, or None), ``_source``,
    ``_destination``, ``_node``, ``_edge`` (column names, or None), ``_dataset_id``, ``_name``, ``_description``.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._client = client
        self._session = None if client is None else client.session  # a later register() is not about this graph
        self._nodes: Any = None
        self._edges: Any = None
        for name in (*BINDINGS, *_IDS):
            setattr(self, f"_{name}", None)
        self._name: str | None = None
        self._description: str | None = None
        self._height: int = 500
        self._render: str = "auto"
        self._url_params: dict[str, Any] = {"info": "true"}
        self._style: dict[str, Any] = {}
        self._complex_encodings: dict[str, Any] = {
            table: {"current": {}, "default": {}} for table in ("node_encodings", "edge_encodings")
        }
        self._privacy: dict[str, Any] | None = None

    _source: str | None
    _destination: str | None
    _node: str | None
    _edge: str | None
    _dataset_id: str | None
    _url: str | None
    _nodes_file_id: str | None
    _edges_file_id: str | None

    def __repr__(self) -> str:
        def size(table: Any) -> str:
            if table is None or not frames.is_table(table):
                return "none" if table is None else f"no table but {type(table).__name__}"
            return f"{frames.num_rows(table)} x {len(frames.column_names(table))}"

        edges = f"edges: {size(self._edges)} ({self._source!r} -> {self._destination!r})"
        nodes = "no nodes" if self._nodes is None else f"nodes: {size(self._nodes)} ({self._node!r})"
        return f"<Plottable {edges}, {nodes}>"

    def _graph(self) -> Plottable:
        return self

    if not TYPE_CHECKING:  # a type checker should still find misspelt names

        def __getattr__(self, name: str) -> Any:
            """Look a verb up in PyGraphistry, when that is installed; see :mod:`graphistry_core.compute.bridge`."""
            return bridge.verb(self, name)

    # --- copies ---

    def copy(self) -> Plottable:
        """Return a shallow copy: the same tables, the same bindings."""
        return copy.copy(self)

    def _with(self, **attributes: Any) -> Plottable:
        clone = copy.copy(self)
        clone.__dict__.update({f"_{name}": value for name, value in attributes.items()})
        return clone

    def privacy(
        self,
        mode: str | None = None,
        notify: bool | None = None,
        invited_users: list[dict[str, Any]] | None = None,
        message: str | None = None,
        mode_action: str | None = None,
    ) -> Plottable:
        """Return a copy whose uploads are shared this way; None keeps what was set before."""
        given = {name: value for name, value in locals().items() if name in PRIVACY_KEYS and value is not None}
        return self._with(privacy={**(self._privacy or {}), **given})

    # --- state others look at ---

    @property
    def session(self) -> Any:
        """The ClientSession this graph was made with; ConfigError when it belongs to no client."""
        return self._owner().session

    @property
    def _pygraphistry(self) -> Client:
        return self._owner()

    @property
    def url(self) -> str | None:
        """The last viewer URL, or None."""
        return self._url

    def bindings(self) -> dict[str, str]:
        """Return what is bound, by bind() keyword."""
        return {name: value for name in BINDINGS if (value := getattr(self, f"_{name}")) is not None}

    def infer_labels(self) -> Plottable:
        """Return a copy with ``point_title`` bound to a label-like node column, when no title or label is.

        The column is one called nodetitle, nodelabel, label, title or name (whatever its case), else the first
        whose name contains title, label or name, else the node id. Raises BindingError when there is none.
        """
        if self.bindings().keys() & {"point_title", "point_label"}:
            return self
        columns = [] if self._nodes is None else frames.column_names(self._nodes)
        exact = [
            c for word in ("nodetitle", "nodelabel", "label", "title", "name") for c in columns if c.lower() == word
        ]
        partial = [c for word in ("title", "label", "name") for c in columns if word in c.lower()]
        found = [*exact, *partial, *([self._node] if self._node is not None else [])]
        if self._nodes is None or not found:
            raise BindingError("No label-like node column was found; bind one with bind(point_title='…').")
        return self.bind(point_title=found[0])

    def server(self, v: str | None = None) -> str:
        """Return the host name of this graph's session, or set it."""
        return str(self._owner().server(v))

    def protocol(self, v: str | None = None) -> str:
        """Return the protocol of this graph's session, or set it."""
        return str(self._owner().protocol(v))

    def client_protocol_hostname(self, v: str | None = None) -> str:
        """Return protocol and host as browsers use them, or set them; by default those of the server."""
        if v is not None:
            self.session.client_protocol_hostname = v
        return self.session.client_protocol_hostname or self.base_url_server()

    def base_url_server(self) -> str:
        """Return protocol and host of the server."""
        return f"{self.session.protocol}://{self.session.hostname}"

    def base_url_client(self) -> str:
        """Return protocol and host as browsers use them."""
        return self.client_protocol_hostname()

    def bolt(self, driver: Any) -> Plottable:
        """Return a copy whose session has this Neo4j (bolt) driver, or the arguments to make one."""
        self.session._bolt_driver = driver
        return self.copy()

    def reset_caches(self) -> None:
        """Forget which tables this session has sent; equal ones are sent again."""
        self.session._uploaded_files.clear()

    def _repr_html_(self) -> str | None:
        if self._url is None:
            return None
        if self._dataset_id:
            render.prepare(self.session.transport, self._dataset_id)
        return render.iframe(self._url, self._height)

    # --- verbs that need a server, or the in-process Hub ---

    def plot(
        self,
        graph: Any = None,
        nodes: Any = None,
        name: str | None = None,
        description: str | None = None,
        render: str | bool | None = "auto",
        skip_upload: bool = False,
        as_files: bool = False,
        memoize: bool = True,
        erase_files_on_fail: bool = True,
        extra_html: str = "",
        override_html_style: str | None = None,
        validate: frames.Validate = "autofix",
        warn: bool = True,
        schema_validate: bool | str = False,
    ) -> Any:
        """Upload the graph and return what ``render`` asks for.

        ``render``: 'url' (or False) the viewer URL; 'g' a Plottable that knows its ``_dataset_id``; 'browser'
        opens the URL and returns it; 'ipython' and 'databricks' an iframe; 'auto' (or True) the first of ipython,
        databricks, browser, url that works here; None the graph's own setting. The token is refreshed first.
        Raises BindingError when source, destination, or the node column of a node table is not bound.
        """
        options = {k: v for k, v in locals().items() if k != "self"}
        return self._owner().plot_graph(self, **options)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the graph as one HTML file that shows it in any browser, without a server or a network.

        With a path the file is written there, UTF-8, and the path is returned. Nodes, edges and the viewer are inside;
        tables of more than 20 MB are sampled, and the page says so. Nothing is uploaded, no login is needed. Raises
        BindingError as :meth:`plot` does. A method of this library: PyGraphistry has none.
        """
        page = self._owner().html_of(self)
        if path is None:
            return page.decode()
        Path(path).write_bytes(page)
        return os.fspath(path)

    def upload(
        self,
        memoize: bool = True,
        erase_files_on_fail: bool = True,
        validate: frames.Validate = "autofix",
        warn: bool = True,
        schema_validate: bool | str = False,
    ) -> Plottable:
        """Upload the graph as files and return a copy that knows its ids: ``plot(render='g', as_files=True)``."""
        options = {k: v for k, v in locals().items() if k != "self"}
        uploaded = self._owner().plot_graph(self, render="g", as_files=True, **options)
        assert isinstance(uploaded, Plottable)
        return uploaded

    def python_remote_json(
        self,
        code: str | Callable[..., Any],
        api_token: str | None = None,
        dataset_id: str | None = None,
        engine: str = "auto",
        run_label: str | None = None,
        validate: bool = True,
    ) -> Any:
        """Run ``task(g)`` on the server and return its JSON value (a str result comes back as str).

        ``code`` is the task's source or a function whose source is shipped. Uploads the graph when it has no
        ``_dataset_id``. Raises TaskError subclasses as ``graphistry_core.run_task`` does.
        """
        return self._remote(locals(), "json", "json")

    def python_remote_table(
        self,
        code: str | Callable[..., Any],
        api_token: str | None = None,
        dataset_id: str | None = None,
        format: str = "parquet",
        output_type: str = "table",
        engine: str = "auto",
        run_label: str | None = None,
        validate: bool = True,
        df_import_args: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run ``task(g)`` on the server and return its table (pandas), or a Plottable for nodes, edges and all."""
        return self._remote(locals(), format, output_type)

    def python_remote_g(
        self,
        code: str | Callable[..., Any],
        api_token: str | None = None,
        dataset_id: str | None = None,
        format: str = "parquet",
        output_type: str = "all",
        engine: str = "auto",
        run_label: str | None = None,
        validate: bool = True,
        df_import_args: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run ``task(g)`` on the server and return the graph it returns, as a copy of this one with its tables."""
        return self._remote(locals(), format, output_type)

    def _remote(self, arguments: Mapping[str, Any], format: str, output_type: str) -> Any:
        options = {k: v for k, v in arguments.items() if k not in ("self", "code", "format", "output_type")}
        return self._owner().run_remote(self, arguments["code"], format=format, output_type=output_type, **options)

    def _owner(self) -> Client:
        if self._client is None:
            raise ConfigError(
                "This graph belongs to no client, so it has no server to go to (inside a task there is none): make "
                "it with graphistry_core.bind() or client.edges(), or tie it to one with client.set_client_for(g)."
            )
        return self._client.for_session(self._session)

    def __deepcopy__(self, memo: dict[int, Any]) -> Plottable:
        """Return a copy with tables and settings of its own, that belongs to the same client and session."""
        clone = copy.copy(self)
        shared = ("_client", "_session")
        clone.__dict__.update({k: copy.deepcopy(v, memo) for k, v in self.__dict__.items() if k not in shared})
        return clone


def _kept(table: Any) -> Any:
    """Return a table that can be read more than once: a stream is read now, everything else stays as it is."""
    return frames.to_arrow(table) if frames.is_one_shot(table) else table


def _with_guessed_tables(g: Plottable, nodes: Any, edges: Any) -> Plottable:
    guessed: dict[str, str] = {}
    if edges is not None:
        g = g.edges(edges)
        if g._source is None or g._destination is None:
            source, destination = guess_ends(frames.column_names(g._edges), g._source, g._destination)
            guessed |= {"source": source, "destination": destination}
    if nodes is not None:
        g = g.nodes(nodes)
        if g._node is None:
            guessed["node"] = guess_node(frames.column_names(g._nodes))
    if not guessed:
        return g
    said = ", ".join(f"{name}={column!r}" for name, column in guessed.items())
    warn_user(f"Guessed bind({said}) from the column names; name the columns to be sure.")
    return g.bind(**guessed)
