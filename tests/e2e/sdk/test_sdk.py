# SPDX-License-Identifier: Apache-2.0
"""The library of the iExec SDK, unmodified, on a market that `souk up` started: every public method in
a good case and in a failing one, and a deal that souk's own pool runs."""
import json
import subprocess

import pytest

from sdk_stack import env, image, modules, stack  # noqa: F401 (fixtures)

SEEN, ALL = {}, set()
CANNOT_FAIL = {"dataset.generateEncryptionKey"}


def run(modules, env, script, **more):
    done = subprocess.run(["node", script], cwd=modules, env={**env, **more}, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    got = json.loads(done.stdout.splitlines()[-1])
    ALL.update(got["all"])
    for name, n in got["seen"].items():
        good, bad = SEEN.get(name, (0, 0))
        SEEN[name] = (good + n["good"], bad + n["bad"])


@pytest.mark.parametrize("script", ["money.mjs", "assets.mjs", "orders.mjs"])
def test_methods(modules, env, script):
    run(modules, env, script)


def test_a_deal_runs_and_its_result_is_decrypted(modules, env, image):
    run(modules, env, "run.mjs", SDK_IMAGE=str(image[0]), SDK_DIGEST=image[1])


def test_each_method_was_seen_to_work_and_to_refuse():
    if "task.fetchLogs" not in SEEN:
        pytest.skip("runs after the others")
    never_good = sorted(m for m in ALL if SEEN.get(m, (0, 0))[0] == 0)
    never_bad = sorted(m for m in ALL - CANNOT_FAIL if SEEN.get(m, (0, 0))[1] == 0)
    assert (never_good, never_bad) == ([], [])
