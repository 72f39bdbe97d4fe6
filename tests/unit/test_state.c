/* SPDX-License-Identifier: Apache-2.0 */
/* Random reads, writes, savepoints and rollbacks against a plain table. */
#include "chain/state/state.h"

#include "tests/test.h"

enum { KEYS = 40, DEPTH = 6 };

static uint32_t committed[KEYS], now[KEYS], saved[DEPTH][KEYS];
static uint32_t seed = 4711;

static uint32_t next(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static rc read_committed(void *ctx, struct bytes key, struct bytes *value)
{
    static uint32_t v;
    uint32_t k;
    (void)ctx;
    memcpy(&k, key.p, sizeof(k));
    if (k == 999) {
        return RC(CORRUPT);
    }
    v = committed[k];
    *value = (struct bytes){(const uint8_t *)&v, sizeof(v)};
    return v != 0 ? RC_OK : RC(NOT_FOUND);
}

struct seen {
    uint32_t n, last;
};

static rc on_change(void *ctx, struct bytes key, struct bytes value, struct bytes before)
{
    struct seen *s = ctx;
    uint32_t k, v = 0, b = 0;
    memcpy(&k, key.p, sizeof(k));
    if (value.p != NULL) {
        memcpy(&v, value.p, sizeof(v));
    }
    if (before.p != NULL) {
        memcpy(&b, before.p, sizeof(b));
    }
    CHECK(v == now[k] && b == committed[k] && v != b);
    CHECK(s->n == 0 || k > s->last);
    s->last = k;
    s->n++;
    return RC_OK;
}

int main(void)
{
    struct state *s = state_new(read_committed, NULL);
    state_mark mark[DEPTH];
    size_t depth = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        committed[i] = now[i] = next() % 2 == 0 ? 0 : next() + 1;
    }
    for (int step = 0; step < 200000; step++) {
        uint32_t k = next() % KEYS;
        struct bytes value;
        switch (next() % 8) {
        case 0:
            if (depth < DEPTH) {
                memcpy(saved[depth], now, sizeof(now));
                mark[depth++] = state_save(s);
            }
            break;
        case 1:
            if (depth > 0) {
                depth = next() % depth;
                state_rollback(s, mark[depth]);
                memcpy(now, saved[depth], sizeof(now));
            }
            break;
        case 2:
            state_del(s, BYTES_OF(k));
            now[k] = 0;
            break;
        case 3:
        case 4:
            now[k] = next() + 1;
            state_put(s, BYTES_OF(k), BYTES_OF(now[k]));
            break;
        default:
            CHECK(rc_ok(state_get(s, BYTES_OF(k), &value)) == (now[k] != 0));
            CHECK(now[k] == 0 || memcmp(value.p, &now[k], sizeof(now[k])) == 0);
            break;
        }
        if (step % 5000 == 0) {
            struct seen seen = {0};
            uint32_t want = 0;
            for (uint32_t i = 0; i < KEYS; i++) {
                want += now[i] != committed[i];
            }
            CHECK(rc_ok(state_changes(s, on_change, &seen)) && seen.n == want);
        }
    }
    uint32_t bad = 999;
    struct bytes value;
    CHECK(state_get(s, BYTES_OF(bad), &value).code == RC_CODE_CORRUPT);
    state_reset(s);
    CHECK(rc_ok(state_changes(s, on_change, &(struct seen){0})) && state_memory(s) < 100000);
    state_free(s);
    return 0;
}
