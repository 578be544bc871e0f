"""Graph verbs beside PyGraphistry (with and without its index), igraph and networkx: `python benchmarks/compute.py 1e6`.

One process, in turn, medians of ratios, answers compared; warm-up (and compilation) is left out and said. `--only WORD`
runs the rows whose name has it.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import graphistry
import numpy as np
import pandas as pd
from measure import HEADER, compare, machine
from rmat import rmat

import graphistry_core
from graphistry_core.compute import index

warnings.simplefilter("ignore")


def graphs(edges, nodes):
    """Return (ours, PyGraphistry's) of the same tables."""
    return tuple(module.edges(edges, "src", "dst").nodes(nodes, "id") for module in (graphistry_core, graphistry))


def ids(frame, column):
    return (
        sorted(map(repr, frame[column].tolist()))
        if len(frame) < 200_000
        else int(pd.util.hash_array(frame[column].to_numpy()).astype(np.uint64).sum())
    )


def same(a, b):
    """Compare two graphs as sets of rows, by ids and by the weights of edges."""
    assert ids(a._nodes, "id") == ids(b._nodes, "id")
    assert len(a._edges) == len(b._edges)
    assert np.isclose(
        np.sort(a._edges["weight"].to_numpy()).sum(), np.sort(b._edges["weight"].to_numpy()).sum(), rtol=1e-12
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("size", type=float, nargs="?", default=1e6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    size = int(options.size)
    edges, nodes = rmat(size)
    print(machine(), file=sys.stderr)
    print(f"{size:.0e} edges, {len(nodes)} nodes")
    print(HEADER)
    started = time.perf_counter()
    small_edges, small_nodes = rmat(1000)
    for g in graphs(small_edges, small_nodes):
        g.hop(small_nodes.head(3), 2), g.get_degrees(), g.materialize_nodes(reuse=False)
    warmed = time.perf_counter() - started

    degree = edges["src"].value_counts()
    one = pd.DataFrame({"id": degree.index[len(degree) // 2 : len(degree) // 2 + 1]})
    hub = pd.DataFrame({"id": degree.index[:1]})
    some = pd.DataFrame({"id": degree.index[len(degree) // 4 :][:1000]})
    new = lambda: graphs(edges, nodes)  # noqa: E731
    ours, peer = new()
    kept, kept_peer = ours.gfql_index_all(), peer.gfql_index_all()

    def row(what, mine, theirs, goal, check=True):
        if options.only not in what:
            return
        if check:
            same(mine(), theirs())
        print(compare(f"{what}", mine, theirs, goal, options.rounds), flush=True)

    core, theirs = graphistry_core, graphistry

    def fresh():
        return new()[0]

    row("hop, cold, 1 seed, 1 hop", lambda: fresh().hop(one, 1), lambda: peer.hop(one, 1), "8x")
    row("hop, cold, 1 seed, 2 hops", lambda: fresh().hop(one, 2), lambda: peer.hop(one, 2), "20x")
    row(
        "hop, index built in the call, 1000 seeds, 2 hops",
        lambda: fresh().hop(some, 2),
        lambda: peer.hop(some, 2),
        "6x (1e7: 5x)",
    )
    row("hop, resident, small result, beside the scan", lambda: kept.hop(one, 1), lambda: peer.hop(one, 1), "")
    row("hop, resident, small result, beside its index", lambda: kept.hop(one, 1), lambda: kept_peer.hop(one, 1), "3x")
    row("hop, resident, large result, beside the scan", lambda: kept.hop(hub, 2), lambda: peer.hop(hub, 2), "15x")
    row("hop, resident, large result, beside its index", lambda: kept.hop(hub, 2), lambda: kept_peer.hop(hub, 2), "5x")
    row(
        "index build, integer ids",
        lambda: fresh().gfql_index_all(),
        lambda: new()[1].gfql_index_all(),
        "10x",
        check=False,
    )
    text = edges.assign(src="acct-" + edges["src"].astype(str), dst="acct-" + edges["dst"].astype(str))
    text_nodes = nodes.assign(id="acct-" + nodes["id"].astype(str))
    if size <= 1_000_000:
        row("index build, string ids", lambda: graphs(text, text_nodes)[0].gfql_index_all(),
            lambda: graphs(text, text_nodes)[1].gfql_index_all(), "30x", check=False)  # fmt: skip
        kept_text = graphs(text, text_nodes)[0].gfql_index_all()
        seeds = some.assign(id="acct-" + some["id"].astype(str))
        row(
            "hop, string ids, resident, 1000 seeds",
            lambda: kept_text.hop(seeds, 1),
            lambda: graphs(text, text_nodes)[1].hop(seeds, 1),
            "1x",
        )

    def pattern(module, edge):
        return [module.n({"risk": module.gt(0.5)}), edge, module.n({"risk": module.lt(0.8)})]

    one_hop = [pattern(module, module.e_forward({"kind": "transfer"})) for module in (core, theirs)]
    row("chain, 1 hop with filters, resident", lambda: kept.gfql(one_hop[0]), lambda: peer.gfql(one_hop[1]), "8x")
    row("chain, 1 hop with filters, cold", lambda: fresh().gfql(one_hop[0]), lambda: peer.gfql(one_hop[1]), "1.5x")
    two = [
        [*pattern(m, m.e_forward({"kind": "transfer"})), m.e_forward({"weight": m.gt(0.3)}), m.n()]
        for m in (core, theirs)
    ]
    row("chain, 2 hops with filters, resident", lambda: kept.gfql(two[0]), lambda: peer.gfql(two[1]), "35x")
    seed = int(one["id"].iloc[0])
    seeded = [[m.n({"id": seed}), m.e_forward(hops=2), m.n()] for m in (core, theirs)]
    row("chain, seeded, hops=2, beside the scan", lambda: kept.gfql(seeded[0]), lambda: peer.gfql(seeded[1]), "80x")
    row(
        "chain, seeded, hops=2, beside its index",
        lambda: kept.gfql(seeded[0]),
        lambda: kept_peer.gfql(seeded[1]),
        "60x",
    )
    row("undirected fixed point", lambda: kept.hop(one, to_fixed_point=True, direction="undirected"),
        lambda: peer.hop(one, to_fixed_point=True, direction="undirected"), "20x")  # fmt: skip
    row("get_degrees, resident", lambda: kept.get_degrees(), lambda: peer.get_degrees(), "10x")
    row("get_degrees, cold", lambda: fresh().get_degrees(), lambda: peer.get_degrees(), "2.5x")
    row(
        "materialize_nodes",
        lambda: fresh().materialize_nodes(reuse=False),
        lambda: peer.materialize_nodes(reuse=False),
        "3x",
    )
    built = index.build(ours)
    _ = built.out, built.into
    print(f"\nwarm-up, compilation included where it was not cached: {warmed:.2f} s; the index takes "
          f"{built.nbytes / 1e6:.0f} MB, {built.nbytes / (16 * size):.2f} of two id columns as int64")  # fmt: skip
    others(options, edges, ours, kept, hub, peer)


def others(options, edges, ours, kept, hub, peer):
    """Igraph and networkx, on what they have: neighbourhoods and degrees; the building of their graphs is apart."""
    if options.only:
        return
    import igraph

    started = time.perf_counter()
    codes = np.unique(np.concatenate([edges["src"], edges["dst"]]), return_inverse=True)[1].reshape(2, -1)
    g = igraph.Graph(n=int(codes.max()) + 1, edges=codes.T.tolist(), directed=True)
    print(f"\nigraph builds its graph in {time.perf_counter() - started:.1f} s")
    at = int(np.unique(np.concatenate([edges["src"], edges["dst"]])).searchsorted(hub["id"].iloc[0]))
    print(
        compare(
            "igraph: ids within 2 hops of a hub (no rows)",
            lambda: kept.hop(hub, 2),
            lambda: g.neighborhood(at, 2, mode="out"),
            "",
            options.rounds,
        )
    )
    print(
        compare(
            "igraph: degrees (no table)",
            lambda: kept.get_degrees(),
            lambda: (g.indegree(), g.outdegree()),
            "",
            options.rounds,
        )
    )
    if len(edges) <= 1_000_000:
        import networkx

        started = time.perf_counter()
        nx = networkx.from_pandas_edgelist(edges[["src", "dst"]], "src", "dst", create_using=networkx.MultiDiGraph)
        print(f"networkx builds its graph in {time.perf_counter() - started:.1f} s")
        seed = hub["id"].iloc[0]
        print(
            compare(
                "networkx: ids within 2 hops of a hub (no rows)",
                lambda: kept.hop(hub, 2),
                lambda: networkx.single_source_shortest_path_length(nx, seed, 2),
                "",
                3,
            )
        )


if __name__ == "__main__":
    main()
