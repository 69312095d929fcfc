#!/usr/bin/python3
"""measure.py RESULTS CASE TOOL [--pid PID]... [--stored PATH] -- COMMAND...: runs a command once and notes what it cost.

Appends a line of JSON to RESULTS: wall, CPU (the command's children, and what the processes PID, a QEMU say, used
meanwhile), the largest resident size of any one process of the command, and the bytes that lie in PATH afterwards.
The page cache is emptied first. Exit status: the command's.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import time


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stored(path):
    # Blocks, not lengths: a sparse file is as large as what it takes.
    return sum(
        os.lstat(os.path.join(folder, name)).st_blocks * 512
        for folder, _, names in os.walk(path)
        for name in names
    )


def main():
    split = sys.argv.index("--")
    parser = argparse.ArgumentParser()
    parser.add_argument("results")
    parser.add_argument("case")
    parser.add_argument("tool")
    parser.add_argument("--pid", type=int, action="append", default=[])
    parser.add_argument("--stored")
    arguments = parser.parse_args(sys.argv[1:split])
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")
    held = stored(arguments.stored) if arguments.stored else 0
    others = sum(map(cpu_of, arguments.pid))
    start = time.monotonic()
    run = subprocess.run(sys.argv[split + 1 :], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    wall = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode != 0:
        sys.stderr.write(run.stderr.decode(errors="replace")[-2000:])
        return run.returncode
    line = {
        "case": arguments.case,
        "tool": arguments.tool,
        "wall": round(wall, 3),
        "cpu": round(used.ru_utime + used.ru_stime + sum(map(cpu_of, arguments.pid)) - others, 3),
        "peak_mib": round(used.ru_maxrss / 1024, 1),
    }
    if arguments.stored:
        line["stored"] = stored(arguments.stored) - held
    with open(arguments.results, "a", encoding="ascii") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
