/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IFACE_ORDER_H
#define SOUK_IFACE_ORDER_H

/* order.h - the four signed orders: their ABI tuples and EIP-712 hashes, shared by the chain, the
 * market and the client tools. Field names are the interface's own. Every `bytes` member is a view:
 * after decoding it points into the call data. SPEC poco 4. */

#include "encoding/abi.h"

struct app_order {
    struct address app;
    struct u256 appprice;
    struct u256 volume;
    struct hash tag;
    struct address datasetrestrict;
    struct address workerpoolrestrict;
    struct address requesterrestrict;
    struct hash salt;
    struct bytes sign;
};

struct dataset_order {
    struct address dataset;
    struct u256 datasetprice;
    struct u256 volume;
    struct hash tag;
    struct address apprestrict;
    struct address workerpoolrestrict;
    struct address requesterrestrict;
    struct hash salt;
    struct bytes sign;
};

struct workerpool_order {
    struct address workerpool;
    struct u256 workerpoolprice;
    struct u256 volume;
    struct hash tag;
    struct u256 category;
    struct u256 trust;
    struct address apprestrict;
    struct address datasetrestrict;
    struct address requesterrestrict;
    struct hash salt;
    struct bytes sign;
};

struct request_order {
    struct address app;
    struct u256 appmaxprice;
    struct address dataset;
    struct u256 datasetmaxprice;
    struct address workerpool;
    struct u256 workerpoolmaxprice;
    struct address requester;
    struct u256 volume;
    struct hash tag;
    struct u256 category;
    struct u256 trust;
    struct address beneficiary;
    struct address callback;
    struct bytes params; /* a string, any bytes */
    struct hash salt;
    struct bytes sign;
};

/* The arguments of matchOrders and its kin. */
struct orders {
    struct app_order app;
    struct dataset_order dataset;
    struct workerpool_order workerpool;
    struct request_order request;
};

enum order_operation { ORDER_SIGN = 0, ORDER_CLOSE = 1 };

/* Each takes one dynamic tuple from `a`; a failure sticks there. */
void take_app_order(struct abi_in *a, struct app_order *o);
void take_dataset_order(struct abi_in *a, struct dataset_order *o);
void take_workerpool_order(struct abi_in *a, struct workerpool_order *o);
void take_request_order(struct abi_in *a, struct request_order *o);
void take_orders(struct abi_in *a, struct orders *o);

/* The same from inside the tuple: `t` stands at its start. */
void read_app_order(struct abi_in *t, struct app_order *o);
void read_dataset_order(struct abi_in *t, struct dataset_order *o);
void read_workerpool_order(struct abi_in *t, struct workerpool_order *o);
void read_request_order(struct abi_in *t, struct request_order *o);

/* Head words of an order's tuple, by kind. */
enum { APP_ORDER_WORDS = 9, WORKERPOOL_ORDER_WORDS = 11, REQUEST_ORDER_WORDS = 16 };

/* Each puts one dynamic tuple as the next member of `out`. */
void put_app_order(struct abi_out *out, const struct app_order *o);
void put_dataset_order(struct abi_out *out, const struct dataset_order *o);
void put_workerpool_order(struct abi_out *out, const struct workerpool_order *o);
void put_request_order(struct abi_out *out, const struct request_order *o);

/* The EIP-712 domain separator of a hub: name iExecODB, version 5.0.0. */
struct hash order_domain(struct u256 chain_id, struct address hub);

/* hashStruct of an order, the signature left out. */
struct hash app_order_struct(const struct app_order *o);
struct hash dataset_order_struct(const struct dataset_order *o);
struct hash workerpool_order_struct(const struct workerpool_order *o);
struct hash request_order_struct(const struct request_order *o);

/* keccak256(0x1901 ‖ domain ‖ struct hash): the digest that is signed, and the order's name. */
struct hash order_hash(struct hash domain, struct hash struct_hash);

/* The order hashes themselves. */
struct hash app_order_hash(struct hash domain, const struct app_order *o);
struct hash dataset_order_hash(struct hash domain, const struct dataset_order *o);
struct hash workerpool_order_hash(struct hash domain, const struct workerpool_order *o);
struct hash request_order_hash(struct hash domain, const struct request_order *o);

enum order_kind { ORDER_APP, ORDER_DATASET, ORDER_WORKERPOOL, ORDER_REQUEST };

/* The digest of an operation (sign or close) on an order whose hashStruct is given. */
struct hash order_operation_hash(struct hash domain, enum order_kind kind, struct hash struct_hash,
                                 enum order_operation op);

/* dealid = keccak256(request order hash ‖ volume consumed before); taskid = keccak256(dealid ‖ idx). */
struct hash order_deal_id(struct hash request_hash, struct u256 consumed);
struct hash order_task_id(struct hash deal_id, struct u256 idx);

/* Digests that a task's parties sign, EIP-191 prefixed. SPEC poco 7, "Signed messages". */
struct hash task_authorization_digest(struct address worker, struct hash task_id,
                                      struct address enclave_challenge);
struct hash task_enclave_digest(struct hash result_hash, struct hash result_seal);
/* What an enclave signs for Boost: keccak256(worker ‖ taskid ‖ result hash), EIP-191 prefixed. */
struct hash boost_enclave_digest(struct address worker, struct hash task_id, struct hash result);

/* resultHash = keccak256(taskid ‖ digest); resultSeal = keccak256(worker ‖ taskid ‖ digest). */
struct hash task_result_hash(struct hash task_id, struct hash digest);
struct hash task_result_seal(struct address worker, struct hash task_id, struct hash digest);

#endif /* SOUK_IFACE_ORDER_H */
