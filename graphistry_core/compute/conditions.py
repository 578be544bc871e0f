"""Predicates: conditions on a column beyond equality, with PyGraphistry's names, JSON and treatment of missing values.

A missing value satisfies none but ``isna``. Each class has a function that makes it: ``gt(3)`` is ``GT(3)``. May import
what every part of a query is made of, and exceptions.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from .ast_temporal import DateTimeValue, TemporalValue, as_temporal, written
from .ASTSerializable import ASTSerializable, expect, is_json
from .exceptions import ErrorCode, GFQLSchemaError, GFQLTypeError


class ASTPredicate(ASTSerializable):
    """A condition: call it with a column (a Series), and it returns booleans of the same length."""

    def __call__(self, s: Any) -> Any:
        """Return which values satisfy it."""
        raise NotImplementedError


# --- comparisons ----------------------------------------------------------------------------------------------


def _comparable(value: Any, *, text: bool = True) -> Any:
    found = as_temporal(value)
    if found is not None:
        return found
    if isinstance(value, int | float | np.number) or (text and isinstance(value, str)):
        return value
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - as PyGraphistry
            f"The text {value!r} is ambiguous, a time or text: pass pd.Timestamp({value!r}), or "
                         f"{{'type': 'datetime', 'value': {value!r}}}.")  # fmt: skip
    raise TypeError(f"A comparison takes a number, a time or text, not a {type(value).__name__}.")


def _refuse_numbers_for_times(s: Any) -> None:
    if pd.api.types.is_datetime64_any_dtype(s.dtype):
        raise GFQLSchemaError(
            ErrorCode.E302,
            "Type mismatch: datetime column cannot be compared to a numeric value",
            field=getattr(s, "name", None),
            column_type=str(s.dtype),
            suggestion="Compare with a time: pd.Timestamp(...), or {'type': 'datetime', 'value': ..., 'unit': 's'}",
        )


def _is_boolean(s: Any) -> bool:
    if pd.api.types.is_bool_dtype(s.dtype):
        return True
    if s.dtype != object:
        return False
    there = s.dropna()
    return len(there) > 0 and all(isinstance(value, bool) for value in there)


class ComparisonPredicate(ASTPredicate):
    """A comparison with one value: a number, a time, or text."""

    op: ClassVar[Any]
    ordering: ClassVar[bool] = True

    def __init__(self, val: Any) -> None:
        self.val = _comparable(val)

    def _validate_fields(self) -> None:
        expect(self.val, (int, float, TemporalValue, str), "val", "numeric, temporal, or string",
               suggestion="Use numeric/temporal values or strings")  # fmt: skip

    def __call__(self, s: Any) -> Any:
        """Compare; what does not compare with the value does not satisfy it."""
        compare = type(self).op
        if isinstance(self.val, TemporalValue):
            return compare(*self.val.prepared(s))
        number = isinstance(self.val, int | float) and not isinstance(self.val, bool)
        if number and _is_boolean(s):
            return s.notna() & False
        if number:
            _refuse_numbers_for_times(s)
        if not self.ordering:
            return compare(s, self.val)
        try:
            return compare(s, self.val)
        except TypeError:
            return s.map(self._one)

    def _one(self, cell: Any) -> bool:
        try:
            return bool(not pd.isna(cell) and type(self).op(cell, self.val))
        except (TypeError, ValueError):
            return False

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return the predicate as JSON."""
        if validate:
            self.validate()
        return {"type": type(self).__name__, "val": written(self.val)}


class GT(ComparisonPredicate):
    """Greater than."""

    op = staticmethod(operator.gt)


class LT(ComparisonPredicate):
    """Less than."""

    op = staticmethod(operator.lt)


class GE(ComparisonPredicate):
    """Greater or equal."""

    op = staticmethod(operator.ge)


class LE(ComparisonPredicate):
    """Less or equal."""

    op = staticmethod(operator.le)


class EQ(ComparisonPredicate):
    """Equal."""

    op = staticmethod(operator.eq)
    ordering = False


class NE(ComparisonPredicate):
    """Not equal, and not missing."""

    op = staticmethod(operator.ne)
    ordering = False

    def __call__(self, s: Any) -> Any:
        """Compare; what is missing may be anything, and does not count as different."""
        return super().__call__(s) & s.notna()


class Between(ASTPredicate):
    """Between two numbers, or two times; ``inclusive``: these too."""

    def __init__(self, lower: Any, upper: Any, inclusive: bool = True) -> None:
        self.lower, self.upper, self.inclusive = (
            _comparable(lower, text=False),
            _comparable(upper, text=False),
            inclusive,
        )

    def _validate_fields(self) -> None:
        kinds = [isinstance(bound, TemporalValue) for bound in (self.lower, self.upper)]
        if kinds[0] != kinds[1]:
            raise GFQLTypeError(
                ErrorCode.E201,
                "Between requires both bounds to be same type (numeric or temporal)",
                field="bounds",
                value=f"lower={type(self.lower).__name__}, upper={type(self.upper).__name__}",
            )
        expect(self.inclusive, bool, "inclusive", "boolean")

    def __call__(self, s: Any) -> Any:
        """Compare with both."""
        low, high = (operator.ge, operator.le) if self.inclusive else (operator.gt, operator.lt)
        if isinstance(self.lower, TemporalValue) and isinstance(self.upper, TemporalValue):
            return low(*self.lower.prepared(s)) & high(*self.upper.prepared(s))
        if isinstance(self.lower, TemporalValue) or isinstance(self.upper, TemporalValue):
            raise TypeError("between() takes two numbers or two times.")
        _refuse_numbers_for_times(s)
        return low(s, self.lower) & high(s, self.upper)

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return the predicate as JSON."""
        if validate:
            self.validate()
        return {
            "type": "Between",
            "inclusive": self.inclusive,
            "lower": written(self.lower),
            "upper": written(self.upper),
        }


class IsNA(ASTPredicate):
    """Missing."""

    def __call__(self, s: Any) -> Any:
        """Return which values are missing."""
        return s.isna()


class NotNA(ASTPredicate):
    """Not missing."""

    def __call__(self, s: Any) -> Any:
        """Return which values are there."""
        return s.notna()


class IsIn(ASTPredicate):
    """One of some values."""

    def __init__(self, options: Any) -> None:
        found = [self._option(option) for option in options] if isinstance(options, list) else options
        times = [isinstance(option, pd.Timestamp | dt.date | dt.time) for option in found]
        numbers = [isinstance(option, int | float | np.number) for option in found]
        if any(times) and any(numbers):
            raise ValueError("is_in() takes times or numbers, not both.")
        self.options = found

    @staticmethod
    def _option(option: Any) -> Any:
        if isinstance(option, dt.datetime | np.datetime64):
            return pd.Timestamp(option)
        found = as_temporal(option)
        if found is None:
            return option
        if isinstance(found, DateTimeValue):
            return found.as_pandas_value()
        return found._parsed  # type: ignore[attr-defined]

    def _validate_fields(self) -> None:
        expect(self.options, list, "options", "a list")
        shown = [str(option) if isinstance(option, dt.date | dt.time) else option for option in self.options]
        if not is_json(shown):
            raise GFQLTypeError(
                ErrorCode.E201, "Options not JSON serializable", field="options", value=str(self.options)
            )

    def __call__(self, s: Any) -> Any:
        """Return which values are among them; times of day are looked for in the day of a time."""
        clock = [option for option in self.options if isinstance(option, dt.time)]
        if not clock or not hasattr(s, "dt"):
            return s.isin(self.options)
        rest = [option for option in self.options if not isinstance(option, dt.time)]
        return s.dt.time.isin(clock) | s.isin(rest) if rest else s.dt.time.isin(clock)

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return the predicate as JSON."""
        if validate:
            self.validate()
        return {"type": "IsIn", "options": [self._written(option) for option in self.options]}

    @staticmethod
    def _written(option: Any) -> Any:
        if isinstance(option, pd.Timestamp):
            zone = str(option.tz) if option.tz else "UTC"
            return {"type": "datetime", "value": option.isoformat(), "timezone": zone}
        if isinstance(option, dt.date) and not isinstance(option, dt.datetime):
            return {"type": "date", "value": option.isoformat()}
        return {"type": "time", "value": option.isoformat()} if isinstance(option, dt.time) else option


class Duplicated(ASTPredicate):
    """There more than once; ``keep``: 'first', 'last' or False say which of them does not count."""

    def __init__(self, keep: Any = "first") -> None:
        self.keep = keep

    def _validate_fields(self) -> None:
        if self.keep not in ("first", "last", False):
            raise GFQLTypeError(ErrorCode.E201, "keep must be 'first', 'last', or False", field="keep", value=self.keep,
                                suggestion="Use keep='first', keep='last', or keep=False")  # fmt: skip

    def __call__(self, s: Any) -> Any:
        """Return which values come again."""
        return s.duplicated(keep=self.keep)


class AllOf(ASTPredicate):
    """All of some predicates."""

    def __init__(self, predicates: Sequence[Any]) -> None:
        self.predicates = list(predicates)

    def _validate_fields(self) -> None:
        if not self.predicates:
            raise GFQLTypeError(
                ErrorCode.E201, "predicates must contain at least one predicate", field="predicates", value=0
            )
        for i, predicate in enumerate(self.predicates):
            if not callable(predicate):
                raise GFQLTypeError(ErrorCode.E201, "predicates must contain only ASTPredicate values",
                                    field=f"predicates.{i}", value=type(predicate).__name__)  # fmt: skip

    def _get_child_validators(self) -> Sequence[ASTSerializable]:
        return self.predicates

    def __call__(self, s: Any) -> Any:
        """Return which values satisfy every one."""
        found = self.predicates[0](s)
        for predicate in self.predicates[1:]:
            found = found & predicate(s)
        return found

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return the predicate as JSON."""
        if validate:
            self.validate()
        return {"type": "AllOf", "predicates": [each.to_json(validate=validate) for each in self.predicates]}

    @classmethod
    def from_json(cls, d: dict[str, Any], validate: bool = True) -> AllOf:
        """Return the predicate that a JSON object describes."""
        if not isinstance(d.get("predicates"), list):
            raise ValueError("AllOf predicates must be a list")  # noqa: TRY004 - as PyGraphistry
        made = cls([from_json(each) for each in d["predicates"]])
        if validate:
            made.validate()
        return made


# --- text -----------------------------------------------------------------------------------------------------


def _text(s: Any) -> Any:
    """Return a column whose ``.str`` works, or None for one that holds no text."""
    try:
        _ = s.str
    except (AttributeError, TypeError):
        return None
    return s


def _filled(found: Any, source: Any, na: bool | None) -> Any:
    """Give missing values ``na``; None leaves them unknown, which satisfies nothing."""
    missing = source.isna()
    if not missing.any():
        return found
    if na is None:
        found = found.astype(object)
        found[missing] = None
        return found
    found = found.copy()
    found[missing] = na
    return found.infer_objects() if found.dtype == object else found


class _TextPredicate(ASTPredicate):
    pat: Any
    case: bool
    na: bool | None

    def _found(self, s: Any) -> Any:
        raise NotImplementedError

    def __call__(self, s: Any) -> Any:
        """Return which texts match; what is no text does not."""
        text = _text(s)
        if text is None:
            return pd.Series([self.na] * len(s), index=s.index, dtype=object)
        return _filled(self._found(text), text, self.na)

    def _validate_fields(self) -> None:
        expect(self.pat, str, "pat", "string")
        self._validate_options()

    def _validate_options(self) -> None:
        kinds_of = {"case": bool, "flags": int, "na": (bool, type(None)), "regex": bool}
        said = {bool: "boolean", int: "integer"}
        for name, kinds in kinds_of.items():
            what = said.get(kinds, "boolean or None")  # type: ignore[call-overload]
            if hasattr(self, name):
                expect(getattr(self, name), kinds, name, what)


class Contains(_TextPredicate):
    """Contains a regular expression, or with ``regex=False`` a text."""

    def __init__(self, pat: str, case: bool = True, flags: int = 0, na: bool | None = None, regex: bool = True) -> None:
        self.pat, self.case, self.flags, self.na, self.regex = pat, case, flags, na, regex

    def _found(self, s: Any) -> Any:
        return s.str.contains(self.pat, case=self.case, flags=self.flags, regex=self.regex)


class _EndPredicate(_TextPredicate):
    method: ClassVar[str]

    def __init__(self, pat: Any, case: bool = True, na: bool | None = None) -> None:
        self.pat, self.case, self.na = tuple(pat) if isinstance(pat, list) else pat, case, na

    def _found(self, s: Any) -> Any:
        pat = self.pat
        if not self.case:
            s, pat = s.str.lower(), tuple(each.lower() for each in pat) if isinstance(pat, tuple) else pat.lower()
        return getattr(s.str, self.method)(pat)

    def _validate_fields(self) -> None:
        expect(self.pat, (str, tuple), "pat", "string or tuple of strings")
        for i, each in enumerate(self.pat if isinstance(self.pat, tuple) else ()):
            if not isinstance(each, str):
                raise GFQLTypeError(ErrorCode.E201, f"pat tuple element {i} must be string", field="pat",
                                    value=type(each).__name__)  # fmt: skip
        self._validate_options()

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return the predicate as JSON."""
        made = super().to_json(validate)
        return {**made, "pat": list(self.pat) if isinstance(self.pat, tuple) else self.pat}


class Startswith(_EndPredicate):
    """Begins with a text, or one of a tuple of them."""

    method = "startswith"


class Endswith(_EndPredicate):
    """Ends with a text, or one of a tuple of them."""

    method = "endswith"


class _RegexPredicate(_TextPredicate):
    method: ClassVar[str]

    def __init__(self, pat: str, case: bool = True, flags: int = 0, na: bool | None = None) -> None:
        self.pat, self.case, self.flags, self.na = pat, case, flags, na

    def _found(self, s: Any) -> Any:
        return getattr(s.str, self.method)(self.pat, case=self.case, flags=self.flags)


class Match(_RegexPredicate):
    """Begins with a regular expression."""

    method = "match"


class Fullmatch(_RegexPredicate):
    """Is, from beginning to end, a regular expression."""

    method = "fullmatch"


# --- without arguments ------------------------------------------------------------------------------------------


def _plain_class(name: str, doc: str, test: Callable[[Any], Any]) -> type[ASTPredicate]:
    def call(_: Any, s: Any) -> Any:
        return test(s)

    return type(name, (ASTPredicate,), {"__doc__": doc, "__call__": call, "__module__": __name__})


def _string_test(method: str) -> Callable[[Any], Any]:
    return lambda s: getattr(s.str, method)()


def _time_test(attribute: str) -> Callable[[Any], Any]:
    return lambda s: getattr(s.dt, attribute)


IsNumeric = _plain_class("IsNumeric", "Only numeric characters.", _string_test("isnumeric"))
IsAlpha = _plain_class("IsAlpha", "Only letters.", _string_test("isalpha"))
IsDigit = _plain_class("IsDigit", "Only digits.", _string_test("isdigit"))
IsLower = _plain_class("IsLower", "In lower case.", _string_test("islower"))
IsUpper = _plain_class("IsUpper", "In upper case.", _string_test("isupper"))
IsSpace = _plain_class("IsSpace", "Only white space.", _string_test("isspace"))
IsAlnum = _plain_class("IsAlnum", "Only letters and digits.", _string_test("isalnum"))
IsDecimal = _plain_class("IsDecimal", "Only decimal digits.", _string_test("isdecimal"))
IsTitle = _plain_class("IsTitle", "In title case.", _string_test("istitle"))
IsNull = _plain_class("IsNull", "Missing.", lambda s: s.isnull())
NotNull = _plain_class("NotNull", "Not missing.", lambda s: s.notnull())
IsMonthStart = _plain_class("IsMonthStart", "The first day of a month.", _time_test("is_month_start"))
IsMonthEnd = _plain_class("IsMonthEnd", "The last day of a month.", _time_test("is_month_end"))
IsQuarterStart = _plain_class("IsQuarterStart", "The first day of a quarter.", _time_test("is_quarter_start"))
IsQuarterEnd = _plain_class("IsQuarterEnd", "The last day of a quarter.", _time_test("is_quarter_end"))
IsYearStart = _plain_class("IsYearStart", "The first day of a year.", _time_test("is_year_start"))
IsYearEnd = _plain_class("IsYearEnd", "The last day of a year.", _time_test("is_year_end"))
IsLeapYear = _plain_class("IsLeapYear", "In a leap year.", _time_test("is_leap_year"))

# --- the functions that make them -------------------------------------------------------------------------------

gt, lt, ge, le, eq, ne, between, isna, notna = GT, LT, GE, LE, EQ, NE, Between, IsNA, NotNA
is_in, duplicated = IsIn, Duplicated
contains, startswith, endswith, match, fullmatch = Contains, Startswith, Endswith, Match, Fullmatch
isnumeric, isalpha, isdigit, islower, isupper = IsNumeric, IsAlpha, IsDigit, IsLower, IsUpper
isspace, isalnum, isdecimal, istitle, isnull, notnull = IsSpace, IsAlnum, IsDecimal, IsTitle, IsNull, NotNull
is_month_start, is_month_end, is_leap_year = IsMonthStart, IsMonthEnd, IsLeapYear
is_quarter_start, is_quarter_end, is_year_start, is_year_end = IsQuarterStart, IsQuarterEnd, IsYearStart, IsYearEnd


def all_of(*predicates: ASTPredicate) -> AllOf:
    """Return the predicate that all of these make."""
    return AllOf(predicates)


CLASSES: dict[str, Any] = {
    cls.__name__: cls
    for cls in (
        Duplicated, IsIn, AllOf, GT, LT, GE, LE, EQ, NE, Between, IsNA, NotNA, Contains, Startswith, Endswith, Match,
        Fullmatch, IsNumeric, IsAlpha, IsDecimal, IsDigit, IsLower, IsUpper, IsSpace, IsAlnum, IsTitle, IsNull, NotNull,
        IsMonthStart, IsMonthEnd, IsQuarterStart, IsQuarterEnd, IsYearStart, IsYearEnd, IsLeapYear,
    )
}  # fmt: skip


def from_json(d: dict[str, Any]) -> Any:
    """Return the predicate that a JSON object describes; raise GFQLTypeError for what describes none."""
    kind = d.get("type")
    if kind not in CLASSES:
        raise GFQLTypeError(ErrorCode.E203, f"There is no predicate of type {kind!r}", field="type", value=kind,
                            suggestion=f"Use one of {', '.join(sorted(CLASSES))}")  # fmt: skip
    try:
        return CLASSES[kind].from_json(d)
    except TypeError as e:
        raise GFQLTypeError(ErrorCode.E203, f"A predicate {kind} cannot be made of that: {e}", field=str(kind)) from e
