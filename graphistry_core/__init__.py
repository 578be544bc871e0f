"""Graphistry without the server: ``import graphistry_core as graphistry``.

The names PyGraphistry's users know, bound to one default client, and :func:`run_task`. Everything is loaded when
it is first used.
"""

from __future__ import annotations

from importlib import import_module
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

    _c = PyGraphistry
    api_token = _c.api_token
    bind = _c.bind
    client = _c.client
    description = _c.description
    edges = _c.edges
    from_dataset_id = _c.from_dataset_id
    login = _c.login
    name = _c.name
    nodes = _c.nodes
    org_name = _c.org_name
    pipe = _c.pipe
    pkey_login = _c.pkey_login
    privacy = _c.privacy
    protocol = _c.protocol
    refresh = _c.refresh
    register = _c.register
    server = _c.server
    set_client_for = _c.set_client_for
    switch_org = _c.switch_org
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
    "run_task": "executors.run",
}
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
    "api_token",
    "bind",
    "client",
    "description",
    "edges",
    "from_dataset_id",
    "login",
    "name",
    "nodes",
    "org_name",
    "pipe",
    "pkey_login",
    "privacy",
    "protocol",
    "refresh",
    "register",
    "server",
    "set_client_for",
    "switch_org",
    "verify_token",
)

__all__ = sorted([*_CLASSES, *_ERRORS, *_OF_THE_CLIENT])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(import_module(f".{_CLASSES[name]}", __name__), name)
    if name in _ERRORS:
        return getattr(import_module(".errors", __name__), name)
    if name in _OF_THE_CLIENT:
        return getattr(import_module(".pygraphistry", __name__).PyGraphistry, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
