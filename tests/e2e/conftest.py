# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests: real processes on free ports, ended by their id, waited for by
what they say and never by sleeping."""
import http.client
import itertools
import json
import os
import pathlib
import select
import signal
import shutil
import subprocess
import threading
import time
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOUK = pathlib.Path(os.environ.get("SOUK", ROOT / "build/release/souk"))
os.environ["PATH"] = os.pathsep.join([*subprocess.run([ROOT / "tools/test-node"], capture_output=True, text=True, check=True).stdout.split(),
                                      os.environ["PATH"]])
READY_S = 20
STOP_S = 10


class RpcError(Exception):
    """An error answer of JSON-RPC."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code = error.get("code")
        self.message = error.get("message")
        self.data = error.get("data")


class Rpc:
    """JSON-RPC over one kept connection."""

    def __init__(self, url):
        self.url = url
        self.at = urllib.parse.urlparse(url)
        self.ids = itertools.count(1)
        self.conn = None

    def post(self, body, headers=None):
        """Sends bytes or a JSON value; returns (status, parsed body or None)."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        for attempt in range(2):
            if self.conn is None:
                self.conn = http.client.HTTPConnection(self.at.hostname, self.at.port, timeout=60)
            try:
                self.conn.request("POST", self.at.path or "/", body,
                                  {"content-type": "application/json", **(headers or {})})
                res = self.conn.getresponse()
                text = res.read()
                return res.status, json.loads(text) if text else None
            except (http.client.HTTPException, ConnectionError):
                self.conn = None
                if attempt == 1:
                    raise
        raise AssertionError

    def call(self, method, *params):
        _, got = self.post({"jsonrpc": "2.0", "id": next(self.ids), "method": method,
                            "params": list(params)})
        if "error" in got:
            raise RpcError(got["error"])
        return got["result"]

    def batch(self, calls):
        body = [{"jsonrpc": "2.0", "id": next(self.ids), "method": m, "params": list(p)}
                for m, *p in calls]
        _, got = self.post(body)
        by_id = {g["id"]: g for g in got}
        return [by_id[b["id"]] for b in body]


class Process:
    """A souk command that serves: started, waited for until it is ready, stopped by SIGTERM."""

    def __init__(self, args, log):
        self.args = [str(SOUK), *map(str, args)]
        self.log = log
        self.proc = None
        self.ready = None

    def start(self, env=None):
        r, w = os.pipe()
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen([*self.args, "--ready-fd", str(w)], pass_fds=(w,),
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         env={**os.environ, **(env or {})})
        os.close(w)
        line = b""
        end = time.monotonic() + READY_S
        try:
            while not line.endswith(b"\n"):
                left = end - time.monotonic()
                if left <= 0 or not select.select([r], [], [], left)[0]:
                    raise AssertionError(f"not ready after {READY_S} s: {self.said()}")
                part = os.read(r, 4096)
                if not part:
                    raise AssertionError(f"ended with {self.proc.wait(STOP_S)}: {self.said()}")
                line += part
        finally:
            os.close(r)
        self.ready = line.decode().split()
        return self

    @property
    def url(self):
        return self.ready[0]

    def said(self):
        return pathlib.Path(self.log).read_text(errors="replace")[-4000:]

    def stop(self, signo=signal.SIGTERM):
        """Its exit status, or minus the signal that ended it."""
        if self.proc is None:
            return None
        if self.proc.poll() is None:
            self.proc.send_signal(signo)
        try:
            status = self.proc.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise AssertionError(f"did not stop within {STOP_S} s: {self.said()}") from None
        self.proc = None
        return status

    def kill(self):
        return self.stop(signal.SIGKILL)


class Node(Process):
    """`souk node`; rpc speaks to it. start() again goes on with the same state and port."""

    def __init__(self, folder, *args):
        self.folder = pathlib.Path(folder)
        self.port = 0
        self.extra = args
        super().__init__([], self.folder / "node.log")
        self.rpc = None

    def start(self, env=None):
        self.args = [str(SOUK), "node", "--state", str(self.folder / "node"),
                     "--listen", f"127.0.0.1:{self.port}", *map(str, self.extra)]
        super().start(env)
        self.port = urllib.parse.urlparse(self.url).port
        self.rpc = Rpc(self.url)
        return self

    @property
    def ws(self):
        return self.url.replace("http", "ws", 1)


@pytest.fixture(scope="session", autouse=True)
def souk():
    """The binary under test."""
    if not SOUK.exists():
        pytest.exit(f"{SOUK} is not there: run make first")
    return SOUK


@pytest.fixture
def processes():
    """Everything appended is stopped at the end, newest first."""
    running = []
    yield running
    for p in reversed(running):
        p.stop()


@pytest.fixture
def start_node(tmp_path, processes):
    """start_node(*args, name="n"): a node of its own folder, running."""

    def start(*args, name="n"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        node = Node(folder, *args).start()
        processes.append(node)
        return node

    return start


@pytest.fixture
def dev(start_node):
    """A fresh development node."""
    return start_node("--dev")


@pytest.fixture(scope="session")
def clients():
    """The folder with the npm clients and our scripts beside them, or a loud skip."""
    src = ROOT / "tests/e2e/clients"
    dst = ROOT / "build/npm/clients"
    lock = (src / "package-lock.json").read_bytes()
    stamp = dst / "installed.lock"
    if not stamp.exists() or stamp.read_bytes() != lock:
        dst.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(src / name, dst / name)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=dst,
                              capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            pytest.skip(f"SKIPPED: the npm clients cannot be installed: {done.stderr[-300:]}")
        stamp.write_bytes(lock)
    for script in src.glob("*.mjs"):
        shutil.copy(script, dst / script.name)
    return dst


@pytest.fixture
def run_client(clients):
    """run_client("ethers6.mjs", url, …): its JSON lines; an error when it fails."""

    def run(script, *args, timeout=120):
        done = subprocess.run(["node", script, *map(str, args)], cwd=clients, capture_output=True,
                              text=True, timeout=timeout, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def diff_modules():
    """The folder of the differential tests with its npm packages, or a loud skip."""
    src = ROOT / "tests/diff"
    dst = ROOT / "build/npm/diff"
    lock = (src / "package-lock.json").read_bytes()
    stamp = dst / "installed.lock"
    if not stamp.exists() or stamp.read_bytes() != lock:
        dst.mkdir(parents=True, exist_ok=True)
        for f in src.glob("*.json"):
            shutil.copy(f, dst / f.name)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=dst,
                              capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            pytest.skip(f"SKIPPED: the reference contracts cannot be installed: {done.stderr[-300:]}")
        stamp.write_bytes(lock)
    for f in src.glob("*.mjs"):
        shutil.copy(f, dst / f.name)
    return dst


@pytest.fixture
def reference(diff_modules):
    proc = subprocess.Popen(["node", "reference.mjs", "6.1"], cwd=diff_modules,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    timer = threading.Timer(60, proc.kill)
    timer.start()
    line = proc.stdout.readline()
    timer.cancel()
    if not line:
        pytest.fail(f"the reference chain did not start: {proc.stderr.read()[-500:]}")
    chain = json.loads(line)
    yield chain["rpc"], chain["hub"]
    proc.send_signal(signal.SIGTERM)
    try:
        proc.wait(10)
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()
    try:
        os.kill(chain["pid"], signal.SIGKILL)
    except (KeyError, ProcessLookupError):
        pass
