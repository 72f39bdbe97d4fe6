# SPDX-License-Identifier: Apache-2.0
"""The content store as a process: CIDs of other IPFS implementations, their clients, crashes, a full
disk, garbage collection."""
import hashlib
import http.client
import io
import json
import os
import pathlib
import random
import shutil
import subprocess
import tarfile
import threading
import urllib.parse

import pytest

from conftest import ROOT, Process

BOUNDARY = "souk-test-boundary"


class Store(Process):
    def __init__(self, folder, *args):
        self.folder = pathlib.Path(folder)
        self.extra = args
        super().__init__([], self.folder / "store.log")

    def start(self, env=None):
        self.args = [self.args[0], "store", "--state", str(self.folder / "store"), "--listen",
                     "127.0.0.1:0", "--gateway", "127.0.0.1:0", *self.extra]
        return super().start(env)

    def request(self, method, path, body=None, headers=None, gateway=False):
        at = urllib.parse.urlparse(self.ready[1 if gateway else 0])
        conn = http.client.HTTPConnection(at.hostname, at.port, timeout=60)
        try:
            conn.request(method, path, body, headers or {})
            res = conn.getresponse()
            return res.status, dict((k.lower(), v) for k, v in res.getheaders()), res.read()
        finally:
            conn.close()

    def api(self, path, body=None, headers=None):
        return self.request("POST", "/api/v0/" + path, body, headers)

    def lines(self, path, body=None, headers=None):
        status, _, text = self.api(path, body, headers)
        assert status == 200, text
        return [json.loads(line) for line in text.splitlines()]

    def upload(self, path, parts):
        body, headers = multipart(parts)
        return self.lines(path, body, headers)

    def add(self, data, query=""):
        return self.upload("add?" + query, [("", data, "application/octet-stream")])[-1]["Hash"]

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers, gateway=True)


def multipart(parts):
    out = []
    for name, data, kind in parts:
        name = urllib.parse.quote(name, safe="")
        out.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; '
                   f'filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'.encode() + data + b"\r\n")
    out.append(f"--{BOUNDARY}--\r\n".encode())
    return b"".join(out), {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def folder_parts(base):
    base = pathlib.Path(base)
    parts = [(base.name, b"", "application/x-directory")]
    for p in sorted(base.rglob("*")):
        name = str(p.relative_to(base.parent))
        if p.is_dir():
            parts.append((name, b"", "application/x-directory"))
        else:
            parts.append((name, p.read_bytes(), "application/octet-stream"))
    return parts


@pytest.fixture
def store(tmp_path, processes):
    s = Store(tmp_path).start()
    processes.append(s)
    return s


@pytest.fixture(scope="session")
def boxo():
    """The importer on boxo, built once; a loud skip without Go or its module proxy."""
    if shutil.which("go") is None:
        pytest.skip("SKIPPED: Go is not installed: CIDs are not compared with boxo")
    src = ROOT / "tests/e2e/boxo"
    out = ROOT / "build/boxo"
    if not out.exists() or out.stat().st_mtime < (src / "main.go").stat().st_mtime:
        env = {**os.environ, "GOFLAGS": "-mod=readonly"}
        done = subprocess.run(["go", "build", "-o", out, "."], cwd=src, env=env,
                              capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            pytest.skip(f"SKIPPED: boxo cannot be built: {done.stderr[-300:]}")

    def run(*args):
        done = subprocess.run([out, *map(str, args)], capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


FORMS = [(0, False), (0, True), (1, False), (1, True)]
CHUNK = 262144
SIZES = [0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7, 174 * CHUNK, 174 * CHUNK + 1]


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def boxo_cid(boxo, path, version, raw):
    return boxo("cid", "-v", version, *(["-raw"] if raw else []), path)[0]


@pytest.mark.parametrize("size", SIZES)
def test_file_cids(store, boxo, tmp_path, size):
    data = noise(size, size)
    f = tmp_path / "f"
    f.write_bytes(data)
    for version, raw in FORMS:
        query = f"cid-version={version}&raw-leaves={'true' if raw else 'false'}"
        cid = store.add(data, query)
        assert cid == boxo_cid(boxo, f, version, raw)
        status, _, got = store.get("/ipfs/" + cid)
        assert status == 200 and got == data
        assert store.add(data, query + "&only-hash=true") == cid


def test_deep_file(store, boxo, tmp_path):
    """More than 174 * 174 chunks: three levels."""
    f = tmp_path / "f"
    data = noise(174 * 174 * 100 + 12345, 7)
    f.write_bytes(data)
    cid = store.add(data, "chunker=size-100")
    assert cid == boxo("cid", "-chunk", 100, f)[0]
    rng = random.Random(1)
    for _ in range(20):
        a = rng.randrange(len(data))
        b = rng.randrange(a, len(data))
        status, headers, got = store.get("/ipfs/" + cid, range=f"bytes={a}-{b}")
        assert status == 206 and got == data[a:b + 1]
        assert headers["content-range"] == f"bytes {a}-{b}/{len(data)}"


@pytest.mark.parametrize("count", [0, 1, 3, 500, 6241, 6242])
def test_directory_cids(store, boxo, tmp_path, count):
    """6,242 names of 8 characters are the fewest that must be spread over a HAMT."""
    d = tmp_path / "dir"
    d.mkdir()
    for i in range(count):
        (d / f"{i:08}").write_text(str(i % 7))
    if count == 3:
        (d / "sub/deep").mkdir(parents=True)
        (d / "empty").mkdir()
        (d / "sub/deep/é \"q\" 100%+").write_text("x")
        for name in ("sub.a", "sub-a", "sub/a"):
            (d / name).write_text(name)
    for version, raw in [(0, False), (1, True)]:
        query = f"add?cid-version={version}&raw-leaves={'true' if raw else 'false'}"
        lines = store.upload(query, folder_parts(d))
        root = lines[-1]["Hash"]
        assert lines[-1]["Name"] == "dir" and root == boxo_cid(boxo, d, version, raw)
        if count > 0:
            status, _, got = store.get(f"/ipfs/{root}/{count - 1:08}")
            assert status == 200 and got == str((count - 1) % 7).encode()
        listed = store.lines(f"ls?arg={root}")[0]["Objects"][0]["Links"]
        assert {x["Name"] for x in listed} == {p.name for p in d.iterdir()}


def test_debian_ipfs_cid(store, tmp_path):
    if shutil.which("ipfs_cid") is None:
        pytest.skip("SKIPPED: the package ipfs-cid is not installed")
    for size in (0, 1, CHUNK, CHUNK + 1, 5_000_000):
        f = tmp_path / "f"
        f.write_bytes(noise(size, size))
        done = subprocess.run(["ipfs_cid", f], capture_output=True, text=True, check=True)
        want = json.loads(done.stdout.strip().splitlines()[-1])
        assert store.add(f.read_bytes()) == want["CIDv0"]
        if size <= CHUNK:  # for more it only writes the CIDv0 anew, its links stay version 0
            assert store.add(f.read_bytes(), "cid-version=1&raw-leaves=false") == want["CIDv1"]


def test_car_both_ways(store, boxo, tmp_path):
    d = tmp_path / "dir"
    (d / "sub").mkdir(parents=True)
    (d / "big").write_bytes(noise(1_000_000, 3))
    (d / "sub/small").write_text("hello")
    out = tmp_path / "theirs.car"
    root = boxo("car-write", d, out)[0]
    body, headers = multipart([("x.car", out.read_bytes(), "application/vnd.ipld.car")])
    lines = store.lines("dag/import?stats=true", body, headers)
    assert lines[0]["Root"] == {"Cid": {"/": root}, "PinErrorMsg": ""}
    assert lines[1]["Stats"]["BlockCount"] == 8
    assert store.get(f"/ipfs/{root}/sub/small")[2] == b"hello"
    status, headers, ours = store.get(f"/ipfs/{root}", accept="application/vnd.ipld.car")
    assert status == 200 and headers["content-type"].startswith("application/vnd.ipld.car")
    (tmp_path / "ours.car").write_bytes(ours)
    assert boxo("car-read", tmp_path / "ours.car") == [root, "8"]
    status, _, text = store.api("dag/import", *multipart([("x", out.read_bytes()[:-3], "x/y")]))
    assert status == 400 and b"archive is cut short" in text
    broken = bytearray(out.read_bytes())
    broken[-1] ^= 1
    status, _, text = store.api("dag/import", *multipart([("x", bytes(broken), "x/y")]))
    assert status == 400 and b"does not match its CID" in text


def test_kubo_rpc_client(store, run_client):
    """The client that programs use, from npm, unmodified."""
    got = json.loads(run_client("kubo.mjs", store.ready[0]))
    assert got == {k: True for k in got} and len(got) >= 15, got


def test_gateway_headers(store):
    cid = store.add(b"PK\x03\x04 not really")
    status, headers, body = store.get("/ipfs/" + cid)
    assert status == 200 and headers["content-type"] == "application/zip"
    assert headers["etag"] == f'"{cid}"' and "immutable" in headers["cache-control"]
    assert store.get("/ipfs/" + cid, **{"if-none-match": f'"{cid}"'})[0] == 304
    status, headers, none = store.request("HEAD", "/ipfs/" + cid, gateway=True)
    assert status == 200 and none == b"" and headers["content-length"] == str(len(body))
    status, headers, raw = store.get(f"/ipfs/{cid}?format=raw")
    assert headers["content-type"] == "application/vnd.ipld.raw"
    assert hashlib.sha256(raw).digest() != hashlib.sha256(body).digest()
    assert store.get("/ipfs/" + cid, range="bytes=100-")[0] == 416
    assert store.get("/ipfs/" + cid, range="bytes=-4")[2] == body[-4:]
    status, _, text = store.get(f"/ipfs/{cid}/x")
    assert status == 404 and b"no link named" in text
    status, _, text = store.get("/ipfs/QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")
    assert status == 404 and b"could not find" in text
    assert store.get("/ipfs/nonsense")[0] == 400
    root = store.upload("add?wrap-with-directory=true", [
        ("index.html", b"<html>hi", "text/html"), ("<b>", b"1", "x/y")])[-1]["Hash"]
    status, headers, _ = store.get(f"/ipfs/{root}")
    assert status == 301 and headers["location"] == f"/ipfs/{root}/"
    assert store.get(f"/ipfs/{root}/")[2] == b"<html>hi"
    page = store.upload("add?wrap-with-directory=true", [("<b>", b"1", "x/y")])[-1]["Hash"]
    assert b"<b>" not in store.get(f"/ipfs/{page}/")[2]


def test_api_errors(store):
    for path, code, text in [
            ("cat", 400, "required"), ("cat?arg=zzz", 400, "invalid cid"),
            ("cat?arg=QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", 500, "could not find"),
            ("add", 400, "required"), ("pin/rm?arg=QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
                                       500, "not pinned"),
            ("add?cid-version=2", 400, "cid-version"), ("add?chunker=rabin", 400, "chunker"),
            ("pin/ls?type=x", 400, "invalid type")]:
        status, _, body = store.api(path)
        err = json.loads(body)
        assert (status, err["Type"]) == (code, "error") and text in err["Message"], path
    status, _, body = store.api("add", *multipart([("a", b"1", "x/y"), ("a/b", b"2", "x/y")]))
    assert status == 400 and b"a file and a directory" in body
    body, headers = multipart([("a", b"1" * 1000, "x/y")])
    status, _, text = store.api("add", body[:-20], headers)
    assert status == 400 and b"last boundary" in text
    status, _, text = store.api("version", None, {"origin": "https://elsewhere.example"})
    assert status == 403
    assert store.api("version", None, {"origin": "http://localhost:3000"})[0] == 200
    assert store.request("GET", "/api/v0/id")[0] == 405
    big = noise((1 << 20) + 1, 1)
    status, _, text = store.api("block/put", *multipart([("", big, "x/y")]))
    assert status == 400 and b"allow-big-block" in text


def test_directory_as_tar(store):
    root = store.upload("add", [("d/a", b"one", "x/y"), ("d/" + "n" * 150, b"two", "x/y"),
                                ("d/link", b"a", "application/symlink")])[-1]["Hash"]
    _, _, body = store.api(f"get?arg={root}")
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        names = {m.name: m for m in tar.getmembers()}
        assert names[root].isdir() and names[root + "/link"].linkname == "a"
        assert tar.extractfile(root + "/a").read() == b"one"
        assert tar.extractfile(f"{root}/{'n' * 150}").read() == b"two"


def test_gc_keeps_what_is_pinned_or_in_use(store):
    keep = store.add(noise(600_000, 1))
    drop = store.add(noise(600_000, 2), "pin=false")
    once = store.add(noise(700_000, 3))
    assert store.lines(f"pin/rm?arg={once}")[0] == {"Pins": [once]}
    assert set(store.lines("pin/ls?type=recursive")[0]["Keys"]) == {keep}
    gone = store.lines("repo/gc")
    assert len(gone) == 8
    assert store.get("/ipfs/" + keep)[0] == 200
    for cid in (drop, once):
        assert store.get("/ipfs/" + cid)[0] == 404
    assert store.lines("repo/stat")[0]["NumObjects"] == 4
    # An upload that is under way: its blocks are not pinned yet, and stay.
    data = noise(3_000_000, 4)
    body, headers = multipart([("f", data, "x/y")])
    at = urllib.parse.urlparse(store.ready[0])
    conn = http.client.HTTPConnection(at.hostname, at.port, timeout=60)
    conn.putrequest("POST", "/api/v0/add?pin=false")
    for k, v in {**headers, "content-length": str(len(body))}.items():
        conn.putheader(k, v)
    conn.endheaders()
    conn.send(body[:2_000_000])
    for _ in range(3):
        store.lines("repo/gc")
    conn.send(body[2_000_000:])
    cid = json.loads(conn.getresponse().read())["Hash"]
    conn.close()
    assert store.get("/ipfs/" + cid)[2] == data


def test_full_store_refuses_and_keeps_the_rest(tmp_path, processes):
    store = Store(tmp_path, "--max-size", "2m").start()
    processes.append(store)
    first = store.add(noise(1_000_000, 1))
    before = store.lines("repo/stat")[0]
    status, _, body = store.api("add", *multipart([("f", noise(3_000_000, 2), "x/y")]))
    assert status == 507 and "the store is full" in json.loads(body)["Message"]
    assert store.lines("repo/stat")[0] == before  # nothing of the refused upload is left
    assert store.get("/ipfs/" + first)[0] == 200
    assert store.add(noise(900_000, 3)) != first
    store.stop()
    store.start()
    assert store.get("/ipfs/" + first)[0] == 200


def test_acknowledged_is_durable(store):
    """Killed at random moments while many clients add: what was answered is there, whole."""
    rng = random.Random(5)
    acknowledged = {}
    for round_ in range(4):
        stop = threading.Event()
        lock = threading.Lock()

        def work(seed, stop=stop, lock=lock):
            r = random.Random(seed)
            while not stop.is_set():
                data = r.randbytes(r.choice([10, 1000, 300_000]))
                try:
                    cid = store.add(data)
                except (OSError, http.client.HTTPException, ValueError, KeyError, IndexError):
                    return
                with lock:
                    acknowledged[cid] = data

        threads = [threading.Thread(target=work, args=(round_ * 10 + i,)) for i in range(4)]
        for t in threads:
            t.start()
        stop.wait(0.2 + rng.random() / 3)
        store.kill()
        stop.set()
        for t in threads:
            t.join()
        store.start()
        for cid, data in acknowledged.items():
            assert store.get("/ipfs/" + cid)[2] == data
    assert len(acknowledged) > 50
    assert store.lines("repo/verify")[-1]["Msg"].startswith("verify complete, all")
    pins = store.lines("pin/ls?type=recursive")[0]["Keys"]
    assert set(acknowledged) <= set(pins)


def test_damaged_block_is_an_error(store):
    data = noise(100_000, 9)
    cid = store.add(data)
    store.stop()
    pack = store.folder / "store/packs/00000001.pack"
    raw = bytearray(pack.read_bytes())
    raw[50_000] ^= 1
    pack.write_bytes(raw)
    store.start()
    status, _, body = store.api(f"cat?arg={cid}")
    assert b"damaged on disk" in body or status != 200
    status, _, text = store.api(f"block/get?arg={cid}")
    assert status == 500 and b"damaged on disk" in text
    assert "some blocks were corrupt" in store.lines("repo/verify")[-1]["Msg"]


def test_one_process_per_folder(store):
    second = subprocess.run([*store.args], capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1 and str(store.proc.pid) in second.stderr
