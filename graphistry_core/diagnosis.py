"""What ``graphistry-core doctor`` finds out, as plain rows. Imports engines only; no pandas."""

from __future__ import annotations

import os
import platform

from . import engines
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
    here = os.environ.get(DATA_DIR)
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
