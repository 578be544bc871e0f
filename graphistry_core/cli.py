"""The console script ``graphistry-core``: run, serve, demo, exec, export, import, doctor.

Imports click at the top and everything else inside the commands: ``--help`` and ``doctor`` need no pandas, and only
``serve`` and ``demo`` import the dev server. Results go to stdout, messages and task output to stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__, serving
from .console import failing, say, stdout_to_stderr, waiting
from .errors import BadRequest

if TYPE_CHECKING:
    from .plottable import Plottable


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
@click.option(
    "--engine", default="auto", show_default=True, metavar="NAME", help="auto, pandas, cudf, dask or dask_cudf."
)
@click.option("--compare", metavar="NAME", help="Run on this engine too, say what differs; exit with 1 if values do.")
@click.option("--exact", is_flag=True, help="With --compare: order, dtypes and the last bits of floats count.")
@click.option("--cudf-fallback", type=click.Choice(["pandas"]),
              help="Give a task that imports cudf a stand-in where cuDF does not work: an approximation.")  # fmt: skip
@click.option("--executor", default="auto", show_default=True, metavar="NAME",
              help="Where the task runs: inprocess, isolated (Linux), spawned or dask.")  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS",
              help="Run it on the Dask cluster of this scheduler (tcp://host:8786; or set GRAPHISTRY_CORE_SCHEDULER, "
              "and --executor dask).")  # fmt: skip
@click.option("--plottable", type=click.Choice(["core", "pygraphistry"]), default="core", show_default=True,
              help="Whose graph object the task gets.")  # fmt: skip
@click.option(
    "--timeout",
    "timeout_s",
    type=float,
    metavar="SECONDS",
    help="Time limit; the task then runs in a process of its own.",
)
@click.option("--memory", "memory_mb", type=int, metavar="MIB", help="Memory limit (likewise).")
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
    from . import engines
    from .executors import get_executor, shared_executor
    from .executors.run import run_encoded
    from .executors.task import check_imports, prepare, source_of

    with failing():
        binary = format_ == "parquet" or (options["output_type"] == "all" and format_ != "json")
        if binary and out is None and sys.stdout.isatty():
            raise click.UsageError(f"The result is binary ({format_}); name a file with --out.")
        text = prepare(source_of(task))  # a misspelt task should not cost the reading of a large table
        check_imports(text, ("cudf",) if options["cudf_fallback"] else ())
        if options["executor"] == "dask" or options["scheduler"]:
            shared_executor("dask", scheduler=options["scheduler"])  # nobody answers: said before a table is read
        else:
            for name in (options["engine"], options["compare"]):
                if name is not None and not options["cudf_fallback"]:
                    engines.resolve(name)
            get_executor(options["executor"])
        with waiting(f"Reading {edges.name} …"):
            g = _graph_of_files(edges, source, destination, nodes, node)
        if out is not None and (out.is_dir() or not os.access(out.parent, os.W_OK)):
            raise BadRequest(f"--out {out} cannot be written: name a file in a folder that exists.")
        with waiting(f"Running {task.name} …"), stdout_to_stderr():
            result = run_encoded(task, g, format=format_, **options)
        if result.approximation:
            say(result.approximation)
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


for _command in (serving.serve, serving.demo, serving.execute):
    main.add_command(_command)


# --- export, import -------------------------------------------------------------------------------------------

_data_dir = click.option(
    "--data-dir",
    envvar="GRAPHISTRY_CORE_DATA_DIR",
    show_envvar=True,
    required=True,
    type=serving.DataDir(),
    metavar="DIR_OR_URL",
    help="The server's data directory, or the URL that it keeps its data at.",
)


@main.command("export")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@_data_dir
@click.option("--organization", metavar="NAME", help="Only what belongs to this organization.")
def export(directory: Path, data_dir: Path | str, organization: str | None) -> None:
    """Write a server's files, datasets, users and organizations to DIR, which must not be there yet, or be empty.

    The server may be running. Passwords, personal keys and the signing key stay where they are.
    """
    from .hub import travel
    from .hub.shared import open_store

    with failing(), contextlib.closing(open_store(data_dir, existing=True)) as store:
        say(f"Exported {_in_words(travel.export_to(store, directory, organization))} to {directory}.")


@main.command("import")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@_data_dir
def import_(directory: Path, data_dir: Path | str) -> None:
    """Take what was exported to DIR into a server's data, all of it or nothing. The server may be running."""
    from .hub import travel
    from .hub.shared import open_store

    with failing(), contextlib.closing(open_store(data_dir)) as store:
        say(f"Imported {_in_words(travel.import_from(store, directory))} from {directory}.")


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


# --- doctor ---------------------------------------------------------------------------------------------------


@main.command()
@click.option("--scheduler", metavar="ADDRESS", envvar=["GRAPHISTRY_CORE_SCHEDULER", "GRAPHISTRY_DEVSERVER_SCHEDULER"],
              show_envvar=True, help="Look at this Dask cluster, too: its workers, and their versions.")  # fmt: skip
def doctor(scheduler: str | None) -> None:
    """Show versions, which engines work here or why not, conflicts with their fix, and where data lives.

    With a scheduler, exits with 1 where the cluster cannot be reached.
    """
    from rich.console import Console
    from rich.table import Table

    from . import diagnosis

    # Wide where nobody looks: a command cut in two cannot be copied.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 240)

    def show(sections: Mapping[str, Sequence[Sequence[str]]]) -> None:
        for title, rows in sections.items():
            table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 2))
            for row in rows:
                table.add_row(*row)
            console.print(table)
            console.print()

    show(diagnosis.report())
    if scheduler:
        with failing():
            show(diagnosis.cluster_report(scheduler))


if __name__ == "__main__":
    main()
