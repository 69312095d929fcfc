#!/usr/bin/python3
"""charts.py: draws docs/benchmarks/run.svg and docs/benchmarks/growth.svg from the tables of docs/benchmarks.md."""
import re
import statistics
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402 (the backend is chosen first)

DOCS = Path(__file__).resolve().parents[2] / "docs"
CASES = {
    "Full backup, VM off, raw image": "full, VM off",
    "Full backup, running VM, through QEMU's NBD server": "full, running VM",
    "1 % of 64 KiB blocks changed, VM off": "1 % changed, VM off",
    "1 % of 64 KiB blocks changed, running VM": "1 % changed, running VM",
    "Restore to a raw file": "restore to raw",
}
PEERS = ("restic", "borg", "virtnbdbackup")


def table_under(page, line):
    """The rows below the first line that begins so, each a dict by the names of the columns."""
    lines = iter(page[page.index("\n" + line) + 1 :].splitlines())
    row = next(text for text in lines if text.startswith("| "))
    names = [cell.strip() for cell in row.strip("|").split("|")]
    next(lines)
    rows = []
    for text in lines:
        if not text.startswith("|"):
            return rows
        rows.append(dict(zip(names, (cell.strip() for cell in text.strip("|").split("|")))))
    return rows


def amount(words):
    """A number with the unit it has: GiB, millions or seconds."""
    factors = {"TiB": 1024, "million": 1e6, "min": 60}
    number, _, unit = words.partition(" ")
    return float(number.replace(",", "")) * factors.get(unit, 1)


def save(figure, name):
    for part in figure.axes:
        part.spines[["top", "right"]].set_visible(False)
    folder = DOCS / "benchmarks"
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / name, metadata={"Date": None})


def draw_run(page):
    bars = []
    for heading, title in CASES.items():
        for row in table_under(page, f"### {heading}"):
            walls = [float(wall) for wall in row["of all runs"].split(",")]
            tool = row["tool"]
            colour = "#1f5fa8" if tool == "sealift" else "#a8a8a8" if tool in PEERS else "#e0c080"
            bars.append((f"{title}: {tool}", statistics.median(walls), min(walls), max(walls), colour))
    bars.reverse()
    figure, axes = pyplot.subplots(figsize=(9, 0.28 * len(bars) + 1), layout="constrained")
    names, medians, least, most, colours = zip(*bars)
    spread = [[m - low for m, low in zip(medians, least)], [high - m for m, high in zip(medians, most)]]
    axes.barh(names, medians, xerr=spread, color=colours, error_kw={"linewidth": 0.8})
    axes.set_xlabel("wall seconds: median, and the span of all runs (blue: Sealift; sand: rooflines)")
    save(figure, "run.svg")


def draw_disks(axes, rows, grows, label):
    rows = sorted(rows, key=lambda row: amount(row[grows]))
    at = [amount(row[grows]) for row in rows]
    for column, name in [
        ("backup: wall s, CPU s, peak MiB", "backup"),
        ("the same again", "the same again"),
        ("restore", "restore"),
    ]:
        of = [[float(number) for number in row[column].split(",")] for row in rows]
        axes[0].plot(at, [wall for wall, _, _ in of], "o-", label=name)
        axes[1].plot(at, [peak for _, _, peak in of], "o-", label=name)
    for part, unit in zip(axes, ["wall s", "peak MiB"]):
        part.set_ylabel(unit)
        part.set_xlabel(label)
        part.set_ylim(bottom=0)


def draw_changes(axes, rows):
    at = [amount(row["changed of 64 GiB"]) for row in rows]
    costs = [[float(number) for number in row["backup: wall s, CPU s, peak MiB"].split(",")] for row in rows]
    axes[0].plot(at, [wall for wall, _, _ in costs], "o-", label="wall s")
    axes[0].plot(at, [cpu for _, cpu, _ in costs], "o-", label="CPU s, with QEMU's")
    axes[0].set_ylabel("s")
    axes[1].plot(at, [peak for _, _, peak in costs], "o-", label="backup")
    axes[1].set_ylabel("peak MiB")
    for part in axes:
        part.set_xlabel("MiB changed on a running VM's disk of 64 GiB")
        part.set_ylim(bottom=0)


def draw_catalog(axes, rows):
    chunks = [amount(row["chunks"]) for row in rows]
    lookups = [
        re.findall(r"\d+(?:,\d{3})*", row["lookups a second: known, unknown, cold"]) for row in rows
    ]
    for place, name in enumerate(["known", "unknown", "known, page cache empty"]):
        axes[0].plot(chunks, [amount(of[place]) for of in lookups], "o-", label=name)
    axes[0].set_ylabel("lookups a second")
    axes[0].set_ylim(bottom=0)
    for name in ["rebuild", "refresh: nothing new", "a night: 1 % new, page cache empty"]:
        points = [(n, amount(row[name])) for n, row in zip(chunks, rows) if row[name]]
        axes[1].plot(*zip(*points), "o-", label=name)
    axes[1].set_ylabel("s")
    axes[1].set_yscale("log")
    for part in axes:
        part.set_xlabel("chunks in the catalog")


def draw_growth(page):
    figure, axes = pyplot.subplots(4, 2, figsize=(9, 12), layout="constrained")
    rows = table_under(page, "| disk | on it | backup")
    draw_disks(axes[0], [row for row in rows if row["on it"] == "1 GiB"], "disk", "GiB of the disk, 1 GiB on it")
    draw_disks(axes[1], [row for row in rows if row["disk"] == "4 TiB"], "on it", "GiB on a disk of 4 TiB")
    draw_changes(axes[2], table_under(page, "| changed of 64 GiB |")[1:])  # The first one is of nothing.
    draw_catalog(axes[3], table_under(page, "| repository | chunks |"))
    for part in axes.flat:
        part.set_xscale("log")
        part.legend(fontsize="small")
        part.minorticks_off()
        part.grid(alpha=0.3)
    save(figure, "growth.svg")


def main():
    # Text stays text, and the same numbers give the same bytes.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sealift", "font.size": 9})
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    draw_run(page)
    draw_growth(page)


if __name__ == "__main__":
    main()
