"""ClientSession: one client's configuration, credentials and token. May import errors, wire and the transports."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import os
import secrets
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

from .errors import ConfigError, warn_user
from .transports import HttpTransport, LocalTransport, Transport

T = TypeVar("T")
TRANSPORT = "GRAPHISTRY_TRANSPORT"
_TRUE, _FALSE = ("y", "yes", "t", "true", "on", "1"), ("n", "no", "f", "false", "off", "0")


def to_bool(value: Any) -> bool:
    """Read PyGraphistry's words for true and false; raise ValueError for any other."""
    word = str(value).strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError(f"{value!r} is neither true nor false")
    return word in _TRUE


def _config_files() -> dict[str, Any]:
    paths = [Path("/etc/graphistry/.pygraphistry"), Path.home() / ".pygraphistry"]
    if os.environ.get("PYGRAPHISTRY_CONFIG"):
        paths.append(Path(os.environ["PYGRAPHISTRY_CONFIG"]))
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            merged.update(json.loads(path.read_text(encoding="utf-8")))
        except OSError:
            continue
        except (ValueError, TypeError) as e:
            warn_user(f"{path} is not a JSON object and is skipped: {e}")
    return merged


class _Settings:
    """Environment first, then the config files, then the default; a value that cannot be read warns and is skipped."""

    def __init__(self) -> None:
        self._files = _config_files()

    def get(self, name: str, read: Callable[[Any], T], default: T) -> T:
        for source in (os.environ, self._files):
            raw = source.get(name)
            if raw is None:
                continue
            try:
                return read(raw)
            except (ValueError, TypeError) as e:
                warn_user(f"{name}={raw!r} cannot be used ({e}) and is skipped.")
        return default


class ClientSession:
    """Everything one client knows: where its server is, who it is, its token, its defaults.

    Read from ``GRAPHISTRY_*`` environment variables, then the JSON files /etc/graphistry/.pygraphistry,
    ~/.pygraphistry and $PYGRAPHISTRY_CONFIG (the last wins), then defaults, as PyGraphistry does; beyond it,
    ``GRAPHISTRY_TRANSPORT=local`` targets the in-process Hub. Use one session in one thread at a time.
    """

    def __init__(self) -> None:
        settings = _Settings()
        self._is_authenticated = False
        self._tag = secrets.token_hex(4)
        self.api_token: str | None = settings.get("GRAPHISTRY_API_TOKEN", str, "") or None
        self.api_version = settings.get("GRAPHISTRY_API_VERSION", int, 3)
        if self.api_version != 3:
            raise ConfigError(f"GRAPHISTRY_API_VERSION={self.api_version} is no longer supported; use 3.")
        self.dataset_prefix = settings.get("GRAPHISTRY_DATASET_PREFIX", str, "PyGraphistry/")
        self.hostname = settings.get("GRAPHISTRY_HOSTNAME", str, "hub.graphistry.com")
        self.protocol = settings.get("GRAPHISTRY_PROTOCOL", str, "https")
        self.client_protocol_hostname: str | None = settings.get("GRAPHISTRY_CLIENT_PROTOCOL_HOSTNAME", str, "") or None
        self.certificate_validation = settings.get("GRAPHISTRY_CERTIFICATE_VALIDATION", to_bool, True)
        self.store_token_creds_in_memory = settings.get("GRAPHISTRY_STORE_CREDS_IN_MEMORY", to_bool, True)
        self.timeout_s = settings.get("GRAPHISTRY_TIMEOUT_S", float, 600.0)
        self.login_type: str | None = None
        self.org_name: str | None = None
        self.idp_name: str | None = None
        self.sso_state: str | None = None
        self.personal_key_id: str | None = None
        self.personal_key_secret: str | None = None
        self.privacy: dict[str, Any] | None = None
        self.kusto: Any = None  # plugins of PyGraphistry's keep their configuration here
        self.spanner: Any = None
        self._bolt_driver: Any = None
        self._peer: Any = None  # PyGraphistry's client for the verbs that are only its
        self._uploaded_files: dict[tuple[str, str], str] = {}  # (where and who, content key) -> file id
        self._last_switched_org_token: tuple[str, str] | None = None
        self._relogin: Callable[[Any], str | None] | None = None  # given a client of this session, logs in again
        self._local_user: str | None = None
        self._transport: Transport | None = None
        self._transport_choice: str | Transport = settings.get(TRANSPORT, str, "http") or "http"

    def copy(self) -> ClientSession:
        """Return an independent copy: no dict and no plugin configuration is shared, the transport is."""
        clone = ClientSession.__new__(ClientSession)
        clone.__dict__.update({name: _unshared(value) for name, value in self.__dict__.items()})
        clone._peer = None
        return clone

    def as_proxy(self) -> MutableMapping[str, Any]:
        """Return a live mapping view of the public settings, as PyGraphistry's ``_config``."""
        return _SessionView(self)

    @property
    def username(self) -> str | None:
        """The user that the token names, or None; read off the token, not verified."""
        try:
            payload = (self.api_token or "").split(".")[1]
            name = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("username")
        except (IndexError, ValueError, AttributeError):
            return None
        return name if isinstance(name, str) else None

    @property
    def transport(self) -> Transport:
        """How this session reaches its server: made on first use from hostname, protocol and the TLS setting."""
        if self._transport is None:
            self._transport = self._make_transport()
        return self._transport

    @transport.setter
    def transport(self, choice: str | Transport) -> None:
        _check_transport(choice)
        self._transport_choice = choice
        self._transport = None

    def target_changed(self) -> None:
        """Make the transport anew on next use: hostname, protocol or TLS setting changed."""
        if not isinstance(self._transport, LocalTransport):
            self._transport = None

    def _make_transport(self) -> Transport:
        choice = self._transport_choice
        _check_transport(choice)
        if callable(getattr(choice, "call", None)):
            return choice  # type: ignore[return-value]
        if choice == "local":
            local = LocalTransport(username=self._local_user)
            self._local_user = local.username
            return local
        url = f"{self.protocol}://{self.hostname}"
        timeout = (10.0, self.timeout_s)
        return HttpTransport(url, certificate_validation=self.certificate_validation, timeout_s=timeout)


def _check_transport(choice: Any) -> None:
    if choice not in ("local", "http") and not callable(getattr(choice, "call", None)):
        raise ConfigError(
            f"transport={choice!r} is unknown (it may come from {TRANSPORT}); use 'local', 'http' or a Transport."
        )


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return copy.deepcopy(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value)
    return value


class _SessionView(MutableMapping[str, Any]):
    """A session's public settings as a mapping: unknown names raise KeyError, deleting sets None."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    def __getitem__(self, name: str) -> Any:
        self._check(name)
        return getattr(self._session, name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._check(name)
        setattr(self._session, name, value)

    def __delitem__(self, name: str) -> None:
        self[name] = None

    def __iter__(self) -> Iterator[str]:
        return (name for name in vars(self._session) if not name.startswith("_"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _check(self, name: str) -> None:
        if name.startswith("_") or name not in vars(self._session):
            raise KeyError(name)
