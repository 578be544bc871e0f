"""DevServer: the gateway on a socket, in a thread of this process. May import graphistry_core."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from graphistry_core.dev import Dev
from graphistry_core.dev.loopback import is_loopback
from graphistry_core.errors import ConfigError, MissingDependency
from graphistry_core.executors import isolating
from graphistry_core.gateway import Gateway
from graphistry_core.hub import Hub, User

from .edge import Edge, hostname_of
from .http_server import HttpServer
from .upload_memo import forget_uploads

_POLL_S = 0.02  # how often the serving thread looks whether it should stop
_GRACE_S = 5.0  # how long requests that are being answered may go on at a stop


class DevServer:
    """A Graphistry server for development and tests, on ``http://{host}:{port}``, or ``https`` with ``tls``.

    ``port=0`` picks a free one. ``users`` (name to password) lets only these in; by default everybody. ``data_dir``
    keeps data; by default it is temporary. ``seed`` is a path, or several, of what it begins with before any request is
    answered: table files, exports, Python files with ``def seed(graphistry)``. ``tls=True`` speaks HTTPS, with a
    certificate (``server.certificate``) made at each start. Tasks run in processes of their own, within limits, unless
    ``executor`` says otherwise. Use as a context manager, or call ``start()`` and ``stop()``. Other options are those
    of :class:`graphistry_core.Hub`, or an existing ``hub=``.

    An address that other machines can reach needs ``allow_remote=True`` and ``users``: the Python endpoint runs any
    code it is given. Raises ConfigError for that, and when the port is taken.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        users: Mapping[str, str | User] | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        allow_remote: bool = False,
        seed: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        hub: Hub | None = None,
        tls: bool = False,
        **hub_options: Any,
    ) -> None:
        strict = users is not None or (hub is not None and hub.accounts.strict)
        if not is_loopback(host) and not (allow_remote and strict):
            raise ConfigError(
                f"{host} can be reached by other machines, and the Python endpoint runs any code it is given: allow "
                "it with allow_remote (--allow-remote) and at least one user (--user name:password), or stay on "
                "127.0.0.1."
            )
        self.host, self._port, self.tls = host, port, tls
        self._certificate: Path | None = None
        self._owns_hub = hub is None
        self.hub_options = {"users": users, "data_dir": data_dir, **hub_options}
        self._hub = hub
        self._dev: Dev | None = None
        self._server: HttpServer | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._memo = forget_uploads()
        self.seeds = [seed] if isinstance(seed, str | os.PathLike) else list(seed)
        self.seeded: list[str] = []

    @property
    def hub(self) -> Hub:
        """The Hub behind this server."""
        if self._hub is None:
            raise ConfigError("The server is not running: call start(), or use it in a with block.")
        return self._hub

    @property
    def dev(self) -> Dev:
        """The control side for tests: journal, faults, clock, tokens, flags, snapshots, strict mode."""
        if self._dev is None:
            raise ConfigError("The server was not started: call start(), or use it in a with block.")
        return self._dev

    def warm(self) -> None:
        """Start the processes that tasks run in, where the executor has such, before the first task comes."""
        warm = getattr(self.hub.executor, "warm", None)
        if warm is not None:
            warm()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port if self._server is None else self._server.port

    @property
    def certificate(self) -> Path:
        """The certificate's file, which is its own CA bundle; raise ConfigError when there is none."""
        if self._certificate is None:
            raise ConfigError("There is no certificate: start the server with tls=True (--tls).")
        return self._certificate

    @property
    def url(self) -> str:
        """Protocol, host and port, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    @property
    def register_kwargs(self) -> dict[str, Any]:
        """What ``graphistry.register`` needs to log in here: server, protocol, api and a user.

        With TLS the certificate is not checked; leave ``certificate_validation`` out where REQUESTS_CA_BUNDLE names it.
        """
        users = self.hub_options["users"] or {"graphistry": "graphistry"}
        username, user = next(iter(users.items()))
        password = User.of(user).password
        protocol, _, server = self.url.partition("://")
        known = {"api": 3, "protocol": protocol, "server": server, "username": username, "password": password}
        return {**known, "certificate_validation": False} if self.tls else known

    @property
    def running(self) -> bool:
        """Whether the serving thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> DevServer:
        """Bind the port, start serving, and return self once requests are answered."""
        if self._server is not None:
            return self
        if self._hub is None:
            executor = self.hub_options.get("executor", "auto")
            chosen = isolating() if executor == "auto" else executor
            self._hub = Hub(**{**self.hub_options, "executor": chosen})
        # Other machines' names for this one are their business; on loopback only loopback's names are ours.
        named = [hostname_of(self._hub.external_url)] if self._hub.external_url else []
        self._dev = Dev(self._hub)
        edge = Edge(Gateway(self._hub, self._dev), named if is_loopback(self.host) else None)
        try:
            # Bound here and not in the thread: the port is known, and a taken one is the caller's error.
            self._server = HttpServer(self.host, self._port, edge, self._context())
        except MissingDependency:
            self._release()
            raise
        except (OSError, OverflowError) as e:
            self._release()
            raise ConfigError(f"Cannot listen on {self.host}:{self._port}: the address is taken or not ours.") from e
        self._sow()
        self._memo.enter()
        self._thread = threading.Thread(target=self._serve, name=f"graphistry-devserver-{self.port}", daemon=True)
        self._thread.start()
        return self

    def _sow(self) -> None:
        """Seed the Hub while connections already wait; on failure give up the port and the Hub."""
        if not self.seeds:
            return
        from graphistry_core.seeding import seed  # with a client, which a server without seeds does without

        login = {name: self.register_kwargs[name] for name in ("username", "password")}
        try:
            self.seeded = [seed(self.hub, each, login) for each in self.seeds]
        except BaseException:
            assert self._server is not None
            self._server.server_close()
            self._server = None
            self._release()
            raise

    def _context(self) -> Any:
        if not self.tls:
            return None
        from .tls import context_of, self_signed  # milliseconds of a start, and few need it

        self._certificate, key = self_signed(self.hub.store.root / "tls", self.host)
        return context_of(self._certificate, key)

    def _serve(self) -> None:
        assert self._server is not None
        try:
            self._server.serve_forever(poll_interval=_POLL_S)
        except BaseException as e:  # noqa: BLE001 - reported to whoever stops or joins
            self._failure = e

    def join(self) -> None:
        """Wait until the server stops; raise what stopped it."""
        if self._thread is not None:
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop serving, wait for the thread, and close the Hub if this server made it."""
        server, thread = self._server, self._thread
        if server is None:
            return
        self._server = self._thread = None
        self._port = self._port or server.port
        if thread is not None and thread.is_alive():
            server.shutdown()  # would wait for ever for a thread that is gone
        if thread is not None:
            thread.join()
        server.close(_GRACE_S)
        self._memo.leave()
        self._release()
        if self._failure is not None:
            raise self._failure

    def _release(self) -> None:
        if self._dev is not None:
            self._dev.close()
        if self._owns_hub and self._hub is not None:
            self._hub.close()
            self._hub = None

    def __enter__(self) -> DevServer:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
