"""What every executor takes and gives back. May import errors, frames, engines, encodings and plottable."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from .. import engines, frames
from ..encodings import BINDINGS
from ..errors import BadRequest, BindingError, TaskError
from ..wire import FORMATS, OUTPUT_TYPES

if TYPE_CHECKING:
    import pyarrow as pa

PLOTTABLES = ("core", "pygraphistry")
APPROXIMATION = (
    "approximation: this task's cudf was a stand-in over pandas; try it with cuDF before you rely on its answer"
)


@dataclass(frozen=True)
class Limits:
    """What a run may use. Sizes in MiB (1 MiB = 2**20 bytes), time in seconds.

    ``memory_mb`` is what a task may take beyond the tables, ``scratch_mb`` what its files may take on disk. None is the
    executor's default: no limit in this process, 60 s, 4096 MiB and 1024 MiB in one of its own. ``float("inf")`` is
    none anywhere.
    """

    timeout_s: float | None = None
    memory_mb: int | None = None
    output_mb: float = 1.0
    result_mb: float = 256.0
    scratch_mb: int | None = None

    @property
    def needs_isolation(self) -> bool:
        """Whether a limit was given that only a process of its own can enforce."""
        return any(value not in (None, math.inf) for value in (self.timeout_s, self.memory_mb, self.scratch_mb))


@dataclass(frozen=True)
class Task:
    """One run to do: the source (or, for ``direct``, the live function), and what to make of its value.

    ``metadata``: a graph for output 'all' brings its bindings, encodings, name and style along. ``export_options``
    go to ``DataFrame.to_csv`` or ``pyarrow.parquet.write_table``. ``cudf_fallback``: 'pandas' gives the task a stand-in
    when it imports cudf, in a process of its own. ``scheduler``: the address of the cluster that computes what a task
    does to Dask frames; without one its own threads do it.
    """

    source: str
    engine: str = "pandas"
    plottable: str = "core"
    format: str = "json"
    output_type: str = "json"
    lenient_json: bool = False
    metadata: bool = False
    export_options: Mapping[str, Any] = field(default_factory=dict)
    function: Callable[[Any], Any] | None = None
    cudf_fallback: str = ""
    scheduler: str = ""
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("plottable", self.plottable, PLOTTABLES),
            ("format", self.format, FORMATS),
            ("output_type", self.output_type, OUTPUT_TYPES),
            ("cudf_fallback", self.cudf_fallback, ("", "pandas")),
        ):
            if value not in allowed:
                raise BadRequest(f"{name}={value!r} is unknown; use one of {', '.join(map(repr, allowed))}.")
        if self.output_type == "json" and self.format != "json":
            raise BadRequest(
                f"format={self.format!r} cannot hold output_type='json'; ask for output_type='table', 'nodes', "
                "'edges', 'all' or 'shape', or for format='json'."
            )


@dataclass(frozen=True, eq=False)
class GraphData:
    """A graph as Arrow tables and bindings (by bind() keyword): what a task's ``g`` is built from.

    ``files``: where tables lie as Arrow files in the resting shape, for those that do; ``index_folder``: where the
    graph's index is to be kept. ``for_one_task``: this process is a fork that ends after one task, so that what is
    inside its frames' cells need not be protected from it. ``urls``: where the same files lie for other machines, when
    the store is on object storage ('edges', 'nodes' to a URL for :func:`graphistry_core.object_storage.fetch`).
    ``partitions``: where each table's partitions for Dask are, or are to be kept, as folders or URLs that fsspec opens;
    ``lazy``: tables that are Dask frames of this process.
    """

    edges: pa.Table | None = None
    nodes: pa.Table | None = None
    bindings: Mapping[str, str] = field(default_factory=dict)
    dataset_id: str | None = None
    name: str | None = None
    description: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict, repr=False)
    index_folder: Path | None = None
    for_one_task: bool = False
    urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    partitions: Mapping[str, str] = field(default_factory=dict, repr=False)
    lazy: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, g: Any, *, lazy: bool = False) -> GraphData:
        """Take the tables and bindings of a Plottable, ours or PyGraphistry's (both are recognised by attributes).

        Dask frames are computed unless they may stay ``lazy``.
        """
        if not hasattr(g, "_edges") or not hasattr(g, "_nodes"):
            raise BadRequest(
                f"A task runs on a Plottable, not on a {type(g).__name__}: make one with "
                "graphistry_core.edges(df, 'source_column', 'destination_column')."
            )
        bound = ((name, getattr(g, f"_{name}", None)) for name in BINDINGS)
        bindings = {name: str(column) for name, column in bound if column is not None}
        given = {which: getattr(g, f"_{which}") for which in ("edges", "nodes")}
        live = {which: table for which, table in given.items() if lazy and frames.library_of(table) == "dask"}
        tables = {
            which: None if table is None or which in live else frames.to_arrow(table) for which, table in given.items()
        }
        if not lazy:  # else that is done to each partition, and none needs the whole table in memory
            # At rest, as a server stores them: a type that has no such form looks here as it will look there.
            tables = {which: None if table is None else frames.at_rest(table) for which, table in tables.items()}
        ids = {name: getattr(g, f"_{name}", None) for name in ("dataset_id", "name", "description")}
        names = (ids["dataset_id"], ids["name"], ids["description"])
        return cls(tables["edges"], tables["nodes"], bindings, *names, lazy=live)

    @cached_property
    def _pandas(self) -> dict[str, Any]:
        tables = {"edges": self.edges, "nodes": self.nodes}
        return {which: None if table is None else frames.to_pandas(table) for which, table in tables.items()}

    def frame(self, which: str, engine: str, *, lasting: bool = False) -> Any:
        """Return a fresh frame of the ``'edges'`` or ``'nodes'``; what a task does to it stays in it.

        It shares memory with this object, which must outlive it, unless it is ``lasting``.
        """
        if engine in engines.LAZY:
            return self._lazy_frame(which, engine)
        table = getattr(self, which)
        if table is None:
            return None
        if engine != "pandas":
            return engines.to_frame(table, engine)
        base = self._pandas[which]
        own = base.copy(deep=lasting or not frames.copies_on_write())
        return own if self.for_one_task else frames.with_own_cells(own, table)

    def _lazy_frame(self, which: str, engine: str) -> Any:
        if which in self.lazy:
            return self.lazy[which] if engine == "dask" else self.lazy[which].to_backend("cudf")
        if which not in self.partitions:
            return None
        from . import partitions

        return partitions.read(self.partitions[which], engine)

    def plottable(self, engine: str, kind: str = "core", *, lasting: bool = False) -> Any:
        """Build the ``g`` of a task: ours (``'core'``), or PyGraphistry's own (``'pygraphistry'``)."""
        if kind == "pygraphistry":
            module = frames.require("graphistry", "pygraphistry", "plottable='pygraphistry'")
            g: Any = module.bind(**self.bindings)
        else:
            from ..plottable import Plottable

            g = Plottable().bind(**self.bindings)
        for which in ("edges", "nodes"):
            frame = self.frame(which, engine, lasting=lasting)
            if frame is not None:
                g = getattr(g, which)(frame)
        g._dataset_id, g._name, g._description = self.dataset_id, self.name, self.description
        if self.index_folder is not None and kind == "core" and engine == "pandas":
            _tell_of_index(g, self.index_folder)
        return g


def _tell_of_index(g: Any, folder: Path) -> None:
    """Tell a graph where the index of its tables is kept, with the columns that say which tables these are.

    They share memory with the tables until somebody writes. Nothing is imported for it, least of all numba.
    """
    ends = [g._source, g._destination]
    if g._edges is None or ends[0] == ends[1] or not set(ends) <= set(g._edges.columns):
        return
    nodes = None
    if g._nodes is not None and g._node is not None:
        if g._node not in g._nodes.columns:
            return
        nodes = g._nodes[g._node]
    g._index_at = (folder, [g._edges[name] for name in ends], nodes)


def check_bindings(columns: list[str], which: str, bindings: Mapping[str, str]) -> None:
    """Raise BindingError when a bound source, destination or node column is not in its table."""
    for name in ("source", "destination") if which == "edges" else ("node",):
        column = bindings.get(name)
        if column is not None and str(column) not in columns:
            raise BindingError(
                f"The {which} table has no column {column!r}, which is bound as {name}; it has {columns}."
            )


@dataclass(frozen=True)
class TaskResult:
    """How a run ended: an encoded body or an error, with what the task printed and how long it took.

    ``value`` is set instead of ``body`` when the live function was called (``direct``). ``approximation`` says what the
    answer is not: one of the library that the task imported.
    """

    run_id: str
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    value: Any = field(default=None, repr=False)
    logs: str = field(default="", repr=False)
    duration_s: float = 0.0
    error: TaskError | None = None
    approximation: str = ""

    def unwrap(self) -> TaskResult:
        """Return self, or raise the error."""
        if self.error is not None:
            raise self.error
        return self


class Executor(Protocol):
    """Runs one task on one graph under limits. Never raises for what the task does: that is in the result.

    One whose tasks run on other machines also has ``elsewhere = True``: which engines work is then found out there.
    """

    name: str

    def run(
        self,
        task: Task,
        graph: GraphData,
        limits: Limits,
        echo: TextIO | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> TaskResult:
        """Run the task; what it prints goes to ``echo`` as it comes (when given) and into the result's logs.

        ``cancelled`` is asked now and then whether nobody wants the result any more; an executor that can end a task
        then does.
        """

    def close(self) -> None:
        """Release processes; running tasks end."""
