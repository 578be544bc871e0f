"""What the tests of other graph forms share: the same input for us and for PyGraphistry, and how results compare."""

from __future__ import annotations

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from graphistry_core import GraphistryClient
from graphistry_core.encodings import BINDINGS

graphistry = pytest.importorskip("graphistry")

EDGES = pd.DataFrame({"s": ["a", "b", "c", "a"], "d": ["b", "c", "a", "a"], "w": [1, 2, 3, 4], "x": [0.5, None, 2, 3]})
NODES = pd.DataFrame({"id": ["a", "b", "c"], "name": ["A", "B", "C"], "ok": [True, False, True]})


def ours():
    return GraphistryClient()


def theirs():
    return graphistry.client()


def bindings(g):
    return {name: value for name in BINDINGS if (value := getattr(g, f"_{name}")) is not None}


def assert_same_table(one, other, *, columns_in_order=True):
    if one is None or other is None:
        assert one is other
        return
    if not columns_in_order:  # PyGraphistry takes them from a set
        one, other = one[sorted(one.columns)], other[sorted(other.columns)]
    one, other = one.rename_axis(index=None), other.rename_axis(index=None)  # igraph names its index
    assert_frame_equal(one, other, check_index_type=False, check_column_type=False)


def assert_same_graph(one, other):
    assert_same_table(one._edges, other._edges)
    assert_same_table(one._nodes, other._nodes)
    assert bindings(one) == bindings(other)


GRAPH = ours().edges(EDGES, "s", "d").nodes(NODES, "id")
THEIR_GRAPH = theirs().edges(EDGES, "s", "d").nodes(NODES, "id")
