"""A task by itself, by the rules of a deployed one: shipped as source, its value as JSON."""

import pandas as pd
import pytest
from payments import TASK

from graphistry_core import errors

PAYMENTS = pd.DataFrame({"payer": ["ann", "bob"], "payee": ["bob", "cid"], "amount": [1.0, 2.0]})
COLUMNS = {"source": "payer", "destination": "payee"}


def test_task(graphistry_task):
    assert graphistry_task(TASK, edges=PAYMENTS, **COLUMNS) == {"cid": 2.0, "bob": 1.0}


def test_a_value_that_is_no_json(graphistry_task):
    with pytest.raises(errors.ResultNotSerializable, match=r'result\["total"\] is numpy'):
        graphistry_task("def task(g): return {'total': (g._edges['amount'] > 1).sum()}", edges=PAYMENTS, **COLUMNS)
