# SPDX-License-Identifier: Apache-2.0
"""Every process killed while a task stands at every step: it comes back with its state, the task is
completed, everyone is paid, nobody loses anything. A step is held still by stopping the process that
the next one needs, so that nothing depends on luck."""
import contextlib

import pytest
from faultlib import opened, wait_for

STEPS = ["fetch", "run", "contribute", "reveal", "upload"]
VICTIMS = ["worker-1", "scheduler", "market", "store", "node"]


TRUST = 4  # two votes of workers whose score is below 15, never one


@pytest.fixture(scope="module", params=STEPS)
def stage(request, tmp_path_factory):
    """A market of its own for every step, so that no score grows until one vote is enough."""
    with opened(tmp_path_factory.mktemp(request.param), 2, 4) as market:
        market.ended(market.rent("good")["task"])  # the image is in the store and at a worker
        yield market, request.param


def runs(m, task, n):
    wait_for(lambda: len(m.task_files(task, "out")) >= n, why="the application")


@contextlib.contextmanager
def at_fetch(m, name):
    """Workers have the task, and the store does not give them its input."""
    data = m.folder / f"input-{name}"
    data.write_text(f"input of {name}")
    with contextlib.ExitStack() as stack:
        with m.held("worker-1", "worker-2"):
            task = m.rent("slow", "--input", data, "--trust", TRUST)["task"]
            stack.enter_context(m.held("store"))
        wait_for(lambda: m.task_files(task, ""), why="a worker with the task")
        yield task


@contextlib.contextmanager
def at_run(m, name):
    task = m.rent("slow", "--trust", TRUST)["task"]
    runs(m, task, 1)
    yield task


@contextlib.contextmanager
def at_contribute(m, name):
    """The result is in the journal, and the chain does not take the vote."""
    task = m.rent("slow", "--trust", TRUST)["task"]
    runs(m, task, 2)
    with m.held("node"):
        wait_for(lambda: m.task_files(task, "journal.json"), why="a result")
        yield task


@contextlib.contextmanager
def at_reveal(m, name):
    """The votes agree, and the scheduler asks nobody to reveal."""
    task = m.rent("slow", "--trust", TRUST)["task"]
    runs(m, task, 2)
    with m.held("scheduler"):
        wait_for(lambda: m.task(task)["status"] == "REVEALING", why="consensus")
        yield task


@contextlib.contextmanager
def at_upload(m, name):
    """A vote is revealed, and the store does not take the result."""
    task = m.rent("slow", "--trust", TRUST)["task"]
    runs(m, task, 2)
    with m.held("store"):
        wait_for(lambda: f"task={task} upload by" in m.log("scheduler"), why="a revealed vote")
        yield task


AT = {"fetch": at_fetch, "run": at_run, "contribute": at_contribute, "reveal": at_reveal, "upload": at_upload}


@pytest.mark.parametrize("victim", VICTIMS)
def test_killed(stage, victim, tmp_path):
    m, step = stage
    with m.balanced(completed=1):
        with AT[step](m, f"{step}-{victim}") as task:
            old = m.kill(victim)
        m.back(victim, old)
        end = m.ended(task)
        assert end["status"] == "COMPLETED", end
    m.run("result", "get", task, "--wallet", "alice", "--out", tmp_path / "out")
    assert (tmp_path / "out/result.txt").read_text() == "42\n"
