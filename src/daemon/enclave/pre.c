/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "crypto/aes.h"
#include "crypto/sha2.h"
#include "daemon/client/client.h"
#include "daemon/enclave/enclave_int.h"
#include "encoding/hex.h"

/* SPEC offchain 5. Plaintext is written into the private place alone. */

static rc fetch(struct buf *out, struct agent *g, struct bytes location, struct err *e)
{
    uint64_t size = 0;
    {
        CLOSE_FD fd = open(g->fetch, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0) {
            return err_set(e, RC_CODE_IO, "write %s: %s", g->fetch, strerror(errno));
        }
        TRY(store_fetch(g->http, fd, &size, g->cfg->gateway, location, g->cfg->data_max, e));
    }
    rc r = file_read(out, g->fetch, e);
    (void)unlink(g->fetch);
    return r;
}

/* No fsync: the place is memory, or is removed anyway. */
static rc put_plain(const struct agent *g, const char *name, struct bytes data, struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(path_join(path, g->in, name, e));
    CLOSE_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_set(e, RC_CODE_IO, "write %s: %s", path, strerror(errno));
    }
    return fd_write_all(fd, data, e);
}

static rc put_decrypted(const struct agent *g, const char *name, const struct secret *key,
                        struct bytes cipher, struct err *e)
{
    BUF_WIPE plain = buf_new(cipher.n + 16);
    if (!rc_ok(aes_cbc_decrypt(&plain, key->p, cipher))) {
        return err_set(e, RC_CODE_DENIED, "does not decrypt with the key that its owner gave");
    }
    return put_plain(g, name, buf_bytes(&plain), e);
}

static rc take_dataset(struct agent *g, const struct tee_data *d, struct err *e)
{
    BUF_FREE cipher = buf_new(g->cfg->data_max);
    rc r = fetch(&cipher, g, d->url, e);
    if (!rc_ok(r)) {
        return agent_fail(g, e, r, "PRE_COMPUTE_DATASET_DOWNLOAD_FAILED");
    }
    if (!hash_eq(sha256(buf_bytes(&cipher)), d->checksum)) {
        return agent_fail(g, e,
                          err_set(e, RC_CODE_DENIED,
                                  "the dataset has another checksum than the "
                                  "chain says"),
                          "PRE_COMPUTE_INVALID_DATASET_CHECKSUM");
    }
    r = put_decrypted(g, d->name, &d->key, buf_bytes(&cipher), e);
    return rc_ok(r)
               ? r
               : agent_fail(g, e, err_wrap(e, r, "the dataset"),
                            r.code == RC_CODE_DENIED ? "PRE_COMPUTE_DATASET_DECRYPTION_FAILED"
                                                     : "PRE_COMPUTE_SAVING_PLAIN_DATASET_FAILED");
}

static rc take_input(struct agent *g, size_t i, struct err *e)
{
    const struct tee_session *s = &g->session;
    char name[HEX_HASH_MAX];
    BUF_FREE data = buf_new(g->cfg->data_max);
    (void)hex_hash(name, sha256(bytes_str(s->input_url[i])));
    rc r = fetch(&data, g, bytes_str(s->input_url[i]), e);
    if (rc_ok(r)) {
        r = s->input_key[i].n > 0 ? put_decrypted(g, name, &s->input_key[i], buf_bytes(&data), e)
                                  : put_plain(g, name, buf_bytes(&data), e);
    }
    return rc_ok(r) ? r
                    : agent_fail(g, e, err_wrap(e, r, "input file %zu", i + 1),
                                 "PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED");
}

rc agent_pre(struct agent *g, struct err *e)
{
    for (size_t i = 0; i < g->session.data_n; i++) {
        TRY(take_dataset(g, &g->session.data[i], e));
    }
    for (size_t i = 0; i < g->session.inputs_n; i++) {
        bool again = false; /* the same URL twice is one file */
        for (size_t j = 0; j < i; j++) {
            again |= strcmp(g->session.input_url[i], g->session.input_url[j]) == 0;
        }
        if (!again) {
            TRY(take_input(g, i, e));
        }
    }
    /* The keys have done their work: none is in memory while the application runs. */
    for (size_t i = 0; i < SESSION_DATA_MAX; i++) {
        secret_free(&g->session.data[i].key);
    }
    for (size_t i = 0; i < SESSION_INPUTS_MAX; i++) {
        secret_free(&g->session.input_key[i]);
    }
    return RC_OK;
}
