# SPDX-License-Identifier: Apache-2.0
"""Filters, subscriptions, and clients that mean harm: others are served meanwhile."""
import json
import socket
import time

import pytest
from conftest import Rpc, RpcError
from wsclient import Ws

A = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
B = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"


def transfer(node, value=1):
    return node.rpc.call("eth_sendTransaction", {"from": A, "to": B, "value": hex(value)})


def test_subscriptions(dev):
    ws = Ws(dev.ws)
    heads = ws.call("eth_subscribe", "newHeads")["result"]
    pending = ws.call("eth_subscribe", "newPendingTransactions")["result"]
    full = ws.call("eth_subscribe", "newPendingTransactions", True)["result"]
    h = transfer(dev)
    got = {}
    while len(got) < 3:
        m = ws.push()
        assert m["method"] == "eth_subscription"
        got[m["params"]["subscription"]] = m["params"]["result"]
    block = dev.rpc.call("eth_getBlockByNumber", "latest", False)
    for name in ("hash", "number", "parentHash", "logsBloom", "stateRoot", "baseFeePerGas", "timestamp"):
        assert got[heads][name] == block[name]
    assert got[pending] == h and got[full]["hash"] == h
    assert ws.call("eth_unsubscribe", heads)["result"] is True
    assert ws.call("eth_unsubscribe", heads)["error"]["message"] == "subscription not found"
    assert ws.call("eth_subscribe", "news")["error"]["code"] == -32601
    for _ in range(126):
        assert "result" in ws.call("eth_subscribe", "syncing")
    assert "too many subscriptions" in ws.call("eth_subscribe", "syncing")["error"]["message"]
    with pytest.raises(RpcError) as e:
        dev.rpc.call("eth_subscribe", "newHeads")
    assert e.value.message == "notifications not supported"
    ws.close()


def test_filters(dev):
    blocks = dev.rpc.call("eth_newBlockFilter")
    pending = dev.rpc.call("eth_newPendingTransactionFilter")
    logs = dev.rpc.call("eth_newFilter", {})
    h = transfer(dev)
    block = dev.rpc.call("eth_getBlockByNumber", "latest", False)
    assert dev.rpc.call("eth_getFilterChanges", blocks) == [block["hash"]]
    assert dev.rpc.call("eth_getFilterChanges", blocks) == []
    assert dev.rpc.call("eth_getFilterChanges", pending) == [h]
    assert dev.rpc.call("eth_getFilterChanges", logs) == []
    assert dev.rpc.call("eth_getFilterLogs", logs) == []
    assert dev.rpc.call("eth_uninstallFilter", logs) is True
    assert dev.rpc.call("eth_uninstallFilter", logs) is False
    for method in ("eth_getFilterChanges", "eth_getFilterLogs"):
        with pytest.raises(RpcError) as e:
            dev.rpc.call(method, logs)
        assert (e.value.code, e.value.message) == (-32000, "filter not found")


def test_many_subscribers_lose_nothing(dev):
    """Every subscriber sees every block, in order."""
    sockets = [Ws(dev.ws) for _ in range(200)]
    for ws in sockets:
        ws.call("eth_subscribe", "newHeads")
    first = int(dev.rpc.call("eth_blockNumber"), 16) + 1
    for _ in range(30):
        dev.rpc.call("evm_mine")
    for ws in sockets:
        assert [int(ws.push()["params"]["result"]["number"], 16) for _ in range(30)] == [
            *range(first, first + 30)]
        ws.close()


def test_subscriber_that_never_reads(start_node):
    node = start_node("--dev", "--max-queue", "64k")
    ws = Ws(node.ws)
    ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(100):
        ws.call("eth_subscribe", "newHeads")
    for _ in range(200):
        node.rpc.call("evm_mine")
    assert "does not read: closed" in node.said()
    assert Rpc(node.url).call("eth_chainId") == "0x7a69"
    ws.close()


def test_hostile_sockets(dev):
    """Half requests, slow requests and long queues of requests: an honest call stays quick."""
    at = (dev.rpc.at.hostname, dev.rpc.at.port)
    bad = [socket.create_connection(at) for _ in range(500)]
    for i, s in enumerate(bad):
        s.sendall((b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n{",
                   b"\x16\x03\x01\x02\x00\x01", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" * 50)[i % 5])
    worst = 0
    for _ in range(50):
        t = time.monotonic()
        assert Rpc(dev.url).call("eth_blockNumber") == "0x0"
        worst = max(worst, time.monotonic() - t)
    assert worst < 1, f"an honest call took {worst:.3f} s"
    for s in bad:
        s.close()


def test_huge_bodies_are_not_read(dev):
    at = (dev.rpc.at.hostname, dev.rpc.at.port)
    s = socket.create_connection(at)
    s.settimeout(20)
    s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n")
    assert b" 413 " in s.recv(4096)
    s.close()
    s = socket.create_connection(at)
    s.settimeout(20)
    s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    sent = 0
    try:
        while sent < 64 << 20:
            s.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            sent += 0x100000
    except ConnectionError:
        pass
    assert sent < 64 << 20
    s.close()


def test_limits_of_answers(start_node):
    node = start_node("--dev", "--max-response", "64k", "--max-filters", "3")
    for _ in range(3):
        node.rpc.call("eth_newBlockFilter")
    with pytest.raises(RpcError) as e:
        node.rpc.call("eth_newBlockFilter")
    assert e.value.code == -32005
    body = json.dumps([{"jsonrpc": "2.0", "id": i, "method": "eth_getBlockByNumber",
                        "params": ["latest", False]} for i in range(1000)])
    _, got = node.rpc.post(body)
    assert len(got) == 1000
    assert any(g.get("error", {}).get("message") == "response too large" for g in got)
