# SPDX-License-Identifier: Apache-2.0
"""A market started by `souk up` from docs/examples/sdk.json on free ports, and the npm package iexec."""
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import types

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SOUK = pathlib.Path(os.environ.get("SOUK", ROOT / "build/release/souk"))
ADMIN_KEY = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"  # public: owner of the test chains' hub


@pytest.fixture(scope="session")
def modules():
    """A folder with iexec and our scripts beside it, or a loud skip."""
    dst = ROOT / "build/npm/sdk"
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = dst / "installed.lock"
    if not stamp.exists() or stamp.read_bytes() != lock:
        dst.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, dst / name)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=dst, capture_output=True, text=True,
                              timeout=300, check=False)
        if done.returncode != 0:
            pytest.skip(f"SKIPPED: the iExec SDK cannot be installed: {done.stderr[-300:]}")
        stamp.write_bytes(lock)
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, dst / script.name)
    return dst


@pytest.fixture(scope="session")
def image():
    """An image of souk that hashes its input, and its digest."""
    path = ROOT / "build/apps/hash.tar"
    subprocess.run(["make", "-s", "build/apps/hash.tar"], cwd=ROOT, check=True, timeout=600)
    out = subprocess.run([SOUK, "image", "show", path], check=True, capture_output=True, text=True).stdout
    return path, "0x" + out.split()[1].removeprefix("sha256:")


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """The whole market; its ports are free ones, everything else is as shipped."""
    state = tmp_path_factory.mktemp("stack")
    ports = [a for s in ("node", "store", "gateway", "market", "sms", "scheduler", "compass") for a in (f"--{s}-port", "0")]
    with open(state / "up.log", "wb") as log:
        up = subprocess.Popen([SOUK, "up", "--config", ROOT / "docs/examples/sdk.json", "--state", state, "--block-time", "250ms", "--json",
                               *ports], stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        ready = select.select([up.stdout], [], [], 30)[0]
        line = up.stdout.readline() if ready else ""
        assert line, f"souk up did not start: {(state / 'up.log').read_text()[-2000:]}"
        (state / "stack.json").write_text(line)
        (state / "admin.key").write_text(ADMIN_KEY)
        yield types.SimpleNamespace(state=state, mine={}, **json.loads(line))
    finally:
        up.send_signal(signal.SIGTERM)
        try:
            up.wait(30)
        except subprocess.TimeoutExpired:
            up.kill()


@pytest.fixture(scope="session")
def env(stack):
    return {**os.environ, "SDK_STACK": str(stack.state / "stack.json"), "SDK_STATE": str(stack.state),
            "SDK_ADMIN_KEY": str(stack.state / "admin.key")}
