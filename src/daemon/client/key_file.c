/* SPDX-License-Identifier: Apache-2.0 */
/* key_file.c - private keys on disk: Web3 Secret Storage version 3, or plain hex for development. */
#include <errno.h>
#include <sys/stat.h>

#include "crypto/kdf.h"
#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "daemon/client/client_int.h"
#include "encoding/hex.h"
#include "io/file.h"

#define KEY_FILE_MAX 16384
#define SCRYPT_N     8192 /* with r 8: 8 MiB and some 30 ms */
#define SCRYPT_R     8

/* --- version 3 --- */

struct v3 { /* the members that matter */
    struct bytes cipher_text, iv, mac, salt;
    const char *kdf;
    uint64_t size, n, r, p, rounds;
};

static rc v3_hex(struct bytes *out, struct arena *a, const struct js *o, const char *key,
                 size_t max, struct err *e)
{
    struct js j = js_key(o, key);
    const char *s;
    BUF_FREE raw = buf_new(max);
    TRY(js_str(&s, &j, e));
    if (!rc_ok(hex_decode(&raw, bytes_str(s)))) {
        return js_err(&j, e, "must be hex of at most %zu bytes", max);
    }
    uint8_t *p = arena_alloc(a, raw.n);
    if (p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "key file: too long");
    }
    if (raw.n > 0) {
        memcpy(p, raw.p, raw.n);
    }
    *out = (struct bytes){p, raw.n};
    return RC_OK;
}

static rc v3_number(uint64_t *out, const struct js *o, const char *key, struct err *e)
{
    struct js j = js_key(o, key);
    return js_u64(out, &j, UINT32_MAX, e);
}

static rc v3_parse(struct v3 *v, struct arena *a, const json_t *top_json, struct err *e)
{
    struct js top = js_top(top_json), version = js_key(&top, "version");
    struct js crypto = js_key(&top, js_has(&top, "crypto") ? "crypto" : "Crypto");
    struct js cipher = js_key(&crypto, "cipher"), iv = js_key(&crypto, "cipherparams");
    struct js kdf = js_key(&crypto, "kdf"), params = js_key(&crypto, "kdfparams");
    const char *s;
    uint64_t n;
    TRY(js_u64(&n, &version, 100, e));
    TRY(js_str(&s, &cipher, e));
    if (n != 3 || strcmp(s, "aes-128-ctr") != 0) {
        return err_set(e, RC_CODE_MALFORMED,
                       "key file: version %llu with cipher '%.40s'; only "
                       "version 3 with aes-128-ctr is known",
                       (unsigned long long)n, s);
    }
    TRY(v3_hex(&v->cipher_text, a, &crypto, "ciphertext", 64, e));
    TRY(v3_hex(&v->iv, a, &iv, "iv", 16, e));
    TRY(v3_hex(&v->mac, a, &crypto, "mac", 32, e));
    TRY(v3_hex(&v->salt, a, &params, "salt", 256, e));
    TRY(v3_number(&v->size, &params, "dklen", e));
    TRY(js_str(&v->kdf, &kdf, e));
    if (v->iv.n != 16 || v->mac.n != 32 || v->cipher_text.n != 32 || v->size < 32 || v->size > 64) {
        return err_set(e, RC_CODE_MALFORMED,
                       "key file: iv, mac, ciphertext or dklen has a wrong "
                       "length");
    }
    if (strcmp(v->kdf, "scrypt") == 0) {
        TRY(v3_number(&v->n, &params, "n", e));
        TRY(v3_number(&v->r, &params, "r", e));
        return v3_number(&v->p, &params, "p", e);
    }
    if (strcmp(v->kdf, "pbkdf2") == 0) {
        struct js prf = js_key(&params, "prf");
        TRY(js_str(&s, &prf, e));
        TRY(v3_number(&v->rounds, &params, "c", e));
        return strcmp(s, "hmac-sha256") == 0 ? RC_OK : js_err(&prf, e, "must be hmac-sha256");
    }
    return js_err(&kdf, e, "must be scrypt or pbkdf2");
}

static struct hash mac_of(const struct secret *derived, struct bytes cipher_text)
{
    return keccak256_2((struct bytes){derived->p + 16, 16}, cipher_text);
}

static rc v3_open(struct secret *key, const struct v3 *v, const struct secret *password,
                  struct err *e)
{
    SECRET_FREE derived = {0};
    rc r = strcmp(v->kdf, "scrypt") == 0
               ? scrypt(&derived, v->size, password, v->salt, v->n, v->r, v->p)
               : pbkdf2_sha256(&derived, v->size, password, v->salt, v->rounds);
    if (!rc_ok(r)) {
        return err_set(e, r.code, "key file: parameters of %s are out of range", v->kdf);
    }
    struct hash mac = mac_of(&derived, v->cipher_text);
    if (!mem_eq_ct(mac.b, v->mac.p, 32)) {
        return err_set(e, RC_CODE_DENIED, "key file: wrong password");
    }
    TRY(aes128_ctr(key, derived.p, v->iv.p, v->cipher_text));
    if (!secp_key_is_valid(key->p)) {
        secret_free(key);
        return err_set(e, RC_CODE_MALFORMED, "key file: what it holds is no private key");
    }
    return RC_OK;
}

rc key_json_parse(struct secret *key, struct bytes text, const struct secret *password,
                  struct err *e)
{
    JSON_FREE *j = json_parse(text, 8, e);
    struct arena a;
    struct v3 v = {0};
    if (j == NULL) {
        return err_wrap(e, RC(MALFORMED), "key file");
    }
    arena_init(&a, KEY_FILE_MAX);
    rc r = v3_parse(&v, &a, j, e);
    if (rc_ok(r)) {
        r = password != NULL
                ? v3_open(key, &v, password, e)
                : err_set(e, RC_CODE_DENIED, "key file: it is encrypted: give its password");
    }
    arena_reset(&a);
    return r;
}

static void put_uuid(struct buf *b, const uint8_t r[16])
{
    for (size_t i = 0; i < 16; i++) {
        uint8_t v = i == 6 ? (r[i] & 0x0f) | 0x40 : i == 8 ? (r[i] & 0x3f) | 0x80 : r[i];
        put_fmt(b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", v);
    }
}

rc key_json_put(struct buf *out, const struct secret *key, const struct secret *password,
                struct err *e)
{
    uint8_t rnd[64]; /* salt(32) iv(16) id(16) */
    struct address addr;
    SECRET_FREE derived = {0};
    SECRET_FREE cipher = {0};
    struct bytes salt = {rnd, 32}, iv = {rnd + 32, 16};
    if (!rc_ok(random_bytes(rnd, sizeof(rnd))) || !rc_ok(secp_address(&addr, key)) ||
        !rc_ok(scrypt(&derived, 32, password, salt, SCRYPT_N, SCRYPT_R, 1)) ||
        !rc_ok(aes128_ctr(&cipher, derived.p, iv.p, secret_bytes(key)))) {
        return err_set(e, RC_CODE_IO, "encrypt the key: no randomness or memory, or a bad key");
    }
    struct hash mac = mac_of(&derived, secret_bytes(&cipher));
    put_str(out, "{\"version\":3,\"id\":\"");
    put_uuid(out, rnd + 48);
    put_str(out, "\",\"address\":\"");
    put_hex(out, BYTES_OF(addr));
    put_str(out, "\",\"crypto\":{\"cipher\":\"aes-128-ctr\",\"ciphertext\":\"");
    put_hex(out, secret_bytes(&cipher));
    put_str(out, "\",\"cipherparams\":{\"iv\":\"");
    put_hex(out, iv);
    put_fmt(out, "\"},\"kdf\":\"scrypt\",\"kdfparams\":{\"n\":%d,\"r\":%d,\"p\":1,\"dklen\":32,",
            SCRYPT_N, SCRYPT_R);
    put_str(out, "\"salt\":\"");
    put_hex(out, salt);
    put_str(out, "\"},\"mac\":\"");
    put_hex(out, BYTES_OF(mac));
    put_str(out, "\"}}\n");
    return buf_end(out);
}

/* --- files --- */

static void buf_wipe(struct buf *b)
{
    if (b->p != NULL) {
        mem_wipe(b->p, b->alloc);
    }
    buf_free(b);
}

#define BUF_WIPE __attribute__((cleanup(buf_wipe))) struct buf

static rc parse_hex(struct secret *key, struct bytes text, struct err *e)
{
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) {
        text.n--;
    }
    TRY(secret_new(key, 32));
    if (!rc_ok(hex_decode_exact(key->p, 32, text)) || !secp_key_is_valid(key->p)) {
        secret_free(key);
        return err_set(e, RC_CODE_MALFORMED,
                       "not a private key of 64 hex digits, nor a version 3 key file");
    }
    return RC_OK;
}

static rc check_mode(const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return err_set(e, RC_CODE_IO, "%s: %s", path, strerror(errno));
    }
    return (st.st_mode & 077) == 0
               ? RC_OK
               : err_set(e, RC_CODE_DENIED,
                         "%s: others may read this secret; chmod 600 it, and make a new one if it "
                         "was ever worth something",
                         path);
}

rc password_file_read(struct secret *out, const char *path, struct err *e)
{
    BUF_WIPE text = buf_new(4096);
    TRY(file_read(&text, path, e));
    TRY(check_mode(path, e));
    size_t n = 0;
    while (n < text.n && text.p[n] != '\n' && text.p[n] != '\r') {
        n++;
    }
    return secret_copy(out, (struct bytes){text.p, n});
}

rc key_file_read(struct secret *key, const char *path, const struct secret *password, struct err *e)
{
    BUF_WIPE text = buf_new(KEY_FILE_MAX);
    TRY(file_read(&text, path, e));
    size_t i = 0;
    while (i < text.n && (text.p[i] == ' ' || text.p[i] == '\n' || text.p[i] == '\t')) {
        i++;
    }
    if (i < text.n && text.p[i] == '{') {
        return err_wrap(e, key_json_parse(key, buf_bytes(&text), password, e), "%s", path);
    }
    TRY(check_mode(path, e));
    return err_wrap(e, parse_hex(key, buf_bytes(&text), e), "%s", path);
}

rc key_file_create(const char *path, const struct secret *key, const struct secret *password,
                   struct err *e)
{
    BUF_WIPE text = buf_new(KEY_FILE_MAX);
    if (password != NULL) {
        TRY(key_json_put(&text, key, password, e));
    } else {
        put_0x(&text, secret_bytes(key));
        put_u8(&text, '\n');
    }
    return file_create(path, buf_bytes(&text), 0600, e);
}

rc signer_open(struct signer *s, const char *path, const struct secret *password, struct err *e)
{
    *s = (struct signer){0};
    TRY(key_file_read(&s->key, path, password, e));
    if (!rc_ok(secp_address(&s->address, &s->key))) {
        signer_free(s);
        return err_set(e, RC_CODE_MALFORMED, "%s: not a private key", path);
    }
    return RC_OK;
}

void signer_free(struct signer *s)
{
    secret_free(&s->key);
}

rc sign_digest(uint8_t out[65], const struct signer *s, struct hash digest)
{
    return secp_sign65(out, &s->key, digest);
}

rc sign_message(uint8_t out[65], const struct signer *s, struct hash message)
{
    return secp_sign65(out, &s->key, eip191_hash(message));
}
