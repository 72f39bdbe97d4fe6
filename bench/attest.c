/* SPDX-License-Identifier: Apache-2.0 */
/* bench/attest [--json] SAMPLES - microseconds of one full verification of each kind (decoding,
 * signatures, chain, revocation, collateral, policy; nothing kept from before), with the collateral
 * held in an object, and of parsing alone, beside the floor: the bare signature checks that it
 * consists of, measured in the same rounds with the operation that `openssl speed` measures. Each
 * number is the smallest of the rounds, so that other work on the machine does not count. */
#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attest/attest.h"
#include "encoding/pem.h"
#include "io/file.h"
#include "tests/test.h"

enum { ITEMS = 32, MEMORY = 64 << 20, ROUNDS = 400, ROW_US = 2000000 };

/* A signature that the floor is made of. */
enum op { P256, P384, RSA2048, RSA4096, ED25519, OPS };

static const struct row {
    const char *kind, *dir, *evidence, *skip; /* files with `skip` in their name are not given */
    int64_t now;
    unsigned full[OPS], held[OPS]; /* signatures in a full verification, and with held collateral */
    const char *rival, *rival_env; /* its name, and the variable that says where its program is */
    bool any_tcb;                  /* the sample's platform is out of date: accept that state */
    bool no_crl;                   /* the sample has no revocation list */
} rows[] = {
    {"sgx", "sgx/dcap-qvl/sgx_quote-f8b81014", "quote.bin", ".2.", 1751624924, .full = {[P256] = 9},
     .held = {[P256] = 3}, .rival = "dcap-qvl 0.7.1", .rival_env = "RIVAL_INTEL", .any_tcb = true},
    {"tdx", "tdx/dcap-qvl/tdx_quote-f1c85033", "quote.bin", ".2.", 1751624176, .full = {[P256] = 9},
     .held = {[P256] = 3}, .rival = "dcap-qvl 0.7.1", .rival_env = "RIVAL_INTEL"},
    {"sev-snp", "sev-snp/sev/report_milan-120d77b2", "report.bin", NULL, 1688325823,
     .full = {[RSA4096] = 2, [P384] = 1}, .held = {[RSA4096] = 2, [P384] = 1}, .no_crl = true},
    {"azure", "azure-vtpm/trustee/az-snp-vtpm-evidence-v2", "hcl_report.bin", "evidence.json",
     1745858023, .full = {[RSA4096] = 2, [P384] = 1, [RSA2048] = 1},
     .held = {[RSA4096] = 2, [P384] = 1, [RSA2048] = 1}, .no_crl = true},
    {"nitro", "nitro/dstack/nitro_attestation-5e983e0b", "attestation.cbor", NULL, 1766668537,
     .full = {[P384] = 5}, .held = {[P384] = 5}},
    {"cca", "arm-cca/trustee/cca-example-token-4e7ce433", "token.cbor", NULL, 1735689600,
     .full = {[P384] = 2}, .held = {[P384] = 2}},
    {"psa", "psa/services/psa-evidence-d4ed5bc1", "token.cbor", NULL, 1735689600,
     .full = {[P256] = 1}, .held = {[P256] = 1}},
    {"keystone", "keystone/keystone/synthetic-nonce", "report.bin", NULL, 1735689600,
     .full = {[ED25519] = 2}, .held = {[ED25519] = 2}},
};

static double now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The floor. */

struct signature {
    EVP_MD_CTX *md; /* of Ed25519, which takes the message itself */
    EVP_PKEY_CTX *ctx;
    uint8_t sig[512];
    size_t n;
};

static const uint8_t digest[32] = {1, 2, 3};

static struct signature make_ed25519(void)
{
    struct signature s = {.n = sizeof(s.sig), .md = EVP_MD_CTX_new()};
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_MD_CTX *sign = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit(sign, NULL, NULL, NULL, key) == 1);
    CHECK(EVP_DigestSign(sign, s.sig, &s.n, digest, sizeof(digest)) == 1);
    CHECK(EVP_DigestVerifyInit(s.md, NULL, NULL, NULL, key) == 1);
    EVP_MD_CTX_free(sign);
    EVP_PKEY_free(key);
    return s;
}

static struct signature make_signature(enum op op)
{
    if (op == ED25519) {
        return make_ed25519();
    }
    struct signature s = {.n = sizeof(s.sig)};
    EVP_PKEY *key = op == P256      ? EVP_EC_gen("P-256")
                    : op == P384    ? EVP_EC_gen("P-384")
                    : op == RSA2048 ? EVP_RSA_gen(2048)
                                    : EVP_RSA_gen(4096);
    EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(key, NULL);
    CHECK(EVP_PKEY_sign_init(sign) == 1);
    CHECK(EVP_PKEY_sign(sign, s.sig, &s.n, digest, sizeof(digest)) == 1);
    s.ctx = EVP_PKEY_CTX_new(key, NULL);
    CHECK(EVP_PKEY_verify_init(s.ctx) == 1);
    EVP_PKEY_CTX_free(sign);
    EVP_PKEY_free(key);
    return s;
}

static double floor_us(const struct signature *s)
{
    enum { N = 10 };
    double start = now_us();
    for (int i = 0; i < N; i++) {
        CHECK((s->md != NULL ? EVP_DigestVerify(s->md, s->sig, s->n, digest, sizeof(digest))
                             : EVP_PKEY_verify(s->ctx, s->sig, s->n, digest, sizeof(digest))) == 1);
    }
    return (now_us() - start) / N;
}

/* One kind. */

struct sample {
    struct attest_input in;
    struct attest_item item[ITEMS];
    struct attest_policy policy;
    struct attest_anchor anchor;
};

static bool load(struct sample *s, struct arena *a, const char *root, const struct row *r)
{
    char path[4096];
    struct err e;
    (void)snprintf(path, sizeof(path), "%s/%s", root, r->dir);
    DIR *d = opendir(path);
    struct dirent *f;
    if (d == NULL) {
        return false;
    }
    while ((f = readdir(d)) != NULL) {
        if (f->d_name[0] == '.' || strcmp(f->d_name, "expected.json") == 0 ||
            (r->skip != NULL && strstr(f->d_name, r->skip) != NULL) || s->in.n_item == ITEMS) {
            continue;
        }
        struct bytes data;
        (void)snprintf(path, sizeof(path), "%s/%s/%s", root, r->dir, f->d_name);
        CHECK(rc_ok(file_read_arena(&data, a, path, MEMORY / 2, &e)));
        if (strcmp(f->d_name, r->evidence) == 0) {
            s->in.evidence = data;
        } else if (strstr(f->d_name, "ak_pub.pem") != NULL ||
                   strcmp(f->d_name, "device_pub.bin") == 0) {
            struct cur c = cur_of(data);
            bool raw = strstr(f->d_name, ".bin") != NULL;
            CHECK(raw || rc_ok(pem_take_arena(&data, a, &c, "PUBLIC KEY")));
            s->anchor =
                (struct attest_anchor){r->kind, ATTEST_ANCHOR_KEY, data, "the sample's key"};
            s->in.anchor = &s->anchor;
            s->in.n_anchor = 1;
        } else {
            char *name = arena_alloc(a, strlen(f->d_name) + 1);
            CHECK(name != NULL);
            memcpy(name, f->d_name, strlen(f->d_name));
            s->item[s->in.n_item++] = (struct attest_item){name, data};
        }
    }
    (void)closedir(d);
    attest_policy_default(&s->policy);
    if (r->any_tcb) {
        s->policy.tcb_accept = UINT32_MAX;
    }
    s->policy.revocation_optional = r->no_crl;
    s->in.item = s->item;
    s->in.policy = &s->policy;
    s->in.now = r->now;
    return s->in.evidence.p != NULL;
}

enum what { FULL, HELD, SHOW };

static double once_us(const struct attest_input *in, enum what w)
{
    enum { N = 10 };
    static struct verdict v;
    struct arena a;
    /* Short enough to end before the scheduler gives the processor to somebody else. */
    int n = w == SHOW ? N : 1;
    double start = now_us();
    for (int i = 0; i < n; i++) {
        arena_init(&a, ATTEST_SCRATCH);
        bool good = w == SHOW ? attest_show(&v, in, &a) : attest_verify(&v, in, &a);
        if (!good) {
            BUF_FREE text = buf_new(1 << 16);
            attest_put_summary(&text, &v);
            (void)fprintf(stderr, "%s\n", buf_cstr(&text));
        }
        CHECK(good);
        arena_reset(&a);
    }
    return (now_us() - start) / n;
}

/* The same from a deeper place on the stack. */
static double once_at(size_t depth, const struct attest_input *in, enum what w)
{
    volatile uint8_t room[256];
    room[0] = (uint8_t)depth;
    double t = depth == 0 ? once_us(in, w) : once_at(depth - 1, in, w);
    room[1] = room[0];
    return t;
}

/* The command from start to verdict. */
static double cold_ms(const char *root, const struct row *r)
{
    const char *souk = getenv("SOUK");
    char file[4096], dir[2048], at[32];
    double best = -1;
    (void)snprintf(dir, sizeof(dir), "%.1000s/%s", root, r->dir);
    (void)snprintf(file, sizeof(file), "%s/%s", dir, r->evidence);
    (void)snprintf(at, sizeof(at), "%lld", (long long)r->now);
    for (int i = 0; souk != NULL && i < 20; i++) {
        double start = now_us();
        (void)fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            if (freopen("/dev/null", "w", stdout) == NULL) {
                _exit(127);
            }
            (void)execl(souk, souk, "attest", "verify", file, "--collateral", dir, "--at", at,
                        (char *)NULL);
            _exit(127);
        }
        int status;
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
              WEXITSTATUS(status) <= 1);
        double t = (now_us() - start) / 1e3;
        best = best < 0 || t < best ? t : best;
    }
    return best;
}

/* What `PROGRAM bench EVIDENCE COLLATERAL TIME` prints; 0 when there is no such program. */
static double rival_us(const char *root, const struct row *r)
{
    const char *program = r->rival_env != NULL ? getenv(r->rival_env) : NULL;
    char line[8192];
    double us = 0;
    if (program == NULL || program[0] == '\0') {
        return 0;
    }
    (void)snprintf(line, sizeof(line), "%s bench %s/%s/%s %s/%s %lld", program, root, r->dir,
                   r->evidence, root, r->dir, (long long)r->now);
    FILE *f = popen(line, "r");
    CHECK(f != NULL);
    if (fgets(line, sizeof(line), f) != NULL) {
        us = strtod(line, NULL);
    }
    CHECK(pclose(f) == 0);
    return us;
}

static void keep_min(double *best, double t)
{
    *best = *best == 0 || t < *best ? t : *best;
}

struct numbers {
    double us, cached, show, floor, floor_held, rival;
};

static void measure(struct numbers *n, const struct row *r, const struct sample *s,
                    struct signature sig[OPS])
{
    struct arena keep;
    struct attest_held *held;
    struct attest_input with = s->in;
    double op[OPS] = {0};
    arena_init(&keep, ATTEST_SCRATCH);
    CHECK(rc_ok(attest_hold(&held, &s->in, &keep)));
    with.held = held;
    with.n_item = r->rival_env != NULL ? 0 : with.n_item; /* other kinds keep nothing */
    double start = now_us();
    for (size_t i = 0; i < ROUNDS && (i < 30 || now_us() - start < ROW_US); i++) {
        /* Where tables and stack lie in a page moves the curve's code by up to half; another place
         * in each round, so that no number hangs on the luck of one process. */
        void *pad = malloc(1 + i % 16 * 272);
        CHECK(pad != NULL);
        keep_min(&n->us, once_at(i % 13, &s->in, FULL));
        keep_min(&n->cached, once_at(i % 13, &with, HELD));
        keep_min(&n->show, once_at(i % 13, &s->in, SHOW));
        for (enum op k = P256; k < OPS; k++) {
            if (r->full[k] > 0 && sig[k].n == 0) {
                sig[k] = make_signature(k);
            }
            if (r->full[k] > 0) {
                keep_min(&op[k], floor_us(&sig[k]));
            }
        }
        free(pad);
    }
    for (size_t k = 0; k < OPS; k++) {
        n->floor += r->full[k] * op[k];
        n->floor_held += r->held[k] * op[k];
    }
    arena_reset(&keep);
}

static void print_row(bool json, bool first, const struct row *r, const struct numbers *n)
{
    if (!json) {
        (void)printf("%-10s %8.1f %8.1f %6.3f %8.1f %8.1f %6.3f %8.1f", r->kind, n->us, n->floor,
                     n->us / n->floor, n->cached, n->floor_held, n->cached / n->floor_held,
                     n->show);
        if (n->rival > 0) {
            (void)printf("   %s %.1f", r->rival, n->rival);
        }
        (void)printf("\n");
        return;
    }
    (void)printf("%s\"%s\":{\"us\":%.1f,", first ? "" : ",", r->kind, n->us);
    if (n->rival > 0) {
        (void)printf("\"rival\":\"%s\",\"rival_us\":%.1f,", r->rival, n->rival);
    } else {
        (void)printf("\"rival\":null,\"rival_us\":null,");
    }
    (void)printf("\"floor_us\":%.1f,\"cached_us\":%.1f,\"cached_floor_us\":%.1f,\"show_us\":%.1f}",
                 n->floor, n->cached, n->floor_held, n->show);
}

int main(int argc, char **argv)
{
    bool json = argc > 2 && strcmp(argv[1], "--json") == 0;
    const char *root = argv[argc - 1];
    struct signature sig[OPS] = {0};
    double cold = 0;
    bool any = false;
    if (!json) {
        (void)printf("%-10s %8s %8s %6s %8s %8s %6s %8s\n", "kind", "us", "floor", "ratio",
                     "held us", "floor", "ratio", "show us");
    }
    (void)printf(json ? "{" : "");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        static struct sample s;
        struct arena a;
        struct numbers n = {0};
        s = (struct sample){0};
        arena_init(&a, MEMORY);
        if (!load(&s, &a, root, r)) {
            (void)fprintf(stderr, "SKIP %s: no sample in %s\n", r->kind, root);
            arena_reset(&a);
            continue;
        }
        measure(&n, r, &s, sig);
        n.rival = rival_us(root, r);
        if (!any) {
            cold = cold_ms(root, r);
        }
        print_row(json, !any, r, &n);
        any = true;
        arena_reset(&a);
    }
    if (json) {
        (void)printf("%s\"cold_ms\":%.2f}\n", any ? "," : "", cold);
    } else {
        (void)printf("cold command: %.2f ms\n", cold);
    }
    for (size_t i = 0; i < OPS; i++) {
        EVP_PKEY_CTX_free(sig[i].ctx);
        EVP_MD_CTX_free(sig[i].md);
    }
    return 0;
}
