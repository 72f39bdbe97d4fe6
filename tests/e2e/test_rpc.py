# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC as the specification and geth have it: errors, batches, ids, limits."""
import http.client
import json
import socket
import subprocess

import pytest
from conftest import ROOT, Rpc, RpcError

A = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
B = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"


def error_of(node, body):
    return node.rpc.post(body)[1]["error"]


def test_envelope(dev):
    status, got = dev.rpc.post(b"{")
    assert status == 200
    assert got == {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}
    assert error_of(dev, {"jsonrpc": "1.0", "id": 1, "method": "eth_chainId"})["code"] == -32600
    assert error_of(dev, {"jsonrpc": "2.0", "id": 1})["code"] == -32600
    assert error_of(dev, [])["message"] == "empty batch"
    got = error_of(dev, {"jsonrpc": "2.0", "id": 1, "method": "eth_none"})
    assert got == {"code": -32601, "message": "the method eth_none does not exist/is not available"}
    for i in (7, "seven", None, 1.5, ""):
        _, got = dev.rpc.post({"jsonrpc": "2.0", "id": i, "method": "eth_chainId", "params": []})
        assert got == {"jsonrpc": "2.0", "id": i, "result": "0x7a69"}
    assert dev.rpc.post({"jsonrpc": "2.0", "method": "eth_chainId"}) == (200, None)
    _, got = dev.rpc.post([{"jsonrpc": "2.0", "method": "eth_chainId"},
                           {"jsonrpc": "2.0", "id": 2, "method": "eth_chainId"}, 5])
    assert [g["id"] for g in got] == [2, None]
    assert got[1]["error"]["code"] == -32600


@pytest.mark.parametrize("method, params, message", [
    ("eth_getBalance", [], "missing value for required argument 0"),
    ("eth_getBalance", [None], "missing value for required argument 0"),
    ("eth_getBalance", ["0x12"], "invalid argument 0: hex string has length 2, want 40"),
    ("eth_getBalance", ["12"], "invalid argument 0: hex string without 0x prefix"),
    ("eth_getBalance", [5], "invalid argument 0: must be a hex string"),
    ("eth_getBalance", [A, "0x01"], "invalid argument 1: hex number with leading zero digits"),
    ("eth_getBalance", [A, "newest"], "invalid argument 1: hex string without 0x prefix"),
    ("eth_getBalance", [A, "0x"], 'invalid argument 1: hex string "0x"'),
    ("eth_getBalance", [A, {"blockHash": A}], "invalid argument 1: blockHash: hex string has length 40"),
    ("eth_chainId", [1], "too many arguments, want at most 0"),
    ("eth_call", ["x"], "invalid argument 0: must be an object"),
    ("eth_call", [{"data": "0x1"}], "invalid argument 0: data: hex string of odd length"),
    ("eth_call", [{"to": A}, "latest", {A: {"balance": "0x1"}}], "overrides are not supported"),
    ("eth_getLogs", [{"topics": [["0x1"]]}], "invalid argument 0: topics[0][0]: hex string has length 1"),
    ("eth_getLogs", [{"fromBlock": "0x5", "toBlock": "0x2"}], "invalid block range params"),
    ("eth_getTransactionByHash", ["0xzz" + "0" * 62], "invalid argument 0: invalid hex string"),
])
def test_params(dev, method, params, message):
    with pytest.raises(RpcError) as e:
        dev.rpc.call(method, *params)
    assert e.value.code == -32602
    assert message in e.value.message


def test_object_params(dev):
    assert error_of(dev, {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": {}}) == {
        "code": -32602, "message": "non-array args"}


def test_state_errors(dev):
    for block, message in (("0x99", "header not found"), ("0x" + "5" * 64, "header for hash not found")):
        with pytest.raises(RpcError) as e:
            dev.rpc.call("eth_getBalance", A, block)
        assert (e.value.code, e.value.message) == (-32000, message)


def test_block_ids(dev):
    dev.rpc.call("evm_mine")
    one = dev.rpc.call("eth_getBlockByNumber", "0x1", False)
    for tag in ("latest", "safe", "finalized"):
        assert dev.rpc.call("eth_getBlockByNumber", tag, False) == one
    assert dev.rpc.call("eth_getBlockByHash", one["hash"], False) == one
    assert dev.rpc.call("eth_getBlockByNumber", "pending", False)["number"] == "0x2"
    for block in ("0x1", one["hash"], {"blockNumber": "0x1"},
                  {"blockHash": one["hash"], "requireCanonical": True}):
        assert int(dev.rpc.call("eth_getBalance", A, block), 16) > 0
    assert dev.rpc.call("eth_getBlockByNumber", "0x9", False) is None


def test_batches(dev):
    got = dev.rpc.batch([("eth_chainId",)] * 1000)
    assert all(g["result"] == "0x7a69" for g in got)
    _, got = dev.rpc.post([{"jsonrpc": "2.0", "id": i, "method": "eth_chainId"} for i in range(1001)])
    assert got["error"]["message"] == "batch too large"


def test_transfer_and_pool(dev):
    h = dev.rpc.call("eth_sendTransaction", {"from": A, "to": B, "value": "0x5"})
    receipt = dev.rpc.call("eth_getTransactionReceipt", h)
    assert receipt["status"] == "0x1" and receipt["gasUsed"] == "0x5208" and receipt["logs"] == []
    dev.rpc.call("evm_setAutomine", False)
    waiting = dev.rpc.call("eth_sendTransaction", {"from": A, "to": B, "value": "0x5"})
    late = dev.rpc.call("eth_sendTransaction", {"from": A, "to": B, "value": "0x5", "nonce": "0x9"})
    assert dev.rpc.call("txpool_status") == {"pending": "0x1", "queued": "0x1"}
    content = dev.rpc.call("txpool_content")
    assert [t["hash"] for s in content["pending"].values() for t in s.values()] == [waiting]
    assert [t["hash"] for s in content["queued"].values() for t in s.values()] == [late]
    assert dev.rpc.call("eth_getTransactionCount", A, "pending") == "0x2"
    assert dev.rpc.call("eth_getTransactionByHash", waiting)["blockHash"] is None
    assert dev.rpc.call("eth_getTransactionReceipt", waiting) is None
    dev.rpc.call("evm_mine")
    assert dev.rpc.call("eth_getTransactionReceipt", waiting)["status"] == "0x1"


def test_plain_node_refuses_dev_methods(start_node, tmp_path):
    genesis = tmp_path / "genesis.json"
    genesis.write_text(json.dumps({"chainId": 5, "owner": A, "accounts": []}))
    node = start_node("--genesis", genesis)
    assert node.rpc.call("web3_clientVersion").startswith("souk/")
    assert node.rpc.call("eth_accounts") == []
    for method in ("evm_mine", "hardhat_setBalance", "anvil_reset", "eth_sendTransaction", "personal_sign"):
        with pytest.raises(RpcError) as e:
            node.rpc.call(method)
        assert e.value.code == -32601 and "--dev" in e.value.message


def test_http(dev):
    at = dev.rpc.at
    conn = http.client.HTTPConnection(at.hostname, at.port)
    conn.request("OPTIONS", "/", headers={"origin": "http://page", "access-control-request-method": "POST",
                                          "access-control-request-headers": "content-type"})
    res = conn.getresponse()
    res.read()
    assert res.status == 204 and res.headers["access-control-allow-origin"] == "*"
    conn.request("GET", "/health")
    assert json.loads(conn.getresponse().read())["status"] == "ok"
    conn.request("GET", "/metrics")
    assert b"souk_rpc_requests_total" in conn.getresponse().read()
    conn.request("POST", "/", headers={"content-length": str((5 << 20) + 1)})
    assert conn.getresponse().status == 413
    conn.close()
    deep = b"[" * 100000
    assert dev.rpc.post(deep)[1]["error"]["code"] == -32700


def test_many_connections(dev):
    """More sockets than the node takes: those that do nothing make room for those that ask."""
    idle = [socket.create_connection((dev.rpc.at.hostname, dev.rpc.at.port)) for _ in range(300)]
    assert Rpc(dev.url).call("eth_chainId") == "0x7a69"
    for s in idle:
        s.close()


def test_stop_and_go_on(dev):
    h = dev.rpc.call("eth_sendTransaction", {"from": A, "to": B, "value": "0x5"})
    assert dev.stop() == 0
    assert "stopped" in dev.said()
    dev.start()
    assert dev.rpc.call("eth_getTransactionReceipt", h)["status"] == "0x1"


def test_port_in_use(dev, souk, tmp_path):
    done = subprocess.run([souk, "node", "--dev", "--state", tmp_path / "other", "--listen",
                           f"127.0.0.1:{dev.port}"], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 1 and "port in use" in done.stderr
    done = subprocess.run([souk, "node", "--dev", "--state", dev.folder / "node", "--listen",
                           "127.0.0.1:0"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "in use by process" in done.stderr


def test_docs_are_those_of_the_table(souk):
    said = subprocess.run([souk, "node", "--print-rpc-docs"], capture_output=True, text=True,
                          timeout=20, check=True).stdout
    assert (ROOT / "docs/rpc.md").read_text() == said, "souk node --print-rpc-docs > docs/rpc.md"
