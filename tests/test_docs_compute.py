"""The example of docs/compute.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd


def test_the_example_runs():
    text = (Path(__file__).parents[1] / "docs" / "compute.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    names = {
        "payments": pd.DataFrame({"payer": ["ann", "bob"], "payee": ["bob", "cid"], "amount": [5, 2000]}),
        "people": pd.DataFrame({"name": ["ann", "bob", "cid"], "country": ["at", "at", "de"]}),
    }
    exec(code.replace("g.hop(", "near = g.hop(").replace("g.gfql(", "found = g.gfql("), names)
    assert names["near"]._nodes["name"].tolist() == ["ann", "bob", "cid"]
    assert names["found"]._edges["amount"].tolist() == [2000]
    marked = names["found"]._nodes[["name", "start", "end"]].to_numpy().tolist()
    assert marked == [["bob", True, False], ["cid", False, True]]
