/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - what the operator decides: policy, trust anchors, agents, collateral, properties. */
#include <dirent.h>
#include <errno.h>

#include "base/log.h"
#include "crypto/sha2.h"
#include "daemon/sms/sms_int.h"
#include "encoding/hex.h"
#include "encoding/pem.h"
#include "io/file.h"

#define ANCHOR_FILE_MAX     ((size_t)1 << 20)
#define COLLATERAL_FILE_MAX ((size_t)4 << 20)
#define PROGRAM_MAX         ((size_t)256 << 20)

static rc load_policy(struct sms *s, const char *path, struct err *e)
{
    struct bytes text;
    attest_policy_default(&s->policy);
    if (path == NULL) {
        return RC_OK;
    }
    TRY(file_read_arena(&text, &s->cfg_arena, path, ATTEST_POLICY_MAX, e));
    rc r = attest_policy_parse(&s->policy, &s->cfg_arena, text, e);
    return err_wrap(e, r, "%s", path);
}

static bool names_simulated(const struct attest_policy *p)
{
    for (size_t i = 0; i < p->kinds.n; i++) {
        if (bytes_eq(p->kinds.v[i], BYTES_LIT("simulated"))) {
            return true;
        }
    }
    return false;
}

/* "KIND:0xADDRESS", or "KIND:FILE" with a certificate or a public key in DER or PEM. */
static rc load_anchor(struct sms *s, const char *text, struct err *e)
{
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0') {
        return err_set(e, RC_CODE_MALFORMED,
                       "--anchor '%.80s': must be KIND:0xADDRESS or KIND:FILE", text);
    }
    struct attest_anchor *a = &s->anchor[s->n_anchor++];
    size_t n = (size_t)(colon - text);
    char *kind = arena_alloc(&s->cfg_arena, n + 1);
    struct address *address = ARENA_NEW(&s->cfg_arena, struct address);
    if (kind == NULL || address == NULL) {
        return err_set(e, RC_CODE_LIMIT, "--anchor: out of memory");
    }
    memcpy(kind, text, n);
    a->kind = kind;
    a->name = text;
    if (rc_ok(hex_parse_address(address, colon + 1))) {
        a->type = ATTEST_ANCHOR_ADDRESS;
        a->data = BYTES_OF(*address);
        return RC_OK;
    }
    rc r = file_read_arena(&a->data, &s->cfg_arena, colon + 1, ANCHOR_FILE_MAX, e);
    TRY(err_wrap(e, r, "--anchor %.80s", text));
    bool is_pem = a->data.n > 11 && memcmp(a->data.p, "-----BEGIN ", 11) == 0;
    bool is_key = is_pem && a->data.n > 27 && memcmp(a->data.p + 11, "PUBLIC KEY-----", 15) == 0;
    if (is_pem) {
        BUF_FREE der = buf_new(ANCHOR_FILE_MAX);
        struct cur c = cur_of(a->data);
        if (!rc_ok(pem_take(&der, &c, is_key ? "PUBLIC KEY" : "CERTIFICATE"))) {
            return err_set(e, RC_CODE_MALFORMED, "--anchor %.80s: not a PEM certificate or key",
                           text);
        }
        uint8_t *copy = arena_alloc(&s->cfg_arena, der.n);
        if (copy == NULL) {
            return err_set(e, RC_CODE_LIMIT, "--anchor: out of memory");
        }
        memcpy(copy, der.p, der.n);
        a->data = (struct bytes){copy, der.n};
    }
    a->type = is_key ? ATTEST_ANCHOR_KEY : ATTEST_ANCHOR_CERT;
    return RC_OK;
}

static rc load_anchors(struct sms *s, const struct sms_config *cfg, struct err *e)
{
    s->anchor = ARENA_ARRAY(&s->cfg_arena, struct attest_anchor, cfg->n_anchors + 1);
    ASSERT(s->anchor != NULL);
    for (size_t i = 0; i < cfg->n_anchors; i++) {
        TRY(load_anchor(s, cfg->anchors[i], e));
    }
    return RC_OK;
}

/* The digest of the running program: the agent of this build is the same file. */
static rc own_digest(struct hash *out, struct err *e)
{
    BUF_FREE program = buf_new(PROGRAM_MAX);
    TRY(file_read(&program, "/proc/self/exe", e));
    *out = sha256(buf_bytes(&program));
    return RC_OK;
}

static rc load_agents(struct sms *s, const struct sms_config *cfg, struct err *e)
{
    size_t n = MAX(cfg->n_agents, (size_t)1);
    s->agent = ARENA_ARRAY(&s->cfg_arena, struct hash, n);
    ASSERT(s->agent != NULL);
    s->n_agent = n;
    if (cfg->n_agents == 0) {
        rc r = own_digest(&s->agent[0], e);
        return err_wrap(e, r, "digest of the agent of this build");
    }
    for (size_t i = 0; i < n; i++) {
        if (!rc_ok(hex_parse_hash(&s->agent[i], cfg->agents[i]))) {
            return err_set(e, RC_CODE_MALFORMED, "--agent '%.80s': must be 0x and 64 hex digits",
                           cfg->agents[i]);
        }
    }
    return RC_OK;
}

static rc load_collateral(struct sms *s, const char *dir, struct err *e)
{
    if (dir == NULL) {
        return RC_OK;
    }
    s->item = ARENA_ARRAY(&s->cfg_arena, struct attest_item, ATTEST_ITEMS_MAX);
    DIR *d = opendir(dir);
    if (d == NULL || s->item == NULL) {
        if (d != NULL) {
            (void)closedir(d);
        }
        return err_set(e, RC_CODE_IO, "--collateral %s: %s", dir, strerror(errno));
    }
    rc r = RC_OK;
    for (struct dirent *f = readdir(d); f != NULL && rc_ok(r); f = readdir(d)) {
        char path[FILE_PATH_MAX];
        if (f->d_name[0] == '.' || (f->d_type != DT_REG && f->d_type != DT_UNKNOWN)) {
            continue;
        }
        if (s->n_item == ATTEST_ITEMS_MAX) {
            r = err_set(e, RC_CODE_LIMIT, "--collateral %s: more than %d files", dir,
                        ATTEST_ITEMS_MAX);
            break;
        }
        struct attest_item *it = &s->item[s->n_item];
        size_t n = strlen(f->d_name);
        char *name = arena_alloc(&s->cfg_arena, n + 1);
        ASSERT(name != NULL);
        memcpy(name, f->d_name, n);
        it->name = name;
        r = path_join(path, dir, f->d_name, e);
        if (rc_ok(r)) {
            r = file_read_arena(&it->data, &s->cfg_arena, path, COLLATERAL_FILE_MAX, e);
        }
        s->n_item += rc_ok(r) ? 1 : 0;
    }
    (void)closedir(d);
    return r;
}

static rc load_properties(struct sms *s, const char *path, struct err *e)
{
    struct bytes text;
    if (path == NULL) {
        return RC_OK;
    }
    TRY(file_read_arena(&text, &s->cfg_arena, path, ANCHOR_FILE_MAX, e));
    s->properties = json_parse(text, JSON_DEPTH_MAX, e);
    if (s->properties == NULL) {
        return err_wrap(e, RC(MALFORMED), "%s", path);
    }
    struct js top = js_top(s->properties);
    rc r = js_object(&top, e);
    return err_wrap(e, r, "%s", path);
}

rc sms_settings(struct sms *s, const struct sms_config *cfg, struct err *e)
{
    static const char *const frameworks[] = {"TDX", "SCONE", "GRAMINE"};
    size_t i = 0;
    s->framework = cfg->framework != NULL ? cfg->framework : frameworks[0];
    while (i < ARRAY_LEN(frameworks) && strcmp(s->framework, frameworks[i]) != 0) {
        i++;
    }
    if (i == ARRAY_LEN(frameworks)) {
        return err_set(e, RC_CODE_MALFORMED, "--tee-framework '%.20s': TDX, SCONE or GRAMINE",
                       s->framework);
    }
    s->provision_url = cfg->provision_url;
    TRY(load_policy(s, cfg->policy_file, e));
    TRY(load_anchors(s, cfg, e));
    TRY(load_agents(s, cfg, e));
    TRY(load_collateral(s, cfg->collateral_dir, e));
    TRY(load_properties(s, cfg->properties_file, e));
    if (names_simulated(&s->policy)) {
        log_warn("sms",
                 "the policy allows SIMULATED evidence: no hardware protects what is "
                 "released");
    }
    if (s->at != 0) {
        log_warn("sms", "the time is pinned to %llu: for tests only", (unsigned long long)s->at);
    }
    return RC_OK;
}
