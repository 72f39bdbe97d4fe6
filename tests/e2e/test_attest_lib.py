# SPDX-License-Identifier: Apache-2.0
"""libsouk-attest from Python and C++: what docs/attestation.md shows, run."""
import ctypes
import json
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIB = ROOT / "build/release/libsouk-attest.so"
SAMPLE = (b"SOUKSIM\0" + bytes([0, 1, 0, 0, 0, 0, 0, 7]) + b"\x11" * 32 + b"\x22" * 64
          + b"\x33" * 16 + bytes(27) + b"\x01" * 64 + b"\x1b")


def documented_example():
    """The Python block of the documentation, as a module's names."""
    text = (ROOT / "docs/attestation.md").read_text()
    block = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    names = {}
    exec(compile(block.replace('"libsouk-attest.so"', repr(str(LIB))), "docs", "exec"), names)
    return names


def test_python_example():
    verify = documented_example()["verify"]
    accepted, verdict = verify(SAMPLE, time=1700000000)
    assert not accepted and verdict["kind"] == "simulated"
    assert verdict["broken"] == "signature" and not verdict["verified"]
    anchor = bytes.fromhex(verdict["unverified_claims"]["signer"])
    accepted, verdict = verify(SAMPLE, time=1700000000, policy={"kinds": ["simulated"]},
                               anchors=[("simulated", 0, anchor)])
    assert accepted and verdict["claims"]["svn"] == 7
    with pytest.raises(ValueError, match="policy: kinds: an empty list"):
        verify(SAMPLE, time=0, policy={"kinds": []})


def test_exports_nothing_else():
    out = subprocess.run(["nm", "-D", "--defined-only", LIB], capture_output=True, text=True,
                         check=True).stdout
    names = [line.split()[-1] for line in out.splitlines() if " T " in line]
    assert names and all(n.startswith("souk_attest_") for n in names)


def test_header_is_cpp(tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    src = tmp_path / "a.cpp"
    src.write_text('#include "attest/souk_attest.h"\n#include <cstdio>\nint main() {'
                   'std::puts(souk_attest_kind(0)); }\n')
    exe = tmp_path / "a"
    subprocess.run(["g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I",
                    ROOT / "src", src, LIB, "-Wl,-rpath," + str(LIB.parent), "-o", exe], check=True)
    # The soname has a version; the build folder holds the file without it.
    (tmp_path / "libsouk-attest.so.1").symlink_to(LIB)
    out = subprocess.run([exe], capture_output=True, text=True, check=True,
                         env={"LD_LIBRARY_PATH": str(tmp_path)})
    assert out.stdout.strip()


def test_command_and_library_agree(tmp_path):
    file = tmp_path / "e"
    file.write_bytes(SAMPLE)
    small = subprocess.run([LIB.parent / "souk-attest", "verify", file, "--json"],
                           capture_output=True, text=True)
    whole = subprocess.run([LIB.parent / "souk", "attest", "verify", file, "--json"],
                           capture_output=True, text=True)
    assert small.returncode == whole.returncode == 1
    assert json.loads(small.stdout) == json.loads(whole.stdout)
    assert ctypes.CDLL(str(LIB)).souk_attest_verify
