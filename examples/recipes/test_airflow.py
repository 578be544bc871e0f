"""The function of an Airflow task is a function: call it. The DAG around it is Airflow's, and is only looked at."""

import pytest

pytest.importorskip("airflow")


@pytest.fixture(scope="module")
def dag(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        import payments_dag

        yield payments_dag


def test_the_function(graphistry_mock, dag):
    assert dag.total.function() == 3.0
    graphistry_mock.dev.journal.assert_called("python", times=1)


def test_the_dag(dag):
    assert dag.made.task_ids == ["total"]
