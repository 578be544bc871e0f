"""The examples of docs/testing.md: what the page shows is in the files, and the files pass as somebody else's suite."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTING = ROOT / "examples" / "testing"
RECIPES = ROOT / "examples" / "recipes"


def test_the_page_shows_what_is_in_the_files():
    shown = [*TESTING.glob("*.py"), *RECIPES.glob("*.py"), ROOT / "tests" / "test_contracts.py"]
    files = "\n".join(path.read_text() for path in shown)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text(), re.DOTALL)
    assert len(blocks) >= 6
    for block in blocks:
        assert block.strip() in files, block


@pytest.mark.parametrize("arguments", [["-p", "no:randomly"], ["-n", "2"]], ids=["in order", "random, two workers"])
def test_they_pass_as_a_suite_of_its_own(arguments, tmp_path):
    pytest.importorskip("graphistry")
    for path in [*TESTING.glob("*.py"), *TESTING.glob("*.yaml")]:
        (tmp_path / path.name).write_text(path.read_text())
    command = [sys.executable, "-m", "pytest", "-q", "-W", "ignore", *arguments, "--graphistry-block-network"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "11 passed" in ran.stdout


@pytest.mark.parametrize("library", ["fastapi", "streamlit", "airflow", "jupyter"])
def test_the_recipe_passes_where_its_library_is(library, tmp_path):
    pytest.importorskip({"jupyter": "nbclient"}.get(library, library))
    if library == "jupyter":
        pytest.importorskip("ipykernel")
    for path in RECIPES.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    command = [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:randomly", f"test_{library}.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout
