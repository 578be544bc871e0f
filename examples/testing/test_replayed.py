"""A real server's answers, recorded once and replayed without it."""

from pathlib import Path

import graphistry
import pandas as pd
from payments import report

from pytest_graphistry import record_graphistry

PAYMENTS = pd.DataFrame({"payer": ["ann"], "payee": ["bob"], "amount": [1.0]})
CASSETTE = Path(__file__).parent / "payments.yaml"


def test_replayed():
    with record_graphistry(CASSETTE, mode="none", hosts=["graphs.example"]):
        graphistry.register(api=3, protocol="https", server="graphs.example", username="ann", password="secret")
        assert report(PAYMENTS)[1] == {"bob": 1.0}
