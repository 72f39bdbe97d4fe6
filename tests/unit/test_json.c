/* SPDX-License-Identifier: Apache-2.0 */
#include "io/json.h"

#include "tests/test.h"

static json_t *parse(const char *text)
{
    return json_parse(bytes_str(text), 8, NULL);
}

static void test_parse(void)
{
    static const char *const bad[] = {"{\"a\":1,\"a\":2}",   "[1,]",     "{", "01",  "\"\\u0000\"",
                                      "[[[[[[[[[1]]]]]]]]]", "\"\xff\"", "",  "nul", "[1] 2"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {0};
        CHECK(json_parse(bytes_str(bad[i]), 8, &e) == NULL && e.msg[0] != 0);
    }
    JSON_FREE *v = parse("[[[[[[[[1]]]]]]]]");
    CHECK(v != NULL);
    JSON_FREE *brackets = parse("\"[[[[[[[[[[[[\\\"[[[[\"");
    CHECK(brackets != NULL);
}

static void test_paths(void)
{
    struct err e;
    JSON_FREE *v = parse("{\"orders\":[{\"price\":1,\"who\":\"0x01\",\"on\":true}]}");
    struct js top = js_top(v);
    struct js orders = js_key(&top, "orders");
    CHECK(rc_ok(js_array(&orders, 1, &e)) && js_n(&orders) == 1);
    CHECK(js_array(&orders, 0, &e).code == RC_CODE_MALFORMED);
    CHECK(strcmp(e.msg, "orders: has more than 0 elements") == 0);
    struct js o = js_at(&orders, 0);
    struct js price = js_key(&o, "price");
    uint64_t n;
    const char *s;
    CHECK(rc_ok(js_u64(&n, &price, 1, &e)) && n == 1);
    CHECK(!rc_ok(js_str(&s, &price, &e)));
    CHECK(strcmp(e.msg, "orders[0].price: must be a string") == 0);
    struct js none = js_key(&o, "none");
    bool b;
    CHECK(!rc_ok(js_bool(&b, &none, &e)));
    CHECK(strcmp(e.msg, "orders[0].none: is missing; must be true or false") == 0);
    struct js who = js_key(&o, "who");
    struct address a;
    CHECK(!rc_ok(js_address(&a, &who, &e)));
    static const char *const names[] = {"price", "who", NULL};
    CHECK(!rc_ok(js_only(&o, names, &e)));
    CHECK(strcmp(e.msg, "orders[0]: has an unknown member 'on'") == 0);
}

static void test_values(void)
{
    struct arena a;
    arena_init(&a, 4096);
    struct u256 u;
    struct bytes b;
    JSON_FREE *v = parse("[\"0x10\",\"16\",16,-1,\"0xabcd\",\"0xabc\",\"0xzz\"]");
    struct js top = js_top(v);
    for (size_t i = 0; i < 3; i++) {
        struct js x = js_at(&top, i);
        CHECK(rc_ok(js_u256(&u, &x, NULL)) && u256_eq(u, u256_from(16)));
    }
    struct js neg = js_at(&top, 3);
    CHECK(!rc_ok(js_u256(&u, &neg, NULL)));
    struct js hex = js_at(&top, 4);
    CHECK(rc_ok(js_hex(&b, &a, &hex, 2, NULL)) && bytes_eq(b, BYTES_LIT("\xab\xcd")));
    CHECK(!rc_ok(js_hex(&b, &a, &hex, 1, NULL)));
    for (size_t i = 5; i < 7; i++) {
        struct js x = js_at(&top, i);
        CHECK(!rc_ok(js_hex(&b, &a, &x, 9, NULL)));
    }
    BUF_FREE out = buf_new(100);
    json_put_str(&out, BYTES_LIT("a\"\\\n\x01z"));
    CHECK(strcmp(buf_cstr(&out), "\"a\\\"\\\\\\u000a\\u0001z\"") == 0);
    arena_reset(&a);
}

int main(void)
{
    test_parse();
    test_paths();
    test_values();
    return 0;
}
