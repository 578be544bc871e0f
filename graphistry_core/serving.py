"""The commands that run the dev server: serve, demo, exec. Import the server, and everything else, when they run."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from .console import failing, say, stdout_to_stderr
from .errors import ConfigError, GraphistryError
from .log_lines import KINDS, write_lines
from .object_storage import is_url

if TYPE_CHECKING:
    from graphistry_devserver import DevServer

log = logging.getLogger("graphistry_core")
F = TypeVar("F", bound=Callable[..., Any])
_ENV = "GRAPHISTRY_DEVSERVER_"
_ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
_DEMO_TASK = '''
def task(g):
    """Count the graph, and name the characters who meet the most others."""
    ends = [g._edges[g._source], g._edges[g._destination]]
    meetings = ends[0].value_counts().add(ends[1].value_counts(), fill_value=0)
    top = meetings.sort_values(ascending=False).head(3)
    return {"edges": len(g._edges), "nodes": len(meetings), "top": {k: int(v) for k, v in top.items()}}
'''


class DataDir(click.Path):
    """A directory, or the URL of one on object storage, which stays the text that it is."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a Path, or a URL as it came."""
        return value if is_url(value) else super().convert(value, param, ctx)


def _option(name: str, **settings: Any) -> Callable[[F], F]:
    """Make an option that also has an environment variable, GRAPHISTRY_DEVSERVER_ and its name."""
    variable = _ENV + name.removeprefix("--").replace("-", "_").upper()
    also = settings.pop("also", [])
    return click.option(name, envvar=[variable, *also], show_envvar=True, **settings)


_SERVER_OPTIONS = [
    _option("--config", type=click.Path(path_type=Path), help="TOML file: [server], [flags], [users.NAME]."),
    _option("--data-dir", also=["GRAPHISTRY_CORE_DATA_DIR"], type=DataDir(), metavar="DIR_OR_URL",
            help="Keep data here (default: a temporary directory); several servers may share a URL: s3://bucket/prefix."),
    _option("--cache-dir", type=click.Path(file_okay=False, path_type=Path),
            help="With a URL, keep a copy of what is used here (default: a folder in this user's cache)."),
    _option("--cache-mb", type=click.IntRange(1), metavar="MB",
            help="With a URL, how large the tables of this copy may be together, in MiB.  [default: 20480]"),
    _option("--seed", multiple=True, type=click.Path(path_type=Path), metavar="FILE_OR_DIR",
            help="Begin with this (repeatable): a table of edges, an export, or a Python file with seed(graphistry)."),
    _option("--user", multiple=True, metavar="NAME:PASSWORD",
            help="Let only these users in (repeatable); by default everybody."),
    _option("--executor", default="auto", show_default=True, metavar="NAME",
            help="Where tasks run: isolated (Linux), spawned, dask, or inprocess, without limits; auto: isolated, else "
            "spawned."),
    _option("--scheduler", metavar="ADDRESS", help="Run tasks on the Dask cluster of this scheduler (tcp://host:8786)."),
    _option("--task-timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
            help="Time limit of a task.  [default: 60]"),
    _option("--task-memory", type=click.IntRange(1), metavar="MB",
            help="What a task may take beyond its tables.  [default: 4096]"),
    _option("--task-output", type=click.FloatRange(0), metavar="MB",
            help="What is kept of what a task prints.  [default: 1]"),
    _option("--task-result", type=click.FloatRange(0), metavar="MB", help="Largest result.  [default: 256]"),
    _option("--task-scratch", type=click.IntRange(1), metavar="MB",
            help="What the files of a task may take on disk.  [default: 1024]"),
    _option("--task-concurrency", type=click.IntRange(1), metavar="N",
            help="How many tasks run at once; 64 more may wait.  [default: one for each core, or thread of a cluster]"),
    _option("--sandbox", type=click.Choice(["off", "on", "strict"]), default="off", show_default=True,
            help="Fence tasks in, as far as this kernel can; strict: or do not start."),
    _option("--preload", multiple=True, metavar="MODULE", help="Import this before any task runs (repeatable)."),
    _option("--plottable", type=click.Choice(["core", "pygraphistry"]), default="core", show_default=True,
            help="Whose graph object tasks get."),
    _option("--cudf-fallback", type=click.Choice(["pandas"]),
            help="Give tasks that import cudf a stand-in where cuDF does not work: an approximation."),
    _option("--max-upload-mb", type=click.IntRange(1), default=1024, show_default=True, help="Largest upload, in MiB."),
]  # fmt: skip


def server_options(command: F) -> F:
    """Add the options of every command that starts a server."""
    for option in reversed(_SERVER_OPTIONS):
        command = option(command)
    return command


def _dev_server(context: click.Context, /, **options: Any) -> DevServer:
    """Make a server from options, with what the configuration file says where the user said nothing."""
    from graphistry_devserver import DevServer

    options = _configured(context, options)
    _place_tasks(options)
    for name in ("max_upload", "cache"):
        limit = options.pop(f"{name}_mb", None)
        if limit is not None:
            options[f"{name}_bytes"] = limit << 20
    given = {name: value for name, value in options.items() if value is not None}
    return DevServer(**given)


def _configured(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Return options with what the configuration file says where the user said nothing, once."""
    if "config" not in options:
        return options
    path, users = options.pop("config"), _users(options.pop("user"))
    if path is None:
        return {**options, "users": users or None}
    from .hub import load

    config = load(path)
    parameters = {parameter.name: parameter for parameter in context.command.params}
    for name, value in config.options.items():
        if name in options and context.get_parameter_source(name) in (None, ParameterSource.DEFAULT):
            try:
                options[name] = parameters[name].type_cast_value(context, value)
            except click.BadParameter as e:
                raise ConfigError(f"{path}: server.{name}: {e.message}") from e
    return {**options, "users": {**config.users, **users} or None, "flags": config.flags}


def _place_tasks(options: dict[str, Any]) -> None:
    """Turn the options about tasks into limits, and options of the executor."""
    from .executors import Limits

    fields = {"timeout": "timeout_s", "memory": "memory_mb", "output": "output_mb", "result": "result_mb",
              "scratch": "scratch_mb"}  # fmt: skip
    given = {name: options.pop(f"task_{name}", None) for name in fields}
    asked = {name: value for name, value in given.items() if value is not None}
    held = [f"--task-{name}" for name in asked if name in ("timeout", "memory", "scratch")]
    if options.get("executor") == "inprocess" and held:
        raise click.UsageError(
            f"{', '.join(held)}: tasks in the server's own process (--executor inprocess) have none."
        )
    options["limits"] = Limits(**{fields[name]: value for name, value in asked.items()})
    extra = {"concurrency": options.pop("task_concurrency", None), "preload": list(options.pop("preload", ()))}
    fence = options.pop("sandbox", "off")
    extra["sandbox"] = None if fence == "off" else fence
    extra["scheduler"] = options.pop("scheduler", None)
    if extra["scheduler"]:
        if options.get("executor", "auto") not in ("auto", "dask"):
            raise click.UsageError(f"--scheduler is for --executor dask: leave out --executor {options['executor']}.")
        options["executor"] = "dask"
    if fence != "off" and options.get("executor", "auto") not in ("auto", "isolated", "dask"):
        raise click.UsageError(f"--sandbox {fence} is for tasks in forked processes: leave out --executor.")
    options["executor_options"] = {name: value for name, value in extra.items() if value}


def _users(pairs: Sequence[str]) -> dict[str, Any]:
    users = {}
    for pair in pairs:
        name, colon, password = pair.partition(":")
        if not (name and colon and password):
            raise click.UsageError(f"--user (or {_ENV}USER) takes name:password.")
        users[name] = password
    return users


@click.command()
@_option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@_option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@_option("--allow-remote", is_flag=True, help="Allow an address that other machines can reach; needs users.")
@_option("--external-url", metavar="URL", help="Protocol and host under which clients reach this server.")
@_option("--server", type=click.Choice(["builtin", "granian"]), default="builtin", show_default=True,
         help="What reads HTTP; granian needs the extra fast.")  # fmt: skip
@_option("--log", type=click.Choice(KINDS), default="problems", show_default=True,
         help="Lines on stderr: problems only, or every request and task too, for people or as JSON.")  # fmt: skip
@_option("--tls", is_flag=True, help="Speak HTTPS, with a certificate made at the start.")
@server_options
@click.pass_context
def serve(context: click.Context, /, **options: Any) -> None:
    """Serve existing Graphistry clients. The first line on stdout is the URL."""
    with failing():
        options = _configured(context, options)
        kind = options.pop("log")
        write_lines(kind)
        if options.pop("server") == "granian":
            _serve_by_granian(context, kind, **options)
            return
        server = _dev_server(context, **options)
        with _until_signal() as wait, _seeded(server):
            click.echo(server.url)
            sys.stdout.flush()
            _announce(server, log.info if kind == "json" else say)
            threading.Thread(target=_warm_up, args=(server,), daemon=True).start()
            wait(server)


@contextlib.contextmanager
def _seeded(server: DevServer) -> Iterator[None]:
    """Run a server; while its seeds go in, what they print goes to stderr, and a signal breaks them off."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with contextlib.ExitStack() as running:
        with _handling(interrupt), stdout_to_stderr():
            running.enter_context(server)
        yield


def _serve_by_granian(context: click.Context, kind: str, /, **options: Any) -> None:
    from graphistry_devserver import granian_server

    server = _dev_server(context, **options)

    def ready(url: str) -> None:
        click.echo(url)
        sys.stdout.flush()
        tell = log.info if kind == "json" else say
        tell("granian serves in one process of its own; a client that goes away does not end its task.")
        tell("The Python endpoint runs any code it is given, as this user, on this machine.")
        tell("Ctrl-C stops it.")

    granian_server.serve(server, ready, kind)


def _announce(server: DevServer, tell: Callable[[str], None]) -> None:
    if server.hub.accounts.strict:
        tell("Only the users named with --user or in the configuration can log in.")
    else:
        tell("Any user name and password, personal key and organization is accepted (name users with --user).")
    for sentence in server.seeded:
        tell(sentence)
    executor: Any = server.hub.executor
    if executor.name == "dask":
        workers = executor.workers()
        count = f"{len(workers)} worker{'s'[: len(workers) != 1]} with {sum(workers.values())} threads now"
        tell(f"Tasks run on the Dask cluster at {executor.address} ({count}): any code that they are given.")
    else:
        tell("The Python endpoint runs any code it is given, as this user, on this machine.")
    fence = getattr(server.hub.executor, "sandbox", "off")
    if fence != "off":
        from .executors.sandbox import layers

        tell(f"Tasks are fenced in ({'; '.join(layers().values())}): against mistakes, not against attackers.")
    kept = None if server.hub.store.temporary else server.hub.store.described()
    temporary = "Data is temporary and goes when the server stops (--data-dir keeps it)."
    tell(f"Data is kept in {kept}." if kept else temporary)
    protocol, _, host = server.url.partition("://")
    unchecked = ""
    if protocol == "https":
        tell(f"Its certificate is {server.certificate}: clients trust it with REQUESTS_CA_BUNDLE={server.certificate}")
        tell("or, unchecked, with certificate_validation=False.")
        unchecked = ", certificate_validation=False"
    login = f'protocol="{protocol}", server="{host}", username="…", password="…"{unchecked}'
    tell(f"In a client: graphistry.register(api=3, {login})")
    tell("Ctrl-C stops it.")


def _warm_up(server: DevServer) -> None:
    """Start what the first task needs, and import what the first upload does, after the first answer is possible."""
    with contextlib.suppress(ImportError, GraphistryError):
        server.warm()
        import pandas
        import pyarrow.ipc

        _ = pandas, pyarrow.ipc


@contextlib.contextmanager
def _handling(handler: Callable[..., Any]) -> Iterator[None]:
    """Give the signals that end a program to a function."""
    before = {number: signal.signal(number, handler) for number in _ENDING}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextlib.contextmanager
def _until_signal() -> Iterator[Any]:
    """Yield a function that waits for a signal that ends a program, or for the server to fail."""
    stop = threading.Event()

    def wait(server: DevServer) -> None:
        while not stop.wait(0.2):
            if not server.running:
                server.join()
                return

    with _handling(lambda *_: stop.set()):
        yield wait


@click.command()
@click.option("--once", is_flag=True, help="Stop after printing, instead of serving on.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0 picks a free one.", show_default=True)
@click.pass_context
def demo(context: click.Context, once: bool, port: int) -> None:
    """Serve a small real graph (Les Misérables), run a task on it over HTTP, print the JSON and the viewer URL."""
    from . import GraphistryClient
    from .readers import read_file

    with failing(), _until_signal() as wait, _dev_server(context, port=port) as server:
        client = GraphistryClient()
        client.register(**server.register_kwargs, transport="http")
        path = Path(__file__).parent / "data" / "lesmiserables.csv"
        g = client.edges(read_file(path), "source", "target").bind(edge_weight="value").name("Les Misérables").upload()
        click.echo(json.dumps(g.python_remote_json(_DEMO_TASK), ensure_ascii=False))
        click.echo(g.url)
        if not once:
            sys.stdout.flush()
            say("Serving on; Ctrl-C stops it.")
            wait(server)


@click.command("exec", context_settings={"ignore_unknown_options": True})
@server_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def execute(context: click.Context, /, command: Sequence[str], **options: Any) -> None:
    """Run a command with a server of its own, and exit with the command's code.

    Write it after two dashes: graphistry-core exec -- pytest -q. The command finds GRAPHISTRY_HOSTNAME, _PROTOCOL and
    _API_TOKEN (a user's, so that a plain register() works), and GRAPHISTRY_USERNAME and _PASSWORD for scripts that
    read them.
    """
    with failing():
        server = _dev_server(context, port=0, **options)
        with _seeded(server):
            code = _run(command, {**os.environ, **_environment(server)})
        sys.exit(code)


def _environment(server: DevServer) -> dict[str, str]:
    from . import GraphistryClient

    known = server.register_kwargs
    token = GraphistryClient().register(**known, transport="http").api_token()
    return {
        "GRAPHISTRY_HOSTNAME": known["server"],
        "GRAPHISTRY_PROTOCOL": known["protocol"],
        "GRAPHISTRY_API_TOKEN": token or "",
        "GRAPHISTRY_USERNAME": known["username"],
        "GRAPHISTRY_PASSWORD": known["password"],
    }


def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run a command; pass signals on to it; return its exit code, as a shell would (128 + signal when killed)."""
    try:
        process = subprocess.Popen(list(command), env=environment)  # noqa: S603 - it is what the user asked for
    except OSError as e:
        say(f"error: {command[0]} cannot be run: {e.strerror}.")
        return 127
    with _handling(lambda number, _: process.send_signal(number)):
        code = process.wait()
    return 128 - code if code < 0 else code
