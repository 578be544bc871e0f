"""What ``graphistry-core doctor`` finds out, as plain rows. Imports engines only; no pandas."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, distribution, version

from . import engines
from .transports.local import DATA_DIR

_LIBRARIES = ("pandas", "pyarrow", "numpy", "numba", "orjson", "requests", "pyjwt")
_OPTIONAL = {
    "flask": "devserver", "responses": "testing", "graphistry": "pygraphistry", "distributed": "dask",
    "granian": "fast", "openpyxl": "excel", "s3fs": "s3", "cudf-cu12": "cudf-cu12", "cudf-cu13": "cudf-cu13",
}  # fmt: skip
_PINNING = ("graphistry-core", "cudf-cu12", "cudf-cu13", "numba", "graphistry", "databricks-connect")


def report() -> dict[str, list[tuple[str, str]]]:
    """Return the sections of the report: title to (name, finding) rows."""
    problem = engines.cudf_problem()
    conflicts = [row for name in _PINNING for row in _conflicts(name)]
    here = os.environ.get(DATA_DIR)
    return {
        "Versions": [
            ("graphistry-core", _version("graphistry-core")),
            ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
            *((name, _version(name)) for name in _LIBRARIES),
        ],
        "Optional": [
            (
                name,
                found if (found := _version(name)) != "-" else f'not installed: pip install "graphistry-core[{extra}]"',
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


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


def _conflicts(name: str) -> list[tuple[str, str]]:
    """Return what a distribution requires and the environment does not hold, with the command that mends it."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        required = distribution(name).requires or []
    except PackageNotFoundError:
        return []
    rows = []
    for text in required:
        try:
            need = Requirement(text)
        except InvalidRequirement:
            continue
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        found = _version(need.name)
        if found == "-" or not need.specifier.contains(found, prereleases=True):
            state = "it is missing" if found == "-" else f"{found} is installed"
            rows.append((name, f'needs {need}, but {state}: pip install "{need.name}{need.specifier}"'))
    return rows
