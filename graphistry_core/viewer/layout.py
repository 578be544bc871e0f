"""Where nodes are drawn before anything moves: a seed layout, quick enough to wait for. May import the kernels.

Components are laid out by forces (ForceAtlas2's: ends of an edge attract, all nodes repel by degree) and packed beside
each other, single nodes in rows below. Repulsion goes through a grid and an FFT (particle-mesh), so a round costs the
same for any shape of graph: about O(nodes + edges + cells log cells). Same input, same picture.
"""

from __future__ import annotations

from functools import cache

import numpy as np

_SEED = 1
_ROUNDS = 120
_GRAVITY = 0.2  # towards the middle, by distance: keeps clusters that few edges hold from flying off
_HUBS = 0.75  # exponent of a node's degree in what it pushes with: 1 gives every dense cluster a disc of its own
_STARS_BELOW = 4  # components of fewer nodes are drawn as stars; forces would only take longer
_SAMPLE = 400_000  # edges that pull; more of them hardly change the picture


def seed(source: np.ndarray, destination: np.ndarray, count: int) -> np.ndarray:
    """Return positions, float32 of shape (count, 2), in a box around (0, 0) whose longer side is about 2.

    ``source`` and ``destination`` are the int32 codes of the ends of every edge, in 0 … count - 1.
    """
    apart = source != destination
    source, destination = source[apart].astype(np.int64), destination[apart].astype(np.int64)
    label = components(source, destination, count)
    members = np.bincount(label, minlength=count)
    position, radius = np.zeros((count, 2)), np.zeros(len(members))
    order = np.argsort(label, kind="stable")
    first = np.concatenate([[0], np.cumsum(members)])
    inside = np.argsort(label[source], kind="stable")
    edge_first = np.concatenate([[0], np.cumsum(np.bincount(label[source], minlength=len(members)))])
    for which in np.flatnonzero(members >= _STARS_BELOW):
        nodes = order[first[which] : first[which + 1]]
        edges = inside[edge_first[which] : edge_first[which + 1]]
        near, far = np.searchsorted(nodes, source[edges]), np.searchsorted(nodes, destination[edges])
        laid = _connected(near, far, len(nodes))
        position[nodes], radius[which] = laid, max(np.hypot(*laid.T).max(), 1.0)
    _stars(position, radius, label, members, source, destination)
    position += _packed(radius, members)[label]
    return _centred(position).astype(np.float32)


def components(source: np.ndarray, destination: np.ndarray, count: int) -> np.ndarray:
    """Return for every node the smallest node it is connected with: int64, shape (count,)."""
    label = np.arange(count)
    while True:
        smaller = np.minimum(label[source], label[destination])
        updated = label.copy()
        np.minimum.at(updated, label[source], smaller)
        np.minimum.at(updated, label[destination], smaller)
        while not np.array_equal(updated, shorter := updated[updated]):
            updated = shorter
        if np.array_equal(updated, label):
            return label
        label = updated


def _connected(source: np.ndarray, destination: np.ndarray, count: int) -> np.ndarray:
    """Return positions around (0, 0) for the nodes of one component; one unit is about the room a node takes."""
    rng = np.random.default_rng(_SEED)
    degree = np.bincount(source, minlength=count) + np.bincount(destination, minlength=count)
    if len(source) > _SAMPLE:
        kept = np.sort(rng.choice(len(source), _SAMPLE, replace=False))
        source, destination = source[kept], destination[kept]
    position = _smooth(source, destination, degree, count, rng) * np.sqrt(count)
    return _forces(position, source, destination, (degree + 1.0) ** _HUBS)


def _smooth(
    source: np.ndarray, destination: np.ndarray, degree: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a rough spectral layout: two vectors that vary as little as they can along edges."""
    weight = np.sqrt(degree + 1.0)
    basis = rng.normal(size=(count, 2))
    flat = (weight / np.linalg.norm(weight))[:, None]
    for _ in range(30):
        ahead = basis / weight[:, None]
        basis = (
            basis
            + (_summed(destination, ahead[source], count) + _summed(source, ahead[destination], count))
            / weight[:, None]
        )
        basis -= flat * (flat.T @ basis)
        basis, _ = np.linalg.qr(basis) if count > 2 else (basis, None)
    spread = basis / weight[:, None]
    size = np.abs(spread).max(axis=0)
    ranked = spread / np.where(size > 0, size, 1)
    return np.sign(ranked) * np.sqrt(np.abs(ranked)) + rng.normal(scale=0.02, size=(count, 2))


def _forces(position: np.ndarray, source: np.ndarray, destination: np.ndarray, mass: np.ndarray) -> np.ndarray:
    from ..compute import kernels  # numba takes a second to import, and not every page is opened

    count = len(mass)
    rounds = _ROUNDS if count + len(source) < 300_000 else _ROUNDS // 3
    speed, last = 1.0, np.zeros_like(position)
    for turn in range(rounds):
        force = _repulsion(position, mass, 64 if turn < rounds * 2 // 3 else 128)
        if kernels.COMPILED:
            kernels.pull(source, destination, position, force)
        else:
            force += _pulled(source, destination, position)
        force -= position * (_GRAVITY * mass)[:, None]
        swing, kept = np.hypot(*(force - last).T), np.hypot(*(force + last).T) / 2
        speed = min(0.3 * (mass @ kept) / max(mass @ swing, 1e-9), speed * 1.5)
        step = speed / (1 + np.sqrt(speed * swing))
        move = force * step[:, None]
        limit = 0.1 * np.sqrt(count) + 1
        far = np.hypot(*move.T)
        position = position + move * np.minimum(1, limit / (far + 1e-9))[:, None]
        last = force
    centred: np.ndarray = position - np.average(position, axis=0, weights=mass)
    return centred


def _pulled(source: np.ndarray, destination: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return what ``kernels.pull`` adds, where nothing compiles it."""
    along = position[destination] - position[source]
    count = len(position)
    pulled: np.ndarray = _summed(source, along, count) - _summed(destination, along, count)
    return pulled


def _repulsion(position: np.ndarray, mass: np.ndarray, cells: int) -> np.ndarray:
    """Return what all other nodes push each node with: mass times mass by distance."""
    if len(mass) <= 512:
        away = position[:, None, :] - position[None, :, :]
        square = (away**2).sum(axis=2) + 0.01
        push: np.ndarray = (away * (mass[None, :] * mass[:, None] / square)[:, :, None]).sum(axis=1)
        return push
    low, high = position.min(axis=0), position.max(axis=0)
    size = max((high - low).max(), 1e-9) / (cells - 2)
    at = (position - low) / size + 0.5
    corner = at.astype(np.int64)
    share = at - corner
    weights = [
        (dx, dy, (share[:, 0] if dx else 1 - share[:, 0]) * (share[:, 1] if dy else 1 - share[:, 1]))
        for dx in (0, 1)
        for dy in (0, 1)
    ]
    slots = [(corner[:, 0] + dx) * cells + corner[:, 1] + dy for dx, dy, _ in weights]
    density = np.zeros(cells * cells)
    for slot, (_, _, weight) in zip(slots, weights, strict=True):
        density += np.bincount(slot, weights=weight * mass, minlength=cells * cells)
    wide = 2 * cells
    spectrum = np.fft.rfft2(density.reshape(cells, cells), (wide, wide))
    push = np.empty_like(position)
    for axis, distance in enumerate(_distances(wide)):
        field = np.fft.irfft2(spectrum * distance, (wide, wide))[:cells, :cells].ravel()
        push[:, axis] = sum(field[slot] * weight for slot, (_, _, weight) in zip(slots, weights, strict=True))
    push *= (mass / size)[:, None]
    return push


@cache
def _distances(wide: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the spectra of direction by distance, along both axes of a grid."""
    offset = np.fft.fftfreq(wide, 1 / wide)
    square = offset[:, None] ** 2 + offset[None, :] ** 2
    square[0, 0] = 1
    return np.fft.rfft2(offset[:, None] / square), np.fft.rfft2(offset[None, :] / square)


def _summed(at: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    return np.stack([np.bincount(at, weights=values[:, axis], minlength=count) for axis in (0, 1)], axis=1)


def _stars(
    position: np.ndarray,
    radius: np.ndarray,
    label: np.ndarray,
    members: np.ndarray,
    source: np.ndarray,
    destination: np.ndarray,
) -> None:
    """Place the components of two and three nodes: a node of most edges at the centre, the others around it."""
    few = (members[label] > 1) & (members[label] < _STARS_BELOW)
    if not few.any():
        return
    count = len(label)
    degree = np.bincount(source, minlength=count) + np.bincount(destination, minlength=count)
    nodes = np.flatnonzero(few)
    nodes = nodes[np.lexsort((nodes, -degree[nodes], label[nodes]))]
    start = np.concatenate([[True], label[nodes][1:] != label[nodes][:-1]])
    rank = np.arange(len(nodes)) - np.maximum.accumulate(np.where(start, np.arange(len(nodes)), 0))
    angle = 2 * np.pi * rank / np.maximum(members[label[nodes]] - 1, 1) + label[nodes]
    position[nodes] = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (rank > 0)[:, None] * 2
    radius[label[nodes]] = 2.5


def _packed(radius: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return a centre for each component: the large ones in rows from the top, what is alone in rows below."""
    centre = np.zeros((len(radius), 2))
    radius = np.where(members == 1, 1.2, radius * 1.08 + 0.5)
    order = np.argsort(-np.where(members > 0, radius, -1), kind="stable")[: np.count_nonzero(members)]
    if not len(order):
        return centre
    width = max(2 * radius[order[0]], np.sqrt((4 * radius[order] ** 2).sum()) * 1.15)
    x, y, row = 0.0, 0.0, 2 * radius[order[0]]
    for which in order:
        across = 2 * radius[which]
        if x and x + across > width:
            x, y, row = 0.0, y - row, across
        centre[which] = (x + across / 2, y - row / 2)
        x += across
    return centre


def _centred(position: np.ndarray) -> np.ndarray:
    if not len(position):
        return position
    low, high = position.min(axis=0), position.max(axis=0)
    extent = (high - low).max()
    centred: np.ndarray = (position - (low + high) / 2) * (2 / extent if extent > 0 else 1)
    return centred
