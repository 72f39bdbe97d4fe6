# SPDX-License-Identifier: Apache-2.0
"""The clients people use, from npm and PyPI, against a development node."""
import subprocess
import sys

import pytest
from conftest import ROOT

WEB3PY = "web3==7.14.0"


@pytest.mark.parametrize("script", ["ethers6.mjs", "ethers5.mjs", "viem.mjs", "web3.mjs", "life.mjs"])
def test_npm_client(dev, run_client, script):
    assert "ok" in run_client(script, dev.url, dev.ws)


def test_cast(dev, clients):
    done = subprocess.run(["sh", str(ROOT / "tests/e2e/clients/cast.sh"), dev.url], cwd=clients,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "ok" in done.stdout, done.stderr


@pytest.fixture(scope="session")
def web3py():
    """A folder with web3.py, or a loud skip."""
    folder = ROOT / "build/pip/web3"
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != WEB3PY:
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", str(folder),
                               "--upgrade", WEB3PY], capture_output=True, text=True, timeout=300,
                              check=False)
        if done.returncode != 0:
            pytest.skip(f"SKIPPED: web3.py cannot be installed: {done.stderr[-300:]}")
        stamp.write_text(WEB3PY)
    return folder


def test_web3py(dev, web3py):
    done = subprocess.run([sys.executable, str(ROOT / "tests/e2e/clients/web3py.py"), dev.url],
                          env={"PYTHONPATH": str(web3py), "PATH": "/usr/bin:/bin"}, capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0 and "ok" in done.stdout, done.stdout + done.stderr
