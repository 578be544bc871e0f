"""A Dask cluster that somebody runs: connecting to it, its workers, and whether they have what this process has.

Imports errors only; ``distributed`` when it is used (extra ``dask``).
"""

from __future__ import annotations

import asyncio
import contextlib
import copyreg
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import BadRequest, MissingDependency, ServerUnreachable, all_errors

if TYPE_CHECKING:
    from distributed import Client

SCHEDULER = "GRAPHISTRY_CORE_SCHEDULER"  # the environment variable that names one
COMPARED = ("python", "graphistry-core", "pandas", "pyarrow", "distributed")
_CONNECT_S = 5.0
_ANSWER_S = 5.0


def connect(scheduler: str | Client | None = None, timeout_s: float = _CONNECT_S) -> Client:
    """Return a connected client of a Dask scheduler: ``"tcp://host:8786"``, or a ``distributed.Client`` as it is.

    Without one, ``GRAPHISTRY_CORE_SCHEDULER`` names it, or the process's current client is taken. A client that this
    makes is never the process's default one; it is the caller's to close. Raises BadRequest for what is no address,
    ServerUnreachable after ``timeout_s`` seconds where nobody answers or who answers speaks no Dask that this version
    understands, and MissingDependency.
    """
    distributed, scheduler = _distributed(), named(scheduler)
    if not isinstance(scheduler, str):
        return _checked(scheduler)
    version = _see_who_answers(scheduler, timeout_s, distributed)
    client: Client = distributed.Client.__new__(distributed.Client)
    try:
        client.__init__(scheduler, timeout=timeout_s, set_as_default=False, name="graphistry-core")
    except Exception as e:
        client.status = "closed"  # else it would wait for its own end, when it is collected
        with contextlib.suppress(Exception):
            client._loop_runner.stop()
        raise ServerUnreachable(
            f"The Dask scheduler at {scheduler} has distributed {version}, and {distributed.__version__}, which is "
            f"installed here, cannot talk to it ({_said(e)}): install the same version."
        ) from e
    return client


def named(scheduler: str | Client | None) -> str | Client:
    """Return the address or client that :func:`connect` takes; raise BadRequest where there is none."""
    scheduler = scheduler or os.environ.get(SCHEDULER) or None
    if scheduler is not None:
        return scheduler
    try:
        current: Client = _distributed().default_client()
    except ValueError as e:
        raise BadRequest(
            f'Which Dask cluster? Name its scheduler, such as scheduler="tcp://127.0.0.1:8786" (or {SCHEDULER}).'
        ) from e
    return current


def _see_who_answers(address: str, timeout_s: float, distributed: Any) -> str:
    """Ask who is there, before there is a client, which says less clearly what is wrong; return the version there."""
    found: list[Any] = []

    async def ask() -> Any:
        arguments = distributed.Security().get_connection_args("client")
        async with distributed.rpc(address, connection_args=arguments, timeout=timeout_s) as scheduler:
            return {**await scheduler.identity(), "versions": await scheduler.versions(packages=[])}

    async def within() -> None:
        try:
            found.append(await asyncio.wait_for(ask(), timeout_s))
        except Exception as e:  # noqa: BLE001 - what another version, or another program, leads to can be anything
            found.append(e)

    # In a thread, since this one may have a loop that runs (a notebook's).
    asking = threading.Thread(target=lambda: asyncio.run(within()), daemon=True)
    asking.start()
    asking.join(timeout_s + 1)
    who = found[0] if found else TimeoutError()
    if isinstance(who, ValueError) and not isinstance(who, UnicodeError):
        raise BadRequest(f"scheduler={address!r} is no address of a Dask scheduler: write tcp://host:port.") from who
    if isinstance(who, OSError):  # TimeoutError is one
        raise ServerUnreachable(
            f"No Dask scheduler answers at {address} within {timeout_s:g} s: start one with `dask scheduler`, or "
            "correct the address, which the scheduler's log shows (the dashboard has another port)."
        ) from who
    if not isinstance(who, dict) or who.get("type") != "Scheduler":
        said = _said(who) if isinstance(who, Exception) else f"it is a {dict(who).get('type')}"
        raise ServerUnreachable(
            f"What answers at {address} is no Dask scheduler that distributed {distributed.__version__}, which is "
            f"installed here, can talk to ({said}): correct the address, or install the scheduler's version."
        ) from (who if isinstance(who, Exception) else None)
    return str(who["versions"]["packages"]["distributed"])


def _said(e: Exception) -> str:
    return f"{type(e).__name__}: {' '.join(str(e).split())[:300]}"


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as e:
        raise MissingDependency('A Dask cluster needs distributed: pip install "graphistry-core[dask]".') from e
    # Importing it has all exceptions of a process pickled with their causes, for which those of tasks have no form.
    for cls in all_errors():
        copyreg.dispatch_table.pop(cls, None)
    return distributed


def _checked(client: Any) -> Client:
    if not (hasattr(client, "submit") and hasattr(client, "scheduler_info")):
        raise BadRequest(f"scheduler={client!r} is neither an address nor a distributed.Client.")
    if client.asynchronous:
        raise BadRequest("The distributed.Client is an asynchronous one: make it with asynchronous=False.")
    if client.status != "running":
        raise ServerUnreachable(f"The distributed.Client is {client.status}: make a new one.")
    found: Client = client
    return found


@contextlib.contextmanager
def connected(scheduler: str | Client | None = None, timeout_s: float = _CONNECT_S) -> Iterator[Client]:
    """Have a client while the block lasts; one that was given stays open."""
    scheduler = named(scheduler)
    client = connect(scheduler, timeout_s)
    try:
        yield client
    finally:
        if client is not scheduler:
            client.close(timeout=_ANSWER_S)


@dataclass(frozen=True)
class Machine:
    """The scheduler or a worker of a cluster, or this process: which version it has of what matters ('-': none)."""

    name: str
    threads: int
    versions: dict[str, str]


def machines(client: Client) -> tuple[Machine, Machine, list[Machine]]:
    """Return this process, the scheduler and the workers, each with its versions; raise ServerUnreachable."""
    asked = [name.replace("-", "_") for name in COMPARED if name not in ("python", "distributed")]
    try:
        found = client.sync(client._get_versions, packages=asked, callback_timeout=_ANSWER_S)
    except Exception as e:
        raise ServerUnreachable(f"The Dask scheduler does not answer any more ({_said(e)}).") from e
    counts = threads(client)

    def machine(name: str, about: Any, count: int = 0) -> Machine:
        packages = about.get("packages", {}) if isinstance(about, dict) else {}
        found = {each: packages.get(each.replace("-", "_")) or "-" for each in COMPARED}
        versions = {each: str(version).partition(".final")[0] for each, version in found.items()}
        return Machine(name, count, versions)

    workers = [machine(address, about, counts.get(address, 0)) for address, about in sorted(found["workers"].items())]
    address = str(client.scheduler.address)
    return machine("here", found["client"]), machine(address, found["scheduler"]), workers


@dataclass(frozen=True)
class Load:
    """A worker as the scheduler sees it: its threads, the tasks it has to do (anybody's), and whether it takes more."""

    threads: int
    tasks: int
    accepts: bool


def loads(client: Client) -> dict[str, Load]:
    """Return the cluster's workers by address; raise ServerUnreachable."""
    counts, running, processing = _asked(client, "ncores", "ncores_running", "processing")
    return {a: Load(count, len(processing.get(a, ())), a in running) for a, count in counts.items()}


def threads(client: Client) -> dict[str, int]:
    """Return the cluster's workers, by address, with the number of their threads; raise ServerUnreachable."""
    return dict(_asked(client, "ncores")[0])


def _asked(client: Client, *what: str) -> list[Any]:
    async def ask() -> Any:
        return await asyncio.gather(*(getattr(client.scheduler, each)(workers=None) for each in what))

    try:
        return list(client.sync(ask, callback_timeout=_ANSWER_S))
    except Exception as e:  # closed, timed out, or whatever a broken connection leads to
        raise ServerUnreachable(f"The Dask scheduler does not answer any more ({_said(e)}).") from e
