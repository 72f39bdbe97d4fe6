/* SPDX-License-Identifier: Apache-2.0 */
/* Work items, parameters, journals: what a worker reads. The rest is tested with real processes. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/worker/worker_int.h"
#include "tests/test.h"

#define H   "0x1111111111111111111111111111111111111111111111111111111111111111"
#define G   "0x2111111111111111111111111111111111111111111111111111111111111111"
#define A   "0x2222222222222222222222222222222222222222"
#define S32 "33333333333333333333333333333333"
#define SIG "0x" S32 S32 S32 S32 "33"

static void item(const char *text, bool ok, const char *why)
{
    struct err e = {0};
    struct work_item it;
    JSON_FREE *j = json_parse(bytes_str(text), 8, &e);
    struct js top = js_top(j);
    CHECK(j != NULL && rc_ok(work_item_parse(&it, &top, &e)) == ok);
    CHECK(ok || strstr(e.msg, why) != NULL);
}

static void test_items(void)
{
    item("{\"action\":\"drop\",\"chainTaskId\":\"" H "\"}", true, "");
    item("{\"action\":\"reveal\",\"chainTaskId\":\"" H "\",\"dealId\":\"" H "\",\"taskIndex\":3}",
         true, "");
    item("{\"action\":\"reveal\",\"chainTaskId\":\"" H "\"}", false, "dealId");
    item("{\"action\":\"dance\",\"chainTaskId\":\"" H "\"}", false, "action");
    item("{\"action\":\"run\",\"chainTaskId\":\"" H "\",\"dealId\":\"" H "\",\"taskIndex\":3}",
         false, "workerpoolAuthorization");
    item("{\"action\":\"run\",\"chainTaskId\":\"" H "\",\"dealId\":\"" H
         "\",\"taskIndex\":3,"
         "\"workerpoolAuthorization\":{\"chainTaskId\":\"" H "\",\"enclaveChallenge\":\"" A
         "\",\"signature\":{\"value\":\"" SIG "\"}}}",
         true, "");
    item("{\"action\":\"run\",\"chainTaskId\":\"" H "\",\"dealId\":\"" H
         "\",\"taskIndex\":3,"
         "\"workerpoolAuthorization\":{\"chainTaskId\":\"" G "\",\"enclaveChallenge\":\"" A
         "\",\"signature\":{\"value\":\"" SIG "\"}}}",
         false, "another task"); /* a replayed authorisation */
    item("{\"action\":\"run\",\"chainTaskId\":\"" H "\",\"dealId\":\"" H
         "\",\"taskIndex\":3,"
         "\"workerpoolAuthorization\":{\"chainTaskId\":\"" H "\",\"enclaveChallenge\":\"" A
         "\",\"signature\":{\"value\":\"0x33\"}}}",
         false, "65 bytes");
}

static void test_params(void)
{
    struct arena a;
    struct task_params p;
    struct err e = {0};
    arena_init(&a, 1 << 20);
    CHECK(rc_ok(task_params_parse(&p, &a, BYTES_LIT(""), &e)) && p.args == NULL);
    CHECK(rc_ok(task_params_parse(&p, &a, BYTES_LIT("just args"), &e)));
    CHECK(strcmp(p.args, "just args") == 0);
    CHECK(rc_ok(task_params_parse(&p, &a,
                                  BYTES_LIT("{\"iexec_args\":\"a b\",\"iexec_input_files\":"
                                            "[\"https://x/y\"],\"iexec_secrets\":{},"
                                            "\"iexec_result_encryption\":true}"),
                                  &e)));
    CHECK(strcmp(p.args, "a b") == 0 && p.n_inputs == 1 && p.encrypt && p.has_secrets);
    CHECK(!rc_ok(task_params_parse(&p, &a, BYTES_LIT("{\"iexec_args\":1}"), &e)));
    CHECK(strstr(e.msg, "iexec_args") != NULL);
    CHECK(!rc_ok(task_params_parse(
        &p, &a, BYTES_LIT("{\"iexec_input_files\":[\"file:///etc/passwd\"]}"), &e)));
    arena_reset(&a);
}

static void test_journal(void)
{
    char dir[] = "/tmp/test_worker.XXXXXX";
    struct err e = {0};
    struct arena a;
    struct journal j = {.digest = {{1}}, .tee = true, .callback = BYTES_LIT("cb")}, k;
    arena_init(&a, 1 << 20);
    CHECK(mkdtemp(dir) != NULL);
    CHECK(journal_read(&k, &a, dir, &e).code == RC_CODE_NOT_FOUND);
    (void)snprintf(j.link, sizeof(j.link), "link");
    j.enclave_sign[64] = 27;
    CHECK(rc_ok(journal_write(dir, &j, &e)) && rc_ok(journal_read(&k, &a, dir, &e)));
    CHECK(hash_eq(k.digest, j.digest) && k.tee && strcmp(k.link, "link") == 0 &&
          k.enclave_sign[64] == 27 && bytes_eq(k.callback, j.callback));
    CHECK(journal_parse(&k, &a, BYTES_LIT("{}"), &e).code == RC_CODE_MALFORMED);
    CHECK(rc_ok(dir_remove(dir, &e)));
    arena_reset(&a);
}

int main(void)
{
    test_items();
    test_params();
    test_journal();
    return 0;
}
