#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""services - the order book, the store and the secret manager under load, each a real process on a
free port, the store beside boxo (the importer of other IPFS nodes, where Go is there). `--json` ends
with one JSON object; `--orders N` sets the size of the book that is asked."""
import argparse
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[1]
BUILD = TOP / "build/release"
SMALL = 5000
LARGE = 300_000_000


class Service:
    def __init__(self, folder, *args):
        r, w = os.pipe()
        self.log = open(folder / f"{args[0]}.log", "ab")
        self.proc = subprocess.Popen([BUILD / "souk", *map(str, args), "--log-level", "warn",
                                      "--ready-fd", str(w)], pass_fds=(w,),
                                     stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        os.close(w)
        with os.fdopen(r) as ready:
            self.ready = ready.readline().split()
        if not self.ready:
            raise SystemExit(f"souk {args[0]} did not start: see {self.log.name}")

    def stop(self):
        self.proc.terminate()
        self.proc.wait(20)
        self.log.close()


def tool(name, *args):
    done = subprocess.run([BUILD / "bench" / name, *map(str, args)], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench/{name}: {done.stderr[-500:]}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def rpc(url, method):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).encode()
    req = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(req, timeout=10) as res:
        return json.load(res)["result"]


def market(folder, args, result, say):
    node = Service(folder, "node", "--state", folder / "node", "--dev", "--listen", "127.0.0.1:0")
    url = node.ready[0]
    hub = rpc(url, "souk_contracts")["hub"]
    chain = int(rpc(url, "eth_chainId"), 16)
    try:
        book = Service(folder, "market", "--state", folder / "m1", "--node", url, "--listen",
                       "127.0.0.1:0", "--max-open", 10**9)
        result.update(json.loads(tool("book", "publish", book.ready[0], url, 8, 16)))
        book.stop()
        say(f"orders published a second, signature and chain state checked: {result['publish_per_s']}")
        tool("book", "fill", folder / "m2", args.orders, chain, hub)
        book = Service(folder, "market", "--state", folder / "m2", "--node", url, "--listen",
                       "127.0.0.1:0")
        got = json.loads(tool("book", "ask", book.ready[0], chain, 10))
        book.stop()
        result.update(book_p50_ms=got["p50_us"] / 1000, book_p99_ms=got["p99_us"] / 1000)
        say(f"listings of a book of {args.orders} open orders: p50 {result['book_p50_ms']} ms, "
            f"p99 {result['book_p99_ms']} ms")
    finally:
        node.stop()


def boxo(folder, big, small, result, say):
    if shutil.which("go") is None:
        say("SKIPPED: Go is not installed: nothing to compare the store with")
        return
    out = TOP / "build/boxo"
    done = subprocess.run(["go", "build", "-o", out, "."], cwd=TOP / "tests/e2e/boxo",
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        say(f"SKIPPED: boxo cannot be built: {done.stderr[-200:]}")
        return
    (folder / "boxo").mkdir()
    got = json.loads(subprocess.run([out, "bench", folder / "boxo", big, small],
                                    capture_output=True, text=True, check=True).stdout)
    result.update({k: round(v) for k, v in got.items()})
    say(f"boxo, without HTTP: {result['boxo_mb_per_s']} MB/s, "
        f"{result['boxo_small_per_s']} small files/s")


def store(folder, result, say):
    big = folder / "big"
    with open(big, "wb") as f:
        for _ in range(LARGE // 1_000_000):
            f.write(secrets.token_bytes(1_000_000))
    small = folder / "small"
    small.mkdir()
    for i in range(SMALL):
        (small / str(i)).write_text(f"{i} " + "x" * 1000)
    t = time.monotonic()
    s = Service(folder, "store", "--state", folder / "store", "--listen", "127.0.0.1:0",
                "--gateway", "127.0.0.1:0")
    result["ready_ms"] = round((time.monotonic() - t) * 1000)
    result.update(json.loads(tool("load_store", "large", s.ready[0], big)))
    result.update(json.loads(tool("load_store", "small", s.ready[0], SMALL, 64)))
    s.stop()
    say(f"store over HTTP, on disk: {result['add_mb_per_s']} MB/s, "
        f"{result['add_small_per_s']} small files/s")
    boxo(folder, big, small, result, say)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--json", action="store_true")
    p.add_argument("--orders", type=int, default=1_000_000)
    args = p.parse_args()
    result = {}

    def say(text):
        print(text, file=sys.stderr if args.json else sys.stdout, flush=True)

    with tempfile.TemporaryDirectory(prefix="souk-bench-") as d:
        folder = pathlib.Path(d)
        store(folder, result, say)
        result["sms_per_s"] = json.loads(tool("sms"))["sms_push_per_s"]
        say(f"secrets pushed a second: {result['sms_per_s']}")
        market(folder, args, result, say)
    if args.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
