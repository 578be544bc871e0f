"""How a graph is shown, compared call by call with PyGraphistry's own Plottable."""

from __future__ import annotations

import copy
import inspect
import json
import warnings
from urllib.parse import parse_qsl, unquote

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphistry_core import BadRequest, GraphistryClient, Hub, LocalTransport, Plottable, arrow_uploader, render
from graphistry_core.encodings import BINDINGS
from graphistry_core.kepler import KeplerConfig, KeplerDataset, KeplerEncoding, KeplerLayer, KeplerOptions
from graphistry_core.plottable_show import ShowMethods
from graphistry_core.viewer_collections import collection_intersection, collection_set
from graphistry_core.viewer_settings import URL_PARAMS

EDGES = pd.DataFrame({"s": ["a", "b"], "d": ["b", "a"], "kind": ["x", "y"], "w": [1, 2]})
NODES = pd.DataFrame({"id": ["a", "b"], "kind": ["x", "y"], "n": [1.5, 2]})
IDS = {"dataset_id": "D", "url": "U", "nodes_file_id": "N", "edges_file_id": "E"}
METHODS = sorted(name for name, member in vars(ShowMethods).items() if callable(member) and not name.startswith("_"))
NODE = {"type": "Node", "filter_dict": {"kind": "x"}}
EDGE = {"type": "Edge", "direction": "forward", "hops": 1}


@pytest.fixture(scope="module")
def theirs():
    graphistry = pytest.importorskip("graphistry")
    return graphistry.client().bind(source="s", destination="d").bind(**IDS)


def ours():
    return Plottable().bind(source="s", destination="d").bind(**IDS)


def state(g):
    """What a call can change; the order of URL parameters counts, that of encodings does not."""
    bound = {name: getattr(g, f"_{name}") for name in (*IDS, *BINDINGS, "name", "description")}
    shown = {"complex": g._complex_encodings, "style": g._style or {}, "height": g._height}
    return copy.deepcopy({**bound, **shown, "params": list(g._url_params.items())})


def outcome(g, calls):
    """Return (the state, or that it was a ValueError or TypeError; whether anything was warned of)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            for method, args, kwargs in calls:
                g = getattr(g, method)(*copy.deepcopy(args), **copy.deepcopy(kwargs))
            result = state(g)
        except (ValueError, TypeError, AssertionError) as e:
            return ("error", type(e)), False
    return result, any(issubclass(w.category, RuntimeWarning) for w in caught)


def call(method, *args, **kwargs):
    return (method, args, kwargs)


def agree(theirs, *calls):
    expected, warned = outcome(theirs, calls)
    got, got_warned = outcome(ours(), calls)
    if isinstance(expected, tuple):
        assert got == ("error", BadRequest)
    else:
        assert (got, got_warned) == (expected, warned)


def shown_as(value):
    return value if isinstance(value, str) else f"{value[0]} {value[1:]}".replace(" ", "")[:70]


# --- encodings ---

COLOR = [
    ((), {}),
    ((), {"default_mapping": "gray"}),
    ((), {"for_current": True}),
    ((), {"palette": ["red", "#00F"]}),
    ((), {"palette": ["red", "#00F"], "as_categorical": True}),
    ((), {"palette": ["red"], "as_continuous": True, "default_mapping": "gray"}),
    ((), {"palette": ["red"], "as_continuous": False}),
    ((), {"palette": ["red"], "as_categorical": False}),
    ((), {"palette": ["red"], "as_categorical": True, "as_continuous": True}),
    ((["red"], False, True), {"for_current": True, "for_default": False}),
    ((), {"palette": [], "as_categorical": True}),
    ((), {"palette": ("red",), "as_categorical": True}),
    ((), {"palette": "red", "as_categorical": True}),
    ((), {"palette": ["red", 3], "as_categorical": True}),
    ((), {"categorical_mapping": {"x": "red", 1: "blue", None: "gray"}}),
    ((), {"categorical_mapping": {"x": "red"}, "default_mapping": "gray", "for_current": True}),
    ((), {"categorical_mapping": {"x": "red"}, "for_current": True, "for_default": False}),
    ((), {"categorical_mapping": {"x": "red"}, "for_default": False}),
    ((), {"categorical_mapping": {}, "palette": 3}),
    ((), {"categorical_mapping": [("x", "red")]}),
    ((), {"categorical_mapping": "x"}),
]
NUMBER = [
    ((), {}),
    ((), {"default_mapping": 3}),
    (({"x": 1, "y": 2.5}, 9), {}),
    ((), {"categorical_mapping": {"x": 1}, "default_mapping": 0}),
    ((), {"categorical_mapping": {}, "for_current": True, "for_default": False}),
    ((), {"categorical_mapping": ["x"]}),
]
LOOKS = {"blend_mode": "screen", "style": {"opacity": 0.5}, "border": {"width": 2, "color": "red"}, "shape": "circle"}
ICON = [
    ((), {}),
    ((), {"as_text": True, **LOOKS}),
    ((), {"categorical_mapping": {"x": "car"}}),
    ((), {"categorical_mapping": {"x": "car"}, "as_text": True, "default_mapping": "", **LOOKS}),
    ((), {"categorical_mapping": {"x": "car"}, "as_text": None}),
    ((), {"continuous_binning": [[1, "a"], [None, "b"]]}),
    ((), {"continuous_binning": [[1, "a"]], "comparator": "<=", "default_mapping": "c", "for_current": True}),
    ((), {"continuous_binning": [[1, "a"]], "categorical_mapping": {"x": "y"}}),
    ((), {"continuous_binning": [], "for_default": False}),
    ((), {"continuous_binning": ((1, "a"),)}),
    ((), {"categorical_mapping": 3}),
    (({"x": "car"}, None, "question", None, False, True), {}),
]
BADGE = [
    ((), {}),
    (("Cover",), {"color": "red"}),
    (("BottomLeft", {"x": "A"}), {"default_mapping": "B", "for_current": True, "for_default": False}),
    ((), {"bg": {"color": "red"}, "fg": {"style": {"opacity": 0.1}}, "color": "#FFF", "as_text": True, **LOOKS}),
    ((), {"continuous_binning": [[1, "a"], [None, "b"]], "comparator": "<", "default_mapping": "z"}),
    ((), {"continuous_binning": [[1, "a"]], "categorical_mapping": {"x": "A"}}),
    ((), {"position": "Nowhere", "as_text": False}),
    ((), {"for_default": False}),
    ((), {"categorical_mapping": "x"}),
    ((), {"continuous_binning": {"x": 1}}),
]
TEXT = [((), {}), ((), {"categorical_mapping": {}}), ((), {"default_mapping": ""}), ((), {"for_current": True})]
ENCODINGS = [
    call(method, "kind", *args, **kwargs)
    for methods, cases in {
        ("encode_point_color", "encode_edge_color"): COLOR,
        ("encode_point_size", "encode_edge_size", "encode_edge_weight"): NUMBER,
        ("encode_point_opacity", "encode_edge_opacity"): NUMBER,
        ("encode_point_icon", "encode_edge_icon"): ICON,
        ("encode_point_badge", "encode_edge_badge"): BADGE,
        ("encode_point_label", "encode_edge_label", "encode_point_title", "encode_edge_title"): TEXT,
    }.items()
    for method in methods
    for args, kwargs in cases
]
AXES = [
    call("encode_axis"),
    call("encode_axis", []),
    call("encode_axis", [{"r": 14, "external": True, "label": "outermost"}, {"r": 2, "space": True}]),
    call("encode_axis", rows=[{"y": 2, "bounds": {"min": 40, "max": 400}, "width": 20}]),
]
REACT = [
    {},
    None,
    {"encodePointColor": ["kind"]},
    {"encodePointColor": ["kind", "categorical"]},
    {
        "encodePointColor": ["kind", "categorical", {"x": "red"}],
        "encodeEdgeColor": ["w", "continuous", ["red", "blue"]],
    },
    {"encodePointColor": ["kind", {"x": "red"}]},
    {"encodePointColor": ["kind", ["red", "blue"]]},
    {"encodePointColor": ["kind", None, ["red"]]},
    {"encodePointColor": ["kind", "continuous", {"x": "red"}]},
    {"encodePointColor": ["kind", "wat"]},
    {"encodePointColor": ["kind", "categorical", 3]},
    {"encodePointColor": []},
    {"encodePointColor": "kind"},
    {"encodePointColor": [" "]},
    {"encodePointColor": [3]},
    {"encodePointColor": ["kind", "categorical", {}, 4]},
    {"encodePointSize": ["n"], "encodeEdgeSize": ["w", {"x": 1}], "encodeEdgeWeight": ["w", {"x": 1}, 5]},
    {"encodePointOpacity": ["n", None, 3], "encodeEdgeOpacity": ["w", {"x": 0.5}, None]},
    {"encodePointSize": ["n", [1]]},
    {"encodePointSize": ["n", {}, 1, 2]},
    {"encodePointLabel": ["kind"], "encodeEdgeLabel": ["w"], "encodePointTitle": ["n"], "encodeEdgeTitle": ["kind"]},
    {"encodePointLabel": ["kind", {}]},
    {"encodePointIcons": ["kind", {"x": "car"}, "question"], "encodeEdgeIcons": ["w", [[1, "a"], [None, "b"]]]},
    {"encodePointIcon": ["kind"], "encodeEdgeIcon": ["w", None, "x"]},
    {"encodePointIcons": ["kind", 3]},
    {"encodeAxis": [{"r": 1}]},
    {"encodeAxis": [3]},
    {"encodeAxis": {}},
    {"backgroundColor": "red"},
    {"wat": ["kind"], "encodePointSize": ["n"]},
    "encodePointColor",
    {"encodePointColor": [], "encodePointSize": ["n"]},
]
APPLIED = [
    call("apply_encodings", case, **modes)
    for case in REACT
    for modes in ({}, {"validate": "autofix"}, {"validate": False}, {"validate": "strict-fast"}, {"validate": True})
]


@pytest.mark.parametrize("made", [*ENCODINGS, *AXES, *APPLIED], ids=shown_as)
def test_encodings_are_as_in_pygraphistry(made, theirs):
    agree(theirs, made)


def test_a_later_encoding_takes_the_place_of_the_same_one_only(theirs):
    mapping = {"categorical_mapping": {"x": "red"}}
    agree(
        theirs,
        call("encode_point_color", "kind", **mapping, for_current=True),
        call("encode_edge_color", "kind", **mapping),
        call("encode_point_color", "n", palette=["red"], as_continuous=True),
        call("encode_point_badge", "kind", "Top"),
        call("encode_point_badge", "kind", "Left"),
        call("encode_axis", [{"r": 1}]),
    )


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("encode_point_color", "categorical_mapping", {"x": {"deep": 1}}),
        ("encode_point_color", "palette", ["red"]),
        ("encode_edge_icon", "continuous_binning", [[1, "a"]]),
        ("encode_point_badge", "bg", {"style": {"opacity": 1}}),
        ("encode_axis", "rows", [{"r": 1, "bounds": {"min": 1}}]),
        ("encode_kepler", "kepler_encoding", {"layers": [{"config": {}}]}),
        ("encode_kepler_dataset", "raw_dict", {"info": {"id": "d"}}),
        ("encode_kepler_dataset", "include", ["x"]),
        ("encode_kepler_layer", "raw_dict", {"config": {"columns": {}}}),
        ("encode_kepler_config", "tile_style", {"id": {}}),
        ("style", "bg", {"image": {"url": "u"}}),
        ("addStyle", "bg", {"image": {"url": "u"}}),
        ("settings", "url_params", {"collections": [{"id": "s"}]}),
    ],
)
def test_what_the_caller_changes_later_does_not_reach_the_graph(method, name, value):
    more = {"column": "kind"} if method in ("encode_point_color", "encode_edge_icon", "encode_point_badge") else {}
    g = getattr(ours(), method)(**{name: value}, **more, **({"as_categorical": True} if name == "palette" else {}))
    before = state(g)
    spoil(value)
    assert state(g) == before


def spoil(value):
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            spoil(inner)
    value.update(spoilt=1) if isinstance(value, dict) else value.append("spoilt")


@pytest.mark.parametrize("rows", [None, "abc", [3], {"r": 1}])
def test_axis_rows_that_are_no_dicts_are_refused(rows):
    with pytest.raises(BadRequest, match="list of dicts"):
        ours().encode_axis(rows)


# --- settings ---

SETTINGS = [
    call("settings"),
    call("settings", 0),
    call("settings", 700),
    call("settings", height=None, url_params={"play": 0, "info": False}),
    call("settings", url_params={"bg": "#000", "menu": True, "info": None, "left": 1.5, "logoUrl": "http://x"}),
    call("settings", url_params={"wat": 1, "play": 5}),
    call("settings", url_params={"play": object, "menu": True}),
    call("settings", url_params={"play": {1}, "bg": ["a", {"b": [None]}], "top": {1: 2}}),
    call("settings", url_params={3: 1}),
    call("settings", url_params=[("play", 1)]),
    call("settings", url_params="play=0"),
    call("settings", url_params={}),
]
MODES = [
    {},
    {"warn": False},
    {"validate": "strict"},
    {"validate": "strict-fast"},
    {"validate": True},
    {"validate": False},
]
LAYOUT = {
    **dict.fromkeys(("play", "left", "top", "right", "bottom"), 0),
    **dict.fromkeys(("locked_x", "locked_y", "locked_r", "lin_log", "strong_gravity", "dissuade_hubs"), False),
    **dict.fromkeys(("edge_influence", "precision_vs_speed", "gravity", "scaling_ratio"), 1.5),
}
SCENE = {
    **dict.fromkeys(("menu", "info", "show_arrows"), False),
    **dict.fromkeys(("point_size", "edge_curvature", "edge_opacity", "point_opacity"), 0.5),
}
NAMED = [
    call("layout_settings"),
    call("layout_settings", **LAYOUT),
    call("layout_settings", 0, True, None, False),
    call("layout_settings", play=object),
    call("scene_settings"),
    call("scene_settings", **SCENE),
    call("scene_settings", False, False, None, 2),
]


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("made", SETTINGS, ids=shown_as)
def test_settings_are_as_in_pygraphistry(made, mode, theirs):
    method, args, kwargs = made
    agree(theirs, (method, args, {**kwargs, **mode}))


@pytest.mark.parametrize("made", NAMED, ids=shown_as)
def test_named_settings_are_as_in_pygraphistry(made, theirs):
    agree(theirs, call("settings", url_params={"play": 3, "pointSize": 1}), made)


def test_every_parameter_of_the_url_is_known(theirs):
    from graphistry.validate import URL_PARAM_NAMES

    assert set(URL_PARAM_NAMES) == URL_PARAMS


@pytest.mark.parametrize("mode", [None, True, False, "auto", *render.MODES, "wat", 3, []])
def test_the_render_mode_is_that_of_pygraphistry_when_it_is_plotted(mode, theirs):
    try:
        expected = theirs.settings(render=mode)._render
    except (AssertionError, TypeError):
        with pytest.raises(BadRequest, match="use one of"):
            ours().settings(render=mode)
    else:
        assert render.resolve(None, ours().settings(render=mode)._render) == expected


def test_an_unknown_validate_is_refused():
    for attempt in (
        lambda g: g.settings(validate="wat"),
        lambda g: g.collections(validate="wat"),
        lambda g: g.apply_encodings({}, validate="wat"),
    ):
        with pytest.raises(BadRequest, match="validate"):
            attempt(ours())


def test_warnings_point_at_the_caller():
    with pytest.warns(RuntimeWarning, match="'wat'") as caught:
        ours().settings(url_params={"wat": 1})
    assert [w.filename for w in caught] == [__file__]


# --- style ---

STYLES = [
    (),
    ((), {"bg": {"color": "black"}}),
    (({"blendMode": "screen"}, {"color": "red"}, {"title": "t"}, {"url": "u"}), {}),
    ((), {"bg": {"image": {"url": "u", "width": 3}, "gradient": {"stops": [["red", "0%"]]}}, "page": {}}),
    ((), {"logo": "text"}),
]


@pytest.mark.parametrize("method", ["style", "addStyle"])
@pytest.mark.parametrize("first", STYLES, ids=str)
@pytest.mark.parametrize("second", STYLES[:4], ids=str)
def test_styles_are_as_in_pygraphistry(method, first, second, theirs):
    calls = [(name, *(groups or ((), {}))) for name, groups in (("style", first), (method, second))]
    if (method, first) == ("addStyle", STYLES[4]):
        calls = [(name, args, {k: v for k, v in kwargs.items() if k != "logo"}) for name, args, kwargs in calls]
    agree(theirs, *calls)


def test_style_on_a_client_has_the_order_of_pygraphistrys_clients():
    graphistry = pytest.importorskip("graphistry")
    for method in ("style", "addStyle"):
        groups = ({"color": "red"}, {"blendMode": "screen"}, {"url": "u"}, {"title": "t"})
        made = getattr(GraphistryClient(), method)(*groups)
        assert made._style == getattr(graphistry.client(), method)(*groups)._style


# --- collections ---

SET = {"type": "set", "id": "s", "name": "S", "node_color": "#F00", "expr": [NODE]}
BOTH = {"type": "intersection", "id": "i", "expr": {"type": "intersection", "sets": ["s"]}}
COLLECTIONS = [
    [SET, BOTH],
    SET,
    json.dumps([SET, BOTH]),
    json.dumps(SET),
    "%5B%7B%22id%22%3A%22s%22%2C%22expr%22%3A%5B%7B%22type%22%3A%22Node%22%7D%5D%7D%5D",
    [],
    "",
    "not json",
    "3",
    3,
    (SET,),
    [3, SET],
    [{**SET, "wat": 1}],
    [{**SET, "type": "SET"}, {**BOTH, "type": "Intersection"}],
    [{**SET, "type": "wat"}],
    [{**SET, "type": 3}],
    [{**SET, "id": 3, "name": None, "description": 4, "node_color": 5, "edge_color": "#0F0"}],
    [{"expr": [NODE]}, {"id": None, "expr": [NODE]}],
    [{**SET, "expr": None}],
    [{"id": "s"}],
    [{**SET, "expr": BOTH["expr"]}],
    [{**SET, "expr": json.dumps([NODE])}],
    [{**SET, "expr": "not json"}],
    [{**SET, "expr": []}],
    [{**SET, "expr": NODE}],
    [{**SET, "expr": {"type": "Chain", "chain": [NODE, EDGE, NODE]}}],
    [{**SET, "expr": {"type": "gfql_chain", "gfql": [NODE]}}],
    [{**SET, "expr": {"type": "gfql_chain", "gfql": [NODE], "chain": [EDGE]}}],
    [{**SET, "expr": {"type": "Chain", "gfql": [NODE], "chain": [EDGE]}}],
    [{**SET, "expr": {"chain": [NODE]}}],
    [{**SET, "expr": {"gfql": {"chain": [NODE]}}}],
    [{**SET, "expr": {"type": "Chain", "chain": []}}],
    [{**SET, "expr": {"wat": [NODE]}}],
    [{**SET, "expr": [{"type": "Wat"}]}],
    [{**SET, "expr": [{"type": "Node", "filter_dict": None, "name": "x", "query": "a > 1", "extra": 3}]}],
    [{**SET, "expr": [{"type": "Node", "filter_dict": 3}]}],
    [{**SET, "expr": [{"type": "Edge"}]}],
    [{**SET, "expr": [{"type": "Edge", "direction": "up"}]}],
    [{**SET, "expr": [{"type": "Edge", "direction": "reverse"}]}],
    [{**SET, "expr": [{**EDGE, "max_hops": 3, "label_seeds": True, "name": "e"}]}],
    [{**SET, "expr": [{**EDGE, "to_fixed_point": True, "edge_match": {"w": {"type": "GT", "val": 1}}}]}],
    [{**SET, "expr": [{**EDGE, "hops": 2, "min_hops": 1, "include_zero_hop_seed": False, "edge_query": "w > 1"}]}],
    [{**SET, "expr": [{"type": "Call", "function": "get_degrees", "params": {}}]}],
    [SET, {**BOTH, "expr": {"sets": ["s"]}}],
    [SET, {**BOTH, "expr": {"intersection": ["s"]}}],
    [SET, {**BOTH, "expr": {"sets": "s"}}],
    [SET, {**BOTH, "expr": {"sets": []}}],
    [SET, {**BOTH, "expr": {}}],
    [SET, {**BOTH, "expr": 3}],
    [SET, {**BOTH, "expr": {"type": "wat", "sets": ["s"]}}],
    [{**SET, "id": "3"}, {**BOTH, "expr": {"sets": [3]}}],
    [SET, {**BOTH, "expr": {"sets": ["i"]}}],
    [SET, {**BOTH, "expr": {"sets": ["nowhere"]}}],
    [{**BOTH, "id": "a", "expr": {"sets": ["b"]}}, {**BOTH, "id": "b", "expr": {"sets": ["a"]}}, SET],
    [{**BOTH, "id": "a", "expr": {"sets": ["b", "s"]}}, {**BOTH, "id": "b", "expr": {"sets": ["s"]}}, SET],
]
OPTIONS = [
    {"show_collections": True},
    {"show_collections": "off"},
    {"show_collections": "wat"},
    {"show_collections": 1, "collections_global_node_color": "#F00", "collections_global_edge_color": "00F"},
    {"collections_global_node_color": 3},
    {},
]


@pytest.mark.parametrize("mode", [{}, {"validate": "strict"}, {"validate": False}], ids=str)
@pytest.mark.parametrize("made", COLLECTIONS, ids=lambda made: str(made)[:60])
def test_collections_are_as_in_pygraphistry(made, mode, theirs):
    agree(theirs, call("collections", made, **mode))


@pytest.mark.parametrize("mode", [{}, {"validate": "strict"}, {"warn": False}], ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_of_collections_are_as_in_pygraphistry(options, mode, theirs):
    agree(theirs, call("collections", **options, **mode), call("collections", [SET], False, **mode))


def test_an_intersection_of_one_that_was_left_out_is_left_out_too():
    lost = {"type": "intersection", "id": "a", "expr": {"sets": ["nowhere"]}}
    of_it = {"type": "intersection", "id": "b", "expr": {"sets": ["a", "s"]}}
    with pytest.warns(RuntimeWarning, match="not there") as caught:
        g = ours().collections([SET, lost, of_it])
    assert [one["id"] for one in json.loads(unquote(g._url_params["collections"]))] == ["s"]
    assert len(caught) == 2


def test_a_single_reference_keeps_its_own_chain():
    """PyGraphistry takes the chain of a lone Ref for the whole query."""
    ref = {"type": "Ref", "ref": "a", "chain": [NODE]}
    assert collection_set(expr=ref)["expr"]["gfql"] == [ref]


def test_builders_of_collections_are_as_in_pygraphistry():
    graphistry = pytest.importorskip("graphistry")
    fields = {"id": "i", "name": "n", "description": "d", "node_color": "#F00", "edge_color": "#0F0"}
    query = [graphistry.n({"kind": graphistry.is_in(["x"])}), graphistry.e_forward(hops=2), graphistry.n(name="z")]
    for expr in (query, graphistry.Chain(query), query[0], [NODE, EDGE], {"chain": [NODE]}):
        assert collection_set(expr=expr, **fields) == graphistry.collection_set(expr=expr, **fields)
    assert list(collection_set(expr=NODE, **fields)) == list(graphistry.collection_set(expr=NODE, **fields))
    assert collection_set(expr=[{"type": "Node", "filter_dict": {"kind": graphistry.is_in(["x"])}}])
    ours, theirs = collection_intersection, graphistry.collection_intersection
    assert ours(sets=("a", "b"), **fields) == theirs(sets=("a", "b"), **fields)
    assert ours(sets=["a"]) == theirs(sets=["a"])


@pytest.mark.parametrize("expr", [[], "x", None, 3, {"type": "Wat"}, [object()], {"chain": None}])
def test_what_is_no_query_makes_no_set(expr):
    with pytest.raises(BadRequest, match="GFQL"):
        collection_set(expr=expr)


# --- Kepler ---

LAYER = {"id": "l", "type": "point", "config": {"dataId": "d", "columns": {"lat": "y", "lng": "x"}}}
KEPLER = [
    call("encode_kepler_dataset", id="d", type="nodes"),
    call("encode_kepler_dataset", None, "d", "edges", "Label", map_node_coords=True, include=["a"]),
    call("encode_kepler_dataset", id="d", type="countries", resolution=50, boundary_lakes=False, computed_columns={}),
    call("encode_kepler_dataset", {"info": {"id": "raw"}, "data": [1]}),
    call("encode_kepler_dataset", [1]),
    call("encode_kepler_layer", LAYER),
    call("encode_kepler_layer", "text"),
    call("encode_kepler_options", center_map=True, read_only=None),
    call("encode_kepler_options", {"centerMap": False}),
    call("encode_kepler_options", 3),
    call("encode_kepler_options"),
    call("encode_kepler_config", cull_unused_columns=False, overlay_blending="additive", tile_style={"id": "dark"}),
    call("encode_kepler_config", {"overlayBlending": "normal"}),
    call("encode_kepler_config", "text"),
    call("encode_kepler", {"datasets": [{"info": {"id": "d"}}], "layers": [LAYER], "options": {}, "config": {}}),
    call("encode_kepler", {"encodingType": "wat", "more": 1}),
]


@pytest.mark.parametrize("made", KEPLER, ids=shown_as)
def test_kepler_is_as_in_pygraphistry(made, theirs):
    agree(theirs, made)
    agree(theirs, *KEPLER[:4], made)


def test_an_encoding_without_layers_can_be_added_to():
    g = ours().encode_kepler({"options": {}}).encode_kepler_layer(LAYER).encode_kepler_dataset({"info": {}})
    made = g._complex_encodings["node_encodings"]["default"]["pointKeplerEncoding"]
    assert (made["layers"], made["datasets"]) == ([LAYER], [{"info": {}}])


@pytest.mark.parametrize("wrong", [None, [], "text", KeplerLayer])
def test_what_is_no_kepler_encoding_is_refused(wrong):
    with pytest.raises(BadRequest, match="is a dict"):
        ours().encode_kepler(wrong)


def test_a_dataset_without_id_gets_one():
    first, second = (KeplerDataset(type="nodes") for _ in range(2))
    assert first.id == first.label != second.id
    assert str(first.id).startswith("dataset-")
    assert first.to_dict() == {"info": {"id": first.id, "label": first.id}, "type": "nodes"}


def built(module):
    whole = module.KeplerEncoding().with_dataset(module.KeplerDataset(id="d", type="nodes", include=["x"]))
    whole = whole.with_layer(module.KeplerLayer(LAYER)).with_options(module.KeplerOptions(read_only=True))
    return whole.with_config(module.KeplerConfig(cull_unused_columns=True))


def test_kepler_values_are_as_in_pygraphistry(theirs):
    from graphistry import kepler as their_module

    from graphistry_core import kepler

    assert built(kepler).to_dict() == built(their_module).to_dict()
    assert state(ours().encode_kepler(built(kepler))) == state(theirs.encode_kepler(built(their_module)))
    assert state(ours().encode_kepler(built(their_module))) == state(ours().encode_kepler(built(kepler)))


def test_kepler_keywords_set_on_a_whole_encoding_are_spelled_as_kepler_does():
    """PyGraphistry leaves them as they are: read_only beside readOnly."""
    made = (
        KeplerEncoding(options=KeplerOptions(center_map=True)).with_options(read_only=True).with_config(tile_style={})
    )
    assert made.to_dict()["options"] == {"centerMap": True, "readOnly": True}
    assert made.to_dict()["config"] == {"tileStyle": {}}


def test_kepler_values_are_equal_by_what_they_hold():
    assert KeplerOptions(center_map=True) == KeplerOptions({"centerMap": True}) != KeplerConfig({"centerMap": True})
    assert repr(KeplerLayer({"id": "l"})) == "KeplerLayer({'id': 'l'})"
    assert KeplerEncoding() == KeplerEncoding() != KeplerEncoding(layers=[KeplerLayer({})])
    assert "layers" in repr(KeplerEncoding())
    KeplerLayer(LAYER).to_dict()["config"].clear()
    assert LAYER["config"]


# --- signatures and immutability ---


@pytest.mark.parametrize("method", METHODS)
def test_parameters_are_those_of_pygraphistry(method, theirs):
    expected = inspect.signature(getattr(theirs, method))
    kinds = {p.kind for p in expected.parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        pytest.skip("PyGraphistry's takes whatever its class does")
    got = inspect.signature(getattr(ours(), method))
    assert list(got.parameters) == list(expected.parameters)
    differing = {
        name
        for name, p in got.parameters.items()
        if p.default != expected.parameters[name].default and name != "rows"  # ours is no list that all calls share
    }
    assert not differing


def test_no_encoding_of_pygraphistry_is_missing(theirs):
    assert {name for name in dir(theirs) if name.startswith("encode_")} <= set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_client_has_the_same_methods(method):
    assert callable(getattr(GraphistryClient(), method))


def test_a_client_starts_from_an_empty_graph():
    client = GraphistryClient()
    g = client.encode_point_color("kind", palette=["red"], as_categorical=True)
    assert (g.session is client.session, client.settings(height=3)._height) == (True, 3)
    assert not client.bind()._complex_encodings["node_encodings"]["default"]


ALL = [*ENCODINGS, *AXES, *APPLIED, *SETTINGS, *NAMED, *KEPLER, call("collections", [SET]), call("addStyle", {"a": {}})]


@given(st.lists(st.sampled_from(ALL), max_size=8))
@settings(max_examples=60, deadline=None)
def test_no_sequence_of_calls_changes_the_original_or_the_arguments(calls):
    g = ours()
    for method, args, kwargs in calls:
        before, given_before = state(g), repr((args, kwargs))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                made = getattr(g, method)(*args, **kwargs)
            except BadRequest:
                made = g
        assert state(g) == before
        assert repr((args, kwargs)) == given_before
        g = made


# --- on the wire ---


@pytest.fixture
def local():
    hub = Hub()
    yield GraphistryClient().register(username="alice", password="pw", transport=LocalTransport(hub))
    hub.close()


def dressed(g):
    g = g.edges(EDGES, "s", "d").nodes(NODES, "id").name("N").description("D").bind(point_title="kind", edge_label="w")
    g = g.encode_point_color("kind", categorical_mapping={"x": "red", 1.5: "blue"}, for_current=True)
    g = g.encode_edge_color("w", palette=["red", "blue"], as_continuous=True).encode_point_badge("kind", "Top")
    g = g.encode_axis([{"r": 1}]).encode_kepler_layer(LAYER).encode_edge_icon("kind", continuous_binning=[[1, "a"]])
    return g.style(bg={"color": "black"}, page={"title": "t"}).settings(url_params={"play": 0})


def test_the_body_of_an_upload_is_that_of_pygraphistry(local):
    graphistry = pytest.importorskip("graphistry")
    from graphistry.arrow_uploader import ArrowUploader

    client = graphistry.client()
    theirs = dressed(client.bind())
    uploader = theirs._plot_dispatch(EDGES, NODES, "N", "D", theirs._style)
    assert isinstance(uploader, ArrowUploader)
    sent = dressed(local.bind()).plot(skip_upload=True).body
    for key in ("node_encodings", "edge_encodings"):
        assert sent[key] == json.loads(json.dumps(getattr(uploader, key)))
    ignored = ("usertag", "agent", "agentversion")
    assert set(sent["metadata"]) == set(uploader.metadata)
    assert {k: v for k, v in sent["metadata"].items() if k not in ignored} == {
        k: v for k, v in uploader.metadata.items() if k not in ignored
    }


def test_a_graph_without_complex_encodings_sends_none(local):
    body = local.bind().edges(EDGES, "s", "d").encode_edge_color("kind").plot(skip_upload=True).body
    assert body["edge_encodings"] == {"bindings": {"source": "s", "destination": "d", "edge_color": "kind"}}


@pytest.mark.parametrize(
    "change",
    [
        lambda g: g.encode_point_color("kind", categorical_mapping={"x": object()}),
        lambda g: g.encode_point_size("kind", categorical_mapping={"x": float("nan")}),
        lambda g: g.encode_point_icon("kind", continuous_binning=[], comparator=max),
        lambda g: g.style(bg={"color": {1, 2}}),
    ],
)
def test_what_json_cannot_hold_is_said_before_anything_is_sent(change, local):
    with pytest.raises(BadRequest, match=r"(node encodings|style) cannot be written as JSON"):
        change(dressed(local.bind())).upload()


def test_an_encoding_by_a_column_that_is_not_there_is_told_before_anything_is_sent(local):
    g = dressed(local.bind()).encode_edge_size("nowhere", {"x": 1}, for_current=True)
    with pytest.raises(BadRequest, match=r"edgeSizeEncoding .* 'nowhere'"):
        g.upload(validate="strict")
    with pytest.warns(RuntimeWarning, match=r"'nowhere', which the edges do not have"):
        g.upload()
    g.upload(warn=False)


def test_a_dataset_comes_back_as_it_is_shown(local):
    g = dressed(local.bind()).upload()
    again = local.from_dataset_id(g._dataset_id)
    expected = json.loads(json.dumps(g._complex_encodings))
    assert (again._complex_encodings, again._style) == (expected, g._style)
    assert again._url_params == {"play": 0, "lockedR": True, "splashAfter": False, "info": "true"}
    assert (again.bindings(), again._name, again._dataset_id) == (g.bindings(), "N", g._dataset_id)


@pytest.mark.parametrize("rows", [[], [{"r": 1}], [{"label": "all"}, {"y": 2}], [{"r": 1, "y": 1}], [{"x": 1}]])
@pytest.mark.parametrize("params", [{"info": "true"}, {"play": 7, "splashAfter": 3, "lockedX": False}], ids=str)
def test_axes_come_back_as_they_were_laid_out(rows, params, theirs):
    from graphistry.validate import apply_axis_url_defaults

    from graphistry_core.viewer_settings import params_of

    shown = Plottable().encode_axis(rows)._complex_encodings
    assert params_of({"url_params": params}, {}, shown) == apply_axis_url_defaults(params, shown)


@pytest.mark.parametrize("record", [{}, {"node_encodings": 3, "style": 4, "metadata": 5, "url_params": 6}])
def test_a_record_of_another_shape_leaves_a_graph_as_it_is(record):
    from graphistry_core.encodings import complex_from_wire
    from graphistry_core.viewer_settings import params_of, style_of

    assert complex_from_wire(record) == Plottable()._complex_encodings
    assert (style_of(record), params_of(record, {"a": 1}, complex_from_wire(record))) == ({}, {"a": 1})


def test_a_record_with_style_and_parameters_of_its_own_wins():
    from graphistry_core.viewer_settings import params_of, style_of

    record = {"style": {"bg": {"color": "red"}, "wat": 1}, "metadata": {"fg": {}}, "url_params": {"menu": 1, "wat": 2}}
    assert style_of(record) == {"bg": {"color": "red"}}
    assert params_of(record, {}, Plottable()._complex_encodings) == {"menu": 1}


def viewer_params(g):
    client = GraphistryClient()
    query = arrow_uploader.viewer_url(g, client.session, "D").partition("?")[2]
    return query, dict(parse_qsl(query, keep_blank_values=True))


def test_values_of_the_url_are_escaped_once():
    params = {"bg": "#000", "pageTitle": "a & b = 50%", "labelColor": "%23fff", "logoUrl": "https://x/y?z=1"}
    query, read = viewer_params(ours().settings(url_params=params))
    assert read | params == read | {"labelColor": "%23fff"}
    assert read["labelColor"] == "#fff"
    assert "pageTitle=a%20%26%20b%20%3D%2050%25" in query
    assert "logoUrl=https://x/y%3Fz%3D1" in query


def test_collections_set_as_plain_parameters_are_written_as_the_viewer_reads_them(theirs):
    from graphistry.validate.validate_collections import normalize_collections_url_params

    params = {"collections": [SET], "showCollections": "yes", "collectionsGlobalNodeColor": "#F00"}
    _, read = viewer_params(ours().settings(url_params=params))
    expected = normalize_collections_url_params(params)
    assert read["collections"] == unquote(expected["collections"])
    assert (read["showCollections"], read["collectionsGlobalNodeColor"]) == ("True", "F00")
    _, again = viewer_params(ours().collections([SET]))
    assert again["collections"] == read["collections"]


def test_collections_that_cannot_be_used_are_told_before_anything_is_sent(local):
    g = dressed(local.bind()).settings(url_params={"collections": 3, "collectionsGlobalEdgeColor": None})
    with pytest.raises(BadRequest, match="collections takes"):
        g.upload(validate="strict")
    with pytest.warns(RuntimeWarning, match="collections takes"):
        url = g.upload()._url
    assert "ollections" not in url
    g.upload(validate=False)
