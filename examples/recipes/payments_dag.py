"""An Airflow DAG whose task runs on Graphistry's server."""

import graphistry
import pandas as pd
from airflow.sdk import dag, task

TASK = "def task(g): return {'total': float(g._edges['amount'].sum())}"


@task
def total() -> float:
    graphistry.register(api=3, username="ann", password="secret")
    payments = pd.DataFrame({"payer": ["ann", "bob"], "payee": ["bob", "cid"], "amount": [1.0, 2.0]})
    return graphistry.edges(payments, "payer", "payee").upload().python_remote_json(TASK)["total"]


@dag(schedule=None)
def payments():
    total()


made = payments()
