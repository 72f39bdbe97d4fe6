/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CMD_RENT_INT_H
#define SOUK_CMD_RENT_INT_H

/* rent_int.h - the steps of a rent, which bench/rent times one by one. */

#include "cmd/session.h"

struct rent_opts {
    struct session_opts so;
    const char *app, *model, *args, *tag, *pool, *out;
    struct opt_list input;
    uint64_t category, trust, volume, timeout_ms;
    bool public_input, plain_result, no_wait;
};

struct rent {
    struct address app, dataset, pool; /* dataset, pool: zero for none, any */
    uint64_t category, trust, volume;
    struct hash tag;
    bool tag_given;
    struct orders orders; /* the offers taken, and the request made for them */
    json_t *json[3];      /* what the views in `orders` rest on */
    json_t *inputs, *secrets, *params;
    uint8_t sign[65];  /* of the request */
    struct u256 price; /* of one task, nRLC */
    struct hash deal;
    uint64_t matched; /* tasks */
};

/* The cheapest offers that fit; NOT_FOUND says what nobody offers. */
rc rent_find(struct session *s, struct rent *r, struct err *e);

/* Prepares inputs and result key, signs the request and matches. */
rc rent_match(struct session *s, struct rent *r, const struct rent_opts *o, struct err *e);
void rent_free(struct rent *r);

#endif /* SOUK_CMD_RENT_INT_H */
