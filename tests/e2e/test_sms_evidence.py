# SPDX-License-Identifier: Apache-2.0
"""Real evidence through the secret manager's interface: one genuine sample of each kind is accepted by
a policy at its own time, and refused by a stricter one. The samples are not part of the repository."""
import base64
import calendar
import json
import os
import pathlib
import subprocess
import time
import urllib.request

import pytest

from conftest import Process, SOUK

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = pathlib.Path(os.environ.get("SOUK_VECTORS", ROOT.parent / "shared/vectors")) / "attestation"
FOLDERS = {"sgx": "sgx", "tdx": "tdx", "sev-snp": "sev-snp", "azure": "azure-vtpm", "tpm": "tpm",
           "nitro": "nitro", "cca": "arm-cca", "psa": "psa", "keystone": "keystone"}
EVIDENCE = ("quote.bin", "report.bin", "attestation.cbor", "token.cbor", "evidence.bin", "report.cbor",
            "hcl_report.bin", "quote.out", "evidence.json")
LAX = {"revocation": "optional", "debug": True,
       "tcb": {"accept": ["UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "OutOfDate",
                          "ConfigurationAndSWHardeningNeeded", "OutOfDateConfigurationNeeded"]}}


PREFER = {"azure": ("hcl_report.bin",)}  # beside the hardware's report that it wraps
OTHER = "5e" * 32  # no sample's measurement; one of CCA is all zero


def kinds():
    if not SOUK.exists():
        return []
    out = subprocess.run([SOUK, "attest", "kinds", "--json"], capture_output=True, text=True,
                         check=True).stdout
    return [k["kind"] for k in json.loads(out) if k["kind"] in FOLDERS]


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) if text != "any" else 1750000000


def samples(kind):
    """(folder, evidence file, time) of cases that reference verifiers call good, best first."""
    for case in sorted((SAMPLES / FOLDERS[kind]).rglob("expected.json")):
        expected = json.loads(case.read_text())
        file = next((f for f in PREFER.get(kind, ()) + EVIDENCE if (case.parent / f).exists()), None)
        for c in expected["cases"]:
            if file and c.get("outcome") in ("ok", "tcb:OutOfDate", "tcb:SWHardeningNeeded",
                                             "tcb:ConfigurationAndSWHardeningNeeded"):
                yield case.parent, file, seconds(c["time"])


def post(url, body):
    req = urllib.request.Request(url + "/attest/verify", json.dumps(body).encode(),
                                 {"content-type": "application/json"})
    with urllib.request.urlopen(req, timeout=30) as res:
        return json.load(res)


def anchors(kind, folder):
    """Kinds without a vendor's root: the sample's key is trusted by name."""
    if kind not in ("psa", "cca", "keystone", "tpm"):
        return []
    return [a for f in sorted(folder.iterdir()) if f.suffix == ".pem" or f.name.endswith(("pub.der", "device_pub.bin"))
            for a in ("--anchor", f"{kind}:{f}")]


def judge(tmp_path, kind, folder, file, at, policy):
    """The verdict of a secret manager whose time is pinned to `at`."""
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    p = Process(["sms", "--state", tmp_path / "sms", "--key-file", tmp_path / "key", "--listen",
                 "127.0.0.1:0", "--hub", "0x" + "00" * 19 + "01", "--policy", tmp_path / "policy.json",
                 "--at", at, *anchors(kind, folder)], tmp_path / "sms.log").start()
    try:
        others = [f for f in sorted(folder.iterdir()) if f.name not in (file, "expected.json")]
        return post(p.url, {
            "evidence": base64.b64encode((folder / file).read_bytes()).decode(),
            "collateral": [{"name": f.name, "data": base64.b64encode(f.read_bytes()).decode()}
                           for f in others if f.stat().st_size > 0]})
    finally:
        assert p.stop() == 0


@pytest.mark.parametrize("kind", kinds())
def test_accepted_and_refused(kind, tmp_path):
    if not SAMPLES.is_dir():
        pytest.skip(f"SKIPPED LOUDLY: {SAMPLES} is not there, so no real {kind} evidence was judged")
    tried = []
    for folder, file, at in samples(kind):
        verdict = judge(tmp_path, kind, folder, file, at, LAX)
        if verdict["accepted"]:
            break
        tried.append(f"{folder.name}: {verdict['summary']}")
    else:
        raise AssertionError(f"no sample was accepted: {tried}")
    assert verdict["kind"] == kind and verdict["verified"] and not verdict["simulated"]
    strict = judge(tmp_path, kind, folder, file, at, {**LAX, "measurements": [OTHER]})
    assert not strict["accepted"] and strict["broken"] == "policy"
    assert strict["links"]["policy"]["code"] == "measurement-differs"
    only = judge(tmp_path, kind, folder, file, at, {**LAX, "kinds": ["simulated"]})
    assert not only["accepted"] and only["links"]["policy"]["code"] == "kind-not-allowed"
