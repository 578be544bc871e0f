"""plot() and upload(): a graph as a sequence of wire operations. May import everything below the client."""

from __future__ import annotations

import re
import secrets
import string
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import encodings, frames, viewer_collections, wire
from .arrow_body import ArrowBody
from .errors import BadRequest, BindingError, InvalidTable, NotFound
from .executors.contract import check_bindings
from .findings import Findings
from .plottable import PRIVACY_KEYS, Plottable

if TYPE_CHECKING:
    import pyarrow as pa

    from .client_session import ClientSession

AGENT = "graphistry-core"
_BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_SAFE = "%/:,;@!$'()*"
Call = Callable[[wire.Request[Any]], Any]


def check(g: Plottable) -> None:
    """Raise BindingError when the graph cannot be plotted, in PyGraphistry's words."""
    if g._edges is None:
        raise BindingError("Graph/edges must be specified.")
    if g._source is None or g._destination is None:
        raise BindingError('Both "source" and "destination" must be bound before plotting.')
    if g._nodes is not None and g._node is None:
        raise BindingError("Node identifier must be bound when using node dataframe.")


@dataclass
class ArrowUploader:
    """One upload of one graph: its tables as Arrow, and the dataset's description as it goes over the wire.

    ``post`` sends them; ``dataset_id``, ``edges_file_id`` and ``nodes_file_id`` are known afterwards.
    """

    session: ClientSession
    call: Call
    edges: pa.Table
    nodes: pa.Table | None
    body: dict[str, Any]
    privacy: Mapping[str, Any] | None = None
    dataset_id: str | None = None
    edges_file_id: str | None = None
    nodes_file_id: str | None = None

    @property
    def token(self) -> str | None:
        """The session's token."""
        return self.session.api_token

    @property
    def name(self) -> str:
        """The dataset's name."""
        return str(self.body["name"])

    @property
    def description(self) -> str:
        """The dataset's description."""
        return str(self.body["description"])

    @property
    def metadata(self) -> dict[str, Any]:
        """The dataset's metadata: who sends it, and the style."""
        return dict(self.body["metadata"])

    @property
    def node_encodings(self) -> dict[str, Any]:
        """Bindings and encodings of the nodes, by their names on the wire."""
        return dict(self.body["node_encodings"])

    @property
    def edge_encodings(self) -> dict[str, Any]:
        """Bindings and encodings of the edges, by their names on the wire."""
        return dict(self.body["edge_encodings"])

    def post(
        self,
        as_files: bool = True,
        memoize: bool = True,
        validate: frames.Validate = "autofix",
        erase_files_on_fail: bool = True,
        warn: bool = True,
    ) -> ArrowUploader:
        """Send the graph: as files and then a dataset of them, or as a dataset and then its tables. Return self.

        ``memoize``: a table whose content this session has already sent to this server as this user is not sent
        again as a file. ``erase_files_on_fail`` has the server drop a file that it cannot read. (``validate`` and
        ``warn`` were applied when the tables were converted.) Raises InvalidTable when the server cannot read one.
        """
        tables = {"edges": self.edges} | ({"nodes": self.nodes} if self.nodes is not None else {})
        if not as_files:
            self.dataset_id = self.call(wire.DatasetCreate(self.body)).dataset_id
            for which, table in tables.items():
                self.call(wire.DatasetUpload(self.dataset_id or "", which, ArrowBody(table)))
            return self
        reused = self._post_files(tables, erase_files_on_fail, memoize)
        try:
            self._create_from_files()
        except NotFound:
            if not reused:
                raise
            self.session._uploaded_files.clear()  # the server has forgotten them (it was reset): send them again
            self._post_files(tables, erase_files_on_fail, memoize)
            self._create_from_files()
        return self

    def _create_from_files(self) -> None:
        files = {"edge_files": [self.edges_file_id], "node_files": [self.nodes_file_id] if self.nodes_file_id else []}
        self.dataset_id = self.call(wire.DatasetCreate({**self.body, **files})).dataset_id

    def _post_files(self, tables: Mapping[str, pa.Table], erase: bool, memoize: bool) -> bool:
        """Send what is not known yet; say whether anything was."""
        reused = False
        for which, table in tables.items():
            body = ArrowBody(table)
            key = (_place(self.session), body.content_key if memoize else "")
            file_id = self.session._uploaded_files.get(key) if memoize else None
            reused = reused or file_id is not None
            if file_id is None:
                file_id = self._post_file(body, erase)
                if memoize:
                    self.session._uploaded_files[key] = file_id
            setattr(self, f"{which}_file_id", file_id)
        return reused

    def _post_file(self, body: ArrowBody, erase: bool) -> str:
        name = f"{self.name} edges"  # PyGraphistry names the file of the nodes so, too
        create = wire.FileCreate("arrow", name, "", self.session.org_name, AGENT, self.metadata["agentversion"])
        file_id = self.call(create).file_id
        uploaded = self.call(wire.FileUpload(file_id, body, erase))
        if not uploaded.is_valid:
            raise InvalidTable(f"The server cannot read the uploaded table: {list(uploaded.errors)}")
        return str(file_id)

    def share(self) -> None:
        """Set who may see the dataset, if privacy was ever asked for."""
        request = self.sharing(self.dataset_id or "")
        if request is not None:
            self.call(request)

    def sharing(self, dataset_id: str) -> wire.Share | None:
        """Return the request that shares a dataset: per graph, then per session, then defaults; None if never asked."""
        if self.privacy is None and self.session.privacy is None:
            return None
        merged = {**(self.session.privacy or {}), **(self.privacy or {})}
        given = {name: merged[name] for name in PRIVACY_KEYS if merged.get(name) is not None}
        mode = given.setdefault("mode", "private")
        given.setdefault("mode_action", "20" if mode == "private" else "10")
        given["invited_users"] = tuple(given.get("invited_users") or ())
        return wire.Share(dataset_id, **given)


def _place(session: ClientSession) -> str:
    """Where an upload goes and as whom: file ids are good for exactly that."""
    return f"{session.transport.place} {session.username or session.api_token}"


def uploader(g: Plottable, session: ClientSession, call: Call, options: Mapping[str, Any]) -> ArrowUploader:
    """Convert a checked graph to what goes over the wire; ``call`` is what sends it."""
    if options.get("schema_validate"):
        raise BadRequest("schema_validate is not supported in this version; leave it out.")
    try:
        labelled = g.infer_labels() if g._nodes is not None else g
    except BindingError:
        labelled = g
    validate, warn = options.get("validate", "autofix"), options.get("warn", True)
    findings = Findings.under(validate, warn)
    viewer_collections.url_params(g._url_params, findings)  # told before anything is sent
    edges = frames.to_arrow(g._edges, validate, warn)
    nodes = None if g._nodes is None else frames.to_arrow(g._nodes, validate, warn)
    bound = labelled.bindings()
    check_bindings(edges.column_names, "edges", bound)
    if nodes is not None:
        check_bindings(nodes.column_names, "nodes", bound)
    for which, table in (("edges", edges), ("nodes", nodes)):
        for sentence in (
            encodings.unknown_columns(g._complex_encodings, which, table.column_names) if table is not None else ()
        ):
            findings.add(sentence)
    made = ArrowUploader(session, call, edges, nodes, _body(labelled, session, options), g._privacy)
    sharing = made.sharing("not known yet")
    if sharing is not None:
        wire.Share.decode({}, sharing.encode())  # what a server would refuse, before anything is sent
    return made


def _body(g: Plottable, session: ClientSession, options: Mapping[str, Any]) -> dict[str, Any]:
    from . import __version__

    random_name = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(10))
    org = {"org_name": session.org_name} if session.org_name else {}
    return {
        "node_encodings": encodings.to_wire(g.bindings(), "nodes", g._complex_encodings),
        "edge_encodings": encodings.to_wire(g.bindings(), "edges", g._complex_encodings),
        "metadata": {
            "usertag": usertag(session),
            "agent": AGENT,
            "apiversion": "3",
            "agentversion": __version__,
            **encodings.as_json(g._style, "The graph's style"),
        },
        "name": options.get("name") or g._name or f"Untitled {random_name}",
        "description": options.get("description") or g._description or "",
        **org,
    }


def html(g: Plottable, session: ClientSession) -> bytes:
    """Return a checked graph as one HTML file that shows it; nothing is uploaded."""
    from .viewer import page, scene

    def unsent(request: wire.Request[Any]) -> Any:
        raise AssertionError(request)

    made = uploader(g, session, unsent, {})
    query = viewer_query(g, session, "local")
    return page.contained(scene.Scene(made.body, made.nodes, made.edges), query)


def usertag(session: ClientSession) -> str:
    """Return the tag that marks this session's uploads."""
    from . import __version__

    return f"{session._tag}-{AGENT}-{__version__}"


def viewer_url(g: Plottable, session: ClientSession, dataset_id: str) -> str:
    """Return where a person sees the dataset, with the graph's URL parameters."""
    base = session.client_protocol_hostname or f"{session.protocol}://{session.hostname}"
    return session.transport.viewer_url(base, viewer_query(g, session, dataset_id), dataset_id)


def viewer_query(g: Plottable, session: ClientSession, dataset_id: str) -> str:
    """Return the parameters of a viewer URL, those of the graph among them.

    Collections are written as the viewer reads them; those that cannot be used are left out.
    """
    fixed = {
        "dataset": dataset_id,
        "type": "arrow",
        "viztoken": str(uuid.uuid4()),
        "usertag": usertag(session),
        "splashAfter": int(time.time()) + 15,
    }
    params = viewer_collections.url_params(g._url_params, Findings(strict=False, warn=False))
    return "&".join(f"{name}={escaped(value)}" for name, value in [*fixed.items(), *params.items()])


def escaped(value: Any) -> str:
    """Return a value of a URL's query; what is percent-encoded already stays as it is."""
    return quote(_BARE_PERCENT.sub("%25", str(value)), safe=_SAFE)
