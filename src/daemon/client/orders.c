/* SPDX-License-Identifier: Apache-2.0 */
/* orders.c - the four orders in JSON, as the market and the SDK write them: sdk-surface 4. */
#include "daemon/client/client_int.h"
#include "encoding/hex.h"

#define SIGN_MAX   65536 /* bytes: a contract wallet's signature may be long */
#define NUMBER_MAX (((uint64_t)1 << 53) - 1)

/* --- reading --- */

enum kind { ADDRESS, NUMBER, HASH };

struct field { /* one fixed-size member; `at` is its place in the struct */
    const char *name;
    enum kind kind;
    size_t at;
};

#define F(type, kind, name)                                                                        \
    {                                                                                              \
#name, (kind), offsetof(struct type, name)                                                 \
    }
#define END_FIELDS                                                                                 \
    {                                                                                              \
        NULL, ADDRESS, 0                                                                           \
    }

static const struct field app_fields[] = {
    F(app_order, ADDRESS, app),
    F(app_order, NUMBER, appprice),
    F(app_order, NUMBER, volume),
    F(app_order, HASH, tag),
    F(app_order, ADDRESS, datasetrestrict),
    F(app_order, ADDRESS, workerpoolrestrict),
    F(app_order, ADDRESS, requesterrestrict),
    F(app_order, HASH, salt),
    END_FIELDS,
};

static const struct field dataset_fields[] = {
    F(dataset_order, ADDRESS, dataset),
    F(dataset_order, NUMBER, datasetprice),
    F(dataset_order, NUMBER, volume),
    F(dataset_order, HASH, tag),
    F(dataset_order, ADDRESS, apprestrict),
    F(dataset_order, ADDRESS, workerpoolrestrict),
    F(dataset_order, ADDRESS, requesterrestrict),
    F(dataset_order, HASH, salt),
    END_FIELDS,
};

static const struct field workerpool_fields[] = {
    F(workerpool_order, ADDRESS, workerpool),
    F(workerpool_order, NUMBER, workerpoolprice),
    F(workerpool_order, NUMBER, volume),
    F(workerpool_order, HASH, tag),
    F(workerpool_order, NUMBER, category),
    F(workerpool_order, NUMBER, trust),
    F(workerpool_order, ADDRESS, apprestrict),
    F(workerpool_order, ADDRESS, datasetrestrict),
    F(workerpool_order, ADDRESS, requesterrestrict),
    F(workerpool_order, HASH, salt),
    END_FIELDS,
};

static const struct field request_fields[] = {
    F(request_order, ADDRESS, app),
    F(request_order, NUMBER, appmaxprice),
    F(request_order, ADDRESS, dataset),
    F(request_order, NUMBER, datasetmaxprice),
    F(request_order, ADDRESS, workerpool),
    F(request_order, NUMBER, workerpoolmaxprice),
    F(request_order, ADDRESS, requester),
    F(request_order, NUMBER, volume),
    F(request_order, HASH, tag),
    F(request_order, NUMBER, category),
    F(request_order, NUMBER, trust),
    F(request_order, ADDRESS, beneficiary),
    F(request_order, ADDRESS, callback),
    F(request_order, HASH, salt),
    END_FIELDS,
};

static rc take_field(uint8_t *p, const struct field *f, const struct js *j, struct err *e)
{
    struct js v = js_key(j, f->name);
    struct address a;
    struct u256 n;
    struct hash h;
    switch (f->kind) {
    case ADDRESS:
        TRY(js_address(&a, &v, e));
        memcpy(p + f->at, &a, sizeof(a));
        return RC_OK;
    case NUMBER:
        TRY(js_u256(&n, &v, e));
        memcpy(p + f->at, &n, sizeof(n));
        return RC_OK;
    case HASH:
        TRY(js_hash(&h, &v, e));
        memcpy(p + f->at, &h, sizeof(h));
        return RC_OK;
    }
    return RC(MALFORMED);
}

static bool is_member(const struct field *fields, const char *key, bool params)
{
    for (; fields->name != NULL; fields++) {
        if (strcmp(fields->name, key) == 0) {
            return true;
        }
    }
    return strcmp(key, "sign") == 0 || (params && strcmp(key, "params") == 0);
}

static rc take_order(void *out, struct bytes *sign, const struct field *fields, struct arena *a,
                     const struct js *j, struct err *e)
{
    TRY(js_object(j, e));
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)j->v, key, v)
    {
        if (!is_member(fields, key, fields == request_fields)) {
            return js_err(j, e, "has no member '%.60s'", key);
        }
    }
    for (const struct field *f = fields; f->name != NULL; f++) {
        TRY(take_field(out, f, j, e));
    }
    struct js s = js_key(j, "sign");
    *sign = (struct bytes){0};
    return s.v != NULL ? js_hex(sign, a, &s, SIGN_MAX, e) : RC_OK;
}

rc app_order_json(struct app_order *out, struct arena *a, const struct js *j, struct err *e)
{
    *out = (struct app_order){0};
    return take_order(out, &out->sign, app_fields, a, j, e);
}

rc dataset_order_json(struct dataset_order *out, struct arena *a, const struct js *j, struct err *e)
{
    *out = (struct dataset_order){0};
    return take_order(out, &out->sign, dataset_fields, a, j, e);
}

rc workerpool_order_json(struct workerpool_order *out, struct arena *a, const struct js *j,
                         struct err *e)
{
    *out = (struct workerpool_order){0};
    return take_order(out, &out->sign, workerpool_fields, a, j, e);
}

rc request_order_json(struct request_order *out, struct arena *a, const struct js *j, struct err *e)
{
    struct js params = js_key(j, "params");
    const char *s;
    *out = (struct request_order){0};
    TRY(take_order(out, &out->sign, request_fields, a, j, e));
    TRY(js_str(&s, &params, e));
    size_t n = strlen(s);
    uint8_t *p = arena_alloc(a, n + 1);
    if (p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "params: too long");
    }
    memcpy(p, s, n);
    out->params = (struct bytes){p, n};
    return RC_OK;
}

/* --- writing --- */

static json_t *number(struct u256 v)
{
    char text[U256_DEC_MAX];
    uint64_t n;
    return u256_to_u64(v, &n) && n <= NUMBER_MAX ? json_integer((json_int_t)n)
                                                 : json_string(u256_dec(v, text));
}

static json_t *field_json(const uint8_t *p, enum kind kind)
{
    struct address a;
    struct u256 n;
    struct hash h;
    switch (kind) {
    case ADDRESS:
        memcpy(&a, p, sizeof(a));
        return json_address(a);
    case NUMBER:
        memcpy(&n, p, sizeof(n));
        return number(n);
    case HASH:
        memcpy(&h, p, sizeof(h));
        return json_hash(h);
    }
    return NULL;
}

static json_t *order_json(const void *o, const struct field *fields, struct bytes sign)
{
    json_t *j = json_object();
    for (const struct field *f = fields; f->name != NULL; f++) {
        (void)json_object_set_new(j, f->name, field_json((const uint8_t *)o + f->at, f->kind));
    }
    (void)json_object_set_new(j, "sign", json_bytes(sign));
    return j;
}

json_t *json_app_order(const struct app_order *o)
{
    return order_json(o, app_fields, o->sign);
}

json_t *json_dataset_order(const struct dataset_order *o)
{
    return order_json(o, dataset_fields, o->sign);
}

json_t *json_workerpool_order(const struct workerpool_order *o)
{
    return order_json(o, workerpool_fields, o->sign);
}

json_t *json_request_order(const struct request_order *o)
{
    json_t *params = json_stringn(o->params.n > 0 ? (const char *)o->params.p : "", o->params.n);
    if (params == NULL) {
        return NULL;
    }
    json_t *j = order_json(o, request_fields, o->sign);
    (void)json_object_set_new(j, "params", params);
    return j;
}

rc client_sign_order(struct client *c, uint8_t out[65], const struct signer *s,
                     struct hash struct_hash, struct err *e)
{
    struct hash domain;
    TRY(client_domain(c, &domain, e));
    if (!rc_ok(sign_digest(out, s, order_hash(domain, struct_hash)))) {
        return err_set(e, RC_CODE_MALFORMED, "sign the order: bad key");
    }
    return RC_OK;
}
