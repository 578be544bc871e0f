"""Other graph forms: networkx, igraph, cuGraph, GEXF and hypergraphs, to tables and back.

Functions here take a graph (or plain frames) and return a copy of it, or the other form. May import errors, frames,
bindings, encodings and engines; networkx, igraph and cuGraph only inside functions.
"""
