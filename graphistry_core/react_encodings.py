"""apply_encodings(): the React component's encodings as calls of encode_* methods. May import errors and findings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .encodings import axis
from .errors import BadRequest
from .findings import Findings

Call = tuple[str, dict[str, Any]]


def calls(react_encodings: Any, findings: Findings) -> list[Call]:
    """Return (method, arguments) for each entry, in order; an entry of another shape is a finding and is left out.

    Keys are ``encodePointColor``, ``encodeEdgeIcons``, ``encodeAxis``, …; values are lists whose first element is the
    column, as PyGraphistry 0.61 documents for ``apply_encodings``.
    """
    if react_encodings is None:
        return []
    if not isinstance(react_encodings, dict):
        findings.add(f"apply_encodings takes a dict, not {type(react_encodings).__name__}.")
        return []
    found = []
    for key, payload in react_encodings.items():
        try:
            found.append(_call(key, payload))
        except BadRequest as e:
            findings.add(e)
    return found


def _call(key: Any, payload: Any) -> Call:
    read = _READERS.get(key)
    if read is None:
        raise BadRequest(f"apply_encodings has no {key!r}; it takes {', '.join(_READERS)}.")
    if not isinstance(payload, list):
        raise BadRequest(f"{key} takes a list, not {type(payload).__name__}.")
    method = re.sub("(?=[A-Z])", "_", key.removesuffix("s")).lower() if read is not _axis else "encode_axis"
    return method, read(key, payload)


def _parts(key: str, payload: list[Any], names: str) -> list[Any]:
    """Return [column, second, third] with None for what is not there; raise BadRequest for another shape."""
    most = names.count(",") + 1
    if not 1 <= len(payload) <= most:
        raise BadRequest(f"{key} takes a list [{names}] of 1 to {most} elements, not of {len(payload)}.")
    if not isinstance(payload[0], str) or not payload[0].strip():
        raise BadRequest(f"{key} begins with the name of a column, not {payload[0]!r}.")
    return [*payload, None, None][:3]


def _color(key: str, payload: list[Any]) -> dict[str, Any]:
    column, second, third = _parts(key, payload, "column, variation, mapping or palette")
    named = second in ("categorical", "continuous") if isinstance(second, str) else False
    variation, look = (second, third) if named else (None, second)
    if look is None:
        return {"column": column}
    if isinstance(look, dict) and variation != "continuous":
        return {"column": column, "categorical_mapping": look}
    if isinstance(look, list):
        return {"column": column, "palette": look, f"as_{variation or 'categorical'}": True}
    raise BadRequest(f"{key} takes a dict of values to colors (not for 'continuous') or a list of colors: {look!r}.")


def _number(key: str, payload: list[Any]) -> dict[str, Any]:
    column, mapping, default = _parts(key, payload, "column, mapping, default")
    if mapping is not None and not isinstance(mapping, dict):
        raise BadRequest(f"{key} takes a dict of values to numbers, not {type(mapping).__name__}.")
    return {"column": column, "categorical_mapping": mapping, "default_mapping": default}


def _icon(key: str, payload: list[Any]) -> dict[str, Any]:
    column, look, default = _parts(key, payload, "column, mapping or bins, default")
    if look is not None and not isinstance(look, (dict, list)):
        raise BadRequest(f"{key} takes a dict of values to icons or a list of bins, not {type(look).__name__}.")
    name = "continuous_binning" if isinstance(look, list) else "categorical_mapping"
    return {"column": column, name: look, "default_mapping": default}


def _text(key: str, payload: list[Any]) -> dict[str, Any]:
    return {"column": _parts(key, payload, "column")[0]}


def _axis(_: str, payload: list[Any]) -> dict[str, Any]:
    return {"rows": axis(payload)["rows"]}


_READERS: dict[str, Callable[[str, list[Any]], dict[str, Any]]] = {
    **dict.fromkeys(("encodePointColor", "encodeEdgeColor"), _color),
    **dict.fromkeys(
        ("encodePointSize", "encodeEdgeSize", "encodeEdgeWeight", "encodePointOpacity", "encodeEdgeOpacity"), _number
    ),
    **dict.fromkeys(("encodePointLabel", "encodeEdgeLabel", "encodePointTitle", "encodeEdgeTitle"), _text),
    **dict.fromkeys(("encodePointIcons", "encodePointIcon", "encodeEdgeIcons", "encodeEdgeIcon"), _icon),
    "encodeAxis": _axis,
}
