# SPDX-License-Identifier: Apache-2.0
"""A workerpool of real processes: scheduler, workers, store, chain. Votes, liars, kills, refunds, and
what a worker refuses to do. SOUK_KILLS=N for more kills."""
import hashlib
import http.client
import io
import json
import os
import pathlib
import random
import subprocess
import time
import zipfile

import pytest
from conftest import ROOT, SOUK, Process, Rpc

KILLS = int(os.environ.get("SOUK_KILLS", "5"))
WAIT_S = 60


def get(url, path, method="GET", body=None, headers=None):
    conn = http.client.HTTPConnection(url.split("//")[1], timeout=20)
    conn.request(method, path, body, headers or {})
    res = conn.getresponse()
    data = res.read()
    conn.close()
    return res.status, data


class Pool:
    """Node, store, scheduler and workers in one folder."""

    def __init__(self, folder, node, run_client, processes, hub=None):
        self.named = ["--hub", hub] if hub else []  # a souk node tells it by itself
        self.folder = folder
        self.node = node
        self.run_client = run_client
        self.processes = processes
        self.hub = hub or node.rpc.call("souk_contracts")["hub"]
        self.workers = {}
        self.port = {}
        self.start_store()
        self.digest, self.cid = self.make_image()

    def process(self, name, args):
        p = Process(args, self.folder / f"{name}.log")
        self.processes.append(p)
        return p.start()

    def start_store(self):
        api, gateway = self.port.get("store", ("127.0.0.1:0", "127.0.0.1:0"))
        self.store = self.process("store", ["store", "--state", self.folder / "store", "--listen", api,
                                            "--gateway", gateway])
        self.port["store"] = tuple(u.split("//")[1] for u in self.store.ready)
        return self.store

    def make_image(self):
        root = self.folder / "root"
        (root / "bin").mkdir(parents=True)
        subprocess.run(["gcc", "-O1", "-static", "-o", root / "bin/probe", ROOT / "tests/e2e/probe.c"],
                       check=True)
        image = self.folder / "probe.tar"
        out = subprocess.run([SOUK, "image", "pack", root, "--out", image, "--entrypoint", "/bin/probe",
                              "--json"], check=True, capture_output=True, text=True).stdout
        return json.loads(out)["digest"], self.add(image.read_bytes())

    def add(self, data):
        mark = b"----souk"
        body = (b"--" + mark + b"\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n"
                b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n--" + mark + b"--\r\n")
        status, got = get(self.store.ready[0], "/api/v0/add", "POST", body,
                          {"content-type": "multipart/form-data; boundary=" + mark.decode()})
        assert status == 200, got
        return json.loads(got)["Hash"]

    def pm(self, command, **args):
        return json.loads(self.run_client("pool.mjs", self.node.url, self.hub, command, json.dumps(args)))

    def setup(self, keys, checksum=None, **more):
        self.keys = {}
        for i in range(keys):
            path = self.folder / f"worker-{i}.key"
            path.write_text(f"0x{i + 1000:064x}\n")
            path.chmod(0o600)
            self.keys[i] = path
        self.address = {i: self.address_of(k) for i, k in self.keys.items()}
        self.made = self.pm("setup", workers=list(self.address.values()), multiaddr="/ipfs/" + self.cid,
                            checksum=checksum or "0x" + self.digest.split(":")[1], **more)
        key = self.folder / "pool.key"
        key.write_text(self.made["poolOwnerKey"] + "\n")
        key.chmod(0o600)
        return self.made

    def address_of(self, key):
        return self.run_client("address.mjs", key).strip()

    def start_scheduler(self):
        self.scheduler = self.process("scheduler", [
            "scheduler", "--state", self.folder / "scheduler", "--listen", self.port.get("scheduler", "127.0.0.1:0"),
            "--node", self.node.url, "--workerpool", self.made["pool"], "--key", self.folder / "pool.key",
            "--gateway", self.store.ready[1], *self.named])
        self.port["scheduler"] = self.scheduler.url.split("//")[1]
        return self.scheduler

    def start_worker(self, i, *more):
        self.workers[i] = self.process(f"worker-{i}", [
            "worker", "--state", self.folder / f"worker-{i}", "--node", self.node.url, "--scheduler",
            self.scheduler.url, "--store", self.store.ready[0], "--gateway", self.store.ready[1],
            "--key", self.keys[i], "--slots", "2", *self.named, *more])
        return self.workers[i]

    def match(self, args="hello", **more):
        return self.pm("match", app=self.made["app"], pool=self.made["pool"],
                       params=json.dumps({"iexec_args": args}), **more)

    def task(self, task):
        status, got = get(self.scheduler.url, f"/tasks/{task}")
        return json.loads(got) if status == 200 else {"currentStatus": None}

    def wait(self, tasks, status="COMPLETED", seconds=WAIT_S):
        end = time.monotonic() + seconds
        left = list(tasks)
        while left:
            try:
                left = [t for t in left if self.task(t)["currentStatus"] != status]
            except OSError:
                pass
            assert time.monotonic() < end, (
                f"not {status}: {[(t, self.task(t)['currentStatus']) for t in left]}\n{self.scheduler.said()}\n"
                + "\n".join(w.said() for w in self.workers.values()))
            time.sleep(0.02)

    def said(self, text, seconds=20):
        """Waits until the scheduler's log says it."""
        end = time.monotonic() + seconds
        while text not in self.scheduler.said():
            assert time.monotonic() < end, f"'{text}' was never said: {self.scheduler.said()}"
            time.sleep(0.02)

    def later(self, seconds):
        self.node.rpc.call("evm_increaseTime", seconds)
        self.node.rpc.call("evm_mine")


@pytest.fixture
def pool(tmp_path, dev, run_client, processes):
    return Pool(tmp_path, dev, run_client, processes)


class Chain:
    """A chain that is not a process of ours: the reference contracts on anvil."""

    def __init__(self, url):
        self.url = url
        self.rpc = Rpc(url)


@pytest.fixture(params=["souk", "reference"])
def any_pool(request, tmp_path, run_client, processes):
    """On souk's own chain, and on an EVM chain with the reference contracts."""
    if request.param == "souk":
        return Pool(tmp_path, request.getfixturevalue("dev"), run_client, processes)
    url, hub = request.getfixturevalue("reference")
    return Pool(tmp_path, Chain(url), run_client, processes, hub)


def result_digest(text):
    return "0x" + hashlib.sha256(text.encode()).hexdigest()


def test_one_vote(any_pool):
    """A task from match to result: the zip is in the store, logs are the requester's alone."""
    pool = any_pool
    pool.setup(1)
    pool.start_scheduler()
    pool.start_worker(0)
    task = pool.match("hello world")["tasks"][0]
    pool.wait([task])
    on_chain = pool.pm("task", id=task)
    assert on_chain["status"] == "3"
    assert on_chain["resultDigest"] == result_digest("hello\nworld\n")
    assert on_chain["results"].startswith('{ "storage": "ipfs", "location": "/ipfs/')
    status, data = get(pool.store.ready[1], json.loads(on_chain["results"])["location"])
    assert status == 200
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert sorted(names) == ["computed.json", "result.txt", "stderr.txt", "stdout.txt"]
    logs = pool.pm("logs", id=task, url=pool.scheduler.url)
    assert logs["status"] == 200 and logs["body"]["computeLogsList"][0]["stdout"] == f"task {task}\n"
    assert pool.pm("logs", id=task, url=pool.scheduler.url, **{"as": 2})["status"] == 403
    assert get(pool.scheduler.url, f"/tasks/{task}/logs")[0] == 401
    assert get(pool.scheduler.url, "/tasks/0x12")[0] == 404
    assert b"souk_scheduler_tasks_completed_total 1" in get(pool.scheduler.url, "/metrics")[1]
    assert pool.scheduler.stop() == 0 and pool.workers[0].stop() == 0


def test_liar(any_pool):
    """Trust 3, four workers, one lies: the truth wins, the liar's stake goes to the others."""
    pool = any_pool
    pool.setup(4)
    pool.start_scheduler()
    for i in range(4):
        pool.start_worker(i, *(["--lie"] if i == 3 else []))
    before = pool.pm("accounts", addresses=list(pool.address.values()))
    lied = 0
    for n in range(3):
        task = pool.match(f"truth {n}", trust=3)["tasks"][0]
        pool.wait([task])
        on_chain = pool.pm("task", id=task)
        assert on_chain["resultDigest"] == result_digest(f"truth\n{n}\n")
        lied += pool.address[3] in on_chain["contributors"]
    after = pool.pm("accounts", addresses=list(pool.address.values()))
    liar = pool.address[3]
    assert lied > 0, "the liar was never asked"
    assert int(after[liar]["stake"]) == int(before[liar]["stake"]) - 30 * lied
    assert int(after[liar]["score"]) == 0
    assert all(int(after[a]["locked"]) == 0 for a in after)
    assert sum(int(after[a]["score"]) for a in after) > 0


@pytest.mark.parametrize("who", ["worker", "scheduler", "node", "store"])
def test_killed(pool, who):
    """Killed at random moments while a bag runs: every task completes, no money is lost or locked."""
    seed = int(os.environ.get("SOUK_SEED", random.randrange(1 << 32)))
    print("seed", seed)
    rng = random.Random(seed)
    pool.setup(2)
    pool.start_scheduler()
    pool.start_worker(0)
    pool.start_worker(1)
    tasks = pool.match("sleep 60", volume=24)["tasks"]
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.02, 0.4))
        if who == "worker":
            i = rng.randrange(2)
            pool.workers[i].kill()
            pool.start_worker(i)
        elif who == "scheduler":
            pool.scheduler.kill()
            pool.start_scheduler()
        elif who == "node":
            pool.node.kill()
            pool.node.start()
        else:
            pool.store.kill()
            pool.start_store()
    pool.wait(tasks)
    addresses = [*pool.address.values(), pool.made["poolOwner"], pool.made["requester"]]
    for a, v in pool.pm("accounts", addresses=addresses).items():
        assert int(v["locked"]) == 0, f"{a} has money locked"
    digest = result_digest("sleep\n60\n")
    assert all(pool.pm("task", id=t)["resultDigest"] == digest for t in rng.sample(tasks, 3))


def test_refund(pool):
    """Nobody works: after the final deadline the scheduler claims, the requester has his money."""
    pool.setup(1, seconds=10)
    pool.start_scheduler()
    who = [pool.made["requester"], pool.made["poolOwner"]]
    before = pool.pm("accounts", addresses=who)
    tasks = pool.match(volume=3, category=int(pool.made["category"]))["tasks"]
    pool.wait(tasks, "INITIALIZED")
    assert int(pool.pm("accounts", addresses=who)[who[0]]["locked"]) == 3 * 103
    pool.later(71)
    pool.wait(tasks, "CONTRIBUTION_TIMEOUT")
    pool.later(30)
    pool.wait(tasks, "FAILED")
    after = pool.pm("accounts", addresses=who)
    assert after[who[0]] == before[who[0]]
    assert int(after[who[1]]["stake"]) == int(before[who[1]]["stake"]) - 3 * 30


def test_refund_after_a_long_stop(pool):
    """The scheduler was away for the whole deal: it claims what it never began."""
    pool.setup(1, seconds=10)
    task = pool.match(category=int(pool.made["category"]))["tasks"][0]
    pool.later(101)
    pool.start_scheduler()
    pool.wait([task], "FAILED")
    assert pool.pm("task", id=task)["status"] == "4"


@pytest.mark.parametrize("args, cause", [
    ("fail", "APP_COMPUTE_FAILED: the application ended with exit code 3"),
    ("nothing", "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND"),
    ("sleep 20000", "APP_COMPUTE_TIMEOUT"),
    ("'open quote", "TASK_DESCRIPTION_INVALID"),
])
def test_bad_application(pool, args, cause):
    """What an application does wrong is said, with its logs; nothing is contributed."""
    pool.setup(1, seconds=2)
    pool.start_scheduler()
    pool.start_worker(0)
    task = pool.match(args, category=int(pool.made["category"]))["tasks"][0]
    pool.said(cause)
    if args == "fail":
        logs = pool.pm("logs", id=task, url=pool.scheduler.url)
        assert "told to fail" in logs["body"]["computeLogsList"][0]["stderr"]
    pool.later(21)
    pool.wait([task], "FAILED")
    assert pool.pm("task", id=task)["contributors"] == []


def test_image_of_another_digest(pool):
    """The chain names another image than the store holds: it is not run."""
    pool.setup(1, checksum="0x" + "ab" * 32)
    pool.start_scheduler()
    pool.start_worker(0)
    pool.match()
    pool.said("APP_IMAGE_DOWNLOAD_FAILED: the application's image is not what the chain names")


def test_stake_too_low(pool):
    """A wallet without a deposit is told what is missing, and is not asked to vote."""
    pool.setup(1)
    key = pool.folder / "poor.key"
    key.write_text(f"0x{5000:064x}\n")
    key.chmod(0o600)
    pool.keys[9] = key
    pool.start_scheduler()
    pool.start_worker(9)
    pool.match()
    pool.said("STAKE_TOO_LOW: the deal asks for a stake of 30 nRLC and the wallet has deposited 0")


def test_two_workers_with_one_key(pool):
    """The second is told, and waits; when the first stops it takes over."""
    pool.setup(1)
    pool.start_scheduler()
    first = pool.start_worker(0)
    second = Process(["worker", "--state", pool.folder / "twin", "--node", pool.node.url, "--scheduler",
                      pool.scheduler.url, "--store", pool.store.ready[0], "--gateway", pool.store.ready[1],
                      "--key", pool.keys[0]], pool.folder / "twin.log")
    pool.processes.append(second)
    with pytest.raises(AssertionError, match="one wallet, one worker"):
        second.start()
    assert first.proc.poll() is None


def test_logins(pool):
    """Without the wallet's signature nobody gets work."""
    pool.setup(1)
    url = pool.start_scheduler().url
    who = pool.address[0]
    assert get(url, "/work?slots=1")[0] == 401
    assert get(url, "/work?slots=1", headers={"authorization": "Bearer " + "0" * 64})[0] == 401
    body = json.dumps({"value": "0x" + "11" * 65, "instance": "x"})
    assert get(url, f"/workers/login?walletAddress={who}", "POST", body)[0] == 401  # no challenge
    status, challenge = get(url, f"/workers/challenge?walletAddress={who}")
    assert status == 200 and len(challenge) == 44
    status, why = get(url, f"/workers/login?walletAddress={who}", "POST", body)
    assert status == 401 and b"not this wallet's" in why
    assert get(url, "/workers/challenge?walletAddress=me")[0] == 400
    assert get(url, f"/workers/login?walletAddress={who}", "POST", "[]")[0] == 400


def test_clock_an_hour_off(pool):
    """The chain's clock is an hour ahead of the worker's and the scheduler's: nobody minds."""
    pool.setup(1)
    pool.later(3600)
    pool.start_scheduler()
    pool.start_worker(0)
    task = pool.match("late")["tasks"][0]
    pool.wait([task])


def test_key_of_another(pool):
    """A scheduler needs the key of the pool's owner, and says whose it has."""
    pool.setup(1)
    done = subprocess.run([SOUK, "scheduler", "--state", pool.folder / "s", "--node", pool.node.url,
                           "--workerpool", pool.made["pool"], "--key", pool.keys[0], "--listen",
                           "127.0.0.1:0"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "a scheduler needs the owner's key" in done.stderr
    pathlib.Path(pool.keys[0]).chmod(0o644)
    done = subprocess.run([SOUK, "worker", "--state", pool.folder / "w", "--key", pool.keys[0]],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "chmod 600" in done.stderr
