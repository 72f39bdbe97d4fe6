# SPDX-License-Identifier: Apache-2.0
"""What was signed, used again or by another: real transactions of a real deal, taken from the chain,
changed by a little and tried again, at the block before they were mined (where the genuine ones pass)
and after. No money moves. Every check of the matching by itself is in test_poco_rules.c."""
import pytest
from conftest import Rpc, RpcError
from faultlib import FLASH, opened, wait_for


@pytest.fixture(scope="module")
def m(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("orders"), 2, 2) as market:
        market.rpc = Rpc(market.info["node"])
        market.address = {w["name"]: w["address"] for w in market.run("wallet", "list")}
        yield market


@pytest.fixture(scope="module")
def chain(m):
    """The transactions of one completed task, in order: (block, transaction)."""
    first = int(m.rpc.call("eth_blockNumber"), 16) + 1
    end = m.ended(m.rent("good", "--trust", 4)["task"])
    assert end["status"] == "COMPLETED"
    last = int(m.rpc.call("eth_blockNumber"), 16)
    blocks = [m.rpc.call("eth_getBlockByNumber", hex(n), True) for n in range(first, last + 1)]
    return [(int(b["number"], 16), t) for b in blocks for t in b["transactions"]]


def of(chain, sender, which=0):
    return [(n, t) for n, t in chain if t["from"].lower() == sender.lower()][which]


def call(m, tx, block, data=None, sender=None):
    return m.rpc.call("eth_call", {"from": sender or tx["from"], "to": tx["to"], "data": data or tx["input"], "gas": "0x7a1200"},
                      block if isinstance(block, str) else hex(block))


def refused(m, *args, **kw):
    with pytest.raises(RpcError) as e:
        call(m, *args, **kw)
    return str(e.value)


def signatures(data):
    """Where the 65-byte strings of a call lie, in hex digits."""
    word = f"{65:064x}"
    at = range(10, len(data) - 64, 64)
    return [i + 64 for i in at if data[i:i + 64] == word]


def flipped(data, at):
    return data[:at] + f"{int(data[at], 16) ^ 1:x}" + data[at + 1:]


def test_order_replayed(m, chain):
    """The same four orders once more: the request is used up."""
    n, tx = of(chain, m.address["alice"])
    with m.balanced():
        call(m, tx, n - 1)
        assert "iExecV5-matchOrders-0x60" in refused(m, tx, "latest")


def test_transaction_replayed(m, chain):
    """A signed transaction is good once."""
    _, tx = of(chain, m.address["alice"])
    raw = m.rpc.call("eth_getRawTransactionByHash", tx["hash"])
    with m.balanced(), pytest.raises(RpcError, match="nonce too low|already known"):
        m.rpc.call("eth_sendRawTransaction", raw)


@pytest.mark.parametrize("which", ["app", "workerpool"])
def test_wrong_signature(m, chain, which):
    """One bit of an order's signature: whoever it is now, he does not own the thing."""
    n, tx = of(chain, m.address["alice"])
    data = tx["input"]
    at = signatures(data)
    assert len(at) >= 2
    spoiled = flipped(data, at[0 if which == "app" else 1] + 10)
    with m.balanced():
        assert "revert" in refused(m, tx, n - 1, data=spoiled)


def test_changed_order(m, chain):
    """One nRLC less in the application's price, under the owner's old signature."""
    n, tx = of(chain, m.address["alice"])
    price = f"{100_000_000:064x}"
    assert price in tx["input"]
    with m.balanced():
        said = refused(m, tx, n - 1, data=tx["input"].replace(price, f"{99_999_999:064x}", 1))
        assert "revert" in said


def test_authorisation_of_another(m, chain):
    """A worker contributes with what the pool had signed for its neighbour."""
    n, tx = of(chain, m.address["worker-1"])
    with m.balanced():
        call(m, tx, n - 1)
        assert "revert" in refused(m, tx, n - 1, sender=m.address["worker-2"])


def test_authorisation_replayed(m, chain):
    """A worker contributes once more, with its own authorisation, while the task still waits."""
    n, tx = of(chain, m.address["worker-1"])
    with m.balanced():
        assert "revert" in refused(m, tx, n)
        assert "revert" in refused(m, tx, "latest")


def test_authorisation_changed(m, chain):
    n, tx = of(chain, m.address["worker-1"])
    with m.balanced():
        at = signatures(tx["input"])[-1]
        assert "revert" in refused(m, tx, n - 1, data=flipped(tx["input"], at + 10))


def test_reveal_of_another_result(m, chain):
    n, tx = of(chain, m.address["worker-1"], 1)
    with m.balanced():
        call(m, tx, n - 1)
        assert "revert" in refused(m, tx, n - 1, data=flipped(tx["input"], len(tx["input"]) - 1))


def test_spent_order(m):
    """An order that was good for one task is gone from the book after it."""
    m.new_wallet("dave", 100)
    pool = m.run("pool", "create", "--wallet", "dave", "--description", "once")["workerpool"]
    m.run("pool", "publish", "--wallet", "dave", "--pool", pool, "--price", "2", "--volume", "1", "--category", FLASH)
    deal = m.rent("good", "--category", FLASH, "--pool", pool)["deal"]

    def second():
        return m.run("rent", "--wallet", "alice", "--app", "hostile", "--args", "good", "--category", FLASH, "--pool", pool,
                     "--no-wait", check=False)

    before = m.money()["alice"]
    said = wait_for(lambda: getattr(second(), "stderr", ""), why="a refusal")
    assert "nobody offers" in said
    assert m.money()["alice"] == before
    wait_for(lambda: isinstance(m.run("claim", deal, "--wallet", "carol", check=False), dict), 30, "the claim")
    assert m.money()["alice"][1] == 0


def test_too_little_money(m):
    """The client says what is missing and how to mend it, before anything is signed."""
    m.new_wallet("poor", 1)
    with m.balanced(pay=("alice", "poor")):
        p = m.run("rent", "--wallet", "poor", "--app", "hostile", "--args", "good", "--no-wait", check=False)
        assert p.returncode == 1 and "deposit" in p.stderr, p.stderr


def test_pool_with_too_little_stake(m):
    """A pool that could not be fined may not sell."""
    m.new_wallet("erin", 0)
    pool = m.run("pool", "create", "--wallet", "erin", "--description", "no stake")["workerpool"]
    with m.balanced():
        p = m.run("pool", "publish", "--wallet", "erin", "--pool", pool, "--price", "2", "--volume", "1", check=False)
        assert p.returncode == 1 and "stake is too low" in p.stderr, p.stderr


def test_withdrawing_what_is_locked(m):
    """Money in a running deal stays there."""
    m.new_wallet("quick", 2)
    task = m.rent("slow", wallet="quick")["task"]
    p = m.run("wallet", "withdraw", 2, "--wallet", "quick", check=False)
    assert p.returncode == 1, p
    assert m.ended(task)["status"] == "COMPLETED"


def test_selling_what_is_another_s(m):
    """Who does not own an application cannot publish an order for it."""
    pool = m.info["workerpool"]
    with m.balanced():
        p = m.run("pool", "publish", "--wallet", "carol", "--pool", pool, "--price", "0", "--volume", "1", check=False)
        assert p.returncode == 1 and p.stderr, p
