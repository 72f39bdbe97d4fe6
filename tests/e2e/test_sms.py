# SPDX-License-Identifier: Apache-2.0
"""The secret manager in a whole market: who gets a model's key, who does not, and what is written
down about it. The refusals of its interface, one by one, are in tests/unit/test_sms.c."""
import json
import pathlib
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import demolib  # noqa: E402

APP = ROOT / "build/apps/hash.tar"


class Stack:
    """A market that can be stopped and started again on the same folder."""

    def __init__(self, folder):
        self.folder = folder
        self.market = None

    def up(self, *more):
        self.market = demolib.Market(str(self.folder))
        self.market.up(1, 2, *more)
        return self.market

    def stop(self):
        if self.market is not None:
            self.market.stop()
            self.market = None

    def audit(self):
        out = subprocess.run([demolib.SOUK, "sms", "audit", "--state", self.folder / "sms"],
                             capture_output=True, text=True, check=True).stdout
        return [json.loads(line) for line in out.splitlines()]

    def log(self, name):
        return (self.folder / "log" / f"{name}.log").read_text(errors="replace")


@pytest.fixture
def stack(tmp_path):
    if not APP.exists():
        subprocess.run(["make", "-s", "build/apps/hash.tar"], cwd=ROOT, check=True)
    s = Stack(tmp_path)
    yield s
    s.stop()


def offer(m, folder):
    """Carol's application, bob's model, the pool's order; alice has money."""
    for name, deposit in (("alice", 100), ("bob", 0), ("carol", 0)):
        m.new_wallet(name, deposit)
    m.run("pool", "publish", "--wallet", "scheduler", "--price", "1", "--volume", "100", "--tag",
          "tee,tdx")
    m.run("app", "publish", APP, "--wallet", "carol", "--name", "hash", "--price", "0.5", "--tag",
          "tee,tdx")
    model = folder / "model.bin"
    model.write_bytes(b"weights" * 1000)
    m.run("model", "publish", model, "--wallet", "bob", "--name", "m", "--price", "2", "--tag", "tee")


def rent(m, folder, name):
    return m.run("rent", "--wallet", "alice", "--app", "hash", "--model", "m", "--out",
                 folder / name, "--timeout", "30s")


def wait_for(what, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def test_released_and_marked(stack, tmp_path):
    m = stack.up()
    offer(m, tmp_path)
    rent(m, tmp_path, "one")
    rows = stack.audit()
    assert [r["outcome"] for r in rows] == ["released"]
    assert rows[0]["simulated"] and rows[0]["evidence"] == "simulated"
    assert "SIMULATED: no hardware" in rows[0]["reason"]
    line = next(x for x in stack.log("sms").splitlines() if "secrets released" in x)
    assert "SIMULATED: no hardware" in line


def test_another_storage_key_between(stack, tmp_path):
    m = stack.up()
    offer(m, tmp_path)
    stack.stop()
    key = tmp_path / "keys/sms-storage.key"
    before = key.read_text()
    rotate = [demolib.SOUK, "sms", "rotate", "--state", tmp_path / "sms", "--key-file", key]
    out = subprocess.run(rotate, capture_output=True, text=True, check=True).stdout
    assert "rows are sealed under a new storage key" in out
    assert key.read_text() != before and key.stat().st_mode & 0o077 == 0
    m = stack.up()
    busy = subprocess.run(rotate, capture_output=True, text=True, check=False)
    assert busy.returncode == 1 and "process" in busy.stderr  # not under a running service
    rent(m, tmp_path, "two")


def test_default_policy_refuses(stack, tmp_path):
    m = stack.up()
    offer(m, tmp_path)
    stack.stop()
    policy = tmp_path / "strict.json"
    policy.write_text("{}")
    m = stack.up("--policy", policy)
    m.run("rent", "--wallet", "alice", "--app", "hash", "--model", "m", "--no-wait")
    row = wait_for(stack.audit)[0]
    assert row["outcome"] == "evidence-refused"
    assert "SIMULATED: no hardware stands behind this evidence" in row["reason"]
    wait_for(lambda: "SIMULATED: no hardware stands behind" in stack.log("worker-1"))
