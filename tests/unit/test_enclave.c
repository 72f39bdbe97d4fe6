/* SPDX-License-Identifier: Apache-2.0 */
/* The agent from evidence to signed result, beside the real store and a secret manager's two
 * endpoints over the real protocol (provision_seal, attest_verify); tests/e2e has the real one. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest/attest.h"
#include "crypto/aes.h"
#include "crypto/keccak.h"
#include "crypto/rsa.h"
#include "crypto/secp.h"
#include "crypto/sha2.h"
#include "daemon/client/client.h"
#include "daemon/enclave/enclave.h"
#include "daemon/sms/sms.h"
#include "daemon/store/store.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "io/file.h"
#include "io/http_server.h"
#include "io/json.h"
#include "tests/test.h"

static struct {
    char dir[64];
    struct secret tee, challenge; /* the development key; the task's signing key */
    struct address tee_address, challenge_address, worker;
    struct hash task, image;
    char image_file[FILE_PATH_MAX];
    char api[64], gateway[64], sms[64]; /* URLs of the server process */
    pid_t server;
} w;

/* ---- the server process ---- */

static struct {
    struct hash nonce;
    struct buf session;
} srv;

static void on_session(void *ctx, struct http_req *r)
{
    (void)ctx;
    buf_reset(&srv.session);
    put_bytes(&srv.session, http_body(r));
    http_reply_text(r, 200, "ok");
}

static void on_nonce(void *ctx, struct http_req *r)
{
    char nonce[HEX_HASH_MAX], task[HEX_HASH_MAX];
    BUF_FREE b = buf_new(1024);
    (void)ctx;
    CHECK(rc_ok(random_bytes(srv.nonce.b, 32)));
    put_fmt(&b, "{\"sessionId\":\"%s\",\"taskId\":\"%s\",\"nonce\":\"%s\",\"expiresInS\":60}",
            http_param(r, "id"), hex_hash(task, w.task), hex_hash(nonce, srv.nonce));
    http_reply(r, 200, "application/json", buf_bytes(&b));
}

static bool evidence_holds(struct bytes evidence, const struct provision_binding *b,
                           struct hash agent)
{
    struct arena a;
    struct attest_policy p;
    struct verdict v;
    uint8_t data[64];
    struct attest_anchor anchor = {"simulated", ATTEST_ANCHOR_ADDRESS, BYTES_OF(w.tee_address),
                                   NULL};
    arena_init(&a, ATTEST_SCRATCH + ATTEST_POLICY_MAX);
    CHECK(rc_ok(attest_policy_parse(&p, &a, BYTES_LIT("{\"kinds\":[\"simulated\"]}"), NULL)));
    struct hash m = provision_measurement(agent, w.image);
    p.measurements.v[p.measurements.n++] = BYTES_OF(m);
    provision_report_data(data, b);
    struct attest_input in = {.evidence = evidence,
                              .anchor = &anchor,
                              .n_anchor = 1,
                              .policy = &p,
                              .report_data = {data, 64}};
    bool ok = attest_verify(&v, &in, &a);
    arena_reset(&a);
    return ok;
}

static void on_secrets(void *ctx, struct http_req *r)
{
    struct err e = {0};
    struct hash nonce, image, agent;
    const char *text = NULL;
    uint8_t eph[64];
    (void)ctx;
    JSON_FREE *v = json_parse(http_body(r), 8, &e);
    struct js top = js_top(v), n = js_key(&top, "nonce"), i = js_key(&top, "image");
    struct js ag = js_key(&top, "agent"), k = js_key(&top, "publicKey");
    struct js ev = js_key(&top, "evidence");
    struct provision_binding b = {.session = http_param(r, "id"), .task = w.task};
    BUF_FREE raw = buf_new(1 << 16);
    BUF_FREE sealed = buf_new(1 << 20);
    CHECK(rc_ok(js_hash(&nonce, &n, &e)) && hash_eq(nonce, srv.nonce));
    CHECK(rc_ok(js_hash(&image, &i, &e)) && rc_ok(js_hash(&agent, &ag, &e)));
    CHECK(rc_ok(js_str(&text, &k, &e)) &&
          rc_ok(hex_decode_exact(b.public_key, 64, bytes_str(text))));
    CHECK(rc_ok(js_str(&text, &ev, &e)) && rc_ok(base64_decode(&raw, bytes_str(text))));
    b.nonce = nonce;
    b.image = image;
    if (!hash_eq(image, w.image) || !evidence_holds(buf_bytes(&raw), &b, agent)) {
        http_reply(r, 403, "application/json",
                   BYTES_LIT("{\"error\":\"evidence-refused\",\"message\":\"not what was asked "
                             "for\",\"link\":\"policy\"}"));
        return;
    }
    SECRET_FREE plain = {0};
    CHECK(rc_ok(secret_copy(&plain, buf_bytes(&srv.session))));
    CHECK(rc_ok(provision_seal(&sealed, eph, &b, &plain)));
    struct buf out = buf_new(1 << 20);
    put_str(&out, "{\"simulated\":true,\"publicKey\":\"");
    put_0x(&out, BYTES_OF(eph));
    put_str(&out, "\",\"sealed\":\"");
    put_base64(&out, buf_bytes(&sealed));
    put_str(&out, "\"}");
    http_reply_buf(r, 200, "application/json", &out);
}

static void serve(int fd)
{
    static const struct http_route routes[] = {
        {.method = "POST", .path = "/session", .body_max = 1 << 20, .on_request = on_session},
        {.method = "POST", .path = "/provision/:id/nonce", .body_max = 16, .on_request = on_nonce},
        {.method = "POST",
         .path = "/provision/:id/secrets",
         .body_max = 1 << 20,
         .on_request = on_secrets},
        {.path = NULL},
    };
    struct loop *l = NULL;
    struct http_server *h = NULL;
    struct content_store *s = NULL;
    struct err e = {0};
    char dir[FILE_PATH_MAX], line[256] = {0};
    srv.session = buf_new(1 << 20);
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    CHECK(rc_ok(path_join(dir, w.dir, "store", NULL)) && rc_ok(loop_open(&l, &e)));
    struct store_config sc = {.dir = dir, .listen = "127.0.0.1:0", .gateway = "127.0.0.1:0"};
    struct http_config hc = {.listen = "127.0.0.1:0", .routes = routes};
    CHECK(rc_ok(content_store_open(&s, l, &sc, &e)) && rc_ok(http_server_open(&h, l, &hc, &e)));
    int n = snprintf(line, sizeof(line), "%s %s %s", content_store_api_url(s),
                     content_store_gateway_url(s), http_server_url(h));
    CHECK(write(fd, line, (size_t)n + 1) == n + 1);
    CHECK(rc_ok(loop_run(l, &e)));
}

static void start_server(void)
{
    int p[2];
    char line[256];
    CHECK(pipe(p) == 0);
    w.server = fork();
    if (w.server == 0) {
        serve(p[1]);
        _exit(0);
    }
    CHECK(read(p[0], line, sizeof(line)) > 0);
    CHECK(sscanf(line, "%63s %63s %63s", w.api, w.gateway, w.sms) == 3);
    (void)close(p[0]);
    (void)close(p[1]);
}

/* ---- the task ---- */

struct plan {
    const char *dataset_cid, *input_cid;
    struct hash checksum;
    const uint8_t *dataset_key, *input_key;
    struct bytes public_pem; /* n 0: not encrypted */
    const char *args;
};

static void put_session(struct buf *b, const struct plan *p)
{
    char hex[HEX_HASH_MAX], addr[HEX_ADDRESS_MAX], url[256], name[HEX_HASH_MAX];
    (void)snprintf(url, sizeof(url), "%s/ipfs/%s", w.gateway, p->input_cid);
    (void)hex_hash(name, sha256(bytes_str(url)));
    put_fmt(b, "{\"version\":1,\"sessionId\":\"s1\",\"simulated\":true,\"task\":{\"taskId\":\"%s\"",
            hex_hash(hex, w.task));
    put_fmt(b, ",\"dealId\":\"%s\"", hex);
    put_fmt(b, ",\"appChecksum\":\"%s\"", hex_hash(hex, w.image));
    put_fmt(b, ",\"dataset\":\"%s\"", hex_address(addr, w.worker));
    put_fmt(b, ",\"worker\":\"%s\"", addr);
    put_fmt(b, ",\"enclaveChallenge\":\"%s\"},\"services\":[",
            hex_address(addr, w.challenge_address));
    put_fmt(b,
            "{\"name\":\"pre-compute\",\"environment\":{\"IS_DATASET_REQUIRED\":\"true\","
            "\"IEXEC_DATASET_KEY\":\"");
    put_base64(b, (struct bytes){p->dataset_key, 32});
    put_fmt(b, "\",\"IEXEC_DATASET_URL\":\"/ipfs/%s\",\"IEXEC_DATASET_FILENAME\":\"0xdata\"",
            p->dataset_cid);
    put_fmt(b, ",\"IEXEC_DATASET_CHECKSUM\":\"%s\",\"IEXEC_INPUT_FILES_NUMBER\":\"1\"",
            hex_hash(hex, p->checksum));
    put_fmt(b, ",\"IEXEC_INPUT_FILE_URL_1\":\"%s\"}}", url);
    put_fmt(b,
            ",{\"name\":\"app\",\"args\":\"%s\",\"environment\":{\"IEXEC_DATASET_FILENAME\":"
            "\"0xdata\",\"IEXEC_INPUT_FILE_NAME_1\":\"%s\",\"IEXEC_REQUESTER_SECRET_2\":\"x\","
            "\"IEXEC_REQUESTER_SECRET_1\":\"souk-input:1:",
            p->args, name);
    put_base64(b, (struct bytes){p->input_key, 32});
    put_str(b,
            "\"}},{\"name\":\"post-compute\",\"environment\":{"
            "\"SIGN_TEE_CHALLENGE_PRIVATE_KEY\":\"");
    put_0x(b, secret_bytes(&w.challenge));
    put_fmt(b,
            "\",\"RESULT_ENCRYPTION\":\"%s\",\"RESULT_STORAGE_CALLBACK\":\"no\","
            "\"RESULT_STORAGE_PROVIDER\":\"ipfs\",\"RESULT_ENCRYPTION_PUBLIC_KEY\":\"",
            p->public_pem.n > 0 ? "yes" : "no");
    put_base64(b, p->public_pem);
    put_str(b, "\"}}]}");
    CHECK(rc_ok(buf_end(b)));
}

/* The agent in a process of its own, as always. */
static void run_agent(struct enclave_report *out, struct arena *a, const struct secret *tee,
                      const char *image)
{
    int p[2];
    char work[FILE_PATH_MAX];
    struct err e = {0};
    CHECK(pipe(p) == 0 && rc_ok(path_join(work, w.dir, "work", NULL)));
    pid_t pid = fork();
    if (pid == 0) {
        /* Secrets are wiped in a child: the development key comes by another way. */
        struct evidence_provider ev = evidence_simulated(tee);
        char key[FILE_PATH_MAX];
        struct signer s = {0};
        if (tee == &w.tee) {
            CHECK(rc_ok(path_join(key, w.dir, "tee.key", NULL)));
            CHECK(rc_ok(signer_open(&s, key, NULL, &e)));
            ev = evidence_simulated(&s.key);
        }
        struct enclave_config cfg = {.sms = w.sms,
                                     .session = "s1",
                                     .image = image,
                                     .work = work,
                                     .store = w.api,
                                     .gateway = w.gateway,
                                     .provider = &ev,
                                     .limits = run_limits_default(),
                                     .data_max = 1 << 20};
        SECRET_FREE other = {0};
        if (tee != &w.tee) {
            CHECK(rc_ok(secp_key_new(&other)));
            ev = evidence_simulated(&other);
        }
        BUF_FREE report = buf_new(ENCLAVE_REPORT_MAX);
        CHECK(rc_ok(enclave_run(&cfg, &report, &e)));
        CHECK(rc_ok(fd_write_all(p[1], buf_bytes(&report), &e)));
        _exit(0);
    }
    (void)close(p[1]);
    BUF_FREE json = buf_new(ENCLAVE_REPORT_MAX);
    uint8_t block[4096];
    for (ssize_t n; (n = read(p[0], block, sizeof(block))) > 0;) {
        put_mem(&json, block, (size_t)n);
    }
    (void)close(p[0]);
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(rc_ok(enclave_report_parse(out, a, buf_bytes(&json), &e)));
    CHECK(!file_exists(work) || rmdir(work) == 0);
    /* Nothing secret is told to the worker. */
    CHECK(memmem(json.p, json.n, "souk-input", 10) == NULL);
    CHECK(memmem(json.p, json.n, "the model", 9) == NULL || !out->encrypted);
}

static void give_session(struct http_client *h, const struct plan *p)
{
    char url[128];
    struct err e = {0};
    HTTP_ANSWER ans = {0};
    BUF_FREE b = buf_new(1 << 20);
    put_session(&b, p);
    (void)snprintf(url, sizeof(url), "%s/session", w.sms);
    struct http_call call = {.url = url, .body = buf_bytes(&b), .type = "application/json"};
    CHECK(rc_ok(http_call(h, &ans, &call, &e)) && ans.status == 200);
}

static void check_signature(const struct enclave_report *r)
{
    BUF_FREE b = buf_new(128);
    struct address who;
    put_bytes(&b, BYTES_OF(w.worker));
    put_bytes(&b, BYTES_OF(w.task));
    put_bytes(&b, BYTES_OF(r->digest));
    CHECK(hash_eq(r->result_seal, keccak256(buf_bytes(&b))));
    CHECK(hash_eq(r->result_hash, keccak256_2(BYTES_OF(w.task), BYTES_OF(r->digest))));
    struct hash m = eip191_hash(keccak256_2(BYTES_OF(r->result_hash), BYTES_OF(r->result_seal)));
    CHECK(rc_ok(secp_recover65(&who, m, (struct bytes){r->signature, 65})));
    CHECK(address_eq(who, w.challenge_address));
}

/* As the beneficiary: fetch, open both layers, read the answer. */
static void open_result(struct http_client *h, const struct enclave_report *r, struct arena *a,
                        const struct secret *pem)
{
    char path[FILE_PATH_MAX], cid[160] = {0}, loc[200];
    struct err e = {0};
    struct zip_entry en[4], in[8];
    uint64_t size = 0;
    size_t n = 0, k = 0;
    const char *at = strstr(r->link, "/ipfs/");
    CHECK(at != NULL && sscanf(at + 6, "%150[a-zA-Z0-9]", cid) == 1);
    (void)snprintf(loc, sizeof(loc), "/ipfs/%s", cid);
    CHECK(rc_ok(path_join(path, w.dir, "fetched", NULL)));
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    CHECK(rc_ok(store_fetch(h, fileno(f), &size, w.gateway, bytes_str(loc), 1 << 20, &e)));
    (void)fclose(f);
    BUF_FREE zip = buf_new(1 << 20);
    BUF_FREE plain = buf_new(1 << 20);
    SECRET_FREE key = {0};
    CHECK(rc_ok(file_read(&zip, path, &e)));
    CHECK(memmem(zip.p, zip.n, "the model", 9) == NULL);
    CHECK(rc_ok(zip_parse(en, &n, 4, a, buf_bytes(&zip), &e)) && n == 2);
    CHECK(strcmp(en[0].name, "iexec_out.zip.aes") == 0 && strcmp(en[1].name, "aes-key.rsa") == 0);
    CHECK(rc_ok(rsa_decrypt(&key, pem, en[1].data)) && key.n == 32);
    CHECK(rc_ok(aes_cbc_decrypt(&plain, key.p, en[0].data)));
    CHECK(rc_ok(zip_parse(in, &k, 8, a, buf_bytes(&plain), &e)) && k == 4);
    CHECK(strcmp(in[1].name, "result.txt") == 0);
    CHECK(bytes_eq(in[1].data, BYTES_LIT("the model and the picture")));
    CHECK(strcmp(in[3].name, "stdout.txt") == 0 && in[3].data.n > 20);
}

static void test_tasks(struct arena *a)
{
    struct http_client *h = NULL;
    struct err e = {0};
    struct enclave_report r;
    uint8_t k1[32], k2[32], iv[16] = {1};
    char c1[160], c2[160];
    BUF_FREE data = buf_new(1024);
    BUF_FREE input = buf_new(1024);
    BUF_FREE pub = buf_new(4096);
    SECRET_FREE pem = {0};
    CHECK(rc_ok(http_client_open(&h, &e)));
    CHECK(rc_ok(random_bytes(k1, 32)) && rc_ok(random_bytes(k2, 32)));
    CHECK(rc_ok(aes_cbc_encrypt(&data, k1, iv, BYTES_LIT("the model and "))));
    CHECK(rc_ok(aes_cbc_encrypt(&input, k2, iv, BYTES_LIT("the picture"))));
    CHECK(rc_ok(store_add(h, c1, w.api, NULL, buf_bytes(&data), &e)));
    CHECK(rc_ok(store_add(h, c2, w.api, NULL, buf_bytes(&input), &e)));
    CHECK(rc_ok(rsa_new(&pub, &pem, 2048)));
    struct plan p = {.dataset_cid = c1,
                     .input_cid = c2,
                     .checksum = sha256(buf_bytes(&data)),
                     .dataset_key = k1,
                     .input_key = k2,
                     .public_pem = buf_bytes(&pub),
                     .args = "tee"};
    give_session(h, &p);
    run_agent(&r, a, &w.tee, w.image_file);
    if (!r.ok && strstr(r.message, "no namespaces") != NULL) {
        (void)fprintf(stderr, "SKIPPED: tasks cannot be isolated on this host: %s\n", r.message);
        http_client_close(h);
        return;
    }
    if (!r.ok) {
        (void)fprintf(stderr, "%s: %s\n%s%s", r.cause, r.message, r.out, r.err);
    }
    CHECK(r.ok && r.encrypted && r.simulated && r.exit_code == 0 && r.out[0] == 0);
    CHECK(strcmp(r.kind, "simulated") == 0 && strstr(r.evidence_json, "\"nonce\"") != NULL);
    CHECK(hash_eq(r.digest, sha256(BYTES_LIT("the model and the picture"))));
    check_signature(&r);
    open_result(h, &r, a, &pem);

    /* Everything that must not work, each with its cause. */
    struct plan bad = p;
    bad.checksum.b[0] ^= 1;
    give_session(h, &bad);
    run_agent(&r, a, &w.tee, w.image_file);
    CHECK(!r.ok && strcmp(r.cause, "PRE_COMPUTE_INVALID_DATASET_CHECKSUM") == 0);
    CHECK(r.exit_code == -1);
    bad = p;
    bad.dataset_key = k2;
    give_session(h, &bad);
    run_agent(&r, a, &w.tee, w.image_file);
    /* A wrong key passes the padding once in 256 times; the application then sees noise. */
    CHECK(r.ok || strcmp(r.cause, "PRE_COMPUTE_DATASET_DECRYPTION_FAILED") == 0);
    bad = p;
    bad.input_cid = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"; /* an empty folder */
    give_session(h, &bad);
    run_agent(&r, a, &w.tee, w.image_file);
    CHECK(!r.ok && strcmp(r.cause, "PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED") == 0);
    bad = p;
    bad.args = "noresult";
    give_session(h, &bad);
    run_agent(&r, a, &w.tee, w.image_file);
    CHECK(!r.ok && strcmp(r.cause, "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND") == 0);
    CHECK(r.exit_code == 0);
    bad = p;
    bad.public_pem = BYTES_LIT("no key");
    give_session(h, &bad);
    run_agent(&r, a, &w.tee, w.image_file);
    CHECK(!r.ok && strcmp(r.cause, "POST_COMPUTE_MALFORMED_ENCRYPTION_PUBLIC_KEY") == 0);

    /* Another development key, and an image with one byte changed. */
    give_session(h, &p);
    run_agent(&r, a, NULL, w.image_file);
    CHECK(!r.ok && strstr(r.message, "evidence-refused") != NULL);
    char root[FILE_PATH_MAX], tar[FILE_PATH_MAX], digest[IMAGE_DIGEST_LEN + 1];
    CHECK(rc_ok(path_join(root, w.dir, "root", NULL)) && rc_ok(path_join(tar, w.dir, "x", NULL)));
    static const char *const entry[] = {"/app/app", "x", NULL};
    struct image_pack_spec spec = {.rootfs = root, .entrypoint = entry};
    CHECK(rc_ok(image_pack(&spec, tar, digest, &e)));
    run_agent(&r, a, &w.tee, tar);
    CHECK(!r.ok && strstr(r.message, "evidence-refused") != NULL);

    /* Without encryption the logs are the worker's to pass on. */
    bad = p;
    bad.public_pem.n = 0;
    give_session(h, &bad);
    run_agent(&r, a, &w.tee, w.image_file);
    CHECK(r.ok && !r.encrypted && strstr(r.out, "the plaintext") != NULL);
    http_client_close(h);
}

static void setup(void)
{
    char path[FILE_PATH_MAX], self[FILE_PATH_MAX] = {0}, from[FILE_PATH_MAX + 32];
    char digest[IMAGE_DIGEST_LEN + 1];
    struct err e = {0};
    (void)snprintf(w.dir, sizeof(w.dir), "/tmp/souk-test-enclave.XXXXXX");
    CHECK(mkdtemp(w.dir) != NULL && chmod(w.dir, 0755) == 0);
    CHECK(rc_ok(secp_key_new(&w.tee)) && rc_ok(secp_key_new(&w.challenge)));
    CHECK(rc_ok(secp_address(&w.tee_address, &w.tee)));
    CHECK(rc_ok(secp_address(&w.challenge_address, &w.challenge)));
    memset(&w.worker, 0x11, sizeof(w.worker));
    memset(&w.task, 0x22, sizeof(w.task));
    CHECK(rc_ok(path_join(path, w.dir, "tee.key", NULL)));
    BUF_FREE key = buf_new(128);
    put_0x(&key, secret_bytes(&w.tee));
    CHECK(rc_ok(file_write(path, buf_bytes(&key), 0600, &e)));
    CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    *strrchr(self, '/') = 0;
    (void)snprintf(from, sizeof(from), "%s/../hostile/app", self);
    BUF_FREE app = buf_new((size_t)16 << 20);
    CHECK(rc_ok(file_read(&app, from, &e)));
    CHECK(rc_ok(path_join(path, w.dir, "root/app", NULL)) && rc_ok(dir_make(path, 0755, &e)));
    CHECK(rc_ok(path_join(path, w.dir, "root/app/app", NULL)));
    CHECK(rc_ok(file_write(path, buf_bytes(&app), 0755, &e)));
    CHECK(rc_ok(path_join(path, w.dir, "root", NULL)));
    CHECK(rc_ok(path_join(w.image_file, w.dir, "app.tar", NULL)));
    static const char *const entry[] = {"/app/app", NULL};
    struct image_pack_spec spec = {.rootfs = path, .entrypoint = entry};
    CHECK(rc_ok(image_pack(&spec, w.image_file, digest, &e)));
    CHECK(rc_ok(image_digest_parse(&w.image, digest)));
}

int main(void)
{
    struct arena a;
    struct err e = {0};
    arena_init(&a, (size_t)32 << 20);
    setup();
    start_server();
    test_tasks(&a);
    CHECK(kill(w.server, SIGKILL) == 0 && waitpid(w.server, NULL, 0) == w.server);
    secret_free(&w.tee);
    secret_free(&w.challenge);
    arena_reset(&a);
    CHECK(rc_ok(dir_remove(w.dir, &e)));
    return 0;
}
