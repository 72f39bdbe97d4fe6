# SPDX-License-Identifier: Apache-2.0
"""The node is killed at random moments under load. After each restart every transaction whose receipt
a client has seen is there, none is there twice, and the money adds up. SOUK_KILLS=N for more."""
import json
import os
import random
import signal
import threading

from conftest import Rpc, RpcError

KILLS = int(os.environ.get("SOUK_KILLS", "12"))
PHRASE_ACCOUNTS = 8

def load(url, accounts, seen, stop):
    """Sends transfers from unlocked accounts and remembers each receipt it was shown."""
    rpc = Rpc(url)
    i = 0
    while not stop.is_set():
        try:
            got = rpc.batch([("eth_sendTransaction", {"from": accounts[(i + k) % len(accounts)],
                                                      "to": "0x" + "77" * 20, "value": "0x1",
                                                      "gas": "0x5208"}) for k in range(20)])
            hashes = [g["result"] for g in got if "result" in g]
            for h, r in zip(hashes, rpc.batch([("eth_getTransactionReceipt", h) for h in hashes])):
                if r.get("result"):
                    seen[h] = (r["result"]["blockHash"], r["result"]["transactionIndex"])
        except (OSError, ValueError, KeyError, RpcError):
            return
        i += 1

def check(node, accounts, seen, genesis_sum):
    height = int(node.rpc.call("eth_blockNumber"), 16)
    for h, (block, index) in random.sample(sorted(seen.items()), min(len(seen), 300)):
        r = node.rpc.call("eth_getTransactionReceipt", h)
        assert r and (r["blockHash"], r["transactionIndex"]) == (block, index), f"lost {h}"
    found = set()
    sent = 0
    fees = 0
    for n in range(1, height + 1):
        for r in node.rpc.call("eth_getBlockReceipts", hex(n)):
            assert r["transactionHash"] not in found, "a transaction is in the chain twice"
            found.add(r["transactionHash"])
            sent += 1
            fees += int(r["gasUsed"], 16) * int(r["effectiveGasPrice"], 16)
    assert set(seen) <= found
    balance = {a: int(node.rpc.call("eth_getBalance", a, "latest"), 16) for a in accounts}
    assert sum(balance.values()) == genesis_sum - sent - fees
    assert int(node.rpc.call("eth_getBalance", "0x" + "77" * 20, "latest"), 16) == sent
    assert sum(int(node.rpc.call("eth_getTransactionCount", a, "latest"), 16) for a in accounts) == sent
    return sent

def test_kills(start_node):
    seed = int(os.environ.get("SOUK_SEED", random.randrange(1 << 32)))
    print("seed", seed)
    rng = random.Random(seed)
    node = start_node("--dev", "--block-time", "20ms", "--history", "16")
    accounts = node.rpc.call("eth_accounts")[:PHRASE_ACCOUNTS]
    genesis_sum = sum(int(node.rpc.call("eth_getBalance", a, "0x0"), 16) for a in accounts)
    seen = {}
    sent = 0
    for kill in range(KILLS):
        stop = threading.Event()
        threads = [threading.Thread(target=load, args=(node.url, accounts, seen, stop)) for _ in range(2)]
        for t in threads:
            t.start()
        stop.wait(rng.uniform(0.02, 0.4))
        assert node.kill() == -signal.SIGKILL
        stop.set()
        for t in threads:
            t.join()
        node.start()
        sent = check(node, accounts, seen, genesis_sum)
    print(json.dumps({"kills": KILLS, "losses": 0, "transactions": sent, "seen": len(seen)}))
    assert len(seen) > KILLS
