"""A dataset's index beside its tables, as mapped files: the first task that needs it builds it, the next ones find it.

Written under another name and renamed; what is damaged, or of another shape, counts as not there. Arrays are mapped
privately: what a task does to them stays in it. May import index, columns and kernels.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from .columns import Ids
from .index import Adjacency, GraphIndex

_VERSION = 1
_WORTH = 10_000  # edges from which on reading files is quicker than building


def load_index(folder: Path, ids: Any, edges: int, key: Any, tables: Any) -> GraphIndex | None:
    """Return the index in a folder for a column of node ids, or None where there is none that fits."""
    about = _about(folder, edges, len(ids))
    if about is None:
        return None
    try:
        table = None
        if about["integers"]:
            table = (_mapped(folder, "keys"), _mapped(folder, "codes"), np.uint64(about["shift"]))
        parts = {name: _mapped(folder, name) for name in _ARRAYS}
    except (OSError, ValueError):
        return None
    known = Ids(ids, known=(table, bool(about["unique"])))
    index = GraphIndex(parts["source"], parts["destination"], len(ids), known.unique, known, tables, key)
    ends = (index.source, index.destination)
    index.out = Adjacency(ends[0], parts["out_ptr"], parts["out_perm"], ends[1])
    index.into = Adjacency(ends[1], parts["into_ptr"], parts["into_perm"], ends[0])
    return index


_ARRAYS = ("source", "destination", "out_ptr", "out_perm", "into_ptr", "into_perm")


def _about(folder: Path, edges: int, nodes: int) -> dict[str, Any] | None:
    try:
        about = json.loads((folder / "about.json").read_bytes())
    except (OSError, ValueError):
        return None
    expected = {"version": _VERSION, "edges": edges, "nodes": nodes}
    return about if isinstance(about, dict) and expected.items() <= about.items() else None


def _mapped(folder: Path, name: str) -> np.ndarray:
    array: np.ndarray = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
    return array.view(np.ndarray)


def save_index(index: GraphIndex, folder: Path) -> None:
    """Keep an index; where that is not possible it is built again next time."""
    if len(index.source) < _WORTH:
        return
    index.both_ways()
    arrays = {
        "source": index.source, "destination": index.destination, "out_ptr": index.out.ptr, "out_perm": index.out.perm,
        "into_ptr": index.into.ptr, "into_perm": index.into.perm,
    }  # fmt: skip
    about = {"version": _VERSION, "edges": len(index.source), "nodes": index.count, "unique": index.unique}
    table = index.ids.table
    if table is not None:
        arrays["keys"], arrays["codes"] = table[0], table[1]
    about |= {"integers": table is not None, "shift": 0 if table is None else int(table[2])}
    _save(folder, arrays, about)


def _ids(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.ids")


def load_ids(folder: Path, edges: int) -> np.ndarray | None:
    """Return the node ids that were found in a dataset's edges, or None."""
    try:
        about = json.loads((_ids(folder) / "about.json").read_bytes())
        return _mapped(_ids(folder), "ids") if about == {"version": _VERSION, "edges": edges} else None
    except (OSError, ValueError):
        return None


def save_ids(ids: np.ndarray, folder: Path, edges: int) -> None:
    """Keep the node ids that were found in a dataset's edges."""
    if edges >= _WORTH:
        _save(_ids(folder), {"ids": ids}, {"version": _VERSION, "edges": edges})


def _save(folder: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # damaged, or it would have been used
    work = folder.parent / f"{folder.name}.{uuid.uuid4().hex}.part"
    with contextlib.suppress(OSError):
        try:
            work.mkdir(mode=0o700, parents=True)
            for name, array in arrays.items():
                np.save(work / f"{name}.npy", array, allow_pickle=False)
            (work / "about.json").write_text(json.dumps(about))
            os.rename(work, folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
