"""What code written for PyGraphistry imports, catches and asks of a query's parts: the same here."""

from __future__ import annotations

from importlib import import_module

import pandas as pd
import pytest

import graphistry_core
from graphistry_core.compute import ast, conditions

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
