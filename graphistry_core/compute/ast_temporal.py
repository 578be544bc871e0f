"""Points in time in a query, with PyGraphistry's names and JSON: moments, days, times of day. Imports nothing here."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd


class TemporalValue:
    """A point in time in a query; see its three kinds."""

    value: str

    def to_json(self) -> dict[str, Any]:
        """Return it as PyGraphistry writes it."""
        raise NotImplementedError

    def prepared(self, s: Any) -> tuple[Any, Any]:
        """Return a column, and this value, in forms that compare."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TemporalValue) and self.to_json() == other.to_json()

    __hash__ = object.__hash__


class DateTimeValue(TemporalValue):
    """A moment: ISO 8601 text, or with ``unit`` ('s' or 'ms') a count since 1970, and a time zone."""

    def __init__(self, value: Any, timezone: str = "UTC", unit: str | None = None) -> None:
        self.value, self.timezone, self.unit = value, timezone, unit
        stamp = pd.Timestamp(value, unit=unit) if unit is not None else pd.Timestamp(value)
        self._parsed = stamp.tz_localize(timezone) if stamp.tzinfo is None else stamp.tz_convert(timezone)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        unit = {} if self.unit is None else {"unit": self.unit}
        return {"type": "datetime", "value": self.value, "timezone": self.timezone, **unit}

    def as_pandas_value(self) -> pd.Timestamp:
        """Return the moment, with its zone."""
        return self._parsed

    def prepared(self, s: Any) -> tuple[Any, Any]:
        """Bring a column of times into this value's zone; one without a zone is in UTC."""
        if not hasattr(s, "dt") or not hasattr(s.dt, "tz_localize"):
            return s, self._parsed
        zoned = s.dt.tz_localize("UTC") if s.dt.tz is None else s
        return zoned.dt.tz_convert(self.timezone), self._parsed


class DateValue(TemporalValue):
    """A day, ISO 8601: times are compared by their day."""

    def __init__(self, value: str) -> None:
        self.value = value
        self._parsed = dt.date.fromisoformat(value)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"type": "date", "value": self.value}

    def as_pandas_value(self) -> pd.Timestamp:
        """Return the day's first moment, without a zone."""
        return pd.Timestamp(self._parsed)

    def prepared(self, s: Any) -> tuple[Any, Any]:
        """Cut a column of times to its days."""
        return (s.dt.floor("D"), self.as_pandas_value()) if hasattr(s, "dt") else (s, self._parsed)


class TimeValue(TemporalValue):
    """A time of day, ISO 8601."""

    def __init__(self, value: str) -> None:
        self.value = value
        self._parsed = dt.time.fromisoformat(value)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"type": "time", "value": self.value}

    def as_pandas_value(self) -> dt.time:
        """Return the time of day, as pandas gives those of a column."""
        return self._parsed

    def prepared(self, s: Any) -> tuple[Any, Any]:
        """Return how far into its day each time is."""
        if not hasattr(s, "dt"):
            return s, self._parsed
        t = self._parsed
        return s - s.dt.floor("D"), pd.Timedelta(
            hours=t.hour, minutes=t.minute, seconds=t.second, microseconds=t.microsecond
        )


def temporal_value_from_json(d: dict[str, Any]) -> TemporalValue:
    """Return the value that a JSON object describes; raise ValueError for an unknown type."""
    kind = d.get("type")
    if kind == "datetime":
        return DateTimeValue(d["value"], d.get("timezone", "UTC"), d.get("unit"))
    if kind == "date":
        return DateValue(d["value"])
    if kind == "time":
        return TimeValue(d["value"])
    raise ValueError(f"Unknown temporal value type {kind!r}: a time in a query is a 'datetime', 'date' or 'time'.")


def as_temporal(value: Any) -> TemporalValue | None:
    """Return a value of Python's, numpy's, pandas' or JSON's as a time in a query; None when it is none."""
    if isinstance(value, TemporalValue):
        return value
    if isinstance(value, dict) and value.get("type") in ("datetime", "date", "time"):
        return temporal_value_from_json(value)
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, dt.datetime):
        stamp = pd.Timestamp(value)
        zone = "UTC" if stamp.tzinfo is None else str(stamp.tzinfo)
        return DateTimeValue(stamp.isoformat(), zone)
    if isinstance(value, dt.date):
        return DateValue(value.isoformat())
    return TimeValue(value.isoformat()) if isinstance(value, dt.time) else None


def written(value: Any) -> Any:
    """Return a value as JSON has it."""
    return value.to_json() if isinstance(value, TemporalValue) else value
