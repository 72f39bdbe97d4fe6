# SPDX-License-Identifier: Apache-2.0
"""docs/faults.md and the tests agree: every case has its test, every test its case."""
import re
import subprocess
import sys

from faultlib import ROOT


def rows():
    text = (ROOT / "docs/faults.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if not line.startswith("| case ")]


def test_every_test_has_its_case_and_every_case_its_test():
    files = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests/e2e").glob("test_faults_*.py")
                   if p.name != "test_faults_table.py")
    out = subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
                         cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tests = {line for line in out.splitlines() if "::" in line}
    named = [re.fullmatch(r"`([^`]*::[^`]*)`", r[2]) for r in rows()]
    named = [n[1] for n in named if n]
    assert len(named) == len(set(named)), "a test is named twice"
    assert tests - set(named) == set(), "tests without a case in docs/faults.md"
    assert set(named) - tests == set(), "cases of docs/faults.md without a test"


def test_the_other_tests_are_there():
    for case, _, test in rows():
        if "::" in test:
            continue
        where = re.fullmatch(r"`([^`]+)`: `([^`]+)`", test)
        assert where, f"{case}: no test is named"
        text = (ROOT / where[1]).read_text()
        assert where[2] in text, f"{case}: {where[1]} has no {where[2]}"


def test_there_are_enough():
    cases = [r[0] for r in rows()]
    assert len(cases) >= 40
    assert all(len(r) == 3 for r in rows())
