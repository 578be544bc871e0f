"""Make the files under graphistry_core/viewer/static/vendor from packages of npm: run by hand, needs npm and a network.

    python tools/vendor.py

Each library becomes one ES module (esbuild); versions, hashes and licences are written beside them.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tempfile
from pathlib import Path

PACKAGES = {"@cosmos.gl/graph": "3.3.0", "apache-arrow": "21.2.0", "esbuild": "0.28.2", "font-awesome": "4.7.0"}
ENTRIES = {"cosmos": 'export {Graph} from "@cosmos.gl/graph"', "arrow": 'export {tableFromIPC} from "apache-arrow"'}
# Parts that this viewer does not use: cosmos cleans an attribution, of which we give none, and counts frames.
STUBS = {"dompurify": 'export default {sanitize: () => ""}', "gl-bench": "export default class { nextFrame() {} }"}
OUT = Path(__file__).parent.parent / "graphistry_core" / "viewer" / "static" / "vendor"


def main() -> None:
    """Write all files."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(folder, "npm", "init", "-y")
        _run(
            folder,
            "npm",
            "install",
            "--ignore-scripts",
            *(f"{package}@{version}" for package, version in PACKAGES.items()),
        )
        used = {part for entry, source in ENTRIES.items() for part in _bundle(folder, entry, source)}
        _icons(folder / "node_modules" / "font-awesome")
        _record(folder / "node_modules", sorted(used))


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _bundle(folder: Path, entry: str, source: str) -> set[str]:
    """Write one module; return the names of the packages that are in it."""
    (folder / f"{entry}.js").write_text(source)
    aliases = []
    for stub, text in STUBS.items():
        (folder / f"{stub}.stub.js").write_text(text)
        aliases.append(f"--alias:{stub}=./{stub}.stub.js")
    flags = ["--bundle", "--minify", "--format=esm", "--target=es2022", "--platform=browser", "--legal-comments=none"]
    written = [f"--outfile={OUT / entry}.js", "--metafile=meta.json"]
    _run(folder, "node_modules/.bin/esbuild", f"{entry}.js", *flags, *aliases, *written)
    inputs = next(iter(json.loads((folder / "meta.json").read_text())["outputs"].values()))["inputs"]
    names = (
        re.match(r"node_modules/((?:@[^/]+/)?[^/]+)/", path) for path, use in inputs.items() if use["bytesInOutput"]
    )
    return {found[1] for found in names if found}


def _icons(package: Path) -> None:
    (OUT / "icons.woff2").write_bytes((package / "fonts" / "fontawesome-webfont.woff2").read_bytes())
    css = (package / "css" / "font-awesome.css").read_text()
    found = {}
    for names, code in re.findall(r"((?:\.fa-[\w-]+:before[,\s]*)+)\{\s*content:\s*\"\\(\w+)\"", css):
        found |= {name: chr(int(code, 16)) for name in re.findall(r"\.fa-([\w-]+):before", names)}
    (OUT / "icons.js").write_text(f"export default {json.dumps(found, separators=(',', ':'))};\n")


def _record(modules: Path, used: list[str]) -> None:
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(OUT.iterdir())
        if path.suffix in (".js", ".woff2")
    }
    (OUT / "versions.json").write_text(json.dumps({"packages": PACKAGES, "sha256": hashes}, indent=2) + "\n")
    texts = ["What is in the files of this folder, and under which terms.\n"]
    for package in used:
        about = json.loads((modules / package / "package.json").read_text())
        licence = next(
            (path for path in sorted((modules / package).iterdir()) if re.match(r"licen[cs]e", path.name, re.I)), None
        )
        terms = (
            licence.read_text().strip()
            if licence
            else f"{about.get('license')}, {about.get('author') or about.get('homepage') or ''}"
        )
        texts.append(f"--- {package} {about['version']} ({about.get('license')}) ---\n\n{terms}\n")
    texts.append(
        "--- Font Awesome 4.7.0 by Dave Gandy (font: SIL OFL 1.1, https://scripts.sil.org/OFL; names: MIT) ---\n"
    )
    (OUT / "LICENSES.txt").write_text("\n".join(texts))


if __name__ == "__main__":
    main()
