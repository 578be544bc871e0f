"""Communities: the Louvain method, for colours where the graph's author chose none. May import the kernels."""

from __future__ import annotations

import numpy as np

_WITHOUT_COMPILER = 20_000  # edges; as Python the kernel takes seconds beyond


def communities(source: np.ndarray, destination: np.ndarray, count: int) -> np.ndarray | None:
    """Return the community of every node, int64 of shape (count,), numbered from the largest; None where too slow.

    ``source`` and ``destination`` are the codes of the ends of every edge. Nodes without edges are each alone.
    """
    from ..compute import kernels  # numba takes a second to import, and not every page is opened

    if not kernels.COMPILED and len(source) > _WITHOUT_COMPILER:
        return None
    found, size = np.arange(count), count
    near, far = (
        np.concatenate([source, destination]).astype(np.int64),
        np.concatenate([destination, source]).astype(np.int64),
    )
    weight = np.ones(len(near))
    for _ in range(6 if len(near) else 0):
        near, far, weight = _merged(near, far, weight, size)
        kinds, community = np.unique(_moved(near, far, weight, size), return_inverse=True)
        found, near, far = community[found], community[near], community[far]
        if len(kinds) == size:
            break
        size = len(kinds)
    return _by_size(found)


def _merged(
    near: np.ndarray, far: np.ndarray, weight: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the edges sorted by their near end, parallel ones as one of their summed weight."""
    pair, at = np.unique(near * size + far, return_inverse=True)
    return pair // size, pair % size, np.bincount(at, weights=weight, minlength=len(pair))


def _moved(near: np.ndarray, far: np.ndarray, weight: np.ndarray, size: int) -> np.ndarray:
    from ..compute import kernels

    ptr = np.concatenate([[0], np.cumsum(np.bincount(near, minlength=size))]).astype(np.int64)
    strength = np.bincount(near, weights=weight, minlength=size)
    community, gain = np.arange(size), np.zeros(size)
    total = strength.copy()
    for _ in range(10):
        if not kernels.move_to_communities(ptr, far, weight, strength, community, total, gain):
            break
    return community


def _by_size(found: np.ndarray) -> np.ndarray:
    sizes = np.bincount(found)
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    ranked: np.ndarray = rank[found]
    return ranked
