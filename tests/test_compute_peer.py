"""What code written for PyGraphistry imports, catches and asks of a query's parts: the same here."""

from __future__ import annotations

import datetime as dt
from importlib import import_module

import pandas as pd
import pytest

import graphistry_core
from graphistry_core.compute import ast, bridge, conditions, exceptions
from graphistry_core.errors import MissingDependency

graphistry = pytest.importorskip("graphistry")
MODULES = pytest.mark.parametrize("module", [graphistry_core, graphistry], ids=["ours", "theirs"])
NODES = pd.DataFrame({"id": ["a", "b", "c"], "kind": ["x", "y", "x"]})
EDGES = pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"]})


def part(module, path):
    return import_module(f"{module.__name__}.compute.{path}")


def graph(module):
    return module.edges(EDGES, "s", "d").nodes(NODES, "id")


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gt", "is_in", "Between", "n", "e_forward", "let", "ref", "Chain", "DateTimeValue"])
def test_names_of_the_path_compute_are_ours(name):
    import_module("graphistry_core.compute.lets")  # a module called let would now stand there for the function
    found = getattr(import_module("graphistry_core.compute"), name)
    assert found.__module__.startswith("graphistry_core.compute.")
    assert hasattr(import_module("graphistry.compute"), name)


def test_the_rest_of_them_is_pygraphistrys():
    ours, theirs = (import_module(f"{name}.compute") for name in ("graphistry_core", "graphistry"))
    assert ours.select is theirs.select
    with pytest.raises(AttributeError, match="nothing_of_anyone"):
        _ = ours.nothing_of_anyone


def test_predicates_at_the_path_of_patterns_are_ours():
    assert ast.is_in is conditions.is_in
    assert ast.ASTPredicate is conditions.ASTPredicate
    assert ast.call.__module__.startswith("graphistry.")


# --- parts of a query ---------------------------------------------------------------------------------------------


@MODULES
def test_every_step_that_is_none_is_told_at_once(module):
    chain = module.Chain([1, module.n(), "x", module.e_forward(hops=0)], validate=False)
    codes = [error.code for error in chain.validate(collect_all=True)]
    assert codes == ["invalid-chain-type", "invalid-chain-type", "invalid-hops-value"]
    told = [error.context.get("operation_index") for error in chain.validate(collect_all=True)]
    assert told[:2] == [0, 2]


def test_and_what_is_no_list_has_no_steps():
    (error,) = graphistry_core.Chain(None, validate=False).validate(collect_all=True)
    assert error.code == "invalid-chain-type"


@MODULES
def test_a_ref_from_the_other_end(module):
    turned = module.ref("x", [module.n({"kind": "x"}), module.e_forward()]).reverse()
    assert turned.ref == "x"
    assert [step.to_json()["type"] for step in turned.chain] == ["Edge", "Node"]
    assert turned.chain[0].direction == "reverse"


@pytest.mark.parametrize("given", [{}, {"ref": "x"}, {"chain": []}, {"ref": "x", "chain": "n"}])
def test_json_of_half_a_ref_is_refused(given):
    with pytest.raises(exceptions.GFQLSyntaxError):
        ast.from_json({"type": "Ref", **given})
    with pytest.raises(exceptions.GFQLSyntaxError):
        graph(graphistry_core).gfql({"type": "Let", "bindings": {"y": {"type": "Ref", **given}}})


def test_json_of_a_step_that_nobody_has_is_refused_by_us():
    with pytest.raises(exceptions.GFQLSyntaxError) as refused:
        ast.from_json({"type": "Teleport"})
    assert (refused.value.code, refused.value.context["value"]) == ("invalid-chain-type", "Teleport")
    assert type(ast.from_json({"type": "RemoteGraph", "dataset_id": "x"})).__name__ == "ASTRemoteGraph"


@MODULES
def test_a_let_says_which_name_failed(module):
    query = module.let({"fine": module.n(), "broken": module.n(query="kind ==")})
    with pytest.raises(RuntimeError, match=r"'broken'.*SyntaxError"):
        graph(module).gfql(query)
    missing = module.let({"fine": module.n(), "strict": module.n({"nowhere": 1})})
    with pytest.raises(part(module, "exceptions").GFQLSchemaError):
        graph(module).gfql(missing, strict=True)


# --- times --------------------------------------------------------------------------------------------------------


@MODULES
def test_what_a_time_is_to_pandas(module):
    temporal = part(module, "ast_temporal")
    assert temporal.DateValue("2026-03-01").as_pandas_value() == pd.Timestamp(2026, 3, 1)
    assert temporal.TimeValue("14:30:00").as_pandas_value() == dt.time(14, 30)


@MODULES
def test_text_that_may_be_a_time_is_called_ambiguous(module):
    with pytest.raises(ValueError, match="ambiguous"):
        module.between("2026-01-01", "2026-02-01")
    with pytest.raises(ValueError, match="Unknown temporal value type"):
        part(module, "ast_temporal").temporal_value_from_json({"type": "era", "value": "Ming"})


# --- labels -------------------------------------------------------------------------------------------------------

LABELLED = pd.DataFrame({"id": [1, 2, 3], "labels": [["Cat"], ["Dog", "Pet"], ["Pet"]], "age": [1, 2, 3]})


@MODULES
def test_a_condition_on_a_label_looks_into_the_labels(module):
    kept = part(module, "filter_by_dict").filter_by_dict(LABELLED, {"label__Pet": True, "age": module.gt(2)})
    assert kept["id"].tolist() == [3]
    kept = module.nodes(LABELLED, "id").filter_nodes_by_dict({"label__Pet": True})._nodes
    assert kept["id"].tolist() == [2, 3]


def test_without_pygraphistry_it_is_named(monkeypatch):
    monkeypatch.setattr(bridge, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="label__Pet"):
        part(graphistry_core, "filter_by_dict").filter_by_dict(LABELLED, {"label__Pet": True})
