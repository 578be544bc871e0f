"""The rows of the fault table that hold for the in-process executor, and how sources become tasks."""

from __future__ import annotations

import contextlib
import copyreg
import functools
import json
import math
import pickle
import sys
import textwrap
import threading

import pandas as pd
import pyarrow as pa
import pytest

from graphistry_core import (
    InvalidTask,
    Plottable,
    ResultNotSerializable,
    ResultTooLarge,
    TaskFailed,
    errors,
    run_task,
    wire,
)
from graphistry_core.executors import GraphData, Limits, Task, get_executor
from graphistry_core.executors.task import source_of, undefined_names

threshold = 3


def run_source(source, graph, **options):
    return run_task(textwrap.dedent(source), graph, **options)


class TestFaults:
    """Numbers are the rows of the table."""

    def fails(self, source, graph, error, sentence, **options):
        with pytest.raises(error, match=sentence) as caught:
            run_source(source, graph, **options)
        assert run_task("def task(g): return {'n': len(g._edges)}", graph) == {"n": 4}  # the next one is fine
        return caught.value

    def test_07_sys_exit(self, graph):
        e = self.fails("import sys\ndef task(g):\n    sys.exit(4)", graph, TaskFailed, "SystemExit: 4")
        assert e.line == 3

    def test_18_infinite_recursion(self, graph):
        e = self.fails("def task(g):\n    return task(g)", graph, TaskFailed, "RecursionError")
        assert len(e.traceback.splitlines()) < 30

    def test_19_a_million_deep_list(self, graph):
        source = "def task(g):\n    x = []\n    for _ in range(10**6):\n        x = [x]\n    return {'x': x}"
        self.fails(source, graph, ResultNotSerializable, "deeply")

    def test_20_nan_is_null_and_noted(self, graph, capsys):
        source = "def task(g): return {'a': [1.5, float('nan')], 'b': float('inf'), 'c': None}"
        assert run_source(source, graph) == {"a": [1.5, None], "b": None, "c": None}
        assert 'result["a"][1] is NaN or infinite' in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [
            ("{'total': np.int64(1)}", r'result\["total"\] is numpy.int64: wrap it in int\(\)'),
            ("{'a': [{'b': np.bool_(True)}]}", r'result\["a"\]\[0\]\["b"\] is numpy.bool: wrap it in bool\(\)'),
            ("{'t': pd.Timestamp('2026-01-01')}", r"Timestamp: use .isoformat\(\)"),
            ("{'s': {1}}", r"set: wrap it in sorted\(\) or list\(\)"),
            ("{'d': g._edges}", r"DataFrame: use .to_dict\(orient='records'\)"),
            ("{'a': np.arange(3)}", r"numpy.ndarray: use .tolist\(\)"),
            ("{'u': uuid.uuid4()}", r"uuid.UUID: wrap it in str\(\)"),
            ("{'e': Colour.RED}", "Colour"),
            ("{np.int64(3): 1}", "key"),
            ("g._edges", "ask for output_type='table'"),
            ("g", "ask for output_type='all'"),
            ("{'n': pd.NA}", "use None"),
        ],
    )
    def test_21_what_json_does_not_take(self, graph, value, sentence):
        source = f"""
            import enum, uuid
            import numpy as np, pandas as pd
            class Colour(enum.Enum):
                RED = 1
            def task(g):
                return {value}
        """
        self.fails(source, graph, ResultNotSerializable, sentence)

    def test_21_lenient_json_converts_scalars_and_times(self, graph):
        source = """
            import numpy as np, pandas as pd
            def task(g):
                return {'n': np.int64(1), 'f': [np.float32(0.5)], 't': pd.Timestamp('2026-01-02'), np.int64(3): pd.NaT}
        """
        expected = {"n": 1, "f": [0.5], "t": "2026-01-02T00:00:00", "3": None}
        assert run_source(source, graph, lenient_json=True) == expected

    @pytest.mark.parametrize("value", [1, None, [1, 2], True, 1.5])
    def test_22_values_that_are_not_documented_are_sent_with_a_note(self, graph, value, capsys):
        assert run_source(f"def task(g): return {value!r}", graph) == value
        assert "only str and dict are documented" in capsys.readouterr().err

    def test_23_a_syntax_error_has_line_column_and_caret(self, graph):
        e = self.fails("def task(g):\n    x = = 1\n    return x", graph, InvalidTask, "line 2, column 9")
        assert (e.line, e.column) == (2, 9)
        assert "x = = 1\n          ^" in e.traceback

    def test_24_no_task(self, graph):
        self.fails("def work(g): return 1", graph, InvalidTask, r"define def task\(g\)")

    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("def task(): return 1", "exactly one parameter"),
            ("def task(g, h): return 1", "exactly one parameter"),
            ("def task(*g): return 1", "exactly one parameter"),
            ("def task(g, *, h): return 1", "exactly one parameter"),
            ("async def task(g): return 1", "async"),
            ("task = lambda g: 1", "lambda"),
            ("task = 3", "not a function"),
            ("class task: pass", "not a function"),
        ],
    )
    def test_25_signatures(self, graph, source, sentence):
        self.fails(source, graph, InvalidTask, sentence)

    def test_26_the_users_line_first_and_library_frames_folded(self, graph):
        source = "def helper(df):\n    return df['amount']\n\ndef task(g):\n    return helper(g._edges)"
        e = self.fails(source, graph, TaskFailed, r"KeyError: 'amount' \(line 2: return df\['amount'\]\)")
        assert e.line == 2
        lines = e.traceback.splitlines()
        assert lines[1:3] == ["  line 5, in task: return helper(g._edges)", "  line 2, in helper: return df['amount']"]
        assert "frames in pandas" in lines[3]
        assert lines[-1] == "KeyError: 'amount'"

    def test_27_writing_to_the_tables_stays_in_the_task(self, graph, edges, nodes):
        before = edges.copy()
        source = """
            def task(g):
                g._edges.loc[g._edges['w'] > 1, 'w'] = 0
                g._edges['x'] = g._edges['x'].fillna(0)
                g._edges.drop(columns=['d'], inplace=True)
                g._nodes.iloc[0, 1] = 'changed'
                return {'w': g._edges['w'].tolist(), 'x': g._edges['x'].tolist()}
        """
        data = GraphData.of(graph)
        executor = get_executor("inprocess")
        for _ in range(2):
            result = executor.run(Task(textwrap.dedent(source)), data, Limits()).unwrap()
            assert json.loads(result.body) == {"w": [1, 0, 0, 0], "x": [0.5, 0.0, 2.0, 3.0]}
        pd.testing.assert_frame_equal(edges, before)
        assert nodes["name"].tolist() == ["A", "B", "C", "É"]

    def test_32_an_exception_whose_text_raises(self, graph):
        source = "class Bad(Exception):\n    def __str__(self): raise ValueError\ndef task(g): raise Bad()"
        self.fails(source, graph, TaskFailed, "Bad: <its text cannot be shown: ValueError>")

    def test_33_an_exception_that_cannot_be_pickled(self, graph, monkeypatch):
        # Dask brings tblib, which has every exception class pickled with its cause, also where that cannot be.
        monkeypatch.delitem(copyreg.dispatch_table, TaskFailed, raising=False)
        source = "def task(g):\n    class Local(Exception): pass\n    raise Local('here')"
        e = self.fails(source, graph, TaskFailed, "Local: here")
        assert pickle.loads(pickle.dumps(e)).line == 3

    def test_40_surrogates_and_big_numbers_are_delivered(self, graph):
        assert run_source(r"def task(g): return {'s': '\ud800', 'n': 2**70}", graph) == {"s": "\ud800", "n": 2**70}
        assert run_source(r"def task(g): return 'a\ud800'", graph) == "a\ud800"
        self.fails("def task(g): return {'a': [b'x']}", graph, ResultNotSerializable, r'result\["a"\]\[0\] is bytes')

    def test_42_what_a_callable_leaves_behind_is_named(self, graph):
        limit = 2

        def uses_a_global(g):
            return {"n": threshold}

        def uses_a_closure(g):
            return {"n": limit}

        @functools.cache
        def decorated(g):
            return {"n": 1}

        def annotated(g: pd.DataFrame):
            return {"n": 1}

        for task, name in (
            (uses_a_global, "threshold"),
            (uses_a_closure, "limit"),
            (decorated, "functools"),
            (annotated, "pd"),
        ):
            with pytest.raises(InvalidTask, match=f"name '{name}' is not defined in the shipped source"):
                run_task(task, graph)

    def test_42_long_expressions_and_wrapped_functions(self, graph):
        def wrapper(function):
            @functools.wraps(function)
            def wrapped(g):
                return {"wrapped": function(g)}

            return wrapped

        def plain(g):
            return {"n": 1}

        with pytest.raises(InvalidTask, match="wrapped by a decorator"):
            run_task(wrapper(plain), graph)
        assert run_task("def task(g): return {'n': " + "+".join(["1"] * 500) + "}", graph) == {"n": 500}

    def test_42_what_cannot_be_shipped_at_all(self, graph):
        class Worker:
            def task(self, g):
                return 1

            __call__ = task

        def two(g, n):
            return 1

        for task, sentence in (
            (functools.partial(two, n=1), "partial"),
            (Worker().task, "bound method"),
            (Worker(), "Worker object"),
            (lambda g: 1, "lambda"),
            (two, "exactly one parameter"),
            (len, "cannot be shipped"),
            (3, "not a int"),
        ):
            with pytest.raises(InvalidTask, match=sentence):
                run_task(task, graph)

    def test_42_a_self_contained_callable_is_shipped_whatever_its_name(self, graph):
        def count_edges(g):
            """Say 'def count_edges' once more."""
            import math

            def half(n: int) -> int:
                total: NotEvaluated = n  # noqa: F821
                return total // 2

            return {"n": sum(half(w) for w in g._edges["w"] if (k := w) > math.pi - 3), "k": k}

        assert run_task(count_edges, graph) == {"n": 4, "k": 4}

    def test_15_a_result_over_the_cap(self, graph):
        data = GraphData.of(graph)
        result = get_executor("inprocess").run(Task("def task(g): return 'x' * 2_000_000"), data, Limits(result_mb=1))
        with pytest.raises(ResultTooLarge, match=r"2000000 bytes .* cap is 1048576"):
            result.unwrap()

    def test_16_output_over_the_cap_is_cut_and_marked(self, graph):
        source = "def task(g):\n    for _ in range(3000): print('x' * 1000)\n    return {'done': True}"
        result = get_executor("inprocess").run(Task(source), GraphData.of(graph), Limits()).unwrap()
        assert len(result.logs) < 1_100_000
        assert "output cut here" in result.logs

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [
            ("{'mean': float('nan'), 'total': np.int64(3)}", r'result\["total"\] is numpy.int64'),
            ("10**5000", "cannot be encoded|not JSON"),
            ("{'a': Odd()}", "Odd"),
            ("{'a': Hostile()}", "cannot be encoded as json: ValueError: no"),
            ("Keys()", "cannot be encoded as json: ValueError: no"),
        ],
    )
    def test_values_that_spoil_their_own_encoding(self, graph, value, sentence):
        source = f"""
            import numpy as np
            class Odd:
                item = None
            class Hostile:
                def __getattr__(self, name): raise ValueError('no')
            class Keys(dict):
                def items(self): raise ValueError('no')
                def __iter__(self): raise ValueError('no')
            def task(g):
                return {value}
        """
        self.fails(source, graph, ResultNotSerializable, sentence)

    @pytest.mark.parametrize("format", ["json", "csv", "parquet"])
    @pytest.mark.parametrize(
        "value",
        [
            "pd.DataFrame({'a': np.array(['30000-01-01'], 'M8[s]')})",
            "pd.DataFrame({'a': pd.Series([loop], dtype=object)})",
            "pa.table({'a': pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])})",
            "pd.DataFrame({'a': [{}]})",
            "pd.DataFrame({'a': pd.cut([1, 5], 2)})",
        ],
    )
    def test_tables_that_a_format_has_no_form_for(self, graph, format, value):
        source = f"""
            import numpy as np, pandas as pd, pyarrow as pa
            loop = []
            loop.append(loop)
            def task(g):
                return {value}
        """
        with contextlib.suppress(ResultNotSerializable):  # and nothing else
            run_source(source, graph, format=format, output_type="table")
        assert run_task("def task(g): return {'n': 1}", graph) == {"n": 1}

    def test_exceptions_that_lie_about_themselves(self, graph):
        source = """
            class M(type):
                def __getattribute__(c, n): raise RuntimeError(n)
            class E(Exception, metaclass=M): pass
            class T(Exception):
                @property
                def __traceback__(self): raise RuntimeError
            def task(g):
                raise {kind}()
        """
        for kind in ("E", "T"):
            self.fails(source.format(kind=kind), graph, TaskFailed, kind)

    def test_a_task_that_raises_our_own_error_has_failed(self, graph):
        source = "from graphistry_core import InvalidTask\ndef task(g): raise InvalidTask('x', foo=object())"
        self.fails(source, graph, TaskFailed, "InvalidTask: x")

    @pytest.mark.parametrize("raised", ["SystemExit(7)", "GeneratorExit()"])
    def test_a_value_that_ends_the_process_while_it_is_encoded(self, graph, raised):
        source = f"class E(dict):\n    def items(self): raise {raised}\ndef task(g): return E(a=1)"
        self.fails(source, graph, ResultNotSerializable, raised.partition("(")[0])

    def test_long_texts_are_cut(self, graph):
        e = self.fails("def task(g): raise ValueError('x' * 5_000_000)", graph, TaskFailed, "5000000 characters")
        assert len(json.dumps(e.to_body())) < 50_000

    def test_a_failing_import_at_the_top_shows_its_line(self, graph):
        e = self.fails("import nopackage\ndef task(g): return 1", graph, TaskFailed, r"\(line 1: import nopackage\)")
        assert "line 1, in <module>: import nopackage" in e.traceback

    @pytest.mark.parametrize(
        ("source", "error", "sentence"),
        [
            ("def task(g): return 1\ndel task", InvalidTask, "no function any more"),
            ("def task(g): return 1\ntask, x = 1, 2", InvalidTask, "no function any more"),
            ("def task(g): return 1\nreturn 2", InvalidTask, "outside function"),
            ("import sys\ndef task(g): sys.stdout.write(b'x')", TaskFailed, "must be str"),
        ],
    )
    def test_other_ways_to_fail(self, graph, source, error, sentence):
        self.fails(source, graph, error, sentence)

    def test_a_graph_that_cannot_become_frames(self):
        g = Plottable().edges(pa.table({"s": pa.array([10**9], pa.date32())}))
        with pytest.raises(TaskFailed, match="cannot be built as pandas frames"):
            run_task("def task(g): return {}", g)


class TestSources:
    SEED = " \n        def task(g):             return {                 'n': len(g._edges)             }     \n"

    @pytest.mark.parametrize(
        "source",
        [
            SEED,
            "def task(g):\n    return {'n': len(g._edges)}",
            "    def task(g):\n        return {'n': len(g._edges)}",
            "    \n    def task(g):\n        return {'n': len(g._edges)}\n    \n    ",
            "\n\n\tdef task(g):\n\t\treturn {'n': len(g._edges)}\n\n",
            "\r\ndef task(g):\r\n    return {'n': len(g._edges)}\r\n",
            "        import math\n        def task(g):\n            return {'n': len(g._edges)}\n",
            "from __future__ import annotations\ndef task(g: Whatever):\n    return {'n': len(g._edges)}",
            "   from __future__ import annotations\n   def task(g: Whatever):\n       return {'n': len(g._edges)}",
        ],
    )
    def test_any_indentation_runs(self, graph, source):
        assert run_task(source, graph) == {"n": 4}

    def test_what_the_wire_adds_is_taken_off_exactly(self):
        source = 'def task(g):\n    return """a\n  b\n\n    c"""'
        sent = wire.Python("id", source).encode()
        assert json.loads(sent.body)["execute"].split("\n") == ["    " + line for line in source.split("\n")]
        assert wire.Python.decode({"dataset_id": "id"}, sent).execute == source

    def test_dedenting_never_changes_a_literal(self, graph):
        source = """
            def task(g):
                return {'a': '''x
  y''', 'b': '''x
                y'''}
        """
        assert run_task(source, graph) == {"a": "x\n  y", "b": "x\n                y"}

    def test_string_literals_survive_deeper_indentation(self, graph):
        source = '        def task(g):\n            return {"s": """a\n  b\n"""}'
        assert run_task(source, graph) == {"s": "a\n  b\n"}

    def test_a_file_is_shipped_whole(self, graph, tmp_path):
        path = tmp_path / "work.py"
        path.write_text(
            "LIMIT = 2\ndef task(g):\n    return {'n': LIMIT}\nif __name__ == '__main__':\n    raise SystemExit"
        )
        assert run_task(path, graph) == run_task(str(path), graph) == {"n": 2}

    def test_a_missing_file_is_named(self, graph, tmp_path):
        with pytest.raises(InvalidTask, match=r"gone\.py cannot be read: No such file"):
            run_task(tmp_path / "gone.py", graph)

    def test_dataclasses_and_pickle_work_in_a_task(self, graph):
        source = """
            from __future__ import annotations
            import pickle
            from dataclasses import asdict, dataclass
            @dataclass
            class Row:
                n: int
            def task(g):
                return asdict(pickle.loads(pickle.dumps(Row(3))))
        """
        assert run_source(source, graph) == {"n": 3}

    def test_nothing_is_left_of_a_task(self, graph):
        modules = set(sys.modules)
        run_source("x = 1\ndef task(g): return {}", graph)
        assert {m for m in set(sys.modules) - modules if m.startswith("graphistry_task")} == set()
        with pytest.raises(TaskFailed, match="NameError: name 'x'"):
            run_source("def task(g): return {'x': x}", graph)

    @pytest.mark.parametrize(
        ("source", "missing"),
        [
            ("import numpy as np\ndef task(g): return np.x", []),
            ("def task(g):\n    global n\n    n = 1\n    return n", []),
            ("from os.path import *\ndef task(g): return join(g)", []),
            ("def task(g): return [y for x in g for y in x if y in z]", ["z"]),
            ("class A:\n    b = 1\n    c = b\ndef task(g): return A", []),
            ("def task(g, n=DEFAULT): return n", ["DEFAULT"]),
            ("@wraps\ndef task(g): return f(g)", ["f", "wraps"]),
            ("def task(g):\n    try: pass\n    except Exception as e: return e", []),
            ("def task(g): return (lambda q: q + r)(g)", ["r"]),
            ("def task(g):\n    match g:\n        case {'a': v, **rest}: return v, rest", []),
            ("def task(g): return __name__, print, f'{g!r:>{width}}'", ["width"]),
            ("def s():\n    global CFG\n    import math as CFG\ndef task(g): return CFG", []),
            ("def task(g):\n    class A:\n        x: Foo = 3\n    return A", ["Foo"]),
            ("def task(g):\n    x: Foo = 3\n    return x", []),
            ("def task(g): return " + "+".join(["1"] * 3000), []),
        ],
    )
    def test_undefined_names(self, source, missing):
        assert sorted(name for name, _ in undefined_names(source)) == missing

    def test_a_callable_is_dedented_like_pygraphistry_does(self):
        def task(g):
            return {"a": 1}

        assert source_of(task) == 'def task(g):\n    return {"a": 1}\n'


class TestRunTask:
    def test_direct_calls_the_live_function(self, graph):
        seen = []

        def task(g):
            seen.append(len(g._edges))
            return g

        assert run_task(task, graph, direct=True)._source == "s"
        assert seen == [4]

    def test_direct_wraps_failures_with_their_cause(self, graph):
        def task(g):
            raise ValueError("here")

        with pytest.raises(TaskFailed, match="ValueError: here") as caught:
            run_task(task, graph, direct=True)
        assert isinstance(caught.value.__cause__, ValueError)

    def test_direct_protects_the_callers_frame(self, graph, edges):
        def task(g):
            g._edges["w"] = 0
            g._edges.loc[0, "s"] = "z"

        run_task(task, graph, direct=True)
        assert edges["w"].tolist() == [1, 2, 3, 4]
        assert edges["s"].tolist()[0] == "a"

    def test_what_direct_returns_can_be_written_to(self, graph):
        out = run_task(lambda g: g, graph, direct=True)
        out._edges.loc[0, "w"] = 9
        out._edges["x"].fillna(0, inplace=False)
        assert out._edges["w"].tolist()[0] == 9

    def test_output_goes_to_stderr(self, graph, capsys):
        run_source(
            "import sys\ndef task(g):\n    print('out')\n    print('err', file=sys.stderr)\n    return {}", graph
        )
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err == "out\nerr\n"

    @pytest.mark.parametrize("limit", ["timeout_s", "memory_mb", "scratch_mb"])
    def test_an_executor_without_processes_refuses_limits_but_infinite_ones(self, graph, limit):
        executor, data = get_executor("inprocess"), GraphData.of(graph)
        with pytest.raises(errors.BadRequest, match="process of its own"):
            executor.run(Task("def task(g): return {}"), data, Limits(**{limit: 5}))
        assert executor.run(Task("def task(g): return {}"), data, Limits(**{limit: float("inf")})).body == b"{}"

    @pytest.mark.parametrize("limits", [{"timeout_s": 1}, {"memory_mb": 100}])
    def test_a_limit_that_cannot_be_enforced_is_an_error(self, graph, limits):
        with pytest.raises(errors.BadRequest, match="process of its own"):
            run_task("def task(g): return {}", graph, executor="inprocess", **limits)

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"executor": "nope"}, "executor='nope' is unknown"),
            ({"engine": "spark"}, "engine='spark' is unknown"),
            ({"format": "xml"}, "format='xml' is unknown"),
            ({"output_type": "tree"}, "output_type='tree' is unknown"),
            ({"plottable": "other"}, "plottable='other' is unknown"),
            ({"format": "csv"}, "cannot hold output_type='json'"),
            ({"scheduler": "tcp://x", "executor": "inprocess"}, "is for executor='dask'"),
        ],
    )
    def test_unknown_options_are_named(self, graph, options, sentence):
        with pytest.raises(ValueError, match=sentence):
            run_task("def task(g): return {}", graph, **options)

    def test_cudf_without_a_gpu_is_an_error_with_the_reason(self, graph):
        from graphistry_core.engines import cudf_problem

        if cudf_problem() is None:
            pytest.skip("cuDF works here")
        with pytest.raises(errors.EngineUnavailable, match="cudf"):
            run_task("def task(g): return {}", graph, engine="cudf")

    def test_an_executor_instance_is_used(self, graph):
        class Echo:
            name = "echo"

            def run(self, task, graph, limits, echo=None):
                from graphistry_core.executors import TaskResult

                return TaskResult(task.run_id, b'{"by": "echo"}', "application/json")

        assert run_task("def task(g): return {}", graph, executor=Echo()) == {"by": "echo"}

    def test_pygraphistrys_plottable_on_request(self, graph):
        pytest.importorskip("graphistry")
        source = """
            import graphistry
            def task(g):
                return {'is': isinstance(g, graphistry.plotter.Plotter), 'nodes': len(g.materialize_nodes()._nodes),
                        'ends': [g._source, g._destination, g._node]}
        """
        out = run_source(source, graph, plottable="pygraphistry")
        assert out == {"is": True, "nodes": 4, "ends": ["s", "d", "id"]}

    def test_import_graphistry_is_ours_where_pygraphistry_is_missing(self, graph, monkeypatch):
        import graphistry_core.executors.task as module

        monkeypatch.setattr(module, "find_spec", lambda name: None)
        source = "import graphistry, graphistry.plottable\ndef task(g): return {'n': graphistry.__name__}"
        assert run_source(source, graph) == {"n": "graphistry_core"}

    def test_a_graph_is_needed(self):
        with pytest.raises(errors.BadRequest, match="runs on a Plottable, not on a DataFrame"):
            run_task("def task(g): return {}", pd.DataFrame())

    def test_runs_inside_runs_and_beside_runs_print_to_stderr(self, graph, capsys):
        inner = "def task(g):\n    print('inner')\n    return {}"

        def outer(g):
            from graphistry_core import run_task

            print("outer")
            return run_task("def task(g):\n    print('inner')\n    return {'n': 1}", g)

        assert run_task(outer, graph) == {"n": 1}
        assert capsys.readouterr().err == "outer\ninner\n"
        threads = [threading.Thread(target=run_task, args=(inner, graph)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert capsys.readouterr().err.count("inner\n") == 8

    def test_what_else_writes_to_the_stream(self, graph):
        source = "import sys\ndef task(g):\n    sys.stdout.buffer.write(b'raw')\n    sys.stdout.close()\n    return {}"
        result = get_executor("auto").run(Task(source), GraphData.of(graph), Limits()).unwrap()
        assert result.logs == "raw"
        assert not sys.stdout.closed

    def test_threads_do_not_mix_their_output(self, graph):
        data = GraphData.of(graph)
        source = (
            "import time\ndef task(g):\n    for _ in range(20):\n        print({n}), time.sleep(0.001)\n    return {{}}"
        )
        logs = {}

        def work(n):
            logs[n] = get_executor("auto").run(Task(source.format(n=n)), data, Limits()).logs

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert logs == {n: f"{n}\n" * 20 for n in range(8)}


class TestJson:
    """The standard library is the judge of what JSON is."""

    @pytest.mark.parametrize(
        "value",
        [
            "{1: 'a', 1.5: 'b', None: 'c', True: 'd', 1e16: 'e'}",
            "{'t': (1, 2), 'n': P(1, 2), 'o': collections.OrderedDict(a=1), 'd': collections.defaultdict(int, a=2)}",
            "{'i': I.ONE, 's': S('x'), 'f': np.float64(0.1), 'c': collections.Counter('aab')}",
            "{'big': 10**30, 'small': 5e-324, 'neg': -0.0, 'e': 1e22, 'u': '\\u2028é🙂\\x00'}",
            "{'': {}, 'l': [[], [[]]]}",
        ],
    )
    def test_agrees_with_the_standard_library(self, graph, value):
        preamble = """
            import collections, enum, json
            import numpy as np
            P = collections.namedtuple('P', 'x y')
            class I(enum.IntEnum):
                ONE = 1
            class S(str): pass
        """
        asked = run_source(textwrap.dedent(preamble) + f"def task(g): return {value}", graph)
        judged = run_source(textwrap.dedent(preamble) + f"def task(g): return json.dumps({value})", graph)
        assert asked == json.loads(judged)

    def test_floats_keep_every_digit(self, graph):
        assert run_source("import math\ndef task(g): return {'pi': math.pi, 't': 0.1 + 0.2}", graph) == {
            "pi": math.pi,
            "t": 0.1 + 0.2,
        }

    def test_a_result_that_contains_itself(self, graph):
        with pytest.raises(ResultNotSerializable, match="contains itself"):
            run_source("def task(g):\n    d = {}\n    d['d'] = d\n    return d", graph)
