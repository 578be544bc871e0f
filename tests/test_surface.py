"""The names users know exist, with the signatures they know."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module

import pytest

from graphistry_core import GraphistryClient, Plottable

graphistry = pytest.importorskip("graphistry", reason="PyGraphistry is not installed")

from graphistry.plotter import Plotter
from graphistry.pygraphistry import GraphistryClient as PeerClient

CLIENT = """
edges nodes bind register hypergraph settings encode_point_color privacy addStyle encode_edge_color
encode_point_size name encode_point_icon client pipe api_token refresh set_client_for
client_protocol_hostname description login protocol server style collections layout_settings
encode_point_badge from_igraph scene_settings to_gexf apply_encodings authenticate
certificate_validation encode_edge_badge encode_edge_icon encode_edge_label encode_edge_opacity
encode_edge_size encode_edge_title encode_edge_weight encode_point_label encode_point_opacity
encode_point_title from_dataset_id infer_labels org_name pkey_login sso_get_token sso_login
sso_state store_token_creds_in_memory switch_org verify_token
""".split()
GRAPH = """
gfql plot edges nodes bind hop hypergraph settings encode_point_color privacy materialize_nodes
addStyle copy chain encode_edge_color encode_point_size name encode_point_icon upload to_pandas
to_arrow get_degrees pipe filter_edges_by_dict filter_nodes_by_dict client_protocol_hostname
description protocol server style gfql_remote gfql_validate time_ring_layout gfql_index_all
ring_categorical_layout compute_igraph collections compute_networkx layout_graphviz layout_settings
ring_continuous_layout compute_cugraph python_remote_g encode_point_badge python_remote_json
create_index layout_igraph modularity_weighted_layout show_indexes from_igraph group_in_a_box_layout
mercator_layout to_igraph tree_layout chain_remote_shape layout_cugraph python_remote_table
reset_caches to_cudf collapse drop_index keep_nodes encode_axis scene_settings to_cugraph to_gexf
drop_nodes get_indegrees get_outdegrees apply_encodings encode_edge_badge encode_edge_icon
encode_edge_label encode_edge_opacity encode_edge_size encode_edge_title encode_edge_weight
encode_point_label encode_point_opacity encode_point_title get_topological_levels infer_labels
""".split()

# Every parameter of PyGraphistry's is there, in its order and with its default, except:
DIFFERENT = {
    ("client", "bind"): "takes nodes= and edges= too, as PyGraphistry's own documentation shows",
    ("graph", "bind"): "takes nodes= and edges= too, as PyGraphistry's own documentation shows",
    ("client", "register"): "takes transport= too",
    ("client", "from_igraph"): "takes what the graph's does",
    ("client", "edges"): "names edge=, which PyGraphistry takes by position",
    ("client", "to_gexf"): "names its options instead of **kwargs",
}


def parameters(function):
    """Name, kind and default of each parameter; what takes anything is as good as what is asked for."""
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self":
            continue
        default = parameter.default
        if inspect.isclass(default) or repr(default).startswith("<EngineAbstract"):
            default = getattr(default, "value", default)
        if default is None or default == ():
            default = {"opts": {}, "rows": []}.get(name, default)  # ours are not changed by accident
        found.append((name, parameter.kind.name, default))
    return found


def own(kind):
    return GraphistryClient() if kind == "client" else Plottable(GraphistryClient())


CASES = [*(("client", n) for n in CLIENT), *(("graph", n) for n in GRAPH)]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda v: v)
def test_signature(kind, name):
    ours = getattr(own(kind), name)
    theirs = getattr(PeerClient if kind == "client" else Plotter, name)
    mine, peer = parameters(ours), parameters(theirs)
    if [p[1] for p in peer] == ["VAR_POSITIONAL", "VAR_KEYWORD"]:
        return  # it takes anything and hands it on: there is no signature to keep
    if (kind, name) in DIFFERENT:
        named = [p[0] for p in peer if not p[1].startswith("VAR_")]
        assert [p[0] for p in mine if p[0] in named] == named
        assert mine != peer
    else:
        assert mine == peer


def test_what_is_only_pygraphistrys_is_not_listed_as_ours():
    names = dir(Plottable())
    assert "umap" not in names
    assert {"bind", "edges", "plot", "encode_point_color"} <= set(names)


@pytest.mark.parametrize(
    "path",
    [
        "pygraphistry.PyGraphistry",
        "plotter.Plotter",
        "client_session.ClientSession",
        "collections.collection_set",
        "collections.collection_intersection",
        "Engine.Engine",
        "Engine.EngineAbstract",
        "constants.SRC",
        "arrow_uploader.ArrowUploader",
        "compute.ast.n",
        "compute.ast.e_forward",
        "compute.predicates.is_in.is_in",
        "compute.predicates.numeric.gt",
        "compute.predicates.str.Contains",
        "compute.predicates.temporal.is_month_start",
        "compute.predicates.from_json.from_json",
        "compute.predicates.ASTPredicate.ASTPredicate",
        "compute.ast_temporal.DateTimeValue",
        "compute.chain.Chain",
        "compute.hop.hop",
        "compute.filter_by_dict.filter_by_dict",
        "compute.ASTSerializable.ASTSerializable",
        "compute.exceptions.GFQLTypeError",
        "validate.validate_encodings",
        "privacy.Privacy",
        "exceptions.TokenExpireException",
    ],
)
def test_module_paths(path):
    module, _, name = path.rpartition(".")
    assert hasattr(import_module(f"graphistry_core.{module}"), name)


def test_the_paths_of_predicates_hide_no_function():
    for name in ("is_in", "str", "numeric", "temporal", "from_json"):
        import_module(f"graphistry_core.compute.predicates.{name}")
    import graphistry_core as module

    assert module.is_in(["x"]).options == ["x"]
    assert module.contains("x").to_json()["pat"] == "x"
    assert module.n({"a": module.gt(3)}).to_json()["filter_dict"]["a"]["val"] == 3


def test_patterns_are_our_own_and_what_we_lack_is_pygraphistrys():
    import graphistry.compute.ast as theirs

    from graphistry_core.compute import ast as ours

    assert ours.ASTNode.__module__ == "graphistry_core.compute.ast"
    assert ours.ASTCall is theirs.ASTCall


def test_without_pygraphistry_the_extra_is_named(monkeypatch):
    import graphistry_core.module_paths as module
    from graphistry_core import MissingDependency
    from graphistry_core.compute import bridge

    monkeypatch.delitem(sys.modules, "graphistry_core.constants", raising=False)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setattr(bridge, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"graphistry-core\[pygraphistry\]"):
        import_module("graphistry_core.constants")
    with pytest.raises(AttributeError, match=r"graphistry-core\[pygraphistry\]"):
        Plottable().umap()
