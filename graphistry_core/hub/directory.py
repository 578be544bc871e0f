"""Who may log in where users are configured, and with what: values, read from TOML or given. Imports errors only."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError

DEFAULT_FLAGS = {
    "flag_python_endpoint_disabled": False,
    "flag_python_endpoint_enabled_users": True,
    "flag_gfql_endpoint": True,
    "flag_create_pe_udf": True,
    "flag_create_gfql_udf": True,
}


@dataclass(frozen=True)
class User:
    """One configured user. ``keys`` are personal keys, id to secret; ``flags`` override the server's for this user."""

    password: str = field(repr=False)
    email: str | None = None
    organizations: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    flags: Mapping[str, bool] = field(default_factory=dict)

    @staticmethod
    def of(value: str | User | Mapping[str, Any], where: str = "users") -> User:
        """Return a user from a password or a table of settings; raise ConfigError naming the setting."""
        if isinstance(value, User):
            return value
        if isinstance(value, str):
            return User(value)
        table = _Table(value, where)
        keys = table.take("keys", dict, {})
        user = User(
            table.take("password", str),
            table.take("email", str, None),
            tuple(table.take("organizations", list, [])),
            {str(_Table(keys, f"{where}.keys").name(key)): str(secret) for key, secret in keys.items()},
            flags(table.take("flags", dict, {}), f"{where}.flags"),
        )
        table.done()
        return user


def flags(values: Mapping[str, Any], where: str = "flags") -> dict[str, bool]:
    """Check feature flags; raise ConfigError naming the one that is unknown or no boolean."""
    for name, value in values.items():
        if name not in DEFAULT_FLAGS:
            raise ConfigError(f"{where}.{name} is not a flag; there are {', '.join(DEFAULT_FLAGS)}.")
        if not isinstance(value, bool):
            raise ConfigError(f"{where}.{name} is {value!r}; it must be true or false.")
    return dict(values)


@dataclass(frozen=True)
class ServerConfig:
    """What a configuration file says. ``options`` are those of ``graphistry-core serve``."""

    users: Mapping[str, User] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


_OPTIONS: dict[str, type | tuple[type, ...]] = {
    "host": str, "port": int, "data_dir": str, "executor": str, "scheduler": str, "plottable": str,
    "allow_remote": bool, "tls": bool, "cudf_fallback": str,
    "external_url": str, "max_upload_mb": int, "task_timeout": (int, float), "task_memory": int,
    "task_output": (int, float), "task_result": (int, float), "task_scratch": int, "task_concurrency": int,
    "sandbox": str, "cache_dir": str, "cache_mb": int, "seed": list, "preload": list, "server": str, "log": str,
}  # fmt: skip


def load(path: str | os.PathLike[str]) -> ServerConfig:
    """Read a TOML file with ``[server]``, ``[flags]`` and ``[users.NAME]``; raise ConfigError naming a setting."""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"The configuration {path} cannot be read: {e.strerror}.") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"The configuration {path} is not TOML: {e}.") from e
    top = _Table(document, str(path))
    server = _Table(top.take("server", dict, {}), "server")
    options = {name: value for name, kind in _OPTIONS.items() if (value := server.take(name, kind, None)) is not None}
    server.done()
    users = {name: User.of(value, f"users.{name}") for name, value in top.take("users", dict, {}).items()}
    found = ServerConfig(users, flags(top.take("flags", dict, {})), options)
    top.done()
    return found


_REQUIRED = object()


class _Table:
    """A table of settings from outside: typed access, and an error for what nobody asked for."""

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, Mapping):
            raise ConfigError(f"{where} must be a table of settings, not {values!r}.")
        self._left, self._where = dict(values), where

    def take(self, name: str, kind: type | tuple[type, ...], default: Any = _REQUIRED) -> Any:
        value = self._left.pop(name, default)
        if value is _REQUIRED:
            raise ConfigError(f"{self._where}.{name} is missing.")
        wrong = not isinstance(value, kind) or (isinstance(value, bool) and kind is int)
        if value is not default and wrong:
            wanted = getattr(kind, "__name__", str(kind))
            raise ConfigError(f"{self._where}.{name} is {value!r}; it must be of type {wanted}.")
        return value

    def name(self, name: str) -> str:
        if not name:
            raise ConfigError(f"{self._where} has an empty name.")
        return name

    def done(self) -> None:
        if self._left:
            raise ConfigError(f"{self._where}.{next(iter(self._left))} is not a setting.")
