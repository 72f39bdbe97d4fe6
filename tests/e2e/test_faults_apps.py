# SPDX-License-Identifier: Apache-2.0
"""Applications that misbehave, sold in a whole market: the pool is told why, nobody pays for what was
not delivered, and the machine stays as it was. They run at the same time: each of their deals has ten
seconds until anybody may claim. What the sandbox does with each, alone, is in test_runtime.c."""
import re

import pytest
from faultlib import FLASH, opened

# argument -> what the pool is told
FAILING = {
    "loop": "APP_COMPUTE_TIMEOUT: .*1000 ms",
    "sleep": "APP_COMPUTE_TIMEOUT: .*1000 ms",
    "forks": "APP_COMPUTE_(TIMEOUT|FAILED): ",
    "eats": "APP_COMPUTE_(FAILED|TIMEOUT): ",  # which comes first depends on the machine
    "writes": "APP_COMPUTE_(FAILED: .*(exit code 4|File size limit exceeded)|TIMEOUT)",
    "tmp": "APP_COMPUTE_(FAILED: .*(exit code 4|File size limit exceeded)|TIMEOUT)",
    "many": "APP_COMPUTE_(FAILED: .*exit code 4|TIMEOUT)",
    "prints": "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND|APP_COMPUTE_TIMEOUT",
    "noresult": "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND: .*wrote no /iexec_out/computed.json",
    "linked": "APP_COMPUTE_FAILED: .*is a link",
    "linkedresult": "APP_COMPUTE_FAILED: .*is a link",
    "crash": "APP_COMPUTE_FAILED: .*signal 6",
    "unheard-of": "APP_COMPUTE_FAILED: .*exit code 2",
}
# These are refused one by one by the kernel; exit status 0, and no result: 9 would be "got through".
REFUSED = ["outside", "network", "privileges"]


@pytest.fixture(scope="module")
def m(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("apps"), 2, 4) as market:
        yield market


@pytest.fixture(scope="module")
def all_ran(m):
    """Argument -> task, and money before and after all of them."""
    before = m.money()
    tasks = {arg: m.rent(arg, "--category", FLASH)["task"] for arg in [*FAILING, *REFUSED]}
    tasks["differs"] = m.rent("differs", "--category", FLASH, "--trust", 4)["task"]
    ends = {arg: m.ended(task) for arg, task in tasks.items()}
    return tasks, ends, before, m.money()


@pytest.mark.parametrize("arg", FAILING)
def test_failing(m, all_ran, arg):
    tasks, ends, _, _ = all_ran
    assert ends[arg]["status"] == "FAILED" and ends[arg]["workers"] == []
    assert re.search(FAILING[arg], m.reason(tasks[arg])), m.reason(tasks[arg])


@pytest.mark.parametrize("arg", REFUSED)
def test_refused(m, all_ran, arg):
    tasks, ends, _, _ = all_ran
    assert ends[arg]["status"] == "FAILED"
    assert "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND" in m.reason(tasks[arg]), m.reason(tasks[arg])


def test_another_result_each_time(all_ran):
    """Votes that never agree: no consensus, and the money goes back."""
    _, ends, _, _ = all_ran
    assert ends["differs"]["status"] == "FAILED" and len(ends["differs"]["workers"]) == 2


def test_all_was_refunded(all_ran):
    """Alice has every coin back; the pool alone is fined, into the kitty; no worker lost anything."""
    _, _, before, after = all_ran
    assert sum(map(sum, before.values())) == sum(map(sum, after.values()))
    change = {n: sum(after[n]) - sum(before[n]) for n in before}
    assert change["alice"] == change["carol"] == 0 and after["alice"][1] == 0
    assert change["scheduler"] == -change["kitty"] < 0
    assert all(c == 0 for n, c in change.items() if n.startswith("worker-"))


def test_left_in_the_background(m, tmp_path):
    """What an application leaves running ends with it; its result counts."""
    with m.balanced(completed=1):
        task = m.rent("background")["task"]
        assert m.ended(task)["status"] == "COMPLETED"
    m.run("result", "get", task, "--wallet", "alice", "--out", tmp_path / "out")
    assert (tmp_path / "out/result.txt").read_text() == "left some behind\n"


def test_machine_goes_on(m, all_ran):
    """After all of that an honest task runs as ever, on the same workers, which never ended."""
    with m.balanced(completed=1):
        assert m.ended(m.rent("good")["task"])["status"] == "COMPLETED"
    assert m.log("worker-1").count("waits for work") == 1
    assert m.log("worker-2").count("waits for work") == 1
