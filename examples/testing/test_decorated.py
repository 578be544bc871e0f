"""The mock as a decorator, for suites without fixtures: functions, coroutines, unittest."""

import asyncio
import unittest

import graphistry
import pandas as pd
from payments import report

from pytest_graphistry import mock_graphistry

PAYMENTS = pd.DataFrame({"payer": ["ann"], "payee": ["bob"], "amount": [1.0]})


@mock_graphistry
def test_function():
    graphistry.register(api=3, username="ann", password="secret")
    assert report(PAYMENTS)[1] == {"bob": 1.0}


@mock_graphistry
class TestReport(unittest.TestCase):
    def test_report(self):
        graphistry.register(api=3, username="ann", password="secret")
        self.assertEqual(report(PAYMENTS)[1], {"bob": 1.0})


def test_coroutine():
    @mock_graphistry
    async def handler():
        graphistry.register(api=3, username="ann", password="secret")
        return await asyncio.to_thread(report, PAYMENTS)

    assert asyncio.run(handler())[1] == {"bob": 1.0}
