"""Engines: one conformance suite, broken installs told apart, comparing two of them, imports of what is not here."""

from __future__ import annotations

import importlib
import json
import logging
import subprocess
import sys
import textwrap

import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner

from graphistry_core import EngineUnavailable, GraphistryClient, Plottable, engines, run_task
from graphistry_core.cli import main
from graphistry_core.errors import BadRequest, EnginesDiffer, InvalidTask, TaskFailed, TaskOutOfMemory
from graphistry_core.executors.compare import compare
from pytest_graphistry.contracts import EngineContract


class TestPandas(EngineContract):
    engine = "pandas"
    executors = ("inprocess", "isolated" if sys.platform == "linux" else "spawned", "spawned")


class TestCudf(EngineContract):
    engine = "cudf"
    executors = ("inprocess", "spawned")


# --- broken installs ------------------------------------------------------------------------------------------

DRIVER = """
import ctypes
class Cuda:
    def cuInit(self, flags): return {init}
    def cuDeviceGetCount(self, found): found._obj.value = {devices}; return 0
class CDLL(ctypes.CDLL):
    def __new__(cls, name, *args, **options):
        return Cuda() if name == "libcuda.so.1" else super().__new__(cls)
    def __init__(self, name, *args, **options): super().__init__(name, *args, **options)
ctypes.CDLL = CDLL
"""
# What tests need of cuDF, over pandas: enough to show which path was taken.
WORKING = """
import os, pandas as pd, pyarrow as pa
open(os.path.join(os.path.dirname(__file__), "imported"), "a").close()
class Series(pd.Series):
    @property
    def _constructor(self): return Series
    def sum(self, *args, **options):
        import rmm
        if rmm.mr.current.limit is not None and rmm.mr.current.limit < 8 * len(self):
            raise MemoryError("std::bad_alloc: out_of_memory: RMM failure: Exceeded memory limit")
        return super().sum(*args, **options)
class DataFrame(pd.DataFrame):
    @property
    def _constructor(self): return DataFrame
    @property
    def _constructor_sliced(self): return Series
    @classmethod
    def from_arrow(cls, table): return cls(table.to_pandas())
    def to_arrow(self, preserve_index=None):
        return pa.Table.from_pandas(pd.DataFrame(self), preserve_index=preserve_index)
"""
RMM = """
class _Any:
    def __init__(self, upstream=None, limit=None): self.limit = limit
class mr:
    current = _Any()
    LimitingResourceAdaptor = _Any
    @staticmethod
    def get_current_device_resource(): return mr.current
    @staticmethod
    def set_current_device_resource(resource): mr.current = resource
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that puts a cudf, and a driver, where Python finds them, here and in new processes."""

    def make(cudf: str | None, init: int = 0, devices: int | None = 1, requires: str = "", **others: str) -> None:
        for name, source in ({"cudf": cudf} if cudf is not None else {}).items() | others.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        if devices is not None:
            (tmp_path / "sitecustomize.py").write_text(DRIVER.format(init=init, devices=devices))
        if requires:
            about = tmp_path / "cudf_cu13-26.10.2.dist-info"
            about.mkdir()
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: cudf-cu13\nVersion: 26.10.2\n{requires}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
        importlib.invalidate_caches()
        engines.cudf_problem.cache_clear()
        engines._log_fallback.cache_clear()

    yield make
    monkeypatch.undo()
    importlib.invalidate_caches()
    engines.cudf_problem.cache_clear()
    for name in ("cudf", "rmm"):
        sys.modules.pop(name, None)


real_cudf = pytest.mark.skipif(importlib.util.find_spec("cudf") is not None, reason="a real cuDF is installed here")


BROKEN = {
    "no driver": ({"cudf": "", "devices": None}, "libcuda.so.1 was not found"),
    "driver does not start": ({"cudf": "", "init": 3}, "cuInit failed"),
    "no device": ({"cudf": "", "devices": 0}, "sees no GPU"),
    "import raises AttributeError": (
        {"cudf": "import pandas\npandas.core.gone_since_then"},
        "fails at import: AttributeError: module 'pandas.core' has no attribute 'gone_since_then'",
    ),
    "import raises ImportError": ({"cudf": "import no_such_lib"}, "fails at import: ModuleNotFoundError: No module"),
    "first use raises": (
        {"cudf": "class Series:\n    def __init__(self, v): raise RuntimeError('CUDA error 35')"},
        "fails at first use: RuntimeError: CUDA error 35",
    ),
    "wrong results": (
        {"cudf": "class Series:\n    def __init__(self, v): pass\n    def sum(self): return 7"},
        "results are wrong (1 + 2 + 3 is 7)",
    ),
    "import kills the process": ({"cudf": "import os; os.kill(os.getpid(), 11)"}, "ends the process (signal 11)"),
    "import exits": ({"cudf": "import sys; sys.exit('no license')"}, "ends the process (exit code 1: no license)"),
    "versions clash": (
        {"cudf": "raise ImportError('numba')", "requires": "Requires-Dist: pandas<2,>=1.5"},
        'needs pandas<2,>=1.5, but {pandas} is installed: pip install "pandas<2,>=1.5"',
    ),
}


@real_cudf
@pytest.mark.skipif(sys.platform != "linux", reason="cuDF is for Linux")
@pytest.mark.parametrize("name", BROKEN)
def test_every_broken_install_is_told_apart(install, name, caplog):
    how, words = BROKEN[name]
    words = words.format(pandas=pd.__version__)
    install(**how)
    with pytest.raises(EngineUnavailable) as refused:
        engines.resolve("cudf")
    assert words in refused.value.message
    others = [other for _, other in BROKEN.values() if other != BROKEN[name][1] and "{" not in other]
    assert not [other for other in others if other in refused.value.message]
    with caplog.at_level(logging.INFO, "graphistry_core"):
        assert [engines.resolve("auto") for _ in range(3)] == ["pandas"] * 3
    assert [words in record.message for record in caplog.records if "pandas:" in record.message] == [True]
    assert "cudf" not in sys.modules  # it was tried elsewhere


@real_cudf
def test_one_that_is_not_installed(caplog):
    engines.cudf_problem.cache_clear()
    with pytest.raises(EngineUnavailable, match="cudf is not installed"):
        engines.resolve("cudf")
    assert run_task(
        "def task(g): return {'of': type(g._edges).__module__.partition('.')[0]}", GRAPH, engine="auto"
    ) == {"of": "pandas"}


def test_a_probe_that_hangs_is_given_up(install, monkeypatch):
    monkeypatch.setattr(engines, "_PROBE_S", 1.0)
    install("import time; time.sleep(60)")
    assert "did not end within 1 s" in engines.cudf_problem()


@real_cudf
def test_doctor_says_why_and_what_to_install(install):
    install("raise ImportError('numba')", requires="Requires-Dist: pandas<2,>=1.5")
    said = CliRunner().invoke(main, ["doctor"]).output
    assert "not usable: cudf is installed but fails at import: ImportError: numba" in said
    assert 'pip install "pandas<2,>=1.5"' in said


# --- a cuDF that works, as far as it goes ---------------------------------------------------------------------

GRAPH = Plottable().edges(pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"], "w": [1, 2]}), "s", "d")
OF = "def task(g): return {'of': type(g._edges).__module__, 'sum': int(g._edges['w'].sum())}"


@real_cudf
@pytest.mark.skipif(sys.platform != "linux", reason="cuDF is for Linux")
@pytest.mark.parametrize("executor", ["inprocess", "spawned"])
def test_the_task_gets_its_frames(install, executor):
    install(WORKING, rmm=RMM)
    assert run_task(OF, GRAPH, engine="cudf", executor=executor) == {"of": "cudf", "sum": 3}
    assert run_task(OF, GRAPH, engine="auto", executor=executor) == {"of": "cudf", "sum": 3}
    table = run_task("def task(g): return g._edges", GRAPH, engine="cudf", executor=executor, output_type="table")
    assert table.to_dict(orient="list") == {"s": ["a", "b"], "d": ["b", "c"], "w": [1, 2]}


@real_cudf
@pytest.mark.skipif(sys.platform != "linux", reason="cuDF is for Linux")
def test_the_cap_on_its_memory_and_the_next_task(install):
    from graphistry_core.executors import GraphData, Limits, Task
    from graphistry_core.executors.isolated import IsolatedExecutor

    install(WORKING, rmm=RMM)
    executor = IsolatedExecutor(concurrency=1)
    greedy = "import cudf\ndef task(g): return {'sum': int(cudf.Series(range(1 << 18)).sum())}"
    pids = "import os\ndef task(g): return {'pid': os.getpid(), 'sum': int(g._edges['w'].sum())}"
    try:
        graph = GraphData.of(GRAPH)
        first = json.loads(executor.run(Task(pids, "cudf"), graph, Limits()).unwrap().body)
        again = json.loads(executor.run(Task(pids, "cudf"), graph, Limits()).unwrap().body)
        assert again == first  # a worker that did nothing wrong goes on: CUDA takes its time to start
        failed = executor.run(Task(greedy, "cudf"), graph, Limits(memory_mb=1))
        assert isinstance(failed.error, TaskOutOfMemory), failed
        assert failed.error.line == 2
        after = json.loads(executor.run(Task(pids, "cudf"), graph, Limits()).unwrap().body)
        assert after["sum"] == 3
        assert after["pid"] != first["pid"]  # one whose CUDA may be broken does not
    finally:
        executor.close()


@real_cudf
def test_nothing_imports_it_unless_asked(install, tmp_path):
    install(WORKING, rmm=RMM)
    code = """
    import graphistry_core as graphistry, pandas as pd
    from graphistry_core.executors import executor_names
    g = graphistry.edges(pd.DataFrame({"s": [1], "d": [2]}), "s", "d")
    client = graphistry.client().register(api=3, transport="local")
    client.edges(g._edges, "s", "d").upload().python_remote_json("def task(g): return {}", engine="pandas")
    graphistry.run_task("def task(g): return {}", g, engine="pandas")
    graphistry.run_task("def task(g): return {}", g, engine="pandas", executor="spawned")
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], check=True, cwd=tmp_path)
    assert not (tmp_path / "imported").exists()
    assert engines.resolve("cudf") == "cudf"
    assert (tmp_path / "imported").exists()
    assert "cudf" not in sys.modules


# --- two engines ----------------------------------------------------------------------------------------------

EDGES = pa.table(
    {"s": list("abcabc"), "d": list("bcabca"), "w": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "n": [1, 2, 3, 4, 5, 6]}
)
BIG = Plottable().edges(EDGES, "s", "d")
SUMS = "def task(g): return {str(k): float(v) for k, v in g._edges.groupby('s')['w'].sum().items()}"
TABLE = "def task(g): return g._edges"


def shuffled(table):
    return engines.frames.to_pandas(table.take([5, 3, 1, 4, 2, 0]))


def one_row_less(table):
    return engines.frames.to_pandas(table.slice(1))


def other_dtype(table):
    return engines.frames.to_pandas(table).astype({"n": "int32"})


@pytest.fixture
def made_engines(monkeypatch):
    monkeypatch.setattr(engines, "_known", dict(engines._known))
    for make in (shuffled, one_row_less, other_dtype):
        engines.register_engine(make.__name__, make)


def run_cli(tmp_path, source, *options):
    (tmp_path / "task.py").write_text(source)
    EDGES.to_pandas().to_parquet(tmp_path / "edges.parquet")
    files = [
        str(tmp_path / "task.py"),
        "--edges",
        str(tmp_path / "edges.parquet"),
        "--source",
        "s",
        "--destination",
        "d",
    ]
    return CliRunner().invoke(main, ["run", *files, *options])


@pytest.mark.parametrize(
    ("engine", "task", "options", "code", "words"),
    [
        ("shuffled", SUMS, [], 0, ["the same values"]),
        ("shuffled", TABLE, ["--output-type", "table"], 0, ["the same values", "rows in another order"]),
        ("shuffled", TABLE, ["--output-type", "table", "--exact"], 1, ["other values"]),
        ("shuffled", TABLE, ["--output-type", "table", "--format", "csv"], 0, ["rows in another order"]),
        (
            "one_row_less",
            TABLE,
            ["--output-type", "table", "--format", "csv"],
            1,
            ["5 and 6 rows", "only in the second"],
        ),
        ("one_row_less", SUMS, [], 1, ["result['a'] is"]),
        ("other_dtype", TABLE, ["--output-type", "table", "--format", "parquet", "--out", "o"], 0, ["int32", "int64"]),
        (
            "other_dtype",
            TABLE,
            ["--output-type", "table", "--format", "parquet", "--out", "o", "--exact"],
            1,
            ["int32"],
        ),
    ],
)
def test_compare_on_the_command_line(made_engines, tmp_path, monkeypatch, engine, task, options, code, words):
    monkeypatch.chdir(tmp_path)
    done = run_cli(tmp_path, task, "--engine", engine, "--compare", "pandas", *options)
    assert done.exit_code == code, done.output
    for word in words:
        assert word in done.stderr, done.stderr
    assert f"{engine} " in done.stderr
    assert (" s)" in done.stderr) or (" s," in done.stderr)


def test_compare_in_python(made_engines, capsys):
    assert run_task(SUMS, BIG, engine="shuffled", compare="pandas") == run_task(SUMS, BIG, engine="shuffled")
    with pytest.raises(EnginesDiffer, match="one_row_less and pandas give different values") as differs:
        run_task(TABLE, BIG, engine="one_row_less", compare="pandas", output_type="table", format="parquet")
    assert any("'n': 1" in each for each in differs.value.details["differences"])
    with pytest.raises(BadRequest, match="name another"):
        run_task(SUMS, BIG, engine="pandas", compare="pandas")


@pytest.mark.parametrize(
    ("a", "b", "differs", "warns"),
    [
        ({"x": 0.1 + 0.2}, {"x": 0.3}, False, False),
        ({"x": 0.1}, {"x": 0.1000001}, True, False),
        ({"x": 0.0}, {"x": 1e-12}, True, False),
        ([1, 2, 3], [3, 1, 2], False, True),
        ([1, 2, 2], [1, 1, 2], True, False),
        (
            [{"a": 1.0, "b": 2}, {"a": 1.0000000000000002, "b": 3}],
            [{"a": 1.0, "b": 3}, {"a": 1.0, "b": 2}],
            False,
            True,
        ),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False, True),
        ({"a": 1}, {"b": 1}, True, False),
        ({"a": True}, {"a": 1}, True, False),
        ({"a": None}, {"a": 0}, True, False),
        ("text", "text", False, False),
        ([[1, 2], [3]], [[3], [2, 1]], False, True),
        (pd.DataFrame({"a": [1.0, None]}), pd.DataFrame({"a": [None, 1.0]}), False, True),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1], "b": [2]}), True, False),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1.0, 2.0]}), False, True),
        (pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [2], "a": [1]}), False, True),
        (pd.DataFrame({"a": []}, dtype=float), pd.DataFrame({"a": []}, dtype=float), False, False),
    ],
)
def test_what_counts_as_a_difference(a, b, differs, warns):
    for found in (compare(a, b), compare(b, a)):
        assert bool(found.differences) is differs, found
        assert bool(found.warnings) is warns or differs, found
        assert compare(a, a).differences == compare(a, a).warnings == []


# --- a task that imports cudf where there is none -------------------------------------------------------------


@real_cudf
@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("import pandas\n\nimport cudf\ndef task(g): return {}", 3),
        ("from cudf import DataFrame\ndef task(g): return {}", 1),
        ("def task(g):\n    import os, cudf.core as c\n    return {}", 2),
        ("import cupy\ndef task(g): return {}", 1),
    ],
)
def test_it_is_named_before_anything_runs(tmp_path, source, line):
    source = source.replace("return {}", f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(InvalidTask, match=f"at line {line}: cu.* is not installed here") as refused:
        run_task(source, GRAPH)
    assert refused.value.line == line
    assert not (tmp_path / "ran").exists()
    assert f"line {line}" in run_cli(tmp_path, source).stderr


@real_cudf
@pytest.mark.parametrize(
    "body",
    [
        "try:\n        import cudf\n    except ImportError:\n        cudf = None",
        "if g._edges is None:\n        import cudf",
        "def other():\n        import cudf",
    ],
)
def test_an_import_that_may_be_meant_for_elsewhere_is_left_alone(body):
    assert run_task(f"def task(g):\n    {body}\n    return {{'rows': len(g._edges)}}", GRAPH) == {"rows": 2}


WITH_CUDF = """
import cudf
def task(g):
    e = g._edges if isinstance(g._edges, cudf.DataFrame) else cudf.from_pandas(g._edges)
    more = cudf.concat([e, cudf.DataFrame({"s": ["c"], "d": ["a"], "w": [4]})], ignore_index=True)
    joined = cudf.merge(more, cudf.DataFrame({"d": ["a", "b"], "k": [1, 2]}), on="d")
    return {"sum": int(more["w"].sum()), "rows": len(joined), "kind": type(joined.groupby("d")["w"].sum()).__name__,
            "host": cudf.Series([1, 2]).values_host.tolist(),
            "back": type(joined.to_pandas()).__module__.partition(".")[0]}
"""


@real_cudf
@pytest.mark.skipif(sys.platform == "win32", reason="tasks in processes of their own need POSIX")
@pytest.mark.parametrize("engine", ["auto", "cudf"])
@pytest.mark.parametrize("executor", ["auto", "spawned"])
def test_the_stand_in_says_what_it_is(engine, executor, capfd):
    answer = run_task(WITH_CUDF, GRAPH, engine=engine, executor=executor, cudf_fallback="pandas")
    assert answer == {"sum": 7, "rows": 2, "kind": "Series", "host": [1, 2], "back": "pandas"}
    assert "approximation" in capfd.readouterr().err
    assert "cudf" not in sys.modules


@real_cudf
@pytest.mark.skipif(sys.platform == "win32", reason="tasks in processes of their own need POSIX")
def test_the_stand_in_fails_by_name_on_anything_else():
    with pytest.raises(TaskFailed, match=r"cudf\.read_parquet is not in the stand-in"):
        run_task("import cudf\ndef task(g): return cudf.read_parquet('x')", GRAPH, cudf_fallback="pandas")
    with pytest.raises(TaskFailed, match="does not support iterating"):
        run_task("import cudf\ndef task(g): return list(cudf.DataFrame({'a': [1]}).iterrows())", GRAPH,
                 cudf_fallback="pandas")  # fmt: skip
    with pytest.raises(BadRequest, match="processes of their own"):
        run_task(WITH_CUDF, GRAPH, cudf_fallback="pandas", executor="inprocess")


@real_cudf
@pytest.mark.skipif(sys.platform == "win32", reason="tasks in processes of their own need POSIX")
def test_the_stand_in_on_a_server():
    requests = pytest.importorskip("requests")
    from graphistry_devserver import DevServer

    with DevServer(port=0, cudf_fallback="pandas") as server:
        client = GraphistryClient().register(**server.register_kwargs)
        g = client.edges(GRAPH._edges, "s", "d").upload()
        assert g.python_remote_json(WITH_CUDF)["sum"] == 7
        assert "approximation" in server.dev.journal.find("python")[-1].task["logs"]
        url, token = f"{server.url}/api/v2/datasets/{g._dataset_id}/python", client.api_token()
        asked = {"headers": {"Authorization": f"Bearer {token}"}, "timeout": 60}
        said = requests.post(url, json={"execute": WITH_CUDF, "engine": "cudf"}, **asked).headers
        assert said["X-Graphistry-Core-Approximation"].startswith("approximation")
        plain = requests.post(url, json={"execute": "def task(g): return {}"}, **asked)
        assert "X-Graphistry-Core-Approximation" not in plain.headers


@real_cudf
@pytest.mark.skipif(sys.platform == "win32", reason="tasks in processes of their own need POSIX")
def test_the_stand_in_on_the_command_line(tmp_path):
    done = run_cli(
        tmp_path, "import cudf\ndef task(g): return {'v': int(cudf.Series([1, 2]).sum())}", "--cudf-fallback", "pandas"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"v": 3}
    assert "approximation: " in done.stderr
    plain = run_cli(tmp_path, "def task(g): return {'v': 1}", "--cudf-fallback", "pandas")
    assert "approximation" not in plain.stderr
