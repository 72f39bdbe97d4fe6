# SPDX-License-Identifier: Apache-2.0
"""A whole market to break things in: services stopped and killed by their id, tasks held at a step,
and the check that money is where it belongs afterwards."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import demolib  # noqa: E402

HOSTILE = ROOT / "build/release/hostile/app"
KITTY = "0x99c2268479b93fde36232351229815df80837e23"
FLASH = demolib.FLASH
PRICE = 1_100_000_000  # 0.1 for the application, 1 for the work


def wait_for(what, seconds=20, why="it"):
    """The first true answer of what(); it is asked again and again."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        assert time.monotonic() < end, f"{why} did not happen within {seconds} s"
        time.sleep(0.01)


def make(target):
    subprocess.run(["make", "-s", target], cwd=ROOT, check=True)


def pack(folder, program=HOSTILE, name="hostile", entry=("/app/app",)):
    """An image of one static program."""
    root, tar = folder / f"root-{name}", folder / f"{name}.tar"
    (root / "app").mkdir(parents=True)
    (root / "app/app").write_bytes(program.read_bytes())
    (root / "app/app").chmod(0o755)
    words = [w for e in entry for w in ("--entrypoint", e)]
    subprocess.run([demolib.SOUK, "image", "pack", root, "--out", tar, *words], check=True, stdout=subprocess.DEVNULL)
    return tar


class Broken(demolib.Market):
    """A market with alice who asks, carol who wrote the applications, and a pool."""

    def __init__(self, folder):
        super().__init__(str(folder))
        self.folder = pathlib.Path(folder)

    def open(self, workers=2, slots=4, *more):
        if not HOSTILE.exists():
            make("build/release/hostile/app")
        self.up(workers, slots, *more)
        self.new_wallet("alice", 500)
        self.new_wallet("carol", 0)
        self.run("app", "publish", pack(self.folder), "--wallet", "carol", "--name", "hostile", "--price", "0.1",
                 "--volume", "100000")
        for category, trust in ((FLASH, 10), (0, 10)):
            self.run("pool", "publish", "--wallet", "scheduler", "--price", "1", "--volume", "10000", "--trust", trust,
                     "--category", category)
        return self

    # --- processes ---

    def kill(self, name):
        """SIGKILL; the supervisor starts it again."""
        pid = self.signal(name, signal.SIGKILL)
        wait_for(lambda: not alive(pid), why=f"the end of {name}")
        return pid

    def back(self, name, old):
        wait_for(lambda: self.pids().get(name, old) != old, 30, f"a new {name}")
        if name == "node":
            wait_for(lambda: isinstance(self.run("account", KITTY, check=False), dict), 30, "a node that answers")

    def log(self, name):
        return (self.folder / "log" / f"{name}.log").read_text(errors="replace")

    # --- tasks ---

    def rent(self, args, *more, app="hostile", wallet="alice"):
        return self.run("rent", "--wallet", wallet, "--app", app, "--args", args, "--no-wait", *more)

    def task(self, task):
        return self.run("task", "show", task)

    def ended(self, task, seconds=60):
        """What became of it; asked again while the node is being started."""

        def ask():
            p = self.run("task", "watch", task, "--timeout", f"{seconds}s", check=False)
            return p if isinstance(p, dict) else p.stdout and json.loads(p.stdout)

        return wait_for(ask, seconds, f"the end of task {task}")

    def task_files(self, task, name):
        return [p for p in self.folder.glob(f"worker-*/tasks/{task}/{name}") if p.exists()]

    def reason(self, task):
        """Why a worker gave a task up, in the words that the pool was told."""
        lines = [x for x in self.log("scheduler").splitlines() if f"task={task} failed at" in x]
        return lines[0].split(": ", 1)[1] if lines else ""

    # --- money ---

    def money(self):
        """Wallet -> (stake, locked); what no key of ours has is the kitty's."""
        m = {w["name"]: (int(w["stake"]), int(w["locked"])) for w in self.run("wallet", "list")}
        k = self.run("account", KITTY)
        m["kitty"] = (int(k["stake"]), int(k["locked"]))
        return m

    @contextlib.contextmanager
    def balanced(self, completed=0, refunded=0, price=PRICE, pay=("alice",)):
        """Inside it so many tasks of alice's end: what she pays, what nobody else loses, and the sum
        of everything, which stays."""
        before = self.money()
        yield
        after = self.money()
        total = [sum(a + b for a, b in m.values()) for m in (before, after)]
        assert total[0] == total[1], f"money appeared or vanished: {total}"
        change = {n: sum(after[n]) - sum(before[n]) for n in before}
        assert sum(change[n] for n in pay) == -price * completed
        fined = change["scheduler"] < 0 or refunded == 0
        assert fined, "the pool broke its word and lost nothing"
        losers = [n for n, c in change.items() if c < 0 and n not in pay and n != "scheduler" and n != "kitty"]
        assert not losers, f"lost without guilt: {losers}"
        for n in pay:
            assert after[n][1] == before[n][1], f"{n} has money locked in a deal that ended"


def alive(pid):
    """False for a zombie too."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def opened(folder, *args):
    m = Broken(folder)
    try:
        yield m.open(*args)
    finally:
        m.stop()
