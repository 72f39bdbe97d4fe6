# SPDX-License-Identifier: Apache-2.0
"""The same calls, good and bad, to souk and to anvil: every field that anvil gives is there, of the
same type and encoding, and errors have the same code. What differs stands in shapes.json, each with
its reason; a difference that is not listed fails, and so does a listed one that is none."""
import json
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
from conftest import Rpc, RpcError

A = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
B = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
NONE = "0x" + "00" * 31 + "01"
KNOWN = json.loads((pathlib.Path(__file__).parent / "shapes.json").read_text())


@pytest.fixture(scope="module")
def anvil(clients, tmp_path_factory):
    binary = clients / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = open(tmp_path_factory.mktemp("anvil") / "log", "wb")
    proc = subprocess.Popen([binary, "--host", "127.0.0.1", "--port", str(port), "--accounts", "20"],
                            stdout=log, stderr=log)
    rpc = Rpc(f"http://127.0.0.1:{port}")
    end = time.monotonic() + 20
    while True:
        try:
            rpc.call("eth_chainId")
            break
        except OSError:
            assert proc.poll() is None and time.monotonic() < end, "anvil does not start"
            rpc.conn = None
            time.sleep(0.02)
    yield rpc
    proc.send_signal(signal.SIGTERM)
    proc.wait(10)
    log.close()


def kind(v):
    """How a value is encoded."""
    if v is None or isinstance(v, (bool, int, float)):
        return type(v).__name__
    if isinstance(v, str):
        if re.fullmatch(r"0x(0|[1-9a-f][0-9a-f]*)", v) and len(v) not in (42, 66):
            return "quantity"
        return f"data{(len(v) - 2) // 2}" if re.fullmatch(r"0x([0-9a-fA-F]{2})*", v) else "text"
    return type(v).__name__


def shape(v, at, out):
    """Flattens a value to {place: kind}."""
    if isinstance(v, dict):
        out[at] = "object"
        for k, x in v.items():
            shape(x, f"{at}.{k}", out)
    elif isinstance(v, list):
        out[at] = "array"
        for x in v[:1]:
            shape(x, f"{at}[0]", out)
    else:
        out[at] = kind(v)
    return out


def ask(rpc, method, params):
    try:
        return shape(rpc.call(method, *params), "result", {})
    except RpcError as e:
        return {"error": str(e.code)}


def calls(rpc):
    """What is asked, with the hashes of this chain put in."""
    h = rpc.call("eth_sendTransaction", {"from": A, "to": B, "value": "0x5"})
    for _ in range(200):
        receipt = rpc.call("eth_getTransactionReceipt", h)
        if receipt:
            break
        time.sleep(0.01)
    block = receipt["blockHash"]
    number = receipt["blockNumber"]
    tx = {"from": A, "to": B, "value": "0x1"}
    filters = [rpc.call("eth_newBlockFilter"), rpc.call("eth_newFilter", {})]
    rpc.call("evm_mine")
    return [
        ("chainId", "eth_chainId", []), ("netVersion", "net_version", []),
        ("listening", "net_listening", []), ("syncing", "eth_syncing", []),
        ("version", "web3_clientVersion", []), ("sha3", "web3_sha3", ["0x68656c6c6f"]),
        ("accounts", "eth_accounts", []), ("blockNumber", "eth_blockNumber", []),
        ("block", "eth_getBlockByNumber", [number, False]),
        ("blockFull", "eth_getBlockByNumber", [number, True]),
        ("blockLatest", "eth_getBlockByNumber", ["latest", False]),
        ("blockNone", "eth_getBlockByNumber", ["0xffffff", False]),
        ("blockByHash", "eth_getBlockByHash", [block, False]),
        ("blockByHashNone", "eth_getBlockByHash", [NONE, False]),
        ("txCount", "eth_getBlockTransactionCountByNumber", [number]),
        ("txCountHash", "eth_getBlockTransactionCountByHash", [block]),
        ("uncles", "eth_getUncleCountByBlockNumber", [number]),
        ("uncle", "eth_getUncleByBlockNumberAndIndex", [number, "0x0"]),
        ("tx", "eth_getTransactionByHash", [h]), ("txNone", "eth_getTransactionByHash", [NONE]),
        ("txAt", "eth_getTransactionByBlockNumberAndIndex", [number, "0x0"]),
        ("txAtHash", "eth_getTransactionByBlockHashAndIndex", [block, "0x0"]),
        ("txAtNone", "eth_getTransactionByBlockNumberAndIndex", [number, "0x7"]),
        ("receipt", "eth_getTransactionReceipt", [h]),
        ("receiptNone", "eth_getTransactionReceipt", [NONE]),
        ("receipts", "eth_getBlockReceipts", [number]),
        ("balance", "eth_getBalance", [A, "latest"]), ("balanceDefault", "eth_getBalance", [A]),
        ("balanceHash", "eth_getBalance", [A, {"blockHash": block}]),
        ("nonce", "eth_getTransactionCount", [A, "pending"]),
        ("code", "eth_getCode", [A, "latest"]), ("storage", "eth_getStorageAt", [A, "0x0", "latest"]),
        ("call", "eth_call", [tx, "latest"]), ("estimate", "eth_estimateGas", [tx]),
        ("gasPrice", "eth_gasPrice", []), ("tip", "eth_maxPriorityFeePerGas", []),
        ("feeHistory", "eth_feeHistory", ["0x2", "latest", [25, 75]]),
        ("logs", "eth_getLogs", [{"fromBlock": "0x0"}]),
        ("filterBlocks", "eth_getFilterChanges", [filters[0]]),
        ("filterLogs", "eth_getFilterChanges", [filters[1]]),
        ("uninstall", "eth_uninstallFilter", [filters[0]]),
        ("poolStatus", "txpool_status", []), ("poolContent", "txpool_content", []),
        ("sign", "eth_sign", [A, "0x68656c6c6f"]), ("personal", "personal_sign", ["0x68656c6c6f", A]),
        ("send", "eth_sendTransaction", [tx]), ("snapshot", "evm_snapshot", []),
        ("mine", "anvil_mine", ["0x2"]), ("setBalance", "anvil_setBalance", [B, "0x1"]),
        ("increaseTime", "evm_increaseTime", [5]), ("automine", "anvil_getAutomine", []),
        ("impersonate", "anvil_impersonateAccount", [B]),
        # bad input
        ("unknown", "eth_nothing", []), ("noArgs", "eth_getBalance", []),
        ("badAddress", "eth_getBalance", ["0x12", "latest"]),
        ("badTag", "eth_getBalance", [A, "newest"]),
        ("badHash", "eth_getTransactionByHash", ["0x12"]),
        ("badRaw", "eth_sendRawTransaction", ["0x1234"]),
        ("rangeBackwards", "eth_getLogs", [{"fromBlock": "0x5", "toBlock": "0x1"}]),
        ("poor", "eth_sendTransaction", [{"from": "0x" + "12" * 20, "to": A, "value": "0x1"}]),
        ("nonceLow", "eth_sendTransaction", [{**tx, "nonce": "0x0"}]),
        ("filterNone", "eth_uninstallFilter", ["0x77"]),
    ]


def test_shapes(anvil, dev):
    found = {}
    for (name, method, ours), (_, _, theirs) in zip(calls(dev.rpc), calls(anvil), strict=True):
        a, b = ask(dev.rpc, method, ours), ask(anvil, method, theirs)
        for place in sorted(set(a) | set(b)):
            if a.get(place) != b.get(place):
                found[f"{name}: {place}"] = f"souk {a.get(place)}, anvil {b.get(place)}"
    known = [(p, reason) for reason, places in KNOWN.items() for p in places]
    new = {k: v for k, v in found.items() if not any(re.fullmatch(p, k) for p, _ in known)}
    assert not new, json.dumps(new, indent=2)
    gone = [p for p, _ in known if not any(re.fullmatch(p, k) for k in found)]
    assert not gone, f"no longer different: {gone}"
