"""The graph that all benchmarks use: RMAT (.57/.19/.19/.05), five edge columns, four node columns."""

from __future__ import annotations

import numpy as np
import pandas as pd


def rmat(edges: int, seed: int = 7) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (edges, nodes): sparse int64 ids, one string column, 5 % isolated nodes."""
    rng = np.random.default_rng(seed)
    scale = max(int(np.ceil(np.log2(max(edges // 8, 2)))), 1)
    source, destination = np.zeros(edges, np.int64), np.zeros(edges, np.int64)
    for _ in range(scale):
        quadrant = rng.choice(4, size=edges, p=(0.57, 0.19, 0.19, 0.05)).astype(np.int64)
        source, destination = source * 2 + quadrant // 2, destination * 2 + quadrant % 2
    sparse = rng.permutation(1 << scale) * 1013 + 17
    kinds = np.array(["login", "transfer", "visit", "message"])
    edge_table = pd.DataFrame(
        {
            "src": sparse[source],
            "dst": sparse[destination],
            "weight": rng.random(edges),
            "time": rng.integers(1_700_000_000, 1_760_000_000, edges),
            "kind": kinds[rng.integers(0, 4, edges)],
        }
    )
    used = np.unique(np.concatenate([edge_table["src"], edge_table["dst"]]))
    isolated = np.arange(max(len(used) // 20, 1)) * -1 - 1
    ids = np.concatenate([used, isolated])
    node_table = pd.DataFrame(
        {
            "id": ids,
            "risk": rng.random(len(ids)),
            "group": rng.integers(0, 50, len(ids)),
            "label": np.char.add("acct-", ids.astype(str)),
        }
    )
    return edge_table, node_table
