"""The fault table, for every executor, through the library and through HTTP; and what only one of them can show."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import requests
from api import Api, arrow

import graphistry_core as graphistry
from graphistry_core import run_task
from graphistry_core.executors import GraphData, Limits, Task, get_executor, processes, sandbox
from graphistry_devserver import DevServer
from pytest_graphistry.contracts import LIMITS, ExecutorContract, Outcome, dataset, processes_of_tasks, wait_until

pytestmark = [
    pytest.mark.xdist_group("faults"),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted through /proc"),
]


class HttpHarness:
    """A dev server around an executor, asked as any client asks."""

    def __init__(self, name: str, limits: Limits, **options) -> None:
        self.server = DevServer(executor=name, limits=limits, **options).start()
        self.api = Api(self.server)
        self.dataset_id = self._upload()

    def _upload(self) -> str:
        body = {
            "edge_encodings": {"bindings": {"source": "s", "destination": "d"}},
            "node_encodings": {"bindings": {"node": "id"}},
            "name": "n",
        }
        made = self.api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        for which, table in zip(("edges", "nodes"), dataset(), strict=True):
            self.api.ok("POST", f"/api/v2/upload/datasets/{made}/{which}/arrow", data=arrow(table))
        return made

    def run(self, source, limits=LIMITS, **fields) -> Outcome:
        answer = self.api.run(self.dataset_id, textwrap.dedent(source), **fields)
        if answer.status_code == 200:
            return Outcome(answer.content)
        about = answer.json()
        assert answer.status_code == STATUSES[about["code"]]
        return Outcome(b"", about["code"], about["error"], about.get("logs", ""), about)

    def data(self) -> bytes:
        row = self.server.hub.store.one("SELECT edges FROM datasets WHERE id = ?", self.dataset_id)
        return self.server.hub.store.path_of(row["edges"]).read_bytes()

    def drop(self) -> None:
        gone, self.dataset_id = self.dataset_id, self._upload()
        self.api.ok("DELETE", f"/api/v2/datasets/{gone}/")

    def close(self) -> None:
        self.server.stop()


STATUSES = {
    "invalid-task": 400, "task-failed": 400, "result-not-serializable": 400, "result-too-large": 413,
    "task-timeout": 504, "task-crashed": 500, "task-out-of-memory": 500, "queue-full": 503, "task-cancelled": 409,
}  # fmt: skip


class TestInProcess(ExecutorContract):
    isolates = False

    def make_executor(self):
        return get_executor("inprocess")


class TestIsolated(ExecutorContract):
    def make_executor(self):
        return get_executor("isolated")


class TestSpawned(ExecutorContract):
    fresh = False

    def make_executor(self):
        return get_executor("spawned")


class TestIsolatedOverHttp(ExecutorContract):
    def make_harness(self, limits):
        return HttpHarness("isolated", limits)


class TestSpawnedOverHttp(ExecutorContract):
    fresh = False

    def make_harness(self, limits):
        return HttpHarness("spawned", limits)


SLEEP = "import time\ndef task(g):\n    print('began', flush=True)\n    time.sleep(60)"


def descendants() -> set[int]:
    return set(processes.descendants(os.getpid()))


@pytest.fixture(params=["isolated", "spawned"])
def served(request):
    harness = HttpHarness(request.param, Limits(timeout_s=30))
    yield harness
    harness.close()


class TestCancelling:
    def test_row_34_the_client_goes_away(self, served):
        head = (
            f"POST /api/v2/datasets/{served.dataset_id}/python HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {served.api.token}\r\nContent-Type: application/json\r\n"
        )
        body = json.dumps({"execute": SLEEP}).encode()
        with socket.create_connection(("127.0.0.1", served.server.port)) as raw:
            raw.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert wait_until(processes_of_tasks)
        gone = time.monotonic()
        assert wait_until(lambda: not processes_of_tasks())
        assert time.monotonic() - gone < 1
        assert wait_until(lambda: not served.server.hub.runs.list())
        entry = served.server.dev.journal.find("python")[-1]
        assert entry.error["code"] == "task-cancelled"
        assert served.run("def task(g): return 'next'").body == b"next"

    def test_a_task_is_ended_by_name(self, served):
        done = []
        thread = threading.Thread(target=lambda: done.append(served.run(SLEEP)))
        thread.start()
        url = f"{served.server.url}/_dev/tasks"
        assert wait_until(processes_of_tasks)  # it runs, and does not only wait for its turn
        (task,) = requests.get(url, timeout=9).json()["tasks"]
        assert task["dataset_id"] == served.dataset_id
        assert requests.delete(f"{url}/{task['run_id']}", timeout=9).status_code == 200
        thread.join(10)
        assert done[0].code == "task-cancelled"
        assert requests.delete(f"{url}/{task['run_id']}", timeout=9).status_code == 404
        assert not requests.get(url, timeout=9).json()["tasks"]

    @pytest.mark.parametrize("executor", ["isolated", "spawned"])
    def test_ctrl_c_in_the_command_ends_the_task(self, executor, tmp_path):
        (tmp_path / "task.py").write_text(SLEEP)
        (tmp_path / "edges.csv").write_text("src,dst\na,b\n")
        command = [sys.executable, "-m", "graphistry_core.cli", "run", "task.py", "--edges", "edges.csv"]
        process = subprocess.Popen(
            [*command, "--executor", executor], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert wait_until(lambda: any(_cwd_is_a_task(pid) for pid in processes.descendants(process.pid)), 30)
        below = set(processes.descendants(process.pid))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 130 or process.returncode == 1, said
        assert b"Traceback" not in said
        assert wait_until(lambda: not [pid for pid in below if os.path.exists(f"/proc/{pid}")])

    @pytest.mark.parametrize("executor", ["isolated", "spawned"])
    def test_keyboard_interrupt_in_the_library_ends_the_task(self, executor):
        made = get_executor(executor)
        g = graphistry.edges(_frame(), "s", "d")
        main = threading.main_thread().ident
        timer = threading.Timer(2.5, lambda: signal.pthread_kill(main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run_task(SLEEP, g, executor=made)
        assert wait_until(lambda: not processes_of_tasks())
        assert run_task("def task(g): return 'next'", g, executor=made) == "next"
        made.close()


def _frame():
    return pd.DataFrame({"s": ["a"], "d": ["b"]})


def _cwd_is_a_task(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "/graphistry-task-" in os.readlink(f"/proc/{pid}/cwd")
    return False


class TestTheProcessesThemselves:
    def test_row_36_the_zygote_is_killed(self):
        harness = HttpHarness("isolated", Limits(timeout_s=30))
        try:
            done = []
            thread = threading.Thread(target=lambda: done.append(harness.run(SLEEP)))
            thread.start()
            assert wait_until(processes_of_tasks)
            (task,) = processes_of_tasks()
            os.kill(_parent(_parent(task)), signal.SIGKILL)
            thread.join(10)
            assert done[0].code == "task-crashed"
            assert "run it again" in done[0].message
            assert not processes_of_tasks()
            for _ in range(3):
                assert harness.run("def task(g): return 'next'").body == b"next"
        finally:
            harness.close()

    def test_the_root_is_killed(self):
        harness = HttpHarness("isolated", Limits(timeout_s=30))
        try:
            assert harness.run("def task(g): return 'one'").body == b"one"
            os.kill(harness.server.hub.executor._root.process.pid, signal.SIGKILL)
            harness.drop()
            assert harness.run("def task(g): return 'two'").body == b"two"
        finally:
            harness.close()

    @pytest.mark.parametrize("executor", ["isolated", "spawned"])
    def test_row_37_the_server_is_killed(self, executor, tmp_path):
        code = (
            "import sys, threading, pandas as pd, graphistry_core as g\n"
            "from graphistry_core.executors import get_executor\n"
            "made = get_executor(sys.argv[1])\n"
            "plot = g.edges(pd.DataFrame({'s': ['a'], 'd': ['b']}), 's', 'd')\n"
            "g.run_task('def task(g): return 1', plot, executor=made)\n"
            "g.run_task('def task(g):\\n    while True: sum(range(10**9))', plot, executor=made)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", code, executor], cwd=tmp_path)
        assert wait_until(lambda: any(_cwd_is_a_task(pid) for pid in processes.descendants(process.pid)), 30)
        below = set(processes.descendants(process.pid))
        process.kill()
        process.wait()
        assert len(below) >= 2
        assert wait_until(lambda: not [pid for pid in below if _is_running(pid)])

    @pytest.mark.parametrize("executor", ["isolated", "spawned"])
    def test_nothing_is_left_after_a_stop(self, executor, monkeypatch):
        monkeypatch.setattr("graphistry_devserver.server._GRACE_S", 0.3)
        before, threads, files = descendants(), threading.active_count(), len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            harness = HttpHarness(executor, Limits(timeout_s=30))
            assert harness.run("def task(g): return 'ok'").body == b"ok"
            done = []
            thread = threading.Thread(target=lambda done=done, harness=harness: done.append(harness.run(SLEEP)))
            thread.start()
            assert wait_until(processes_of_tasks)
            harness.close()
            thread.join(10)
            assert done[0].code in ("task-cancelled", "task-crashed")
        assert wait_until(lambda: descendants() <= before)
        assert wait_until(lambda: threading.active_count() <= threads)
        assert len(os.listdir("/proc/self/fd")) <= files + 1

    def test_no_zygote_has_a_thread(self):
        harness = HttpHarness("isolated", LIMITS)
        try:
            harness.run("def task(g): return {'n': g._edges.groupby('s')['w'].sum().tolist()}")
            root = harness.server.hub.executor._root.process.pid
            # Arrow's allocator has a thread of its own, and stops it in forks itself.
            names = {path.read_text().strip() for path in Path(f"/proc/{root}/task").glob("*/comm")}
            assert len(names - {"jemalloc_bg_thd"}) == 1
            zygotes = processes.children(root)
            supervisors = [pid for zygote in zygotes for pid in processes.children(zygote)]
            assert zygotes
            assert supervisors
            for pid in (*zygotes, *supervisors):
                assert len(os.listdir(f"/proc/{pid}/task")) == 1
        finally:
            harness.close()

    def test_tables_are_mapped_and_not_copied(self):
        harness = HttpHarness("isolated", Limits(timeout_s=30))
        try:
            source = """
            def task(g):
                start = g._edges["w"].to_numpy().ctypes.data
                for line in open("/proc/self/maps"):
                    ends = [int(end, 16) for end in line.split()[0].split("-")]
                    if ends[0] <= start < ends[1]:
                        return line.split()[1] + " " + line.split()[-1]
            """
            said = harness.run(source).body.decode()
            assert said.startswith("r--")
            assert ".arrow" in said
        finally:
            harness.close()


class TestQueue:
    @pytest.mark.parametrize("executor", ["isolated", "spawned"])
    def test_more_than_the_queue_takes_is_a_503_with_retry_after(self, executor):
        options = {"concurrency": 1, "queue": 1}
        with DevServer(executor=executor, limits=Limits(timeout_s=30), executor_options=options) as server:
            api = Api(server)
            body = {"edge_encodings": {"bindings": {"source": "s", "destination": "d"}}, "name": "n"}
            made = api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
            api.ok("POST", f"/api/v2/upload/datasets/{made}/edges/arrow", data=arrow(_frame()))
            answers = []
            source = "import time\ndef task(g):\n    time.sleep(1)\n    return 'ok'"
            threads = [threading.Thread(target=lambda: answers.append(api.run(made, source))) for _ in range(2)]
            for thread in threads:
                thread.start()
            assert wait_until(lambda: (server.hub.executor.slots.running, server.hub.executor.slots.waiting) == (1, 1))
            refused = api.run(made, source)
            assert refused.status_code == 503
            assert refused.headers["Retry-After"] == "1"
            assert refused.json()["code"] == "queue-full"
            for thread in threads:
                thread.join()
            assert [answer.text for answer in answers] == ["ok", "ok"]

    def test_threads_are_divided_among_running_tasks(self):
        harness = HttpHarness("isolated", Limits(timeout_s=30))
        try:
            source = "import os, pyarrow, time\ndef task(g):\n    time.sleep(0.5)\n    return str(pyarrow.cpu_count())"
            alone = int(harness.run(source).body)
            assert alone == os.cpu_count()
            both = []
            threads = [threading.Thread(target=lambda: both.append(int(harness.run(source).body))) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert min(both) == max(alone // 2, 1)
        finally:
            harness.close()


class TestRunTask:
    def test_output_comes_as_it_is_said(self, capfd):
        seen = []

        class Echo:
            def write(self, text):
                seen.append((time.monotonic(), text))

            def flush(self):
                pass

        executor = get_executor("isolated")
        g = GraphData.of(graphistry.edges(_frame(), "s", "d"))
        source = "import time\ndef task(g):\n    print('one')\n    time.sleep(0.5)\n    print('two')\n    return 'ok'"
        executor.run(Task(source), g, Limits(), Echo())
        executor.close()
        assert "".join(text for _, text in seen) == "one\ntwo\n"
        assert seen[-1][0] - seen[0][0] > 0.3

    @pytest.mark.parametrize("executor", ["isolated", "spawned"])
    def test_formats_and_errors_are_those_of_the_other_executors(self, executor):
        g = graphistry.edges(_frame(), "s", "d")
        for format_, kind in [("json", "table"), ("csv", "edges"), ("parquet", "edges"), ("parquet", "all")]:
            source = f"def task(g): return {'g._edges' if kind == 'table' else 'g'}"
            mine = run_task(source, g, executor=executor,
                            format=format_, output_type=kind)  # fmt: skip
            here = run_task(source, g, executor="inprocess",
                            format=format_, output_type=kind)  # fmt: skip
            assert str(getattr(mine, "_edges", mine)) == str(getattr(here, "_edges", here))

    @pytest.mark.parametrize("plottable", ["core", "pygraphistry"])
    def test_importing_graphistry_is_free(self, plottable):
        pytest.importorskip("graphistry")
        g = graphistry.edges(_frame(), "s", "d")
        source = "import sys\nloaded = 'graphistry' in sys.modules\nimport graphistry\ndef task(g): return str(loaded)"
        assert run_task(source, g, executor="isolated", plottable=plottable) == "True"


class TestServe:
    def test_its_options(self, tmp_path):
        (tmp_path / "server.toml").write_text("[server]\ntask_timeout = 1.5\n")
        command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--port", "0", "--config", "server.toml",
                   "--task-output", "0.001", "--task-result", "0.5", "--task-concurrency", "3"]  # fmt: skip
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = process.stdout.readline().strip()
            process.stdout.close()
            api = Api(SimpleNamespace(url=url, hub=None))
            body = {"edge_encodings": {"bindings": {"source": "s", "destination": "d"}}, "name": "n"}
            made = api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
            api.ok("POST", f"/api/v2/upload/datasets/{made}/edges/arrow", data=arrow(_frame()))
            late = api.run(made, "import time\ndef task(g): time.sleep(30)")
            assert (late.status_code, late.json()["limits"]["timeout_s"]) == (504, 1.5)
            assert late.json()["limits"]["memory_mb"] == 4096
            large = api.run(made, "def task(g):\n    print('x' * 5000)\n    return 'x' * 600_000")
            assert large.status_code == 413
            assert "output cut here" in large.json()["logs"]
        finally:
            process.terminate()
            process.wait(10)

    @pytest.mark.parametrize("option", ["--task-timeout", "--task-memory", "--task-scratch"])
    def test_a_limit_that_cannot_be_held_is_an_error(self, option):
        command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--executor", "inprocess", option, "5"]
        ran = subprocess.run(command, capture_output=True, timeout=30, check=False)
        assert ran.returncode == 2
        assert option.encode() in ran.stderr


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def _is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    return False


class TestSandbox:
    @pytest.fixture
    def fenced(self):
        if not sandbox.landlock_version():
            pytest.skip("this kernel has no Landlock")
        executor = get_executor("isolated", sandbox="on")
        yield lambda source: run_task(textwrap.dedent(source), graphistry.edges(_frame(), "s", "d"), executor=executor)
        executor.close()

    def test_files_are_read_only_but_in_the_scratch_directory(self, fenced, tmp_path):
        (tmp_path / "secret").write_text("secret")
        source = f"""
        import tempfile
        def task(g):
            said = []
            here = "{tmp_path}"
            for path, mode in [("mine", "w"), (here + "/new", "w"), (here + "/secret", "r"), ("/etc/passwd", "a")]:
                try:
                    open(path, mode).close()
                    said.append("ok")
                except PermissionError:
                    said.append("refused")
            with tempfile.TemporaryFile() as file:
                file.write(b"x")
            return said
        """
        assert fenced(source) == ["ok", "refused", "refused", "refused"]
        assert [path.name for path in tmp_path.iterdir()] == ["secret"]

    def test_there_is_no_network(self, fenced):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            source = f"""
            import socket
            def task(g):
                try:
                    socket.create_connection(("127.0.0.1", {listening.getsockname()[1]}), timeout=5)
                except OSError as e:
                    return type(e).__name__
            """
            assert fenced(source) in ("PermissionError", "OSError", "ConnectionRefusedError")

    def test_libraries_work_and_large_results_come(self, fenced):
        source = """
        import json, numpy, pandas as pd, zoneinfo, decimal
        def task(g):
            frame = pd.concat([g._edges] * 10)
            return {"n": len(frame), "text": "x" * 1_000_000, "zone": str(zoneinfo.ZoneInfo("UTC"))}
        """
        assert fenced(source)["n"] == 10

    def test_strict_refuses_where_a_layer_is_missing(self, monkeypatch):
        monkeypatch.setattr(sandbox, "landlock_version", lambda: 0)
        with pytest.raises(graphistry.ConfigError, match="no Landlock"):
            get_executor("isolated", sandbox="strict")
        with pytest.raises(graphistry.ConfigError, match="off, on, strict"):
            get_executor("isolated", sandbox="please")

    def test_the_server_says_what_is_enforced(self):
        command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--port", "0", "--sandbox", "on"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert wait_until(process.stdout.readline)
        process.terminate()
        _, said = process.communicate(timeout=20)
        assert "not against attackers" in said
        assert all(each in said for each in sandbox.layers().values())


@pytest.fixture(params=["isolated", "spawned"])
def executor(request):
    made = get_executor(request.param, concurrency=1)
    yield made
    made.close()


def _data():
    return GraphData.of(graphistry.edges(_frame(), "s", "d"))


class TestOddTasks:
    def test_a_task_that_forks_and_goes_on_answers_once(self, executor):
        data = _data()
        source = "import os\ndef task(g):\n    os.fork()\n    return 'x' * 3000"
        for _ in range(20):
            assert executor.run(Task(source), data, Limits()).unwrap().body == b"x" * 3000
            assert executor.run(Task("def task(g): return 'next'"), data, Limits()).unwrap().body == b"next"

    def test_a_byte_on_the_wrong_descriptor_does_not_outlast_the_limit(self, executor):
        source = """
        import os, time
        def task(g):
            for fd in range(3, 60):
                try:
                    os.write(fd, b"x")
                except OSError:
                    pass
            time.sleep(60)
        """
        started = time.monotonic()
        result = executor.run(Task(textwrap.dedent(source)), _data(), Limits(timeout_s=1))
        assert result.error.code in ("task-crashed", "task-timeout")
        assert time.monotonic() - started < 10

    def test_what_a_child_says_after_the_answer_is_not_in_the_next_logs(self, executor):
        data = _data()
        noise = """
        import subprocess
        def task(g):
            subprocess.Popen("while :; do echo LEFT; done", shell=True)
            return "ok"
        """
        for _ in range(5):
            executor.run(Task(textwrap.dedent(noise)), data, Limits()).unwrap()
            assert "LEFT" not in executor.run(Task("def task(g): return 'ok'"), data, Limits()).logs

    @pytest.mark.parametrize(
        "body",
        ["import os, shutil; shutil.rmtree(os.getcwd())", "import signal; signal.alarm(1)",
         "import os; os.makedirs('a/b'); open('a/b/SECRET', 'w').close(); os.chmod('a', 0o500)"],
        ids=["removes-its-directory", "leaves-an-alarm", "leaves-a-closed-directory"],
    )  # fmt: skip
    def test_leftovers_do_not_reach_the_next_task(self, executor, body):
        data = _data()
        look = "import os, time\ndef task(g):\n    time.sleep(1.2)\n    return os.listdir('.')"
        assert executor.run(Task(f"def task(g):\n    {body}\n    return 'ok'"), data, Limits()).unwrap().body == b"ok"
        assert json.loads(executor.run(Task(look), data, Limits()).unwrap().body) == []


class TestOddMoments:
    def test_a_cancelled_first_task_gives_its_place_back(self, executor):
        at = time.monotonic() + 0.05
        result = executor.run(Task(SLEEP), _data(), Limits(), cancelled=lambda: time.monotonic() > at)
        assert result.error.code == "task-cancelled"
        assert time.monotonic() - at < 3
        assert executor.run(Task("def task(g): return 'next'"), _data(), Limits()).unwrap().body == b"next"

    def test_closing_while_the_first_task_begins(self, executor):
        done = []
        thread = threading.Thread(target=lambda: done.append(executor.run(Task(SLEEP), _data(), Limits())))
        thread.start()
        time.sleep(0.2)
        executor.close()
        thread.join(10)
        assert done[0].error.code in ("task-cancelled", "task-crashed")
        with pytest.raises(graphistry.errors.TaskCancelled, match="stopping"):
            executor.run(Task(SLEEP), _data(), Limits())

    def test_descriptors_beyond_what_select_can(self, executor):
        import resource

        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1200:
            pytest.skip("this process may not open that many files")
        held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
        try:
            for _ in range(3):
                assert executor.run(Task("def task(g): return 'ok'"), _data(), Limits()).unwrap().body == b"ok"
        finally:
            for fd in held:
                os.close(fd)

    def test_the_directory_it_was_started_in_may_go(self, executor, tmp_path, monkeypatch):
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        assert executor.run(Task("def task(g): return 'one'"), _data(), Limits()).unwrap().body == b"one"
        monkeypatch.chdir(tmp_path)
        gone.rmdir()
        for _ in range(3):
            assert executor.run(Task("def task(g): return 'two'"), _data(), Limits()).unwrap().body == b"two"

    @pytest.mark.filterwarnings("ignore:This process")
    def test_a_forked_child_has_processes_of_its_own(self, executor):
        data = _data()
        assert executor.run(Task("def task(g): return 'before'"), data, Limits()).unwrap().body == b"before"
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                good = [executor.run(Task("def task(g): return 'child'"), data, Limits()).body for _ in range(3)]
                executor.close()
                code = 0 if good == [b"child"] * 3 else 2
            finally:
                os._exit(code)
        for _ in range(3):
            assert executor.run(Task("def task(g): return 'parent'"), data, Limits()).unwrap().body == b"parent"
        assert os.waitpid(pid, 0)[1] == 0

    def test_limits_may_be_infinite(self, executor):
        endless = float("inf")
        limits = Limits(timeout_s=endless, memory_mb=endless, scratch_mb=endless, output_mb=endless, result_mb=endless)
        assert executor.run(Task("def task(g):\n    print(1)\n    return 'ok'"), _data(), limits).unwrap().logs == "1\n"
