"""Graphistry without the server: ``import graphistry_core as graphistry``.

The names PyGraphistry's users know, bound to one default client, and :func:`run_task`. Everything is loaded when
it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from inspect import ismethod
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .module_paths import install as _install_module_paths

if TYPE_CHECKING:
    from .client_session import ClientSession as ClientSession
    from .errors import *  # noqa: F403
    from .executors.run import run_task as run_task
    from .hub import Hub as Hub
    from .plottable import Plottable as Plottable
    from .pygraphistry import GraphistryClient as GraphistryClient
    from .pygraphistry import PyGraphistry as PyGraphistry
    from .transports import HttpTransport as HttpTransport
    from .transports import LocalTransport as LocalTransport
    from .viewer_collections import collection_intersection as collection_intersection
    from .viewer_collections import collection_set as collection_set

    _c = PyGraphistry
    addStyle = _c.addStyle
    api_key = _c.api_key
    api_token = _c.api_token
    api_version = _c.api_version
    apply_encodings = _c.apply_encodings
    authenticate = _c.authenticate
    bind = _c.bind
    certificate_validation = _c.certificate_validation
    client = _c.client
    client_protocol_hostname = _c.client_protocol_hostname
    collections = _c.collections
    description = _c.description
    edges = _c.edges
    encode_axis = _c.encode_axis
    encode_edge_badge = _c.encode_edge_badge
    encode_edge_color = _c.encode_edge_color
    encode_edge_icon = _c.encode_edge_icon
    encode_edge_label = _c.encode_edge_label
    encode_edge_opacity = _c.encode_edge_opacity
    encode_edge_size = _c.encode_edge_size
    encode_edge_title = _c.encode_edge_title
    encode_edge_weight = _c.encode_edge_weight
    encode_kepler = _c.encode_kepler
    encode_kepler_config = _c.encode_kepler_config
    encode_kepler_dataset = _c.encode_kepler_dataset
    encode_kepler_layer = _c.encode_kepler_layer
    encode_kepler_options = _c.encode_kepler_options
    encode_point_badge = _c.encode_point_badge
    encode_point_color = _c.encode_point_color
    encode_point_icon = _c.encode_point_icon
    encode_point_label = _c.encode_point_label
    encode_point_opacity = _c.encode_point_opacity
    encode_point_size = _c.encode_point_size
    encode_point_title = _c.encode_point_title
    from_cugraph = _c.from_cugraph
    from_dataset_id = _c.from_dataset_id
    from_gexf = _c.from_gexf
    from_igraph = _c.from_igraph
    from_networkx = _c.from_networkx
    gexf = _c.gexf
    graph = _c.graph
    hypergraph = _c.hypergraph
    idp_name = _c.idp_name
    igraph2pandas = _c.igraph2pandas
    layout_settings = _c.layout_settings
    login = _c.login
    name = _c.name
    networkx2pandas = _c.networkx2pandas
    networkx_checkoverlap = _c.networkx_checkoverlap
    nodes = _c.nodes
    org_name = _c.org_name
    pandas2igraph = _c.pandas2igraph
    personal_key_id = _c.personal_key_id
    personal_key_secret = _c.personal_key_secret
    pipe = _c.pipe
    pkey_login = _c.pkey_login
    privacy = _c.privacy
    protocol = _c.protocol
    refresh = _c.refresh
    register = _c.register
    relogin = _c.relogin
    scene_settings = _c.scene_settings
    server = _c.server
    set_bolt_driver = _c.set_bolt_driver
    set_client_for = _c.set_client_for
    settings = _c.settings
    sso_get_token = _c.sso_get_token
    sso_login = _c.sso_login
    sso_state = _c.sso_state
    store_token_creds_in_memory = _c.store_token_creds_in_memory
    style = _c.style
    switch_org = _c.switch_org
    to_arrow = _c.to_arrow
    to_cudf = _c.to_cudf
    to_cugraph = _c.to_cugraph
    to_gexf = _c.to_gexf
    to_igraph = _c.to_igraph
    to_networkx = _c.to_networkx
    to_pandas = _c.to_pandas
    verify_token = _c.verify_token

_install_module_paths()

__version__ = "0.1.0"

_CLASSES = {
    "ClientSession": "client_session",
    "GraphistryClient": "pygraphistry",
    "HttpTransport": "transports",
    "Hub": "hub",
    "LocalTransport": "transports",
    "Plottable": "plottable",
    "PyGraphistry": "pygraphistry",
    "collection_intersection": "viewer_collections",
    "collection_set": "viewer_collections",
    "run_task": "executors.run",
}
_PATTERNS = (
    "Chain",
    "e",
    "e_forward",
    "e_reverse",
    "e_undirected",
    "let",
    "n",
    "ref",
)
_PREDICATES = (
    "Between", "Contains", "Duplicated", "EQ", "Endswith", "Fullmatch", "GE", "GT", "IsAlnum", "IsAlpha",
    "IsDecimal", "IsDigit", "IsIn", "IsLeapYear", "IsLower", "IsMonthEnd", "IsMonthStart", "IsNA", "IsNull",
    "IsNumeric", "IsQuarterEnd", "IsQuarterStart", "IsSpace", "IsTitle", "IsUpper", "IsYearEnd",
    "IsYearStart", "LE", "LT", "Match", "NE", "NotNA", "NotNull", "Startswith", "between", "contains",
    "duplicated", "endswith", "eq", "fullmatch", "ge", "gt", "is_in", "is_leap_year", "is_month_end",
    "is_month_start", "is_quarter_end", "is_quarter_start", "is_year_end", "is_year_start", "isalnum",
    "isalpha", "isdecimal", "isdigit", "islower", "isna", "isnull", "isnumeric", "isspace", "istitle",
    "isupper", "le", "lt", "match", "ne", "notna", "notnull", "startswith",
)  # fmt: skip
_ERRORS = (
    "AccessDenied",
    "ArrowConversionError",
    "BadRequest",
    "BindingError",
    "ConfigError",
    "EngineUnavailable",
    "GraphistryError",
    "InvalidCredentials",
    "InvalidTable",
    "InvalidTask",
    "MalformedAnswer",
    "MissingDependency",
    "NotAuthenticated",
    "NotFound",
    "RefreshFailed",
    "ResultNotSerializable",
    "ResultTooLarge",
    "ServerError",
    "ServerUnreachable",
    "SsoError",
    "SsoStateInvalid",
    "SsoTimeout",
    "TaskCrashed",
    "TaskError",
    "TaskFailed",
    "TaskOutOfMemory",
    "TaskTimeout",
    "TokenExpired",
)
_OF_THE_CLIENT = (
    "addStyle",
    "api_key",
    "api_token",
    "api_version",
    "apply_encodings",
    "authenticate",
    "bind",
    "certificate_validation",
    "client",
    "client_protocol_hostname",
    "collections",
    "description",
    "edges",
    "encode_axis",
    "encode_edge_badge",
    "encode_edge_color",
    "encode_edge_icon",
    "encode_edge_label",
    "encode_edge_opacity",
    "encode_edge_size",
    "encode_edge_title",
    "encode_edge_weight",
    "encode_kepler",
    "encode_kepler_config",
    "encode_kepler_dataset",
    "encode_kepler_layer",
    "encode_kepler_options",
    "encode_point_badge",
    "encode_point_color",
    "encode_point_icon",
    "encode_point_label",
    "encode_point_opacity",
    "encode_point_size",
    "encode_point_title",
    "from_cugraph",
    "from_dataset_id",
    "from_gexf",
    "from_igraph",
    "from_networkx",
    "gexf",
    "graph",
    "hypergraph",
    "idp_name",
    "igraph2pandas",
    "layout_settings",
    "login",
    "name",
    "networkx2pandas",
    "networkx_checkoverlap",
    "nodes",
    "org_name",
    "pandas2igraph",
    "personal_key_id",
    "personal_key_secret",
    "pipe",
    "pkey_login",
    "privacy",
    "protocol",
    "refresh",
    "register",
    "relogin",
    "scene_settings",
    "server",
    "set_bolt_driver",
    "set_client_for",
    "settings",
    "sso_get_token",
    "sso_login",
    "sso_state",
    "store_token_creds_in_memory",
    "style",
    "switch_org",
    "to_arrow",
    "to_cudf",
    "to_cugraph",
    "to_gexf",
    "to_igraph",
    "to_networkx",
    "to_pandas",
    "verify_token",
)

__all__ = sorted([*_CLASSES, *_PATTERNS, *_PREDICATES, *_ERRORS, *_OF_THE_CLIENT])  # noqa: PLE0605


_HINT = '. If it is one of the names of PyGraphistry: pip install "graphistry-core[pygraphistry]"'


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(import_module(f".{_CLASSES[name]}", __name__), name)
    if name in _PATTERNS:
        return getattr(import_module(".compute.ast", __name__), name)
    if name in _PREDICATES:
        return getattr(import_module(".compute.conditions", __name__), name)
    if name in _ERRORS:
        return getattr(import_module(".errors", __name__), name)
    if name in _OF_THE_CLIENT:
        return getattr(import_module(".pygraphistry", __name__).PyGraphistry, name)
    # The import system asks for submodules this way before it imports them.
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is None:
        # Matchers (n, e_forward), predicates and plugins' verbs: PyGraphistry's, when it is installed.
        found = import_module(".compute.bridge", __name__).public(name)
        if ismethod(found):  # of its global client: ours is meant
            found = getattr(import_module(".pygraphistry", __name__).PyGraphistry, name)
        if found is not None:
            return found
    hint = "" if find_spec("graphistry") else _HINT
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Package(ModuleType):
    """This package: a submodule never hides the function of its name (``graphistry_core.privacy`` is both)."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in _OF_THE_CLIENT):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
