"""A task's value to bytes in the asked format and output type, and those bytes back to a value.

The table of formats is section 3 of the protocol: json, csv or parquet, for json, table, nodes, edges, all, shape.
May import errors, frames, plottable and the contract.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import io
import json
import marshal
import math
import zipfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .. import frames, readers, wire
from ..encodings import BINDINGS, STRUCTURE
from ..errors import GraphistryError, MalformedAnswer, ResultNotSerializable, ResultTooLarge
from ..messages import JSON_TYPE, HttpResponse
from .contract import Limits, Task
from .logs import TaskOutput, describe
from .tables import archive, cell, one_file, records, without_odd_floats

if TYPE_CHECKING:
    pass

# --- encode ---------------------------------------------------------------------------------------------------


def encode(value: Any, task: Task, limits: Limits, output: TaskOutput) -> tuple[bytes, str]:
    """Return (body, content type) of a task's value.

    Raises ResultNotSerializable naming the path and the fix, or ResultTooLarge naming the cap, and nothing else.
    """
    try:
        body, content_type = _encode(value, task, output)
    except ResultNotSerializable:
        raise
    except RecursionError as e:
        raise ResultNotSerializable("The result cannot be encoded: RecursionError; it nests too deeply.") from e
    except MemoryError as e:
        raise ResultNotSerializable(
            f"The result cannot be encoded as {task.format}: MemoryError; return less, or aggregate in the task."
        ) from e
    except Exception as e:
        # A task's value is its own code: its properties, its __repr__, its library's limits can raise anything.
        said = e.message if isinstance(e, GraphistryError) else describe(e)
        raise ResultNotSerializable(f"The result cannot be encoded as {task.format}: {said}") from e
    cap = int(min(limits.result_mb, 1 << 40) * (1 << 20))
    if len(body) > cap:
        raise ResultTooLarge(
            f"The result takes {len(body)} bytes as {task.format}; the cap is {cap} ({limits.result_mb:g} MiB). "
            "Return less, or aggregate in the task."
        )
    return body, content_type


def _encode(value: Any, task: Task, output: TaskOutput) -> tuple[bytes, str]:
    if task.output_type == "json":
        if isinstance(value, str):
            return str.encode(value, "utf-8", "surrogatepass"), wire.TEXT_TYPE
        return to_json(value, output, lenient=task.lenient_json), JSON_TYPE
    if task.output_type == "all":
        tables = {which: _table_of(value, which, "all") for which in ("nodes", "edges")}
        about = graph_metadata(value) if task.metadata else None
        if task.format == "json":
            parts = [f'"{which}":'.encode() + records(table) for which, table in tables.items()]
            if about is not None:
                parts.append(b'"metadata":' + json.dumps(about).encode())
            return b"{" + b",".join(parts) + b"}", JSON_TYPE
        extra = {} if about is None else {"metadata.json": json.dumps({"gfql_metadata": about}).encode()}
        return archive(tables, task.format, task.export_options, extra), wire.CONTENT_TYPES["zip"]
    table = _shape(value) if task.output_type == "shape" else _table_of(value, task.output_type)
    if task.format == "json":
        return records(table), JSON_TYPE
    return one_file(table, task.format, task.export_options), wire.CONTENT_TYPES[task.format]


def graph_metadata(g: Any) -> dict[str, Any]:
    """Return what a graph says besides its tables, as PyGraphistry reads it: bindings, encodings, names, style, URL."""
    named = {name: getattr(g, f"_{name}", None) for name in BINDINGS}
    found = {name: column for name, column in named.items() if column is not None}
    encodings: dict[str, Any] = {name: column for name, column in found.items() if name not in STRUCTURE}
    if getattr(g, "_complex_encodings", None):
        encodings["complex_encodings"] = g._complex_encodings
    about = {name: getattr(g, f"_{name}", None) for name in ("name", "description")}
    return {
        "bindings": {name: column for name, column in found.items() if name in STRUCTURE},
        "encodings": encodings,
        "metadata": {name: value for name, value in about.items() if value is not None},
        "style": getattr(g, "_style", None) or {},
        "url_params": getattr(g, "_url_params", None) or {},
    }


def _is_graph(value: Any) -> bool:
    return hasattr(value, "_edges") and hasattr(value, "_nodes")


def _table_of(value: Any, output_type: str, asked: str | None = None) -> Any:
    """Pick the table that an output type asks for from a task's value; None when the graph has none."""
    asked = asked or output_type
    if output_type == "table":
        if frames.is_table(value):
            return value
        if _is_graph(value):
            raise ResultNotSerializable(
                "output_type='table' needs a DataFrame, but the task returned a graph: return g._edges or g._nodes, "
                "or ask for output_type='nodes', 'edges' or 'all'."
            )
    else:
        if _is_graph(value):
            table = getattr(value, f"_{output_type}")
            if table is None or frames.is_table(table):
                return table
            raise ResultNotSerializable(f"The {output_type} of the returned graph are no table but {_kind(table)}.")
        if isinstance(value, Mapping) and value.keys() <= {"nodes", "edges"} and value:
            table = value.get(output_type)
            if table is None or frames.is_table(table):
                return table
    wanted = "a DataFrame" if output_type == "table" else "a graph (such as g itself)"
    raise ResultNotSerializable(
        f"output_type={asked!r} needs {wanted}, but the task returned {_kind(value)}: return that, or ask for "
        "output_type='json'."
    )


def _shape(value: Any) -> Any:
    import pandas as pd

    counts = [
        (kind, frames.num_rows(table), len(frames.column_names(table)))
        for kind in ("nodes", "edges")
        if (table := _table_of(value, kind, "shape")) is not None
    ]
    return pd.DataFrame(counts, columns=["kind", "rows", "cols"])


# --- JSON -----------------------------------------------------------------------------------------------------


def to_json(value: Any, output: TaskOutput, *, lenient: bool = False) -> bytes:
    """Encode what the standard library's ``json`` accepts, and nothing else; ``lenient`` converts scalars and times.

    NaN and infinities become null, with a note in the logs that names the first one (our choice: what a server does
    is not known). Raises ResultNotSerializable with the path of the first offender and the fix.
    """
    if lenient:
        value = _converted(value)
    if not isinstance(value, dict):
        output.note(f"the task returned {_kind(value)}; only str and dict are documented for the Python endpoint")
    body = _fast_json(value)
    if body is None:
        body = _standard_json(value)
    elif b"null" not in body:
        return body
    if _has_odd_float(value):
        odd = next(path for path, item in _walk(value) if isinstance(item, float) and not math.isfinite(item))
        output.note(f"{odd} is NaN or infinite and was sent as null")
    return body


def _has_odd_float(value: Any) -> bool:
    """Say whether a NaN or infinity is anywhere inside, without the cost of paths."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list | tuple):
            pending.extend(item)
        elif isinstance(item, float) and not math.isfinite(item):
            return True
    return False


def _fast_json(value: Any) -> bytes | None:
    """Encode with orjson when it is sure to agree with the standard library, else return None.

    orjson takes more (UUID, Enum, dates, dataclasses); marshal knows exactly the builtin types, and is quick.
    """
    import orjson

    try:
        marshal.dumps(value)
        return orjson.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return None


def _standard_json(value: Any) -> bytes:
    try:
        # Infinity first of all becomes null; only then can the encoder tell what else it does not take.
        return json.dumps(without_odd_floats(value), allow_nan=False, separators=(",", ":")).encode()
    except RecursionError as e:
        reason = "contains itself" if _is_circular(value) else "nests too deeply for JSON; flatten it"
        raise ResultNotSerializable(f"The result {reason}.") from e
    except (TypeError, ValueError) as e:
        raise _not_serializable(value, str(e)) from e


def _is_circular(value: Any) -> bool:
    """Follow the first nested item of each level; a circle closes before any honest nesting ends."""
    try:
        json.dumps(value, default=lambda _: None, skipkeys=True)
    except ValueError as e:
        return "ircular" in str(e)
    except RecursionError:
        return False
    return False


def _walk(value: Any, path: str = "result") -> Iterator[tuple[str, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, f"{path}[{json.dumps(key) if isinstance(key, str) else repr(key)}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]")


def _accepted(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | dict | list | tuple)


def _not_serializable(value: Any, reason: str) -> ResultNotSerializable:
    for path, item in _walk(value):
        if isinstance(item, dict):
            for key in item:
                if not (key is None or isinstance(key, str | int | float)):
                    return ResultNotSerializable(f"{path} has the key {key!r} of {_type(key)}: use str({key!r}).")
        if not _accepted(item):
            return ResultNotSerializable(f"{path} is {_type(item)}: {_fix(item)}.")
    return ResultNotSerializable(f"The result is not JSON: {reason}.")


def _type(value: Any) -> str:
    cls = type(value)
    return (
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"
    )


def _kind(value: Any) -> str:
    name = _type(value)
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _fix(value: Any) -> str:  # noqa: C901, PLR0912 - one line per kind of value
    if _is_graph(value):
        return "return counts or records of it, or ask for output_type='all', 'nodes' or 'edges'"
    name = type(value).__name__
    if frames.library_of(value) == "dask" and hasattr(value, "compute"):
        if frames.is_table(value):
            return "use .compute().to_dict(orient='records'), or ask for output_type='table'"
        series = type(value).__name__ in ("Series", "Index")
        return f"it is not computed yet: use .compute(){'.to_list()' if series else ' and int(), float() or str()'}"
    if name == "DataFrame" or frames.is_table(value):
        return "use .to_dict(orient='records'), or ask for output_type='table'"
    if hasattr(value, "tolist") and getattr(value, "ndim", None):
        return "use .tolist()"
    if hasattr(value, "to_list"):
        return "use .to_list()"
    if name in ("NAType", "NaTType"):
        return "use None"
    if hasattr(value, "item"):
        kind = getattr(getattr(value, "dtype", None), "kind", "")
        builtin = {"b": "bool()", "i": "int()", "u": "int()", "f": "float()", "M": "str()", "m": "str()"}.get(kind)
        return f"wrap it in {builtin}" if builtin else "use .item()"
    if isinstance(value, datetime.date | datetime.time):
        return "use .isoformat()"
    if isinstance(value, set | frozenset):
        return "wrap it in sorted() or list()"
    if isinstance(value, bytes | bytearray):
        return "use .decode()"
    if isinstance(value, decimal.Decimal):
        return "wrap it in float() or str()"
    if dataclasses.is_dataclass(value):
        return "use dataclasses.asdict()"
    if hasattr(value, "__iter__") and not hasattr(value, "keys"):
        return "wrap it in list()"
    return "wrap it in str(), or return its parts"


def _converted(value: Any) -> Any:
    """Turn numpy scalars and times inside dicts and lists into what JSON has."""
    if isinstance(value, dict):
        return {_converted(key): _converted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_converted(item) for item in value]
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return cell(value)
    if hasattr(value, "dtype") and hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return cell(_timelike(value)) if value.dtype.kind in "mM" else value.item()
    return value


def _timelike(value: Any) -> Any:
    import pandas as pd

    return pd.Timestamp(value) if value.dtype.kind == "M" else pd.Timedelta(value)


# --- decode ---------------------------------------------------------------------------------------------------


def decode(
    body: bytes,
    content_type: str,
    format: str,
    output_type: str,
    g: Any,
    read_options: Mapping[str, Any] | None = None,
) -> Any:
    """Rebuild a task's value from a server's answer, as PyGraphistry's ``python_remote_*`` do.

    json: the document, or a str when the answer is text/plain. table and shape: a pandas frame. nodes, edges and
    all: a copy of ``g`` with those tables (the other one None). ``read_options`` go to ``pandas.read_csv``. An empty
    body is an empty frame. Raises MalformedAnswer when the body is not what was asked for.
    """
    import pandas as pd

    if output_type == "json":
        if content_type.startswith("text/plain"):
            return body.decode("utf-8", "surrogatepass")
        return HttpResponse(200, body).json()
    if output_type == "all":
        tables = _unpack(body, format, read_options)
        return g.edges(tables["edges"]).nodes(tables["nodes"])
    try:
        as_json = format == "json"
        frame = pd.DataFrame(HttpResponse(200, body).json()) if as_json else _read(body, format, read_options)
    except (ValueError, OSError) as e:
        raise MalformedAnswer(f"The server's answer is not a {format} table: {str(e)[:200]}") from e
    if output_type in ("table", "shape"):
        return frame
    other = {"nodes": "_edges", "edges": "_nodes"}[output_type]
    out = getattr(g, output_type)(frame)
    setattr(out, other, None)
    return out


def _read(body: bytes, format: str, options: Mapping[str, Any] | None) -> Any:
    import pandas as pd

    if not body.strip():
        return pd.DataFrame()
    if format == "csv":
        return readers.read_csv(body.decode("utf-8", "surrogatepass"), **dict(options or {}))
    return pd.read_parquet(io.BytesIO(body))


def _unpack(body: bytes, format: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    import pandas as pd

    if format == "json":
        document = HttpResponse(200, body).json()
        if not isinstance(document, dict) or not {"nodes", "edges"} <= document.keys():
            raise MalformedAnswer("The server's answer is not an object with 'nodes' and 'edges'.")
        return {which: pd.DataFrame(document[which]) for which in ("nodes", "edges")}
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return {
                which: _read(archive.read(_member(archive, which)), format, options) for which in ("nodes", "edges")
            }
    except (zipfile.BadZipFile, OSError, ValueError) as e:
        raise MalformedAnswer(f"The server's answer is not a zip of two {format} tables: {str(e)[:200]}") from e


def _member(archive: zipfile.ZipFile, which: str) -> str:
    other = "edges" if which == "nodes" else "nodes"
    stems = {name: name.rpartition("/")[2].partition(".")[0].lower() for name in archive.namelist()}
    exact = [name for name, stem in stems.items() if stem == which]
    loose = [name for name, stem in stems.items() if which in stem and other not in stem]
    found = exact or loose
    if len(found) != 1:
        raise MalformedAnswer(f"The server's zip has {len(found)} members for {which}: {sorted(stems)}.")
    return found[0]
