# SPDX-License-Identifier: Apache-2.0
"""Models that are not what was sold, and pictures that are none: a gateway between store and worker
that spoils what it hands over, keys that nobody gave, a text where a picture should be."""
import http.server
import os
import pathlib
import threading
import urllib.error
import urllib.request

import pytest
from conftest import Process
from faultlib import FLASH, PRICE, demolib, opened
from test_faults_world import joined

TEE_PRICE = PRICE + 2 * demolib.NRLC
FLASH_TEE = ("--category", FLASH)


class Gateway(http.server.BaseHTTPRequestHandler):
    """The store's gateway, but for what `spoil` says of a CID."""

    upstream = ""
    spoil = {}
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):  # noqa: N802
        try:
            with urllib.request.urlopen(self.upstream + self.path, timeout=10) as res:
                status, body = res.status, res.read()
        except urllib.error.HTTPError as e:
            status, body = e.code, e.read()
        how = next((h for cid, h in self.spoil.items() if cid in self.path), None)
        length = None
        if how == "checksum":
            body = bytes([body[0] ^ 1]) + body[1:]
        elif how == "short":
            body = body[:-16]
        elif how == "long":
            body += bytes(16)
        elif how == "empty":
            body = b""
        elif how == "absent":
            status, body = 404, b"no such file"
        elif how == "broken-off":
            length, body = len(body), body[:100]
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None:
            self.close_connection = True


# what the gateway does with the model -> what the pool is told
SPOILED = {
    "checksum": "PRE_COMPUTE_INVALID_DATASET_CHECKSUM",
    "short": "PRE_COMPUTE_INVALID_DATASET_CHECKSUM",
    "long": "PRE_COMPUTE_INVALID_DATASET_CHECKSUM",
    "empty": "PRE_COMPUTE_INVALID_DATASET_CHECKSUM",
    "absent": "PRE_COMPUTE_DATASET_DOWNLOAD_FAILED",
}


@pytest.fixture(scope="module")
def m(tmp_path_factory):
    """A market whose only worker fetches through our gateway."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with opened(tmp_path_factory.mktemp("models"), 0, 1) as market:
        api, Gateway.upstream = market.info["store"].split()
        market.new_wallet("bob", 0)
        for category in (0, FLASH):
            market.run("pool", "publish", "--wallet", "scheduler", "--price", "1", "--volume", "1000", "--tag", "tee,tdx",
                       "--category", category)
        market.run("app", "publish", os.path.join(demolib.APPS, "hash.tar"), "--wallet", "carol", "--name", "hash",
                   "--price", "0.1", "--tag", "tee,tdx")
        store = f"{api} http://127.0.0.1:{server.server_address[1]}"
        key = str(market.folder / "keys/simulated-tee.key")
        with joined(market, "worker-1", "--simulated-tee", key, "--slots", "4", store=store):
            yield market
    server.shutdown()
    server.server_close()


# what is tried again until the task's time is over -> what the worker's log says meanwhile
TRIED_AGAIN = {
    "broken-off": "transfer closed with",
    "keyless": "PRE_COMPUTE_GET_DATASET_SECRET_FAILED",
}


def publish(m, name, *more):
    path = m.folder / f"{name}.bin"
    path.write_bytes(name.encode() * 1000)
    return m.run("model", "publish", path, "--wallet", "bob", "--name", name, "--price", "2", "--tag", "tee", *more)


def rent(m, model, *more):
    return m.run("rent", "--wallet", "alice", "--app", "hash", "--model", model, "--no-wait", *more)["task"]


@pytest.fixture(scope="module")
def other_sms(m, tmp_path_factory):
    """A second secret manager, to which the model's owner gave the key by mistake."""
    folder = tmp_path_factory.mktemp("sms")
    sms = Process(["sms", "--state", folder / "state", "--key-file", folder / "key", "--listen", "127.0.0.1:0", "--node",
                   m.info["node"], "--hub", m.info["hub"]], folder / "log").start()
    yield sms
    sms.stop()


@pytest.fixture(scope="module")
def all_ran(m, other_sms):
    """Every spoiled model rented at once; what became of them, and of the money."""
    before = m.money()
    tasks = {}
    for how in [*SPOILED, "broken-off"]:
        Gateway.spoil[publish(m, how)["cid"]] = how
        tasks[how] = rent(m, how, *FLASH_TEE)
    publish(m, "keyless", "--sms", other_sms.url)
    tasks["keyless"] = rent(m, "keyless", *FLASH_TEE)
    ends = {how: m.ended(task) for how, task in tasks.items()}
    return tasks, ends, before, m.money()


@pytest.mark.parametrize("how", SPOILED)
def test_spoiled_model(m, all_ran, how):
    tasks, ends, _, _ = all_ran
    assert ends[how]["status"] == "FAILED" and ends[how]["workers"] == []
    assert any(word in m.reason(tasks[how]) for word in SPOILED[how].split("|")), m.reason(tasks[how])


@pytest.mark.parametrize("how", TRIED_AGAIN)
def test_model_that_does_not_come(m, all_ran, how):
    _, ends, _, _ = all_ran
    assert ends[how]["status"] == "FAILED" and ends[how]["workers"] == []
    assert TRIED_AGAIN[how] in m.log("worker-1")


def test_all_was_refunded(all_ran):
    _, _, before, after = all_ran
    assert sum(map(sum, before.values())) == sum(map(sum, after.values()))
    change = {n: sum(after[n]) - sum(before[n]) for n in before}
    assert change["alice"] == change["bob"] == change["carol"] == 0 and after["alice"][1] == 0
    assert change["scheduler"] == -change["kitty"] < 0
    assert all(c == 0 for n, c in change.items() if n.startswith("worker-"))


def test_genuine_model_still_runs(m, all_ran):
    publish(m, "genuine")
    with m.balanced(completed=1, price=TEE_PRICE):
        assert m.ended(rent(m, "genuine"))["status"] == "COMPLETED"


def test_picture_that_is_none(m, tmp_path):
    """The classifier gets a text: it says so and ends, and the money goes back."""
    model, tar = pathlib.Path(demolib.CACHE) / "mobilenet-v2.souknet", pathlib.Path(demolib.APPS) / "classify.tar"
    if not model.exists() or not tar.exists():
        pytest.skip(f"SKIPPED: {model} or {tar} is not there; get them with tools/fetch-models and make apps")
    text = tmp_path / "cat.png"
    text.write_text("this is no picture\n" * 10)
    m.run("app", "publish", tar, "--wallet", "carol", "--name", "classify", "--price", "0.1", "--tag", "tee,tdx")
    m.run("model", "publish", model, "--wallet", "bob", "--name", "mobilenet", "--price", "2", "--tag", "tee")
    with m.balanced(refunded=1):
        task = m.run("rent", "--wallet", "alice", "--app", "classify", "--model", "mobilenet", "--input", text, "--category",
                     FLASH, "--no-wait")["task"]
        assert m.ended(task)["status"] == "FAILED"
    assert "APP_COMPUTE_FAILED: the application ended with exit code 3" in m.reason(task), m.reason(task)
