/* SPDX-License-Identifier: Apache-2.0 */
/* rotate.c - another storage key. Three steps, each whole on disk before the next: the new key in
 * front of the file; all rows under it, in one transaction; the old keys out of the file. After a
 * kill the file holds every key that any row needs, and running it again finishes. */
#include "daemon/sms/sms_int.h"
#include "io/file.h"

static rc convert(struct keyring *k, const char *dir, const char *key_file, uint64_t *rows,
                  struct err *e)
{
    struct vault *v = NULL;
    TRY(vault_open(&v, dir, k, e)); /* before anything is changed: the old key must fit */
    rc r = RC_OK;
    if (key_file != NULL) {
        r = keyring_put_front(k);
        r = rc_ok(r) ? keyring_write(k, key_file, e)
                     : err_set(e, r.code, "no room for another key, or no randomness");
    }
    if (rc_ok(r)) {
        r = vault_reseal(v, rows, e);
    }
    vault_close(v);
    TRY(r);
    if (key_file != NULL) {
        for (size_t i = 1; i < k->n; i++) {
            secret_free(&k->key[i]);
        }
        k->n = 1;
        return keyring_write(k, key_file, e);
    }
    return RC_OK;
}

rc sms_rotate(const char *dir, const char *key_file, uint64_t *rows, struct err *e)
{
    char path[FILE_PATH_MAX];
    struct keyring k;
    *rows = 0;
    TRY(path_join(path, dir, "sms.db", e));
    if (!file_exists(path)) {
        return err_set(e, RC_CODE_NOT_FOUND, "%s: no database of a secret manager there", dir);
    }
    CLOSE_FD lock = -1;
    TRY(dir_lock(&lock, dir, e));
    TRY(keyring_open(&k, key_file, dir, false, e));
    rc r = convert(&k, dir, key_file, rows, e);
    keyring_free(&k);
    return r;
}
