"""Uploads of every type, with options, compressed, damaged or too large; what belongs to files and datasets beside."""

from __future__ import annotations

import base64
import bz2
import decimal
import gzip
import io
import json
import lzma
import socket
import threading
import zipfile
import zlib

import pandas as pd
import pyarrow as pa
import pytest
from api import BINDINGS, FRAME, Api, answer_of, arrow, csv, declare, edges_of, kept, parquet, same, upload
from pyarrow import orc

from graphistry_core import GraphistryClient, wire
from graphistry_core.errors import InvalidTable, TooLarge
from graphistry_core.hub import Hub
from graphistry_core.table_process import parse_apart
from graphistry_devserver import DevServer


@pytest.fixture
def api(graphistry_server):
    return Api(graphistry_server)


@pytest.fixture(scope="module")
def small_server():
    with DevServer(max_upload_bytes=100_000) as server:
        yield server


@pytest.fixture
def small(small_server):
    """A server that takes 100,000 bytes, empty."""
    small_server.hub.reset()
    return small_server


def orc_bytes(table) -> bytes:
    sink = io.BytesIO()
    orc.write_table(table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False), sink)
    return sink.getvalue()


def xlsx(**sheets) -> bytes:
    pytest.importorskip("openpyxl")
    sink = io.BytesIO()
    with pd.ExcelWriter(sink, engine="openpyxl") as writer:
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, index=False)
    return sink.getvalue()


def text(**options) -> bytes:
    return FRAME.to_json(**options).encode()


def zipped(*members: tuple[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return sink.getvalue()


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


COMPRESS = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda content: zipped(("table", content)),
    "zstd": zstd,
}
ENCODE = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd}


def by_file(api, kind, content, query="", headers=None, **fields) -> pd.DataFrame:
    """What a task finds in a table that came as a file."""
    file_id, answer = upload(api, kind, content, query, headers, **fields)
    assert answer["is_valid"] is True, answer
    ends = list(answer["tables_schemas"][0]["dtypes"])
    bindings = {"edge_encodings": {"bindings": {"source": ends[0], "destination": ends[-1]}}}
    created = api.ok("POST", "/api/v2/upload/datasets/", json={**bindings, "edge_files": [file_id]})
    return edges_of(api, created["data"]["dataset_id"])


def by_table(api, kind, content, query="", headers=None) -> pd.DataFrame:
    """What a task finds in a table that was sent to its dataset."""
    dataset_id = api.ok("POST", "/api/v2/upload/datasets/", json={})["data"]["dataset_id"]
    path = f"/api/v2/upload/datasets/{dataset_id}/edges/{kind}{query}"
    api.ok("POST", path, data=content, headers=headers or {})
    return edges_of(api, dataset_id)


COLUMNS = FRAME.astype(object).where(FRAME.notna(), None).to_dict("list")
NODE = json.dumps({**COLUMNS, "agent_name": "@graphistry/node-api", "agent_version": "unknown"}).encode()
CONTENTS = {
    "arrow": ("arrow", arrow(FRAME), ""),
    "parquet": ("parquet", parquet(FRAME), ""),
    "parquet, zstd inside": ("parquet", parquet(FRAME, compression="zstd"), ""),
    "orc": ("orc", orc_bytes(FRAME), ""),
    "csv": ("csv", csv(), ""),
    "csv with options": ("csv", csv(sep=";"), "?sep=;"),
    "columns of lists": ("json", json.dumps(COLUMNS).encode(), ""),
    "json split": ("json", text(orient="split"), "?orient=split"),
    "the Node client's": ("json", NODE, ""),
    **{f"json {o}": ("json", text(orient=o), f"?orient={o}") for o in ("records", "index", "columns", "table")},
    "json guessed records": ("json", text(orient="records"), ""),
    "json guessed columns": ("json", text(orient="columns"), ""),
    "json lines": ("json", text(orient="records", lines=True), "?lines=true"),
    "json lines guessed": ("json", text(orient="records", lines=True), ""),
}


class TestRoundTrips:
    @pytest.mark.parametrize("name", CONTENTS)
    @pytest.mark.parametrize("way", [by_file, by_table])
    def test_every_type_comes_back_as_it_went(self, api, name, way):
        kind, content, query = CONTENTS[name]
        same(way(api, kind, content, query), FRAME)

    @pytest.mark.parametrize("codec", COMPRESS)
    @pytest.mark.parametrize("kind", ["csv", "json", "parquet", "arrow"])
    def test_compressed_files(self, api, kind, codec):
        content = {"csv": csv(), "json": text(orient="records"), "parquet": parquet(FRAME), "arrow": arrow(FRAME)}[kind]
        packed = COMPRESS[codec](content)
        same(by_file(api, kind, packed, file_compression=codec), FRAME)
        same(by_table(api, kind, packed, f"?compression={codec}"), FRAME)

    @pytest.mark.parametrize("encoding", ENCODE)
    @pytest.mark.parametrize("way", [by_file, by_table])
    def test_encoded_transfers(self, api, way, encoding):
        headers = {"Content-Encoding": encoding}
        same(way(api, "csv", ENCODE[encoding](csv()), headers=headers), FRAME)
        same(way(api, "arrow", ENCODE[encoding](arrow(FRAME)), headers=headers), FRAME)

    def test_an_encoded_transfer_of_a_compressed_file(self, api):
        content = zstd(gzip.compress(bz2.compress(csv())))
        headers = {"Content-Encoding": "gzip, zstd"}
        same(by_table(api, "csv", content, "?compression=bz2", headers), FRAME)

    def test_deflate_without_its_wrapper(self, api):
        raw = zlib.compressobj(wbits=-15)
        content = raw.compress(csv()) + raw.flush()
        same(by_table(api, "csv", content, headers={"Content-Encoding": "deflate"}), FRAME)

    def test_text_that_is_compressed_without_saying_so(self, api):
        for codec in ("gzip", "bz2", "xz"):
            same(by_table(api, "csv", COMPRESS[codec](csv())), FRAME)

    @pytest.mark.parametrize("kind", ["arrow", "orc", "csv"])
    def test_chunked_transfers(self, api, kind):
        content = {"arrow": arrow(FRAME), "orc": orc_bytes(FRAME), "csv": csv()}[kind]
        same(by_table(api, kind, iter([content[:7], content[7:]])), FRAME)

    def test_values_orient_has_numbered_columns(self, api):
        found = by_table(api, "json", text(orient="values"), "?orient=values")
        same(found, FRAME.set_axis(range(4), axis=1))

    def test_a_table_schema_keeps_times_and_a_named_index(self, api):
        times = pd.DataFrame({"t": pd.to_datetime(["2026-01-02T03:04:05.123", None]), "n": [1, 2]})
        same(by_table(api, "json", times.to_json(orient="table").encode(), "?orient=table"), times)
        named = times.set_index("n").to_json(orient="table").encode()
        assert set(by_table(api, "json", named, "?orient=table").columns) == {"t", "n"}

    def test_dtype_of_json(self, api):
        content = b'[{"s": 7, "d": "1.5", "w": 1}]'
        found = by_table(api, "json", content, '?dtype={"s": "str", "d": "float64"}')
        assert found.to_dict("records") == [{"s": "7", "d": 1.5, "w": 1}]

    def test_both_slash_spellings(self, api):
        dataset_id = api.dataset()
        api.ok("POST", f"/api/v2/upload/datasets/{dataset_id}/edges/csv/?sep=,", data=csv())

    def test_the_agents_of_node_are_dropped_in_every_orient(self, api):
        for orient in ("split", "columns"):
            document = {**json.loads(text(orient=orient)), "agent_name": "x", "agent_version": "y"}
            same(by_table(api, "json", json.dumps(document).encode(), f"?orient={orient}"), FRAME)

    def test_through_our_own_client(self, client: GraphistryClient):
        transport, auth = client.session.transport, wire.Auth("bearer", client.session.api_token)
        created = transport.call(wire.FileCreate("csv", parser_options={"sep": ";"}), auth)
        body = gzip.compress(csv(sep=";"))
        request = wire.FileUpload(created.file_id, body, options={"nrows": 2}, content_encoding="gzip")
        assert transport.call(request, auth).record["tables_schemas"][0]["num_rows"] == 2
        changed = transport.call(wire.FilePatch(created.file_id, name="new"), auth)
        assert transport.call(wire.FileGet(created.file_id), auth).record["name"] == changed.record["name"] == "new"
        made = transport.call(wire.DatasetCreate({**BINDINGS, "edge_files": [created.file_id]}), auth)
        transport.call(wire.DatasetPatch(made.dataset_id, metadata={"a": 1}), auth)
        assert client.from_dataset_id(made.dataset_id)._dataset_id == made.dataset_id


CSV_CASES = [
    ("sep=%09", csv(sep="\t"), {"sep": "\t"}),
    (r"sep=\t", csv(sep="\t"), {"sep": "\t"}),
    ("delimiter=|", csv(sep="|"), {"sep": "|"}),
    ("delim_whitespace=true", b"s  d w\na b   1\n", {"sep": r"\s+"}),
    (r"sep=\s%2B", b"s  d w\na b   1\n", {"sep": r"\s+"}),
    ("lineterminator=;", b"s,d;a,b;c,d", {"lineterminator": ";"}),
    (r"lineterminator=\r\n", b"s,d\r\na,b\r\n", {}),
    ("header=1", b"junk,junk\ns,d\na,b\n", {"header": 1}),
    ("header=null&names=a,b", b"1,2\n3,4\n", {"header": None, "names": ["a", "b"]}),
    ('header=0&names=["x, y","b"]', b"s,d\n3,4\n", {"header": 0, "names": ["x, y", "b"]}),
    ('usecols=["d","s"]', csv(), {"usecols": ["d", "s"]}),
    ("usecols=[0,2]", csv(), {"usecols": [0, 2]}),
    ('dtype={"w":"str"}', csv(), {"dtype": {"w": "str"}}),
    ("dtype=str", csv(), {"dtype": "str"}),
    ("encoding=latin-1", "s,d\né,ü\n".encode("latin-1"), {"encoding": "latin-1"}),
    ("encoding=utf-16", "s,d\né,🙂\n".encode("utf-16"), {"encoding": "utf-16"}),
    ("encoding_errors=replace", b"s,d\n\xff,a\n", {"encoding_errors": "replace"}),
    ("na_values=-", b"s,d\n-,a\nNA,b\n", {"na_values": ["-"]}),
    ('na_values={"s":["x"]}', b"s,d\nx,x\n", {"na_values": {"s": ["x"]}}),
    ("keep_default_na=false", b"s,d\nNA,a\n", {"keep_default_na": False}),
    ("na_filter=0", b"s,d\nNA,a\n", {"na_filter": False}),
    ("skiprows=1&nrows=1", b"#\ns,d\na,b\nc,d\n", {"skiprows": 1, "nrows": 1}),
    ("comment=%23", b"s,d\na,b#no\n#all\nc,d\n", {"comment": "#"}),
    ("quotechar='", b"s,d\n'a,1',b\n", {"quotechar": "'"}),
    ("quoting=3", b's,d\n"a,b\n', {"quoting": 3}),
    (r"escapechar=\&doublequote=false", b's,d\n"a\\"b",c\n', {"escapechar": "\\", "doublequote": False}),
    ("thousands=.&decimal=,&sep=;", b"s;d\n1.000;2,5\n", {"thousands": ".", "decimal": ",", "sep": ";"}),
    ("true_values=yes&false_values=no", b"s,d\nyes,1\nno,2\n", {"true_values": ["yes"], "false_values": ["no"]}),
    ('parse_dates=["d"]', b"s,d\n1,2026-01-02\n", {"parse_dates": ["d"]}),
    ("skipinitialspace=true", b"s, d\n1, x\n", {"skipinitialspace": True}),
    ("on_bad_lines=skip", b"s,d\na,b\na,b,c\n", {"on_bad_lines": "skip"}),
]  # fmt: skip


class TestCsvOptions:
    @pytest.mark.parametrize(("query", "content", "options"), CSV_CASES, ids=[case[0] for case in CSV_CASES])
    def test_they_are_pandas_own(self, api, query, content, options):
        dataset_id = api.ok("POST", "/api/v2/upload/datasets/", json={})["data"]["dataset_id"]
        api.ok("POST", f"/api/v2/upload/datasets/{dataset_id}/edges/csv?{query}", data=content)
        same(edges_of(api, dataset_id), pd.read_csv(io.BytesIO(content), **options))

    @pytest.mark.parametrize(
        ("fields", "options"),
        [
            ({"sep": ";", "nrows": 2}, {"sep": ";", "nrows": 2}),
            ({"sep": ";", "header": None, "names": ["a", "b", "c", "e"]}, None),
            ({"sep": ";", "dtype": {"w": "float64"}, "na_values": ["a"]}, None),
            ({"sep": ";", "header": None, "skiprows": 1}, None),
        ],
    )
    def test_parser_options_of_a_file(self, api, fields, options):
        content = csv(sep=";")
        same(
            by_file(api, "csv", content, parser_options=fields), pd.read_csv(io.BytesIO(content), **(options or fields))
        )

    def test_the_upload_goes_before_the_file(self, api):
        same(by_file(api, "csv", csv(sep="|"), "?sep=|", parser_options={"sep": ";"}), FRAME)
        same(by_file(api, "csv", gzip.compress(csv()), "?compression=gzip", file_compression="bz2"), FRAME)

    def test_declared_options_are_in_the_record(self, api):
        file_id = declare(api, "csv", parser_options={"sep": ";"}, file_compression="gz")
        record = api.ok("GET", f"/api/v2/files/{file_id}/")
        assert (record["parser_options"], record["file_compression"]) == ({"sep": ";"}, "gzip")

    def test_a_field_too_many_is_an_error_and_not_an_index(self, api):
        path = f"/api/v2/upload/datasets/{api.dataset()}/edges/csv?sep=,"
        api.refused(400, "POST", path, "with these options", data=b"s,d\na,b,c\n")


WRONG = [
    ("csv", "engine=python", "no option 'engine'"),
    ("csv", "filepath_or_buffer=/etc/passwd", "no option 'filepath_or_buffer'"),
    ("csv", "storage_options={}", "no option 'storage_options'"),
    ("csv", "sep=(a%2B)%2B$", "'sep'"),
    ("csv", "sep=", "'sep'"),
    ("csv", "header=-1", "'header'"),
    ("csv", "nrows=1e9", "'nrows'"),
    ("csv", "nrows=٣", "'nrows'"),
    ("csv", "encoding=idna", "'encoding'"),
    ("csv", "encoding=zlib", "'encoding'"),
    ("csv", "encoding=nope", "'encoding'"),
    ("csv", "dtype=[1]", "'dtype'"),
    ("csv", "na_values={", None),
    ("csv", "na_values=[[]]", "'na_values'"),
    ("csv", "skip_blank_lines=maybe", "'skip_blank_lines'"),
    ("csv", "quotechar=ab", "'quotechar'"),
    ("csv", "lineterminator=abc", "'lineterminator'"),
    ("csv", "compression=rar", "'compression'"),
    ("json", "orient=diagonal", "'orient'"),
    ("json", "sep=;", "no option 'sep'"),
    ("arrow", "columns=s", "no option 'columns'"),
    ("orc", "stripes=1", "no option 'stripes'"),
    ("parquet", "columns=[1]", "'columns'"),
]


class TestWrongOptions:
    @pytest.mark.parametrize(("kind", "query", "sentence"), [case for case in WRONG if case[2]], ids=str)
    def test_are_400_and_named_before_anything_is_read(self, api, kind, query, sentence):
        file_id = declare(api, kind)
        path = f"/api/v2/upload/datasets/{api.dataset()}/edges/{kind}?{query}"
        api.refused(400, "POST", f"/api/v2/upload/files/{file_id}?{query}", sentence, data=b"x")
        api.refused(400, "POST", path, sentence, data=b"x")
        assert not kept(api.hub)

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"file_type": "csv", "parser_options": {"engine": "c"}}, "no option 'engine'"),
            ({"file_type": "csv", "parser_options": {"nrows": -1}}, "'nrows'"),
            ({"file_type": "csv", "parser_options": []}, "'parser_options'"),
            ({"file_type": "csv", "file_compression": "lz"}, "'file_compression'"),
            ({"file_type": "csv", "file_compression": 3}, "'file_compression'"),
        ],
    )
    def test_also_when_the_file_is_declared(self, api, fields, sentence):
        api.refused(400, "POST", "/api/v2/files/", sentence, json=fields)

    def test_sql_transforms_are_not_pretended(self, api):
        api.refused(501, "POST", "/api/v2/files/", "sql_transforms", json={"sql_transforms": ["x"]})

    @pytest.mark.parametrize(
        ("kind", "query", "content", "sentence"),
        [
            ("csv", 'dtype={"w":"int64"}', b"w,d\nx,y\n", "w"),
            ("csv", "dtype=nonsense", b"w,d\nx,y\n", "nonsense"),
            ("csv", "usecols=zz", b"w,d\nx,y\n", "zz"),
            ("csv", "header=9", b"w,d\nx,y\n", ""),
            ("csv", 'parse_dates=["zz"]', b"w,d\nx,y\n", "zz"),
            ("csv", "encoding=ascii", "é,d\n".encode(), "ascii"),
            ("json", 'dtype={"zz":"str"}', b'[{"a": 1}]', "'zz'"),
            ("json", "dtype=nonsense", b'[{"a": 1}]', "nonsense"),
            ("json", "orient=split", b'{"a": [1]}', "split"),
            ("json", "orient=split", b'{"columns": ["a"], "data": [[1, 2]]}', "one per column"),
            ("json", "orient=split", b'{"columns": ["a", "a"], "data": [[1, 2]]}', "more than one"),
            ("json", "orient=values", b"[1]", "values"),
            ("json", "orient=index", b"[1]", "index"),
            ("json", "orient=records", b'{"a": 1}', "array of objects"),
            ("json", "orient=table", b'{"schema": {}, "data": []}', "table"),
            ("json", "lines=true&orient=split", b"{}", "lines"),
            ("json", "lines=true", b"[1]\n[2]", "array of objects"),
            ("parquet", "columns=zz", parquet(FRAME), "'zz'"),
            ("orc", "columns=zz", orc_bytes(FRAME), "'zz'"),
        ],
    )
    def test_options_that_the_content_does_not_fit(self, api, kind, query, content, sentence):
        path = f"/api/v2/upload/datasets/{api.dataset()}/edges/{kind}?{query}"
        api.refused(400, "POST", path, sentence, data=content)
        _, answer = upload(api, kind, content, f"?{query}")
        assert (answer["is_valid"], answer["is_uploaded"]) == (False, False)
        assert not kept(api.hub)

    def test_columns_can_be_chosen(self, api):
        for kind, content in (("parquet", parquet(FRAME)), ("orc", orc_bytes(FRAME))):
            same(by_table(api, kind, content, "?columns=s,w"), FRAME[["s", "w"]])


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


DAMAGED = {
    **{f"{kind} empty": (kind, b"", "") for kind in ("csv", "json", "parquet", "orc", "arrow")},
    **{f"{kind} noise": (kind, b"\x00\xff\x13" * 999, "") for kind in ("csv", "json", "parquet", "orc", "arrow")},
    **{
        f"{kind} cut": (kind, content[: len(content) // 2], "")
        for kind, content in (("parquet", parquet(FRAME)), ("orc", orc_bytes(FRAME)), ("json", text()))
    },
    **{f"{codec} cut": ("csv", pack(csv())[:-9], f"?compression={codec}") for codec, pack in COMPRESS.items()},
    **{f"{codec} noise": ("csv", b"plain,text\n", f"?compression={codec}") for codec in COMPRESS},
    "gzip of gzip": ("csv", gzip.compress(gzip.compress(csv())), "?compression=gzip"),
    "zip of two": ("csv", zipped(("a", b"s,d\n1,2\n"), ("b", b"s,d\n1,2\n")), "?compression=zip"),
    "zip of none": ("csv", zipped(), "?compression=zip"),
    "json deep": ("json", b"[" * 900 + b"]" * 900, ""),
    "json deep value": ("json", b'[{"a":' + b"[" * 500 + b"]" * 500 + b"}]", ""),
    "json NaN": ("json", b'[{"a": NaN}]', ""),
    "parquet with a flipped footer": ("parquet", flipped(parquet(FRAME), len(parquet(FRAME)) - 20), ""),
}


class TestDamage:
    @pytest.mark.parametrize("name", DAMAGED)
    def test_it_is_an_answer_and_nothing_is_stored(self, api, name):
        kind, content, query = DAMAGED[name]
        file_id, answer = upload(api, kind, content, query)
        assert (answer["is_valid"], answer["is_uploaded"]) == (False, False)
        assert answer["errors"]
        assert "Traceback" not in str(answer)
        api.refused(400, "POST", f"/api/v2/upload/datasets/{api.dataset()}/edges/{kind}{query}", data=content)
        assert api.ok("GET", f"/api/v2/files/{file_id}/")["is_uploaded"] is False
        assert not kept(api.hub)

    @pytest.mark.parametrize("encoding", ENCODE)
    def test_an_encoding_that_is_not_what_the_header_says(self, api, encoding):
        headers = {"Content-Encoding": encoding}
        path = f"/api/v2/upload/datasets/{api.dataset()}/edges/csv"
        api.refused(400, "POST", path, "cannot be decompressed", data=csv(), headers=headers)
        api.refused(400, "POST", path, "cannot be decompressed", data=ENCODE[encoding](csv())[:-6], headers=headers)

    @pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip, gzip", "nope"])
    def test_an_encoding_that_nobody_speaks(self, api, encoding):
        path = f"/api/v2/upload/datasets/{api.dataset()}/edges/csv"
        api.refused(400, "POST", path, "Content-Encoding", data=csv(), headers={"Content-Encoding": encoding})

    def test_a_failed_upload_keeps_what_was_there(self, api):
        file_id, _ = upload(api, "csv", csv())
        before = kept(api.hub)
        answer = api.ok("POST", f"/api/v2/upload/files/{file_id}?sep=;;".replace(";;", ";"), data=b"")
        assert answer["is_valid"] is False
        assert kept(api.hub) == before
        assert api.ok("GET", f"/api/v2/files/{file_id}/")["tables_schemas"][0]["num_rows"] == 3


def hostile_orc(precision: int) -> bytes:
    """An ORC file whose footer gives a decimal a precision that none has: its reader aborts the process."""
    good = orc_bytes(pa.table({"m": pa.array([decimal.Decimal("1.5")], pa.decimal128(10, 2)), "s": ["a"]}))
    place = good.index(b"\x28\x0a\x30\x02") + 1  # field 5, the precision: 10; field 6, the scale: 2
    return good[:place] + bytes([precision]) + good[place + 1 :]


class TestHostileOrc:
    @pytest.mark.parametrize("precision", [39, 77, 127])
    def test_the_server_outlives_it(self, api, precision):
        content = hostile_orc(precision)
        api.refused(400, "POST", f"/api/v2/upload/datasets/{api.dataset()}/edges/orc", "orc", data=content)
        _, answer = upload(api, "orc", content)
        assert answer["is_valid"] is False
        assert not kept(api.hub)

    def test_a_reader_that_dies_is_one_failed_upload(self, tmp_path, monkeypatch):
        from graphistry_core import table_process

        path = tmp_path / "body"
        path.write_bytes(orc_bytes(FRAME))
        monkeypatch.setattr(table_process, "_START", "import os; os.abort()")
        with pytest.raises(InvalidTable, match="ended the process"):
            parse_apart(path, "orc", {}, 1 << 20)
        assert [p.name for p in tmp_path.iterdir()] == ["body"]

    def test_a_reader_that_hangs_is_one_failed_upload(self, tmp_path, monkeypatch):
        from graphistry_core import table_process

        monkeypatch.setattr(table_process, "_START", "import time; time.sleep(60)")
        monkeypatch.setattr(table_process, "_TIMEOUT_S", 0.3)
        with pytest.raises(InvalidTable, match="took more than"):
            parse_apart(tmp_path / "body", "orc", {}, 1 << 20)


XLS = zlib.decompress(base64.b85decode(
    "c-rk)O=uHA6#izin?IU#Q&XW8N+?*h_99-qw5x*lWT{>h5j1IXC<&>gg6Ki3HAg}4q<AUx;-%`vAM~K$!GloIgCGcr9z6*P9@=c*yq&G7=Fp%PmHEPZ^XAQbJ1_fYW_R}0VyZTGueXjLFoF;oUJT(TpCE|^6$jMrdCCmRD2ZqAPazhiM22lVPP~k$9IAZRA#vAwMjH4)assC@HdQWUHW2$chOAIA43iePMV=&jII1qz6RbC}zQaAAu-?m_tE`8qZ%rJ>qB}OYN6+G8vY*?MP}hCHoOkTmg>Jl1v-sjQ;rF$%uQHh}{hbYcRtM%mc^fU13zclChBPH`9$&o-@FiHOPcz29v3>#ae_QL1wD4b-7BB<v6i@If5_ld`EjCJ%<>K@bb&u#ZNr|5($&;KV$&%zqCgN&O<~8iBS;GmQ+a09y=wv&^Gu)wFdg=D(*N1ZB?n(B{@V@Qu?pswr@Nh{nh@9k>(5fC}#!l9k`Knvk?q!{(z^NP<@7Bh_S?+U%TL);I-HbQxwkCT!+0{>nANEy0x;w~T7_FaAFT8c<&`(dBJn_|U7DHl4+`OUi$PG%NcY^n<dw$v#qSDc^d-@U9iDksuOtJQB>h6fun$-77u|*5EV0K9N7tB`o?SfP_#SUw>Y{8bywlv$%jIG&{*(!z+*@gS6EA3|A5r=_+fq{X6fq{X+uR!qouK#v#@zKLSKScC*on?}S`AqWP;s~bbcZN=y2T-Q6f^%)npUtpEa4oS;PVl`@;V6w>K@mBQquBQRrSqR?{y*y`I=^oTwL5;JojCvS_$%Lv#9a"
))  # fmt: skip
LINKS = pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"], "w": [1, 2]})
PEOPLE = pd.DataFrame({"id": ["a", "b", "c"], "age": [1.5, 2, 3]})


class TestWorkbooks:
    def test_xlsx(self, api):
        content = xlsx(links=LINKS)
        same(by_file(api, "xlsx", content), LINKS)
        same(by_table(api, "xlsx", content), LINKS)

    def test_xls(self, api):
        pytest.importorskip("xlrd")
        same(by_file(api, "xls", XLS), LINKS)

    def test_sheets_are_tables(self, api):
        file_id, answer = upload(api, "xlsx", xlsx(links=LINKS, people=PEOPLE))
        assert [schema["name"] for schema in answer["tables_schemas"]] == ["links", "people"]
        body = {
            "edge_files": [[file_id, 0]],
            "node_files": [[file_id, 1]],
            "edge_encodings": {"bindings": {"source": "s", "destination": "d"}},
            "node_encodings": {"bindings": {"node": "id"}},
        }
        dataset_id = api.ok("POST", "/api/v2/upload/datasets/", json=body)["data"]["dataset_id"]
        counts = api.run(dataset_id, "def task(g): return {'n': len(g._nodes), 'e': len(g._edges)}").json()
        assert counts == {"n": 3, "e": 2}
        api.refused(400, "POST", "/api/v2/upload/datasets/", "no table 2", json={**body, "node_files": [[file_id, 2]]})
        api.ok("DELETE", f"/api/v2/files/{file_id}/")
        assert len(kept(api.hub)) == 2
        api.ok("DELETE", f"/api/v2/datasets/{dataset_id}/")
        assert not kept(api.hub)

    def test_a_new_upload_replaces_all_sheets(self, api):
        file_id, _ = upload(api, "xlsx", xlsx(links=LINKS, people=PEOPLE))
        answer = api.ok("POST", f"/api/v2/upload/files/{file_id}", data=xlsx(people=PEOPLE))
        assert [schema["name"] for schema in answer["tables_schemas"]] == ["people"]
        assert len(kept(api.hub)) == 1

    def test_options(self, api):
        content = xlsx(links=LINKS, people=PEOPLE)
        same(by_table(api, "xlsx", content, "?sheet_name=people"), PEOPLE)
        same(by_table(api, "xlsx", content, "?sheet_name=1&nrows=1"), PEOPLE.head(1))
        path = f"/api/v2/upload/datasets/{api.dataset()}/edges/xlsx"
        api.refused(400, "POST", f"{path}?sheet_name=zz", "zz", data=content)
        api.refused(400, "POST", f"{path}?engine=odf", "no option 'engine'", data=content)

    @pytest.mark.parametrize("content", [b"", b"noise", zipped(("a", b"b"))], ids=range(3))
    def test_damage(self, api, content):
        pytest.importorskip("openpyxl")
        _, answer = upload(api, "xlsx", content)
        assert answer["is_valid"] is False
        assert not kept(api.hub)

    def test_a_bomb(self, small):
        content = xlsx(links=pd.DataFrame({"s": ["a" * 30_000] * 2, "d": ["b" * 30_000] * 2}))
        assert len(content) < 50_000
        Api(small).refused(413, "POST", f"/api/v2/upload/datasets/{Api(small).dataset()}/edges/xlsx", data=content)

    def test_without_the_library_the_extra_is_named(self, api, monkeypatch):
        from graphistry_core import frames

        def missing(name: str) -> None:
            raise ImportError(name)

        file_id = declare(api, "xlsx")
        monkeypatch.setattr(frames.importlib, "import_module", missing)
        response = api.send("POST", f"/api/v2/upload/files/{file_id}", data=b"x")
        monkeypatch.undo()
        assert response.status_code == 501
        assert "graphistry-core[excel]" in response.json()["error"]


BOMBS = {
    "gzip": ("csv", gzip.compress(b"s,d\n" + b"0,0\n" * 100_000), "?compression=gzip", {}),
    "bz2": ("csv", bz2.compress(b"0" * 300_000), "?compression=bz2", {}),
    "xz": ("csv", lzma.compress(b"0" * 300_000), "?compression=xz", {}),
    "zip": ("csv", zipped(("a", b"0" * 300_000)), "?compression=zip", {}),
    "zstd": ("csv", zstd(b"0" * 300_000), "?compression=zstd", {}),
    "unsaid": ("csv", gzip.compress(b"0" * 300_000), "", {}),
    "encoding": ("arrow", gzip.compress(b"0" * 300_000), "", {"Content-Encoding": "gzip"}),
    "deflate": ("arrow", zlib.compress(b"0" * 300_000), "", {"Content-Encoding": "deflate"}),
    "parquet": ("parquet", parquet(pd.DataFrame({"s": [1] * 2_000_000, "d": [1] * 2_000_000})), "", {}),
}  # fmt: skip


class TestLimits:
    @pytest.mark.parametrize("name", BOMBS)
    def test_a_bomb_is_413_and_nothing_is_stored(self, small, name):
        kind, content, query, headers = BOMBS[name]
        assert len(content) < 100_000
        api = Api(small)
        path = f"/api/v2/upload/datasets/{api.dataset()}/edges/{kind}{query}"
        api.refused(413, "POST", path, "limit", data=content, headers=headers)
        file_id = declare(api, kind)
        api.refused(413, "POST", f"/api/v2/upload/files/{file_id}{query}", "limit", data=content, headers=headers)
        assert not kept(api.hub)

    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_body_over_the_limit_is_413(self, small, chunked):
        api = Api(small)
        body = b"s,d\n" + b"0,0\n" * 50_000
        data = iter([body[:1000], body[1000:]]) if chunked else body
        path = f"/api/v2/upload/datasets/{api.dataset()}/edges/csv"
        api.refused(413, "POST", path, "over 100000 bytes", data=data)
        assert not kept(api.hub)

    def test_a_body_at_the_limit_is_taken(self, small):
        api = Api(small)
        body = (b"s,d\n" + b"0,0\n" * 50_000)[:100_000]
        api.ok("POST", f"/api/v2/upload/datasets/{api.dataset()}/edges/csv", data=body)

    def test_the_answer_comes_before_the_body(self, small):
        api = Api(small)
        path = f"/api/v2/upload/datasets/{api.dataset()}/edges/csv"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.token}\r\n"
        head += "Content-Length: 99999999999\r\n\r\n"
        with socket.create_connection(("127.0.0.1", small.port), timeout=9) as raw:
            raw.sendall(head.encode())
            status, _ = answer_of(raw)
        assert status == 413

    def test_also_in_process(self):
        hub = Hub(max_upload_bytes=10)
        try:
            with pytest.raises(TooLarge):
                hub.store.add_table(b"x" * 11, "csv")
            assert not kept(hub)
        finally:
            hub.close()

    def test_the_default_is_a_gibibyte(self, hub):
        assert hub.store.max_upload_bytes == 1 << 30


def test_many_uploads_at_once(graphistry_server):
    """Threads share the readers; no warning filter, lock or temporary file of one reaches another."""
    contents = [CONTENTS[name] for name in ("csv", "csv with options", "json records", "parquet", "arrow")]
    failures = []

    def work(number: int) -> None:
        api = Api(graphistry_server, f"user{number}")
        for kind, content, query in contents:
            try:
                same(by_table(api, kind, content, query), FRAME)
            except AssertionError as e:
                failures.append(e)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
