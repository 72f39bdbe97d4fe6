# SPDX-License-Identifier: Apache-2.0
"""The clients people use, from npm, against a development node."""
import pytest


@pytest.mark.parametrize("script", ["ethers6.mjs", "viem.mjs", "web3.mjs", "life.mjs"])
def test_client(dev, run_client, script):
    assert "ok" in run_client(script, dev.url, dev.ws)
