/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "crypto/aes.h"
#include "crypto/keccak.h"
#include "crypto/rsa.h"
#include "crypto/secp.h"
#include "daemon/client/client.h"
#include "daemon/enclave/enclave_int.h"
#include "encoding/hex.h"

/* SPEC offchain 0 and 6, sdk-surface 9 and 10. */

#define ZIP_SLACK ((size_t)4 << 20)

static rc put_log(const struct agent *g, const char *name, const struct buf *log, struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(path_join(path, g->out, name, e));
    return file_exists(path) ? RC_OK : file_write(path, buf_bytes(log), 0600, e);
}

static rc sign(struct agent *g, struct err *e)
{
    const struct tee_session *s = &g->session;
    uint8_t b[84];
    memcpy(b, s->worker.b, 20);
    memcpy(b + 20, s->task.b, 32);
    memcpy(b + 52, g->digest.digest.b, 32);
    g->result_hash = keccak256((struct bytes){b + 20, 64});
    g->result_seal = keccak256((struct bytes){b, 84});
    struct hash m = eip191_hash(keccak256_2(BYTES_OF(g->result_hash), BYTES_OF(g->result_seal)));
    return rc_ok(secp_sign65(g->signature, &s->sign_key, m))
               ? RC_OK
               : agent_fail(g, e, err_set(e, RC_CODE_IO, "the challenge key does not sign"),
                            "POST_COMPUTE_INVALID_TEE_SIGNATURE");
}

/* iexec_out.zip.aes under a fresh key, which is under the beneficiary's. */
static rc encrypt(struct buf *out, const struct agent *g, struct bytes zip, struct err *e)
{
    uint8_t iv[16];
    SECRET_FREE key = {0};
    BUF_FREE wrapped = buf_new(2048);
    BUF_FREE cipher = buf_new(zip.n + 64);
    TRY(secret_random(&key, 32));
    TRY(random_bytes(iv, sizeof(iv)));
    TRY(aes_cbc_encrypt(&cipher, key.p, iv, zip));
    if (!rc_ok(rsa_encrypt(&wrapped, g->session.public_pem, secret_bytes(&key)))) {
        return err_set(e, RC_CODE_MALFORMED, "the beneficiary's key is no RSA public key");
    }
    struct zip_entry list[] = {{"iexec_out.zip.aes", buf_bytes(&cipher)},
                               {"aes-key.rsa", buf_bytes(&wrapped)}};
    return zip_put(out, list, 2, e);
}

static rc upload(struct agent *g, struct err *e)
{
    char cid[160];
    size_t max = (size_t)g->cfg->limits.out_size + ZIP_SLACK;
    BUF_WIPE zip = buf_new(max);
    BUF_FREE sealed = buf_new(max + ZIP_SLACK);
    rc r = result_zip(&zip, g->out, e);
    if (!rc_ok(r)) {
        return agent_fail(g, e, r,
                          r.code == RC_CODE_DENIED ? "POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME"
                                                   : "POST_COMPUTE_OUT_FOLDER_ZIP_FAILED");
    }
    if (g->session.encrypt) {
        r = encrypt(&sealed, g, buf_bytes(&zip), e);
        if (!rc_ok(r)) {
            return agent_fail(g, e, r,
                              r.code == RC_CODE_MALFORMED
                                  ? "POST_COMPUTE_MALFORMED_ENCRYPTION_PUBLIC_KEY"
                                  : "POST_COMPUTE_ENCRYPTION_FAILED");
        }
    }
    r = store_add(g->http, cid, g->cfg->store, NULL, buf_bytes(g->session.encrypt ? &sealed : &zip),
                  e);
    if (!rc_ok(r)) {
        return agent_fail(g, e, r, "POST_COMPUTE_IPFS_UPLOAD_FAILED");
    }
    (void)snprintf(g->link, sizeof(g->link),
                   "{ \"storage\": \"ipfs\", \"location\": \"/ipfs/%s\" }", cid);
    return RC_OK;
}

rc agent_post(struct agent *g, struct err *e)
{
    rc r = result_digest(&g->digest, &g->arena, g->out, e);
    if (!rc_ok(r)) {
        const char *cause = !g->ran || r.code != RC_CODE_NOT_FOUND
                                ? "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED"
                                : "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND";
        return agent_fail(g, e, r, cause);
    }
    if (g->session.callback != g->digest.computed.has_callback) {
        return agent_fail(g, e,
                          err_set(e, RC_CODE_MALFORMED,
                                  g->session.callback
                                      ? "the deal wants callback data, the application gave none"
                                      : "the application gave callback data, the deal has no "
                                        "callback"),
                          "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED");
    }
    if (!g->session.callback) {
        if (strcmp(g->session.provider, "ipfs") != 0 && g->session.provider[0] != 0) {
            return agent_fail(g, e,
                              err_set(e, RC_CODE_MALFORMED,
                                      "results go to ipfs; %.40s is not "
                                      "served here",
                                      g->session.provider),
                              "POST_COMPUTE_FAILED_UNKNOWN_ISSUE");
        }
        if (g->run.exit_code == 0) {
            TRY(put_log(g, "stdout.txt", &g->run.out, e));
            TRY(put_log(g, "stderr.txt", &g->run.err, e));
        }
        TRY(upload(g, e));
    }
    return sign(g, e);
}
