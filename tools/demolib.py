# SPDX-License-Identifier: Apache-2.0
"""demolib - a running `souk up` and its verbs, for the demo, the benchmarks and the tests."""

import contextlib
import json
import os
import signal
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOUK = os.path.join(TOP, "build/release/souk")
APPS = os.path.join(TOP, "build/apps")
CACHE = os.environ.get("SOUK_CACHE", os.path.expanduser("~/.cache/souk"))
NRLC = 10**9
FLASH = 5  # the demo's own category: tasks of one second, so that a deadline can be waited for


class Failed(Exception):
    pass


def rlc(nrlc):
    return f"{nrlc / NRLC:+.4g} RLC" if nrlc else "0 RLC"


class Market:
    """A running `souk up` and the verbs used on it."""

    def __init__(self, state):
        self.state = state
        self.children = []
        self.t0 = time.monotonic()

    def run(self, *args, check=True, as_json=True):
        where = [] if args[0] in ("image", "attest") else ["--state", self.state]
        argv = [SOUK, *map(str, args), *where] + (["--json"] if as_json else [])
        p = subprocess.run(argv, capture_output=True, text=True, timeout=300)
        if check and p.returncode != 0:
            raise Failed(f"souk {' '.join(map(str, args))}\n{p.stderr.strip()}")
        return json.loads(p.stdout) if as_json and p.returncode == 0 else p

    def up(self, workers=2, slots=2, *more):
        """Starts everything on free ports; the category FLASH has tasks of one second."""
        t = time.monotonic()
        genesis = os.path.join(self.state, "demo-genesis.json")
        names = [("XS", 300), ("S", 1200), ("M", 3600), ("L", 10800), ("XL", 36000), ("flash", 1)]
        with open(genesis, "w", encoding="utf-8") as f:
            json.dump({"categories": [{"name": n, "description": '""', "workClockTimeRef": s} for n, s in names]}, f)
        ports = [a for s in ("node", "store", "gateway", "market", "sms", "scheduler", "compass") for a in (f"--{s}-port", "0")]
        self.up_process = self.spawn("up", "--state", self.state, "--tee", "simulated", "--workers", str(workers),
                                     "--slots", str(slots), "--genesis", genesis, "--log-level", "info", "--json", *ports, *more,
                                     stdout=subprocess.PIPE)
        line = self.up_process.stdout.readline()
        if not line:
            raise Failed(f"souk up did not start; its words are in {self.state}/log")
        self.info = json.loads(line)
        self.ready_ms = round((time.monotonic() - t) * 1000)

    def spawn(self, *args, stdout=None):
        log = open(os.path.join(self.state, f"demo-{args[0]}.log"), "ab")
        p = subprocess.Popen([SOUK, *args], stdout=stdout or log, stderr=log, text=True)
        self.children.append(p)
        return p

    def pids(self):
        """Name of each child of `souk up` -> its process id."""
        up, found = self.up_process.pid, {}
        with open(f"/proc/{up}/task/{up}/children", encoding="ascii") as f:
            children = f.read().split()
        for pid in map(int, children):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().decode().split("\0")
                if "--state" in words:
                    found[os.path.basename(words[words.index("--state") + 1])] = pid
        return found

    def signal(self, name, signo):
        pid = self.pids()[name]
        os.kill(pid, signo)
        return pid

    @contextlib.contextmanager
    def held(self, *names):
        """These processes do nothing meanwhile."""
        pids = [self.signal(n, signal.SIGSTOP) for n in names]
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def wait_vote(self, name):
        """Until a deal holds this worker's stake."""
        end = time.monotonic() + 30
        while not int(self.run("wallet", "show", name)["locked"]):
            if time.monotonic() > end:
                raise Failed(f"{name} did not contribute")
            time.sleep(0.05)

    def join(self, name, *more):
        """One more worker joins the pool of this market, as anybody may."""
        store = self.info["store"].split()
        r, w = os.pipe()
        log = open(os.path.join(self.state, f"log/{name}.log"), "ab")
        p = subprocess.Popen([SOUK, "worker", "--state", os.path.join(self.state, name), "--node", self.info["node"],
                              "--hub", self.info["hub"], "--scheduler", self.info["scheduler"], "--store", store[0],
                              "--gateway", store[1], "--sms", self.info["sms"], "--key",
                              os.path.join(self.state, f"keys/{name}.key"), "--ready-fd", str(w), *more], pass_fds=[w], stderr=log)
        self.children.append(p)
        os.close(w)
        ready = os.read(r, 1)
        os.close(r)
        if not ready:
            raise Failed(f"{name} did not start; see {self.state}/log/{name}.log")
        return p

    def digest(self, image):
        out = subprocess.run([SOUK, "image", "show", image], check=True, capture_output=True, text=True).stdout
        return out.split("\n", 1)[0].split()[1]

    def stop(self):
        for p in reversed(self.children):
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in self.children:
            try:
                p.wait(timeout=15)
            except subprocess.TimeoutExpired:
                p.kill()

    def wallets(self):
        return {w["name"]: int(w["stake"]) + int(w["locked"]) for w in self.run("wallet", "list")}

    def new_wallet(self, name, deposit):
        self.run("wallet", "new", name)
        self.run("wallet", "fund", name, deposit + 10)
        if deposit:
            self.run("wallet", "deposit", deposit, "--wallet", name)
