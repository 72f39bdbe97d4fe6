/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/cborpull.h"
#include "encoding/cose.h"
#include "tests/cose_fixture.h"

static bool skips(struct bytes in, enum cbor_form form)
{
    struct cur c = cur_of(in);
    (void)cbor_skip(&c, form);
    return rc_ok(cur_end(&c));
}

static void good(struct bytes in)
{
    CHECK(skips(in, CBOR_DEFINITE));
    for (size_t n = 0; n < in.n; n++) { /* no truncation reads whole */
        CHECK(!skips((struct bytes){in.p, n}, CBOR_ANY_LENGTH));
    }
}

static void bad(struct bytes in)
{
    CHECK(!skips(in, CBOR_ANY_LENGTH));
}

static void test_values(void)
{
    good(BYTES_LIT("\x00"));
    good(BYTES_LIT("\x18\x18"));
    good(BYTES_LIT("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"));
    good(BYTES_LIT("\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"));
    good(BYTES_LIT("\xf6"));
    good(BYTES_LIT("\x43\x01\x02\x03"));
    good(BYTES_LIT("\x62\xc3\xbc"));
}

static void test_numbers(void)
{
    struct cur c = cur_of(BYTES_LIT("\x39\x01\x00\x19\x01\x00\xf5\xf4\xd2\x01"));
    CHECK(cbor_take_int(&c) == -257 && cbor_take_uint(&c) == 256);
    CHECK(cbor_take_bool(&c) && !cbor_take_bool(&c) && !cbor_take_null(&c));
    CHECK(!cbor_take_tag_if(&c, 17) && cbor_take_tag_if(&c, 18) && cbor_take_int(&c) == 1);
    CHECK(rc_ok(cur_end(&c)));
    c = cur_of(BYTES_LIT("\x3b\x80\x00\x00\x00\x00\x00\x00\x00"));
    CHECK(cbor_take_int(&c) == 0 && c.bad != NULL);
    c = cur_of(BYTES_LIT("\x1b\x80\x00\x00\x00\x00\x00\x00\x00"));
    CHECK(cbor_take_int(&c) == 0 && c.bad != NULL);
    c = cur_of(BYTES_LIT("\x20"));
    CHECK(cbor_take_uint(&c) == 0 && c.bad != NULL);
    c = cur_of(BYTES_LIT("\xf7"));
    CHECK(!cbor_take_bool(&c) && c.bad != NULL && !cbor_take_null(&c));
}

static void test_refused(void)
{
    bad(BYTES_LIT(""));
    bad(BYTES_LIT("\x18\x17")); /* not the shortest form */
    bad(BYTES_LIT("\x19\x00\xff"));
    bad(BYTES_LIT("\x1a\x00\x00\xff\xff"));
    bad(BYTES_LIT("\x1b\x00\x00\x00\x00\xff\xff\xff\xff"));
    bad(BYTES_LIT("\x1c\x00"));
    bad(BYTES_LIT("\x58\x01\x00"));
    bad(BYTES_LIT("\x5f\x41\x00\xff")); /* strings in pieces */
    bad(BYTES_LIT("\x7f\x61\x61\xff"));
    bad(BYTES_LIT("\xff"));
    bad(BYTES_LIT("\xe0")); /* simple values and floats */
    bad(BYTES_LIT("\xf8\x20"));
    bad(BYTES_LIT("\xf9\x00\x00"));
    bad(BYTES_LIT("\xfb\x00\x00\x00\x00\x00\x00\x00\x00"));
    bad(BYTES_LIT("\xa2\x01\x01\x01\x02")); /* twice the same key */
    bad(BYTES_LIT("\x81\xa2\x41\x01\x01\x41\x01\x02"));
    bad(BYTES_LIT("\xbf\x01\x01\x01\x02\xff"));
    bad(BYTES_LIT("\xbf\x01\xff")); /* a key without a value */
    bad(BYTES_LIT("\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x00"));
    bad(BYTES_LIT("\xbb\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00"));
    bad(BYTES_LIT("\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x00"));
    bad(BYTES_LIT("\x62\xc3\x28")); /* not UTF-8 */
    bad(BYTES_LIT("\x62\xc0\x80"));
    bad(BYTES_LIT("\x63\xed\xa0\x80"));
    bad(BYTES_LIT("\x64\xf4\x90\x80\x80"));
    bad(BYTES_LIT("\x61\xe2"));
    CHECK(skips(BYTES_LIT("\x64\xf0\x9f\x98\x80"), CBOR_DEFINITE));
}

static void test_depth(void)
{
    uint8_t nested[CBOR_DEPTH + 1];
    memset(nested, 0x81, sizeof(nested));
    nested[CBOR_DEPTH - 1] = 0x00;
    CHECK(skips((struct bytes){nested, CBOR_DEPTH}, CBOR_DEFINITE));
    nested[CBOR_DEPTH - 1] = 0x81;
    nested[CBOR_DEPTH] = 0x00;
    bad((struct bytes){nested, CBOR_DEPTH + 1});
    memset(nested, 0xc1, CBOR_DEPTH); /* tags nest too */
    bad((struct bytes){nested, CBOR_DEPTH + 1});
    BUF_FREE many = buf_new(4096);
    cb_head(&many, 5, CBOR_KEYS + 1);
    for (int64_t i = 0; i <= CBOR_KEYS; i++) {
        cb_int(&many, i);
        cb_int(&many, 0);
    }
    bad(buf_bytes(&many));
}

static void test_sequences(void)
{
    struct cbor_seq s;
    struct bytes open = BYTES_LIT("\xbf\x61\x61\x01\x61\x62\x9f\x02\xff\xff");
    CHECK(skips(open, CBOR_ANY_LENGTH) && !skips(open, CBOR_DEFINITE));
    struct cur c = cur_of(open);
    cbor_take_map(&c, &s, CBOR_ANY_LENGTH);
    CHECK(cbor_more(&c, &s) && bytes_eq(cbor_key_text(&c, &s), BYTES_LIT("a")));
    CHECK(cbor_take_uint(&c) == 1);
    CHECK(cbor_more(&c, &s) && bytes_eq(cbor_key_any(&c, &s), BYTES_LIT("\x61\x62")));
    CHECK(bytes_eq(cbor_skip(&c, CBOR_ANY_LENGTH), BYTES_LIT("\x9f\x02\xff")));
    CHECK(!cbor_more(&c, &s) && rc_ok(cur_end(&c)));
    c = cur_of(BYTES_LIT("\xbf"));
    cbor_take_map(&c, &s, CBOR_ANY_LENGTH);
    CHECK(!cbor_more(&c, &s) && c.bad != NULL);
    c = cur_of(BYTES_LIT("\x81\x00"));
    cbor_take_map(&c, &s, CBOR_DEFINITE);
    CHECK(!cbor_more(&c, &s) && c.bad != NULL);
}

/* COSE */

static rc verify(const struct buf *msg, EVP_PKEY *key, size_t size)
{
    uint8_t point[133];
    struct cose m;
    struct cur c = cur_of(buf_bytes(msg));
    enum pk_kind kind = size == 32 ? PK_P256 : size == 48 ? PK_P384 : PK_P521;
    (void)cose_fix_point(point, key);
    struct pubkey k = {.kind = kind, .point = {point + 1, 2 * size}};
    TRY(cose_take(&m, &c));
    TRY(cur_end(&c));
    return cose_verify_sign1(&m, &k);
}

static void test_sign1(void)
{
    static const struct {
        int64_t alg;
        size_t size;
    } algs[] = {{COSE_ES256, 32}, {COSE_ES384, 48}, {COSE_ES512, 66}, {COSE_ESP384, 48}};
    uint8_t payload[300] = {1, 2, 3};
    EVP_PKEY *other = cose_fix_key(48);
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        EVP_PKEY *key = cose_fix_key(algs[i].size);
        BUF_FREE msg = buf_new(4096);
        cose_fix_sign1(&msg, i % 2 == 0 ? 18 : 0, algs[i].alg, key, algs[i].size,
                       BYTES_OF(payload));
        CHECK(rc_ok(verify(&msg, key, algs[i].size)));
        CHECK(!rc_ok(verify(&msg, other, 48)));
        for (size_t bit = 0; bit < msg.n * 8; bit += 37) {
            msg.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
            CHECK(!rc_ok(verify(&msg, key, algs[i].size)));
            msg.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        EVP_PKEY_free(key);
    }
    /* ES256 said with a P-384 key: the algorithm must be the key's */
    BUF_FREE msg = buf_new(4096);
    cose_fix_sign1(&msg, 18, COSE_ES256, other, 48, BYTES_OF(payload));
    CHECK(verify(&msg, other, 48).code == RC_CODE_MALFORMED);
    EVP_PKEY_free(other);
}

static void test_mac0(void)
{
    uint8_t key[32] = {9}, payload[30] = {4};
    BUF_FREE msg = buf_new(4096);
    struct cose m;
    cose_fix_mac0(&msg, BYTES_OF(key), BYTES_OF(payload));
    struct cur c = cur_of(buf_bytes(&msg));
    CHECK(rc_ok(cose_take(&m, &c)) && m.tag == COSE_MAC0);
    CHECK(rc_ok(cose_verify_mac0(&m, BYTES_OF(key))));
    struct pubkey none = {.kind = PK_P256};
    CHECK(cose_verify_sign1(&m, &none).code == RC_CODE_MALFORMED);
    key[0] ^= 1;
    CHECK(cose_verify_mac0(&m, BYTES_OF(key)).code == RC_CODE_DENIED);
    key[0] ^= 1;
    m.tag = COSE_SIGN1;
    CHECK(cose_verify_mac0(&m, BYTES_OF(key)).code == RC_CODE_MALFORMED);
    m.tag = COSE_MAC0;
    m.sig.n = 16; /* a shortened tag */
    CHECK(cose_verify_mac0(&m, BYTES_OF(key)).code == RC_CODE_DENIED);
}

static void cose_bad(struct bytes in)
{
    struct cose m;
    struct cur c = cur_of(in);
    CHECK(cose_take(&m, &c).code == RC_CODE_MALFORMED && c.bad != NULL);
}

static void test_cose_refused(void)
{
    struct cose m;
    struct cur c = cur_of(BYTES_LIT("\xd2\x84\x40\xa1\x04\x41k\x41p\x41s"));
    CHECK(rc_ok(cose_take(&m, &c)) && !m.has_alg && bytes_eq(m.payload, BYTES_LIT("p")));
    cose_bad(BYTES_LIT(""));
    cose_bad(BYTES_LIT("\xd2\x83\x40\xa0\x41p"));                      /* three elements */
    cose_bad(BYTES_LIT("\x85\x40\xa0\x41p\x41s\x40"));                 /* five */
    cose_bad(BYTES_LIT("\x84\x40\xa1\x01\x26\x41p\x41s"));             /* alg unprotected */
    cose_bad(BYTES_LIT("\x84\x43\xa1\x02\x80\xa0\x41p\x41s"));         /* crit */
    cose_bad(BYTES_LIT("\x84\x45\xa2\x01\x26\x01\x26\xa0\x41p\x41s")); /* alg twice */
    cose_bad(BYTES_LIT("\x84\x44\xa1\x01\x26\x00\xa0\x41p\x41s"));     /* bytes behind the header */
    cose_bad(BYTES_LIT("\x84\x40\xa0\xf6\x41s"));                      /* detached payload */
    cose_bad(BYTES_LIT("\x9f\x40\xa0\x41p\x41s\xff"));                 /* indefinite */
    enum cose_tag tag;
    CHECK(cose_begins(BYTES_LIT("\xd2\x84\x43\xa1\x01\x26\xa0\x59\x10\x00\xa1"), &tag, &c));
    CHECK(tag == COSE_SIGN1 && c.n == 1);
    CHECK(!cose_begins(BYTES_LIT("\xd2\x84\x43\xa1\x01"), &tag, &c));
    CHECK(!cose_begins(BYTES_LIT("\x84\x40\xa0\x59\x10"), &tag, &c));
}

static void test_key(void)
{
    uint8_t point[132], raw[133];
    struct pubkey k;
    EVP_PKEY *key = cose_fix_key(48);
    BUF_FREE b = buf_new(512);
    (void)cose_fix_point(raw, key);
    cb_head(&b, 5, 4);
    cb_int(&b, 1);
    cb_int(&b, 2);
    cb_int(&b, -1);
    cb_int(&b, 2);
    cb_int(&b, -2);
    cb_bytes(&b, (struct bytes){raw + 1, 48});
    cb_int(&b, -3);
    cb_bytes(&b, (struct bytes){raw + 49, 48});
    CHECK(rc_ok(cose_take_key(&k, point, buf_bytes(&b))) && k.kind == PK_P384);
    CHECK(bytes_eq(k.point, (struct bytes){raw + 1, 96}));
    CHECK(!rc_ok(cose_take_key(&k, point, (struct bytes){b.p, b.n - 1})));
    b.p[4] = 1; /* P-256 with 48-byte coordinates */
    CHECK(!rc_ok(cose_take_key(&k, point, buf_bytes(&b))));
    EVP_PKEY_free(key);
}

int main(void)
{
    test_values();
    test_numbers();
    test_refused();
    test_depth();
    test_sequences();
    test_sign1();
    test_mac0();
    test_cose_refused();
    test_key();
    return 0;
}
