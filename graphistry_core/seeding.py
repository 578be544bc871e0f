"""What a server begins with: tables, exports, and Python files that build datasets. May import everything below."""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from .bindings import guess_ends
from .errors import BadRequest, GraphistryError
from .hub import Hub
from .pygraphistry import GraphistryClient
from .readers import read_file
from .transports import LocalTransport


def seed(hub: Hub, source: str | os.PathLike[str], login: Mapping[str, str]) -> str:
    """Put what one file or directory holds into a Hub, and say in a sentence what that was.

    A directory is an export; a file that ends with ``.py`` has ``def seed(graphistry)``, called with a client of this
    Hub; any other is a table of edges, which becomes a dataset. ``login`` is the ``username`` and ``password`` that
    the client, and so the dataset's owner, logs in with. Raises BadRequest naming the file.
    """
    path = Path(source)
    if path.is_dir():
        counts = hub.import_from(path)
        return f"Seeded {path}: an export of {counts['datasets']} datasets and {counts['files']} files."
    try:
        client = GraphistryClient().register(
            username=login["username"], password=login["password"], transport=LocalTransport(hub)
        )
        return _seed_by_python(path, client) if path.suffix == ".py" else _seed_table(path, client, login["username"])
    except GraphistryError as e:
        raise BadRequest(f"The seed {path} cannot be used: {e.message}") from e


def _seed_table(path: Path, client: GraphistryClient, owner: str) -> str:
    table = read_file(path)
    source, destination = guess_ends(table.column_names)
    g = client.edges(table, source, destination).name(path.stem).upload()
    ends = f"{table.num_rows} edges from {source!r} to {destination!r}"
    return f"Seeded {path}: the dataset {g._dataset_id} of {owner}, {ends}."


def _seed_by_python(path: Path, client: GraphistryClient) -> str:
    """Call the function ``seed`` of a file; whatever it raises becomes a BadRequest that names the line."""
    try:
        function = getattr(_module(path), "seed", None)
        if not callable(function):
            raise BadRequest("it has no function 'def seed(graphistry)'.")
        function(client)
    except Exception as e:
        lines = [
            frame.lineno for frame in traceback.extract_tb(e.__traceback__) if Path(frame.filename) == path.absolute()
        ]
        where = f"line {lines[-1]}: " if lines else ""
        said = e.message if isinstance(e, GraphistryError) else f"{type(e).__name__}: {e}."
        raise BadRequest(f"{where}{said}") from e
    return f"Seeded by {path}."


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"graphistry_seed_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # what looks classes up by their module finds it
    spec.loader.exec_module(module)
    return module
