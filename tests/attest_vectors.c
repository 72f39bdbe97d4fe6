/* SPDX-License-Identifier: Apache-2.0 */
/* attest-vectors DIR… - runs the verifier over every sample folder below DIR: a folder with an
 * expected.json (claims, and per case the time, outcome, TCB status and advisories) beside the
 * evidence and its collateral. Prints each difference and ends with "N passed, M failed". Samples of
 * a kind that has no back end are skipped, and that is said. */
#include <dirent.h>
#include <glob.h>
#include <jansson.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>

#include "attest/attest.h"
#include "encoding/hex.h"
#include "encoding/pem.h"
#include "io/file.h"
#include "tests/test.h"

enum { FILES_MAX = 32, MEMORY = 64 << 20, ANY_TIME = 1735689600 };

/* Which back end reads which samples, and which file is the evidence. */
static const struct kind {
    const char *tee, *backend, *evidence, *or_evidence;
    bool no_crl; /* the samples have no revocation lists: there the policy must do without */
} kinds[] = {
    {"sgx", "sgx", "quote.bin"},
    {"tdx", "tdx", "quote.bin"},
    {"sev-snp", "sev-snp", "report.bin", .no_crl = true},
    {"nitro", "nitro", "attestation.cbor"},
    {"arm-cca", "cca", "token.cbor"},
    {"psa", "psa", "token.cbor"},
    {"azure-vtpm", "azure", "hcl_report.bin", .no_crl = true},
    {"tpm", "tpm", "quote.msg", "quote.out"},
    {"eventlog", "eventlog", "eventlog.bin"},
    {"keystone", "keystone", "report.bin"},
};

/* Names of claims in expected.json ("a/b": member or element b of a) and in a verdict. Values are hex,
 * numbers, booleans or texts. */
static const struct claim_name {
    const char *tee, *theirs, *ours;
} claim_names[] = {
    {"sgx", "cpusvn", "tcb"},
    {"sgx", "miscselect", "sgx.miscselect"},
    {"sgx", "attributes", "sgx.attributes"},
    {"sgx", "mrenclave", "measurement"},
    {"sgx", "mrsigner", "signer"},
    {"sgx", "isvprodid", "product"},
    {"sgx", "isvsvn", "svn"},
    {"sgx", "report_data", "report_data"},
    {"sgx", "debug", "debug"},
    {"tdx", "tee_tcb_svn", "tcb"},
    {"tdx", "mrseam", "tdx.mrseam"},
    {"tdx", "mrsignerseam", "tdx.mrsignerseam"},
    {"tdx", "seamattributes", "tdx.seamattributes"},
    {"tdx", "td_attributes", "tdx.td_attributes"},
    {"tdx", "xfam", "tdx.xfam"},
    {"tdx", "mrtd", "measurement"},
    {"tdx", "mrconfigid", "configuration"},
    {"tdx", "mrowner", "tdx.mrowner"},
    {"tdx", "mrownerconfig", "tdx.mrownerconfig"},
    {"tdx", "rtmr0", "tdx.rtmr0"},
    {"tdx", "rtmr1", "tdx.rtmr1"},
    {"tdx", "rtmr2", "tdx.rtmr2"},
    {"tdx", "rtmr3", "tdx.rtmr3"},
    {"tdx", "report_data", "report_data"},
    {"tdx", "debug", "debug"},
    {"tdx", "tee_tcb_svn2", "tdx.tee_tcb_svn2"},
    {"tdx", "mrservicetd", "tdx.mrservicetd"},
    {"nitro", "module_id", "nitro.module_id"},
    {"nitro", "digest", "nitro.digest"},
    {"nitro", "timestamp_ms", "nitro.timestamp_ms"},
    {"nitro", "pcr_count", "nitro.pcr_count"},
    {"nitro", "debug", "debug"},
    {"nitro", "user_data", "report_data"},
    {"nitro", "nonce", "nonce"},
    {"nitro", "public_key", "nitro.public_key"},
    {"nitro", "pcrs/0", "measurement"},
    {"nitro", "pcrs/0", "nitro.pcr0"},
    {"nitro", "pcrs/1", "nitro.pcr1"},
    {"nitro", "pcrs/2", "nitro.pcr2"},
    {"nitro", "pcrs/3", "nitro.pcr3"},
    {"nitro", "pcrs/4", "nitro.pcr4"},
    {"nitro", "pcrs/5", "nitro.pcr5"},
    {"nitro", "pcrs/6", "nitro.pcr6"},
    {"nitro", "pcrs/7", "nitro.pcr7"},
    {"nitro", "pcrs/8", "nitro.pcr8"},
    {"nitro", "pcrs/9", "nitro.pcr9"},
    {"nitro", "pcrs/10", "nitro.pcr10"},
    {"nitro", "pcrs/11", "nitro.pcr11"},
    {"nitro", "pcrs/12", "nitro.pcr12"},
    {"nitro", "pcrs/13", "nitro.pcr13"},
    {"nitro", "pcrs/14", "nitro.pcr14"},
    {"nitro", "pcrs/15", "nitro.pcr15"},
    {"nitro", "pcrs/16", "nitro.pcr16"},
    {"psa", "10", "nonce"},
    {"psa", "-75008", "nonce"},
    {"psa", "256", "platform"},
    {"psa", "-75009", "platform"},
    {"psa", "265", "psa.profile"},
    {"psa", "-75000", "psa.profile"},
    {"psa", "2394", "psa.client_id"},
    {"psa", "-75001", "psa.client_id"},
    {"psa", "2395", "psa.lifecycle"},
    {"psa", "-75002", "psa.lifecycle"},
    {"psa", "2396", "psa.implementation_id"},
    {"psa", "-75003", "psa.implementation_id"},
    {"psa", "2397", "psa.boot_seed"},
    {"psa", "-75004", "psa.boot_seed"},
    {"psa", "2398", "psa.certification_reference"},
    {"psa", "-75005", "psa.certification_reference"},
    {"psa", "2400", "psa.verification_service"},
    {"psa", "-75010", "psa.verification_service"},
    {"psa", "2399/0/2", "psa.sw0.measurement"},
    {"psa", "-75006/0/2", "psa.sw0.measurement"},
    {"psa", "2399/1/5", "psa.sw1.signer"},
    {"psa", "-75006/1/5", "psa.sw1.signer"},
    {"psa", "2399/0/1", "psa.sw0.type"},
    {"psa", "-75006/1/4", "psa.sw1.version"},
    {"arm-cca", "platform/265", "cca.platform.profile"},
    {"arm-cca", "platform/10", "cca.platform.nonce"},
    {"arm-cca", "platform/256", "platform"},
    {"arm-cca", "platform/2395", "cca.platform.lifecycle"},
    {"arm-cca", "platform/2396", "cca.platform.implementation_id"},
    {"arm-cca", "platform/2401", "cca.platform.config"},
    {"arm-cca", "platform/2402", "cca.platform.hash_algorithm"},
    {"arm-cca", "platform/2400", "cca.platform.verification_service"},
    {"arm-cca", "platform/2399/0/2", "cca.platform.sw0.measurement"},
    {"arm-cca", "platform/2399/0/5", "cca.platform.sw0.signer"},
    {"arm-cca", "platform/2399/3/2", "cca.platform.sw3.measurement"},
    {"arm-cca", "platform/2399/1/1", "cca.platform.sw1.type"},
    {"arm-cca", "265", "cca.platform.profile"},
    {"arm-cca", "10", "nonce"},
    {"arm-cca", "256", "platform"},
    {"arm-cca", "2395", "cca.platform.lifecycle"},
    {"arm-cca", "2396", "cca.platform.implementation_id"},
    {"arm-cca", "2401", "cca.platform.config"},
    {"arm-cca", "2402", "cca.platform.hash_algorithm"},
    {"arm-cca", "2400", "cca.platform.verification_service"},
    {"arm-cca", "2399/0/2", "cca.platform.sw0.measurement"},
    {"arm-cca", "2399/0/5", "cca.platform.sw0.signer"},
    {"arm-cca", "2399/3/2", "cca.platform.sw3.measurement"},
    {"arm-cca", "2399/1/1", "cca.platform.sw1.type"},
    {"arm-cca", "realm/265", "cca.realm.profile"},
    {"arm-cca", "realm/10", "nonce"},
    {"arm-cca", "realm/44235", "configuration"},
    {"arm-cca", "realm/44236", "cca.realm.hash_algorithm"},
    {"arm-cca", "realm/44237", "cca.realm.public_key"},
    {"arm-cca", "realm/44240", "cca.realm.public_key_hash_algorithm"},
    {"arm-cca", "realm/44238", "measurement"},
    {"arm-cca", "realm/44239/0", "cca.realm.rem0"},
    {"arm-cca", "realm/44239/3", "cca.realm.rem3"},
    {"keystone", "enclave_hash", "measurement"},
    {"keystone", "sm_hash", "keystone.sm_hash"},
    {"keystone", "data", "report_data"},
    {"keystone", "sm_pubkey", "keystone.sm_pubkey"},
    {"tpm", "quote/qualified_signer", "tpm.qualified_signer"},
    {"tpm", "quote/extra_data", "tpm.extra_data"},
    {"tpm", "quote/clock", "tpm.clock"},
    {"tpm", "quote/reset_count", "tpm.reset_count"},
    {"tpm", "quote/restart_count", "tpm.restart_count"},
    {"tpm", "quote/safe", "tpm.safe"},
    {"tpm", "quote/firmware", "tpm.firmware"},
    {"tpm", "quote/pcr_digest", "tpm.pcr_digest"},
    {"azure-vtpm", "report_data", "report_data"},
    {"azure-vtpm", "runtime_data_bound", "azure.runtime_data_bound"},
    {"azure-vtpm", "vm_configuration/console-enabled", "azure.console-enabled"},
    {"azure-vtpm", "vm_configuration/secure-boot", "azure.secure-boot"},
    {"azure-vtpm", "vm_configuration/tpm-enabled", "azure.tpm-enabled"},
    {"azure-vtpm", "quote/qualified_signer", "tpm.qualified_signer"},
    {"azure-vtpm", "quote/extra_data", "nonce"},
    {"azure-vtpm", "quote/clock", "tpm.clock"},
    {"azure-vtpm", "quote/reset_count", "tpm.reset_count"},
    {"azure-vtpm", "quote/restart_count", "tpm.restart_count"},
    {"azure-vtpm", "quote/safe", "tpm.safe"},
    {"azure-vtpm", "quote/firmware", "tpm.firmware"},
    {"azure-vtpm", "quote/pcr_digest", "tpm.pcr_digest"},
    {"azure-vtpm", "snp/measurement", "measurement"},
    {"azure-vtpm", "snp/chip_id", "platform"},
    {"azure-vtpm", "td_quote/mrtd", "measurement"},
    {"azure-vtpm", "td_quote/rtmr0", "tdx.rtmr0"},
    {"azure-vtpm", "td_quote/rtmr3", "tdx.rtmr3"},
};

static unsigned passed, failed, skipped;
static bool failed_here;
static const char *sample_path;

static void differ(const char *time, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void differ(const char *time, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)printf("FAIL %s at %s: ", sample_path, time);
    (void)vprintf(fmt, ap);
    (void)printf("\n");
    va_end(ap);
    failed_here = true;
}

static const char *str(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static int64_t unix_time(const char *text)
{
    struct tm t = {0};
    CHECK(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &t) != NULL);
    return timegm(&t);
}

/* The folder's files. */

struct sample {
    const struct kind *kind;
    struct bytes evidence;
    struct attest_item item[FILES_MAX];
    struct attest_anchor anchor[FILES_MAX];
    size_t n_item, n_anchor;
    json_t *expected;
    int64_t borrowed_at; /* when the collateral of another sample holds; 0: it has its own */
};

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Public keys beside the evidence are what the kind trusts. */
static void add_anchor(struct sample *s, struct arena *a, const char *name, struct bytes data)
{
    struct attest_anchor *x = &s->anchor[s->n_anchor++];
    *x = (struct attest_anchor){s->kind->backend, ATTEST_ANCHOR_KEY, data, name};
    struct cur c = cur_of(data);
    struct bytes der;
    if (ends_with(name, ".pem") && rc_ok(pem_take_arena(&der, a, &c, "PUBLIC KEY"))) {
        x->data = der;
    }
}

static bool load(struct sample *s, struct arena *a, const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *f;
    struct err e = {0};
    CHECK(d != NULL);
    while ((f = readdir(d)) != NULL) {
        char path[4096], *name = arena_alloc(a, strlen(f->d_name) + 1);
        struct bytes data;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, f->d_name);
        struct stat st;
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || s->n_item == FILES_MAX) {
            continue;
        }
        CHECK(name != NULL);
        memcpy(name, f->d_name, strlen(f->d_name));
        if (!rc_ok(file_read_arena(&data, a, path, MEMORY / 2, &e))) {
            (void)printf("FAIL %s\n", e.msg);
            (void)closedir(d);
            return false;
        }
        if (strcmp(name, s->kind->evidence) == 0 ||
            (s->kind->or_evidence != NULL && strcmp(name, s->kind->or_evidence) == 0)) {
            s->evidence = data;
        } else if (ends_with(name, "_pub.pem") || ends_with(name, "_pub.bin") ||
                   ends_with(name, ".tpmt_public") || strcmp(name, "akpub.pem") == 0) {
            add_anchor(s, a, name, data);
        } else if (strcmp(name, "expected.json") != 0) {
            s->item[s->n_item++] = (struct attest_item){name, data};
        }
    }
    (void)closedir(d);
    return s->evidence.p != NULL;
}

/* Evidence that holds a TD quote whose collateral lies with the TDX sample of the same quote; it is
 * of a later time than the evidence, so that is when such a sample is judged. */
static void borrow(struct sample *s, struct arena *a, const char *dir)
{
    const struct attest_item *quote = NULL;
    char path[4096];
    glob_t found = {0};
    for (size_t i = 0; i < s->n_item; i++) {
        quote = strcmp(s->item[i].name, "td_quote.bin") == 0 ? &s->item[i] : quote;
    }
    (void)snprintf(path, sizeof(path), "%s/../../../tdx/*/*/quote.bin", dir);
    if (quote == NULL || glob(path, 0, NULL, &found) != 0) {
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct bytes other;
        struct err e = {0};
        CHECK(rc_ok(file_read_arena(&other, a, found.gl_pathv[i], MEMORY / 64, &e)));
        if (other.n < 1000 || memcmp(other.p, quote->data.p, 1000) != 0) {
            continue;
        }
        struct sample more = {.kind = &kinds[1]};
        *strrchr(found.gl_pathv[i], '/') = '\0';
        CHECK(load(&more, a, found.gl_pathv[i]));
        (void)snprintf(path, sizeof(path), "%s/expected.json", found.gl_pathv[i]);
        more.expected = json_load_file(path, 0, NULL);
        const char *time = str(json_array_get(json_object_get(more.expected, "cases"), 0), "time");
        s->borrowed_at = time != NULL ? unix_time(time) : 0;
        json_decref(more.expected);
        for (size_t k = 0; k < more.n_item && s->n_item < FILES_MAX; k++) {
            if (strstr(more.item[k].name, ".2.") == NULL) {
                s->item[s->n_item++] = more.item[k];
            }
        }
        break;
    }
    globfree(&found);
}

/* What a case brings: "set1" are the files without a number, "set2" those with ".2" in the name where
 * there are both; null is none at all. Kinds whose cases name no set get everything. */
static size_t collateral(struct attest_item *out, const struct sample *s, const json_t *one)
{
    const json_t *set = json_object_get(one, "collateral");
    size_t n = 0;
    if (json_is_null(set)) {
        return 0;
    }
    bool second = set != NULL && strcmp(json_string_value(set), "set2") == 0;
    for (size_t i = 0; i < s->n_item; i++) {
        const char *name = s->item[i].name;
        bool numbered = strstr(name, ".2.") != NULL, has_twin = false;
        for (size_t k = 0; k < s->n_item; k++) {
            const char *dot = strchr(name, '.');
            size_t stem = dot != NULL ? (size_t)(dot - name) : strlen(name);
            has_twin |= !numbered && strncmp(s->item[k].name, name, stem) == 0 &&
                        strncmp(s->item[k].name + stem, ".2.", 3) == 0;
        }
        if (set == NULL || (second ? numbered || !has_twin : !numbered)) {
            out[n++] = s->item[i];
        }
    }
    return n;
}

/* Comparisons. */

/* Judged for what it is: nothing broken, but not signed. */
static bool only_missing(const struct verdict *v)
{
    for (size_t i = 0; i < ATTEST_LINKS; i++) {
        if (v->line[i].state == ATTEST_FAILED) {
            return false;
        }
    }
    const struct attest_claim *bound = attest_claim_find(v, "azure.runtime_data_bound");
    bool binds = bound != NULL ? bound->u64 == 1 : v->line[ATTEST_BINDING].state == ATTEST_OK;
    return binds && v->line[ATTEST_SIGNATURE].state == ATTEST_MISSING;
}

static bool state_is(const struct verdict *v, enum attest_link l, enum attest_state s)
{
    return v->line[l].state == s;
}

static bool code_is(const struct verdict *v, enum attest_link l, const char *code)
{
    return strcmp(v->line[l].code, code) == 0;
}

static bool only_broken(const struct verdict *v, enum attest_link l)
{
    for (size_t i = 0; i < ATTEST_LINKS; i++) {
        if (i != l && (v->line[i].state == ATTEST_FAILED || v->line[i].state == ATTEST_MISSING)) {
            return false;
        }
    }
    return true;
}

static bool outcome_is(const struct verdict *v, const char *want)
{
    enum attest_link first = attest_first_broken(v);
    if (strcmp(want, "ok") == 0) {
        return v->accepted && first == ATTEST_LINKS;
    }
    if (v->accepted || first == ATTEST_LINKS) {
        return false;
    }
    if (strncmp(want, "tcb:", 4) == 0) {
        return first == ATTEST_TCB && code_is(v, first, "tcb-status") && only_broken(v, first) &&
               v->verified && strcmp(attest_tcb_name(v->tcb), want + 4) == 0;
    }
    /* clang-format off */
    const struct { const char *word; bool holds; } rows[] = {
        {"expired", code_is(v, first, "expired")},
        {"signature-ok-no-collateral", v->verified && state_is(v, ATTEST_TCB, ATTEST_MISSING) &&
                                           state_is(v, first, ATTEST_MISSING)},
        {"incomplete", state_is(v, first, ATTEST_MISSING) && !v->verified},
        {"bad-signature", state_is(v, ATTEST_SIGNATURE, ATTEST_FAILED)},
        {"bad-chain", state_is(v, ATTEST_CHAIN, ATTEST_FAILED)},
        {"untrusted-root", state_is(v, ATTEST_CHAIN, ATTEST_FAILED) &&
                               code_is(v, ATTEST_CHAIN, "untrusted-root")},
        {"qe-binding-mismatch", first == ATTEST_BINDING && code_is(v, first, "qe-binding")},
        {"binding-mismatch", state_is(v, ATTEST_BINDING, ATTEST_FAILED)},
        {"collateral-bad-signature", first == ATTEST_TCB &&
                                         code_is(v, first, "collateral-signature")},
        {"binding-ok", only_missing(v)},
        {"replay", only_missing(v)},
        {"not-replayed-legacy-format", code_is(v, first, "legacy-format")},
        {"malformed", first == ATTEST_FORMAT},
        {"unsupported-or-needs-symmetric-key", state_is(v, ATTEST_SIGNATURE, ATTEST_MISSING)},
        {"bad-signature-or-no-alg", state_is(v, ATTEST_SIGNATURE, ATTEST_FAILED)},
        {"claims-invalid", first == ATTEST_FORMAT || first == ATTEST_POLICY},
    };
    /* clang-format on */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].word, want) == 0) {
            return rows[i].holds;
        }
    }
    (void)printf("unknown outcome word %s: ", want);
    return false;
}

static void compare_claim(const struct verdict *v, const char *time, const char *ours,
                          const json_t *want)
{
    const struct attest_claim *c = attest_claim_find(v, ours);
    BUF_FREE hex = buf_new(1 << 20);
    if (c == NULL) {
        differ(time, "no claim %s", ours);
        return;
    }
    if (c->type == ATTEST_U64 && json_is_string(want)) { /* little-endian bytes in hex */
        for (size_t i = 0; i < strlen(json_string_value(want)) / 2; i++) {
            put_fmt(&hex, "%02x", (unsigned)(c->u64 >> 8 * i & 255));
        }
    } else if (c->type == ATTEST_BYTES) {
        put_hex(&hex, c->bytes);
    } else if (c->type == ATTEST_TEXT) {
        put_bytes(&hex, c->bytes);
    }
    bool same = json_is_string(want)    ? strcmp(buf_cstr(&hex), json_string_value(want)) == 0
                : json_is_integer(want) ? c->u64 == (uint64_t)json_integer_value(want)
                                        : c->u64 == (uint64_t)json_is_true(want);
    if (!same) {
        differ(time, "claim %s differs: %s", ours, buf_cstr(&hex));
    }
}

/* The value at "a/0/b"; NULL when there is none, or it is null: nothing to compare. */
static const json_t *value_at(const json_t *v, const char *path)
{
    while (v != NULL && *path != '\0') {
        char step[64];
        size_t n = strcspn(path, "/");
        CHECK(n < sizeof(step));
        memcpy(step, path, n);
        step[n] = '\0';
        v = json_is_array(v) ? json_array_get(v, strtoul(step, NULL, 10))
                             : json_object_get(v, step);
        path += n + (path[n] == '/' ? 1 : 0);
    }
    return json_is_null(v) ? NULL : v;
}

static void compare_claims(const struct sample *s, const struct verdict *v, const char *time)
{
    json_t *all = json_object_get(s->expected, "claims"), *register_;
    const char *name;
    json_object_foreach(strcmp(s->kind->tee, "eventlog") == 0 ? all : NULL, name, register_)
    {
        char ours[128];
        (void)snprintf(ours, sizeof(ours), "eventlog.%s", name);
        compare_claim(v, time, ours, register_);
    }
    for (size_t i = 0; i < ARRAY_LEN(claim_names); i++) {
        const json_t *want = value_at(all, claim_names[i].theirs);
        if (strcmp(claim_names[i].tee, s->kind->tee) == 0 && want != NULL) {
            compare_claim(v, time, claim_names[i].ours, want);
        }
    }
}

static void compare_status(const struct verdict *v, const json_t *one, const char *time)
{
    const json_t *advisories = json_object_get(one, "advisories");
    const char *status = str(one, "status"), *from = str(one, "valid_from");
    if (advisories != NULL && status != NULL) {
        bool same = json_array_size(advisories) == v->n_advisory;
        for (size_t i = 0; i < v->n_advisory; i++) {
            bool found = false;
            for (size_t k = 0; k < json_array_size(advisories); k++) {
                found |= bytes_eq(bytes_str(json_string_value(json_array_get(advisories, k))),
                                  v->advisory[i]);
            }
            same &= found;
        }
        if (!same) {
            differ(time, "advisories differ: %zu, expected %zu", v->n_advisory,
                   json_array_size(advisories));
        }
        if (strcmp(attest_tcb_name(v->tcb), status) != 0) {
            differ(time, "TCB status %s, expected %s", attest_tcb_name(v->tcb), status);
        }
    }
    if (from != NULL && str(one, "valid_until") != NULL &&
        (v->valid_from != unix_time(from) ||
         v->valid_until != unix_time(str(one, "valid_until")))) {
        differ(time, "window %lld..%lld, expected %s..%s", (long long)v->valid_from,
               (long long)v->valid_until, from, str(one, "valid_until"));
    }
}

static void run_case(const struct sample *s, const json_t *one)
{
    static struct verdict v;
    struct attest_policy policy;
    struct attest_item item[FILES_MAX];
    struct arena a;
    const char *time = str(one, "time"), *outcome = str(one, "outcome");
    bool any = time == NULL || strcmp(time, "any") == 0;
    attest_policy_default(&policy);
    policy.allow_debug = true; /* debuggable samples are marked; the default is tried below */
    policy.revocation_optional = s->kind->no_crl;
    const char *service = str(json_object_get(s->expected, "claims"), "mrservicetd");
    if (service != NULL) { /* a service TD must be named */
        policy.rule[policy.n_rule++] = (struct attest_rule){.claim = "tdx.mrservicetd",
                                                            .op = ATTEST_IS,
                                                            .text = bytes_str(service),
                                                            .is_text = true};
    }
    struct attest_input in = {
        .evidence = s->evidence,
        .item = item,
        .n_item = collateral(item, s, one),
        .anchor = s->anchor,
        .n_anchor = s->n_anchor,
        .policy = &policy,
        .now = s->borrowed_at != 0 ? s->borrowed_at
               : any               ? ANY_TIME
                                   : unix_time(time),
        .kind = s->kind->backend,
    };
    time = any ? "any time" : time;
    failed_here = false;
    arena_init(&a, ATTEST_SCRATCH);
    (void)attest_verify(&v, &in, &a);
    if (!outcome_is(&v, outcome)) {
        BUF_FREE text = buf_new(1 << 20);
        attest_put_summary(&text, &v);
        differ(time, "expected %s, got %s", outcome, buf_cstr(&text));
    }
    compare_status(&v, one, time);
    if (!state_is(&v, ATTEST_FORMAT, ATTEST_FAILED)) {
        if (!state_is(&v, ATTEST_SIGNATURE, ATTEST_FAILED)) { /* else the claims were changed */
            compare_claims(s, &v, time);
        }
        const struct attest_claim *debug = attest_claim_find(&v, "debug");
        in.policy = NULL;
        arena_reset(&a);
        if (debug != NULL && debug->u64 != 0 && attest_verify(&v, &in, &a)) {
            differ(time, "the default policy accepts what can be debugged");
        }
    }
    arena_reset(&a);
    *(failed_here ? &failed : &passed) += 1;
}

static bool has_backend(const char *name)
{
    for (size_t i = 0; attest_kind_at(i, NULL) != NULL; i++) {
        if (strcmp(attest_kind_at(i, NULL), name) == 0) {
            return true;
        }
    }
    return false;
}

static void run_sample(const char *dir, const char *expected_path)
{
    json_error_t why;
    struct sample s = {.expected = json_load_file(expected_path, 0, &why)};
    struct arena a;
    size_t i;
    json_t *one;
    sample_path = dir;
    const char *tee = s.expected != NULL ? str(s.expected, "tee") : NULL;
    for (i = 0; tee != NULL && i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].tee, tee) == 0) {
            s.kind = &kinds[i];
        }
    }
    const json_t *cases = json_object_get(s.expected, "cases");
    if (s.kind == NULL || !has_backend(s.kind->backend)) {
        (void)printf("SKIP %s: no back end for %s\n", dir, tee != NULL ? tee : "it");
        skipped += (unsigned)json_array_size(cases);
        json_decref(s.expected);
        return;
    }
    arena_init(&a, MEMORY);
    if (!load(&s, &a, dir)) {
        (void)printf("FAIL %s: no %s\n", dir, s.kind->evidence);
        failed++;
    } else {
        borrow(&s, &a, dir);
        json_array_foreach(cases, i, one)
        {
            run_case(&s, one);
        }
    }
    arena_reset(&a);
    json_decref(s.expected);
}

static void walk(const char *dir)
{
    char path[4096];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/expected.json", dir);
    if (stat(path, &st) == 0) {
        run_sample(dir, path);
        return;
    }
    struct dirent **list = NULL;
    int n = scandir(dir, &list, NULL, alphasort);
    if (n < 0) {
        (void)printf("FAIL %s: cannot be read\n", dir);
        failed++;
    }
    for (int i = 0; i < n; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
        if (list[i]->d_name[0] != '.' && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            walk(path);
        }
        free(list[i]);
    }
    free(list);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr,
                      "usage: attest-vectors DIR...\n"
                      "Judges every case of every sample folder below DIR.\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        walk(argv[i]);
    }
    if (skipped > 0) {
        (void)printf("%u skipped\n", skipped);
    }
    (void)printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
