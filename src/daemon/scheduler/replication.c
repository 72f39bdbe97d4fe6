/* SPDX-License-Identifier: Apache-2.0 */
/* replication.c - when one more worker is needed: SPEC offchain 1.4, SPEC poco 7.1. */
#include "daemon/scheduler/scheduler.h"

/* Products saturate: beyond 2^64 a group outweighs everything that can be. */
static uint64_t mul(uint64_t a, uint64_t b)
{
    uint64_t r;
    return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

uint64_t vote_weight(struct u256 score)
{
    struct u256 third;
    uint64_t v;
    ASSERT(u256_div(&third, NULL, score, u256_from(3)));
    if (!u256_to_u64(third, &v)) {
        v = UINT64_MAX;
    }
    return MAX(v, (uint64_t)3) - 1;
}

/* Product of the weights of contributions with this hash; 0 when there is none. */
static uint64_t group(const struct vote *v, size_t n, struct hash hash)
{
    uint64_t product = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i].state == VOTE_CONTRIBUTED && v[i].weight > 0 && hash_eq(v[i].hash, hash)) {
            product = mul(product == 0 ? 1 : product, v[i].weight);
        }
    }
    return product;
}

static uint64_t pending_of(const struct vote *v, size_t n, uint64_t now_s, uint64_t max_s)
{
    uint64_t product = 0;
    for (size_t i = 0; i < n; i++) {
        bool young = now_s < v[i].created_s || now_s - v[i].created_s < max_s;
        if (v[i].state == VOTE_PENDING && v[i].weight > 0 && young) {
            product = mul(product == 0 ? 1 : product, v[i].weight);
        }
    }
    return product;
}

bool consensus_possible(uint64_t trust, const struct vote *v, size_t n, uint64_t now_s,
                        uint64_t max_execution_s)
{
    struct u256 total = u256_from(1), left, right;
    uint64_t t = MAX(trust, (uint64_t)1), best = 0;
    for (size_t i = 0; i < n; i++) { /* each hash is counted where it first occurs */
        bool first = v[i].state == VOTE_CONTRIBUTED && v[i].weight > 0;
        for (size_t k = 0; first && k < i; k++) {
            first = !(v[k].state == VOTE_CONTRIBUTED && v[k].weight > 0 &&
                      hash_eq(v[k].hash, v[i].hash));
        }
        if (first) {
            uint64_t g = group(v, n, v[i].hash);
            best = MAX(best, g);
            ASSERT(u256_add(&total, total, u256_from(g)));
        }
    }
    uint64_t pending = pending_of(v, n, now_s, max_execution_s), before = best;
    best = best > 0 && pending > 0 ? mul(best, pending) : best + pending; /* one of them is 0 */
    /* best * t > (1 + worst + best) * (t - 1), where 1 + worst is what is in total beside best */
    ASSERT(u256_sub(&total, total, u256_from(before)) && u256_add(&total, total, u256_from(best)) &&
           u256_mul(&left, u256_from(best), u256_from(t)) &&
           u256_mul(&right, total, u256_from(t - 1)));
    return u256_lt(right, left);
}
