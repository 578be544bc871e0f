"""The module paths people import from PyGraphistry, under our name: thin re-exports, all in this one place.

``graphistry_core.plotter``, ``.exceptions`` and ``.Engine`` give our own classes under PyGraphistry's names. The
paths in FORWARDED are PyGraphistry's own modules, when it is installed: matchers and predicates made with them are
accepted everywhere here. A real module of ours at one of these paths wins over this. Imports nothing until asked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from .errors import MissingDependency

_PACKAGE = __name__.rpartition(".")[0]
_COMPARISONS = "GT gt LT lt GE ge LE le EQ eq NE ne Between between IsNA isna NotNA notna"
OURS: dict[str, dict[str, str]] = {
    "plotter": {"Plotter": "plottable.Plottable"},
    "Plottable": {"Plottable": "plottable.Plottable"},
    "Engine": {"Engine": "engines.Engine", "EngineAbstract": "engines.EngineAbstract"},
    **{
        f"compute.predicates.{module}": {name: f"compute.conditions.{name}" for name in names.split()}
        for module, names in {
            "ASTPredicate": "ASTPredicate",
            "is_in": "IsIn is_in",
            "categorical": "Duplicated duplicated",
            "logical": "AllOf all_of",
            "from_json": "from_json",
            "comparison": _COMPARISONS + " ComparisonPredicate",
            "numeric": _COMPARISONS,
            "str": "Contains contains Startswith startswith Endswith endswith Match match Fullmatch fullmatch "
            "IsNumeric isnumeric IsAlpha isalpha IsDigit isdigit IsLower islower IsUpper isupper IsSpace isspace "
            "IsAlnum isalnum IsDecimal isdecimal IsTitle istitle IsNull isnull NotNull notnull",
            "temporal": "IsMonthStart is_month_start IsMonthEnd is_month_end IsQuarterStart is_quarter_start "
            "IsQuarterEnd is_quarter_end IsYearStart is_year_start IsYearEnd is_year_end IsLeapYear is_leap_year",
        }.items()
    },
    "collections": {
        "collection_set": "viewer_collections.collection_set",
        "collection_intersection": "viewer_collections.collection_intersection",
    },
    "exceptions": {
        "ArrowConversionError": "errors.ArrowConversionError",
        "SsoException": "errors.SsoError",
        "SsoRetrieveTokenTimeoutException": "errors.SsoTimeout",
        "SsoStateInvalidException": "errors.SsoStateInvalid",
        "TokenExpireException": "errors.TokenExpired",
    },
}
FORWARDED = ("constants", "validate", "schema", "models")  # fmt: skip


class _Finder:
    """Asked last, only for what no file provides; finder and loader in one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for the paths of this module, None for all others."""
        package, _, name = fullname.partition(".")
        if package != _PACKAGE or not (name in OURS or _forwarded(name)):
            return None
        loader: Any = self
        return ModuleSpec(fullname, loader, is_package=name not in OURS and _is_package(name))

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Have a module made as always."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module with what it stands for."""
        name = module.__name__.partition(".")[2]
        if name in OURS:
            for public, where in OURS[name].items():
                source, _, attribute = where.rpartition(".")
                setattr(module, public, getattr(import_module(f".{source}", _PACKAGE), attribute))
            return
        if find_spec("graphistry") is None:
            raise MissingDependency(
                f'{module.__name__} needs PyGraphistry: pip install "graphistry-core[pygraphistry]".'
            )
        found = vars(import_module(f"graphistry.{name}"))
        module.__dict__.update({k: v for k, v in found.items() if not (k.startswith("__") and k != "__all__")})


def _forwarded(name: str) -> bool:
    return any(name == path or name.startswith(f"{path}.") for path in FORWARDED)


def _is_package(name: str) -> bool:
    if find_spec("graphistry") is None:
        return True
    spec = find_spec(f"graphistry.{name}")
    return spec is not None and spec.submodule_search_locations is not None


def install() -> None:
    """Answer for these paths from now on."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
