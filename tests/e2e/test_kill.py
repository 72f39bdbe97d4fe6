# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost: kills and faults of the disk under load (torture.py). SOUK_KILLS=N for more."""
import os
import random
import subprocess

import pytest
import torture
from conftest import ROOT

KILLS = int(os.environ.get("SOUK_KILLS", "30"))


@pytest.fixture(scope="module")
def faulty():
    """The failing disk, built when it is not there."""
    if not torture.FAULTY.exists():
        torture.FAULTY.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-std=c2x", "-D_GNU_SOURCE", "-O1", "-fPIC", "-shared", "-o", torture.FAULTY,
                        ROOT / "tests/torture/faulty.c", "-ldl"], check=True)


def test_kills(faulty):
    seed = int(os.environ.get("SOUK_SEED", random.randrange(1 << 32)))
    kills, losses, confirmed = torture.run(KILLS, seed)
    print(f"{kills} kills, {losses} losses")
    assert losses == 0 and confirmed > kills


def test_that_losses_are_found(faulty):
    """Behind a disk that only says it synced, a loss of power does lose what clients have seen."""
    assert torture.run(8, 7, kinds={"lies": 1})[1] > 0
