"""Our own store and the dataframe libraries a client takes, under the contracts that we hand out."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from object_storage_server import s3_server

from graphistry_core.hub.shared import SharedStore
from graphistry_core.hub.store import Store
from pytest_graphistry.contracts import FrameContract, StoreContract


class TestTheStore(StoreContract):
    def make_store(self, directory):
        return Store(directory, max_upload_bytes=self.max_upload_bytes)


@pytest.fixture(scope="module")
def bucket():
    with s3_server() as server, server.in_use():
        yield server.bucket("contract")


class OfASharedStore(StoreContract):
    """With a local copy of its own for every test, beside the place that is shared."""

    place = "memory:/"

    def make_store(self, directory):
        url = f"{self.place}/{directory.parent.name}"
        return SharedStore(url, max_upload_bytes=self.max_upload_bytes, cache_dir=directory, sync_s=0.05)


class TestTheStoreInMemory(OfASharedStore):
    @pytest.fixture(autouse=True)
    def _needs_fsspec(self):
        pytest.importorskip("fsspec", reason="needs the extra s3")


@pytest.mark.xdist_group("s3")
class TestTheStoreOnS3(OfASharedStore):
    @pytest.fixture(autouse=True)
    def _bucket(self, bucket):
        self.place = bucket


class TestPandas(FrameContract):
    def make_frame(self, columns):
        return pd.DataFrame(columns)


class TestPyarrow(FrameContract):
    def make_frame(self, columns):
        return pa.table(dict(columns))


class TestPyarrowInChunks(FrameContract):
    def make_frame(self, columns):
        whole = pa.table(dict(columns))
        return pa.concat_tables([whole.slice(0, 1), whole.slice(1)])


class TestPolars(FrameContract):
    def make_frame(self, columns):
        return pytest.importorskip("polars").DataFrame(dict(columns))


class TestPolarsLazy(FrameContract):
    def make_frame(self, columns):
        return pytest.importorskip("polars").LazyFrame(dict(columns))


class TestAnythingWithArrowsInterface(FrameContract):
    def make_frame(self, columns):
        class Capsule:
            def __arrow_c_stream__(self, requested_schema=None):
                return pa.table(dict(columns)).__arrow_c_stream__(requested_schema)

        return Capsule()
