"""Importing this runs each verb once on a tiny graph: what forks off after that finds the kernels loaded."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..compute.ast import e_forward, e_undirected, n
from ..plottable import Plottable


def _rehearse() -> None:
    ids = np.arange(70)
    edges = pd.DataFrame({"s": ids, "d": ids[::-1].copy(), "w": ids % 3})
    nodes = pd.DataFrame({"id": ids, "kind": ids % 2})
    g = Plottable().edges(edges, "s", "d")
    g.hop(nodes[:1], 1), g.get_degrees()
    g = g.nodes(nodes, "id")
    g.hop(nodes[:1], 1), g.hop(nodes[:2], 2), g.gfql_index_all().hop(nodes[:1], 2, direction="undirected")
    g.gfql([n({"kind": 1}), e_forward({"w": 1}), n()])
    g.gfql([n({"id": 3}), e_forward({"w": 1}, hops=2), n({"kind": 1}, name="end")])
    g.gfql([n(), e_undirected(), n()])


_rehearse()
