#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cast.sh URL - a node by the hand of cast: reads, sends, a contract, its logs, a revert.
set -eu
export ETH_RPC_URL=$1
cast() { node_modules/@foundry-rs/cast-linux-amd64/bin/cast "$@"; }
say() { echo "cast.sh: $*" >&2; exit 1; }
a=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
b=0x70997970C51812dc3A010C7d01b50e0d17dc79C8
key=0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80 # of the public test phrase
[ "$(cast chain-id)" = 31337 ] || say chain-id
n=$(cast block-number)
[ "$(cast block "$n" --field number)" = "$n" ] || say block
before=$(cast balance "$b")
hash=$(cast send --private-key $key "$b" --value 5 --json | sed -n 's/.*"transactionHash":"\(0x[0-9a-f]*\)".*/\1/p')
[ "$(cast balance "$b")" != "$before" ] || say balance
cast receipt "$hash" status | grep -qE '1|true' || say receipt
cast tx "$hash" value | grep -qx 5 || say tx
[ "$(cast nonce $a)" -ge 1 ] || say nonce
hub=$(cast rpc souk_contracts | sed -n 's/.*"hub":"\(0x[0-9a-f]*\)".*/\1/p')
[ "$(cast call "$hub" 'owner()(address)')" = $a ] || say owner
cast send --private-key $key "$hub" 'createCategory(string,string,uint256)' x y 9 >/dev/null
[ "$(cast logs --from-block 0 --address "$hub" 'CreateCategory(uint256,string,string,uint256)' | grep -c transactionHash)" = 1 ] || say logs
cast estimate --from "$b" "$hub" 'createCategory(string,string,uint256)' x y 9 2>&1 | grep -q 'caller is not the owner' || say revert
cast rpc evm_mine >/dev/null
cast rpc eth_nonsense 2>&1 | grep -q 'does not exist' || say unknown
echo "ok cast"
