"""Sums up what integration/test left in a directory: Catch2's XML of each unit test program, pytest's JUnit XML, and the
exit status of each. Prints every failure and skip, then the one line that counts."""

import os
import sys
import xml.etree.ElementTree as ElementTree


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def fail(self, what):
        self.failed += 1
        print(f"FAILED {what}")

    def skip(self, what, reason):
        self.skipped += 1
        print(f"SKIPPED {what}: {reason}")


def read_status(path):
    with open(path) as file:
        return int(file.read())


def add_unit_tests(tally, name, report, status):
    """Catch2's XML: one TestCase element a test case. A program that crashed leaves none, or half a document."""
    failed_before = tally.failed
    try:
        cases = ElementTree.parse(report).getroot().findall(".//TestCase")
    except (OSError, ElementTree.ParseError):
        cases = []
    for case in cases:
        result = case.find("OverallResult")
        if result is not None and result.get("success") == "true":
            tally.passed += 1
        else:
            tally.fail(f"{name}: {case.get('name')}")
            for failure in case.iter("Expression"):
                print(f"    {failure.get('filename')}:{failure.get('line')}: "
                      f"{(failure.findtext('Expanded') or '').strip()}")
    if (status != 0 or not cases) and tally.failed == failed_before:
        tally.fail(f"{name}: exit status {status}, {len(cases)} test cases reported")


def add_integration_tests(tally, title, report, status):
    failed_before = tally.failed
    try:
        cases = ElementTree.parse(report).getroot().findall(".//testcase")
    except (OSError, ElementTree.ParseError):
        cases = []
    outcomes = {}  # a test that failed and whose teardown failed too is there twice
    for case in cases:
        name = f"{case.get('classname')}::{case.get('name')}"
        for kind in ("failure", "error", "skipped"):
            found = case.find(kind)
            if found is not None:
                outcomes[name] = (kind, found.get("message") or "")
                break
        else:
            outcomes.setdefault(name, ("passed", ""))
    reasons = {}
    for name, (kind, message) in sorted(outcomes.items()):
        if kind == "passed":
            tally.passed += 1
        elif kind == "skipped":
            tally.skipped += 1
            reasons.setdefault(message, []).append(name)
        else:
            tally.fail(f"{title}: {name}")
    for reason, names in sorted(reasons.items()):
        print(f"SKIPPED {len(names)} {title}: {reason}")
    if (status not in (0, 5) or not outcomes) and tally.failed == failed_before:
        tally.fail(f"{title}: pytest ended with status {status} and {len(outcomes)} results")


def main(directory):
    tally = Tally()
    status = read_status(os.path.join(directory, "format.status"))
    if status == 77:
        tally.skip("format", "clang-format is not installed")
    elif status == 0:
        tally.passed += 1
    else:
        tally.fail("format: integration/format-check says which files")
    with open(os.path.join(directory, "unit-tests")) as file:
        programs = [line.split()[0] for line in file]
    if not programs:
        tally.fail("unit tests: there are none")
    for name in programs:
        add_unit_tests(tally, name, os.path.join(directory, name + ".unit.xml"),
                       read_status(os.path.join(directory, name + ".unit.status")))
    for name, title in (("integration", "integration tests"), ("vm", "integration tests in the virtual machine")):
        status = os.path.join(directory, name + ".status")
        if name == "integration" or os.path.exists(status):  # arguments to integration/test leave the machine out
            add_integration_tests(tally, title, os.path.join(directory, name + ".xml"), read_status(status))
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{skipped}")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
