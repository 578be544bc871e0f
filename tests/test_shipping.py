"""What is given out: wheel, sdist, image and action hold what they should, and start what they say."""

from __future__ import annotations

import email
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.util import find_spec

import pytest
from conftest import ROOT

from graphistry_core import __version__
from graphistry_core.cli import main

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = {
    "graphistry_core": ROOT / "graphistry_core",
    "graphistry_devserver": ROOT / "devserver" / "graphistry_devserver",
    "pytest_graphistry": ROOT / "fixtures" / "pytest_graphistry",
}


def build(root, kind, folder):
    if find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=120)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    with zipfile.ZipFile(build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The unpacked sdist."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"graphistry_core-{__version__}"


def files_of(folder):
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found}


def test_the_wheel_has_every_file_of_the_three_packages_and_no_other(wheel):
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == {f"{package}/{name}" for package, folder in PACKAGES.items() for name in files_of(folder)}
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    assert {f"graphistry_core/viewer/static/{name}" for name in ("page.html", "app.js", "vendor/cosmos.js")} <= held


def test_the_wheel_has_our_licence_and_those_of_the_libraries_inside(wheel):
    licences = {name.partition("/licenses/")[2] for name in wheel.namelist() if "/licenses/" in name}
    assert licences == set(PROJECT["license-files"])
    folder = "graphistry_core/viewer/static/vendor"
    versions = json.loads(wheel.read(f"{folder}/versions.json"))
    text = wheel.read(f"{folder}/LICENSES.txt").decode().lower()
    for name in set(versions["packages"]) - {"esbuild"}:  # that only makes the files
        assert name.lower() in text or name.replace("-", " ") in text
    for name, digest in versions["sha256"].items():
        assert hashlib.sha256(wheel.read(f"{folder}/{name}")).hexdigest() == digest


def test_the_sdist_has_what_its_own_tests_need_and_makes_the_same_wheel(sdist, wheel, tmp_path):
    wanted = {"Dockerfile", ".dockerignore", "action.yml", "tox.ini", ".ci/run", "docs/conf.py", "tests/conftest.py"}
    assert wanted <= files_of(sdist)
    assert files_of(ROOT / "tests") <= files_of(sdist / "tests")
    with zipfile.ZipFile(build(sdist, "wheel", tmp_path)) as again:
        assert sorted(again.namelist()) == sorted(wheel.namelist())


def test_the_metadata_says_what_an_index_shows(wheel):
    metadata = email.message_from_bytes(wheel.read(f"graphistry_core-{__version__}.dist-info/METADATA"))
    assert metadata["Description-Content-Type"] == "text/markdown"
    text = metadata.get_payload(decode=True).decode("utf-8")
    assert text == (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# graphistry-core\n")
    assert not re.search(r"!\[[^]]*\]\((?!https://)", text), "an index shows no pictures with relative addresses"
    assert len(metadata["Summary"]) <= 120


def test_the_description_renders():
    markdown = pytest.importorskip("readme_renderer.markdown")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rendered = markdown.render(text)
    if rendered is None:
        pytest.skip("readme_renderer has no Markdown here (its extra md)")
    assert rendered.count("<h2") == len(re.findall(r"^## ", text, re.MULTILINE))
    assert rendered.count("<pre") == text.count("\n```") // 2


# The image

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))


def steps(name):
    return [rest for word, _, rest in (line.partition(" ") for line in DOCKERFILE.splitlines()) if word == name]


def copied():
    """Source and target of each COPY from the checkout."""
    words = [step.split() for step in steps("COPY") if "--from" not in step]
    return [(source, target) for *sources, target in words for source in sources]


def test_the_image_copies_what_exists_and_is_not_ignored():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert all((ROOT / source).exists() for source, _ in copied())
    assert ignored == ["*", *(f"!{source}" for source, _ in copied()), "**/__pycache__"]


def test_what_the_image_copies_makes_the_same_wheel(wheel, tmp_path):
    for source, target in copied():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / "src" / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (tmp_path / "src" / target).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, tmp_path / "src" / target)
    with zipfile.ZipFile(build(tmp_path / "src", "wheel", tmp_path / "dist")) as made:
        assert sorted(made.namelist()) == sorted(wheel.namelist())


def test_the_image_runs_as_a_user_and_installs_extras_that_exist():
    assert steps("USER") == ["graphistry"]
    (extras,) = steps("ARG")
    assert set(extras.partition("=")[2].split(",")) <= set(PROJECT["optional-dependencies"])
    bases = [step.split()[0] for step in steps("FROM")]
    assert len(set(bases)) == 1
    assert bases[0].endswith("-slim")


def entrypoint():
    command = json.loads(steps("ENTRYPOINT")[0])
    assert command[0] in PROJECT["scripts"]
    return command[1:]


def test_the_image_starts_a_command_with_options_it_has():
    command, *options = entrypoint()
    known = {option for parameter in main.commands[command].params for option in parameter.opts}
    assert {word for word in options if word.startswith("--")} <= known


def test_the_image_refuses_to_start_while_nobody_is_named(tmp_path):
    environment = {**os.environ, "GRAPHISTRY_DEVSERVER_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "graphistry_core.cli", *entrypoint()]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "--user name:password" in ran.stderr


def health_check(port):
    words = json.loads(steps("HEALTHCHECK")[0].partition("CMD ")[2])
    assert entrypoint()[-2:] == ["--port", "8080"]
    assert words[-1].count("8080") == 1
    command = [sys.executable, *words[1:-1], words[-1].replace("8080", str(port))]
    proxied = {**os.environ, "http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(command, env=proxied, capture_output=True, timeout=30, check=False).returncode


def test_the_health_check_tells_a_server_from_none(graphistry_server, unused_port):
    assert health_check(graphistry_server.port) == 0
    assert health_check(unused_port) != 0


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as held:  # bound and not listening: nobody else gets it, and nobody answers
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


# The action


def action():
    return pytest.importorskip("yaml").safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def script(name):
    (found,) = [step for step in action()["runs"]["steps"] if step["name"] == name]
    return found["run"]


def bash(name, **environment):
    if shutil.which("bash") is None:
        pytest.skip("bash is not here")
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script(name)]
    full = {**os.environ, "PYTHON": sys.executable, **environment}
    return subprocess.run(command, env=full, capture_output=True, text=True, timeout=120, check=False)


def test_the_action_has_inputs_for_what_it_uses_and_puts_none_into_a_script():
    inputs, text = action()["inputs"], (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.(\w+)", text)) == set(inputs)
    assert set(inputs["extras"]["default"].split(",")) <= set(PROJECT["optional-dependencies"])
    for step in action()["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]  # an input that is put into a script would be run by it


REGISTER = """
import pandas as pd
import graphistry_core as graphistry
graphistry.register()
g = graphistry.edges(pd.DataFrame({"s": ["a"], "d": ["b"]}), "s", "d").upload()
print(g.python_remote_json("def task(g): return {'edges': len(g._edges)}"))
"""


def test_the_action_runs_a_command_with_a_server_and_fails_as_it_does():
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(REGISTER)}; exit 3"
    ran = bash("Run with a server", COMMAND=command, OPTIONS="--task-timeout 30")
    assert ran.stdout.splitlines()[-1:] == ["{'edges': 1}"], ran.stderr
    assert ran.returncode == 3


def test_the_action_starts_a_server_that_later_steps_find(tmp_path):
    found, pids = tmp_path / "github_env", tmp_path / "pids"
    # What the runner does at the end of a job: end the server that was left.
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho $$ >> {pids}\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    try:
        ran = bash("Start a server", PYTHON=str(python), OPTIONS="", GITHUB_ENV=str(found))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        later = dict(line.split("=", 1) for line in found.read_text().splitlines())
        assert f"::add-mask::{later['GRAPHISTRY_API_TOKEN']}" in ran.stdout
        step = [sys.executable, "-c", REGISTER]
        got = subprocess.run(step, env={**os.environ, **later}, capture_output=True, text=True, timeout=60, check=False)
        assert got.stdout.splitlines() == ["{'edges': 1}"], got.stderr
    finally:
        for pid in pids.read_text().split():
            os.kill(int(pid), 15)


def test_the_action_says_why_a_server_does_not_start(tmp_path):
    ran = bash("Start a server", OPTIONS="--executor none-such", GITHUB_ENV=str(tmp_path / "env"))
    assert ran.returncode == 1
    assert "none-such" in ran.stdout
    assert "::error::" in ran.stdout
