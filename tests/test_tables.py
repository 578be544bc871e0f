"""Anything tabular to Arrow and back: frames, resting shape, files."""

from __future__ import annotations

import datetime
import gzip
import json
import struct
import uuid
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphistry_core import ArrowConversionError, BindingError, InvalidTable, Plottable, run_task
from graphistry_core.arrow_body import ArrowBody
from graphistry_core.bindings import guess_ends, guess_node
from graphistry_core.executors import tables
from graphistry_core.frames import at_rest, check_readable, is_at_rest, map_arrow, to_arrow, to_pandas, write_arrow
from graphistry_core.readers import read_file


class Capsule:
    """A table of some library nobody has heard of."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


DATA = {"s": ["a", "b"], "d": ["b", None], "w": [1.5, 2.0]}


class TestToArrow:
    @pytest.mark.parametrize(
        "make",
        [pd.DataFrame, pa.table, lambda d: pa.table(d).to_batches()[0], lambda d: Capsule(pa.table(d))],
        ids=["pandas", "table", "batch", "capsule"],
    )
    def test_every_kind_of_table(self, make):
        assert at_rest(to_arrow(make(DATA))).to_pydict() == DATA

    def test_polars_eager_and_lazy(self):
        pl = pytest.importorskip("polars")
        for frame in (pl.DataFrame(DATA), pl.DataFrame(DATA).lazy()):
            assert to_arrow(frame).to_pydict() == DATA
            assert Plottable().edges(frame, "s", "d")._edges is frame

    def test_a_stream_of_batches_is_read_once_and_kept(self):
        g = Plottable().bind(source="s", destination="d", edges=pa.table(DATA).to_reader())
        assert repr(g).startswith("<Plottable edges: 2 x 3")
        assert run_task("def task(g): return {'n': len(g._edges)}", g) == {"n": 2}
        assert run_task("def task(g): return {'n': len(g._edges)}", g) == {"n": 2}

    @pytest.mark.parametrize(
        "odd", [None, 3, "text", [{"s": 1}], {"s": [1]}, pd.Series([1]), pd.DataFrame], ids=range(7)
    )
    def test_what_is_no_table_is_named(self, odd):
        with pytest.raises(InvalidTable, match="is not a table"):
            to_arrow(odd)

    def test_the_index_is_left_out_and_the_frame_unchanged(self):
        df = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="i"))
        before = df.copy()
        assert to_arrow(df).column_names == ["a"]
        pd.testing.assert_frame_equal(df, before)

    def test_duplicate_column_names_are_refused(self):
        with pytest.raises(InvalidTable, match="more than one column named 'a'"):
            to_arrow(pd.DataFrame([[1, 2]], columns=["a", "a"]))
        with pytest.raises(InvalidTable, match="'1'"):
            to_arrow(pd.DataFrame([[1, 2]], columns=[1, "1"]))

    @pytest.mark.parametrize("values", [[1, "x"], ["a", 1.5, None], [{"a": 1}, 3], [Capsule, 1]], ids=range(4))
    def test_mixed_columns(self, values):
        df = pd.DataFrame({"ok": range(len(values)), "bad": pd.Series(values, dtype=object)})
        with pytest.raises(ArrowConversionError) as caught:
            to_arrow(df, "strict")
        assert caught.value.columns == ["bad"]
        with pytest.warns(UserWarning, match=r"\['bad'\]"):
            table = to_arrow(df)
        assert pa.types.is_large_string(at_rest(table).schema.field("bad").type)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            to_arrow(df, validate=False)
            to_arrow(df, warn=False)
        assert df["bad"].tolist() == values

    def test_a_list_that_contains_itself_is_refused_and_not_followed(self):
        loop: list[object] = []
        loop.append(loop)
        with pytest.raises(ArrowConversionError, match="'a'"):
            to_arrow(pd.DataFrame({"a": pd.Series([loop], dtype=object)}))

    def test_types_without_a_form_in_arrow_become_text_or_dense(self):
        df = pd.DataFrame({"i": pd.cut([1, 5], 2), "p": pd.period_range("2020-01", periods=2, freq="M"),
                           "z": pd.arrays.SparseArray([0, 1])})  # fmt: skip
        table = at_rest(to_arrow(df))
        assert table["p"].to_pylist() == ["2020-01", "2020-02"]
        assert table["z"].to_pylist() == [0, 1]
        assert table["i"].to_pylist()[0].startswith("(")

    def test_integer_column_names_can_be_bound(self):
        g = Plottable().edges(pd.DataFrame({1: ["a"], 2: ["b"]}), 1, 2)
        assert run_task("def task(g): return {'s': g._edges[g._source].tolist()}", g) == {"s": ["a"]}


class TestAtRest:
    def test_one_chunk_large_strings_and_nan(self):
        table = pa.table({
            "s": pa.chunked_array([["a"], ["b", None]]),
            "f": pa.chunked_array([[1.0], [None, 3.0]]),
            "v": pa.array(["x", None, "y"], pa.string_view()),
            "u": pa.array([uuid.UUID(int=1).bytes, None, uuid.UUID(int=2).bytes], pa.uuid()),
        })  # fmt: skip
        resting = at_rest(table)
        assert is_at_rest(resting)
        assert [str(t) for t in resting.schema.types] == ["large_string", "double", "large_string", "large_string"]
        assert resting["v"].to_pylist() == ["x", None, "y"]
        assert resting["u"].to_pylist()[0] == "00000000-0000-0000-0000-000000000001"
        assert resting["f"].null_count == 0

    @pytest.mark.parametrize(
        "array",
        [
            pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
            pa.RunEndEncodedArray.from_arrays([2], [1]),
            pa.array([[1]], pa.list_view(pa.int64())),
            pa.array([[["x"]]], pa.list_(pa.list_view(pa.string()))),
            pa.array([["x"]], pa.list_(pa.string_view())),
        ],
        ids=lambda a: str(a.type),
    )
    def test_types_that_dataframes_have_no_form_for_are_refused(self, array):
        with pytest.raises(InvalidTable, match="no form for"):
            at_rest(pa.table({"c": array}))

    @pytest.mark.parametrize(
        ("array", "kind"),
        [
            (pa.array([10**9], pa.date32()), "date32"),
            (pa.array([1], pa.time64("ns")), "time64"),
            (pa.array([0], pa.timestamp("ns", "No/Where")), "timestamp"),
        ],
    )
    def test_values_out_of_range_are_refused(self, array, kind):
        with pytest.raises(InvalidTable, match=kind):
            check_readable(pa.table({"c": array}))

    def test_a_null_slot_with_a_wild_view_does_not_end_the_process(self):
        good = pa.array(["short", "a very long string indeed", None], pa.string_view())
        buffers = good.buffers()
        views = bytearray(buffers[1].to_pybytes())
        views[32:48] = struct.pack("<i4sii", -16777216, b"abcd", 0, 0)
        crafted = pa.Array.from_buffers(pa.string_view(), 3, [buffers[0], pa.py_buffer(bytes(views)), *buffers[2:]])
        assert at_rest(pa.table({"c": crafted}))["c"].to_pylist() == ["short", "a very long string indeed", None]

    @pytest.mark.parametrize("rows", [0, 1, 1000])
    def test_a_written_table_is_one_batch(self, tmp_path, rows):
        write_arrow(pa.table({"a": pa.array(range(rows), pa.int64()), "t": pa.array(["x"] * rows)}), tmp_path / "t")
        assert pa.ipc.open_file(tmp_path / "t").num_record_batches == 1
        assert map_arrow(tmp_path / "t").num_rows == rows

    def test_large_ids_with_nulls_stay_exact(self):
        big = 2**60 + 1
        frame = to_pandas(pa.table({"big": [big, None], "small": [1, None]}))
        assert frame["big"].iloc[0] == big
        assert str(frame["small"].dtype) == "float64"


SCALARS = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "text": st.text(st.characters(codec="utf-8"), max_size=8),
    "bool": st.booleans(),
    "time": st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)),
    "decimal": st.decimals(-(10**6), 10**6, places=3),
    "list": st.lists(st.integers(0, 9), max_size=3),
}


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_random_tables_survive_writing_and_mapping(tmp_path_factory, data):
    rows = data.draw(st.integers(0, 6))
    columns = {}
    for name in data.draw(
        st.lists(st.text(st.characters(codec="utf-8"), max_size=4), min_size=1, max_size=4, unique=True)
    ):
        values = st.one_of(st.none(), SCALARS[data.draw(st.sampled_from(sorted(SCALARS)))])
        columns[name] = data.draw(st.lists(values, min_size=rows, max_size=rows))
    table = pa.table(columns)
    if data.draw(st.booleans()) and rows > 1:
        table = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    path = tmp_path_factory.mktemp("t") / "t.arrow"
    write_arrow(table, path)
    back = map_arrow(path).to_pydict()
    nan_is_null = {n: [None if isinstance(v, float) and np.isnan(v) else v for v in vs] for n, vs in back.items()}
    assert nan_is_null == columns


class TestFiles:
    def read(self, tmp_path, name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_file(path).to_pydict()

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("a.csv", "s,d\na,b\n", {"s": ["a"], "d": ["b"]}),
            ("a.csv", "\ufeffs,d\r\na,b\r\n", {"s": ["a"], "d": ["b"]}),
            ("a.csv", "s,d\ra,b\r", {"s": ["a"], "d": ["b"]}),
            ("a.csv", 's;"d, e"\na;b\n', {"s": ["a"], "d, e": ["b"]}),
            ("a.csv", 's,d\n"a,\n1",b\n', {"s": ["a,\n1"], "d": ["b"]}),
            ("a.csv", "s,d\na,b,\nb,c,\n", {"s": ["a", "b"], "d": ["b", "c"]}),
            ("a.csv", "name\nAlice Smith\nBob\n", {"name": ["Alice Smith", "Bob"]}),
            ("a.csv", "s, d ,w\n007,NA,1\n10,x,2\n", {"s": ["007", "10"], "d": ["NA", "x"], "w": [1, 2]}),
            ("a.csv", "s,d\n", {"s": [], "d": []}),
            ("a.csv", "1,2,0.5\n3,4,1\n", {"source": [1, 3], "destination": [2, 4], "column3": [0.5, 1.0]}),
            ("a.tsv", "s\td\na b\tc\n", {"s": ["a b"], "d": ["c"]}),
            ("a.txt", "# from\n# to\n1\t2\n", {"source": [1], "destination": [2]}),
            ("a.txt", "0 1\n0 2\n", {"source": [0, 0], "destination": [1, 2]}),
            ("a.json", '[{"s": "a", "d": 1}, {"s": "b"}]', {"s": ["a", "b"], "d": [1, None]}),
            ("a.json", '{"s": ["a"], "d": ["b"]}', {"s": ["a"], "d": ["b"]}),
            ("a.json", '{"s": {"0": "a", "1": "b"}, "d": {"1": "y", "0": "x"}}', {"s": ["a", "b"], "d": ["x", "y"]}),
            ("a.jsonl", '{"s": "a"}\n{"s": "b"}\n', {"s": ["a", "b"]}),
            ("a.jsonl", '{"s": "a"}', {"s": ["a"]}),
            ("a.csv.gz", gzip.compress(b"s,d\na,b\n", mtime=0), {"s": ["a"], "d": ["b"]}),
        ],
    )
    def test_text_tables(self, tmp_path, name, content, expected):
        assert self.read(tmp_path, name, content) == expected

    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("a.csv", "", "empty"),
            ("a.csv", "# only\n", "comments"),
            ("a.csv", "s,d\na,b,c\n", "more fields than the 2 columns"),
            ("a.csv", "s,s\n1,2\n", "more than one column named 's'"),
            ("a.csv", b"s,d\n\xff\xfe,b\n", "not UTF-8"),
            ("a.csv", b"\xfd7zXZ\x00xxxxxxxxxxxxxx", "not a valid csv"),
            ("a.csv", gzip.compress(b"s,d\n", mtime=0)[:-6], "not a valid csv"),
            ("a.json", "", "empty"),
            ("a.json", "{", "not a valid json"),
            ("a.json", "3", "JSON must be"),
            ("a.json", '{"s": ["a"], "d": []}', "differ in length"),
            ("a.parquet", b"PAR1xxxx", "not a valid parquet"),
            ("a.arrow", b"ARROW1", "not a valid arrow"),
        ],
    )
    def test_what_is_wrong_is_said_with_the_files_name(self, tmp_path, name, content, sentence):
        with pytest.raises(InvalidTable, match=sentence) as caught:
            self.read(tmp_path, name, content)
        assert name in caught.value.message

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(InvalidTable, match=r"gone\.csv cannot be read: No such file"):
            read_file(tmp_path / "gone.csv")

    def test_columnar_files(self, tmp_path):
        table = pa.table({"s": ["a", "b"], "d": [1, 2]})
        pq.write_table(table, tmp_path / "t.parquet")
        write_arrow(table, tmp_path / "t.arrow")
        assert read_file(tmp_path / "t.parquet").to_pydict() == read_file(tmp_path / "t.arrow").to_pydict()

    @pytest.mark.parametrize(
        ("name", "edges", "ends"),
        [
            ("facebook_combined.txt", 88_234, ("source", "destination")),
            ("honeypot.csv", 220, ("attackerIP", "victimIP")),
            ("lesmiserables.csv", 254, ("source", "target")),
        ],
    )
    def test_real_edge_lists(self, shared_data, name, edges, ends):
        table = read_file(shared_data / name)
        assert table.num_rows == edges
        assert guess_ends(table.column_names) == ends

    def test_the_shipped_graph_is_the_real_one(self, shared_data):
        from conftest import ROOT

        shipped = read_file(ROOT / "graphistry_core" / "data" / "lesmiserables.csv")
        assert shipped.equals(read_file(shared_data / "lesmiserables.csv"))


class TestGuesses:
    @pytest.mark.parametrize(
        ("columns", "given", "expected"),
        [
            (["w", "Source", "TARGET"], {}, ("Source", "TARGET")),
            (["a", "b", "c"], {}, ("a", "b")),
            (["s", "d"], {"source": "d"}, ("d", "s")),
            (["x", "y"], {"destination": "x"}, ("y", "x")),
            (["from", "to"], {}, ("from", "to")),
            (["w", "source", "x"], {}, ("source", "w")),
        ],
    )
    def test_ends(self, columns, given, expected):
        assert guess_ends(columns, **given) == expected

    def test_node(self):
        assert guess_node(["x", "ID"]) == "ID"
        assert guess_node(["x", "y"]) == "x"

    def test_too_few_columns(self):
        with pytest.raises(BindingError, match="needs a source"):
            guess_ends(["a"])
        with pytest.raises(BindingError, match="needs an id column"):
            guess_node([])


def test_json_tables_keep_every_digit_and_write_times_as_iso():
    source = """
import pandas as pd
def task(g):
    times = pd.to_datetime(['2026-01-02T03:04:05.123456', None])
    return pd.DataFrame({'f': [0.1 + 0.2, None], 't': times, 'd': pd.to_timedelta(['1D', None])})
"""
    g = Plottable().edges(pd.DataFrame({"s": [1], "d": [2]}), "s", "d")
    out = run_task(source, g, output_type="table")
    assert out.to_dict(orient="records")[0] == {
        "f": 0.30000000000000004,
        "t": "2026-01-02T03:04:05.123456",
        "d": "P1DT0H0M0S",
    }
    empty = run_task("def task(g): return g._edges.head(0)", g, output_type="table")
    assert list(empty.columns) == ["s", "d"]


def test_a_long_table_as_json_takes_little_more_memory_than_its_text():
    """As Python objects its rows would take a hundred MB, and without memory orjson ends the process."""
    frame = pd.DataFrame({"s": range(400_000), "d": range(400_000)})
    out = run_task(
        "def task(g): return g", Plottable().edges(frame, "s", "d"), executor="isolated", memory_mb=60,
        output_type="edges",
    )  # fmt: skip
    pd.testing.assert_frame_equal(out._edges, frame)


@pytest.mark.parametrize("depth", [0, 260], ids=["orjson", "the standard library"])
def test_a_long_json_table_has_every_row_once_and_in_order(depth):
    """Deeper than 254 lists orjson does not go."""
    deep: object = 7
    kind = pa.int64()
    for _ in range(depth):
        deep, kind = [deep], pa.list_(kind)
    cells = [deep if n % 30_000 == 29_999 else None for n in range(60_001)]
    numbers = [float("nan") if n % 7 == 0 else n / 7 for n in range(60_001)]
    body = tables.records(pa.table({"n": pa.array(numbers), "deep": pa.array(cells, kind)}))
    expected = [
        {"n": None if n % 7 == 0 else number, "deep": cell}
        for n, (number, cell) in enumerate(zip(numbers, cells, strict=True))
    ]
    assert json.loads(body) == expected


COLUMN_NAMES = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=3), st.integers(0, 3), st.sampled_from(["s", "d"])
)
PANDAS_COLUMNS = {
    "Int64": st.one_of(st.none(), st.integers(-(2**62), 2**62)),
    "float32": st.floats(width=32, allow_nan=True),
    "string": st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=5)),
    "category": st.one_of(st.none(), st.sampled_from(["a", "b", "é"])),
    "boolean": st.one_of(st.none(), st.booleans()),
    "datetime64[ns, UTC]": st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)),
    "object": st.one_of(st.none(), st.lists(st.integers(0, 3), max_size=2)),
}


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_random_frames_survive_the_wire_or_are_refused_by_name(data):
    rows = data.draw(st.integers(0, 5))
    kinds = data.draw(st.lists(st.sampled_from(sorted(PANDAS_COLUMNS)), min_size=2, max_size=5))
    names = data.draw(st.lists(COLUMN_NAMES, min_size=len(kinds), max_size=len(kinds)))
    series = []
    for kind in kinds:
        values = data.draw(st.lists(PANDAS_COLUMNS[kind], min_size=rows, max_size=rows))
        aware = [pd.Timestamp(v, tz="UTC") for v in values] if kind.startswith("datetime") else values
        series.append(pd.Series(aware, dtype=kind))
    df = pd.concat(series, axis=1).set_axis(names, axis=1)
    if rows > 2 and data.draw(st.booleans()):
        df = df.iloc[1:-1]
    before = df.copy()
    g = Plottable().edges(df, str(names[0]), str(names[1]))
    texts = [str(name) for name in names]
    try:
        sent = ArrowBody(to_arrow(df, warn=False)).tobytes()
    except InvalidTable as e:
        repeated = {text for text in texts if texts.count(text) > 1}
        assert repeated, e
        assert all(repr(text) in e.message for text in repeated)
        return
    assert len(set(texts)) == len(texts)
    table = pa.ipc.open_file(sent).read_all()
    assert table.column_names == texts
    for text, name in zip(texts, names, strict=True):
        expected = pa.array(df[name], from_pandas=True).to_pylist()
        assert table[text].to_pylist() == expected
    out = run_task("def task(g): return {'rows': len(g._edges), 'columns': list(g._edges.columns)}", g)
    assert out == {"rows": len(df), "columns": texts}
    pd.testing.assert_frame_equal(df, before)
