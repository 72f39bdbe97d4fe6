# SPDX-License-Identifier: Apache-2.0
"""The order book on two chains: souk's own node, and the reference contracts on anvil."""
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from conftest import SOUK, Process


class Market(Process):
    def __init__(self, folder, node, *args):
        self.folder = pathlib.Path(folder)
        self.node = node
        self.extra = args
        self.port = 0
        super().__init__([], self.folder / "market.log")

    def start(self, env=None):
        self.args = [str(SOUK), "market", "--state", str(self.folder / "market"), "--node", self.node,
                     "--listen", f"127.0.0.1:{self.port}", "--poll", "50ms", *self.extra]
        super().start(env)
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as res:
                return res.status, json.loads(res.read())
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read())


@pytest.fixture(params=["souk", "reference"])
def chain(request):
    """(URL, hub) of a chain with funded accounts of the usual test phrase."""
    if request.param == "reference":
        return request.getfixturevalue("reference")
    node = request.getfixturevalue("dev")
    return node.url, node.rpc.call("souk_contracts")["hub"]


@pytest.fixture
def market(chain, tmp_path, processes):
    url, hub = chain
    m = Market(tmp_path, url, "--hub", hub).start()
    processes.append(m)
    return m


def test_publish_follow_restart_reorganise(chain, market, run_client, tmp_path):
    state = tmp_path / "state.json"
    assert "ok" in run_client("market.mjs", *chain, market.url, "publish", state)
    market.kill()
    market.start()
    assert "ok" in run_client("market.mjs", *chain, market.url, "follow", state)
    assert "ok" in run_client("market.mjs", *chain, market.url, "reorg", state)
    market.stop()
    began = time.monotonic()
    market.start()
    assert time.monotonic() - began < 1.5
    chain_id = json.loads(urllib.request.urlopen(urllib.request.Request(
        chain[0], b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
        {"content-type": "application/json"}), timeout=10).read())["result"]
    status, got = market.get(f"/metrics?chainId={int(chain_id, 16)}")
    assert status == 200 and got["workerpoolorders"] > 0 and got["categories"] > 5


def test_a_chain_that_is_away(reference, diff_modules, tmp_path, processes):
    """Listings go on; the health says so; a start without a chain waits, then says what is missing."""
    assert diff_modules
    rpc, hub = reference
    market = Market(tmp_path, rpc, "--hub", hub, "--wait", "1s").start()
    processes.append(market)
    assert market.get("/health")[0] == 200
    anvil = subprocess.run(["pgrep", "-f", f"anvil.*{rpc.rsplit(':', 1)[1]}"], capture_output=True,
                           text=True, check=False).stdout.split()
    for pid in anvil:
        os.kill(int(pid), signal.SIGSTOP)
    try:
        end = time.monotonic() + 20
        while market.get("/health")[0] == 200 and time.monotonic() < end:
            time.sleep(0.2)
        assert market.get("/health") == (503, {"status": "chain away", "head": market.get(
            "/health")[1]["head"]})
        assert market.get("/workerpoolorders?chainId=31337")[0] == 200
    finally:
        for pid in anvil:
            os.kill(int(pid), signal.SIGCONT)
    end = time.monotonic() + 20
    while market.get("/health")[0] != 200 and time.monotonic() < end:
        time.sleep(0.2)
    assert market.get("/health")[0] == 200


def test_limits_and_bad_requests(reference, tmp_path, processes):
    rpc, hub = reference
    market = Market(tmp_path, rpc, "--hub", hub, "--rate-limit", "20", "--rate-limit-local").start()
    processes.append(market)
    assert market.get("/apporders?app=any") == (400, {"ok": False,
                                                      "error": "chainId is a required field"})
    assert market.get("/apporders?app=any&chainId=5")[0] == 400
    assert market.get("/nothing")[0] == 404
    req = urllib.request.Request(market.url + "/apporders?chainId=31337", b"{not json", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(req, timeout=10)
    req = urllib.request.Request(market.url + "/apporders?chainId=31337", b"x" * 300_000,
                                 method="POST")
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(req, timeout=10)
    for _ in range(30):
        status, got = market.get("/version")
    assert (status, got) == (429, {"ok": False, "error": "Rate limit exceeded"})
    with urllib.request.urlopen(market.url + "/docs", timeout=10) as res:
        assert b"/workerpoolorders" in res.read()
