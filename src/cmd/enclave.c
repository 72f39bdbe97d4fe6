/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/enclave/enclave.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "daemon/client/client.h"
#include "io/file.h"
#include "io/opts.h"

struct enclave_args {
    const char *sms, *session, *image, *work, *store, *gateway, *tee_key;
    struct run_limits l;
    uint64_t log_size, data_max;
};

#define S(name, type, field, ...) OPT(name, type, enclave_args, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("sms",        OPT_STR,  sms,          .arg = "URL", .help = "secret manager: the session's secretProvisioningUrl"),
    S("session",    OPT_STR,  session,      .arg = "ID", .help = "the session that the worker asked for"),
    S("image",      OPT_STR,  image,        .arg = "FILE", .help = "the application's image"),
    S("work",       OPT_STR,  work,         .arg = "DIR", .help = "folder for this task alone; made, and removed at the end"),
    S("store",      OPT_STR,  store,        .arg = "URL", .def = "http://127.0.0.1:5001", .help = "IPFS API that takes the result"),
    S("gateway",    OPT_STR,  gateway,      .arg = "URL", .def = "http://127.0.0.1:8080", .help = "IPFS gateway for dataset and input files"),
    S("simulated-tee", OPT_STR, tee_key,    .arg = "KEYFILE", .help = "make SIMULATED evidence with this development key: no hardware protects anything. Without it: the guest kernel's configfs-tsm"),
    S("wall",       OPT_MS,   l.wall_ms,    .arg = "TIME", .def = "5m", .min = 1, .help = "time on the clock"),
    S("cpu",        OPT_MS,   l.cpu_ms,     .arg = "TIME", .def = "5m", .min = 1, .help = "time on processors"),
    S("memory",     OPT_SIZE, l.memory,     .arg = "SIZE", .def = "1g", .min = 4194304, .help = "memory of the application"),
    S("processes",  OPT_U64,  l.processes,  .arg = "N", .def = "64", .min = 1, .help = "processes and threads"),
    S("tmp-size",   OPT_SIZE, l.tmp_size,   .arg = "SIZE", .def = "64m", .min = 4096, .help = "room in /tmp"),
    S("out-size",   OPT_SIZE, l.out_size,   .arg = "SIZE", .def = "256m", .min = 4096, .help = "room in /iexec_out"),
    S("out-files",  OPT_U64,  l.out_files,  .arg = "N", .def = "1000", .min = 1, .help = "files in /iexec_out"),
    S("file-size",  OPT_SIZE, l.file_size,  .arg = "SIZE", .def = "256m", .min = 1, .help = "of one file"),
    S("open-files", OPT_U64,  l.open_files, .arg = "N", .def = "256", .min = 8, .help = "descriptors"),
    S("log-size",   OPT_SIZE, log_size,     .arg = "SIZE", .def = "100000", .max = 1073741824, .help = "kept of stdout and of stderr"),
    S("data-max",   OPT_SIZE, data_max,     .arg = "SIZE", .def = "1g", .min = 1, .help = "of the dataset, and of each input file"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts opts = {
    .command = "enclave",
    .summary =
        "The agent inside the TEE: proves what it is, gets the task's secrets, decrypts, "
        "runs, encrypts,\nsigns. Workers start it; it prints one JSON report. With "
        "--simulated-tee no hardware protects\nwhat it does from this machine's "
        "administrator.",
    .table = table,
    .example =
        "  souk enclave --sms http://127.0.0.1:13350 --session ID --image app.tar "
        "--work ./task \\\n      --simulated-tee keys/simulated-tee.key\n",
};

static rc check(const struct enclave_args *args, struct err *e)
{
    return args->sms != NULL && args->session != NULL && args->image != NULL && args->work != NULL
               ? RC_OK
               : err_set(e, RC_CODE_MALFORMED, "--sms, --session, --image and --work are needed");
}

static rc run(struct enclave_args *args, struct err *e)
{
    SIGNER_FREE signer = {0};
    struct evidence_provider provider = evidence_tsm(NULL);
    BUF_FREE report = buf_new(ENCLAVE_REPORT_MAX);
    TRY(check(args, e));
    if (args->tee_key != NULL) {
        TRY(signer_open(&signer, args->tee_key, NULL, e));
        provider = evidence_simulated(&signer.key);
    }
    args->l.log_size = (size_t)args->log_size;
    struct enclave_config cfg = {.sms = args->sms,
                                 .session = args->session,
                                 .image = args->image,
                                 .work = args->work,
                                 .store = args->store,
                                 .gateway = args->gateway,
                                 .provider = &provider,
                                 .limits = args->l,
                                 .data_max = args->data_max};
    TRY(enclave_run(&cfg, &report, e));
    return fd_write_all(STDOUT_FILENO, buf_bytes(&report), e);
}

int cmd_enclave(int argc, char **argv)
{
    struct enclave_args args = {0};
    struct arena a;
    struct err e = {0};
    arena_init(&a, 1 << 20);
    enum opts_what what = opts_parse(&opts, &args, NULL, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        rc r = run(&args, &e);
        status = rc_ok(r) ? 0 : r.code == RC_CODE_MALFORMED ? 2 : 1;
        if (!rc_ok(r)) {
            (void)fprintf(stderr, "souk enclave: %s\n", e.msg);
        }
    }
    arena_reset(&a);
    return status;
}
