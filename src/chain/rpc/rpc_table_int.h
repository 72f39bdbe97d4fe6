/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_RPC_RPC_TABLE_INT_H
#define SOUK_CHAIN_RPC_RPC_TABLE_INT_H

/* rpc_table_int.h - the handlers that table.c lists; what each does stands there. */

#include "chain/rpc/rpc_int.h"

rc dev_auto_impersonate(struct rpc_req *q);
rc dev_drop(struct rpc_req *q);
rc dev_get_automine(struct rpc_req *q);
rc dev_impersonate(struct rpc_req *q);
rc dev_mine(struct rpc_req *q);
rc dev_reset(struct rpc_req *q);
rc dev_set_balance(struct rpc_req *q);
rc dev_set_base_fee(struct rpc_req *q);
rc dev_set_code(struct rpc_req *q);
rc dev_set_coinbase(struct rpc_req *q);
rc dev_set_nonce(struct rpc_req *q);
rc dev_set_storage(struct rpc_req *q);
rc dev_stop_impersonating(struct rpc_req *q);
rc eth_accounts(struct rpc_req *q);
rc eth_block_number(struct rpc_req *q);
rc eth_call(struct rpc_req *q);
rc eth_chain_id(struct rpc_req *q);
rc eth_estimate_gas(struct rpc_req *q);
rc eth_fee_history(struct rpc_req *q);
rc eth_gas_price(struct rpc_req *q);
rc eth_get_balance(struct rpc_req *q);
rc eth_get_block_by_hash(struct rpc_req *q);
rc eth_get_block_by_number(struct rpc_req *q);
rc eth_get_block_receipts(struct rpc_req *q);
rc eth_get_code(struct rpc_req *q);
rc eth_get_filter_changes(struct rpc_req *q);
rc eth_get_filter_logs(struct rpc_req *q);
rc eth_get_logs(struct rpc_req *q);
rc eth_get_nonce(struct rpc_req *q);
rc eth_get_raw_tx(struct rpc_req *q);
rc eth_get_receipt(struct rpc_req *q);
rc eth_get_storage(struct rpc_req *q);
rc eth_get_tx(struct rpc_req *q);
rc eth_get_tx_by_block_hash(struct rpc_req *q);
rc eth_get_tx_by_block_number(struct rpc_req *q);
rc eth_max_priority_fee(struct rpc_req *q);
rc eth_new_block_filter(struct rpc_req *q);
rc eth_new_filter(struct rpc_req *q);
rc eth_new_pending_filter(struct rpc_req *q);
rc eth_send_raw(struct rpc_req *q);
rc eth_send_transaction(struct rpc_req *q);
rc eth_sign(struct rpc_req *q);
rc eth_sign_transaction(struct rpc_req *q);
rc eth_sign_typed(struct rpc_req *q);
rc eth_subscribe(struct rpc_req *q);
rc eth_syncing(struct rpc_req *q);
rc eth_tx_count_by_hash(struct rpc_req *q);
rc eth_tx_count_by_number(struct rpc_req *q);
rc eth_uncle(struct rpc_req *q);
rc eth_uncles_by_hash(struct rpc_req *q);
rc eth_uncles_by_number(struct rpc_req *q);
rc eth_uninstall_filter(struct rpc_req *q);
rc eth_unsubscribe(struct rpc_req *q);
rc evm_increase_time(struct rpc_req *q);
rc evm_mine(struct rpc_req *q);
rc evm_revert(struct rpc_req *q);
rc evm_set_automine(struct rpc_req *q);
rc evm_set_gas_limit(struct rpc_req *q);
rc evm_set_interval(struct rpc_req *q);
rc evm_set_next_time(struct rpc_req *q);
rc evm_snapshot(struct rpc_req *q);
rc net_listening(struct rpc_req *q);
rc net_peer_count(struct rpc_req *q);
rc net_version(struct rpc_req *q);
rc personal_sign(struct rpc_req *q);
rc rpc_modules(struct rpc_req *q);
rc souk_contracts(struct rpc_req *q);
rc souk_get_proof(struct rpc_req *q);
rc txpool_content(struct rpc_req *q);
rc txpool_content_from(struct rpc_req *q);
rc txpool_inspect(struct rpc_req *q);
rc txpool_status(struct rpc_req *q);
rc web3_client_version(struct rpc_req *q);
rc web3_sha3(struct rpc_req *q);

#endif /* SOUK_CHAIN_RPC_RPC_TABLE_INT_H */
