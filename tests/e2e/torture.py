# SPDX-License-Identifier: Apache-2.0
"""Kills and faults of the disk under load.

  python3 tests/e2e/torture.py N [SEED]        (make torture N=1000)

A node under load is killed at a random moment, or its disk fails below LMDB (tests/torture/faulty.c). Then a
replay from genesis must give the same roots (`souk node verify`), and after the restart every transaction
whose receipt a client has seen is there, none is there twice, and coins and tokens add up. Each chain takes
a few kills. The last line is `N kills, M losses`.

A disk that lies about its syncs does lose transactions: test_kill.py sees that they are found missing."""
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading

from conftest import ROOT, SOUK, Node, Rpc, RpcError

FAULTY = pathlib.Path(os.environ.get("SOUK_FAULTY", ROOT / "build/release/tests/faulty.so"))
SINK = "0x" + "77" * 20
KINDS = {"kill": 8, "torn": 3, "power": 5, "sync": 2, "full": 2, "short": 2}
FATAL = ("torn", "power", "lies")  # the fault ends the node itself
KILLS_A_CHAIN = 10
TRANSFER, APPROVE, DEPOSIT, WITHDRAW = "a9059cbb", "095ea7b3", "b6b55f25", "2e1a7d4d"
TOTAL, BALANCE = "18160ddd", "70a08231"


def words(*values):
    return "".join(f"{v if isinstance(v, int) else int(v, 16):064x}" for v in values)


class Load(threading.Thread):
    """Sends from unlocked accounts and remembers each receipt it was shown."""

    def __init__(self, url, accounts, contracts, seen, seed):
        super().__init__()
        self.url, self.accounts, self.contracts, self.seen = url, accounts, contracts, seen
        self.rng = random.Random(seed)
        self.stop = threading.Event()

    def tx(self):
        who = self.rng.choice(self.accounts)
        hub, token = self.contracts["hub"], self.contracts["token"]
        to, data, value = self.rng.choice([
            (SINK, "", 1), (SINK, "", 1), (token, TRANSFER + words(SINK, 1), 0),
            (token, APPROVE + words(hub, 1 << 60), 0), (hub, DEPOSIT + words(5), 0), (hub, WITHDRAW + words(2), 0)])
        return {"from": who, "to": to, "data": "0x" + data, "value": hex(value), "gas": "0x61a80"}

    def run(self):
        rpc = Rpc(self.url)
        while not self.stop.is_set():
            try:
                got = rpc.batch([("eth_sendTransaction", self.tx()) for _ in range(20)])
                hashes = [g["result"] for g in got if "result" in g]
                for h, r in zip(hashes, rpc.batch([("eth_getTransactionReceipt", h) for h in hashes])):
                    if r.get("result"):
                        self.seen[h] = (r["result"]["blockHash"], r["result"]["transactionIndex"])
            except (OSError, ValueError, KeyError, RpcError):
                return


class Chain:
    """One chain and what its clients know of it."""

    def __init__(self, folder, seed):
        self.rng = random.Random(seed)
        self.node = Node(folder, "--dev", "--block-time", "20ms", "--history", "16").start()
        rpc = self.node.rpc
        self.accounts = rpc.call("eth_accounts")[:8]
        self.contracts = rpc.call("souk_contracts")
        self.seen = {}
        self.coins = sum(self.coin(a, "0x0") for a in self.accounts)
        self.supply = self.view("token", TOTAL)
        assert self.supply > 0
        self.tokens = sum(self.token(a) for a in self.accounts) + self.token(self.contracts["hub"])

    def coin(self, who, at="latest"):
        return int(self.node.rpc.call("eth_getBalance", who, at), 16)

    def view(self, contract, data):
        return int(self.node.rpc.call("eth_call", {"to": self.contracts[contract], "data": "0x" + data}, "latest"), 16)

    def token(self, who, contract="token"):
        return self.view(contract, BALANCE + words(who))

    def hit(self, kind):
        """One kill: load, the end of the node, a replay, a restart, all checks."""
        env = None
        if kind != "kill":
            self.node.stop()
            env = {"LD_PRELOAD": str(FAULTY),
                   "SOUK_FAULT": f"{kind}:{self.rng.randrange(1, 250)}:{self.rng.randrange(1 << 31)}"}
            try:
                self.node.start(env)
            except AssertionError:  # the fault came before the node was ready
                env = {}
        if env != {}:
            load = [Load(self.node.url, self.accounts, self.contracts, self.seen, self.rng.random()) for _ in range(2)]
            for t in load:
                t.start()
            if kind in FATAL:
                try:
                    self.node.proc.wait(5)
                except subprocess.TimeoutExpired:
                    pass
            else:
                load[0].stop.wait(self.rng.uniform(0.02, 0.6))
            self.node.kill()
            for t in load:
                t.stop.set()
            for t in load:
                t.join()
        self.node.proc = None
        self.replay()
        self.node.start()
        self.check()

    def replay(self):
        done = subprocess.run([SOUK, "node", "verify", "--state", self.node.folder / "node", "--log-level", "error"],
                              capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"the replay differs: {done.stderr or done.stdout}"

    def check(self):
        rpc = self.node.rpc
        found = {}
        native = fees = gone = 0
        for n in range(1, int(rpc.call("eth_blockNumber"), 16) + 1):
            block = rpc.call("eth_getBlockByNumber", hex(n), True)
            receipts = rpc.call("eth_getBlockReceipts", hex(n))
            assert len(receipts) == len(block["transactions"])
            for tx, r in zip(block["transactions"], receipts):
                assert tx["hash"] == r["transactionHash"] and r["transactionHash"] not in found, "a transaction is there twice"
                found[r["transactionHash"]] = (r["blockHash"], r["transactionIndex"])
                fees += int(r["gasUsed"], 16) * int(r["effectiveGasPrice"], 16)
                if r["status"] == "0x1":
                    native += int(tx["value"], 16)
                    gone += tx["input"].startswith("0x" + TRANSFER)
        for h, place in self.seen.items():
            assert found.get(h) == place, f"{h} was confirmed and is not there, or elsewhere"
        assert sum(self.coin(a) for a in self.accounts) == self.coins - native - fees, "coins do not add up"
        assert self.coin(SINK) == native
        assert sum(int(rpc.call("eth_getTransactionCount", a, "latest"), 16) for a in self.accounts) == len(found)
        hub = self.token(self.contracts["hub"])
        assert self.view("token", TOTAL) == self.supply and self.token(SINK) == gone
        assert sum(self.token(a) for a in self.accounts) + hub + gone == self.tokens, "tokens do not add up"
        assert hub == self.view("hub", TOTAL), "the hub holds other than it owes"


def run(kills, seed, say=print, kinds=None):
    """Kills done and losses found."""
    rng = random.Random(seed)
    losses, done, confirmed, faults, counts = 0, 0, 0, 0, {}
    kinds = kinds or {k: w for k, w in KINDS.items() if k == "kill" or FAULTY.exists()}
    if list(kinds) == ["kill"]:
        say(f"SKIP faults of the disk: {FAULTY} is not there (make torture builds it)")
    while done < kills:
        with tempfile.TemporaryDirectory(prefix="souk-torture-") as folder:
            chain = Chain(folder, rng.random())
            try:
                for _ in range(min(KILLS_A_CHAIN, kills - done)):
                    kind = rng.choices(list(kinds), list(kinds.values()))[0]
                    counts[kind] = counts.get(kind, 0) + 1
                    done += 1
                    try:
                        chain.hit(kind)
                    except AssertionError as e:
                        losses += 1
                        say(f"LOSS at kill {done} ({kind}), seed {seed}: {e}\n{chain.node.said()[-1500:]}")
                        break
            finally:
                confirmed += len(chain.seen)
                faults += pathlib.Path(chain.node.log).read_text(errors="replace").count("\nfault: ")
                if chain.node.proc is not None:
                    chain.node.kill()
        say(f"{done} kills so far, {confirmed} transactions confirmed to clients, {losses} losses", flush=True)
    say(", ".join(f"{k} {n}" for k, n in sorted(counts.items())) + f"; {faults} faults of the disk struck; seed {seed}")
    return done, losses, confirmed


if __name__ == "__main__":
    KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    DONE, LOSSES, _ = run(KILLS, int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32))
    print(f"{DONE} kills, {LOSSES} losses")
    sys.exit(LOSSES != 0)
