/* SPDX-License-Identifier: Apache-2.0 */
/* intel_tcb.c - TCB info and enclave identity (PCS API v3 and v4), read in one pass: levels are sorted
 * newest first and the first that fits decides, so each is compared where it stands. */
#include "attest/intel_int.h"
#include "encoding/hex.h"
#include "encoding/jsonpull.h"

void advisories_add(struct advisories *a, struct bytes id)
{
    for (size_t i = 0; i < a->n; i++) {
        if (bytes_eq(a->id[i], id)) {
            return;
        }
    }
    if (a->n < ADVISORIES_MAX) {
        a->id[a->n++] = id;
    } else {
        a->too_many = true;
    }
}

static void fail(struct jp *j, const char *why)
{
    if (j->bad == NULL) {
        j->bad = why;
        j->p = j->end;
    }
}

static bool is(struct bytes key, const char *name)
{
    return bytes_eq(key, bytes_str(name));
}

/* Marks a member as seen; a second one of the same name is an attack on first-or-last readers. */
static void once(struct jp *j, uint32_t *seen, unsigned bit)
{
    if ((*seen >> bit & 1) != 0) {
        fail(j, "collateral: repeated key");
    }
    *seen |= 1u << bit;
}

static enum attest_tcb take_status(struct jp *j)
{
    struct bytes s = jp_string(j);
    for (enum attest_tcb i = TCB_UP_TO_DATE; i < TCB_NOT_SUPPORTED; i++) {
        if (is(s, attest_tcb_name(i))) {
            return i;
        }
    }
    fail(j, "collateral: unknown TCB status");
    return TCB_NOT_SUPPORTED;
}

/* "2026-01-31T12:00:00Z" */
static int64_t take_date(struct jp *j)
{
    struct bytes s = jp_string(j);
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    unsigned v[6] = {0}, field = 0;
    if (s.n != sizeof(form) - 1) {
        fail(j, "collateral: malformed date");
        return 0;
    }
    for (size_t i = 0; i < s.n; i++) {
        bool digit = s.p[i] >= '0' && s.p[i] <= '9';
        if (form[i] == 'd' ? !digit : s.p[i] != (uint8_t)form[i]) {
            fail(j, "collateral: malformed date");
            return 0;
        }
        if (digit) {
            v[field] = v[field] * 10 + s.p[i] - '0';
        } else {
            field++;
        }
    }
    if (v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 || v[3] > 23 || v[4] > 59 || v[5] > 60) {
        fail(j, "collateral: malformed date");
        return 0;
    }
    /* days from the civil calendar, years counted from March */
    int64_t y = (int64_t)v[0] - (v[1] <= 2);
    int64_t of_era = y % 400, m = v[1] > 2 ? v[1] - 3 : v[1] + 9;
    int64_t days = y / 400 * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 +
                   v[2] - 1 - 719468;
    return days * 86400 + v[3] * 3600 + v[4] * 60 + v[5];
}

/* A hexadecimal string of exactly n bytes, in either case. */
static void take_hex(struct jp *j, uint8_t *out, size_t n)
{
    if (!rc_ok(hex_decode_exact(out, n, jp_string(j))) && j->bad == NULL) {
        fail(j, "collateral: malformed hexadecimal string");
    }
}

static void take_advisories(struct jp *j, struct advisories *a)
{
    jp_array(j);
    while (jp_elem(j)) {
        struct bytes id = jp_string(j);
        if (a->n == ADVISORIES_MAX) {
            fail(j, "collateral: too many advisories");
        }
        advisories_add(a, id);
    }
}

rc signed_json_parse(struct bytes *inner, uint8_t sig[64], struct bytes text, const char *member,
                     const char **why)
{
    struct jp j = jp_of(text);
    struct bytes key;
    uint32_t seen = 0;
    if (text.n > SIGNED_JSON_MAX) {
        *why = "collateral: too large";
        return RC(MALFORMED);
    }
    jp_object(&j);
    while (jp_key(&j, &key)) {
        if (is(key, member)) {
            once(&j, &seen, 0);
            *inner = jp_skip_raw(&j); /* read in full when it is judged */
        } else if (is(key, "signature")) {
            once(&j, &seen, 1);
            take_hex(&j, sig, 64);
        } else {
            fail(&j, "collateral: unexpected member");
        }
    }
    if (rc_ok(jp_end(&j)) && seen != 3) {
        fail(&j, "collateral: object or signature missing");
    }
    *why = j.bad;
    return j.bad == NULL ? RC_OK : RC(MALFORMED);
}

/* One level's tcb object: components of SGX and TDX and the PCE's SVN. */
struct level {
    uint8_t sgx[16], tdx[16];
    uint64_t pcesvn;
    bool has_tdx;
    enum attest_tcb status;
    struct advisories advisories;
};

static void take_components(struct jp *j, uint8_t out[16])
{
    struct bytes key;
    size_t n = 0;
    jp_array(j);
    while (jp_elem(j)) {
        uint64_t svn = 256;
        uint32_t seen = 0;
        jp_object(j);
        while (jp_key(j, &key)) {
            if (is(key, "svn")) {
                once(j, &seen, 0);
                svn = jp_u64(j);
            } else {
                (void)jp_skip(j); /* category, type: for people */
            }
        }
        if (j->bad == NULL && (n == 16 || svn > 255)) {
            fail(j, "collateral: TCB components are not 16 bytes");
            return;
        }
        out[n & 15] = (uint8_t)svn;
        n++;
    }
    if (j->bad == NULL && n != 16) {
        fail(j, "collateral: TCB components are not 16 bytes");
    }
}

/* "sgxtcbcomp01svn" … "sgxtcbcomp16svn" of TCB info version 2; 16 for another key. */
static size_t flat_component(struct bytes key)
{
    if (key.n != 15 || memcmp(key.p, "sgxtcbcomp", 10) != 0 || memcmp(key.p + 12, "svn", 3) != 0) {
        return 16;
    }
    size_t i = (size_t)(key.p[10] - '0') * 10 + (size_t)(key.p[11] - '0');
    return i >= 1 && i <= 16 ? i - 1 : 16;
}

static void take_level_tcb(struct jp *j, struct level *l)
{
    struct bytes key;
    uint32_t seen = 0;
    jp_object(j);
    while (jp_key(j, &key)) {
        size_t flat = flat_component(key);
        if (is(key, "sgxtcbcomponents")) {
            once(j, &seen, 16);
            take_components(j, l->sgx);
            seen |= 0xffff;
        } else if (is(key, "tdxtcbcomponents")) {
            once(j, &seen, 17);
            take_components(j, l->tdx);
            l->has_tdx = true;
        } else if (is(key, "pcesvn")) {
            once(j, &seen, 18);
            l->pcesvn = jp_u64(j);
        } else if (flat < 16) {
            once(j, &seen, (unsigned)flat);
            uint64_t v = jp_u64(j);
            l->sgx[flat] = (uint8_t)v;
            if (v > 255) {
                fail(j, "collateral: component SVN above 255");
            }
        } else {
            (void)jp_skip(j);
        }
    }
    if (j->bad == NULL && ((seen & 0xffff) != 0xffff || (seen >> 18 & 1) == 0)) {
        fail(j, "collateral: TCB level without components or pcesvn");
    }
}

static void take_level(struct jp *j, struct level *l)
{
    struct bytes key;
    uint32_t seen = 0;
    *l = (struct level){0};
    jp_object(j);
    while (jp_key(j, &key)) {
        if (is(key, "tcb")) {
            once(j, &seen, 0);
            take_level_tcb(j, l);
        } else if (is(key, "tcbStatus")) {
            once(j, &seen, 1);
            l->status = take_status(j);
        } else if (is(key, "advisoryIDs")) {
            once(j, &seen, 2);
            take_advisories(j, &l->advisories);
        } else {
            (void)jp_skip(j);
        }
    }
    if (j->bad == NULL && (seen & 3) != 3) {
        fail(j, "collateral: TCB level without tcb or status");
    }
}

static bool platform_fits(const struct level *l, const struct pck_info *pck)
{
    for (size_t i = 0; i < 16; i++) {
        if (pck->comp[i] < l->sgx[i]) {
            return false;
        }
    }
    return pck->pcesvn >= l->pcesvn;
}

/* Components 0 and 1 are the TDX module's when it has an identity of its own. SPEC attestation 1.2 (9) */
static bool tdx_fits(const struct level *l, struct bytes svn)
{
    for (size_t i = svn.p[1] > 0 ? 2 : 0; i < 16; i++) {
        if (svn.p[i] < l->tdx[i]) {
            return false;
        }
    }
    return true;
}

static void add_all(struct advisories *to, const struct advisories *from)
{
    for (size_t i = 0; i < from->n; i++) {
        advisories_add(to, from->id[i]);
    }
}

/* The first level that fits what launched the TD, and for TD 1.5 the first that fits what is loaded
 * now. */
static void judge_levels(struct jp *j, struct tcb_result *out, const struct pck_info *pck,
                         const struct td_report *td)
{
    bool found = false, found_now = td == NULL || td->tee_tcb_svn2.n != 16;
    struct level l;
    jp_array(j);
    while (jp_elem(j)) {
        if (found && found_now) {
            (void)jp_skip_raw(j);
            continue;
        }
        take_level(j, &l);
        if (j->bad == NULL && td != NULL && !l.has_tdx) {
            fail(j, "collateral: TCB level without TDX components");
        }
        if (j->bad != NULL) {
            return;
        }
        if (!platform_fits(&l, pck)) {
            continue;
        }
        if (!found && (td == NULL || tdx_fits(&l, td->tee_tcb_svn))) {
            found = true;
            out->platform = l.status;
            add_all(&out->advisories, &l.advisories);
        }
        if (!found_now && tdx_fits(&l, td->tee_tcb_svn2)) {
            found_now = true;
            out->current_platform = l.status;
        }
    }
}

/* Levels of a module or an enclave: {"tcb":{"isvsvn":n},"tcbStatus":…}; the first with
 * isvsvn <= svn decides. */
static enum attest_tcb judge_isv_levels(struct jp *j, uint64_t svn, struct advisories *adv)
{
    enum attest_tcb status = TCB_NOT_SUPPORTED;
    bool found = false;
    struct bytes key;
    jp_array(j);
    while (jp_elem(j)) {
        struct level l = {0};
        uint64_t isvsvn = UINT64_MAX;
        uint32_t seen = 0;
        jp_object(j);
        while (jp_key(j, &key)) {
            if (is(key, "tcb")) {
                once(j, &seen, 0);
                jp_object(j);
                while (jp_key(j, &key)) {
                    if (is(key, "isvsvn")) {
                        once(j, &seen, 1);
                        isvsvn = jp_u64(j);
                    } else {
                        (void)jp_skip(j);
                    }
                }
            } else if (is(key, "tcbStatus")) {
                once(j, &seen, 2);
                l.status = take_status(j);
            } else if (is(key, "advisoryIDs")) {
                once(j, &seen, 3);
                take_advisories(j, &l.advisories);
            } else {
                (void)jp_skip(j);
            }
        }
        if (j->bad == NULL && (seen & 7) != 7) {
            fail(j, "collateral: level without isvsvn or status");
        }
        if (j->bad == NULL && !found && svn >= isvsvn) {
            found = true;
            status = l.status;
            add_all(adv, &l.advisories);
        }
    }
    return status;
}

static bool masked_equal(const uint8_t *value, const uint8_t *mask, const uint8_t *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((value[i] & mask[i]) != want[i]) {
            return false;
        }
    }
    return true;
}

/* "TDX_" and the version in upper-case hexadecimal. */
static bool is_module_of(struct bytes id, uint8_t version)
{
    static const char digits[] = "0123456789ABCDEF";
    return id.n == 6 && memcmp(id.p, "TDX_", 4) == 0 && id.p[4] == (uint8_t)digits[version >> 4] &&
           id.p[5] == (uint8_t)digits[version & 15];
}

struct module {
    uint8_t signer[48], attributes[8], mask[8];
    struct bytes id;
    struct jp levels; /* before the array; bad when there is none */
};

static void take_module(struct jp *j, struct module *m)
{
    struct bytes key;
    uint32_t seen = 0;
    *m = (struct module){.levels.bad = "TDX module without levels"};
    jp_object(j);
    while (jp_key(j, &key)) {
        if (is(key, "id")) {
            once(j, &seen, 4);
            m->id = jp_string(j);
        } else if (is(key, "mrsigner")) {
            once(j, &seen, 0);
            take_hex(j, m->signer, sizeof(m->signer));
        } else if (is(key, "attributes")) {
            once(j, &seen, 1);
            take_hex(j, m->attributes, sizeof(m->attributes));
        } else if (is(key, "attributesMask")) {
            once(j, &seen, 2);
            take_hex(j, m->mask, sizeof(m->mask));
        } else if (is(key, "tcbLevels")) {
            once(j, &seen, 3);
            m->levels = *j;
            (void)jp_skip(j);
        } else {
            (void)jp_skip(j);
        }
    }
    if (j->bad == NULL && (seen & 7) != 7) {
        fail(j, "collateral: TDX module without signer or attributes");
    }
}

static enum attest_tcb judge_module_levels(struct jp *j, const struct module *m, uint64_t svn,
                                           struct advisories *adv)
{
    struct jp levels = m->levels;
    enum attest_tcb s = judge_isv_levels(&levels, svn, adv);
    if (levels.bad != NULL) {
        fail(j, levels.bad);
    }
    return s;
}

static bool module_matches(const struct module *m, const struct td_report *td)
{
    return memcmp(td->mrsignerseam.p, m->signer, sizeof(m->signer)) == 0 &&
           masked_equal(td->seamattributes.p, m->mask, m->attributes, sizeof(m->mask));
}

/* One of tdxModuleIdentities: is it that of the module that launched the TD, of the one loaded now
 * (TD 1.5), of both? */
static void judge_identity(struct jp *j, struct tcb_result *out, const struct td_report *td)
{
    struct module m;
    struct advisories unused = {0};
    take_module(j, &m);
    if (j->bad != NULL) {
        return;
    }
    if (td->tee_tcb_svn.p[1] > 0 && is_module_of(m.id, td->tee_tcb_svn.p[1])) {
        if (out->has_module) {
            fail(j, "collateral: TDX module identity given twice");
            return;
        }
        out->has_module = true;
        out->module = judge_module_levels(j, &m, td->tee_tcb_svn.p[0], &out->advisories);
        out->module_signer_matches = module_matches(&m, td);
    }
    if (out->has_current_module && is_module_of(m.id, td->tee_tcb_svn2.p[1])) {
        out->current_module = judge_module_levels(j, &m, td->tee_tcb_svn2.p[0], &unused);
    }
}

enum {
    SEEN_VERSION,
    SEEN_ISSUE,
    SEEN_NEXT,
    SEEN_FMSPC,
    SEEN_PCEID,
    SEEN_LEVELS,
    SEEN_ID,
    SEEN_EVAL,
    SEEN_MODULE,
    SEEN_IDENTITIES,
    SEEN_TYPE
};

static void judge_member(struct jp *j, struct bytes key, uint32_t *seen, struct tcb_result *out,
                         const struct pck_info *pck, const struct td_report *td)
{
    uint8_t id[6];
    if (is(key, "version")) {
        once(j, seen, SEEN_VERSION);
        out->version = jp_u64(j);
    } else if (is(key, "id")) {
        once(j, seen, SEEN_ID);
        out->id = jp_string(j);
    } else if (is(key, "issueDate")) {
        once(j, seen, SEEN_ISSUE);
        out->issue_date = take_date(j);
    } else if (is(key, "nextUpdate")) {
        once(j, seen, SEEN_NEXT);
        out->next_update = take_date(j);
    } else if (is(key, "tcbType")) {
        once(j, seen, SEEN_TYPE);
        if (jp_u64(j) != 0) {
            fail(j, "TCB info: unknown tcbType");
        }
    } else if (is(key, "fmspc")) {
        once(j, seen, SEEN_FMSPC);
        take_hex(j, id, 6);
        out->fmspc_matches = j->bad == NULL && memcmp(id, pck->fmspc.p, 6) == 0;
    } else if (is(key, "pceId")) {
        once(j, seen, SEEN_PCEID);
        take_hex(j, id, 2);
        out->pceid_matches = j->bad == NULL && memcmp(id, pck->pceid.p, 2) == 0;
    } else if (is(key, "tcbEvaluationDataNumber")) {
        once(j, seen, SEEN_EVAL);
        out->eval_number = jp_u64(j);
    } else if (is(key, "tcbLevels")) {
        once(j, seen, SEEN_LEVELS);
        judge_levels(j, out, pck, td);
    } else if (is(key, "tdxModule") && td != NULL) {
        once(j, seen, SEEN_MODULE);
        struct module m;
        take_module(j, &m);
        if (j->bad == NULL && td->tee_tcb_svn.p[1] == 0) {
            out->module_signer_matches = module_matches(&m, td);
        }
    } else if (is(key, "tdxModuleIdentities") && td != NULL) {
        once(j, seen, SEEN_IDENTITIES);
        jp_array(j);
        while (jp_elem(j)) {
            judge_identity(j, out, td);
        }
    } else {
        (void)jp_skip(j);
    }
}

rc tcb_info_judge(struct tcb_result *out, struct bytes inner, const struct pck_info *pck,
                  const struct td_report *td, const char **why)
{
    const uint32_t need = 1u << SEEN_VERSION | 1u << SEEN_ISSUE | 1u << SEEN_NEXT |
                          1u << SEEN_FMSPC | 1u << SEEN_PCEID | 1u << SEEN_LEVELS;
    struct jp j = jp_of(inner);
    struct bytes key;
    uint32_t seen = 0;
    bool td15 = td != NULL && td->tee_tcb_svn2.n == 16;
    *out = (struct tcb_result){.has_current = td15,
                               .has_current_module = td15 && td->tee_tcb_svn2.p[1] > 0,
                               .platform = TCB_NOT_SUPPORTED,
                               .module = TCB_NOT_SUPPORTED,
                               .current_module = TCB_NOT_SUPPORTED};
    jp_object(&j);
    while (jp_key(&j, &key)) {
        judge_member(&j, key, &seen, out, pck, td);
    }
    (void)!rc_ok(jp_end(&j));
    if (j.bad == NULL && (seen & need) != need) {
        fail(&j, "TCB info: a required member is missing");
    } else if (j.bad == NULL && (out->version < 2 || out->version > 3)) {
        fail(&j, "TCB info: version is not 2 or 3");
    } else if (j.bad == NULL && out->version == 3 && !is(out->id, td != NULL ? "TDX" : "SGX")) {
        fail(&j, "TCB info: it is for another TEE");
    } else if (j.bad == NULL && out->version == 2 && td != NULL) {
        fail(&j, "TCB info: version 2 does not cover TDX");
    }
    *why = j.bad;
    return j.bad == NULL ? RC_OK : RC(MALFORMED);
}

/* The identity's expected fields, compared with the report as they are read. */
struct expect {
    uint8_t misc[4], misc_mask[4], attributes[16], attributes_mask[16], mrsigner[32];
    uint64_t isvprodid;
};

static void judge_qe_fields(struct qe_result *out, const struct expect *x,
                            const struct sgx_report *qe)
{
    uint8_t misc[4];
    for (size_t i = 0; i < 4; i++) {
        misc[i] = (uint8_t)(qe->miscselect >> 8 * i); /* the JSON writes the bytes of the report */
    }
    if (!masked_equal(misc, x->misc_mask, x->misc, 4)) {
        out->mismatch = "miscselect";
    } else if (!masked_equal(qe->attributes.p, x->attributes_mask, x->attributes, 16)) {
        out->mismatch = "attributes";
    } else if (memcmp(qe->mrsigner.p, x->mrsigner, 32) != 0) {
        out->mismatch = "mrsigner";
    } else if (qe->isvprodid != x->isvprodid) {
        out->mismatch = "isvprodid";
    }
}

rc qe_identity_judge(struct qe_result *out, struct bytes inner, const struct sgx_report *qe,
                     const char **why)
{
    static const char *const members[] = {
        "version",    "issueDate",      "nextUpdate", "id",
        "miscselect", "miscselectMask", "attributes", "attributesMask",
        "mrsigner",   "isvprodid",      "tcbLevels",  "tcbEvaluationDataNumber"};
    struct jp j = jp_of(inner);
    struct expect x = {0};
    struct bytes key;
    uint32_t seen = 0;
    *out = (struct qe_result){.status = TCB_NOT_SUPPORTED};
    jp_object(&j);
    while (jp_key(&j, &key)) {
        size_t m = 0;
        while (m < ARRAY_LEN(members) && !is(key, members[m])) {
            m++;
        }
        if (m < ARRAY_LEN(members)) {
            once(&j, &seen, (unsigned)m);
        }
        switch (m) {
        case 0:
            out->version = jp_u64(&j);
            break;
        case 1:
            out->issue_date = take_date(&j);
            break;
        case 2:
            out->next_update = take_date(&j);
            break;
        case 3:
            out->id = jp_string(&j);
            break;
        case 4:
            take_hex(&j, x.misc, 4);
            break;
        case 5:
            take_hex(&j, x.misc_mask, 4);
            break;
        case 6:
            take_hex(&j, x.attributes, 16);
            break;
        case 7:
            take_hex(&j, x.attributes_mask, 16);
            break;
        case 8:
            take_hex(&j, x.mrsigner, 32);
            break;
        case 9:
            x.isvprodid = jp_u64(&j);
            break;
        case 10:
            out->status = judge_isv_levels(&j, qe->isvsvn, &out->advisories);
            break;
        case 11:
            out->eval_number = jp_u64(&j);
            break;
        default:
            (void)jp_skip(&j);
            break;
        }
    }
    (void)!rc_ok(jp_end(&j));
    if (j.bad == NULL && (seen & 0x7ff) != 0x7ff) {
        fail(&j, "enclave identity: a required member is missing");
    } else if (j.bad == NULL && (out->version < 2 || out->version > (is(out->id, "QE") ? 2 : 3))) {
        fail(&j, "enclave identity: version is not known");
    }
    if (j.bad == NULL) {
        judge_qe_fields(out, &x, qe);
    }
    *why = j.bad;
    return j.bad == NULL ? RC_OK : RC(MALFORMED);
}

static bool needs_configuration(enum attest_tcb s)
{
    return s == TCB_CONFIGURATION_NEEDED || s == TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
           s == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

static bool out_of_date(enum attest_tcb s)
{
    return s == TCB_OUT_OF_DATE || s == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

/* An out-of-date part below pulls the status above down. */
static enum attest_tcb pull_down(enum attest_tcb s, enum attest_tcb part)
{
    if (part == TCB_REVOKED || part == TCB_NOT_SUPPORTED) {
        return MAX(s, part);
    }
    if (!out_of_date(part)) {
        return s;
    }
    return needs_configuration(s) ? TCB_OUT_OF_DATE_CONFIGURATION_NEEDED : MAX(s, TCB_OUT_OF_DATE);
}

enum attest_tcb tcb_converge(const struct tcb_result *t, const struct qe_result *q)
{
    enum attest_tcb s = t->has_module ? pull_down(t->platform, t->module) : t->platform;
    s = pull_down(s, q->status);
    if (!t->has_current) {
        return s;
    }
    /* TD 1.5: what launched the TD may be out of date while what is loaded now is not; then a
     * relaunch is all that is missing. SPEC attestation 1.2 (11) */
    enum attest_tcb now = t->has_current_module ? pull_down(t->current_platform, t->current_module)
                                                : t->current_platform;
    now = pull_down(now, q->status);
    if (now == TCB_REVOKED || now == TCB_NOT_SUPPORTED) {
        return MAX(s, now);
    }
    if (out_of_date(s) && now <= TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED) {
        return needs_configuration(s) || needs_configuration(now)
                   ? TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
                   : TCB_TD_RELAUNCH_ADVISED;
    }
    return s;
}
