# SPDX-License-Identifier: Apache-2.0
"""Workers that are gone, broke, doubled, out of time or lying; a full store; a secret manager that is
killed; the whole market killed. Each task ends, completed or refunded, and money adds up."""
import contextlib
import os
import re
import signal
import subprocess
import time

import pytest
from conftest import Process
from faultlib import FLASH, PRICE, demolib, opened, pack, wait_for

SHIFT_C = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long shift(void) { const char *s = getenv("SHIFT_S"); return s ? atol(s) : 0; }
int clock_gettime(clockid_t c, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real) { real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime"); }
    int r = real(c, t);
    if (r == 0 && (c == CLOCK_REALTIME || c == CLOCK_REALTIME_COARSE)) { t->tv_sec += shift(); }
    return r;
}
time_t time(time_t *out)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) { *out = t.tv_sec; }
    return t.tv_sec;
}
int gettimeofday(struct timeval *v, void *z)
{
    struct timespec t;
    (void)z;
    clock_gettime(CLOCK_REALTIME, &t);
    v->tv_sec = t.tv_sec;
    v->tv_usec = t.tv_nsec / 1000;
    return 0;
}
"""


@pytest.fixture(scope="module")
def m(tmp_path_factory):
    """A pool without workers: each test brings its own."""
    with opened(tmp_path_factory.mktemp("world"), 0, 2) as market:
        yield market


@contextlib.contextmanager
def joined(m, name, *more, env=None, store=None):
    """One more worker while this lasts."""
    kept, info = dict(os.environ), dict(m.info)
    os.environ.update(env or {})
    m.info["store"] = store or info["store"]
    try:
        p = m.join(name, *more)
    finally:
        os.environ.clear()
        os.environ.update(kept)
        m.info = info
    try:
        yield p
    finally:
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
        p.wait(15)


def test_no_worker_at_all(m):
    """Nobody is there: after the deadline the pool's own scheduler claims, and the pool is fined."""
    with m.balanced(refunded=1):
        end = m.ended(m.rent("good", "--category", FLASH)["task"])
        assert end["status"] == "FAILED" and end["workers"] == []


def test_all_workers_gone_for_good(m):
    """They took the task and never came back."""
    with m.balanced(refunded=1):
        with joined(m, "worker-1"), joined(m, "worker-2") as p:
            task = m.rent("sleep", "--category", FLASH)["task"]
            wait_for(lambda: m.task_files(task, "out"), why="a worker at the task")
            for w in m.children[1:]:
                w.kill()
            assert p.wait(10) < 0
        assert m.ended(task)["status"] == "FAILED"


def test_all_workers_killed_and_back(m):
    with m.balanced(completed=1):
        with joined(m, "worker-1") as a, joined(m, "worker-2") as b:
            task = m.rent("slow", "--trust", 4)["task"]
            wait_for(lambda: len(m.task_files(task, "out")) == 2, why="both workers at the task")
            a.kill()
            b.kill()
        with joined(m, "worker-1"), joined(m, "worker-2"):
            assert m.ended(task)["status"] == "COMPLETED"


def test_worker_stopped_by_term_while_it_runs(m):
    """SIGTERM in the middle of a task ends the worker at once and cleanly; the next start goes on."""
    with m.balanced(completed=1):
        with joined(m, "worker-1") as p:
            task = m.rent("slow")["task"]
            wait_for(lambda: m.task_files(task, "out"), why="the application")
            p.send_signal(signal.SIGTERM)
            assert p.wait(10) == 0
        with joined(m, "worker-1"):
            assert m.ended(task)["status"] == "COMPLETED"


def test_two_workers_with_one_key(m):
    """The second is turned away with a clear word; the first goes on."""
    with m.balanced(completed=1), joined(m, "worker-1"):
        other = [demolib.SOUK, "worker", "--state", m.folder / "twin", "--node", m.info["node"], "--scheduler",
                 m.info["scheduler"], "--key", m.folder / "keys/worker-1.key"]
        said = m.folder / "twin.log"
        with open(said, "wb") as log:
            twin = subprocess.Popen(list(map(str, other)), stderr=log, stdout=log)
        try:
            wait_for(lambda: "one wallet, one worker" in said.read_text(), why="the refusal")
            assert m.ended(m.rent("good")["task"])["status"] == "COMPLETED"
        finally:
            twin.kill()
            twin.wait()


@pytest.fixture(scope="module")
def shift(tmp_path_factory):
    """A library that moves the wall clock of a process by SHIFT_S; the product has nothing like it."""
    folder = tmp_path_factory.mktemp("shift")
    (folder / "shift.c").write_text(SHIFT_C)
    lib = folder / "shift.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", lib, folder / "shift.c", "-ldl"], check=True)
    return lib


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_clock_of_a_worker_an_hour_off(m, shift, seconds):
    """Deadlines are the chain's, whatever the worker's clock says; even those of one second."""
    env = {"LD_PRELOAD": str(shift), "SHIFT_S": str(seconds)}
    with m.balanced(completed=2), joined(m, "worker-1", env=env):
        assert m.ended(m.rent("good")["task"])["status"] == "COMPLETED"
        assert m.ended(m.rent("good", "--category", FLASH)["task"])["status"] == "COMPLETED"
    at = re.findall(r"^(\S+)Z INFO worker wallet=\S+ waits for work", m.log("worker-1"), re.M)[-1]
    away = time.mktime(time.strptime(at[:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime())
    assert abs(away - seconds) < 300, "the clock was not shifted"


def test_worker_without_a_stake(m):
    """The chain refuses its contribution, it is told why; another worker does the task."""
    m.new_wallet("beggar", 0)
    with m.balanced(completed=1):
        with joined(m, "beggar"):
            task = m.rent("good")["task"]
            wait_for(lambda: m.reason(task), why="its failure")
            assert "STAKE_TOO_LOW: the deal asks for a stake of" in m.reason(task)
            with joined(m, "worker-1"):
                assert m.ended(task)["status"] == "COMPLETED"


def test_liar_loses_his_stake(m):
    """Two honest workers with a reputation and one who lies: what he staked goes to them."""
    with joined(m, "worker-1", "--slots", "2"), joined(m, "worker-2", "--slots", "2"):
        # Trust 4 takes both until one has 15 points; then 4 x 4 outweighs the liar's 2 at trust 5.
        practice = m.rent("good", "--trust", 4, "--volume", 16)["deal"]
        assert m.run("task", "watch", practice, "--all", "--timeout", "60s")["failed"] == 0
    before = m.money()
    with joined(m, "worker-3", "--lie", "--slots", "2"):
        deal = m.rent("good", "--trust", 5, "--volume", 6)["deal"]
        m.wait_vote("worker-3")
        with joined(m, "worker-1", "--slots", "2"), joined(m, "worker-2", "--slots", "2"):
            assert m.run("task", "watch", deal, "--all", "--timeout", "60s")["failed"] == 0
    after = m.money()
    assert sum(map(sum, before.values())) == sum(map(sum, after.values()))
    change = {n: sum(after[n]) - sum(before[n]) for n in before}
    assert change["worker-3"] < 0 < min(change["worker-1"], change["worker-2"])
    assert change["alice"] == -6 * PRICE


def test_full_store_takes_no_result(m, tmp_path):
    """The result cannot be kept: the worker says why, the task is refunded, other files stay."""
    full = Process(["store", "--state", tmp_path / "full", "--listen", "127.0.0.1:0", "--gateway", "127.0.0.1:0",
                    "--max-size", "1"], tmp_path / "full.log").start()
    try:
        gateway = m.info["store"].split()[1]
        with m.balanced(refunded=1), joined(m, "worker-1", store=f"{full.ready[0]} {gateway}"):
            task = m.rent("good", "--category", FLASH)["task"]
            assert m.ended(task)["status"] == "FAILED"
        assert "RESULT_LINK_MISSING" in m.reason(task) and "full" in m.reason(task), m.reason(task)
    finally:
        full.stop()


def test_full_store_takes_no_upload(m, tmp_path):
    """What a requester or an owner cannot store is refused before anything is paid or registered."""
    full = Process(["store", "--state", tmp_path / "full", "--listen", "127.0.0.1:0", "--gateway", "127.0.0.1:0",
                    "--max-size", "1000"], tmp_path / "full.log").start()
    data = tmp_path / "input"
    data.write_bytes(os.urandom(5000))
    try:
        with m.balanced():
            p = m.run("rent", "--wallet", "alice", "--app", "hostile", "--args", "good", "--input", data, "--no-wait",
                      "--store", full.ready[0], check=False)
            assert p.returncode == 1 and "full" in p.stderr, p.stderr
            p = m.run("app", "publish", pack(tmp_path), "--wallet", "carol", "--name", "big", "--store", full.ready[0],
                      check=False)
            assert p.returncode == 1 and "full" in p.stderr, p.stderr
    finally:
        full.stop()


def test_lazy_pool(m):
    """A pool that sells and does nothing: nobody can claim early, anybody can after the deadline, and
    nobody can twice."""
    m.new_wallet("dave", 100)
    m.new_wallet("bob", 0)
    pool = m.run("pool", "create", "--wallet", "dave", "--description", "lazy")["workerpool"]
    m.run("pool", "publish", "--wallet", "dave", "--pool", pool, "--price", "2", "--volume", "1", "--category", FLASH)
    before = m.money()
    deal = m.rent("good", "--category", FLASH, "--pool", pool)["deal"]

    def claim():
        return m.run("claim", deal, "--wallet", "bob", check=False)

    early = claim()
    assert early.returncode == 1 and "only an unfinished task whose deadline has passed" in early.stderr
    wait_for(lambda: isinstance(claim(), dict), 30, "the claim")
    again = claim()
    assert again.returncode == 1 and "only an unfinished task" in again.stderr
    after = m.money()
    assert sum(map(sum, before.values())) == sum(map(sum, after.values()))
    change = {n: sum(after[n]) - sum(before[n]) for n in before if after[n] != before[n]}
    assert change["dave"] == -change["kitty"] < 0 and "alice" not in change


@pytest.fixture(scope="module")
def tee(tmp_path_factory):
    """A market with enclaves (simulated), bob's model and an application that reads it."""
    with opened(tmp_path_factory.mktemp("tee"), 1, 1) as market:
        market.new_wallet("bob", 0)
        market.run("pool", "publish", "--wallet", "scheduler", "--price", "1", "--volume", "1000", "--tag", "tee,tdx")
        market.run("app", "publish", os.path.join(demolib.APPS, "hash.tar"), "--wallet", "carol", "--name", "hash",
                   "--price", "0.1", "--tag", "tee,tdx")
        model = market.folder / "model.bin"
        model.write_bytes(b"weights" * 1000)
        market.run("model", "publish", model, "--wallet", "bob", "--name", "m", "--price", "2", "--tag", "tee")
        yield market


TEE_PRICE = PRICE + 2 * demolib.NRLC


def tee_rent(m):
    return m.run("rent", "--wallet", "alice", "--app", "hash", "--model", "m", "--no-wait")["task"]


def sms_before_the_challenge(m):
    """The scheduler cannot ask for the enclave's challenge."""
    with m.held("scheduler"):
        task = tee_rent(m)
        m.kill("sms")
    return task


def sms_before_the_session(m):
    """The worker has the task, and cannot have its keys."""
    with m.held("worker-1"):
        task = tee_rent(m)
        wait_for(lambda: f"task={task} INITIALIZING -> INITIALIZED" in m.log("scheduler"), why="the start")
        m.kill("sms")
    return task


def sms_with_open_requests(m):
    """It answers nobody, and then it is gone, with requests that it had taken."""
    with m.held("sms"):
        task = tee_rent(m)
        time.sleep(0.3)
        m.kill("sms")
    return task


def sms_after_the_release(m):
    """The enclave has its keys; a second task needs them again."""
    task = tee_rent(m)
    assert m.ended(task)["status"] == "COMPLETED"
    m.kill("sms")
    return tee_rent(m)


@pytest.mark.parametrize("step", ["challenge", "session", "request", "release"])
def test_sms_killed(tee, step):
    how = {"challenge": sms_before_the_challenge, "session": sms_before_the_session,
           "request": sms_with_open_requests, "release": sms_after_the_release}[step]
    with tee.balanced(completed=2 if step == "release" else 1, price=TEE_PRICE):
        task = how(tee)
        assert tee.ended(task)["status"] == "COMPLETED"


@pytest.mark.parametrize("victim", ["worker-1", "scheduler", "store", "node"])
def test_killed_around_an_enclave(tee, victim):
    """A task in an enclave, and somebody killed as soon as it runs."""
    with tee.balanced(completed=1, price=TEE_PRICE):
        task = tee_rent(tee)
        wait_for(lambda: f"task={task} run by" in tee.log("scheduler"), why="the start")
        old = tee.kill(victim)
        tee.back(victim, old)
        assert tee.ended(task)["status"] == "COMPLETED"


def test_evidence_of_another_platform(tee):
    """A worker whose simulated enclave is signed by a key that nobody trusts gets no secret; the task
    is done by another."""
    tee.new_wallet("forger", 100)
    with tee.balanced(completed=4, price=TEE_PRICE):
        with joined(tee, "forger", "--simulated-tee", str(tee.folder / "keys/forger.key"), "--slots", "4"):
            deal = tee.run("rent", "--wallet", "alice", "--app", "hash", "--model", "m", "--volume", 4, "--no-wait")
            assert tee.run("task", "watch", deal["deal"], "--all", "--timeout", "60s")["failed"] == 0
    said = tee.log("forger")
    assert "evidence-refused: refused: signature: signed by" in said, said[-600:]


def test_whole_market_killed(tmp_path):
    """SIGKILL for `souk up`: all its children end with it, nothing keeps a port or a lock, and the
    next start on the same folder finishes the task that was running."""
    with opened(tmp_path, 1, 2) as m:
        before = m.money()
        task = m.rent("slow")["task"]
        wait_for(lambda: m.task_files(task, "out"), why="the application")
        pids = list(m.pids().values())
        m.up_process.kill()
        m.up_process.wait()
        wait_for(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), why="the end of all children")
        m.up(1, 2)
        assert m.ended(task)["status"] == "COMPLETED"
        after = m.money()
        assert sum(map(sum, before.values())) == sum(map(sum, after.values()))
        assert sum(before["alice"]) - sum(after["alice"]) == PRICE and after["alice"][1] == 0
