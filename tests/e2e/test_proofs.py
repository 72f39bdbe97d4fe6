# SPDX-License-Identifier: Apache-2.0
"""Proofs from our RPC: of logs, checked by a trie library from npm; of state records, checked offline by
`souk verify proof`, which refuses whatever was changed."""
import json
import subprocess

from conftest import SOUK


def verify(path, *args):
    return subprocess.run([SOUK, "verify", "proof", path, *args], capture_output=True, text=True, timeout=30,
                          check=False)


def test_proofs(dev, run_client, tmp_path):
    out = json.loads(run_client("proof.mjs", dev.url).splitlines()[-1])
    assert out["ok"] and out["logs"] > 5
    dev.stop()  # from here on there is no node
    path = tmp_path / "proof.json"
    for proof in (out["account"], out["nobody"]):
        path.write_text(json.dumps(proof))
        done = verify(path, "--block-hash", out["hash"], "--json")
        assert done.returncode == 0, done.stderr
        assert verify(path, "--block-hash", "0x" + "11" * 32).returncode == 1
    assert out["account"]["value"] and out["nobody"]["value"] is None

    def flip(text, at):
        return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:]

    proof = out["account"]
    for member in ("value", "proof", "header", "key", "stateRoot", "blockHash"):
        for at in (-1, len(proof[member]) // 2):
            at %= len(proof[member])
            path.write_text(json.dumps({**proof, member: flip(proof[member], at)}))
            assert verify(path, "--block-hash", out["hash"]).returncode != 0, (member, at)
    path.write_text(json.dumps({**proof, "value": None}))
    assert verify(path, "--block-hash", out["hash"]).returncode != 0
    path.write_text(json.dumps({**out["nobody"], "value": proof["value"]}))
    assert verify(path, "--block-hash", out["hash"]).returncode != 0
