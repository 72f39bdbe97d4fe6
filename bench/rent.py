#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rent - from click to decrypted result, bags of tasks, the sandbox's price, and what an idle market
costs. Runs `souk up` in a folder of its own on free ports; `--json` ends with one JSON object."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tools"))
from demolib import APPS, Market  # noqa: E402


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def processes(root_pid):
    """The process and all below it."""
    kids = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii") as f:
                    kids.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
            except OSError:
                pass
    todo, found = [root_pid], []
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += kids.get(pid, [])
    return found


def resident_mib(pids):
    """Resident memory, pages that several processes share counted once (PSS)."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total / 1024


def cpu_s(pids):
    tick, total = os.sysconf("SC_CLK_TCK"), 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / tick


def prepare(m):
    m.up(workers=1, slots=4)
    m.new_wallet("alice", 20000)
    m.run("wallet", "new", "carol")
    m.run("app", "publish", os.path.join(APPS, "hash.tar"), "--wallet", "carol", "--name", "hash", "--price", "0.001", "--tag", "tee,tdx")
    m.run("app", "publish", os.path.join(APPS, "hash.tar"), "--wallet", "carol", "--name", "plain", "--price", "0.001")
    m.run("pool", "publish", "--wallet", "scheduler", "--price", "0.001", "--volume", "100000", "--trust", "10", "--tag", "tee,tdx")


def clicks(m, n):
    times = []
    for i in range(n):
        out = os.path.join(m.state, "out", str(i))
        r = m.run("rent", "--wallet", "alice", "--app", "hash", "--args", f"click {i}", "--out", out)
        assert r["encrypted"] and os.path.exists(os.path.join(out, "result", "answer.txt")), r
        times.append(r["ms"])
        shutil.rmtree(out)
    return times


def bag(m, n, app):
    t = time.monotonic()
    r = m.run("rent", "--wallet", "alice", "--app", app, "--args", "bag", "--volume", n, "--no-wait")
    m.run("task", "watch", r["deal"], "--all", "--timeout", "10m")
    return r["tasks"] / (time.monotonic() - t)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--json", action="store_true")
    ap.add_argument("--clicks", type=int, default=60)
    ap.add_argument("--bag", type=int, default=2000)
    ap.add_argument("--idle", type=float, default=10.0, help="seconds of idleness that are measured")
    opts = ap.parse_args()
    state = tempfile.mkdtemp(prefix="souk-bench-")
    m = Market(state)
    try:
        prepare(m)
        clicks(m, 3)  # the image is unpacked, connections are open
        times = clicks(m, opts.clicks)
        rate = bag(m, opts.bag, "plain")
        pids = processes(m.up_process.pid)
        time.sleep(2)
        c0 = cpu_s(pids)
        time.sleep(opts.idle)
        idle = (cpu_s(pids) - c0) / opts.idle * 100
        box = json.loads(subprocess.run([os.path.join(TOP, "build/release/bench/sandbox"), os.path.join(APPS, "hash.tar"),
                                         os.path.join(APPS, "hash"), "100"], check=True, capture_output=True, text=True).stdout)
        result = {"click_p50_ms": percentile(times, 50), "click_p99_ms": percentile(times, 99),
                  "bag_tasks_per_s": round(rate, 1), "runtime_overhead_ms": box["overhead_ms"],
                  "idle_rss_mib": round(resident_mib(pids), 1), "idle_cpu_percent": round(idle, 2), "ready_ms": m.ready_ms}
    finally:
        m.stop()
        shutil.rmtree(state, ignore_errors=True)
    rows = [("click to decrypted result, median", f"{result['click_p50_ms']} ms", "<= 150"),
            ("click to decrypted result, 99 of 100", f"{result['click_p99_ms']} ms", "<= 400"),
            (f"bag of {opts.bag} tasks through sandboxes", f"{result['bag_tasks_per_s']} tasks/s", ">= 50"),
            (f"sandbox beside a bare start ({box['bare_ms']} ms)", f"{result['runtime_overhead_ms']} ms", "<= 10"),
            (f"idle market, {len(pids)} processes", f"{result['idle_rss_mib']} MiB", "<= 120"),
            ("idle market", f"{result['idle_cpu_percent']} % of a core", "<= 1"),
            ("start of the market", f"{result['ready_ms']} ms", "")]
    for what, value, goal in rows:
        print(f"{what:<46}{value:>18}   {goal}")
    print(f"clicks: {opts.clicks}, mean {statistics.mean(times):.0f} ms, min {min(times)} ms, max {max(times)} ms")
    if opts.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
