"""What ``graphistry-core doctor`` finds out, as plain rows. Imports engines and cluster only; no pandas."""

from __future__ import annotations

import os
import platform
import warnings

from . import cluster, engines
from .object_storage import redacted
from .transports.local import DATA_DIR

_LIBRARIES = ("pandas", "pyarrow", "numpy", "numba", "orjson", "requests", "pyjwt")
_OPTIONAL = {
    "flask": "devserver", "responses": "testing", "graphistry": "pygraphistry", "distributed": "dask",
    "granian": "fast", "openpyxl": "excel", "s3fs": "s3", "cudf-cu12": "cudf-cu12", "cudf-cu13": "cudf-cu13",
}  # fmt: skip
_PINNING = ("graphistry-core", *engines.CUDF_PACKAGES, "numba-cuda", "numba", "graphistry", "databricks-connect")


def report() -> dict[str, list[tuple[str, str]]]:
    """Return the sections of the report: title to (name, finding) rows."""
    problem = engines.cudf_problem()
    conflicts = [row for name in _PINNING for row in engines.conflicts(name)]
    here = redacted(os.environ.get(DATA_DIR, ""))
    return {
        "Versions": [
            ("graphistry-core", engines.installed("graphistry-core")),
            ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
            *((name, engines.installed(name)) for name in _LIBRARIES),
        ],
        "Optional": [
            (
                name,
                found
                if (found := engines.installed(name)) != "-"
                else f'not installed: pip install "graphistry-core[{extra}]"',
            )
            for name, extra in _OPTIONAL.items()
        ],
        "Engines": [("pandas", "usable"), ("cudf", f"not usable: {problem}" if problem else "usable")],
        "Conflicts": conflicts or [("none", "")],
        "Data": [
            (
                "local transport",
                f"{here} ({DATA_DIR})" if here else f"a temporary directory (set {DATA_DIR} to keep data)",
            )
        ],
    }


def cluster_report(scheduler: str) -> dict[str, list[tuple[str, ...]]]:
    """Return the sections about a Dask cluster: its machines with their versions, and what is wrong with them.

    Raises what :func:`.cluster.connect` raises.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own on versions, which are told of here
        with cluster.connected(scheduler) as client:
            here, there, workers = cluster.machines(client)
    machines = [here, there, *workers]
    names = ["here", f"scheduler {there.name}", *(f"worker {worker.name}" for worker in workers)]
    threads = ["", "", *(str(worker.threads) for worker in workers)]
    rows = [
        (name, count, *(machine.versions[each] for each in cluster.COMPARED))
        for name, count, machine in zip(names, threads, machines, strict=True)
    ]
    return {
        "Dask cluster": [("", "threads", *cluster.COMPARED), *rows],
        "Skew": _skew(here, there, workers) or [("none", "everybody has the same versions")],
    }


def _skew(here: cluster.Machine, there: cluster.Machine, workers: list[cluster.Machine]) -> list[tuple[str, ...]]:
    """Return what differs from here so that it matters, with what follows from it."""
    rows: list[tuple[str, ...]] = []
    if not workers:
        rows.append(("workers", f"there are none: start one with `dask worker {there.name}`"))
    differing = [name for name in ("python", "distributed") if there.versions[name] != here.versions[name]]
    rows += [(f"scheduler {there.name}", _differs(name, there, here)) for name in differing]
    for worker in workers:
        for name, found in worker.versions.items():
            if found == "-":
                rows.append((f"worker {worker.name}", f'{name} is missing: pip install "graphistry-core[dask]" there'))
            elif found != here.versions[name]:
                rows.append((f"worker {worker.name}", _differs(name, worker, here)))
    return rows


def _differs(name: str, machine: cluster.Machine, here: cluster.Machine) -> str:
    return f"{name} {machine.versions[name]}, but {here.versions[name]} here: tasks may go otherwise there, or fail"
