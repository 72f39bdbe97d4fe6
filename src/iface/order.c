/* SPDX-License-Identifier: Apache-2.0 */
#include "iface/order.h"

#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "iface/order_types.h"

enum { WORD = 32, WORDS_MAX = 16 };

void read_app_order(struct abi_in *t, struct app_order *o)
{
    o->app = abi_take_address(t);
    o->appprice = abi_take_u256(t);
    o->volume = abi_take_u256(t);
    o->tag = abi_take_hash(t);
    o->datasetrestrict = abi_take_address(t);
    o->workerpoolrestrict = abi_take_address(t);
    o->requesterrestrict = abi_take_address(t);
    o->salt = abi_take_hash(t);
    o->sign = abi_take_memory(t);
}

void take_app_order(struct abi_in *a, struct app_order *o)
{
    struct abi_in t = abi_take_struct(a, APP_ORDER_WORDS);
    read_app_order(&t, o);
    abi_join(a, &t);
}

void read_dataset_order(struct abi_in *t, struct dataset_order *o)
{
    o->dataset = abi_take_address(t);
    o->datasetprice = abi_take_u256(t);
    o->volume = abi_take_u256(t);
    o->tag = abi_take_hash(t);
    o->apprestrict = abi_take_address(t);
    o->workerpoolrestrict = abi_take_address(t);
    o->requesterrestrict = abi_take_address(t);
    o->salt = abi_take_hash(t);
    o->sign = abi_take_memory(t);
}

void take_dataset_order(struct abi_in *a, struct dataset_order *o)
{
    struct abi_in t = abi_take_struct(a, APP_ORDER_WORDS);
    read_dataset_order(&t, o);
    abi_join(a, &t);
}

void read_workerpool_order(struct abi_in *t, struct workerpool_order *o)
{
    o->workerpool = abi_take_address(t);
    o->workerpoolprice = abi_take_u256(t);
    o->volume = abi_take_u256(t);
    o->tag = abi_take_hash(t);
    o->category = abi_take_u256(t);
    o->trust = abi_take_u256(t);
    o->apprestrict = abi_take_address(t);
    o->datasetrestrict = abi_take_address(t);
    o->requesterrestrict = abi_take_address(t);
    o->salt = abi_take_hash(t);
    o->sign = abi_take_memory(t);
}

void take_workerpool_order(struct abi_in *a, struct workerpool_order *o)
{
    struct abi_in t = abi_take_struct(a, WORKERPOOL_ORDER_WORDS);
    read_workerpool_order(&t, o);
    abi_join(a, &t);
}

void read_request_order(struct abi_in *t, struct request_order *o)
{
    o->app = abi_take_address(t);
    o->appmaxprice = abi_take_u256(t);
    o->dataset = abi_take_address(t);
    o->datasetmaxprice = abi_take_u256(t);
    o->workerpool = abi_take_address(t);
    o->workerpoolmaxprice = abi_take_u256(t);
    o->requester = abi_take_address(t);
    o->volume = abi_take_u256(t);
    o->tag = abi_take_hash(t);
    o->category = abi_take_u256(t);
    o->trust = abi_take_u256(t);
    o->beneficiary = abi_take_address(t);
    o->callback = abi_take_address(t);
    o->params = abi_take_memory(t);
    o->salt = abi_take_hash(t);
    o->sign = abi_take_memory(t);
}

void take_request_order(struct abi_in *a, struct request_order *o)
{
    struct abi_in t = abi_take_struct(a, REQUEST_ORDER_WORDS);
    read_request_order(&t, o);
    abi_join(a, &t);
}

void take_orders(struct abi_in *a, struct orders *o)
{
    take_app_order(a, &o->app);
    take_dataset_order(a, &o->dataset);
    take_workerpool_order(a, &o->workerpool);
    take_request_order(a, &o->request);
}

void put_app_order(struct abi_out *out, const struct app_order *o)
{
    struct abi_out t = abi_put_tuple(out, APP_ORDER_WORDS);
    abi_put_address(&t, o->app);
    abi_put_u256(&t, o->appprice);
    abi_put_u256(&t, o->volume);
    abi_put_hash(&t, o->tag);
    abi_put_address(&t, o->datasetrestrict);
    abi_put_address(&t, o->workerpoolrestrict);
    abi_put_address(&t, o->requesterrestrict);
    abi_put_hash(&t, o->salt);
    abi_put_bytes(&t, o->sign);
}

void put_dataset_order(struct abi_out *out, const struct dataset_order *o)
{
    struct abi_out t = abi_put_tuple(out, APP_ORDER_WORDS);
    abi_put_address(&t, o->dataset);
    abi_put_u256(&t, o->datasetprice);
    abi_put_u256(&t, o->volume);
    abi_put_hash(&t, o->tag);
    abi_put_address(&t, o->apprestrict);
    abi_put_address(&t, o->workerpoolrestrict);
    abi_put_address(&t, o->requesterrestrict);
    abi_put_hash(&t, o->salt);
    abi_put_bytes(&t, o->sign);
}

void put_workerpool_order(struct abi_out *out, const struct workerpool_order *o)
{
    struct abi_out t = abi_put_tuple(out, WORKERPOOL_ORDER_WORDS);
    abi_put_address(&t, o->workerpool);
    abi_put_u256(&t, o->workerpoolprice);
    abi_put_u256(&t, o->volume);
    abi_put_hash(&t, o->tag);
    abi_put_u256(&t, o->category);
    abi_put_u256(&t, o->trust);
    abi_put_address(&t, o->apprestrict);
    abi_put_address(&t, o->datasetrestrict);
    abi_put_address(&t, o->requesterrestrict);
    abi_put_hash(&t, o->salt);
    abi_put_bytes(&t, o->sign);
}

void put_request_order(struct abi_out *out, const struct request_order *o)
{
    struct abi_out t = abi_put_tuple(out, REQUEST_ORDER_WORDS);
    abi_put_address(&t, o->app);
    abi_put_u256(&t, o->appmaxprice);
    abi_put_address(&t, o->dataset);
    abi_put_u256(&t, o->datasetmaxprice);
    abi_put_address(&t, o->workerpool);
    abi_put_u256(&t, o->workerpoolmaxprice);
    abi_put_address(&t, o->requester);
    abi_put_u256(&t, o->volume);
    abi_put_hash(&t, o->tag);
    abi_put_u256(&t, o->category);
    abi_put_u256(&t, o->trust);
    abi_put_address(&t, o->beneficiary);
    abi_put_address(&t, o->callback);
    abi_put_bytes(&t, o->params);
    abi_put_hash(&t, o->salt);
    abi_put_bytes(&t, o->sign);
}

/* Words of an EIP-712 struct, the type hash first, collected and hashed in one go. */
struct words {
    uint8_t b[WORD * WORDS_MAX];
    size_t n;
};

static void add_hash(struct words *w, struct hash v)
{
    memcpy(w->b + w->n, v.b, WORD);
    w->n += WORD;
}

static void add_address(struct words *w, struct address v)
{
    memset(w->b + w->n, 0, WORD - sizeof(v.b));
    memcpy(w->b + w->n + WORD - sizeof(v.b), v.b, sizeof(v.b));
    w->n += WORD;
}

static void add_u256(struct words *w, struct u256 v)
{
    u256_to_be(w->b + w->n, v);
    w->n += WORD;
}

static struct hash words_hash(const struct words *w)
{
    return keccak256((struct bytes){w->b, w->n});
}

struct hash order_domain(struct u256 chain_id, struct address hub)
{
    struct words w = {0};
    add_hash(&w, order_typehash_domain);
    add_hash(&w, keccak256(BYTES_LIT("iExecODB")));
    add_hash(&w, keccak256(BYTES_LIT("5.0.0")));
    add_u256(&w, chain_id);
    add_address(&w, hub);
    return words_hash(&w);
}

struct hash app_order_struct(const struct app_order *o)
{
    struct words w = {0};
    add_hash(&w, order_typehash_app);
    add_address(&w, o->app);
    add_u256(&w, o->appprice);
    add_u256(&w, o->volume);
    add_hash(&w, o->tag);
    add_address(&w, o->datasetrestrict);
    add_address(&w, o->workerpoolrestrict);
    add_address(&w, o->requesterrestrict);
    add_hash(&w, o->salt);
    return words_hash(&w);
}

struct hash dataset_order_struct(const struct dataset_order *o)
{
    struct words w = {0};
    add_hash(&w, order_typehash_dataset);
    add_address(&w, o->dataset);
    add_u256(&w, o->datasetprice);
    add_u256(&w, o->volume);
    add_hash(&w, o->tag);
    add_address(&w, o->apprestrict);
    add_address(&w, o->workerpoolrestrict);
    add_address(&w, o->requesterrestrict);
    add_hash(&w, o->salt);
    return words_hash(&w);
}

struct hash workerpool_order_struct(const struct workerpool_order *o)
{
    struct words w = {0};
    add_hash(&w, order_typehash_workerpool);
    add_address(&w, o->workerpool);
    add_u256(&w, o->workerpoolprice);
    add_u256(&w, o->volume);
    add_hash(&w, o->tag);
    add_u256(&w, o->category);
    add_u256(&w, o->trust);
    add_address(&w, o->apprestrict);
    add_address(&w, o->datasetrestrict);
    add_address(&w, o->requesterrestrict);
    add_hash(&w, o->salt);
    return words_hash(&w);
}

struct hash request_order_struct(const struct request_order *o)
{
    struct words w = {0};
    add_hash(&w, order_typehash_request);
    add_address(&w, o->app);
    add_u256(&w, o->appmaxprice);
    add_address(&w, o->dataset);
    add_u256(&w, o->datasetmaxprice);
    add_address(&w, o->workerpool);
    add_u256(&w, o->workerpoolmaxprice);
    add_address(&w, o->requester);
    add_u256(&w, o->volume);
    add_hash(&w, o->tag);
    add_u256(&w, o->category);
    add_u256(&w, o->trust);
    add_address(&w, o->beneficiary);
    add_address(&w, o->callback);
    add_hash(&w, keccak256(o->params));
    add_hash(&w, o->salt);
    return words_hash(&w);
}

struct hash order_hash(struct hash domain, struct hash struct_hash)
{
    uint8_t b[2 + 2 * WORD] = {0x19, 0x01};
    memcpy(b + 2, domain.b, WORD);
    memcpy(b + 2 + WORD, struct_hash.b, WORD);
    return keccak256((struct bytes){b, sizeof(b)});
}

struct hash app_order_hash(struct hash domain, const struct app_order *o)
{
    return order_hash(domain, app_order_struct(o));
}

struct hash dataset_order_hash(struct hash domain, const struct dataset_order *o)
{
    return order_hash(domain, dataset_order_struct(o));
}

struct hash workerpool_order_hash(struct hash domain, const struct workerpool_order *o)
{
    return order_hash(domain, workerpool_order_struct(o));
}

struct hash request_order_hash(struct hash domain, const struct request_order *o)
{
    return order_hash(domain, request_order_struct(o));
}

struct hash order_operation_hash(struct hash domain, enum order_kind kind, struct hash struct_hash,
                                 enum order_operation op)
{
    static const struct hash *const types[] = {
        [ORDER_APP] = &order_typehash_app_operation,
        [ORDER_DATASET] = &order_typehash_dataset_operation,
        [ORDER_WORKERPOOL] = &order_typehash_workerpool_operation,
        [ORDER_REQUEST] = &order_typehash_request_operation,
    };
    struct words w = {0};
    add_hash(&w, *types[kind]);
    add_hash(&w, struct_hash);
    add_u256(&w, u256_from((uint64_t)op));
    return order_hash(domain, words_hash(&w));
}

struct hash order_deal_id(struct hash request_hash, struct u256 consumed)
{
    struct words w = {0};
    add_hash(&w, request_hash);
    add_u256(&w, consumed);
    return words_hash(&w);
}

struct hash order_task_id(struct hash deal_id, struct u256 idx)
{
    return order_deal_id(deal_id, idx);
}

struct hash task_authorization_digest(struct address worker, struct hash task_id,
                                      struct address enclave_challenge)
{
    uint8_t b[20 + 32 + 20];
    memcpy(b, worker.b, 20);
    memcpy(b + 20, task_id.b, 32);
    memcpy(b + 52, enclave_challenge.b, 20);
    return eip191_hash(keccak256((struct bytes){b, sizeof(b)}));
}

struct hash task_enclave_digest(struct hash result_hash, struct hash result_seal)
{
    return eip191_hash(keccak256_2(BYTES_OF(result_hash), BYTES_OF(result_seal)));
}

struct hash task_result_hash(struct hash task_id, struct hash digest)
{
    return keccak256_2(BYTES_OF(task_id), BYTES_OF(digest));
}

struct hash task_result_seal(struct address worker, struct hash task_id, struct hash digest)
{
    uint8_t b[20 + 32 + 32];
    memcpy(b, worker.b, 20);
    memcpy(b + 20, task_id.b, 32);
    memcpy(b + 52, digest.b, 32);
    return keccak256((struct bytes){b, sizeof(b)});
}

struct hash boost_enclave_digest(struct address worker, struct hash task_id, struct hash result)
{
    return eip191_hash(task_result_seal(worker, task_id, result)); /* the same three, packed */
}
