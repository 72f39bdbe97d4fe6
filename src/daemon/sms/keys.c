/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - the keys that secrets at rest are sealed under. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/aes.h"
#include "crypto/sha2.h"
#include "daemon/sms/sms_int.h"
#include "encoding/hex.h"
#include "io/file.h"

enum { KEY_SIZE = 32, KEY_TEXT_MAX = KEYS_MAX * 80 };

void keyring_free(struct keyring *k)
{
    for (size_t i = 0; i < KEYS_MAX; i++) {
        secret_free(&k->key[i]);
    }
    k->n = 0;
}

static void name_key(struct keyring *k, size_t i)
{
    struct hash h = sha256_2(BYTES_LIT("souk sms key id"), secret_bytes(&k->key[i]));
    memcpy(k->id[i], h.b, KEY_ID_SIZE);
}

static rc add(struct keyring *k, struct bytes digits, struct err *e)
{
    if (k->n == KEYS_MAX) {
        return err_set(e, RC_CODE_LIMIT, "more than %d storage keys", KEYS_MAX);
    }
    TRY(secret_new(&k->key[k->n], KEY_SIZE));
    if (!rc_ok(hex_decode_exact(k->key[k->n].p, KEY_SIZE, digits))) {
        secret_free(&k->key[k->n]);
        return err_set(e, RC_CODE_MALFORMED, "storage key %zu: must be 64 hex digits", k->n + 1);
    }
    name_key(k, k->n);
    for (size_t i = 0; i < k->n; i++) {
        if (memcmp(k->id[i], k->id[k->n], KEY_ID_SIZE) == 0) {
            secret_free(&k->key[k->n]);
            return err_set(e, RC_CODE_MALFORMED, "storage key %zu is given twice", k->n + 1);
        }
    }
    k->n++;
    return RC_OK;
}

/* Keys separated by lines, commas or spaces. */
rc keyring_parse(struct keyring *k, struct bytes text, struct err *e)
{
    *k = (struct keyring){0};
    rc r = RC_OK;
    for (size_t i = 0; i < text.n && rc_ok(r);) {
        size_t n = 0;
        while (i + n < text.n && strchr(" \r\n\t,", text.p[i + n]) == NULL) {
            n++;
        }
        if (n > 0) {
            r = add(k, (struct bytes){text.p + i, n}, e);
        }
        i += n + 1;
    }
    if (rc_ok(r) && k->n == 0) {
        r = err_set(e, RC_CODE_MALFORMED, "no storage key: one key of 64 hex digits a line");
    }
    if (!rc_ok(r)) {
        keyring_free(k);
    }
    return r;
}

rc keyring_put_front(struct keyring *k)
{
    if (k->n == KEYS_MAX) {
        return RC(LIMIT);
    }
    struct secret fresh;
    TRY(secret_random(&fresh, KEY_SIZE));
    for (size_t i = k->n; i > 0; i--) {
        k->key[i] = k->key[i - 1];
        memcpy(k->id[i], k->id[i - 1], KEY_ID_SIZE);
    }
    k->key[0] = fresh;
    name_key(k, 0);
    k->n++;
    return RC_OK;
}

rc keyring_write(const struct keyring *k, const char *key_file, struct err *e)
{
    SECRET_FREE text = {0};
    TRY(secret_new(&text, KEY_TEXT_MAX));
    struct buf b = {.p = text.p, .alloc = text.size, .cap = text.size}; /* never grows */
    for (size_t i = 0; i < k->n; i++) {
        put_0x(&b, secret_bytes(&k->key[i]));
        put_u8(&b, '\n');
    }
    TRY(buf_end(&b));
    return file_write(key_file, buf_bytes(&b), 0600, e);
}

/* Reads into locked memory; the file must belong to us alone. */
static rc read_file(struct secret *out, const char *path, struct err *e)
{
    CLOSE_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return err_set(e, errno == ENOENT ? RC_CODE_NOT_FOUND : RC_CODE_IO, "open %s: %s", path,
                       strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        return err_set(e, RC_CODE_DENIED,
                       "%s: others may read this key; make it yours alone: chmod 600", path);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        return err_set(e, RC_CODE_DENIED, "%s: the key file belongs to another user", path);
    }
    TRY(secret_new(out, KEY_TEXT_MAX));
    ssize_t n = read(fd, out->p, out->n);
    if (n < 0) {
        return err_set(e, RC_CODE_IO, "read %s: %s", path, strerror(errno));
    }
    out->n = (size_t)n;
    return RC_OK;
}

/* The key must not lie beside what it opens. */
static rc check_place(const char *key_file, const char *dir, struct err *e)
{
    char a[PATH_MAX], b[PATH_MAX];
    if (realpath(dir, b) == NULL) {
        return RC_OK; /* no state folder yet */
    }
    char copy[PATH_MAX];
    size_t n = strnlen(key_file, sizeof(copy));
    if (n == sizeof(copy)) {
        return err_set(e, RC_CODE_MALFORMED, "the key file's path is too long");
    }
    memcpy(copy, key_file, n + 1);
    char *slash = strrchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    if (realpath(slash == NULL ? "." : slash == copy ? "/" : copy, a) == NULL) {
        return err_set(e, RC_CODE_IO, "%s: %s", key_file, strerror(errno));
    }
    size_t len = strlen(b);
    if (strncmp(a, b, len) == 0 && (a[len] == '\0' || a[len] == '/')) {
        return err_set(e, RC_CODE_DENIED,
                       "%s lies in the state folder %s: whoever copies the folder has both; put "
                       "the key elsewhere",
                       key_file, dir);
    }
    return RC_OK;
}

rc keyring_open(struct keyring *k, const char *key_file, const char *dir, bool create,
                struct err *e)
{
    *k = (struct keyring){0};
    if (key_file == NULL || key_file[0] == '\0') {
        const char *text = getenv("SOUK_SMS_KEY");
        if (text == NULL) {
            return err_set(e, RC_CODE_MALFORMED,
                           "no storage key: give --key-file FILE or set SOUK_SMS_KEY");
        }
        rc r = keyring_parse(k, bytes_str(text), e);
        return err_wrap(e, r, "SOUK_SMS_KEY");
    }
    TRY(check_place(key_file, dir, e));
    SECRET_FREE text = {0};
    rc r = read_file(&text, key_file, e);
    if (r.code == RC_CODE_NOT_FOUND && create) {
        r = keyring_put_front(k);
        return rc_ok(r) ? keyring_write(k, key_file, e) : r;
    }
    if (rc_ok(r)) {
        r = keyring_parse(k, secret_bytes(&text), e);
        return err_wrap(e, r, "%s", key_file);
    }
    return r;
}

rc keyring_seal(const struct keyring *k, struct buf *out, struct bytes place, struct bytes plain)
{
    put_mem(out, k->id[0], KEY_ID_SIZE);
    return aes_gcm_seal(out, k->key[0].p, place, plain);
}

rc keyring_unseal(const struct keyring *k, struct secret *out, struct bytes place,
                  struct bytes sealed)
{
    if (sealed.n < KEY_ID_SIZE + 28) {
        return RC(DENIED);
    }
    for (size_t i = 0; i < k->n; i++) {
        if (memcmp(sealed.p, k->id[i], KEY_ID_SIZE) != 0) {
            continue;
        }
        size_t n = sealed.n - KEY_ID_SIZE - 28;
        TRY(secret_new(out, n + 32)); /* the cipher wants a block of room */
        struct buf into = {.p = out->p, .alloc = out->size, .cap = out->size};
        struct bytes body = {sealed.p + KEY_ID_SIZE, sealed.n - KEY_ID_SIZE};
        rc r = aes_gcm_open(&into, k->key[i].p, place, body);
        out->n = n;
        if (!rc_ok(r)) {
            secret_free(out);
        }
        return r;
    }
    return RC(DENIED);
}
