/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - who is asking: challenges that a wallet signs (EIP-712), and the limit of requests for each
 * address. Both are tables of a fixed size in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "crypto/secp.h"
#include "daemon/market/market_int.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/typed_data.h"

#define CHALLENGES_MAX   65536
#define CHALLENGE_TTL_MS 300000 /* SPEC sdk-surface 4 */
#define RATE_SLOTS       65536
#define RATE_WINDOW_MS   60000
#define PROBES           8

struct challenge {
    struct address who;
    struct hash digest;
    char text[33];     /* 16 random bytes in hexadecimal */
    uint64_t until_ms; /* 0: free */
};

struct challenge_table {
    struct challenge v[CHALLENGES_MAX];
};

struct rate {
    char peer[48];
    uint64_t since_ms;
    uint64_t n;
};

struct rate_table {
    struct rate v[RATE_SLOTS];
};

void market_auth_open(struct market *m)
{
    m->challenges = calloc(1, sizeof(*m->challenges));
    m->rates = calloc(1, sizeof(*m->rates)); /* pages are real only when touched */
    ASSERT(m->challenges != NULL && m->rates != NULL);
}

void market_auth_close(struct market *m)
{
    free(m->challenges);
    free(m->rates);
    m->challenges = NULL;
    m->rates = NULL;
}

static size_t spread(const void *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a: only to choose a slot */
    for (size_t i = 0; i < n; i++) {
        h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3ULL;
    }
    return (size_t)(h ^ h >> 32);
}

bool rate_take(struct market *m, const char *peer)
{
    bool local = strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0;
    if (m->cfg.rate == 0 || (local && !m->cfg.rate_local)) {
        return true;
    }
    uint64_t now = clock_mono_ms();
    size_t at = spread(peer, strlen(peer));
    struct rate *slot = &m->rates->v[at % RATE_SLOTS];
    for (size_t i = 0; i < PROBES; i++) { /* the same address, else the one longest silent */
        struct rate *r = &m->rates->v[(at + i) % RATE_SLOTS];
        if (strcmp(r->peer, peer) == 0) {
            slot = r;
            break;
        }
        slot = r->since_ms < slot->since_ms ? r : slot;
    }
    if (strcmp(slot->peer, peer) != 0 || now - slot->since_ms >= RATE_WINDOW_MS) {
        *slot = (struct rate){.since_ms = now};
        (void)snprintf(slot->peer, sizeof(slot->peer), "%s", peer);
    }
    return ++slot->n <= m->cfg.rate;
}

/* The pending challenge of an address, or a place for one. */
static struct challenge *slot_of(struct market *m, struct address who, bool *found)
{
    size_t at = spread(who.b, sizeof(who.b));
    struct challenge *slot = &m->challenges->v[at % CHALLENGES_MAX];
    *found = false;
    for (size_t i = 0; i < PROBES; i++) {
        struct challenge *c = &m->challenges->v[(at + i) % CHALLENGES_MAX];
        if (c->until_ms != 0 && address_eq(c->who, who)) {
            *found = c->until_ms > clock_mono_ms();
            return c;
        }
        slot = c->until_ms < slot->until_ms ? c : slot;
    }
    return slot;
}

static json_t *typed_data(const struct market *m, const char *text)
{
    char chain[24];
    char message[96];
    (void)snprintf(chain, sizeof(chain), "%llu", (unsigned long long)m->chain_id);
    (void)snprintf(message, sizeof(message), "Sign this message to log into iExec Gateway: %s",
                   text);
    return json_pack(
        "{s:{s:[{s:s,s:s},{s:s,s:s},{s:s,s:s}],s:[{s:s,s:s}]},s:{s:s,s:s,s:s},s:s,"
        "s:{s:s}}",
        "types", "EIP712Domain", "name", "name", "type", "string", "name", "version", "type",
        "string", "name", "chainId", "type", "uint256", "Challenge", "name", "challenge", "type",
        "string", "domain", "name", "iExec Gateway", "version", "1", "chainId", chain,
        "primaryType", "Challenge", "message", "challenge", message);
}

void market_on_challenge(void *ctx, struct http_req *r)
{
    struct market *m = ctx;
    struct address who;
    struct err e = {0};
    bool given;
    bool any;
    bool found;
    if (!request_ok(m, r)) {
        return;
    }
    rc res = query_address(r, "address", &given, &any, &who, &e);
    if (!rc_ok(res) || !given || any) {
        answer_error(r, 400, "%s",
                     given ? "address must be an ethereum address" : "address is a required field");
        return;
    }
    struct challenge *c = slot_of(m, who, &found);
    if (!found) {
        uint8_t seed[16];
        if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
            answer_error(r, 500, "Internal error");
            return;
        }
        *c = (struct challenge){.who = who, .until_ms = clock_mono_ms() + CHALLENGE_TTL_MS};
        for (size_t i = 0; i < sizeof(seed); i++) {
            (void)snprintf(c->text + 2 * i, 3, "%02x", seed[i]);
        }
    }
    JSON_FREE *data = typed_data(m, c->text);
    if (data == NULL || !rc_ok(typed_data_hash(&c->digest, data, &e))) {
        answer_error(r, 500, "Internal error");
        return;
    }
    BUF_FREE b = buf_new(8192);
    put_str(&b, "{\"ok\":true,\"data\":");
    json_put(&b, data);
    put_str(&b, "}");
    answer(r, &b);
}

rc market_auth_check(struct market *m, struct http_req *r, struct address *who)
{
    const char *h = http_header(r, "authorization");
    const char *sign = h == NULL ? NULL : strchr(h, '_');
    const char *address = sign == NULL ? NULL : strchr(sign + 1, '_');
    char text[HEX_HASH_MAX];
    struct hash digest;
    uint8_t sig[65];
    struct address signer;
    bool found;
    if (address == NULL || (size_t)(sign - h) >= sizeof(text)) {
        return RC(DENIED);
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)(sign - h), h);
    struct bytes s = {(const uint8_t *)sign + 1, (size_t)(address - sign - 1)};
    if (!rc_ok(hex_parse_hash(&digest, text)) || !rc_ok(hex_parse_address(who, address + 1)) ||
        !rc_ok(hex_decode_exact(sig, sizeof(sig), s))) {
        return RC(DENIED);
    }
    struct challenge *c = slot_of(m, *who, &found);
    if (!found || !hash_eq(c->digest, digest) ||
        !rc_ok(secp_recover65(&signer, digest, (struct bytes){sig, sizeof(sig)})) ||
        !address_eq(signer, *who)) {
        return RC(DENIED);
    }
    c->until_ms = 0; /* used up */
    return RC_OK;
}
