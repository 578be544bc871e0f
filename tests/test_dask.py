"""Tasks on a Dask cluster: a real one, its scheduler and workers started by their own commands."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import requests
from api import Api
from test_cli import Serving
from test_faults import SLEEP, HttpHarness

import graphistry_core as graphistry
from graphistry_core import cluster, engines, errors, executors, frames, object_storage, run_task
from graphistry_core.diagnosis import _skew
from graphistry_core.executors import GraphData, Limits, Task, get_executor, processes
from graphistry_core.executors.dask import _preference, _Worker
from pytest_graphistry.contracts import LIMITS, ExecutorContract, processes_of_tasks, wait_until
from pytest_graphistry.contracts.executor import LibraryHarness

distributed = pytest.importorskip("distributed", reason="needs the extra dask")
cluster._distributed()  # undoes what importing it does to the pickling of all exceptions, for all tests

pytestmark = [
    pytest.mark.xdist_group("dask"),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted through /proc"),
]

LONG_S = 60
WHERE = """
def task(g):
    above, pid = [], "self"
    while pid not in ("0", "1"):
        pid = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
        above.append(int(pid))
    return {"sum": int(g._edges["w"].sum()), "above": above}
"""


class Cluster:
    """A scheduler and workers as a user starts them, by commands."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder, self.port = folder, port or free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.start_scheduler()

    def _dask(self, *words: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *map(str, words), "--no-dashboard"]
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def start_scheduler(self) -> None:
        self.scheduler = self._dask("scheduler", "--host", "127.0.0.1", "--port", self.port)

    def add(self, *options: object, threads: int = 1) -> Cluster:
        words = ("worker", self.address, "--nthreads", threads, "--local-directory", self.folder, "--host", "127.0.0.1")
        self.workers.append(self._dask(*words, *options))
        return self

    def wait_for(self, count: int) -> Cluster:
        """Wait until so many workers are there."""

        def there() -> bool:
            with contextlib.suppress(errors.ServerUnreachable), cluster.connected(self.address) as client:
                return len(cluster.threads(client)) == count
            return False

        assert wait_until(there, LONG_S), (self.folder / "log.txt").read_text()
        return self

    def stop(self) -> None:
        for process in [*self.workers, self.scheduler]:
            below = list(processes.descendants(process.pid))
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
            for pid in below:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Two workers, one with two threads."""
    made = Cluster(tmp_path_factory.mktemp("dask")).add(threads=2).add()
    try:
        made.wait_for(2)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def executor(running):
    made = get_executor("dask", scheduler=running.address)
    made.warm()
    yield made
    made.close()


@pytest.fixture
def harness(executor):
    made = LibraryHarness(executor)
    yield made
    made._folder.cleanup()


@pytest.fixture
def breakable(tmp_path):
    """A cluster to break."""
    made = Cluster(tmp_path)
    yield made
    made.stop()


class TestDask(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _cluster(self, running, executor):
        type(self).address = running.address

    def make_executor(self):
        return get_executor("dask", scheduler=self.address)


@pytest.fixture(scope="module")
def local():
    """Two worker processes that this process has started."""
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(n_workers=2, **options) as made,
        distributed.Client(made, set_as_default=False) as client,
    ):
        yield client


class TestOnALocalCluster(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _cluster(self, local):
        type(self).client = local

    def make_executor(self):
        return get_executor("dask", scheduler=self.client)


def g():
    return graphistry.edges(pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"], "w": [1, 2]}), "s", "d")


def in_background(work):
    done = []

    def run():
        try:
            done.append(work())
        except Exception as e:
            done.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, done


@pytest.fixture
def sent(monkeypatch):
    """To which workers pieces of which tables were sent."""
    found, run = [], distributed.Client.run

    def counting(self, function, *args, **options):
        if function.__name__ == "keep":
            found.append((options["workers"][0], args[0]))
        return run(self, function, *args, **options)

    monkeypatch.setattr(distributed.Client, "run", counting)
    return found


class TestRunning:
    def test_run_task_with_a_scheduler_runs_there(self, running):
        found = run_task(WHERE, g(), scheduler=running.address)
        executors._shared.pop(("dask", ("scheduler", running.address))).close()  # while its scheduler is there
        assert found["sum"] == 3
        assert set(found["above"]) & {worker.pid for worker in running.workers}

    def test_an_existing_client_is_used_and_stays_open(self, running):
        with distributed.Client(running.address, set_as_default=False) as client:
            made = get_executor("dask", scheduler=client)
            assert run_task("def task(g): return {'n': len(g._edges)}", g(), executor=made) == {"n": 2}
            made.close()
            assert client.status == "running"

    def test_the_current_client_of_the_process_is_taken_and_stays_open(self, running):
        with distributed.Client(running.address) as client:
            made = get_executor("dask")
            assert made.address == running.address
            made.close()
            with cluster.connected():
                pass
            assert client.status == "running"

    def test_a_worker_that_came_before_the_task_at_a_known_address_is_no_lost_one(self, harness):
        for _ in range(2):
            assert harness.run("def task(g): return {'n': len(g._edges)}").json() == {"n": 4}
            for worker in harness.executor._workers.values():
                worker.nonce = "of the process that was there before"

    def test_the_environment_names_the_scheduler(self, running, monkeypatch):
        monkeypatch.setenv(cluster.SCHEDULER, running.address)
        made = get_executor("dask")
        assert made.address == running.address
        made.close()

    def test_errors_are_those_of_the_isolated_executor(self, harness):
        isolated = LibraryHarness(get_executor("isolated"))
        sources = [
            "def task(g):\n    print('said')\n    return g._edges['nope']",
            "def task(g): return {1, 2}",
            "def task(g) return 1",
            "import os\ndef task(g): os._exit(3)",
            "def task(g): return 'x' * 2_000_000",
        ]
        limits = Limits(timeout_s=20, memory_mb=400, result_mb=1)
        for source in sources:
            theirs, ours = (each.run(source, limits) for each in (isolated, harness))
            assert ours.code == theirs.code != ""
            for about in (ours.about, theirs.about):
                for name in ("run_id", "duration_s"):
                    assert about.pop(name)
            assert ours.about == theirs.about
        isolated.close()

    def test_what_is_printed_comes_while_the_task_runs(self, harness, tmp_path):
        go, heard = tmp_path / "go", []

        class Echo:
            def write(self, text):
                heard.append(text)
                go.write_text("on")

        source = f"""
import os, time
def task(g):
    print("first é")
    while not os.path.exists({str(go)!r}):
        time.sleep(0.01)
    print("last")
    return "ok"
"""
        result = harness.executor.run(Task(source), harness.graph, LIMITS, Echo())
        assert result.body == b"ok"
        assert result.logs == "".join(heard) == "first é\nlast\n"

    def test_200_tasks_over_two_workers_run_once_each(self, running, harness, tmp_path):
        said = tmp_path / "said"

        def run(n):
            mark = f"    with open({str(said)!r}, 'a') as file: file.write('{n};')\n"
            return harness.run(WHERE.replace("def task(g):\n", f"def task(g):\n{mark}")).json()["above"]

        with ThreadPoolExecutor(16) as pool:
            above = list(pool.map(run, range(200)))
        assert sorted(said.read_text().split(";")[:-1], key=int) == [str(n) for n in range(200)]
        for worker in running.workers:
            assert sum(worker.pid in each for each in above) > 20

    def test_the_first_task_of_a_cluster_of_many_workers(self, harness):
        options = {"threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
        with (
            distributed.LocalCluster(n_workers=16, **options) as many,
            distributed.Client(many, set_as_default=False) as client,
        ):
            made = get_executor("dask", scheduler=client)
            for n in range(4):
                assert made.run(Task(f"def task(g): return {{'n': {n}}}"), harness.graph, LIMITS).unwrap().body
            made.close()

    @pytest.mark.parametrize(
        ("with_tables", "without", "chosen"),
        [((2, 1), (2, 0), "with"), ((2, 2), (2, 1), "without"), ((2, 2), (2, 2), "with"), ((1, 4), (1, 2), "without")],
    )
    def test_a_free_thread_counts_first_then_tables_then_load(self, with_tables, without, chosen):
        workers = [_Worker("with", cluster.Load(*with_tables, True), has={"t": 0.0})]
        workers.append(_Worker("without", cluster.Load(*without, True)))
        for order in (workers, workers[::-1]):
            assert min(order, key=lambda worker: _preference(worker, ["t"])).address == chosen

    def test_tables_go_to_a_worker_once(self, harness, sent):
        frame = pd.DataFrame({"s": range(1000), "d": range(1000), "mark": [os.urandom(8).hex()] * 1000})
        for _ in range(8):  # of another graph, with the same tables, each time
            made = graphistry.edges(frame, "s", "d")
            assert run_task("def task(g): return {'n': len(g._edges)}", made, executor=harness.executor) == {"n": 1000}
        assert 1 <= len(sent) == len(set(sent)) <= 2

    @pytest.mark.parametrize("there", [True, False])
    def test_tables_on_shared_storage_are_fetched_by_the_worker_or_else_sent(self, executor, sent, tmp_path, there):
        table = frames.at_rest(frames.to_arrow(pd.DataFrame({"s": ["a"], "d": ["b"], "mark": [os.urandom(8).hex()]})))
        path = tmp_path / "edges.arrow"
        frames.write_arrow(table, path)
        shared = tmp_path / f"edges-{object_storage.digest_of(path)}.arrow"
        if there:
            shared.write_bytes(path.read_bytes())
        graph = GraphData(
            table, bindings={"source": "s", "destination": "d"}, files={"edges": path}, urls={"edges": shared.as_uri()}
        )
        result = executor.run(Task("def task(g): return g._edges['mark'].iloc[0]"), graph, LIMITS).unwrap()
        assert result.body.decode() == table["mark"][0].as_py()
        assert bool(sent) is not there

    def test_which_engine_works_is_found_out_on_the_worker(self, harness):
        if engines.cudf_problem() is None:
            pytest.skip("cuDF works here")
        with pytest.raises(errors.EngineUnavailable, match="engine='cudf' cannot be used here"):
            run_task("def task(g): return 1", g(), executor=harness.executor, engine="cudf")
        task = Task("import cudf\ndef task(g): return str(cudf.Series([1]).sum())", "cudf", cudf_fallback="pandas")
        result = harness.executor.run(task, harness.graph, LIMITS).unwrap()
        assert result.body == b"1"
        assert "approximation" in result.approximation

    def test_a_cancelled_task_is_ended_on_its_worker(self, harness):
        flag = threading.Event()
        thread, done = in_background(
            lambda: harness.executor.run(Task(SLEEP), harness.graph, LIMITS, cancelled=flag.is_set)
        )
        assert wait_until(processes_of_tasks)
        flag.set()
        thread.join(10)
        assert done[0].error.code == "task-cancelled"
        assert wait_until(lambda: not processes_of_tasks())

    def test_a_client_that_is_killed_takes_its_task_with_it(self, running, tmp_path):
        (tmp_path / "task.py").write_text(SLEEP)
        (tmp_path / "edges.csv").write_text("src,dst\na,b\n")
        command = [sys.executable, "-m", "graphistry_core.cli", "run", "task.py", "--edges", "edges.csv"]
        process = subprocess.Popen([*command, "--scheduler", running.address], cwd=tmp_path, stderr=subprocess.DEVNULL)
        assert wait_until(processes_of_tasks, 30)
        process.kill()
        process.wait()
        assert wait_until(lambda: not processes_of_tasks())

    def test_more_than_the_queue_takes_is_refused(self, running, harness):
        made = get_executor("dask", scheduler=running.address, queue=0)
        assert made.slots.concurrency == 3  # the workers' threads
        flag = threading.Event()
        waiting = [
            in_background(lambda: made.run(Task(SLEEP), harness.graph, LIMITS, cancelled=flag.is_set)) for _ in range(3)
        ]
        assert wait_until(lambda: made.slots.running == 3)
        with pytest.raises(errors.QueueFull):
            made.run(Task("def task(g): return 1"), harness.graph, LIMITS)
        flag.set()
        for thread, _ in waiting:
            thread.join(10)
        made.close()

    def test_closing_ends_what_runs(self, running, harness):
        made = get_executor("dask", scheduler=running.address)
        thread, done = in_background(lambda: made.run(Task(SLEEP), harness.graph, LIMITS))
        assert wait_until(processes_of_tasks)
        made.close()
        thread.join(10)
        assert done[0].error.code == "task-cancelled"
        assert wait_until(lambda: not processes_of_tasks())


def once(path: Path) -> str:
    """A task that leaves a mark each time it runs, and does not end."""
    return f"import time\ndef task(g):\n    with open({str(path)!r}, 'a') as file: file.write('x')\n    time.sleep(120)"


class TestBreaking:
    def test_a_worker_is_killed_and_its_nanny_starts_another_at_its_address(self, breakable, tmp_path):
        mark, port = tmp_path / "mark", free_port()
        made = get_executor("dask", scheduler=breakable.wait_for(0).address, patience_s=0.5)
        with pytest.raises(errors.ServerUnreachable, match="has no worker that takes tasks: start one with `dask work"):
            run_task("def task(g): return 1", g(), executor=made)
        breakable.add("--worker-port", port).wait_for(1)
        thread, done = in_background(lambda: run_task(once(mark), g(), executor=made))
        assert wait_until(mark.exists, LONG_S)
        (worker,) = [pid for pid in processes.children(breakable.workers[0].pid) if _listens(pid, port)]
        os.kill(worker, signal.SIGKILL)
        thread.join(20)
        assert isinstance(done[0], errors.TaskCrashed)
        assert "was lost" in done[0].message
        assert done[0].details["run_id"]
        assert wait_until(lambda: not processes_of_tasks())
        breakable.wait_for(1)
        assert run_task("def task(g): return {'n': len(g._edges)}", g(), executor=made) == {"n": 2}
        assert list(made.workers()) == [f"tcp://127.0.0.1:{port}"]
        made.close()
        assert mark.read_text() == "x"

    def test_a_worker_is_killed_and_another_goes_on_then_the_scheduler_and_it_comes_back(self, breakable, tmp_path):
        marks = [tmp_path / "one", tmp_path / "two"]
        breakable.add("--no-nanny").wait_for(1)
        made = get_executor("dask", scheduler=breakable.address)
        assert made.slots.concurrency == 1
        thread, done = in_background(lambda: run_task(once(marks[0]), g(), executor=made))
        assert wait_until(marks[0].exists, LONG_S)
        breakable.add("--no-nanny", threads=2).wait_for(2)
        assert wait_until(lambda: made.slots.concurrency == 3)  # while a task runs
        breakable.workers[0].kill()
        thread.join(20)
        assert isinstance(done[0], errors.TaskCrashed)
        assert "was lost" in done[0].message
        assert run_task("def task(g): return {'n': len(g._edges)}", g(), executor=made) == {"n": 2}
        assert made.slots.concurrency == 2
        thread, done = in_background(lambda: run_task(once(marks[1]), g(), executor=made))
        assert wait_until(marks[1].exists, LONG_S)
        breakable.scheduler.kill()
        breakable.scheduler.wait()
        thread.join(10)
        assert isinstance(done[0], errors.TaskCrashed)
        assert "scheduler broke" in done[0].message
        assert wait_until(lambda: not processes_of_tasks())
        with pytest.raises(errors.ServerUnreachable, match="No Dask scheduler answers"):
            run_task("def task(g): return 1", g(), executor=made)
        breakable.start_scheduler()
        breakable.add("--no-nanny").wait_for(1)
        assert run_task("def task(g): return {'n': len(g._edges)}", g(), executor=made) == {"n": 2}
        made.close()
        assert [mark.read_text() for mark in marks] == ["x", "x"]


def _listens(pid: int, port: int) -> bool:
    """Say whether a process has a socket that listens on a port."""
    inodes = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    with contextlib.suppress(OSError):
        return any(os.readlink(f"/proc/{pid}/fd/{fd}") in inodes for fd in os.listdir(f"/proc/{pid}/fd"))
    return False


class TestConnecting:
    @pytest.mark.parametrize("address", ["spam://x", "tcp://"])
    def test_what_is_no_address(self, address):
        with pytest.raises(errors.BadRequest, match="no address of a Dask scheduler"):
            cluster.connect(address)

    def test_nobody_answers(self):
        with pytest.raises(errors.ServerUnreachable, match="No Dask scheduler answers at tcp://"):
            cluster.connect(f"tcp://127.0.0.1:{free_port()}", timeout_s=0.5)

    def test_somebody_else_answers(self, running, graphistry_server):
        with pytest.raises(errors.ServerUnreachable):
            cluster.connect(f"tcp://127.0.0.1:{graphistry_server.port}", timeout_s=1)
        with cluster.connected(running.address) as client:
            worker = next(iter(cluster.threads(client)))
        with pytest.raises(errors.ServerUnreachable, match="it is a Worker"):
            cluster.connect(worker)

    def test_neither_an_address_nor_a_client(self):
        with pytest.raises(errors.BadRequest, match="neither an address nor a"):
            cluster.connect(3)

    def test_none_is_named(self):
        with pytest.raises(errors.BadRequest, match="Which Dask cluster"):
            cluster.connect()


class TestServer:
    def test_a_server_runs_its_tasks_on_the_cluster(self, running):
        with Serving("--scheduler", running.address) as served:
            client = graphistry.client()
            client.register(username="u", password="p", server=served.url.removeprefix("http://"), protocol="http")
            frame = pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"], "w": [1, 2]})
            uploaded = client.edges(frame, "s", "d").upload()
            found = uploaded.python_remote_json(WHERE)
            assert found["sum"] == 3
            assert served.process.pid not in found["above"]
            assert set(found["above"]) & {worker.pid for worker in running.workers}
            with pytest.raises(errors.TaskFailed, match="ZeroDivisionError"):
                uploaded.python_remote_json("def task(g): return 1 / 0")
        assert f"Tasks run on the Dask cluster at {running.address} (2 workers with 3 threads now)" in served.err
        assert "Traceback" not in served.err

    def test_the_client_goes_away(self, running):
        made = HttpHarness("dask", Limits(timeout_s=30), executor_options={"scheduler": running.address})
        try:
            api = Api(made.server)
            with contextlib.suppress(requests.Timeout):
                requests.post(
                    f"{made.server.url}/api/v2/datasets/{made.dataset_id}/python",
                    json={"execute": SLEEP},
                    headers={"Authorization": f"Bearer {api.token}"},
                    timeout=2,
                )
            assert wait_until(lambda: not processes_of_tasks() and not made.server.hub.runs.list())
            assert made.server.dev.journal.find("python")[-1].error["code"] == "task-cancelled"
            assert made.run("def task(g): return 'next'").body == b"next"
        finally:
            made.close()

    def test_a_server_without_a_scheduler_says_so_and_ends(self, tmp_path):
        config = tmp_path / "server.toml"
        config.write_text(f'[server]\nscheduler = "tcp://127.0.0.1:{free_port()}"\n')
        ran = _command("serve", "--port", "0", "--config", str(config))
        assert ran.returncode == 1
        assert ran.stderr.startswith("error: No Dask scheduler answers")
        assert ran.stderr.count("\n") == 1


def _command(*words):
    command = [sys.executable, "-m", "graphistry_core.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class TestDoctor:
    def test_it_shows_the_workers_and_their_versions(self, running):
        ran = _command("doctor", "--scheduler", running.address)
        assert ran.returncode == 0, ran.stderr
        section = ran.stdout.partition("Dask cluster")[2]
        assert section.count(pd.__version__) == 4
        assert section.count("worker tcp://127.0.0.1:") == 2
        assert "everybody has the same versions" in section

    def test_what_differs_is_told(self):
        same = dict.fromkeys(cluster.COMPARED, "1")
        here, there = cluster.Machine("here", 0, same), cluster.Machine("tcp://s", 0, {**same, "distributed": "2"})
        workers = [cluster.Machine("tcp://w", 1, {**same, "pandas": "2", "graphistry-core": "-"})]
        said = [" ".join(row) for row in _skew(here, there, workers)]
        assert [line.split(":")[0] for line in said] == ["scheduler tcp", "worker tcp", "worker tcp"]
        assert "distributed 2, but 1 here" in said[0]
        assert "graphistry-core is missing" in said[1]
        assert "pandas 2, but 1 here" in said[2]
        assert "there are none" in _skew(here, here, [])[0][1]
