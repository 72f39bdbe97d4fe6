/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_ENCLAVE_ENCLAVE_INT_H
#define SOUK_DAEMON_ENCLAVE_ENCLAVE_INT_H

/* enclave_int.h - the steps of the agent:
 *   private.c     a place and a process that others do not see into
 *   tee_session.c what the secret manager gave, read from JSON
 *   ask.c         the talk with the secret manager
 *   pre.c         dataset and input files, fetched, checked, decrypted
 *   post.c        result digested, zipped, encrypted, uploaded, signed
 *   report.c      what the worker is told
 *   agent.c       one after the other */

#include "daemon/enclave/enclave.h"
#include "daemon/sms/sms.h"
#include "io/file.h"
#include "io/http_client.h"

#define SESSION_INPUTS_MAX 64
#define SESSION_DATA_MAX   101 /* one, and a slice of 100: SPEC sdk-surface 7 */
#define SESSION_ENV_MAX    256
#define CAUSE_MAX          80

/* A dataset: ciphertext somewhere, to become a file in /iexec_in. */
struct tee_data {
    struct bytes url;
    const char *name; /* of the file */
    struct hash checksum;
    struct secret key; /* 32 bytes */
};

/* The session's text lives in the arena of whoever parsed it; keys are in locked memory. */
struct tee_session {
    struct hash task, deal, app_checksum;
    struct address worker, challenge, dataset;
    bool simulated;

    size_t data_n; /* the deal's dataset and, in a bulk, those of the slice */
    struct tee_data data[SESSION_DATA_MAX];

    size_t inputs_n;
    const char *input_url[SESSION_INPUTS_MAX];
    struct secret input_key[SESSION_INPUTS_MAX]; /* n 0: not encrypted */

    const char *env[SESSION_ENV_MAX + 1]; /* "NAME=value" of the application; ends with NULL */
    const char *args;

    struct secret sign_key; /* of the enclave challenge */
    bool encrypt, callback;
    struct bytes public_pem; /* of the beneficiary, when encrypt */
    const char *provider;    /* "ipfs" */
};

/* Checks every field: MALFORMED names the place, never a value. tee_session_free() in any case. */
rc tee_session_parse(struct tee_session *out, struct arena *a, struct bytes json, struct err *e);
void tee_session_free(struct tee_session *s);

struct agent {
    const struct enclave_config *cfg;
    struct arena arena; /* wiped at the end */
    struct http_client *http;
    struct tee_session session;
    struct image image;
    struct hash image_digest, agent_digest;
    char in[FILE_PATH_MAX], out[FILE_PATH_MAX], fetch[FILE_PATH_MAX];
    struct buf notes;

    /* for the report */
    struct provision_binding binding;
    struct buf evidence;
    bool ran, done, away;
    struct run_result run;
    struct run_digest digest;
    struct hash result_hash, result_seal;
    uint8_t signature[65];
    char link[256];
    char cause[CAUSE_MAX];
};

/* A failure with the cause that the scheduler is told; returns a rc of code. */
rc agent_fail(struct agent *g, struct err *e, rc r, const char *cause);

/* Not dumpable, freed JSON is wiped, a mount namespace of its own with a tmpfs on work where the
 * system allows it (else a note). */
rc private_enter(const char *work, struct buf *notes, struct err *e);
void buf_wipe(struct buf *b); /* wipes, then frees */

#define BUF_WIPE __attribute__((cleanup(buf_wipe))) struct buf

rc agent_ask(struct agent *g, struct err *e);
rc agent_pre(struct agent *g, struct err *e);
rc agent_post(struct agent *g, struct err *e);
void agent_report(struct buf *out, const struct agent *g, bool ok, const struct err *e);

#endif /* SOUK_DAEMON_ENCLAVE_ENCLAVE_INT_H */
