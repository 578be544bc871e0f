"""The console script ``graphistry-core``: run, serve, demo, doctor.

Imports click at the top and everything else inside the commands: ``--help`` and ``doctor`` need no pandas, and only
``serve`` and ``demo`` import the dev server. Results go to stdout, messages and task output to stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import BadRequest, GraphistryError, MissingDependency, TaskError

if TYPE_CHECKING:
    from graphistry_devserver import DevServer

    from .plottable import Plottable

_DEMO_TASK = '''
def task(g):
    """Count the graph, and name the characters who meet the most others."""
    ends = [g._edges[g._source], g._edges[g._destination]]
    meetings = ends[0].value_counts().add(ends[1].value_counts(), fill_value=0)
    top = meetings.sort_values(ascending=False).head(3)
    return {"edges": len(g._edges), "nodes": len(meetings), "top": {k: int(v) for k, v in top.items()}}
'''


def say(text: str) -> None:
    """Print a message for a person, on stderr."""
    click.echo(text, err=True)


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """Print the project's errors as a sentence (and a task's traceback), and exit with 1."""
    try:
        yield
    except GraphistryError as e:
        if isinstance(e, TaskError) and e.traceback:
            say(e.traceback.rstrip())
        say(f"error: {e.message}")
        sys.exit(1)


@contextlib.contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show that something is going on, on a terminal, once it takes more than a second."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    status = Console(stderr=True).status(text)
    timer = threading.Timer(1.0, status.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        status.stop()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="graphistry-core")
def main() -> None:
    """Graphistry without the server: run tasks on graphs, serve existing clients, test offline."""


# --- run ------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("task", metavar="TASK.py", type=click.Path(path_type=Path))
@click.option("--edges", metavar="FILE", required=True, type=click.Path(path_type=Path),
              help="Edge table: CSV, TSV, SNAP list, JSON, Parquet, ORC or Arrow.")  # fmt: skip
@click.option("--source", metavar="COL", help="Source column (guessed when left out).")
@click.option("--destination", metavar="COL", help="Destination column (guessed when left out).")
@click.option("--nodes", metavar="FILE", type=click.Path(path_type=Path), help="Node table.")
@click.option("--node", metavar="COL", help="Node id column (guessed when left out).")
@click.option("--engine", type=click.Choice(["auto", "pandas", "cudf"]), default="auto", show_default=True)
@click.option("--executor", default="auto", show_default=True, metavar="NAME", help="Where the task runs.")
@click.option("--plottable", type=click.Choice(["core", "pygraphistry"]), default="core", show_default=True,
              help="Whose graph object the task gets.")  # fmt: skip
@click.option("--timeout", "timeout_s", type=float, metavar="SECONDS", help="Time limit.")
@click.option("--memory", "memory_mb", type=int, metavar="MIB", help="Memory limit.")
@click.option("--format", "format_", type=click.Choice(["json", "csv", "parquet"]), default="json", show_default=True)
@click.option("--output-type", type=click.Choice(["json", "table", "nodes", "edges", "all", "shape"]), default="json",
              show_default=True)  # fmt: skip
@click.option("--lenient-json", is_flag=True, help="Convert numpy scalars and times instead of refusing them.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the result here instead of stdout.")
def run(
    task: Path,
    edges: Path,
    source: str | None,
    destination: str | None,
    nodes: Path | None,
    node: str | None,
    format_: str,
    out: Path | None,
    **options: Any,
) -> None:
    """Run task(g) of TASK.py on tables from files, as a server would, and print its result.

    The result goes to stdout, what the task prints to stderr. Exits with 1 when the task or its data is at fault.
    """
    from .executors.run import run_encoded

    with failing():
        binary = format_ == "parquet" or (options["output_type"] == "all" and format_ != "json")
        if binary and out is None and sys.stdout.isatty():
            raise click.UsageError(f"The result is binary ({format_}); name a file with --out.")
        with waiting(f"Reading {edges.name} …"):
            g = _graph_of_files(edges, source, destination, nodes, node)
        if out is not None and (out.is_dir() or not os.access(out.parent, os.W_OK)):
            raise BadRequest(f"--out {out} cannot be written: name a file in a folder that exists.")
        with waiting(f"Running {task.name} …"), _stdout_to_stderr():
            result = run_encoded(task, g, format=format_, **options)
        _write_result(result.body, result.content_type, out)


def _graph_of_files(
    edges: Path, source: str | None, destination: str | None, nodes: Path | None, node: str | None
) -> Plottable:
    from .bindings import guess_ends, guess_node
    from .executors.contract import check_bindings
    from .plottable import Plottable
    from .readers import read_file

    edge_table = read_file(edges)
    if source is None or destination is None:
        source, destination = guess_ends(edge_table.column_names, source, destination)
        say(f"Guessed --source {source} --destination {destination} from the columns {edge_table.column_names}.")
    check_bindings(edge_table.column_names, "edges", {"source": source, "destination": destination})
    g = Plottable().edges(edge_table, source, destination)
    if nodes is None:
        return g.bind(node=node)
    node_table = read_file(nodes)
    if node is None:
        node = guess_node(node_table.column_names)
        say(f"Guessed --node {node} from the columns {node_table.column_names}.")
    check_bindings(node_table.column_names, "nodes", {"node": node})
    return g.nodes(node_table, node)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Keep stdout for the result: what the task's threads and child processes print goes to stderr."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


def _write_result(body: bytes, content_type: str, out: Path | None) -> None:
    if content_type.startswith("application/json"):
        body = json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")
    if out is not None:
        try:
            out.write_bytes(body)
        except OSError as e:
            raise BadRequest(f"--out {out} cannot be written: {e.strerror or e}.") from e
        say(f"Wrote {len(body)} bytes to {out}.")
        return
    text = content_type.startswith(("application/json", "text/"))
    sys.stdout.buffer.write(body if not text or body.endswith(b"\n") else body + b"\n")
    sys.stdout.buffer.flush()


# --- serve and demo -------------------------------------------------------------------------------------------


def _dev_server(**options: Any) -> DevServer:
    try:
        from graphistry_devserver import DevServer
    except ImportError as e:
        raise MissingDependency(
            f'The dev server needs {e.name or "Flask"}: pip install "graphistry-core[devserver]".'
        ) from e
    return DevServer(**options)


def _users(pairs: Sequence[str]) -> dict[str, str] | None:
    users = {}
    for pair in pairs:
        name, colon, password = pair.partition(":")
        if not (name and colon and password):
            raise click.UsageError("--user takes name:password.")
        users[name] = password
    return users or None


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option("--data-dir", envvar="GRAPHISTRY_CORE_DATA_DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Keep data here (default: a temporary directory).")  # fmt: skip
@click.option("--user", "users", multiple=True, metavar="NAME:PASSWORD",
              help="Let only these users in (repeatable); by default everybody.")  # fmt: skip
@click.option("--allow-remote", is_flag=True, help="Allow an address that other machines can reach; needs --user.")
@click.option("--executor", default="auto", show_default=True, metavar="NAME", help="Where tasks run.")
@click.option("--plottable", type=click.Choice(["core", "pygraphistry"]), default="core", show_default=True,
              help="Whose graph object tasks get.")  # fmt: skip
def serve(users: Sequence[str], data_dir: Path | None, **options: Any) -> None:
    """Serve existing Graphistry clients. The first line on stdout is the URL."""
    with failing():
        server = _dev_server(users=_users(users), data_dir=data_dir, **options)
        with _until_signal() as wait, server:
            click.echo(server.url)
            sys.stdout.flush()
            _announce(server, data_dir)
            threading.Thread(target=_warm_up, daemon=True).start()
            wait(server)


def _announce(server: DevServer, data_dir: Path | None) -> None:
    if server.hub.accounts.strict:
        say("Only the users named with --user can log in.")
    else:
        say("Any user name and password, personal key and organization is accepted (name users with --user).")
    say("The Python endpoint runs any code it is given, as this user, on this machine.")
    say(
        f"Data is kept in {data_dir}."
        if data_dir
        else "Data is temporary and goes when the server stops (--data-dir keeps it)."
    )
    host = server.url.removeprefix("http://")
    say(f'In a client: graphistry.register(api=3, protocol="http", server="{host}", username="…", password="…")')
    say("Ctrl-C stops it.")


def _warm_up() -> None:
    """Import what the first upload and task need, after the first answer is possible."""
    with contextlib.suppress(ImportError):
        import pandas
        import pyarrow.ipc

        _ = pandas, pyarrow.ipc


@contextlib.contextmanager
def _until_signal() -> Iterator[Any]:
    """Yield a function that waits for SIGINT or SIGTERM, or for the server to fail."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}

    def wait(server: DevServer) -> None:
        while not stop.wait(0.2):
            if not server.running:
                server.join()
                return

    try:
        yield wait
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@main.command()
@click.option("--once", is_flag=True, help="Stop after printing, instead of serving on.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0 picks a free one.", show_default=True)
def demo(once: bool, port: int) -> None:
    """Serve a small real graph (Les Misérables), run a task on it over HTTP, print the JSON and the viewer URL."""
    from . import GraphistryClient
    from .readers import read_file

    with failing(), _until_signal() as wait, _dev_server(port=port) as server:
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


# --- doctor ---------------------------------------------------------------------------------------------------


@main.command()
def doctor() -> None:
    """Show versions, which engines work here or why not, conflicts with their fix, and where data lives."""
    from rich.console import Console
    from rich.table import Table

    from . import diagnosis

    # Wide where nobody looks: a command cut in two cannot be copied.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 240)
    for title, rows in diagnosis.report().items():
        table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 2))
        for name, value in rows:
            table.add_row(name, value)
        console.print(table)
        console.print()


if __name__ == "__main__":
    main()
