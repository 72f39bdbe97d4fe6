/* SPDX-License-Identifier: Apache-2.0 */
/* api_secrets.c - pushing secrets and asking whether they are there. SPEC sdk-surface 5 */
#include <stdio.h>

#include "base/log.h"
#include "daemon/sms/sms_int.h"
#include "encoding/hex.h"

static const char *kind_name(enum secret_kind k)
{
    switch (k) {
    case SECRET_WEB3:
        return "web3";
    case SECRET_WEB2:
        return "web2";
    case SECRET_APP:
        return "app";
    case SECRET_REQUESTER:
        return "requester";
    }
    return "?";
}

/* Is it there? 204 or 404; nobody is asked who he is. */
static void run_head(struct sms *s, struct job *j)
{
    struct err e = {0};
    rc r = vault_has(s->vault, &j->secret, &e);
    if (!rc_ok(r) && r.code != RC_CODE_NOT_FOUND) {
        log_error("sms", "look for a secret: %s", e.msg);
        job_text(j, 500, "");
        return;
    }
    job_text(j, rc_ok(r) ? 204 : 404, "");
}

static void store(struct sms *s, struct job *j, bool replace)
{
    struct err e = {0};
    char owner[HEX_ADDRESS_MAX];
    rc r = vault_put(s->vault, &j->secret, j->value, replace, &e);
    switch (r.code) {
    case RC_CODE_OK:
        s->m.pushes++;
        log_info("sms", "secret %s kind=%s owner=%s name=%.64s", replace ? "replaced" : "stored",
                 kind_name(j->secret.kind), hex_address(owner, j->secret.owner), j->secret.name);
        job_text(j, 204, "");
        break;
    case RC_CODE_DENIED:
        job_error(j, 409, "Secret already exists", "there is a secret of this name already");
        break;
    case RC_CODE_NOT_FOUND:
        job_error(j, 404, "Secret not found", "there is no secret of this name to replace");
        break;
    case RC_CODE_MALFORMED:
    case RC_CODE_LIMIT:
    case RC_CODE_IO:
    case RC_CODE_CORRUPT:
        log_error("sms", "store a secret: %s", e.msg);
        j->write_failed = true;
        break;
    }
}

static void unauthorized(struct job *j, const char *why)
{
    job_error(j, 401, "Unauthorized", "%s", why);
}

/* Secrets whose owner is an account that signed itself. */
static void run_push(struct sms *s, struct job *j)
{
    store(s, j, false);
}

static void run_replace(struct sms *s, struct job *j)
{
    store(s, j, true);
}

/* Secrets of a contract: its owner on the chain must have signed. */
static void run_push_owned(struct sms *s, struct job *j)
{
    if (!rc_ok(j->chain)) {
        unauthorized(j, "no contract with an owner() lives at this address");
    } else if (!address_eq(j->owner, j->signer)) {
        unauthorized(j, "the signature is not of the contract's owner");
    } else {
        store(s, j, false);
    }
}

/* Fills the address of a query or path parameter; answers 400 itself. */
static bool take_address_of(struct http_req *r, struct address *out, const char *name,
                            const char *text)
{
    if (text == NULL || !rc_ok(hex_parse_address(out, text))) {
        http_reply_error(r, 400, "%s: must be an address, 0x and 40 hex digits", name);
        return false;
    }
    return true;
}

static bool is_read(const struct http_req *r)
{
    return strcmp(http_method(r), "GET") == 0 || strcmp(http_method(r), "HEAD") == 0;
}

static void wipe_body(struct http_req *r)
{
    struct bytes b = http_body(r);
    if (b.n > 0) {
        mem_wipe((void *)(uintptr_t)b.p, b.n);
    }
}

/* The common part of all pushes: value, signature, job. owned: the chain says who may. */
static void push(struct sms *s, struct http_req *r, const struct secret_id *id, bool owned)
{
    struct bytes value = http_body(r);
    struct address signer;
    if (value.n == 0 || !utf8_is_valid(value)) {
        wipe_body(r);
        http_reply_error(r, 400, "the secret must be UTF-8 text of 1 to %d bytes",
                         SECRET_VALUE_MAX);
        return;
    }
    struct hash challenge = id->kind == SECRET_WEB3 ? auth_web3(id->owner, value)
                                                    : auth_named(id->owner, id->name, value);
    rc ok = auth_signer(&signer, http_header(r, "authorization"), challenge);
    if (!rc_ok(ok) || (!owned && !address_eq(signer, id->owner))) {
        wipe_body(r);
        http_reply(r, 401, "application/json",
                   BYTES_LIT("{\"error\":\"Unauthorized\",\"message\":\"Authorization: must be the "
                             "owner's signature of the challenge\"}"));
        return;
    }
    bool put = strcmp(http_method(r), "PUT") == 0;
    struct job *j = job_new(s, r, owned ? run_push_owned : put ? run_replace : run_push);
    j->secret = *id;
    j->value = value;
    j->signer = signer;
    if (owned) {
        j->need = NEED_OWNER;
        j->contract = id->owner;
    }
}

static void head(struct sms *s, struct http_req *r, const struct secret_id *id)
{
    struct job *j = job_new(s, r, run_head);
    j->secret = *id;
}

void on_web3(void *ctx, struct http_req *r)
{
    struct secret_id id = {.kind = SECRET_WEB3, .name = ""};
    if (!take_address_of(r, &id.owner, "secretAddress", http_query(r, "secretAddress"))) {
        return;
    }
    if (is_read(r)) {
        head(ctx, r, &id);
    } else {
        push(ctx, r, &id, true);
    }
}

enum { NAME_MAX_WEB2 = 256 };

void on_web2(void *ctx, struct http_req *r)
{
    struct secret_id id = {.kind = SECRET_WEB2, .name = http_query(r, "secretName")};
    if (!take_address_of(r, &id.owner, "ownerAddress", http_query(r, "ownerAddress"))) {
        return;
    }
    if (id.name == NULL || id.name[0] == '\0' || strlen(id.name) > NAME_MAX_WEB2 ||
        !utf8_is_valid(bytes_str(id.name))) {
        http_reply_error(r, 400, "secretName: must be 1 to %d characters", NAME_MAX_WEB2);
        return;
    }
    if (is_read(r)) {
        head(ctx, r, &id);
    } else {
        push(ctx, r, &id, false);
    }
}

void on_app(void *ctx, struct http_req *r)
{
    struct secret_id id = {.kind = SECRET_APP, .name = "1"};
    if (!take_address_of(r, &id.owner, "application", http_param(r, "app"))) {
        return;
    }
    if (is_read(r)) {
        head(ctx, r, &id);
    } else {
        push(ctx, r, &id, true);
    }
}

/* SPEC sdk-surface 5: ^[\p{Alnum}-_]{1,64}$ */
static bool is_key(const char *k)
{
    size_t n = strlen(k);
    for (size_t i = 0; i < n; i++) {
        char c = k[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return n >= 1 && n <= 64;
}

void on_requester(void *ctx, struct http_req *r)
{
    struct secret_id id = {.kind = SECRET_REQUESTER, .name = http_param(r, "key")};
    if (!take_address_of(r, &id.owner, "requester", http_param(r, "who"))) {
        return;
    }
    if (id.name == NULL || !is_key(id.name)) {
        http_reply_error(r, 400,
                         "Secret key should contain at most 64 characters from [0-9A-Za-z-_]");
        return;
    }
    if (is_read(r)) {
        head(ctx, r, &id);
    } else {
        push(ctx, r, &id, false);
    }
}
