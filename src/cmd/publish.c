/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/publish.h"

#include <stdio.h>

#include "encoding/hex.h"

rc asset_create(struct session *s, struct address *out, bool *made, enum method registry,
                enum method predict, enum method create, struct bytes args, struct err *e)
{
    struct address at;
    struct client_receipt receipt;
    BUF_FREE data = buf_new((size_t)1 << 20), ret = buf_new(4096);
    TRY(client_hub_address(s->client, &at, registry, e));
    (void)call_begin(&data, predict, 0);
    put_bytes(&data, args);
    TRY(client_call(s->client, &ret, at, buf_bytes(&data), e));
    struct abi_in in = abi_of(buf_bytes(&ret));
    *out = abi_take_address(&in);
    json_t *code = NULL;
    char text[HEX_ADDRESS_MAX];
    TRY(client_rpc(s->client, &code, "eth_getCode",
                   json_pack("[s, s]", hex_address(text, *out), "latest"), e));
    bool there = json_is_string(code) && json_string_length(code) > 2;
    json_decref(code);
    *made = !there;
    if (there) {
        return RC_OK;
    }
    buf_reset(&data);
    (void)call_begin(&data, create, 0);
    put_bytes(&data, args);
    struct client_tx tx = {.to = at, .data = buf_bytes(&data)};
    return err_wrap(
        e, client_transact(s->client, &receipt, &s->a, &s->signer, &tx, PUBLISH_WAIT_MS, e), "%s",
        iface_method(create)->name);
}

rc tag_parse(struct hash *out, const char *text, struct err *e)
{
    static const struct {
        const char *name;
        unsigned bit;
    } bits[] = {{"tee", 0}, {"scone", 1}, {"gramine", 2}, {"tdx", 3}, {"gpu", 8}};
    *out = (struct hash){0};
    if (strncmp(text, "0x", 2) == 0) {
        return rc_ok(hex_parse_hash(out, text))
                   ? RC_OK
                   : err_set(e, RC_CODE_MALFORMED, "tag: '%.70s' is not 32 bytes", text);
    }
    for (const char *p = text; *p != 0 && strcmp(text, "none") != 0;) {
        size_t n = strcspn(p, ","), i = 0;
        while (i < ARRAY_LEN(bits) &&
               (strlen(bits[i].name) != n || memcmp(bits[i].name, p, n) != 0)) {
            i++;
        }
        if (i == ARRAY_LEN(bits)) {
            return err_set(e, RC_CODE_MALFORMED,
                           "tag: '%.20s' is none of tee, scone, gramine, tdx, gpu, none", p);
        }
        out->b[31 - bits[i].bit / 8] |= (uint8_t)(1u << bits[i].bit % 8);
        p += n + (p[n] == ',');
    }
    return RC_OK;
}

rc restrict_parse(struct session *s, struct address *out, const char *text, struct err *e)
{
    *out = (struct address){0};
    return text == NULL || strcmp(text, "any") == 0 ? RC_OK : session_address(s, out, text, e);
}

rc order_sign(struct session *s, uint8_t sign[65], struct hash struct_hash, struct err *e)
{
    return err_wrap(e, client_sign_order(s->client, sign, &s->signer, struct_hash, e), "sign");
}

rc order_publish(struct session *s, struct hash *orderhash, enum order_kind kind, json_t *take,
                 struct err *e)
{
    JSON_FREE *order = take;
    if (s->market == NULL) {
        return err_set(e, RC_CODE_NOT_FOUND, "no market: give --market URL");
    }
    return err_wrap(e, market_publish(s->client, orderhash, s->market, &s->signer, kind, order, e),
                    "publish the order");
}

struct hash salt_new(void)
{
    struct hash h;
    ASSERT(rc_ok(random_bytes(h.b, sizeof(h.b))));
    return h;
}
