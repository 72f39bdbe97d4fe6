# SPDX-License-Identifier: Apache-2.0
"""The same random calls to souk and to the reference contracts: every answer is the same. A seed of
its own each time, printed when it fails; and every mismatch that was ever found, replayed."""
import random
import shutil
import subprocess

import pytest
from conftest import ROOT, SOUK

HERE = ROOT / "tests/diff"
CALLS = 2000

@pytest.fixture(scope="module")
def harness():
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("SKIPPED: no node and npm: nothing compared with the reference contracts")
    done = subprocess.run(["make", "-s", "tests/diff/node_modules/.package-lock.json"], cwd=ROOT,
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"SKIPPED: the reference contracts cannot be installed: {done.stderr[-300:]}")

    def run(rules, *args):
        done = subprocess.run(["node", str(HERE / "diff.mjs"), "--souk", str(SOUK), "--rules", rules,
                               *args], capture_output=True, text=True, timeout=900, check=False)
        if done.stdout.startswith("SKIP"):
            pytest.skip(f"SKIPPED: {done.stdout.strip()}")
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout
    return run


@pytest.mark.parametrize("rules", ["6.1", "6.2"])
def test_random_calls(harness, rules):
    seed = random.getrandbits(32)
    out = harness(rules, "--calls", str(CALLS), "--seed", str(seed))
    assert f"0 mismatches, seed {seed}" in out.splitlines()[-1]


@pytest.mark.parametrize("rules", ["6.1", "6.2"])
def test_found_mismatches_stay_fixed(harness, rules):
    assert " 0 mismatches" in harness(rules, "--replay", str(HERE / "regress"))
