# SPDX-License-Identifier: Apache-2.0
"""What the system may refuse a node: each a clear error, and no damage."""
import os
import resource
import shutil
import socket
import subprocess
import time

import pytest
from conftest import SOUK, Rpc, RpcError

A = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
B = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"


def transfer(node, value="0x1"):
    return node.rpc.call("eth_sendTransaction", {"from": A, "to": B, "value": value, "gas": "0x5208"})


def test_full_disk(start_node):
    """No file may grow: blocks stop with one clear line, reads go on, and when there is room again
    the waiting transactions come in."""
    node = start_node("--dev", "--block-time", "50ms")
    first = transfer(node)
    wait_receipt(node, first)
    size = max(p.stat().st_size for p in (node.folder / "node").rglob("*") if p.is_file())
    resource.prlimit(node.proc.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    end = time.monotonic() + 30
    sent = []
    while "no block can be made" not in node.said():
        assert time.monotonic() < end, "the limit was never reached"
        sent += [transfer(node) for _ in range(20)]
    height = node.rpc.call("eth_blockNumber")
    assert node.rpc.call("eth_getTransactionReceipt", first)["status"] == "0x1"
    assert node.rpc.call("eth_getBalance", B, "latest") != "0x0"
    resource.prlimit(node.proc.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for h in sent:
        wait_receipt(node, h)
    assert int(node.rpc.call("eth_blockNumber"), 16) > int(height, 16)
    assert "blocks can be written again" in node.said()
    assert node.stop() == 0
    node.start()
    assert node.rpc.call("eth_getTransactionReceipt", sent[-1])["status"] == "0x1"


def wait_receipt(node, h):
    end = time.monotonic() + 20
    while node.rpc.call("eth_getTransactionReceipt", h) is None:
        assert time.monotonic() < end, f"no receipt of {h}"
        time.sleep(0.01)


def run(*args, **kw):
    return subprocess.run([SOUK, "node", *map(str, args)], capture_output=True, text=True, timeout=30,
                          check=False, **kw)


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="needs setpriv")
def test_folder_that_may_not_be_written(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    who = [] if os.geteuid() != 0 else ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    done = subprocess.run([*who, SOUK, "node", "--dev", "--listen", "127.0.0.1:0", "--state", folder / "x"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "Permission denied" in done.stderr


def test_no_descriptors(start_node):
    """New connections wait or are turned away; those that are open go on, and so does the node."""
    node = start_node("--dev")
    used = len(os.listdir(f"/proc/{node.proc.pid}/fd"))
    _, hard = resource.prlimit(node.proc.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(node.proc.pid, resource.RLIMIT_NOFILE, (used + 8, hard))
    sockets = [socket.create_connection((node.rpc.at.hostname, node.rpc.at.port)) for _ in range(40)]
    assert node.rpc.call("eth_blockNumber") == "0x0"
    transfer(node)
    end = time.monotonic() + 10
    while "no descriptor left" not in node.said():
        assert time.monotonic() < end
        time.sleep(0.02)
    for s in sockets:
        s.close()
    assert Rpc(node.url).call("eth_blockNumber") == "0x1"


def test_genesis_faults(tmp_path, start_node):
    genesis = tmp_path / "g.json"
    for text, want in (("{", "g.json"), ('{"chainId":"x"}', "chainId"), ("[]", "object")):
        genesis.write_text(text)
        done = run("--genesis", genesis, "--listen", "127.0.0.1:0", "--state", tmp_path / "s")
        assert done.returncode in (1, 2) and want in done.stderr, (text, done.stderr)
    done = run("--listen", "127.0.0.1:0", "--state", tmp_path / "s")
    assert done.returncode in (1, 2) and "genesis" in done.stderr
    node = start_node("--dev")
    node.stop()
    genesis.write_text('{"chainId":7,"owner":"%s","accounts":[]}' % A)
    done = run("--genesis", genesis, "--listen", "127.0.0.1:0", "--state", node.folder / "node")
    assert done.returncode != 0 and "genesis" in done.stderr


def test_options(tmp_path):
    for args, want in ((["--nonsense"], "no option --nonsense"), (["--history", "x"], "--history"),
                       (["--listen", "here"], "cannot listen on 'here'"),
                       (["--tls-cert", "a"], "go together"), (["--log-level", "x"], "--log-level"),
                       (["--max-batch", "0"], "outside 1 to")):
        done = run("--dev", "--state", tmp_path / "s", *args)
        assert done.returncode == 2 and want in done.stderr, (args, done.returncode, done.stderr)
    assert "example:" in run("--help").stdout


def test_damaged_database(start_node):
    """Damage is named and ends with status 3, which tells a supervisor not to try again."""
    node = start_node("--dev")
    for _ in range(3):
        transfer(node)
    node.stop()
    for f in (node.folder / "node").rglob("*.mdb"):
        if "lock" not in f.name:
            data = bytearray(f.read_bytes())
            for i in range(8192, len(data), 4096):
                data[i:i + 64] = b"\xff" * 64
            f.write_bytes(data)
    with pytest.raises(AssertionError) as e:
        node.start()
        for block in ("latest", "0x1", "0x2"):
            node.rpc.call("eth_getBlockByNumber", block, True)
        transfer(node)
        raise AssertionError("nothing was noticed")
    assert "nothing was noticed" not in str(e.value)


def test_clock_that_goes_back(start_node):
    """Blocks never go back in time, whatever the wall clock does."""
    node = start_node("--dev")
    node.rpc.call("evm_setNextBlockTimestamp", int(time.time()) + 5000)
    transfer(node)
    node.stop()
    node.start()  # the shift is gone: the wall clock lies 5000 s behind the newest block
    transfer(node)
    blocks = [node.rpc.call("eth_getBlockByNumber", n, False) for n in ("0x1", "0x2")]
    assert int(blocks[1]["timestamp"], 16) >= int(blocks[0]["timestamp"], 16)
    with pytest.raises(RpcError):
        node.rpc.call("evm_setNextBlockTimestamp", 1)
