"""A tour that every supported PyGraphistry can make: the pinned one, and the oldest in tox's environment for it."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

graphistry = pytest.importorskip("graphistry", reason="PyGraphistry is not installed")

COUNT = "def task(g):\n    return {'edges': len(g._edges), 'nodes': len(g._nodes)}"


@pytest.mark.filterwarnings("ignore")
def test_tour(graphistry_server):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graphistry.register(**graphistry_server.register_kwargs)
    edges = pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"], "t": pd.to_datetime(["2020-01-01", "2021-01-01"])})
    nodes = pd.DataFrame({"id": ["a", "b", "c"], "name": ["x", "y", "é"]})
    g = graphistry.edges(edges, "s", "d").nodes(nodes, "id").bind(point_title="name")
    assert "dataset=" in g.plot(render=False)
    uploaded = g.name("tour").upload()
    assert uploaded.python_remote_json(COUNT) == {"edges": 2, "nodes": 3}
    table = uploaded.python_remote_table("def task(g): return g._nodes")
    assert table["name"].tolist() == ["x", "y", "é"]
    graph = uploaded.python_remote_g("def task(g): return g")
    assert graph._edges["t"].tolist() == edges["t"].tolist()
    private = g.encode_point_color("name", categorical_mapping={"x": "red"}, default_mapping="gray").plot(render="g")
    assert private._dataset_id
    hyper = graphistry.hypergraph(edges, ["s", "d"], direct=True)["graph"]
    assert hyper.plot(render="g")._dataset_id
