"""The simulation of a server under load gives what queueing theory says, where theory has a formula."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
from typing import Any

import pytest
from conftest import ROOT

pytest.importorskip("simpy", reason="the simulation of benchmarks/ needs simpy")
PATH = ROOT / "benchmarks" / "simulation.py"


@pytest.fixture(scope="module")
def sim() -> Any:
    spec = importlib.util.spec_from_file_location("graphistry_simulation", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def mmck(rate: float, mean: float, places: int, room: int) -> tuple[float, float, float]:
    """Of M/M/c/K: the share that is refused, the mean time of the others, the mean number inside."""
    load = rate * mean
    weights = [
        load**n / math.factorial(n) if n <= places else load**n / (math.factorial(places) * places ** (n - places))
        for n in range(room + 1)
    ]
    share = [weight / sum(weights) for weight in weights]
    inside = sum(n * p for n, p in enumerate(share))
    return share[-1], inside / (rate * (1 - share[-1])), inside


def run(sim: Any, site: Any, costs: Any, rate: float, seconds: float, seed: int = 1) -> Any:
    house = sim.House(site, costs, seed, warm_up=seconds / 20)
    return house.open(sim.poisson(rate, seconds, seed), seconds)


@pytest.mark.parametrize(
    ("places", "queue", "load"), [(1, 10_000, 0.6), (4, 10_000, 0.8), (2, 3, 0.9), (4, 0, 1.5), (1, 5, 2.0)]
)
def test_places_and_a_bounded_queue_are_m_m_c_k(sim, places, queue, load):
    rate = load * places
    site = sim.Site(cores=10_000, concurrency=places, queue=queue)
    found = run(sim, site, sim.Costs(sim.exponential(1.0)), rate, 8_000 / rate)
    refused, mean, inside = mmck(rate, 1.0, places, places + min(queue, 400))
    assert found.refused / found.asked == pytest.approx(refused, abs=0.015)
    assert found.mean == pytest.approx(mean, rel=0.1)
    assert found.inside == pytest.approx(inside, rel=0.1)


def test_cores_that_are_shared_are_m_g_1_ps_whatever_the_distribution(sim):
    site = sim.Site(cores=1, concurrency=10_000)
    for draw in (sim.always(1.0), sim.one_of([0.1, 0.1, 0.1, 3.7])):
        found = run(sim, site, sim.Costs(draw), 0.6, 10_000)
        assert found.mean == pytest.approx(1 / (1 - 0.6), rel=0.1)
        assert found.busy["cores"] == pytest.approx(0.6, rel=0.05)


def test_one_thread_in_front_is_m_d_1(sim):
    site = sim.Site(cores=10_000, concurrency=10_000)
    found = run(sim, site, sim.Costs(sim.always(0.0), front=1.0, before=1.0), 0.7, 10_000)
    assert found.mean == pytest.approx(1 + 0.7 / (2 * (1 - 0.7)), rel=0.06)  # Pollaczek and Khinchine
    assert found.busy["server process"] == pytest.approx(0.7, rel=0.05)


def test_as_many_are_inside_as_little_says(sim):
    costs = sim.Costs(sim.exponential(1.0), front=0.2, after=0.5, client=0.1)
    found = run(sim, sim.Site(cores=3, concurrency=4, queue=30), costs, 1.5, 3_000)
    took = found.mean * len(found.times)
    assert found.refused == 0
    assert found.inside == pytest.approx(took / found.seconds, rel=0.02)


def test_a_cluster_with_one_worker_machine_for_each_task_is_m_m_c(sim):
    site = sim.Site(cores=1, concurrency=1, queue=10_000, workers=4)
    found = run(sim, site, sim.Costs(sim.exponential(1.0)), 3.2, 3_000)
    assert found.mean == pytest.approx(mmck(3.2, 1.0, 4, 300)[1], rel=0.1)


def test_a_dataset_is_fetched_once_by_each_worker_that_needs_it(sim):
    site = sim.Site(cores=1, concurrency=1, queue=1000, workers=3, datasets=2, fetch_s=5.0, kept=2)
    found = run(sim, site, sim.Costs(sim.exponential(1.0)), 2.0, 2_000)
    assert 3 <= found.fetched <= 6
    ready = sim.Site(cores=1, concurrency=1, queue=1000, workers=3, datasets=3, fetch_s=5.0, homes=1, ready=True)
    assert run(sim, ready, sim.Costs(sim.exponential(1.0)), 0.5, 2_000).fetched == 0
    few = sim.Site(cores=1, concurrency=1, queue=1000, workers=3, datasets=2, fetch_s=5.0, kept=1)
    assert run(sim, few, sim.Costs(sim.exponential(1.0)), 0.2, 2_000).fetched > 20  # thrown out again and again


def test_arrivals_have_their_rate_and_bursts_come_together(sim):
    alone, together = list(sim.poisson(5, 4_000, 3)), list(sim.bursts(5, 4_000, 3, size=10))
    assert len(alone) == pytest.approx(20_000, rel=0.03)
    assert len(together) == pytest.approx(20_000, rel=0.1)
    assert len(set(together)) == pytest.approx(len(together) / 10, rel=0.1)
    assert together == sorted(together)


def test_clients_that_wait_for_each_answer_ask_as_fast_as_the_slowest_part(sim):
    found = sim.House(sim.Site(cores=2, concurrency=2), sim.Costs(sim.always(1.0), after=0.5), 1).closed(8, 300)
    assert found.rate == pytest.approx(2 / 1.5, rel=0.05)


def test_others_on_the_machine_take_their_share(sim):
    def mean(others: float) -> float:
        site = sim.Site(cores=2, concurrency=1, others=others)
        return sim.House(site, sim.Costs(sim.always(1.0)), 1).closed(1, 100).mean

    assert mean(0) == pytest.approx(1.0)
    assert mean(3) == pytest.approx(2.0)  # four want two cores


def test_the_same_seed_gives_the_same(sim):
    costs, site = sim.Costs(sim.exponential(0.5), front=0.1, after=0.1), sim.Site(datasets=3, workers=2, fetch_s=1.0)
    assert run(sim, site, costs, 2, 200).times == run(sim, site, costs, 2, 200).times
    assert sim.one_of([1, 2, 3])(random.Random(1)) in (1, 2, 3)
