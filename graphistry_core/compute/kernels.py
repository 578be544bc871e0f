"""The loops: hashing ids to codes, adjacency in compressed rows, one step of a traversal, scans. numpy arrays only.

Compiled by numba, and kept on disk between processes. Without numba, or with its JIT switched off, the same functions
run as Python: the same answers, far slower, and a warning in the log says so once. May import nothing of ours.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def _compiler() -> Any:
    """Return what compiles a function, or None where nothing does."""
    try:
        import numba
    except ImportError:  # no wheel for this platform or Python
        return None
    return None if numba.config.DISABLE_JIT else numba.njit(cache=True, nogil=True)  # type: ignore[attr-defined]


_found = _compiler()
COMPILED = _found is not None


if not COMPILED:
    logging.getLogger("graphistry_core").warning(
        "numba is not there, or its JIT is off: graph verbs give the same answers, and are slow."
    )


def _kernel(function: F) -> F:
    if _found is not None:
        compiled: F = _found(function)
        return compiled

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        with np.errstate(over="ignore"):  # hashes are meant to wrap around
            return function(*arguments)

    return call  # type: ignore[return-value]


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def lookup_table(count: int) -> tuple[np.ndarray, np.ndarray, np.uint64]:
    """Return an empty hash table (keys, codes, shift) for so many ids; a code of -1 is a free slot."""
    bits = max(int(np.ceil(np.log2(max(count, 1) * 1.6 + 1))), 3)
    return np.empty(1 << bits, np.int64), np.full(1 << bits, -1, np.int32), np.uint64(64 - bits)


@_kernel
def insert_ids(ids: Any, keys: Any, codes: Any, shift: Any) -> Any:
    """Give each id the position at which it comes first; return how many come again."""
    mask = len(keys) - 1
    again = 0
    for i in range(len(ids)):
        key = ids[i]
        at = np.int64((np.uint64(key) * _GOLDEN) >> shift)
        while codes[at] >= 0 and keys[at] != key:
            at = (at + 1) & mask
        if codes[at] < 0:
            keys[at] = key
            codes[at] = i
        else:
            again += 1
    return again


@_kernel
def find_ids(values: Any, keys: Any, codes: Any, shift: Any, out: Any) -> None:
    """Write each value's code, or -1, to ``out``."""
    mask = len(keys) - 1
    for i in range(len(values)):
        key = values[i]
        at = np.int64((np.uint64(key) * _GOLDEN) >> shift)
        code = codes[at]
        while code >= 0 and keys[at] != key:
            at = (at + 1) & mask
            code = codes[at]
        out[i] = code


@_kernel
def first_seen(values: Any, keys: Any, codes: Any, shift: Any, uniques: Any, count: Any) -> Any:
    """Add the values that are new to the table and to ``uniques``, numbered as they come; return the new count.

    ``-1 - i`` where ``uniques`` was full when value i came; it then holds all that came before.
    """
    mask = len(keys) - 1
    for i in range(len(values)):
        key = values[i]
        at = np.int64((np.uint64(key) * _GOLDEN) >> shift)
        while codes[at] >= 0 and keys[at] != key:
            at = (at + 1) & mask
        if codes[at] < 0:
            if count == len(uniques):
                return -1 - i
            keys[at] = key
            codes[at] = count
            uniques[count] = key
            count += 1
    return count


@_kernel
def adjacency(near: Any, far: Any, ptr: Any, perm: Any) -> None:
    """Sort edges by their near end: ``perm[ptr[u]:ptr[u + 1]]`` are the positions of the edges at u, ascending.

    Edges with an end that is -1 are left out. ``ptr`` comes in as zeros, one longer than there are nodes.
    """
    for i in range(len(near)):
        if near[i] >= 0 and far[i] >= 0:
            ptr[near[i] + 1] += 1
    for u in range(1, len(ptr)):
        ptr[u] += ptr[u - 1]
    for i in range(len(near)):
        if near[i] >= 0 and far[i] >= 0:
            perm[ptr[near[i]]] = i
            ptr[near[i]] += 1
    for u in range(len(ptr) - 1, 0, -1):  # every start has moved to the next one's
        ptr[u] = ptr[u - 1]
    ptr[0] = 0


@_kernel
def count_ends(codes: Any, counts: Any) -> None:
    """Add to ``counts`` how often each code occurs; -1 is skipped."""
    for i in range(len(codes)):
        if codes[i] >= 0:
            counts[codes[i]] += 1


@_kernel
def degree_sum(frontier: Any, ptr: Any) -> Any:
    """Return how many edges are at the nodes of a frontier."""
    total = 0
    for i in range(len(frontier)):
        total += ptr[frontier[i] + 1] - ptr[frontier[i]]
    return total


@_kernel
def expand(
    frontier: Any, ptr: Any, perm: Any, far: Any, stamp: Any, epoch: Any, used: Any, nodes: Any, count: Any, edges: Any
) -> Any:
    """Take one step: write the edges at the frontier, and the nodes not yet stamped that they lead to.

    ``used`` is set for each node of the frontier that has an edge. Returns how many nodes are written.
    """
    at = 0
    for i in range(len(frontier)):
        u = frontier[i]
        used[i] = ptr[u + 1] > ptr[u] or used[i]
        for k in range(ptr[u], ptr[u + 1]):
            e = perm[k]
            edges[at] = e
            at += 1
            v = far[e]
            if stamp[v] != epoch:
                stamp[v] = epoch
                nodes[count] = v
                count += 1
    return count


@_kernel
def gather(frontier: Any, ptr: Any, perm: Any, positions: Any, owner: Any) -> None:
    """Write the edges at the frontier, and for each which member of the frontier it is at."""
    at = 0
    for i in range(len(frontier)):
        for k in range(ptr[frontier[i]], ptr[frontier[i] + 1]):
            positions[at] = perm[k]
            owner[at] = i
            at += 1


@_kernel
def sweep(near: Any, far: Any, near_ok: Any, far_ok: Any, edge_ok: Any, edges: Any) -> Any:
    """Write the edges from a node of one mask to one of another, in order, by looking at all; return how many.

    The masks of nodes are one longer than there are nodes, and False at their end, where the code -1 leads. ``edge_ok``
    may be empty: no condition. ``edges`` is one longer than there can be. Nothing here depends on what is met, so the
    processor need not guess.
    """
    at = 0
    if len(edge_ok) == 0:
        for e in range(len(near)):
            edges[at] = e
            at += near_ok[near[e]] & far_ok[far[e]]
    else:
        for e in range(len(near)):
            edges[at] = e
            at += near_ok[near[e]] & far_ok[far[e]] & edge_ok[e]
    return at


@_kernel
def stamp_ends(edges: Any, near: Any, far: Any, stamp: Any, epoch: Any, used: Any, nodes: Any, count: Any) -> Any:
    """Mark the near ends of edges, and write the far ends not yet stamped; return how many nodes are written."""
    for i in range(len(edges)):
        e = edges[i]
        used[near[e]] = True
        v = far[e]
        if stamp[v] != epoch:
            stamp[v] = epoch
            nodes[count] = v
            count += 1
    return count


@_kernel
def keep_between(
    edges: Any, near: Any, far: Any, near_ok: Any, far_ok: Any, both_ways: Any, out: Any, mark: Any
) -> Any:
    """Write the edges from a node of one mask to one of another, and mark their near ends (``both_ways``: both)."""
    count = 0
    for i in range(len(edges)):
        e = edges[i]
        u, v = near[e], far[e]
        if (near_ok[u] and far_ok[v]) or (both_ways and near_ok[v] and far_ok[u]):
            out[count] = e
            count += 1
            mark[u] = True
            if both_ways:
                mark[v] = True
    return count


@_kernel
def unstamped(codes: Any, stamp: Any, epoch: Any, out: Any) -> Any:
    """Stamp codes and write those that were not stamped yet; return how many."""
    count = 0
    for i in range(len(codes)):
        code = codes[i]
        if code >= 0 and stamp[code] != epoch:
            stamp[code] = epoch
            out[count] = code
            count += 1
    return count


@_kernel
def scan_one(values: Any, wanted: Any, out: Any) -> Any:
    """Write the positions of one value, as many as fit; return how many there are."""
    count = 0
    for i in range(len(values)):
        if values[i] == wanted:
            if count < len(out):
                out[count] = i
            count += 1
    return count


@_kernel
def scan_set(values: Any, keys: Any, codes: Any, shift: Any, out: Any) -> Any:
    """Write the positions of the values that are in a hash table, as many as fit; return how many there are."""
    mask = len(keys) - 1
    count = 0
    for i in range(len(values)):
        key = values[i]
        at = np.int64((np.uint64(key) * _GOLDEN) >> shift)
        while codes[at] >= 0:
            if keys[at] == key:
                if count < len(out):
                    out[count] = i
                count += 1
                break
            at = (at + 1) & mask
    return count


@_kernel
def components(source: Any, destination: Any, label: Any, touched: Any) -> None:
    """Give the nodes that are connected, whichever way edges point, one label: the least of their codes.

    ``label`` comes in as every node's own code; ``touched`` is set for nodes that have an edge.
    """
    for e in range(len(source)):
        u, v = source[e], destination[e]
        if u < 0 or v < 0:
            continue
        touched[u] = True
        touched[v] = True
        while label[u] != u:
            label[u] = label[label[u]]
            u = label[u]
        while label[v] != v:
            label[v] = label[label[v]]
            v = label[v]
        if u < v:
            label[v] = u
        else:
            label[u] = v
    for i in range(len(label)):  # a label is never greater than its node's code: what it points to is settled already
        label[i] = label[label[i]]


@_kernel
def two_core(source: Any, destination: Any, degree: Any, mixed: Any, inside: Any) -> None:
    """Mark the nodes that are left when what has one edge or none is taken away, again and again; and self-loops.

    ``degree`` and ``mixed`` come in as zeros: a node's count of edges, and the exclusive or of their positions, which
    is the position of the last one when one is left.
    """
    for e in range(len(source)):
        u, v = source[e], destination[e]
        if u == v:
            inside[u] = True
            continue
        degree[u] += 1
        degree[v] += 1
        mixed[u] ^= e
        mixed[v] ^= e
    for i in range(len(degree)):
        u = i
        while degree[u] == 1:
            e = mixed[u]
            v = source[e] if destination[e] == u else destination[e]
            degree[u] = 0
            degree[v] -= 1
            mixed[v] ^= e
            u = v
    for i in range(len(degree)):
        inside[i] |= degree[i] > 0


@_kernel
def is_ascending(values: Any) -> Any:
    """Say whether every value is greater than the one before."""
    for i in range(1, len(values)):  # noqa: SIM110 - numba compiles this
        if values[i] <= values[i - 1]:
            return False
    return True


@_kernel
def move_to_communities(ptr: Any, far: Any, weight: Any, strength: Any, community: Any, total: Any, gain: Any) -> Any:
    """Move every node to the community around it that raises modularity most, in one pass; return how many moved.

    ``strength``: the sum of weights at each node; ``total``: the same of each community. ``gain`` is scratch of zeros.
    """
    everything = strength.sum()
    moved = 0
    for u in range(len(ptr) - 1):
        own = community[u]
        for at in range(ptr[u], ptr[u + 1]):
            if far[at] != u:
                gain[community[far[at]]] += weight[at]
        total[own] -= strength[u]
        best, most = own, gain[own] - total[own] * strength[u] / everything
        for at in range(ptr[u], ptr[u + 1]):
            there = community[far[at]]
            value = gain[there] - total[there] * strength[u] / everything
            if value > most + 1e-9:
                best, most = there, value
        for at in range(ptr[u], ptr[u + 1]):
            gain[community[far[at]]] = 0
        total[best] += strength[u]
        if best != own:
            community[u] = best
            moved += 1
    return moved


@_kernel
def pull(source: Any, destination: Any, position: Any, force: Any) -> None:
    """Add to ``force`` what every edge draws its two ends together with: its length."""
    for e in range(len(source)):
        s, d = source[e], destination[e]
        x, y = position[d, 0] - position[s, 0], position[d, 1] - position[s, 1]
        force[s, 0] += x
        force[s, 1] += y
        force[d, 0] -= x
        force[d, 1] -= y
