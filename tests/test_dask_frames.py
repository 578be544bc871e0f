"""Tasks on Dask frames: data that fits no worker, types that survive, results within a cap, habits of pandas."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import json
import os
import re
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import ROOT

from graphistry_core import GraphistryClient, Hub, LocalTransport, Plottable, engines, errors, frames, run_task, wire
from graphistry_core.executors import GraphData, Limits, Task, get_executor
from graphistry_core.executors import partitions as parts
from graphistry_core.executors.dask_hints import hint
from graphistry_core.messages import HttpRequest

pytestmark = [
    pytest.mark.xdist_group("dask"),
    # Imported where it is used: importing distributed changes how all exceptions of a process are pickled.
    pytest.mark.skipif(find_spec("distributed") is None, reason="dask and distributed are not installed"),
    # Dask 2026.8 under pandas 3.1 and Python 3.12: its warnings, not ours.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:dask"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore::FutureWarning:dask"),
]
ROWS, BATCH = 13_200_000, 600_000
LIMIT = 400_000_000


def task(body: str) -> str:
    return "def task(g):\n" + "".join(f"    {line}\n" for line in body.split("\n"))


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch):
    monkeypatch.setenv(parts.PARTITION_MB, "0.002")


# --- a cluster ------------------------------------------------------------------------------------------------


class Cluster:
    """A scheduler and two workers, each with one thread and its own limit on memory."""

    def __init__(self, folder: Path) -> None:
        self.folder, where = folder, folder / "scheduler.json"
        dask_ = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker"]
        common = ["--scheduler-file", str(where), "--no-dashboard"]
        self.processes = [self.start([*dask_, *common, "--host", "127.0.0.1", "--port", "0"])]
        options = ["--nthreads", "1", "--memory-limit", str(LIMIT), "--local-directory", str(folder)]
        self.processes += [self.start([*worker, *common, *options]) for _ in range(2)]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                self.address = json.loads(where.read_text())["address"]
                break
            time.sleep(0.05)
        from distributed import Client

        self.client = Client(self.address, set_as_default=False)
        self.client.wait_for_workers(2, timeout=60)

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
        log = (self.folder / "log").open("ab")
        with log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def workers(self) -> dict[str, int]:
        """The workers' processes, by address."""
        return self.client.run(os.getpid)

    def busy(self) -> int:
        return sum(len(keys) for keys in self.client.processing().values())

    def close(self) -> None:
        self.client.close()
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(30)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def executor(cluster):
    made = get_executor("dask", scheduler=cluster.address)
    yield made
    made.close()


@contextlib.contextmanager
def watched(pids):
    """Note the most memory that each process has had (bytes)."""
    import psutil

    most, over = dict.fromkeys(pids, 0), threading.Event()

    def look():
        while not over.wait(0.02):
            for pid in pids:
                with contextlib.suppress(psutil.Error):
                    most[pid] = max(most[pid], psutil.Process(pid).memory_info().rss)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def batches():
    for start in range(0, ROWS, BATCH):
        i = np.arange(start, start + BATCH)
        yield i * 7919 % 1009, i * 104_729 % 100_003, (i % 1000) * 0.5, i


SCHEMA = pa.schema([("src", pa.int64()), ("dst", pa.int64()), ("amount", pa.float64()), ("at", pa.int64())])


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A graph whose edges are larger than what a worker may have; and sums by source, found as they were written."""
    path = tmp_path_factory.mktemp("large") / "edges.arrow"
    sums = np.zeros(1009)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        for columns in batches():
            writer.write_batch(pa.record_batch([pa.array(c) for c in columns], schema=SCHEMA))
            sums += np.bincount(columns[0], columns[2], 1009)
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    assert table.nbytes > LIMIT
    yield Plottable().edges(table, "src", "dst"), sums
    path.unlink()


class TestDataThatFitsNoWorker:
    def test_it_is_reduced_without_any_worker_having_it(self, cluster, executor, large, monkeypatch):
        monkeypatch.setenv(parts.PARTITION_MB, "16")
        g, sums = large
        before = cluster.workers()
        graph = GraphData.of(g, lazy=True)
        body = """e = g._edges
top = e.groupby(g._source).amount.sum().compute()
return {"rows": len(e), "sums": {str(k): v for k, v in top.items()}, "last": int(e["at"].max().compute())}"""
        with watched(before.values()) as most:
            done = executor.run(Task(task(body), "dask"), graph, Limits()).unwrap()
            refused = executor.run(
                Task(task("return g._edges"), "dask", output_type="table", format="parquet"),
                graph,
                Limits(result_mb=40),
            )
        found = json.loads(done.body)
        assert (found["rows"], found["last"]) == (ROWS, ROWS - 1)
        assert [found["sums"][str(k)] for k in range(1009)] == pytest.approx(sums.tolist())
        assert isinstance(refused.error, errors.ResultTooLarge)
        assert "40 MiB" in refused.error.message
        assert cluster.workers() == before  # none was restarted
        assert max(most.values()) < LIMIT


class TestOnACluster:
    def run(self, executor, g, body, **options):
        return executor.run(Task(task(body), "dask", **options), GraphData.of(g, lazy=True), Limits())

    def test_a_table_comes_back_in_order(self, executor, edges):
        g = Plottable().edges(pd.concat([edges] * 100, ignore_index=True).assign(n=range(400)), "s", "d")
        found = self.run(executor, g, "return g._edges[g._edges.n >= 7]", output_type="table").unwrap()
        assert [row["n"] for row in json.loads(found.body)] == list(range(7, 400))

    def test_what_is_persisted_is_on_the_cluster_and_gone_afterwards(self, executor, cluster, graph):
        body = "kept = g._edges.persist()\nreturn {'parts': kept.npartitions, 'n': int(kept.w.sum().compute())}"
        assert json.loads(self.run(executor, graph, body).unwrap().body) == {"parts": 1, "n": 10}
        until(lambda: not any(cluster.client.has_what().values()))

    def test_it_says_how_far_it_is_and_stops_on_the_cluster_when_cancelled(self, executor, cluster):
        g = Plottable().edges(pd.DataFrame({"s": range(2000), "d": range(2000)}), "s", "d")
        body = """def slow(part):
    import time
    time.sleep(1)
    return part
return {"n": int(g._edges.map_partitions(slow, meta=g._edges).s.sum().compute())}"""
        said = Lines()

        def stop():
            return "steps on Dask frames" in said.text

        done = executor.run(Task(task(body), "dask"), GraphData.of(g, lazy=True), Limits(), said, stop)
        assert isinstance(done.error, errors.TaskCancelled)
        found = re.search(r"\[graphistry-core\] (\d+) of (\d+) steps on Dask frames are done", said.text)
        assert 0 <= int(found[1]) < int(found[2])
        until(lambda: cluster.busy() == 0)

    def test_an_error_on_a_worker_is_the_tasks(self, executor, graph):
        body = "w = g._edges.w.map(lambda v: 1 // (v - 3), meta=('w', 'int64'))\nreturn {'n': int(w.sum().compute())}"
        error = self.run(executor, graph, body).error
        assert isinstance(error, errors.TaskFailed)
        assert "ZeroDivisionError" in error.message
        assert error.line == 3

    def test_over_http_with_partitions_that_are_kept_with_the_table(self, cluster, tmp_path, edges):
        devserver = pytest.importorskip("graphistry_devserver")
        options = {"executor": "dask", "executor_options": {"scheduler": cluster.address}}
        with devserver.DevServer(port=0, data_dir=tmp_path, **options) as server:
            client = GraphistryClient()
            client.register(**server.register_kwargs, transport="http")
            g = client.edges(edges, "s", "d").upload()
            source = task(
                "return {'n': int(g._edges.w.sum().compute()), 'is': type(g._edges).__module__.split('.')[0]}"
            )
            assert g.python_remote_json(source, engine="dask") == {"n": 10, "is": "dask"}
            (kept,) = (tmp_path / "indexes").glob("*.partitions")
            first = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
            assert g.python_remote_json(source, engine="dask")["n"] == 10
            assert {path: path.stat().st_mtime_ns for path in kept.iterdir()} == first
            server.hub.store.reset()
            assert not kept.exists()


class Lines:
    """What a run echoes."""

    text = ""

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        pass


def until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- without a cluster ----------------------------------------------------------------------------------------

N = 60
COLUMNS = {
    "int64": pa.array(range(N), pa.int64()),
    "int with nulls": pa.array([None, *range(N - 1)], pa.int32()),
    "large int with nulls": pa.array([1 << 60, None, *range(N - 2)], pa.int64()),
    "float with nulls": pa.array([None, *[0.5] * (N - 1)], pa.float64()),
    "bool": pa.array([True, False] * (N // 2)),
    "text": pa.array(["a", None, "é🙂"] * (N // 3), pa.large_string()),
    "bytes": pa.array([b"\xff\x00"] * N, pa.large_binary()),
    "timestamp": pa.array([None, *[dt.datetime(2020, 1, 1, 1, i) for i in range(N - 1)]], pa.timestamp("us")),
    "time zone": pa.array([dt.datetime(2020, 1, 1, 1, i) for i in range(N)], pa.timestamp("ms", "Europe/Vienna")),
    "duration": pa.array([dt.timedelta(seconds=i) for i in range(N)], pa.duration("s")),
    "date": pa.array([dt.date(2020, 1, 1 + i % 28) for i in range(N)]),
    "decimal": pa.array([decimal.Decimal("1.50")] * N, pa.decimal128(10, 2)),
    "category": pa.array(["x", "y", None] * (N // 3)).dictionary_encode(),
    "list": pa.array([[i, i + 1] for i in range(N)]),
    "struct": pa.array([{"a": i} for i in range(N)]),
}
OLD = int(pd.__version__.partition(".")[0]) < 3


class TestPartitions:
    @pytest.mark.parametrize("name", COLUMNS)
    def test_a_column_is_what_it_is_in_pandas_in_every_partition(self, name, tmp_path):
        table = frames.at_rest(pa.table({"v": COLUMNS[name]}))
        parts.ensure(table, str(tmp_path / "p"), partition_bytes=table.nbytes // 3)
        lazy, wanted = parts.read(str(tmp_path / "p")), frames.to_pandas(table)["v"]
        assert lazy.npartitions >= 3
        found = lazy.compute()["v"].reset_index(drop=True)
        assert lazy.dtypes["v"] == found.dtype or name == "category"  # known when they are read
        if OLD and name in ("text", "date", "decimal"):  # Dask's default there: Arrow's
            found, wanted = found.astype(object).where(found.notna(), None), wanted.where(wanted.notna(), None)
            assert found.tolist() == wanted.tolist()
            return
        if name == "category":
            found = found.cat.set_categories(wanted.cat.categories)
        pd.testing.assert_series_equal(found, wanted)

    def test_booleans_with_nulls_are_nullable(self, tmp_path):
        table = pa.table({"v": pa.array([True] * 50 + [None])})
        parts.ensure(table, str(tmp_path / "p"), partition_bytes=1)
        lazy = parts.read(str(tmp_path / "p"))
        assert str(lazy.dtypes["v"]) == str(lazy.compute().dtypes["v"]) == "boolean"

    def test_a_table_without_rows_has_its_columns(self, tmp_path):
        parts.ensure(pa.table({"v": pa.array([], pa.int64())}), str(tmp_path / "p"))
        found = parts.read(str(tmp_path / "p")).compute()
        assert (len(found), list(found), str(found.dtypes["v"])) == (0, ["v"], "int64")

    def test_a_cancelled_cut_leaves_nothing(self, tmp_path):
        asked = iter([False, True])
        with pytest.raises(errors.TaskCancelled):
            parts.ensure(pa.table({"v": range(1000)}), str(tmp_path / "p"), lambda: next(asked), 100)
        assert list(tmp_path.iterdir()) == []

    def test_a_half_written_folder_is_made_anew(self, tmp_path):
        (tmp_path / "p").mkdir()
        (tmp_path / "p" / "part-000000.parquet").write_bytes(b"PAR1")
        parts.ensure(pa.table({"v": range(1000)}), str(tmp_path / "p"))
        assert int(parts.read(str(tmp_path / "p")).v.sum().compute()) == 499_500

    def test_a_place_behind_a_url(self):
        pytest.importorskip("fsspec")
        place = "memory://bucket/partitions-of-a-test"
        parts.ensure(pa.table({"v": range(1000)}), place, partition_bytes=1000)
        assert int(parts.read(place).v.sum().compute(scheduler="sync")) == 499_500
        parts.ensure(pa.table({"v": [1]}), place)  # what is there stays
        assert parts.read(place).npartitions == 8
        parts.remove(place)
        assert parts.about(place) is None

    def test_on_object_storage_they_lie_beside_the_tables_and_go_with_them(self, graph, tmp_path):
        pytest.importorskip("fsspec")
        from graphistry_core.hub.shared import SharedStore
        from graphistry_core.object_storage import Place

        url = "memory://store-of-partitions"
        store = SharedStore(url, cache_dir=tmp_path, sync_s=0, unused_s=0)
        try:
            table = frames.to_arrow(graph._edges)
            stored = store.add_table(table)
            parts.ensure(table, store.partitions_place(stored.id), partition_bytes=1)
            assert parts.read(store.partitions_place(stored.id)).npartitions == 4
            assert len(Place(url).list("partitions")) == 5
            store._unpublished.clear()  # as a server that was killed since
            store.sweep()
            assert Place(url).list("partitions") == Place(url).list("tables") == []
        finally:
            store.close()

    @pytest.mark.parametrize("size", ["0", "-1", "inf", "nan", "many"])
    def test_a_size_that_is_none_is_named(self, size, tmp_path, monkeypatch):
        monkeypatch.setenv(parts.PARTITION_MB, size)
        with pytest.raises(errors.ConfigError, match=f"'{size}' is no size"):
            parts.ensure(pa.table({"v": [1]}), str(tmp_path / "p"))

    def test_a_type_that_parquet_has_no_form_for_is_named(self, tmp_path):
        table = pa.table({"v": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
        with pytest.raises(errors.InvalidTable, match="cannot be cut into partitions"):
            parts.ensure(table, str(tmp_path / "p"))


def by_threads(body, g, executor="inprocess", **options):
    return run_task(task(body), g, engine="dask", executor=executor, **options)


class TestResults:
    @pytest.mark.parametrize("executor", ["inprocess", "spawned"])
    def test_a_graph_with_lazy_tables(self, graph, executor):
        out = by_threads(
            "return g.edges(g._edges[g._edges.w > 1])", graph, executor, output_type="all", format="parquet"
        )
        assert out._edges.w.tolist() == [2, 3, 4]
        assert out._nodes.name.tolist() == ["A", "B", "C", "É"]

    def test_a_group_by_keeps_its_names(self, graph):
        out = by_threads("return g._edges.groupby('s').w.sum().to_frame().reset_index()", graph, output_type="table")
        assert dict(zip(out.s, out.w, strict=True)) == {"a": 5, "b": 2, "c": 3}

    def test_the_shape_is_counted(self, graph):
        out = by_threads("return g", graph, output_type="shape")
        assert out.to_dict(orient="records") == [
            {"kind": "nodes", "rows": 4, "cols": 3},
            {"kind": "edges", "rows": 4, "cols": 4},
        ]

    def test_threads_stop_at_the_cap_too(self):
        g = Plottable().edges(pd.DataFrame({"s": range(9000), "d": range(9000)}), "s", "d")
        data = GraphData.of(g, lazy=True)
        for which, cap in (("errors.ResultTooLarge", 0.05), ("", 1.0)):
            spec = Task(task("return g._edges"), "dask", output_type="table", format="parquet")
            error = get_executor("inprocess").run(spec, data, Limits(result_mb=cap)).error
            assert (f"errors.{type(error).__name__}" if error else "") == which

    @pytest.mark.parametrize(
        ("value", "advice"),
        [
            ("{'n': g._edges.w.sum()}", r'result\["n"\] is dask.*: it is not computed yet: use .compute\(\)'),
            ("g._edges", r"use .compute\(\).to_dict\(orient='records'\), or ask for output_type='table'"),
            ("{'n': [g._edges.w]}", r'result\["n"\]\[0\] is dask.*to_list\(\)'),
            ("{'n': g._edges.shape[0]}", r'result\["n"\] is dask'),
        ],
    )
    def test_a_lazy_value_in_json_is_named_with_what_to_write(self, graph, value, advice):
        with pytest.raises(errors.ResultNotSerializable, match=advice):
            by_threads(f"return {value}", graph)


class TestGraphsOfDaskFrames:
    @pytest.fixture
    def lazy(self):
        import dask.dataframe as dd

        read = []

        def part(number):
            read.append(number)
            return pd.DataFrame({"s": [number] * 3, "d": [1, 2, 3]})

        meta = pd.DataFrame({"s": [0], "d": [0]})[:0]
        return Plottable().edges(dd.from_map(part, range(4), meta=meta), "s", "d"), read

    def test_in_this_process_they_stay_what_they_are(self, lazy):
        g, read = lazy
        assert by_threads("return {'parts': g._edges.npartitions, 'columns': list(g._edges.columns)}", g) == {
            "parts": 4,
            "columns": ["s", "d"],
        }
        assert read == []

    def test_for_another_process_they_are_written_by_what_computes_them(self, lazy, tmp_path, monkeypatch):
        monkeypatch.setenv("GRAPHISTRY_CORE_PARTITIONS", str(tmp_path))
        g, read = lazy
        body = "e = g._edges\nreturn {'n': int(e.s.sum().compute()), 'parts': e.npartitions, 'd': e.d.head(3).tolist()}"
        import dask

        with dask.config.set(scheduler="sync"):
            assert by_threads(body, g, "spawned") == {"n": 18, "parts": 4, "d": [1, 2, 3]}
        assert sorted(read) == [0, 1, 2, 3]

    def test_a_live_function_gets_them_as_well(self, lazy):
        g, _ = lazy
        out = run_task(lambda g: g._edges, g, engine="dask", direct=True)
        assert out is g._edges


class TestVerbs:
    @pytest.mark.parametrize(
        ("verb", "which"),
        [
            ("get_degrees()", "nodes"),
            ("get_indegrees('in')", "nodes"),
            ("get_outdegrees()", "nodes"),
            ("materialize_nodes()", "nodes"),
            ("prune_self_edges()", "edges"),
        ],
    )
    @pytest.mark.parametrize("with_nodes", [True, False])
    def test_they_give_what_they_give_on_pandas(self, graph, verb, which, with_nodes):
        g = graph if with_nodes else Plottable().edges(graph._edges, "s", "d")
        found, wanted = (
            getattr(
                run_task(task(f"return g.{verb}"), g, engine=engine, output_type=which, format="parquet"), f"_{which}"
            )
            for engine in ("dask", "pandas")
        )
        key = next(iter(wanted))
        pd.testing.assert_frame_equal(
            found.sort_values(key, ignore_index=True), wanted.sort_values(key, ignore_index=True), check_dtype=not OLD
        )

    @pytest.mark.parametrize(
        "verb", ["hop(hops=1)", "gfql([])", "chain([])", "keep_nodes(['a'])", "get_topological_levels()"]
    )
    def test_those_that_need_the_whole_graph_say_what_to_do(self, graph, verb):
        with pytest.raises(errors.TaskFailed, match=r"NotImplementedHere: .*g\.edges\(ddf\.compute\(\)\)"):
            by_threads(f"return g.{verb}", graph, output_type="all")


def habits() -> list[tuple[str, str]]:
    page = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([^|]+)` \| `([^|]+)` \|$", page, re.MULTILINE)


@pytest.fixture(scope="module")
def g():
    edges = pd.DataFrame({"s": list("abcd") * 50, "d": list("bcaa") * 50, "x": range(200), "k": [1, 2] * 100})
    return Plottable().edges(edges, "s", "d").nodes(pd.DataFrame({"id": list("abcd"), "c": list("xyxz")}), "id")


class TestHabits:
    def run(self, code, g, engine):
        *before, last = code.split("; ")
        lines = ["df, people = g._edges, g._nodes", *before, f"return {{'value': {last}}}"]
        return run_task(task("\n".join(lines)), g, engine=engine)["value"]

    @pytest.mark.parametrize(("before", "after"), habits())
    def test_the_page_says_what_to_write_and_so_does_the_error(self, g, before, after):
        try:
            wanted = self.run(before, g, "pandas")
        except errors.ResultNotSerializable:  # a scalar of numpy's
            wanted = True
        assert self.run(after, g, "dask") == wanted
        try:
            found = self.run(before, g, "dask")
        except errors.TaskFailed as e:
            advice = hint(e.message)
            assert advice
            assert e.message.endswith(f"{advice[1:]}.")
        except errors.ResultNotSerializable as e:
            assert "it is not computed yet: use .compute()" in e.message
        else:
            assert found == wanted  # an older Dask takes it

    def test_there_are_many(self):
        assert len(habits()) > 20

    def test_what_pandas_alone_has_is_named(self, g):
        with pytest.raises(errors.TaskFailed, match="Dask frames have no interpolate: reduce first"):
            self.run("df.interpolate()", g, "dask")

    @pytest.mark.parametrize(
        ("said", "advice"),
        [
            (
                "KilledWorker: Attempted to run task 'x' on 4 different workers, but all those died",
                "smaller partitions",
            ),
            (
                "FileNotFoundError: [Errno 2] No such file or directory: '/data/p/part-000001.parquet'",
                "a disk that they share",
            ),
            ("FutureCancelledError: x cancelled for reason: scheduler-connection-lost.", "the cluster forgot"),
        ],
    )
    def test_what_a_cluster_says_is_explained(self, said, advice):
        assert advice in hint(said)


class TestWhereItCannotBe:
    def test_without_dask_the_extra_is_named(self, graph, monkeypatch):
        monkeypatch.setattr(engines, "find_spec", lambda name: None)
        engines.dask_problem.cache_clear()
        try:
            with pytest.raises(
                errors.EngineUnavailable, match=r'dask is not installed \(pip install "graphistry-core\[dask'
            ):
                by_threads("return {}", graph)
        finally:
            engines.dask_problem.cache_clear()

    @pytest.mark.skipif(engines.cudf_problem() is None, reason="cuDF works here")
    def test_dask_cudf_without_cudf_has_the_probes_reason(self, graph):
        with pytest.raises(errors.EngineUnavailable, match="engine='dask_cudf' cannot be used here: cudf is"):
            run_task(task("return {}"), graph, engine="dask_cudf")

    @pytest.mark.skipif(sys.platform != "linux", reason="a fence is Linux's")
    def test_a_fence_refuses_it(self, graph):
        fenced = get_executor("isolated", sandbox="on")
        try:
            with pytest.raises(errors.BadRequest, match="Dask frames cannot be fenced in"):
                fenced.run(Task(task("return {}"), "dask"), GraphData.of(graph, lazy=True), Limits())
        finally:
            fenced.close()

    def test_a_query_has_no_such_engine(self):
        body = json.dumps({"gfql_query": {"type": "Chain", "chain": []}, "engine": "dask"}).encode()
        with pytest.raises(errors.BadRequest, match="engine"):
            wire.Gfql.decode({"dataset_id": "x"}, HttpRequest("POST", wire.Gfql.path, body=body))

    def test_a_server_without_a_cluster_computes_it_itself(self, graph):
        hub = Hub(executor="inprocess")
        client = GraphistryClient()
        client.register(username="alice", password="pw", transport=LocalTransport(hub))
        g = client.edges(graph._edges, "s", "d").upload()
        assert g.python_remote_json(task("return {'n': int(g._edges.w.sum().compute())}"), engine="dask") == {"n": 10}
        hub.close()
