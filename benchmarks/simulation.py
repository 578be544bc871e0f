"""The way of a task through a server, as a simulation: arrivals, HTTP, places for tasks, cores, a cluster's workers.

Costs are CPU seconds, which cores share out evenly among all who want them; so a figure that was measured on a busy
machine still holds on an idle one. ``queueing.py`` measures the costs and compares with real load; ``tests/
test_simulation.py`` compares with closed formulas. Needs simpy.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import simpy

Draw = Callable[[random.Random], float]
Steps = Generator[simpy.Event, Any, None]


# --- when tasks come ---


def poisson(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Moments of arrivals, independent of each other."""
    chance, at = random.Random(seed), 0.0
    while (at := at + chance.expovariate(rate)) < seconds:
        yield at


def bursts(rate: float, seconds: float, seed: int, size: float = 20) -> Iterator[float]:
    """Moments of arrivals that come together: bursts are independent of each other, of ``size`` on average."""
    chance, at = random.Random(seed), 0.0
    while (at := at + chance.expovariate(rate / size)) < seconds:
        while True:
            yield at
            if chance.random() < 1 / size:  # a geometric number
                break


def always(seconds: float) -> Draw:
    """The same every time."""
    return lambda chance: seconds


def exponential(mean: float) -> Draw:
    """Without memory."""
    return lambda chance: chance.expovariate(1 / mean)


def one_of(values: Iterable[float]) -> Draw:
    """What was measured, drawn again."""
    known = list(values)
    return lambda chance: chance.choice(known)


# --- parts ---


class Cores:
    """Processors that share their time evenly; nobody gets more than one. ``others``: how many always want theirs too."""

    def __init__(self, env: simpy.Environment, count: float, others: float = 0.0) -> None:
        self._env, self._count, self._others = env, count, others
        self._done: list[tuple[float, int, simpy.Event]] = []  # by how much each must have got
        self._numbers = itertools.count()
        self._given = self._looked = 0.0  # what everybody who was there all the time has got
        self._alarm = 0
        self.busy_s = 0.0

    def work(self, seconds: float) -> simpy.Event:
        """Return what happens when so much CPU time was had."""
        self._advance()
        event = self._env.event()
        heapq.heappush(self._done, (self._given + seconds, next(self._numbers), event))
        self._plan()
        return event

    def _rate(self) -> float:
        return min(1.0, self._count / (len(self._done) + self._others)) if self._done else 0.0

    def _advance(self) -> None:
        got = (self._env.now - self._looked) * self._rate()
        self._given += got
        self.busy_s += got * len(self._done)
        self._looked = self._env.now

    def _plan(self) -> None:
        self._alarm += 1
        if self._done:
            wait = max((self._done[0][0] - self._given) / self._rate(), 0.0)
            alarm = self._alarm
            self._env.timeout(wait).callbacks.append(lambda _: self._ring(alarm))

    def _ring(self, alarm: int) -> None:
        if alarm != self._alarm:
            return  # somebody came or went since
        self._advance()
        self._given = max(self._given, self._done[0][0])  # rounding must not keep it from ending
        while self._done and self._done[0][0] <= self._given:
            heapq.heappop(self._done)[2].succeed()
        self._plan()


@dataclass(frozen=True)
class Costs:
    """CPU seconds of one task.

    ``front``: the server's process, one thread at a time (``before`` of it until the task is
    handed over); ``refusal``: the same of one that is turned away; ``task``: its process until it has answered;
    ``after``: until its place is free again; ``client``: whoever asks, where that is on the same machine;
    ``scheduler``: a cluster's scheduler; ``away``: what handing a task to another machine costs its server.
    """

    task: Draw
    front: float = 0.0
    before: float = 0.5
    refusal: float = 0.0
    after: float = 0.0
    client: float = 0.0
    scheduler: float = 0.0
    away: float = 0.0


@dataclass(frozen=True)
class Site:
    """Who is there. Without ``workers`` tasks run beside the one server, on its cores; with them on so many machines.

    ``cores`` and ``concurrency`` are those of every machine, ``queue`` how many wait at each server. A task is on one of
    ``datasets``, the first more often than the last; a worker that has not got it fetches it in ``fetch_s`` and keeps
    the last ``kept``; ``ready``: it begins with some. ``homes``: on how many workers a dataset's tasks may run (0: on all).
    """

    cores: float = 2
    concurrency: int = 2
    queue: int = 64
    servers: int = 1
    workers: int = 0
    others: float = 0.0
    datasets: int = 1
    fetch_s: float = 0.0
    kept: int = 8
    homes: int = 0
    ready: bool = False


@dataclass
class Found:
    """What came of it: times from asking to answer, in seconds, and how busy each part was (1: always)."""

    times: list[float] = field(default_factory=list)
    asked: int = 0
    refused: int = 0
    seconds: float = 0.0
    inside: float = 0.0  # tasks in the house, on average
    busy: dict[str, float] = field(default_factory=dict)
    fetched: int = 0

    @property
    def mean(self) -> float:
        """Mean time to an answer."""
        return sum(self.times) / max(len(self.times), 1)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.seconds if self.seconds else 0.0

    def quantile(self, share: float) -> float:
        """The time within which such a share was answered."""
        known = sorted(self.times)
        return known[min(int(share * len(known)), len(known) - 1)] if known else float("nan")


# --- the house ---


class _Worker:
    def __init__(self, env: simpy.Environment, cores: Cores, places: int) -> None:
        self.cores, self.free = cores, places
        self.places = places
        self.link = simpy.Resource(env, 1)
        self.tables: OrderedDict[int, simpy.Event] = OrderedDict()


class House:
    """One run of a site."""

    def __init__(self, site: Site, costs: Costs, seed: int, warm_up: float = 0.0) -> None:
        self.env, self.site, self.costs = simpy.Environment(), site, costs
        self._chance, self._warm_up = random.Random(f"house {seed}"), warm_up  # not the arrivals' numbers
        fronts = [Cores(self.env, site.cores, site.others) for _ in range(site.servers)]
        self._fronts = [(cores, simpy.Resource(self.env, 1)) for cores in fronts]
        if site.workers:
            self._workers = [
                _Worker(self.env, Cores(self.env, site.cores), site.concurrency) for _ in range(site.workers)
            ]
        else:
            self._workers = [_Worker(self.env, cores, site.concurrency) for cores in fronts]
        self._scheduler = simpy.Resource(self.env, 1)
        for dataset in reversed(range(site.datasets if site.ready else 0)):
            for worker in self._homes(0, dataset):
                worker.tables[dataset] = self.env.event().succeed()
                while len(worker.tables) > site.kept:
                    worker.tables.popitem(last=False)
        self._waiting: list[list[tuple[int, simpy.Event]]] = [[] for _ in range(1 if site.workers else site.servers)]
        self._numbers = itertools.count()
        self._served = self._scheduled = 0.0
        self.found = Found()
        self._inside, self._changed = 0, 0.0

    def open(self, arrivals: Iterable[float], seconds: float) -> Found:
        """Let tasks come whatever happens to those before them."""

        def come() -> Steps:
            for at in arrivals:
                yield self.env.timeout(max(at - self.env.now, 0.0))
                self.env.process(self._task())

        self.env.process(come())
        return self._run(seconds)

    def closed(self, clients: int, seconds: float) -> Found:
        """Let each of some clients ask again when it is answered."""

        def ask() -> Steps:
            while True:
                yield self.env.process(self._task())

        for _ in range(clients):
            self.env.process(ask())
        return self._run(seconds)

    def _run(self, seconds: float) -> Found:
        self.env.run(until=seconds)
        self._count(0)
        found, every = self.found, [cores for cores, _ in self._fronts]
        found.seconds = seconds - self._warm_up
        found.inside /= found.seconds
        found.busy["server process"] = self._served / seconds / len(every)
        if self.site.workers:
            found.busy["scheduler"] = self._scheduled / seconds
            every = [worker.cores for worker in self._workers]
        found.busy["cores"] = sum(cores.busy_s for cores in every) / seconds / len(every) / self.site.cores
        return found

    def _count(self, change: int) -> None:
        since = max(self._changed, self._warm_up)
        self.found.inside += self._inside * max(self.env.now - since, 0.0)
        self._inside, self._changed = self._inside + change, self.env.now

    def _task(self) -> Steps:
        """One task, from asking to answer."""
        at, counts = self.env.now, self.env.now >= self._warm_up
        self.found.asked += counts
        place, dataset = next(self._numbers) % len(self._fronts), self._dataset()
        self._count(1)
        costs, (cores, thread) = self.costs, self._fronts[place]
        if costs.client:
            yield cores.work(costs.client)
        taken = False
        if self._is_full(place, dataset):
            yield from self._serve(cores, thread, costs.refusal)
        else:
            yield from self._serve(cores, thread, (costs.front + costs.away) * costs.before)
            taken = not self._is_full(place, dataset)
        if taken:
            yield from self._run_one(place, dataset)
            yield from self._serve(cores, thread, (costs.front + costs.away) * (1 - costs.before))
        self._count(-1)
        if counts and taken:
            self.found.times.append(self.env.now - at)
        elif counts:
            self.found.refused += 1

    def _is_full(self, place: int, dataset: int) -> bool:
        """Say whether a server turns a task away: all places are taken, and as many wait as may."""
        line = self._waiting[0 if self.site.workers else place]
        room = self.site.queue * (self.site.servers if self.site.workers else 1)
        return len(line) >= room and self._choose(place, dataset) is None

    def _serve(self, cores: Cores, thread: simpy.Resource, seconds: float) -> Steps:
        if seconds <= 0:
            return
        with thread.request() as turn:
            yield turn
            started = self.env.now
            yield cores.work(seconds)
            self._served += self.env.now - started

    def _run_one(self, place: int, dataset: int) -> Steps:
        costs = self.costs
        if costs.scheduler and self.site.workers:
            with self._scheduler.request() as turn:
                yield turn
                self._scheduled += costs.scheduler
                yield self.env.timeout(costs.scheduler)
        line = 0 if self.site.workers else place
        worker = self._choose(place, dataset)
        while worker is None:
            turn = self.env.event()
            self._waiting[line].append((dataset, turn))
            yield turn
            worker = self._choose(place, dataset)
        worker.free -= 1
        yield from self._fetch(worker, dataset)
        yield worker.cores.work(costs.task(self._chance))
        self.env.process(self._after(worker, line))

    def _after(self, worker: _Worker, line: int) -> Steps:
        if self.costs.after:
            yield worker.cores.work(self.costs.after)
        yield self.env.timeout(0)
        worker.free += 1
        for at, (dataset, turn) in enumerate(self._waiting[line]):
            if not self.site.workers or worker in self._homes(0, dataset):
                del self._waiting[line][at]
                turn.succeed()
                return

    def _homes(self, place: int, dataset: int) -> list[_Worker]:
        """The workers on which a task may run."""
        if not self.site.workers:
            return [self._workers[place]]
        count = len(self._workers)
        homes = min(self.site.homes or count, count)
        return [self._workers[(dataset + n * count // homes) % count] for n in range(homes)]

    def _choose(self, place: int, dataset: int) -> _Worker | None:
        free = [worker for worker in self._homes(place, dataset) if worker.free]
        near = [worker for worker in free if dataset in worker.tables] if self.site.datasets > 1 else []
        return max(near or free, key=lambda worker: worker.free, default=None)

    def _dataset(self) -> int:
        return int(self.site.datasets * self._chance.random() ** 2) if self.site.datasets > 1 else 0

    def _fetch(self, worker: _Worker, dataset: int) -> Steps:
        if not self.site.fetch_s or not self.site.workers:
            return
        here = worker.tables.get(dataset)
        if here is not None:
            worker.tables.move_to_end(dataset)
            if not here.triggered:
                yield here  # somebody else is fetching it
            return
        here = worker.tables[dataset] = self.env.event()
        while len(worker.tables) > self.site.kept:
            worker.tables.popitem(last=False)
        with worker.link.request() as turn:
            yield turn
            yield self.env.timeout(self.site.fetch_s)
        self.found.fetched += 1
        here.succeed()
