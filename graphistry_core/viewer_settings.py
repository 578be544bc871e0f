"""What settings(), layout_settings(), scene_settings(), style() and addStyle() keep.

Its name is no method's: a module ``settings`` would take the place of ``graphistry_core.settings()``. May import
encodings, findings and render.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from .encodings import ComplexEncodings, axis_rows, camel
from .errors import BadRequest
from .findings import Findings
from .render import MODES

# Every parameter of the viewer's URL that PyGraphistry 0.61 lets through.
URL_PARAMS = frozenset(
    [
        "bg",
        "favicon",
        "logoAutoInvert",
        "logoMaxHeight",
        "logoMaxWidth",
        "logoPosition",
        "logoUrl",
        "pageTitle",
        "info",
        "menu",
        "showActions",
        "showArrows",
        "showHistograms",
        "showInspector",
        "splashAfter",
        "labelBackground",
        "labelColor",
        "labelOpacity",
        "shortenLabels",
        "showLabels",
        "showLabelOnHover",
        "showLabelPropertiesOnHover",
        "neighborhoodHighlight",
        "neighborhoodHighlightHops",
        "pointsOfInterestMax",
        "showPointsOfInterest",
        "showPointsOfInterestLabel",
        "edgeCurvature",
        "edgeOpacity",
        "pointOpacity",
        "pointSize",
        "pointStrokeWidth",
        "bottom",
        "left",
        "right",
        "top",
        "lockedR",
        "lockedX",
        "lockedY",
        "play",
        "dissuadeHubs",
        "edgeInfluence",
        "gravity",
        "linLog",
        "precisionVsSpeed",
        "scalingRatio",
        "strongGravity",
        "collections",
        "collectionsGlobalEdgeColor",
        "collectionsGlobalNodeColor",
        "showCollections",
    ]
)
STYLE_GROUPS = ("fg", "bg", "page", "logo")


def url_params(given: Any, findings: Findings) -> dict[str, Any]:
    """Return the URL parameters that the viewer knows and a URL can hold; the others are findings.

    Names as in URL_PARAMS; values are text, numbers, booleans, None, and lists and dicts of these.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        findings.add(f"url_params takes a dict, not {type(given).__name__}.")
        return {}
    kept = {}
    for name, value in given.items():
        if name not in URL_PARAMS:
            findings.add(f"url_params has no {name!r}; it takes {', '.join(sorted(URL_PARAMS))}.")
        elif not _is_plain(value):
            findings.add(f"url_params[{name!r}] is {type(value).__name__}; give text, a number or a boolean.")
        else:
            kept[name] = copy.deepcopy(value)
    return kept


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, (str, int, float))


def named_params(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of layout_settings() or scene_settings() that were given, by the names of the URL."""
    return {camel(name): value for name, value in keywords.items() if value is not None}


def render_mode(render: Any) -> str:
    """Return one of render.MODES from settings(render=…): True is 'auto', False is 'url'; raise BadRequest.

    'auto' stays 'auto' until plot() is called: PyGraphistry decides when settings() is.
    """
    mode = {True: "auto", False: "url"}.get(render, render) if isinstance(render, bool) else render
    if not isinstance(mode, str) or mode not in MODES:
        raise BadRequest(f"render={render!r} is unknown; use one of {', '.join(MODES)}, True, False or None.")
    return mode


def params_of(
    record: Mapping[str, Any], default: Mapping[str, Any], complex_encodings: ComplexEncodings
) -> dict[str, Any]:
    """Return a graph's ``_url_params`` from a dataset's record: its ``url_params``, else ``default``.

    Axes are seen as they were laid out unless the parameters say otherwise: nothing moves, and radial axes hold the
    radius, linear ones x and y. As PyGraphistry.
    """
    held = record.get("url_params")
    params = url_params(held, Findings(strict=False, warn=False)) if isinstance(held, dict) else dict(default)
    for row in axis_rows(complex_encodings):
        if ("r" in row) != ("y" in row):
            locked = {"lockedR": True} if "r" in row else {"lockedX": True, "lockedY": True}
            return {"play": 0, **locked, "splashAfter": False, **params}
    return params


def with_style(style: Mapping[str, Any] | None, groups: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy with the given groups in place of the old ones; None keeps the old one."""
    return copy.deepcopy({**(style or {}), **{name: value for name, value in groups.items() if value is not None}})


def with_added_style(style: Mapping[str, Any] | None, groups: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy with the given groups merged into the old ones, one level deep; None keeps the old one."""
    old = style or {}
    merged = {
        name: {**old[name], **value} if isinstance(old.get(name), dict) and isinstance(value, dict) else value
        for name, value in groups.items()
    }
    return with_style(old, merged)


def style_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a graph's ``_style`` from a dataset's record: its ``style``, else the groups among its ``metadata``."""
    found = record["style"] if isinstance(record.get("style"), dict) else record.get("metadata")
    return with_style({}, {name: found.get(name) for name in STYLE_GROUPS} if isinstance(found, dict) else {})
