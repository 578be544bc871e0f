"""The WSGI application under granian (extra ``fast``): one worker process, since what the server knows is in it.

May import graphistry_core; imports granian and Flask when it serves.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from multiprocessing import util
from typing import Any

from graphistry_core.dev.loopback import is_loopback
from graphistry_core.errors import ConfigError, GraphistryError, MissingDependency
from graphistry_core.executors import isolating
from graphistry_core.log_lines import write_lines

from .edge import hostname_of
from .server import DevServer

_THREADS = 64  # requests at once; a task's request waits in one for as long as the task runs
_POLL_S = 0.05
_PATIENCE_S = 60.0
_GRACE_S = 5.0  # then a worker that does not stop, as one told so while it starts, is killed
_LOG = {"formatter": "generic", "class": "logging.StreamHandler", "stream": "ext://sys.stderr"}


def serve(server: DevServer, ready: Callable[[str], None], log: str = "problems") -> None:
    """Serve until a signal comes; call ``ready`` with the URL once requests are answered.

    ``server`` was not started: it has checked host, port and users. ``log`` is a kind of
    :func:`graphistry_core.log_lines.write_lines`. Raises MissingDependency without granian and Flask, and ConfigError
    for what only the built-in server does, and when the worker cannot start.
    """
    try:
        import flask  # noqa: F401
        from granian import Granian
        from granian.constants import Interfaces
        from granian.log import LogLevels
    except ImportError as e:
        raise MissingDependency("--server granian needs the extra fast: pip install 'graphistry-core[fast]'.") from e
    if server.tls:
        raise ConfigError("--tls is the built-in server's; leave out --server granian, or put a proxy in front.")
    if server.seeds:
        raise ConfigError("--seed is the built-in server's; leave out --server granian, or import into its --data-dir.")
    port = _bindable(server.host, server.port)
    worker = Granian(
        "graphistry_devserver",
        address=server.host,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        workers_kill_timeout=int(_GRACE_S),
        blocking_threads=_THREADS,
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig={"handlers": {"console": _LOG, "access": _LOG}},
    )
    host = f"[{server.host}]" if ":" in server.host else server.host
    url, stop, up = f"http://{host}:{port}", threading.Event(), threading.Event()
    threading.Thread(target=_when_up, args=(url, ready, stop, up), daemon=True).start()
    try:
        worker.serve(target_loader=partial(_application, server.host, server.hub_options, log), wrap_loader=False)
    finally:
        stop.set()
    if not up.is_set():
        raise ConfigError(f"granian did not get to answer on {host}:{port}; what it wrote says why.")


def _application(host: str, options: dict[str, Any], log: str) -> Any:
    """Make the application, in the worker; its Hub is closed when that process ends."""
    from .app import create_app

    write_lines(log)  # in this process, too
    executor = options.get("executor", "auto")
    hub_options = {**options, "executor": isolating() if executor == "auto" else executor}
    external = hub_options.get("external_url")
    named = [hostname_of(external)] if external else []
    app = create_app(hosts=named if is_loopback(host) else None, **hub_options)
    hub = app.extensions["graphistry_hub"]
    util.Finalize(None, hub.close, exitpriority=100)
    threading.Thread(target=_warm, args=(hub.executor,), daemon=True).start()
    return app


def _warm(executor: Any) -> None:
    with contextlib.suppress(ImportError, GraphistryError):
        getattr(executor, "warm", int)()


def _bindable(host: str, port: int) -> int:
    """Return the port, or a free one for 0; raise ConfigError when it is taken, which granian says less clearly."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as e:
            raise ConfigError(f"Cannot listen on {host}:{port}: the address is taken or not ours.") from e
        return int(probe.getsockname()[1])


def _when_up(url: str, ready: Callable[[str], None], stop: threading.Event, up: threading.Event) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(int(_PATIENCE_S / _POLL_S)):
        try:
            opener.open(f"{url}/healthz", timeout=5).close()
        except urllib.error.HTTPError:
            pass  # an answer, though not to this name
        except OSError:
            if stop.wait(_POLL_S):
                return
            continue
        up.set()
        ready(url)
        return
