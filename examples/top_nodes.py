"""Which nodes have the most edges? Run it with: graphistry-core run examples/top_nodes.py --edges FILE."""


def task(g):
    import pandas as pd

    ends = pd.concat([g._edges[g._source], g._edges[g._destination]])
    degrees = ends.value_counts()
    return {
        "edges": len(g._edges),
        "nodes": len(degrees),
        "top": [{"node": str(node), "degree": int(degree)} for node, degree in degrees.head(5).items()],
    }
