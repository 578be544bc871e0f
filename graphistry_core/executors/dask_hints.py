"""What to write instead, where a habit of pandas does not work on Dask frames. Imports nothing of ours.

Found by trying them with Dask 2024.1 and 2026.8; docs/cluster.md shows the commonest, before and after.
"""

from __future__ import annotations

import re

_LAZY = "a Dask frame has no values before it is computed"
_HINTS: list[tuple[str, str]] = [
    (
        r"has no attribute '(to_dict|tolist|to_list|to_numpy|item|array|to_string|to_markdown|to_arrow)'",
        _LAZY + r": reduce it, then write .compute().\1(…)",
    ),
    (
        r"\.iloc' only supports selecting columns|'(?:Series|Index)' object has no attribute 'iloc'",
        "rows of a Dask frame have no positions: write .head(n), or .compute().iloc[…] of what is small",
    ),
    (
        r"has no attribute 'i?at'",
        "rows of a Dask frame have no positions: filter them, or write .compute() of what is small first",
    ),
    (
        r"does not support item assignment",
        "write df['x'] = df['x'].mask(condition, value) instead of df.loc[condition, 'x'] = value",
    ),
    (
        r"Column assignment doesn't support type",
        (
            "assign a Dask series made from the frame, such as df['x'].where(condition, other), or write "
            "df.map_partitions(lambda part: part.assign(…))"
        ),
    ),
    (
        (
            r"(?:argument must be|__int__ returned|__float__ returned|unsupported format string|doesn't define __\w+__)"
            r".*(?:Scalar|'Series'|'Delayed'|function\)| method)"
        ),
        _LAZY + ": write .compute() inside, as in int(df['x'].sum().compute())",
    ),
    (
        r"to a boolean value|Truth of Delayed|has any rows may be expensive",
        _LAZY + ": write if bool(….compute()), or len(df) == 0 for an empty one",
    ),
    (
        r"n must be 0 <= n <|cannot convert dictionary update sequence",
        _LAZY + ": write .compute().to_list(), or .to_dict(), instead of list(), set() or dict()",
    ),
    (
        r"unexpected keyword argument 'inplace'",
        "a Dask frame is never changed in place: write df = df.drop(…) and the like",
    ),
    (
        r"cannot concatenate object of type '<class 'dask|Can only merge Series or DataFrame objects, a <class 'dask",
        "pandas' functions do not take Dask frames: write dask.dataframe.concat([…]), or left.merge(right, …)",
    ),
    (r"unknown aggregate", "name the aggregation, as in .agg(['min', 'max']), or make a dask.dataframe.Aggregation"),
    (r"[Cc]hunk sizes? (?:are unknown|is unknown)|unknown chunk size", _LAZY + ": write .compute().to_numpy()"),
    (
        r"sort_values\(\) got an unexpected keyword argument 'by'",
        "choose the columns first, and compute what is small: df[['a', 'b']].compute().sort_values(['a', 'b'])",
    ),
    (r"reset_index\(\) got an unexpected keyword argument 'name'", "write .to_frame('n').reset_index()"),
    (r"(to_json|to_csv)\(\) missing 1 required positional", _LAZY + r": reduce it, then write .compute().\1()"),
    (
        r"Column not found: 0|Iteration of DataFrameGroupBy",
        "groups cannot be looped over: write .groupby(…).agg(…), or .groupby(…).apply(function, meta=…)",
    ),
    (r"'columns' must be category dtype", "write df = df.categorize(columns=['…']) before pivot_table"),
    (
        r"exact median",
        "write .quantile(0.5), which is approximate, or .compute().median() of a column that fits into memory",
    ),
    (r"does not support the number of sampled items", "write .sample(frac=0.01), or .head(n)"),
    (
        r"^KilledWorker",
        (
            "the workers that had this step died of it, most often for want of memory: reduce before .compute(), which "
            "brings a whole frame to one worker, give the workers more memory, or make smaller partitions "
            "(GRAPHISTRY_CORE_PARTITION_MB, read when a dataset is cut)"
        ),
    ),
    (
        r"(?:FileNotFoundError|No such file or directory).*part-\d{6}\S*\.parquet",
        (
            "a worker cannot read the dataset's partitions: they must lie on a disk that they share, or in an object "
            "store (GRAPHISTRY_CORE_PARTITIONS names one for graphs of your own); or the dataset was deleted meanwhile"
        ),
    ),
    (
        r"CancelledError|lost dependencies|scheduler-connection-lost",
        "the cluster forgot this computation: its scheduler was restarted, or its workers have gone",
    ),
    (
        r"rror during deserialization",
        "the scheduler's and the workers' versions of Dask and pandas must be those that are installed here",
    ),
]


def hint(said: str) -> str:
    """Return what to do about an exception (``Type: text``) of a task on Dask frames; empty where that is not known."""
    for pattern, advice in _HINTS:
        found = re.search(pattern, said, re.DOTALL)
        if found is not None:
            return found.expand(advice)
    missing = re.search(
        r"'(?:DataFrame|Series|Index|\w+GroupBy)' object has no attribute '(\w+)'|Column not found: (\w+)", said
    )
    name = missing and (missing[1] or missing[2])
    if name and _is_of_pandas(name):
        return (
            f"Dask frames have no {name}: reduce first and write .compute().{name}, or have it done in each partition "
            "by .map_partitions()"
        )
    return ""


def _is_of_pandas(name: str) -> bool:
    import pandas as pd
    from pandas.core.groupby import DataFrameGroupBy

    return any(hasattr(of, name) for of in (pd.DataFrame, pd.Series, pd.Index, DataFrameGroupBy))
