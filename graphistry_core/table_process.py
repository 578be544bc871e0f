"""Reading tables in a process of its own, where the reader may die of the bytes it is given.

The ORC library ends the process on some damaged files, and a workbook can be a bomb of cells; here that is one failed
upload. Imports errors, frames and readers; the child runs :func:`main`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import frames, readers
from .errors import GraphistryError, InvalidTable, TooLarge, from_body

if TYPE_CHECKING:
    import pyarrow as pa

IN_PROCESS = ("orc", "xls", "xlsx")
_EXCEL = {"xlsx": "openpyxl", "xls": "xlrd"}
_TIMEOUT_S = 120.0
_START = "from graphistry_core.table_process import main; main()"


def check_installed(kind: str) -> None:
    """Raise MissingDependency, naming the extra, when workbooks of this type cannot be read here."""
    if kind in _EXCEL:
        frames.require(_EXCEL[kind], "excel", f"Reading {kind} files")


def parse_apart(path: Path, kind: str, options: Mapping[str, Any], limit: int) -> list[tuple[str, pa.Table]]:
    """Read the tables of a file in a child process: (name, table), more than one only for a workbook's sheets.

    ``limit`` bounds what the file may unfold to, in bytes. Raises InvalidTable with the reason, also when the child
    dies or takes too long, TooLarge, and MissingDependency. Files beside ``path`` hold what the child read; the tables
    are mapped from them.
    """
    check_installed(kind)
    job = {"path": str(path), "kind": kind, "options": dict(options), "limit": limit}
    answer = _run(job)
    if "code" in answer:
        raise from_body(400, answer, "")
    tables = []
    for name, file in answer["tables"]:
        table = frames.map_arrow(Path(file))
        Path(file).unlink(missing_ok=True)  # what is mapped stays readable
        table.validate(full=True)
        tables.append((name, table))
    return tables


def _run(job: Mapping[str, Any]) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", _START],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise InvalidTable(f"reading the {job['kind']} content took more than {_TIMEOUT_S:.0f} s.") from e
    if done.returncode != 0:
        _forget(Path(job["path"]))
        raise InvalidTable(f"the content is not a valid {job['kind']} table (it ended the process that read it).")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _forget(path: Path) -> None:
    for left in path.parent.glob(f"{path.name}.*.sheet"):
        left.unlink(missing_ok=True)


# --- in the child ---------------------------------------------------------------------------------------------


def main() -> None:
    """Do the job on standard input, and write to standard output where its tables are, or what was wrong."""
    job = json.load(sys.stdin)
    _limit_memory(job["limit"])
    path = Path(job["path"])
    answer: dict[str, Any]
    try:
        written = []
        for place, (name, table) in enumerate(_tables(path, job["kind"], job["options"], job["limit"])):
            file = path.with_name(f"{path.name}.{place}.sheet")
            frames.write_arrow(table, file)
            written.append((name, str(file)))
        answer = {"tables": written}
    except GraphistryError as e:
        answer = e.to_body()
    except MemoryError:
        answer = TooLarge("The content needs more memory than this server gives to one upload.").to_body()
    sys.stdout.write(json.dumps(answer))


def _limit_memory(limit: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    most = 4 * limit + (4 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _tables(path: Path, kind: str, options: dict[str, Any], limit: int) -> list[tuple[str, pa.Table]]:
    return [("", readers.parse(path, kind, options))] if kind == "orc" else _sheets(path, kind, options, limit)


def _sheets(path: Path, kind: str, options: dict[str, Any], limit: int) -> list[tuple[str, pa.Table]]:
    """Return every sheet that is not empty, or the one that ``sheet_name`` asks for."""
    import pandas as pd

    if kind == "xlsx":
        _refuse_bomb(path, limit)
    asked = {"sheet_name": None, **options}
    try:
        read: Any = pd.read_excel
        found = read(path, engine=_EXCEL[kind], **asked)
        sheets = found if isinstance(found, dict) else {str(asked["sheet_name"]): found}
        tables = [(str(name), frames.to_arrow(_named(frame), warn=False)) for name, frame in sheets.items()]
        tables = [(name, table) for name, table in tables if table.num_columns]
    except (GraphistryError, MemoryError):
        raise
    except Exception as e:
        reason = " ".join(str(e).split())[:300] or type(e).__name__
        raise InvalidTable(f"the content is not a valid {kind} workbook ({reason}).") from e
    if not tables:
        raise InvalidTable("the workbook has no sheet with a table: the first row of a sheet names its columns.")
    return tables


def _named(frame: Any) -> Any:
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _refuse_bomb(path: Path, limit: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as e:
        raise InvalidTable(f"the content is not a valid xlsx workbook ({e}).") from e
    if size > limit:
        raise TooLarge(f"The workbook is {size} bytes when unpacked; the limit of this server is {limit}.")
