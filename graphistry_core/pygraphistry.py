"""GraphistryClient: log in, and make graphs that belong to this client. May import everything."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from . import arrow_uploader, frames, render, viewer_settings, wire
from .authentication import AuthenticationMethods
from .client_session import ClientSession
from .encodings import complex_from_wire, from_wire
from .errors import BadRequest, warn_user
from .executors.result import decode
from .executors.task import prepare, source_of
from .plottable import GraphVerbs, Plottable

_clients_made = False


class GraphistryClient(AuthenticationMethods, GraphVerbs):
    """One user of one server: a session, and the graphs made from it.

    ``graphistry_core.register`` and the other module functions are those of one default client. For several users,
    make ``client()`` objects: each has a session of its own, and nothing is shared between them.
    """

    def __init__(self, session: ClientSession | None = None) -> None:
        self.session = session or ClientSession()
        self._warned_global = False

    def client(self, inherit: bool = False) -> GraphistryClient:
        """Return a new client with a session of its own: fresh, or a copy of this one's with ``inherit``."""
        global _clients_made  # noqa: PLW0603 - as in PyGraphistry: has anybody left the default client?
        _clients_made = True
        return GraphistryClient(self.session.copy() if inherit else None)

    def for_session(self, session: ClientSession) -> GraphistryClient:
        """Return a client of a session: this one, or one for a session it had before it registered again."""
        return self if session is self.session else GraphistryClient(session)

    def set_client_for(self, plotter: Plottable) -> Plottable:
        """Return a copy of a graph that belongs to this client."""
        return plotter._with(client=self, session=self.session)

    def _before_register(self) -> None:
        if self is globals().get("PyGraphistry") and _clients_made and not self._warned_global:
            self._warned_global = True
            warn_user(
                "register() on the global client after client() was used: the two do not share a login.",
            )

    # --- graphs ---

    def _graph(self) -> Plottable:
        return Plottable(self)

    def style(  # type: ignore[override]  # PyGraphistry's clients have another order
        self,
        bg: dict[str, Any] | None = None,
        fg: dict[str, Any] | None = None,
        logo: dict[str, Any] | None = None,
        page: dict[str, Any] | None = None,
    ) -> Plottable:
        """Set the style of an empty graph; see :meth:`Plottable.style`, whose arguments stand in another order."""
        return self._graph().style(fg=fg, bg=bg, page=page, logo=logo)

    def addStyle(  # type: ignore[override]  # noqa: N802 - PyGraphistry's name
        self,
        bg: dict[str, Any] | None = None,
        fg: dict[str, Any] | None = None,
        logo: dict[str, Any] | None = None,
        page: dict[str, Any] | None = None,
    ) -> Plottable:
        """Add to the style of an empty graph; see :meth:`Plottable.addStyle`."""
        return self._graph().addStyle(fg=fg, bg=bg, page=page, logo=logo)

    def hypergraph(  # type: ignore[override] # PyGraphistry's: by position, and all five results
        self,
        raw_events: Any,
        entity_types: Sequence[str] | None = None,
        opts: Mapping[str, Any] | None = None,
        drop_na: bool = True,
        drop_edge_attrs: bool = False,
        verbose: bool = True,
        direct: bool = False,
        engine: str = "auto",
        npartitions: int | None = None,
        chunksize: int | None = None,
    ) -> dict[str, Any]:
        """Turn rows into a graph of their values; return entities, events, edges, nodes and graph.

        See :meth:`Plottable.hypergraph` for the arguments.
        """
        options = {name: value for name, value in locals().items() if name not in ("self", "raw_events")}
        made: dict[str, Any] = self._graph().hypergraph(raw_events, return_as="all", **options)
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Look a verb up in PyGraphistry's graphs, for an empty one of this client."""
            if name.startswith("_"):
                raise AttributeError(f"'GraphistryClient' object has no attribute {name!r}")
            return getattr(self._graph(), name)

    def from_dataset_id(self, dataset_id: str, api_token: str | None = None) -> Plottable:
        """Return a graph that stands for an uploaded dataset: how it is shown, name and URL, without its tables."""
        if api_token is None:
            self.refresh()
        answer = self._call(wire.DatasetGet(dataset_id), api_token)
        data = answer.data
        bindings = {which: ((data.get(f"{which}_encodings") or {}).get("bindings") or {}) for which in ("node", "edge")}
        g = self._graph().bind(**from_wire(bindings["node"], bindings["edge"]))
        g = g._with(
            name=data.get("name") or None,
            description=data.get("description") or None,
            complex_encodings=complex_from_wire(data),
            style=viewer_settings.style_of(data),
        )
        g = g._with(url_params=viewer_settings.params_of(data, g._url_params, g._complex_encodings))
        found = answer.dataset_id or dataset_id
        return g._with(dataset_id=found, url=arrow_uploader.viewer_url(g, self.session, found))

    @property
    def _config(self) -> MutableMapping[str, Any]:
        return self.session.as_proxy()

    # --- what graphs ask of their client ---

    def plot_graph(self, g: Plottable, **options: Any) -> Any:
        """Upload a graph and show it; see :meth:`Plottable.plot`."""
        mode = render.resolve(options.get("render"), g._render)
        if options.get("graph") is not None:
            g = g.edges(options["graph"])
        if options.get("nodes") is not None:
            g = g.nodes(options["nodes"])
        arrow_uploader.check(g)
        self.refresh()
        sending = arrow_uploader.uploader(g, self.session, self._call, options)
        if options.get("skip_upload"):
            return sending
        sending.post(
            as_files=bool(options.get("as_files")),
            memoize=options.get("memoize", True),
            erase_files_on_fail=options.get("erase_files_on_fail", True),
        )
        sending.share()
        assert sending.dataset_id is not None
        url = arrow_uploader.viewer_url(g, self.session, sending.dataset_id)
        if mode != "g":
            render.prepare(self.session.transport, sending.dataset_id)
            return render.show(url, mode, g._height, options.get("extra_html", ""), options.get("override_html_style"))
        return g._with(
            name=sending.body["name"],
            description=sending.body["description"],
            dataset_id=sending.dataset_id,
            url=url,
            edges_file_id=sending.edges_file_id,
            nodes_file_id=sending.nodes_file_id,
        )

    def html_of(self, g: Plottable) -> bytes:
        """Return a graph as one HTML file; see :meth:`Plottable.to_html`."""
        arrow_uploader.check(g)
        return arrow_uploader.html(g, self.session)

    def run_remote(self, g: Plottable, task: Any, **options: Any) -> Any:
        """Run a task where the graph's dataset is; see :meth:`Plottable.python_remote_json`."""
        source = source_of(task)
        if options.get("validate", True):
            prepare(source)
        engine = getattr(options.get("engine", "auto"), "value", options.get("engine", "auto"))
        if engine == "auto":
            engine = "cudf" if "cudf" in {frames.library_of(g._edges), frames.library_of(g._nodes)} else "pandas"
        elif engine not in wire.ENGINES:
            raise BadRequest(f"engine={engine!r} is unknown; use one of {', '.join(map(repr, wire.ENGINES))}.")
        token = options.get("api_token")
        if token is None:
            self.refresh()
        dataset_id = options.get("dataset_id") or g._dataset_id
        if not dataset_id:
            g = g.upload(validate=options.get("validate", True))
            dataset_id = g._dataset_id
        assert dataset_id is not None
        request = wire.Python(
            dataset_id, source, engine, options["format"], options["output_type"], options.get("run_label")
        )
        answer = self._call(request, token)
        return decode(
            answer.body, answer.content_type, request.format, request.output_type, g, options.get("df_import_args")
        )


PyGraphistry: GraphistryClient = GraphistryClient()
