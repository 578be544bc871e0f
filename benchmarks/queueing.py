"""1,000 tasks a second: what a task costs each part, measured; the same load real and simulated; then what is not here.

``python benchmarks/queueing.py [--seconds 15] [--costs FILE]``: measures on this machine, compares the simulation with real
load, and lets it say what more cores, more servers and a Dask cluster would give. Costs are CPU seconds of the server's
process, of the processes below it and of the client; ``--costs`` keeps them in a file, and takes them from there the
next time. Needs Linux, simpy and the extra ``dask``.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.client
import json
import os
import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from measure import cpu_seconds, machine
from server import served
from simulation import Costs, Found, House, Site, always, bursts, one_of, poisson

from graphistry_core import GraphistryClient, frames
from graphistry_core.executors import GraphData, Limits, Task, get_executor, processes
from graphistry_core.gateway import Gateway
from graphistry_core.hub import Hub
from graphistry_core.messages import Auth, HttpRequest

SOURCE = "def task(g):\n    import time\n    n = len(g._edges)\n    return {'edges': n, 'cpu': time.process_time()}"
EDGES = 100_000
CLIENTS = (1, 2, 4, 8)


def edges() -> pa.Table:
    rng = np.random.default_rng(7)
    return pa.table({end: rng.integers(0, EDGES // 8, EDGES) for end in ("src", "dst")})


def serve(pipe: Any) -> None:
    from graphistry_devserver import DevServer

    with DevServer(executor="isolated") as server:
        pipe.send((server.port, os.getpid()))
        server.join()


# --- load ---


class Asker:
    """Asks a server to run the task, over connections that are kept."""

    def __init__(self, port: int, token: str, dataset_id: str) -> None:
        self._port, self._free = port, queue.SimpleQueue[Any]()
        self._path = f"/api/v2/datasets/{dataset_id}/python"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._body = json.dumps({"execute": SOURCE}).encode()

    def __call__(self) -> float | None:
        """CPU time that the task's process had until it answered; None for one that was turned away."""
        try:
            connection = self._free.get_nowait()
        except queue.Empty:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        connection.request("POST", self._path, self._body, self._headers)
        answer = connection.getresponse()
        body = answer.read()
        self._free.put(connection)
        if answer.status == 503:
            return None
        assert answer.status == 200, body[:300]
        return float(json.loads(body)["cpu"])


def closed_load(ask: Callable[[], Any], clients: int, seconds: float) -> tuple[int, float]:
    """Let each client ask again when it is answered; return how many answers, in how many seconds."""
    counts, end = [0] * clients, time.perf_counter() + seconds

    def client(number: int) -> None:
        while time.perf_counter() < end:
            ask()
            counts[number] += 1

    started = time.perf_counter()
    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), time.perf_counter() - started


def open_load(ask: Callable[[], Any], arrivals: Sequence[float]) -> Found:
    """Ask at given moments, whatever happens to those before; times count from the moment that was meant."""
    found, lock = Found(seconds=arrivals[-1]), threading.Lock()

    def one(at: float) -> None:
        answer = ask()
        took = time.perf_counter() - started - at
        with lock:
            found.asked += 1
            if answer is None:
                found.refused += 1
            else:
                found.times.append(took)

    started, threads = time.perf_counter(), []
    for at in arrivals:
        time.sleep(max(at - (time.perf_counter() - started), 0))
        threads.append(threading.Thread(target=one, args=(at,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return found


# --- costs ---


def each(call: Callable[[], Any], count: int = 1000) -> float:
    """CPU seconds of this process for one call."""
    call()
    started = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - started) / count


def small_parts() -> dict[str, float]:
    """CPU seconds of checking a token, and of answering a small request without a socket."""
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(folder, executor="inprocess")
        client = GraphistryClient()
        gateway = Gateway(hub)
        body = json.dumps({"username": "u", "password": "p"}).encode()
        token = json.loads(gateway.handle(HttpRequest("POST", "/api-token-auth/", body=body)).body)["token"]
        auth = Auth("bearer", token)
        asked = lambda: HttpRequest(  # noqa: E731
            "GET", "/api/v2/files/", headers={"authorization": f"Bearer {token}"}
        )
        del client
        found = {"token": each(lambda: hub.caller(auth)), "gateway": each(lambda: gateway.handle(asked()))}
        hub.close()
    return found


def below(pid: int) -> float:
    return sum(map(cpu_seconds, processes.descendants(pid)))


def executors(seconds: float) -> dict[str, Any]:
    """Tasks without HTTP: answers a second by clients, and the CPU time of one, which is returned."""
    known: dict[str, Any] = {}
    print(
        "\n| executor, in this process | answers/s with 1, 2, 4, 8 clients | CPU of a task, ms: this process | below it |\n|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edges.arrow"
        frames.write_arrow(frames.at_rest(edges()), path)
        bindings = {"source": "src", "destination": "dst"}
        for name in ("inprocess", "isolated", "spawned"):
            graph = GraphData(frames.map_arrow(path), None, bindings, "d", files={"edges": path})
            executor = get_executor(name)
            ask = lambda executor=executor, graph=graph: executor.run(Task(SOURCE), graph, Limits()).unwrap()  # noqa: E731
            closed_load(ask, 2, 1)
            mine, theirs = time.process_time(), below(os.getpid())
            loads = [closed_load(ask, clients, seconds / 3) for clients in CLIENTS]
            time.sleep(0.3)
            count = sum(n for n, _ in loads)
            mine, theirs = time.process_time() - mine, below(os.getpid()) - theirs
            rates = ", ".join(f"{n / took:.0f}" for n, took in loads)
            print(f"| {name} | {rates} | {mine / count * 1e3:.2f} | {theirs / count * 1e3:.2f} |", flush=True)
            known |= {f"{name}, in the process": mine / count, f"{name}, below it": theirs / count}
            executor.close()
    return known


@contextlib.contextmanager
def asked_server() -> Iterator[tuple[Asker, int, int, str]]:
    """A server with a dataset: what asks it, its port, its process id, a token."""
    with served(serve) as (port, pid):
        client = GraphistryClient()
        client.register(server=f"127.0.0.1:{port}", protocol="http", username="u", password="p", transport="http")
        dataset_id = client.edges(edges(), "src", "dst").upload()._dataset_id
        ask = Asker(port, client.api_token(), dataset_id)
        closed_load(ask, 4, 2)
        yield ask, port, pid, client.api_token()


def calibrate(seconds: float) -> dict[str, Any]:
    """CPU seconds of one task for the server, for what is below it, for the client; and of one that is turned away."""
    known: dict[str, Any] = small_parts()
    with asked_server() as (ask, port, pid, token):
        until: list[float] = []
        counts, before = 0, (cpu_seconds(pid), below(pid), time.process_time())
        for clients in (1, 2):
            counts += closed_load(lambda: until.append(ask() or 0.0), clients, seconds)[0]
        time.sleep(0.3)
        server, tasks, client = (
            now - then for now, then in zip((cpu_seconds(pid), below(pid), time.process_time()), before, strict=True)
        )
        known |= {"server": server / counts, "below": tasks / counts, "client": client / counts, "until": until[-2000:]}
        connection = http.client.HTTPConnection("127.0.0.1", port)

        def small() -> None:
            connection.request("GET", "/api/v2/files/", headers={"Authorization": f"Bearer {token}"})
            connection.getresponse().read()

        before_small, mine = cpu_seconds(pid), time.process_time()
        for _ in range(3000):
            small()
        known["small request"] = (cpu_seconds(pid) - before_small) / 3000
        known["small request, client"] = (time.process_time() - mine) / 3000
        # Four times as many as there is room for: most are turned away.
        room = 64 + 2 * (os.cpu_count() or 1)
        refusals, done, mine = 0, 0, cpu_seconds(pid)
        found = open_load(ask, [n * 1e-4 for n in range(4 * room)])
        refusals, done = found.refused, len(found.times)
        mine = cpu_seconds(pid) - mine - done * known["server"]
        known["refusal"] = min(max(mine / max(refusals, 1), 0.0), known["server"])
    return known


def costs_of(known: dict[str, Any], client: bool) -> Costs:
    """What the simulation is told."""
    until = statistics.fmean(known["until"])
    return Costs(
        task=one_of(known["until"]),
        after=max(known["below"] - until, 0.0),
        front=known["server"],
        refusal=known["refusal"],
        client=known["client"] if client else 0.0,
    )


def cluster(seconds: float) -> dict[str, Any]:
    """The same with a Dask cluster of two workers on this machine, for each of its parts; answers a second, too."""
    folder = Path(tempfile.mkdtemp())
    told = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    ours = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)]
    theirs = ["--scheduler-file", str(told), "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    started = [subprocess.Popen([*dask, "scheduler", *ours], **quiet)]
    try:
        for number in range(2):
            command = [*dask, "worker", *theirs, "--local-directory", str(folder / str(number))]
            started.append(subprocess.Popen(command, **quiet))
        while not told.exists():
            time.sleep(0.1)
        time.sleep(1)
        path = folder / "edges.arrow"
        frames.write_arrow(frames.at_rest(edges()), path)
        bindings = {"source": "src", "destination": "dst"}
        graph = GraphData(frames.map_arrow(path), None, bindings, "d", files={"edges": path})
        executor = get_executor("dask", scheduler=json.loads(told.read_text())["address"])
        ask = lambda: executor.run(Task(SOURCE), graph, Limits()).unwrap()  # noqa: E731
        closed_load(ask, 2, 5)
        parts: dict[str, Callable[[], float]] = {
            "in the process": time.process_time,
            "scheduler": lambda: cpu_seconds(started[0].pid),
            "worker": lambda: sum(cpu_seconds(one.pid) for one in started[1:]),
            "below it": lambda: sum(below(one.pid) for one in started[1:]),
        }
        before = {name: now() for name, now in parts.items()}
        time.sleep(5)  # heartbeats cost as much when nothing runs: that is no cost of a task
        idle = {name: (now() - before[name]) / 5 for name, now in parts.items()}
        before = {name: now() for name, now in parts.items()}
        loads = [closed_load(ask, clients, seconds / 3) for clients in CLIENTS]
        count = sum(n for n, _ in loads)
        time.sleep(0.3)
        took = sum(s for _, s in loads) + 0.3
        found = {f"dask, {name}": (now() - before[name] - took * idle[name]) / count for name, now in parts.items()}
        executor.close()
        return {**found, "dask, answers/s": max(n / took for n, took in loads)}
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


# --- the same load, real and simulated ---


def others(rate: float, costs: Costs) -> float:
    """How many others share the machine, if one client that waits for each answer gets so many a second.

    Busy loops would tell less: the system lets those who sleep in between go first.
    """
    low, high = 0.0, 200.0
    site = functools.partial(Site, cores=os.cpu_count() or 1, concurrency=os.cpu_count() or 1)
    while high - low > 0.05:
        middle = (low + high) / 2
        low, high = (middle, high) if House(site(others=middle), costs, 1).closed(1, 20).rate > rate else (low, middle)
    return low


def beside(call: Callable[[], Any], ask: Callable[[], Any], costs: Costs) -> tuple[Any, float]:
    """What a call returns, and how many others there were, by what a single client got before and after."""

    def alone() -> float:
        count, took = closed_load(ask, 1, 3)
        return count / took

    before = alone()
    found = call()
    return found, others((before + alone()) / 2, costs)


def compare(known: dict[str, Any], seconds: float) -> None:
    costs, cores = costs_of(known, client=True), os.cpu_count() or 1
    site = functools.partial(Site, cores=cores, concurrency=cores)
    with asked_server() as (ask, *_):
        print(
            "\n| clients that wait for each answer | others on the machine | measured, answers/s | simulated | error |\n|---|---|---|---|---|"
        )
        best = 0.0
        for clients in CLIENTS:
            (count, took), there = beside(lambda clients=clients: closed_load(ask, clients, seconds), ask, costs)
            found = House(site(others=there), costs, 1).closed(clients, 60)
            best = max(best, count / took)
            print(
                f"| {clients} | {there:.1f} | {count / took:.1f} | {found.rate:.1f} | "
                f"{found.rate / (count / took) - 1:+.0%} |",
                flush=True,
            )
        print(
            "\n| asked, a second | others | mean ms, measured | simulated | p50 | simulated | p99 | simulated | refused | simulated |\n"
            "|---|---|---|---|---|---|---|---|---|---|"
        )
        loads = [(f"{share * best:.0f}", poisson(share * best, seconds, 5)) for share in (0.25, 0.5, 0.75, 1.0, 1.5)]
        loads.append((f"{0.5 * best:.0f}, in bursts of 20", bursts(0.5 * best, seconds, 5)))
        for what, arrivals in loads:
            moments = list(arrivals)
            real, there = beside(lambda moments=moments: open_load(ask, moments), ask, costs)
            like = House(site(others=there), costs, 1).open(moments, moments[-1] + 60)
            cells = [
                (real.mean, like.mean),
                (real.quantile(0.5), like.quantile(0.5)),
                (real.quantile(0.99), like.quantile(0.99)),
            ]
            times = " | ".join(f"{a * 1e3:.0f} | {b * 1e3:.0f}" for a, b in cells)
            shares = f"{real.refused / real.asked:.0%} | {like.refused / max(like.asked, 1):.0%}"
            print(f"| {what} | {there:.1f} | {times} | {shares} |", flush=True)
            time.sleep(1)


# --- what is not here ---


def holds(site: Site, costs: Costs, most: float = 4000.0) -> float:
    """The highest rate of which less than 1 % is refused and 99 % is answered within half a second."""
    low, high = 0.0, most
    while high - low > max(0.04 * high, 2):
        rate = (low + high) / 2
        seconds = max(min(8.0, 6000 / rate), 3.0)
        found = House(site, costs, 1, warm_up=seconds / 4).open(poisson(rate, seconds, 3), seconds)
        good = found.asked and found.refused < 0.01 * found.asked and found.quantile(0.99) < 0.5
        low, high = (rate, high) if good and found.rate > 0.9 * rate else (low, rate)
    return low


def predict(known: dict[str, Any], rate: float, seconds: float = 20) -> None:
    """Machines that nobody else uses, asked from elsewhere."""
    costs = costs_of(known, client=False)

    def row(what: str, site: Site, costs: Costs = costs, arrivals: Any = None) -> None:
        found = House(site, costs, 1, warm_up=seconds / 4).open(arrivals or poisson(rate, seconds, 3), seconds)
        busy = ", ".join(f"{name} {share:.0%}" for name, share in found.busy.items())
        times = f"{found.mean * 1e3:.0f} | {found.quantile(0.5) * 1e3:.0f} | {found.quantile(0.99) * 1e3:.0f}"
        if len(found.times) + found.refused < 0.95 * found.asked:
            times = "grows | grows | grows"
        refused = f"{found.refused / max(found.asked, 1):.0%}"
        print(f"| {what} | {found.rate:.0f}/s | {refused} | {times} | {busy} |", flush=True)

    print("\n| one server, cores | highest rate, tasks isolated | in warm processes (spawned) |\n|---|---|---|")
    warm = None
    if "spawned, below it" in known:
        more = known["spawned, in the process"] - known["isolated, in the process"]
        warm = Costs(
            task=always(known["spawned, below it"]), front=known["server"] + more, refusal=known["refusal"]
        )  # fmt: skip
    for cores in (2, 4, 8, 16, 32, 64):
        site = Site(cores=cores, concurrency=cores)
        print(
            f"| {cores} | {holds(site, costs):.0f}/s | {'' if warm is None else f'{holds(site, warm):.0f}/s'} |",
            flush=True,
        )

    head = "| answered | refused | mean ms | p50 ms | p99 ms | busy |\n|---|---|---|---|---|---|---|"
    print(f"\n{rate:.0f} tasks a second\n\n| servers side by side, 16 cores each {head}")
    for servers in (1, 2, 3, 4, 6):
        row(str(servers), Site(cores=16, concurrency=16, servers=servers))
    row("4, bursts of 50", Site(cores=16, concurrency=16, servers=4), arrivals=bursts(rate, seconds, 3, 50))
    if warm is not None:
        row("3 of 8 cores, warm processes", Site(cores=8, concurrency=8, servers=3), warm)
    if "isolated, in the process" not in known:
        return
    until = statistics.fmean(known["until"])
    away = Costs(
        task=costs.task, front=costs.front, refusal=costs.refusal,
        after=max(known["dask, below it"] - until, 0.0) + known["dask, worker"], scheduler=known["dask, scheduler"],
        away=known["dask, in the process"] - known["isolated, in the process"],
    )  # fmt: skip
    print(f"\n| servers + workers of 8 cores behind one Dask scheduler, tasks a second {head}")
    fifth, behind = rate / 5, functools.partial(Site, cores=8, concurrency=8)
    for servers, workers, asked in ((4, 4, rate), (4, 8, rate), (1, 1, fifth), (1, 2, fifth), (2, 2, 1.5 * fifth)):
        some = poisson(asked, seconds, 3)
        row(f"{servers} + {workers}, {asked:.0f}/s", behind(servers=servers, workers=workers), away, some)
    many = functools.partial(behind, workers=3, datasets=12, fetch_s=0.5, ready=True)
    for homes, kept, what in ((2, 8, "each on two workers"), (0, 12, "any worker"), (0, 4, "any worker")):
        of = f"12 datasets of 0.5 s to fetch, {kept} kept, {what}"
        row(f"1 + 3, {fifth:.0f}/s, {of}", many(homes=homes, kept=kept), away, poisson(fifth, seconds, 3))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15, help="of each load")
    parser.add_argument("--rate", type=float, default=1000, help="tasks a second to plan for")
    parser.add_argument("--costs", type=Path, help="a file for the measured costs, used when it is there")
    parser.add_argument("--no-load", action="store_true", help="neither real load nor executors: predict alone")
    chosen = parser.parse_args()
    print(time.strftime("%Y-%m-%d"), machine())
    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f}")
    if chosen.costs and chosen.costs.exists():
        known = json.loads(chosen.costs.read_text())
    else:
        known = calibrate(chosen.seconds)
        if chosen.costs:
            chosen.costs.write_text(json.dumps(known))
    if "dask, scheduler" not in known:
        known |= cluster(chosen.seconds)
        if chosen.costs:
            chosen.costs.write_text(json.dumps(known))
    print("\n| CPU of one | ms |\n|---|---|")
    shown = {**known, "until": statistics.fmean(known["until"])}
    del shown["dask, answers/s"]  # no time
    for name, value in shown.items():
        print(f"| {name} | {value * 1e3:.3f} |")
    if not chosen.no_load:
        if "spawned, below it" not in known:
            known |= executors(chosen.seconds)
            if chosen.costs:
                chosen.costs.write_text(json.dumps(known))
        compare(known, chosen.seconds)
    predict(known, chosen.rate)
    print(f"\nload at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
