# SPDX-License-Identifier: Apache-2.0
"""The demo as a stranger runs it, and what its receipt proves when somebody changes it."""
import base64
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from conftest import ROOT, SOUK

CACHE = pathlib.Path(os.environ.get("SOUK_CACHE", pathlib.Path.home() / ".cache/souk"))
MODEL = CACHE / "mobilenet-v2.souknet"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    if not MODEL.exists():
        pytest.skip(f"SKIPPED LOUDLY: {MODEL} is not there (tools/fetch-models gets it), so the demo was not run")
    state = tmp_path_factory.mktemp("demo")
    p = subprocess.run([sys.executable, ROOT / "tools/run-demo", "--state", state], capture_output=True, text=True,
                       timeout=180, check=False)
    assert p.returncode == 0, p.stdout + p.stderr
    return state, p.stdout


def show(path, *more):
    p = subprocess.run([SOUK, "receipt", "show", path, "--json", *more], capture_output=True, text=True, check=False)
    return p.returncode, json.loads(p.stdout) if p.stdout else None, p.stderr


def changed(demo, tmp_path, change):
    receipt = json.loads((demo[0] / "receipt.json").read_text())
    change(receipt)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(receipt))
    return show(path)


def test_story(demo):
    for word in ("Egyptian cat", "INVOICE 2026-0417", "SIMULATED", "her money is back", "measurement", "checks hold"):
        assert word in demo[1], word


def test_receipt_holds(demo):
    code, story, _ = show(demo[0] / "receipt.json")
    assert code == 0 and story["ok"] and all(c["ok"] for c in story["checks"])
    assert any("binds this task" in c["text"] and "SIMULATED" in c["text"] for c in story["checks"])


def test_evidence_is_judged_by_the_readers_policy(demo, tmp_path):
    receipt, policy = demo[0] / "receipt.json", demo[0] / "policy.json"
    assert show(receipt, "--policy", policy)[0] == 1, "a key that nobody trusts"
    evidence = json.loads(receipt.read_text())["evidence"][0]["evidence"]
    (tmp_path / "evidence.bin").write_bytes(base64.b64decode(evidence))
    p = subprocess.run([SOUK, "attest", "show", tmp_path / "evidence.bin"], capture_output=True, text=True, check=True)
    signer = re.search(r"signer\s+([0-9a-f]{40})", p.stdout)[1]
    code, story, _ = show(receipt, "--policy", policy, "--anchor", f"simulated:0x{signer}")
    assert code == 0 and any("judged by your policy" in c["text"] and "accepted" in c["text"] for c in story["checks"])
    (tmp_path / "strict.json").write_text('{"kinds": ["tdx"]}')
    assert show(receipt, "--policy", tmp_path / "strict.json", "--anchor", f"simulated:0x{signer}")[0] == 1


def flip(text):
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(raw).decode()


def other_digit(text):
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def test_changed_evidence(demo, tmp_path):
    def change(r):
        r["evidence"][0]["evidence"] = flip(r["evidence"][0]["evidence"])
    code, story, _ = changed(demo, tmp_path, change)
    assert code == 1 and not story["ok"]


@pytest.mark.parametrize("member", ["nonce", "image", "agent", "publicKey", "taskId"])
def test_evidence_of_another(demo, tmp_path, member):
    code, story, _ = changed(demo, tmp_path, lambda r: r["evidence"][0].update({member: other_digit(r["evidence"][0][member])}))
    assert code == 1 and not story["ok"]
    assert any("does NOT bind" in c["text"] for c in story["checks"])


@pytest.mark.parametrize("member", ["task", "deal"])
def test_changed_ids(demo, tmp_path, member):
    code, _, said = changed(demo, tmp_path, lambda r: r.update({member: other_digit(r[member])}))
    assert code == 1 and "does not follow" in said


def test_other_chain(demo, tmp_path):
    assert changed(demo, tmp_path, lambda r: r.update({"chainId": r["chainId"] + 1}))[0] == 1


def test_cut_short(demo, tmp_path):
    path = tmp_path / "cut.json"
    path.write_text((demo[0] / "receipt.json").read_text()[:-40])
    code, _, said = show(path)
    assert code == 2 and str(path) in said


def test_wallet_without_a_market(tmp_path):
    p = subprocess.run([SOUK, "wallet", "new", "erin", "--state", tmp_path, "--json"], capture_output=True, text=True, check=False)
    assert p.returncode == 0, p.stderr
    assert (tmp_path / "keys/erin.key").stat().st_mode & 0o777 == 0o600


def test_run_takes_relative_paths(tmp_path):
    image = ROOT / "build/apps/hash.tar"
    subprocess.run(["make", "-s", "build/apps/hash.tar"], cwd=ROOT, check=True, timeout=600)
    (tmp_path / "in").mkdir()
    p = subprocess.run([SOUK, "run", image, "--in", "in", "--out", "out", "--args", "hello"], cwd=tmp_path, capture_output=True,
                       text=True, check=False, timeout=60)
    assert p.returncode == 0, p.stderr
    assert (tmp_path / "out/computed.json").exists()
    p = subprocess.run([SOUK, "run", image, "--in", "none"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert p.returncode == 2 and "none: No such file" in p.stderr
