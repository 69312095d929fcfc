#!/usr/bin/python3
"""report.py RESULTS: the tables of docs/benchmarks.md from what measure.py noted, on standard output."""
import json
import statistics
import sys

CASES = {
    "full": "Full backup, VM off, raw image",
    "full-live": "Full backup, running VM, through QEMU's NBD server",
    "unchanged-still": "The same image again, nothing changed, VM off",
    "changed-still": "1 % of 64 KiB blocks changed, VM off",
    "unchanged-live": "Nothing changed, running VM",
    "changed-live": "1 % of 64 KiB blocks changed, running VM",
    "full-busy": "Full backup, running VM whose guest writes all the time",
    "restore-raw": "Restore to a raw file",
    "restore-qcow2": "Restore to a qcow2 file",
    "roofline": "Rooflines",
}


def median_of(lines, name):
    values = [line[name] for line in lines if name in line]
    return statistics.median(values) if values else None


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        lines = [json.loads(line) for line in file]
    for case, title in CASES.items():
        tools = list(dict.fromkeys(line["tool"] for line in lines if line["case"] == case))
        if not tools:
            continue
        print(f"### {title}\n")
        print("| tool | wall s (median) | of all runs | sealift / this | CPU s | peak MiB | stored MB |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        of = {tool: [line for line in lines if line["case"] == case and line["tool"] == tool] for tool in tools}
        ours = median_of(of["sealift"], "wall") if "sealift" in of else None
        for tool in tools:
            wall = median_of(of[tool], "wall")
            walls = ", ".join(f"{line['wall']:.1f}" for line in of[tool])
            ratio = f"{ours / wall:.2f}" if ours else ""
            stored = median_of(of[tool], "stored")
            print(
                f"| {tool} | {wall:.2f} | {walls} | {ratio} | {median_of(of[tool], 'cpu'):.1f} "
                f"| {median_of(of[tool], 'peak_mib'):.0f} | {'' if stored is None else round(stored / 1e6)} |"
            )
        print()
    print_rates([line for line in lines if line["case"] == "guest-writes"])


def print_rates(lines):
    if not lines:
        return
    print("### Random writes of 4 KiB in the guest, while it is backed up\n")
    print("| meanwhile | writes a second (median) | of all runs | of those without a backup |")
    print("| --- | --- | --- | --- |")
    alone = statistics.median(line["rate"] for line in lines if line["tool"] == "no backup")
    for tool in dict.fromkeys(line["tool"] for line in lines):
        rates = [line["rate"] for line in lines if line["tool"] == tool]
        rate = statistics.median(rates)
        print(f"| {tool} | {rate:.0f} | {', '.join(map(str, rates))} | {100 * rate / alone:.0f} % |")
    print()


if __name__ == "__main__":
    main()
