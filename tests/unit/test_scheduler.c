/* SPDX-License-Identifier: Apache-2.0 */
/* The replication rule against its formula (SPEC offchain 1.4), and what workers report. */
#include <stdlib.h>

#include "daemon/scheduler/scheduler_int.h"
#include "tests/test.h"

static struct vote voted(uint8_t hash, uint64_t weight)
{
    return (struct vote){
        .state = VOTE_CONTRIBUTED, .hash = {{hash}}, .weight = weight, .created_s = 100};
}

static struct vote pending(uint64_t weight, uint64_t created_s)
{
    return (struct vote){.state = VOTE_PENDING, .weight = weight, .created_s = created_s};
}

static void test_weight(void)
{
    CHECK(vote_weight(u256_from(0)) == 2 && vote_weight(u256_from(11)) == 2);
    CHECK(vote_weight(u256_from(12)) == 3 && vote_weight(u256_from(300)) == 99);
}

static void test_rule(void)
{
    struct vote v[8];
    CHECK(!consensus_possible(0, NULL, 0, 100, 300)); /* nobody: one is needed, whatever trust */
    CHECK(!consensus_possible(1, NULL, 0, 100, 300));
    v[0] = pending(2, 100);
    CHECK(consensus_possible(0, v, 1, 100, 300) && consensus_possible(1, v, 1, 100, 300));
    CHECK(!consensus_possible(1, v, 1, 400, 300)); /* one execution time old: counted no more */
    CHECK(consensus_possible(1, v, 1, 399, 300));
    v[0].state = VOTE_FAILED;
    CHECK(!consensus_possible(1, v, 1, 100, 300));

    /* trust 5, weights 2: 2*5 > 3*4 no; 4*5 > 5*4 no (equal); 8*5 > 9*4 yes */
    for (size_t n = 1; n <= 3; n++) {
        v[n - 1] = pending(2, 100);
        CHECK(consensus_possible(5, v, n, 100, 300) == (n == 3));
    }
    /* one contributed, two pending: the product is the same */
    v[0] = voted(1, 2);
    CHECK(consensus_possible(5, v, 3, 100, 300));
    /* a liar: best 2*2 = 4, worst 2: 20 > 7*4 no; one more: 8*5 = 40 > 11*4 = 44 no; 16: 80 > 76 */
    v[1] = voted(2, 2);
    CHECK(!consensus_possible(5, v, 3, 100, 300));
    v[3] = pending(2, 100);
    CHECK(!consensus_possible(5, v, 4, 100, 300));
    v[4] = pending(2, 100);
    CHECK(consensus_possible(5, v, 5, 100, 300));
    /* zero weights are ignored: a single vote without weight is no vote */
    v[0] = pending(0, 100);
    CHECK(!consensus_possible(1, v, 1, 100, 300));
    /* nothing overflows */
    for (size_t i = 0; i < 8; i++) {
        v[i] = voted((uint8_t)(i % 2), UINT64_MAX);
    }
    CHECK(!consensus_possible(UINT64_MAX, v, 8, 100, 300));
    CHECK(consensus_possible(1, v, 8, 100, 300));
}

/* The formula word by word, on small numbers, against the function. */
static bool formula(uint64_t trust, const struct vote *v, size_t n, uint64_t now, uint64_t max)
{
    uint64_t t = trust > 1 ? trust : 1, groups[4] = {0}, pend = 0, best = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t *g = &groups[v[i].hash.b[0]];
        if (v[i].weight == 0) {
            continue;
        }
        if (v[i].state == VOTE_CONTRIBUTED) {
            *g = (*g == 0 ? 1 : *g) * v[i].weight;
        } else if (v[i].state == VOTE_PENDING && now - v[i].created_s < max) {
            pend = (pend == 0 ? 1 : pend) * v[i].weight;
        }
    }
    for (size_t i = 0; i < 4; i++) {
        best = groups[i] > best ? groups[i] : best;
        sum += groups[i];
    }
    uint64_t worst = sum - best;
    best = best > 0 && pend > 0 ? best * pend : best > 0 ? best : pend;
    return best * t > (1 + worst + best) * (t - 1);
}

static void test_random(void)
{
    uint64_t x = 88172645463325252u; /* xorshift, fixed seed */
    for (int round = 0; round < 20000; round++) {
        struct vote v[6];
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        size_t n = x % 7;
        for (size_t i = 0; i < n; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            v[i] = (struct vote){.state = (enum vote_state)(x % 3),
                                 .hash = {{(uint8_t)(x >> 8 & 3)}},
                                 .weight = x >> 16 & 7,
                                 .created_s = 100 - (x >> 24 & 63)};
        }
        uint64_t trust = x >> 40 & 15;
        CHECK(consensus_possible(trust, v, n, 100, 40) == formula(trust, v, n, 100, 40));
    }
}

static void report(const char *text, bool ok)
{
    struct err e = {0};
    struct report r;
    struct arena a;
    arena_init(&a, 1 << 20);
    JSON_FREE *j = json_parse(bytes_str(text), 8, &e);
    CHECK(j != NULL && rc_ok(report_parse(&r, &a, j, &e)) == ok);
    CHECK(ok || e.msg[0] != '\0');
    arena_reset(&a);
}

static void test_reports(void)
{
    report("{\"status\":\"COMPUTED\"}", true);
    report(
        "{\"status\":\"COMPUTED\",\"details\":{\"exitCode\":3,\"computeLogs\":{\"stdout\":\"a\","
        "\"stderr\":\"b\"},\"chainCallbackData\":\"0x01\"}}",
        true);
    report("{\"status\":\"DONE\"}", false);
    report("{\"status\":\"COMPUTED\",\"details\":{\"exitCode\":256}}", false);
    report("[]", false);
    static const char good[] =
        "{ \"storage\": \"ipfs\", \"location\": "
        "\"/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG\" }";
    CHECK(rc_ok(link_check(good, NULL)));
    CHECK(!rc_ok(link_check("{ \"storage\": \"ethereum\", \"location\": \"0x00ff\" }", NULL)));
    CHECK(!rc_ok(link_check("{\"storage\":\"ipfs\",\"location\":\"/ipfs/Qm\"}", NULL)));
    CHECK(!rc_ok(link_check("{ \"storage\": \"ipfs\", \"location\": \"/ipfs/nothing\" }", NULL)));
    CHECK(!rc_ok(link_check("", NULL)));
    CHECK(!rc_ok(link_check("{ \"storage\": \"ipfs\", \"location\": \"/ipfs/\" }", NULL)));
}

int main(void)
{
    test_weight();
    test_rule();
    test_random();
    test_reports();
    return 0;
}
