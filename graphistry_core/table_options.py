"""How the bytes of an uploaded table are to be read: type, compression, options. Imports errors only.

Options come as query parameters (text) or in a file's ``parser_options`` (JSON). Their names are those of pandas'
readers; what is not listed here is refused by name, so that nothing is silently ignored or reaches into the server.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import BadRequest

COMPRESSIONS = ("gzip", "bz2", "zip", "xz", "zstd")
CONTENT_ENCODINGS = ("gzip", "deflate", "zstd")
ORIENTS = ("split", "records", "index", "columns", "values", "table")
_SLOW_CODECS = ("idna", "punycode")  # quadratic in the length of the text
_INFER = ("", "none", "infer", "null")


@dataclass(frozen=True)
class Reading:
    """How to read a table: ``encodings`` (of the transfer, outermost first), then ``compression``, then ``options``."""

    compression: str = ""
    encodings: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def compression_of(value: Any, name: str = "compression") -> str:
    """Return one of COMPRESSIONS or ''; raise BadRequest naming the field."""
    text = "" if value is None else str(value).lower()
    text = {"gz": "gzip", "zst": "zstd"}.get(text, text)
    if text in _INFER:
        return ""
    if text not in COMPRESSIONS:
        raise BadRequest(f"'{name}' is {value!r}; it must be one of {', '.join(COMPRESSIONS)}, or empty.")
    return text


def encodings_of(header: str | None) -> tuple[str, ...]:
    """Read a Content-Encoding header, outermost first; raise BadRequest for what is not supported."""
    named = [part.strip().lower().removeprefix("x-") for part in (header or "").split(",")]
    found = [part for part in named if part not in ("", "identity")]
    for part in found:
        if part not in CONTENT_ENCODINGS:
            raise BadRequest(f"Content-Encoding {part!r} is not supported; use one of {', '.join(CONTENT_ENCODINGS)}.")
    if len(found) > 2:
        raise BadRequest("Content-Encoding names more than two encodings; compress once.")
    return tuple(reversed(found))


def reading(kind: str, given: Mapping[str, Any], content_encoding: str | None = None) -> Reading:
    """Check options for a table of type ``kind``; raise BadRequest naming the first that is unknown or wrong."""
    known = OPTIONS.get(kind, {})
    options = {}
    for name, value in given.items():
        if name in ("compression", "file_compression") or (value is None and name != "header"):
            continue
        if name not in known:
            takes = f"it takes {', '.join(sorted([*known, 'compression']))}"
            raise BadRequest(f"A {kind} table has no option {name!r}; {takes}.")
        options[name] = known[name](name, value)
    compression = given.get("compression", given.get("file_compression"))
    return Reading(compression_of(compression), encodings_of(content_encoding), options)


# --- values: each takes text from a query or a JSON value, and refuses by name ----------------------------------


def _wrong(name: str, value: Any, expected: str) -> BadRequest:
    return BadRequest(f"The option {name!r} is {str(value)[:100]!r}; it must be {expected}.")


def _decoded(value: Any) -> Any:
    """Return a query parameter's JSON value, if it is JSON; else the text itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise _wrong(name, value, "text")
    return value


def _one_of(*allowed: str) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        if value not in allowed:
            raise _wrong(name, value, f"one of {', '.join(allowed)}")
        return str(value)

    return check


def _flag(name: str, value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false", "1", "0"):
        raise _wrong(name, value, "true or false")
    return text in ("true", "1")


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value), re.ASCII):
        raise _wrong(name, value, "a number of 0 or more")
    return int(value)


def _quoting(name: str, value: Any) -> int:
    if str(value) not in ("0", "1", "2", "3"):
        raise _wrong(name, value, "0 (minimal), 1 (all), 2 (non-numeric) or 3 (none)")
    return int(value)


def _character(name: str, value: Any) -> str:
    text = {"\\t": "\t", "\\n": "\n", "\\r": "\r"}.get(_text(name, value), value)
    if len(text) != 1 or not text.isascii():
        raise _wrong(name, value, "one ASCII character")
    return str(text)


def _separator(name: str, value: Any) -> str:
    return r"\s+" if value == r"\s+" else _character(name, value)


def _line_end(name: str, value: Any) -> str:
    text = _text(name, value).replace("\\r", "\r").replace("\\n", "\n")
    if text not in ("\n", "\r", "\r\n", ";", "|", "\x1e"):
        raise _wrong(name, value, r"\n, \r, \r\n, ; or |")
    return text


def _header(name: str, value: Any) -> int | str | None:
    if str(value).lower() in ("infer", "none", "null"):
        return "infer" if str(value).lower() == "infer" else None
    return _count(name, value)


def _names(name: str, value: Any) -> list[str]:
    """A list of texts, as JSON or separated by commas."""
    found = _decoded(value)
    if isinstance(found, str):
        found = [part.strip() for part in found.split(",")]
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise _wrong(name, value, "a list of texts")
    return found


def _columns(name: str, value: Any) -> list[str] | list[int]:
    found = _decoded(value)
    if isinstance(found, list) and found and all(type(each) is int and each >= 0 for each in found):
        return found
    return _names(name, value)


def _missing(name: str, value: Any) -> list[Any] | dict[str, list[Any]]:
    """What counts as missing: a value, a list of values, or lists by column."""

    def scalars(found: Any) -> list[Any]:
        values = found if isinstance(found, list) else [found]
        if not all(isinstance(each, str | int | float) for each in values):
            raise _wrong(name, value, "a value, a list of values, or an object of such by column")
        return values

    found = _decoded(value)
    return {k: scalars(v) for k, v in found.items()} if isinstance(found, dict) else scalars(found)


def _dtype(name: str, value: Any) -> str | dict[str, str] | bool:
    """One type for all columns, or an object of types by column; for JSON also true (the default) and false."""
    found = _decoded(value)
    if isinstance(found, bool | str):
        return found
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise _wrong(name, value, 'the name of a type, or an object such as {"column": "str"}')
    return found


def _encoding(name: str, value: Any) -> str:
    try:
        codec = codecs.lookup(_text(name, value))
        "".encode(value)
    except (LookupError, ValueError) as e:
        raise _wrong(name, value, "the name of a text encoding, such as utf-8 or latin-1") from e
    if codec.name in _SLOW_CODECS:
        raise _wrong(name, value, "the name of a text encoding, such as utf-8 or latin-1")
    return codec.name


def _sheet(name: str, value: Any) -> str | int:
    number = re.fullmatch(r"\d{1,4}", str(value), re.ASCII)
    return int(value) if number and not isinstance(value, bool) else _text(name, value)


_Check = Callable[[str, Any], Any]
_CSV: dict[str, _Check] = {
    "sep": _separator, "delimiter": _separator, "delim_whitespace": _flag, "lineterminator": _line_end,
    "header": _header, "names": _names, "usecols": _columns, "dtype": _dtype, "encoding": _encoding,
    "encoding_errors": _one_of("strict", "replace", "ignore"), "na_values": _missing, "keep_default_na": _flag,
    "na_filter": _flag, "true_values": _names, "false_values": _names, "skipinitialspace": _flag, "skiprows": _count,
    "nrows": _count, "skip_blank_lines": _flag, "parse_dates": _columns, "dayfirst": _flag, "thousands": _character,
    "decimal": _character, "quotechar": _character, "quoting": _quoting, "doublequote": _flag,
    "escapechar": _character, "comment": _character, "on_bad_lines": _one_of("error", "skip"),
    "float_precision": _one_of("high", "legacy", "round_trip"),
}  # fmt: skip
_EXCEL: dict[str, _Check] = {
    "sheet_name": _sheet, "header": _header, "names": _names, "usecols": _columns, "dtype": _dtype,
    "na_values": _missing, "keep_default_na": _flag, "skiprows": _count, "nrows": _count,
}  # fmt: skip
OPTIONS: Mapping[str, Mapping[str, _Check]] = {
    "csv": _CSV,
    "json": {"orient": _one_of(*ORIENTS), "lines": _flag, "dtype": _dtype, "encoding": _encoding},
    "parquet": {"columns": _names},
    "orc": {"columns": _names},
    "arrow": {},
    "xls": _EXCEL,
    "xlsx": _EXCEL,
}
