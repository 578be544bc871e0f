"""How long the viewer takes to a first picture, and how many it draws in a second while it is moved.

    python benchmarks/viewer.py [--edges 1000 100000 1000000]

A dev server, a real Chromium without a window, and graphs of communities. Prints a table for docs/benchmarks.md.
Needs playwright and chromium.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import time

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright

import graphistry_core
from graphistry_devserver import DevServer


def graph(edges: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    nodes = max(edges // 8, 100)
    group = nodes // 50 + 1
    source = rng.integers(0, nodes, edges)
    near = source // group * group + rng.integers(0, group, edges)
    destination = np.where(rng.random(edges) < 0.95, np.minimum(near, nodes - 1), rng.integers(0, nodes, edges))
    return pd.DataFrame({"source": source, "destination": destination, "weight": rng.random(edges)})


def opened(page, url: str) -> float:
    start = time.perf_counter()
    page.goto(url)
    while not page.evaluate("window.graphistry && graphistry.firstPicture"):
        time.sleep(0.005)
    first = time.perf_counter() - start
    while not page.evaluate("graphistry.ready"):
        time.sleep(0.02)
    return first


def frames_a_second(page, seconds: float = 3) -> float:
    page.locator("#stage").focus()
    before, start = page.evaluate("graphistry.frames"), time.perf_counter()
    while time.perf_counter() - start < seconds:
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowRight")
    return (page.evaluate("graphistry.frames") - before) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--edges", type=int, nargs="*", default=[1000, 100_000, 1_000_000])
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    with DevServer() as server, sync_playwright() as playwright:
        client = graphistry_core.client()
        client.register(**server.register_kwargs)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        print(
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, {browser.version}, WebGL in software"
        )
        print("| edges | first picture, layout included | first picture, layout kept | pictures a second |")
        print("|---|---|---|---|")
        for edges in chosen.edges:
            table = graph(edges)
            fresh, kept, rates = [], [], []
            for _ in range(chosen.repeat):
                url = client.edges(table, "source", "destination").plot(render=False, memoize=False)
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                fresh.append(opened(page, url))
                kept.append(opened(page, url))
                rates.append(frames_a_second(page))
                page.close()
            median = statistics.median
            print(f"| {edges:,} | {median(fresh):.2f} s | {median(kept):.2f} s | {median(rates):.0f} |", flush=True)


if __name__ == "__main__":
    main()
