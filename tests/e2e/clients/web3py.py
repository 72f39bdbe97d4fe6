# SPDX-License-Identifier: Apache-2.0
"""web3py.py URL - a node with web3.py 7: reads, signs, sends, a contract, logs, a revert."""
import sys

from web3 import Web3
from web3.exceptions import ContractLogicError

w3 = Web3(Web3.HTTPProvider(sys.argv[1]))
w3.eth.account.enable_unaudited_hdwallet_features()
me = w3.eth.account.from_mnemonic("test test test test test test test test test test test junk")
other = w3.eth.accounts[1]
assert w3.is_connected() and w3.eth.chain_id == 31337
assert w3.eth.get_block("latest").number == w3.eth.block_number
assert w3.eth.get_balance(me.address) > 0
assert len(w3.eth.fee_history(2, "latest", [10, 90]).baseFeePerGas) >= 2


def send(tx):
    raw = me.sign_transaction(tx).raw_transaction
    return w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(raw), poll_latency=0.01)


fees = {"maxFeePerGas": w3.eth.gas_price * 2, "maxPriorityFeePerGas": w3.eth.max_priority_fee}
base = {"chainId": 31337, "from": me.address, **fees}
got = send({**base, "to": other, "value": 5, "gas": 21000, "type": 2,
            "nonce": w3.eth.get_transaction_count(me.address)})
assert got.status == 1 and got.gasUsed == 21000
assert w3.eth.get_transaction(got.transactionHash).value == 5

hub = w3.to_checksum_address(w3.provider.make_request("souk_contracts", [])["result"]["hub"])
strings = [{"type": t, "name": n} for t, n in (("string", "name"), ("string", "description"),
                                               ("uint256", "workClockTimeRef"))]
abi = [{"type": "function", "name": "createCategory", "stateMutability": "nonpayable",
        "inputs": strings, "outputs": [{"type": "uint256", "name": ""}]},
       {"type": "event", "name": "CreateCategory", "anonymous": False,
        "inputs": [{"type": "uint256", "name": "catid", "indexed": False},
                   *({**s, "indexed": False} for s in strings)]}]
contract = w3.eth.contract(address=hub, abi=abi)
new = contract.events.CreateCategory.create_filter(from_block="latest")
call = contract.functions.createCategory("a", "b", 7)
got = send(call.build_transaction({**base, "nonce": w3.eth.get_transaction_count(me.address)}))
assert got.status == 1
assert contract.events.CreateCategory().process_receipt(got)[0].args.workClockTimeRef == 7
assert len(new.get_new_entries()) == 1
assert len(contract.events.CreateCategory.get_logs(from_block=0)) == 1
try:
    call.call({"from": other})
    raise SystemExit("a stranger made a category")
except ContractLogicError as e:
    assert "caller is not the owner" in str(e)
print("ok web3.py")
