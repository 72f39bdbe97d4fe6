/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/jsonpull.h"
#include "tests/test.h"

static void reads_what_is_asked_for(void)
{
    struct jp j =
        jp_of(BYTES_LIT(" {\"a\": 12, \"b\" : [1,2 , 3], \"skip\":{\"x\":[{\"y\":\"\\u0041\\\"\"},"
                        "-1.5e3,null,[]],\"z\":{}}, \"s\":\"text\",\"t\":true,\"e\":[]}\n"));
    struct bytes key, s = {0};
    uint64_t a = 0, sum = 0, n = 0;
    bool t = false;
    jp_object(&j);
    while (jp_key(&j, &key)) {
        n++;
        if (bytes_eq(key, BYTES_LIT("a"))) {
            a = jp_u64(&j);
        } else if (bytes_eq(key, BYTES_LIT("b")) || bytes_eq(key, BYTES_LIT("e"))) {
            jp_array(&j);
            while (jp_elem(&j)) {
                sum += jp_u64(&j);
            }
        } else if (bytes_eq(key, BYTES_LIT("s"))) {
            s = jp_string(&j);
        } else if (bytes_eq(key, BYTES_LIT("t"))) {
            t = jp_bool(&j);
        } else {
            struct bytes raw = jp_skip(&j);
            CHECK(raw.n > 10 && raw.p[0] == '{' && raw.p[raw.n - 1] == '}');
        }
    }
    CHECK(rc_ok(jp_end(&j)) && n == 6 && a == 12 && sum == 6 && t);
    CHECK(bytes_eq(s, BYTES_LIT("text")));
}

static void refuses_the_rest(void)
{
    const char *bad[] = {"",
                         "{",
                         "{\"a\":}",
                         "{\"a\" 1}",
                         "{\"a\":1,}",
                         "{,\"a\":1}",
                         "[1 2]",
                         "[1,]",
                         "\"a",
                         "\"\\x\"",
                         "nul",
                         "{\"a\":1}}",
                         "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
                         "{1:2}",
                         "[\"\n\"]",
                         "{\"a\":1 \"b\":2}",
                         "[}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct jp j = jp_of(bytes_str(bad[i]));
        (void)jp_skip(&j);
        CHECK(!rc_ok(jp_end(&j)) && j.bad != NULL);
    }
    const char *numbers[] = {"01", "-1", "1.5", "1e3", "9999999999999999999", "x", ""};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct jp j = jp_of(bytes_str(numbers[i]));
        (void)jp_u64(&j);
        CHECK(!rc_ok(jp_end(&j)));
    }
}

int main(void)
{
    reads_what_is_asked_for();
    refuses_the_rest();
    return 0;
}
