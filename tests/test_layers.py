"""Dependencies point one way, and importing the library costs nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

# Each layer may import what stands before it in this list (and its own members).
LAYERS = [
    ["errors", "log_lines", "privacy"],
    ["messages", "arrow_body", "module_paths", "table_options", "compression", "object_storage", "cluster"],
    ["wire", "frames", "bindings", "encodings", "render"],
    ["json_tables", "findings", "engines"],
    ["readers"],
    ["table_process"],
    ["viewer_settings", "viewer_collections", "react_encodings", "kepler", "interop"],
    ["plottable_show", "plottable_interop", "compute"],
    ["plottable_compute"],
    ["plottable"],
    ["executors", "viewer"],
    ["hub"],
    ["dev"],
    ["transports", "browser"],
    ["dashboard"],
    ["gateway"],
    ["client_session", "diagnosis"],
    ["arrow_uploader", "authentication"],
    ["pygraphistry"],
    ["console", "seeding"],
    ["serving"],
    ["cli"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
CORE = ROOT / "graphistry_core"


def imports_of(path: Path, package: tuple[str, ...]) -> set[str]:
    """Absolute names of every module that a file imports, at its top or inside functions."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []  # words for the type checker, not a dependency
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} if node.module else {f"{module}.{alias.name}" for alias in node.names}
    return found


def core_files() -> list[tuple[str, Path]]:
    files = []
    for path in sorted(CORE.rglob("*.py")):
        name = path.relative_to(CORE).parts[0].removesuffix(".py")
        if name != "__init__":
            files.append((name, path))
    return files


def test_every_module_has_a_layer() -> None:
    assert {name for name, _ in core_files()} <= set(RANK)


@pytest.mark.parametrize(("name", "path"), core_files(), ids=lambda value: getattr(value, "name", value))
def test_core_imports_point_down(name: str, path: Path) -> None:
    package = ("graphistry_core", *path.relative_to(CORE).parent.parts)
    wrong = []
    for module in imports_of(path, package):
        parts = module.split(".")
        if parts[0] in ("graphistry_devserver", "pytest_graphistry") and name != "serving":
            wrong.append(module)
        of_core = parts[0] == "graphistry_core" and len(parts) > 1 and parts[1] in RANK
        if of_core and parts[1] != name and RANK[parts[1]] >= RANK[name]:
            wrong.append(module)
    assert not wrong


def test_devserver_does_not_import_the_fixtures() -> None:
    for path in (ROOT / "devserver").rglob("*.py"):
        assert not {m for m in imports_of(path, ("graphistry_devserver",)) if m.startswith("pytest_graphistry")}


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(' '.join(m.partition('.')[0] for m in sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


HEAVY = {"flask", "requests", "numba", "cudf", "dask", "polars", "graphistry", "responses"}


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert not loaded_after("import graphistry_core") & HEAVY


def test_making_a_graph_loads_nothing_heavy() -> None:
    assert not loaded_after("import graphistry_core; graphistry_core.bind(source='s')") & HEAVY


def test_help_loads_no_pandas() -> None:
    code = "from click.testing import CliRunner as R; from graphistry_core.cli import main; R().invoke(main, ['-h'])"
    assert not loaded_after(code) & {"pandas", "pyarrow", "flask"}


def test_the_pytest_plugin_loads_nothing_but_pytest() -> None:
    assert not loaded_after("import pytest_graphistry.plugin") & {"pandas", "pyarrow", "flask", "requests", "responses"}


def test_public_names_are_sorted_and_resolve() -> None:
    import graphistry_core

    assert graphistry_core.__all__ == sorted(graphistry_core.__all__)
    for name in graphistry_core.__all__:
        assert getattr(graphistry_core, name) is not None
