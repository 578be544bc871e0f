"""How a graph is shown: encodings, settings, styles, collections. Methods only; the work is in other modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from . import encodings, kepler, viewer_collections, viewer_settings
from .encodings import Encoding
from .errors import BadRequest
from .findings import Findings
from .frames import Validate
from .react_encodings import calls

if TYPE_CHECKING:
    from .plottable import Plottable

Look = dict[str, Any]


class ShowMethods:
    """The methods of a graph (and of a client, for an empty one) that say how it is shown.

    Each returns a copy. An ``encode_…`` given a column and no more binds it, as ``bind`` does; with a mapping, palette
    or bins it sets a complex encoding, which the server applies: as the default (``for_default``), as what is on
    (``for_current``), or both. Both kinds forget ``_dataset_id``. All as PyGraphistry 0.61.
    """

    def _graph(self) -> Plottable:
        raise NotImplementedError

    # --- encodings ---

    def encode_point_color(
        self,
        column: str,
        palette: list[str] | None = None,
        as_categorical: bool | None = None,
        as_continuous: bool | None = None,
        categorical_mapping: dict[Any, Any] | None = None,
        default_mapping: str | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Color points by a column.

        The column holds colors, or ``categorical_mapping`` gives a color for each value (``default_mapping`` for those
        it does not name), or ``palette`` is spread over the values: in turn (``as_categorical``) or as a gradient
        (``as_continuous``). Raises BadRequest for a palette without either, or a mapping of another shape.
        """
        return _encode(self._graph(), "point", "color", locals())

    def encode_edge_color(
        self,
        column: str,
        palette: list[str] | None = None,
        as_categorical: bool | None = None,
        as_continuous: bool | None = None,
        categorical_mapping: dict[Any, Any] | None = None,
        default_mapping: str | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Color edges by a column; see :meth:`encode_point_color`."""
        return _encode(self._graph(), "edge", "color", locals())

    def encode_point_size(
        self,
        column: str,
        categorical_mapping: dict[Any, float] | None = None,
        default_mapping: float | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Size points by a column of numbers, or by a number for each of its values.

        ``default_mapping`` is for values that ``categorical_mapping`` does not name. Raises BadRequest for a mapping
        that is no dict.
        """
        return _encode(self._graph(), "point", "size", locals())

    def encode_edge_size(
        self,
        column: str,
        categorical_mapping: dict[Any, float] | None = None,
        default_mapping: float | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Size edges by a column; see :meth:`encode_point_size`."""
        return _encode(self._graph(), "edge", "size", locals())

    def encode_edge_weight(
        self,
        column: str,
        categorical_mapping: dict[Any, float] | None = None,
        default_mapping: float | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Weigh edges by a column; see :meth:`encode_point_size`."""
        return _encode(self._graph(), "edge", "weight", locals())

    def encode_point_opacity(
        self,
        column: str,
        categorical_mapping: dict[Any, float] | None = None,
        default_mapping: float | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Fade points by a column; see :meth:`encode_point_size`."""
        return _encode(self._graph(), "point", "opacity", locals())

    def encode_edge_opacity(
        self,
        column: str,
        categorical_mapping: dict[Any, float] | None = None,
        default_mapping: float | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Fade edges by a column; see :meth:`encode_point_size`."""
        return _encode(self._graph(), "edge", "opacity", locals())

    def encode_point_label(
        self,
        column: str,
        categorical_mapping: dict[Any, str] | None = None,
        default_mapping: str | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Bind the column that labels points; raise BadRequest for a mapping, which labels cannot have."""
        return _bind_text(self._graph(), "point_label", column, categorical_mapping, default_mapping)

    def encode_edge_label(
        self,
        column: str,
        categorical_mapping: dict[Any, str] | None = None,
        default_mapping: str | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Bind the column that labels edges; raise BadRequest for a mapping, which labels cannot have."""
        return _bind_text(self._graph(), "edge_label", column, categorical_mapping, default_mapping)

    def encode_point_title(
        self,
        column: str,
        categorical_mapping: dict[Any, str] | None = None,
        default_mapping: str | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Bind the column that titles points; raise BadRequest for a mapping, which titles cannot have."""
        return _bind_text(self._graph(), "point_title", column, categorical_mapping, default_mapping)

    def encode_edge_title(
        self,
        column: str,
        categorical_mapping: dict[Any, str] | None = None,
        default_mapping: str | None = None,
        for_default: bool = True,
        for_current: bool = False,
    ) -> Plottable:
        """Bind the column that titles edges; raise BadRequest for a mapping, which titles cannot have."""
        return _bind_text(self._graph(), "edge_title", column, categorical_mapping, default_mapping)

    def encode_point_icon(
        self,
        column: str,
        categorical_mapping: dict[Any, str] | None = None,
        continuous_binning: list[Any] | None = None,
        default_mapping: str | None = None,
        comparator: str | None = None,
        for_default: bool = True,
        for_current: bool = False,
        as_text: bool = False,
        blend_mode: str | None = None,
        style: Look | None = None,
        border: Look | None = None,
        shape: str | None = None,
    ) -> Plottable:
        """Give points an icon by a column: a Font Awesome 4 name, an image's URL or data URI, or text (``as_text``).

        The column holds icons, or ``categorical_mapping`` gives one for each value, or ``continuous_binning`` is a list
        of [upper bound, icon] pairs, the last bound None, compared by ``comparator`` ('<' or '<='). ``default_mapping``
        is for values that neither names. ``blend_mode`` (CSS), ``style`` (opacity, grayscale, …), ``border`` (width,
        color, stroke) and ``shape`` ('circle' or 'none') need a mapping or bins. Raises BadRequest for another shape.
        """
        return _encode(self._graph(), "point", "icon", locals())

    def encode_edge_icon(
        self,
        column: str,
        categorical_mapping: dict[Any, str] | None = None,
        continuous_binning: list[Any] | None = None,
        default_mapping: str | None = None,
        comparator: str | None = None,
        for_default: bool = True,
        for_current: bool = False,
        as_text: bool = False,
        blend_mode: str | None = None,
        style: Look | None = None,
        border: Look | None = None,
        shape: str | None = None,
    ) -> Plottable:
        """Give edges an icon by a column; see :meth:`encode_point_icon`."""
        return _encode(self._graph(), "edge", "icon", locals())

    def encode_point_badge(
        self,
        column: str,
        position: str = "TopRight",
        categorical_mapping: dict[Any, Any] | None = None,
        continuous_binning: list[Any] | None = None,
        default_mapping: Any = None,
        comparator: str | None = None,
        color: str | Look | None = None,
        bg: Look | None = None,
        fg: Look | None = None,
        for_current: bool = False,
        for_default: bool = True,
        as_text: bool | None = None,
        blend_mode: str | None = None,
        style: Look | None = None,
        border: Look | None = None,
        shape: str | None = None,
    ) -> Plottable:
        """Put a badge at points by a column: always a complex encoding, one for each ``position``.

        ``position`` is Top, TopRight, Right, BottomRight, Bottom, BottomLeft, Left, TopLeft or Cover; ``color``, ``bg``
        and ``fg`` colour the badge; the rest as in :meth:`encode_point_icon`.
        """
        return _encode(self._graph(), "point", f"badge{position}", locals())

    def encode_edge_badge(
        self,
        column: str,
        position: str = "TopRight",
        categorical_mapping: dict[Any, Any] | None = None,
        continuous_binning: list[Any] | None = None,
        default_mapping: Any = None,
        comparator: str | None = None,
        color: str | Look | None = None,
        bg: Look | None = None,
        fg: Look | None = None,
        for_current: bool = False,
        for_default: bool = True,
        as_text: bool | None = None,
        blend_mode: str | None = None,
        style: Look | None = None,
        border: Look | None = None,
        shape: str | None = None,
    ) -> Plottable:
        """Put a badge at edges by a column; see :meth:`encode_point_badge`."""
        return _encode(self._graph(), "edge", f"badge{position}", locals())

    def encode_axis(self, rows: Sequence[Mapping[str, Any]] = ()) -> Plottable:
        """Draw radial or linear axes.

        A row has ``r`` (radial), ``x`` or ``y`` (linear), and may have ``label``, ``internal``, ``external``,
        ``space``, ``width`` and ``bounds`` ({"min": …, "max": …}). Raises BadRequest when a row is no dict.
        """
        g = self._graph()
        return _with_complex(g, encodings.with_encoding(g._complex_encodings, encodings.axis(rows)))

    def apply_encodings(
        self, react_encodings: dict[str, Any] | None, validate: Validate = "strict", warn: bool = True
    ) -> Plottable:
        """Apply encodings as Graphistry's React component takes them, one by one.

        Keys: ``encodePointColor`` and ``encodeEdgeColor`` with [column, 'categorical' or 'continuous', mapping or
        palette], ``encodePointSize``, ``encodeEdgeSize``, ``encodeEdgeWeight``, ``encodePointOpacity`` and
        ``encodeEdgeOpacity`` with [column, mapping, default], ``encodePointIcons`` and ``encodeEdgeIcons`` with
        [column, mapping or bins, default], ``encode{Point,Edge}{Label,Title}`` with [column], ``encodeAxis`` with
        rows; all but the column may be left out. Raises BadRequest for anything else; 'autofix' leaves it out with a
        warning.
        """
        g = self._graph()
        for method, arguments in calls(react_encodings, Findings.under(validate, warn)):
            g = getattr(g, method)(**arguments)
        return g

    # --- Kepler.gl maps ---

    def encode_kepler(self, kepler_encoding: Any) -> Plottable:
        """Show the graph on this Kepler.gl map and no other.

        A KeplerEncoding, or a dict with ``datasets``, ``layers``, ``options`` and ``config``; raises BadRequest for
        anything else.
        """
        g = self._graph()
        return _with_complex(g, kepler.replaced(g._complex_encodings, kepler.whole(kepler_encoding)))

    def encode_kepler_dataset(
        self,
        raw_dict: dict[str, Any] | None = None,
        id: str | None = None,
        type: str | None = None,
        label: str | None = None,
        **columns: Unpack[kepler.DatasetColumns],
    ) -> Plottable:
        """Add a dataset to the graph's Kepler.gl map: ``raw_dict`` as it is, else one from the keywords.

        ``type``: nodes, edges, countries (zeroOrderAdminRegions) or states (provinces, firstOrderAdminRegions); ``id``
        is made up when there is none, ``label`` is the id. Raises BadRequest when ``raw_dict`` is no dict.
        """
        return _add_kepler(self._graph(), "datasets", [kepler.dataset(raw_dict, id, type, label, **columns)])

    def encode_kepler_layer(self, raw_dict: dict[str, Any]) -> Plottable:
        """Add a layer ({"id", "type", "config"}) to the graph's Kepler.gl map; raise BadRequest when it is no dict."""
        return _add_kepler(self._graph(), "layers", [kepler.layer(raw_dict)])

    def encode_kepler_options(
        self, raw_dict: dict[str, Any] | None = None, **names: Unpack[kepler.OptionNames]
    ) -> Plottable:
        """Set the options of the graph's Kepler.gl map, in place of those it had: a dict, or keywords."""
        return _add_kepler(self._graph(), "options", kepler.options(raw_dict, **names))

    def encode_kepler_config(
        self, raw_dict: dict[str, Any] | None = None, **names: Unpack[kepler.ConfigNames]
    ) -> Plottable:
        """Set the configuration of the graph's Kepler.gl map, in place of what it had: a dict, or keywords."""
        return _add_kepler(self._graph(), "config", kepler.config(raw_dict, **names))

    # --- the viewer's settings ---

    def settings(
        self,
        height: int | None = None,
        url_params: dict[str, Any] | None = None,
        render: str | bool | None = None,
        validate: Validate = "autofix",
        warn: bool = True,
    ) -> Plottable:
        """Set the height of the iframe in pixels, parameters of the viewer's URL, and how plot() shows it.

        Parameters are added to those set before. Under 'autofix' unknown names and values that no URL can hold are left
        out with a warning; 'strict' raises BadRequest. ``render`` as in ``plot``. Keeps ``_dataset_id``.
        """
        g, findings = self._graph(), Findings.under(validate, warn)
        return g._with(
            height=height or g._height,
            url_params={**g._url_params, **viewer_settings.url_params(url_params, findings)},
            render=g._render if render is None else viewer_settings.render_mode(render),
        )

    def layout_settings(
        self,
        play: int | None = None,
        locked_x: bool | None = None,
        locked_y: bool | None = None,
        locked_r: bool | None = None,
        left: float | None = None,
        top: float | None = None,
        right: float | None = None,
        bottom: float | None = None,
        lin_log: bool | None = None,
        strong_gravity: bool | None = None,
        dissuade_hubs: bool | None = None,
        edge_influence: float | None = None,
        precision_vs_speed: float | None = None,
        gravity: float | None = None,
        scaling_ratio: float | None = None,
    ) -> Plottable:
        """Set how the viewer lays the graph out (``play`` in milliseconds); None keeps what was set before."""
        return _with_named(self._graph(), locals())

    def scene_settings(
        self,
        menu: bool | None = None,
        info: bool | None = None,
        show_arrows: bool | None = None,
        point_size: float | None = None,
        edge_curvature: float | None = None,
        edge_opacity: float | None = None,
        point_opacity: float | None = None,
    ) -> Plottable:
        """Set what the viewer shows around and of the graph; None keeps what was set before."""
        return _with_named(self._graph(), locals())

    def collections(
        self,
        collections: str | dict[str, Any] | list[dict[str, Any]] | None = None,
        show_collections: bool | None = None,
        collections_global_node_color: str | None = None,
        collections_global_edge_color: str | None = None,
        validate: Validate = "autofix",
        warn: bool = True,
    ) -> Plottable:
        """Set the collections of the viewer: named, coloured sets of nodes and edges.

        Each is a dict: see :func:`collection_set` and :func:`collection_intersection`; JSON text is taken, too. The two
        colors are for what is in no collection. None keeps what was set before. Under 'autofix' what cannot be used is
        left out with a warning; 'strict' raises BadRequest. Keeps ``_dataset_id``.
        """
        g, findings = self._graph(), Findings.under(validate, warn)
        given = viewer_settings.named_params({k: v for k, v in locals().items() if k in _COLLECTION_KEYWORDS})
        made = viewer_collections.url_params(given, findings)
        if collections is not None:
            found = viewer_collections.normalized(collections, findings)
            made = {"collections": viewer_collections.encoded(found), **made}
        return g._with(url_params={**g._url_params, **made}) if made else g

    # --- style ---

    def style(
        self, fg: Look | None = None, bg: Look | None = None, page: Look | None = None, logo: Look | None = None
    ) -> Plottable:
        """Set foreground, background, page and logo, each in place of what was set before; None keeps it.

        ``fg`` {"blendMode"}, ``bg`` {"color", "gradient", "image"}, ``page`` {"favicon", "title"}, ``logo`` {"url",
        "position", "dimensions", …}. Forgets ``_dataset_id``.
        """
        groups = {"fg": fg, "bg": bg, "page": page, "logo": logo}
        g = self._graph()
        return g._with(style=viewer_settings.with_style(g._style, groups), dataset_id=None)

    def addStyle(  # noqa: N802 - PyGraphistry's name
        self, fg: Look | None = None, bg: Look | None = None, page: Look | None = None, logo: Look | None = None
    ) -> Plottable:
        """Add to foreground, background, page and logo, one level deep; see :meth:`style`."""
        groups = {"fg": fg, "bg": bg, "page": page, "logo": logo}
        g = self._graph()
        return g._with(style=viewer_settings.with_added_style(g._style, groups), dataset_id=None)


_COLLECTION_KEYWORDS = ("show_collections", "collections_global_node_color", "collections_global_edge_color")
_NO_PART = ("self", "position", "for_default", "for_current")


def _encode(g: Plottable, graph: str, feature: str, given: Mapping[str, Any]) -> Plottable:
    asked = Encoding(graph, feature, **{name: value for name, value in given.items() if name not in _NO_PART})
    if asked.is_binding:
        return g.bind(**{f"{graph}_{feature}": asked.column})
    modes = {"for_default": given["for_default"], "for_current": given["for_current"]}
    return _with_complex(g, encodings.with_encoding(g._complex_encodings, asked.payload(), **modes))


def _bind_text(g: Plottable, binding: str, column: str, mapping: Any, default: Any) -> Plottable:
    if mapping is not None or default is not None:
        raise BadRequest(f"{binding} takes a column and no mapping; put the mapped text in a column and bind that.")
    return g.bind(**{binding: column})


def _with_complex(g: Plottable, complex_encodings: encodings.ComplexEncodings) -> Plottable:
    return g._with(complex_encodings=complex_encodings, dataset_id=None)


def _add_kepler(g: Plottable, part: str, value: Any) -> Plottable:
    return _with_complex(g, kepler.with_kepler(g._complex_encodings, {part: value}))


def _with_named(g: Plottable, keywords: Mapping[str, Any]) -> Plottable:
    given = {name: value for name, value in keywords.items() if name != "self"}
    return g.settings(url_params=viewer_settings.named_params(given))
