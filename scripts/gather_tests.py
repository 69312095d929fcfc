#!/usr/bin/env python3
"""gather_tests.py OUT NAME=BUILD_DIR[:LABEL]...

Writes OUT/CTestTestfile.cmake with the tests of several build trees, so that one ctest run, and one summary, covers
them all. A test is called NAME/its name and labelled NAME. Tests labelled `integration` are left out: they run once,
on the release binary. With LABEL only tests with that label are taken. A tree without a test is an error.

gather_tests.py --programs BUILD_DIR LABEL

Prints the programs that the tests with that label run, as names of build targets; they need not be built yet.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

KEPT = ("ENVIRONMENT", "FAIL_REGULAR_EXPRESSION", "PASS_REGULAR_EXPRESSION", "RUN_SERIAL", "TIMEOUT", "WILL_FAIL",
        "WORKING_DIRECTORY")


def quoted(text):
    return "[==[" + text + "]==]"


def value_of(value):
    if isinstance(value, bool):
        return quoted("ON" if value else "OFF")
    if isinstance(value, list):
        return quoted(";".join(str(item) for item in value))
    return quoted(str(value))


def listed(build_dir, label):
    listing = subprocess.run(["ctest", "--test-dir", build_dir, "--show-only=json-v1"],
                             check=True, capture_output=True, text=True).stdout
    for test in json.loads(listing)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        labels = properties.get("LABELS", [])
        if "integration" not in labels and (not label or label in labels):
            yield test, properties


# ctest does not say which program a test runs until that is built; the file it reads does.
def print_programs(build_dir, label):
    wanted = {test["name"] for test, _ in listed(build_dir, label)}
    programs = set()
    for script in pathlib.Path(build_dir).rglob("CTestTestfile.cmake"):
        for name, program in re.findall(r'add_test\(\[=*\[(.*?)\]=*\] "(.*?)"', script.read_text(encoding="utf-8")):
            if name in wanted:
                programs.add(os.path.basename(program))
    if not programs:
        sys.exit(f"gather_tests.py: no test labelled {label} in {build_dir}")
    print("\n".join(sorted(programs)))


def tests_of(build_dir, label):
    for test, properties in listed(build_dir, label):
        if "command" not in test:
            sys.exit(f"gather_tests.py: {build_dir}: the program of test {test['name']} was not built")
        yield test, properties


def main():
    if sys.argv[1] == "--programs":
        print_programs(*sys.argv[2:4])
        return
    out, trees = sys.argv[1], sys.argv[2:]
    lines = []
    for tree in trees:
        name, _, place = tree.partition("=")
        build_dir, _, label = place.partition(":")
        found = 0
        for test, properties in tests_of(build_dir, label):
            found += 1
            full_name = quoted(f"{name}/{test['name']}")
            lines.append(f"add_test({full_name} " + " ".join(quoted(word) for word in test["command"]) + ")")
            for key in KEPT:
                if key in properties:
                    lines.append(f"set_tests_properties({full_name} PROPERTIES {key} {value_of(properties[key])})")
            lines.append(f"set_tests_properties({full_name} PROPERTIES LABELS {quoted(name)})")
        if not found:
            sys.exit(f"gather_tests.py: no test{' labelled ' + label if label else ''} in {build_dir}")
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "CTestTestfile.cmake"), "w", encoding="utf-8") as script:
        script.write("\n".join(lines) + "\n")


main()
