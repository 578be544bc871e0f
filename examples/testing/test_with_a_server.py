"""A server on a free port of this machine, empty for every test; tasks run in processes of their own."""

import graphistry
import pandas as pd
import pytest
from payments import report, report_or_nothing

PAYMENTS = pd.DataFrame({"payer": ["ann", "bob"], "payee": ["bob", "cid"], "amount": [1.0, 2.0]})


@pytest.fixture
def server(graphistry_server):
    graphistry.register(**graphistry_server.register_kwargs)
    return graphistry_server


def test_report(server):
    assert report(PAYMENTS)[1] == {"cid": 2.0, "bob": 1.0}
    assert server.dev.journal.find("python", status="2xx")


def test_without_the_right_to_run_tasks(server):
    server.dev.flags.set("graphistry", flag_python_endpoint_enabled_users=False)
    assert report_or_nothing(PAYMENTS) is None


def test_while_the_server_restarts(server):
    server.dev.faults.preset("restarting")
    assert report_or_nothing(PAYMENTS) is None
    server.dev.faults.clear()
    assert report_or_nothing(PAYMENTS) is not None


def test_two_hours_later(server):
    server.dev.clock.advance(hours=2)
    assert report(PAYMENTS)[1] == {"cid": 2.0, "bob": 1.0}
    server.dev.journal.assert_called("login")
