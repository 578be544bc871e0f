"""No server, no account, no network: requests to Graphistry are answered in this process."""

import graphistry
import pandas as pd
from payments import report

PAYMENTS = pd.DataFrame({"payer": ["ann", "bob", "cid"], "payee": ["bob", "cid", "bob"], "amount": [1.0, 2.0, 4.0]})


def test_report(graphistry_mock):
    graphistry.register(api=3, username="ann", password="secret")
    url, received = report(PAYMENTS)
    assert received == {"bob": 5.0, "cid": 2.0}
    assert "dataset=" in url
    graphistry_mock.dev.journal.assert_called("share", times=1, json={"mode": "private"})
