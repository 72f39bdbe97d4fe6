/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - what the operator decides: policy, agents, framework, properties. */
#include "base/log.h"
#include "crypto/sha2.h"
#include "daemon/sms/sms_int.h"
#include "encoding/hex.h"
#include "io/file.h"

#define PROPERTIES_MAX ((size_t)1 << 20)
#define PROGRAM_MAX    ((size_t)256 << 20)

static bool names_simulated(const struct attest_policy *p)
{
    for (size_t i = 0; i < p->kinds.n; i++) {
        if (bytes_eq(p->kinds.v[i], BYTES_LIT("simulated"))) {
            return true;
        }
    }
    return false;
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

static rc load_properties(struct sms *s, const char *path, struct err *e)
{
    struct bytes text;
    if (path == NULL) {
        return RC_OK;
    }
    TRY(file_read_arena(&text, &s->cfg_arena, path, PROPERTIES_MAX, e));
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
    s->gateway = cfg->gateway;
    s->policy = cfg->policy;
    s->anchor = cfg->anchor;
    s->n_anchor = cfg->n_anchor;
    s->item = cfg->item;
    s->n_item = cfg->n_item;
    TRY(load_agents(s, cfg, e));
    TRY(load_properties(s, cfg->properties_file, e));
    if (names_simulated(s->policy)) {
        log_warn("sms",
                 "the policy allows SIMULATED evidence: no hardware protects what is "
                 "released");
    }
    if (s->at != 0) {
        log_warn("sms", "the time is pinned to %llu: for tests only", (unsigned long long)s->at);
    }
    return RC_OK;
}
