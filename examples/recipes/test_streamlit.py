"""Streamlit's AppTest runs the page in this process: the mock is enough."""

from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest


def test_the_page(graphistry_mock):
    page = AppTest.from_file(str(Path(__file__).with_name("payments_page.py"))).run(timeout=30)
    assert not page.exception
    assert page.metric[0].value == "2"
    page.number_input[0].set_value(1.5).run(timeout=30)
    assert page.metric[0].value == "1"
    graphistry_mock.dev.journal.assert_called("dataset_create", times=2)
