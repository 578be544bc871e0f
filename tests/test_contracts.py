"""Our own store and the dataframe libraries a client takes, under the contracts that we hand out."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from graphistry_core.hub.store import Store
from pytest_graphistry.contracts import FrameContract, StoreContract


class TestTheStore(StoreContract):
    def make_store(self, directory):
        return Store(directory, max_upload_bytes=self.max_upload_bytes)


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
