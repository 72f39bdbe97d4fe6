/* SPDX-License-Identifier: Apache-2.0 */
/* node_chain.c - `souk node export|import|verify`: the chain of a node that does not run, as a file
 * and back, and executed again from its genesis. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain/ledger/ledger.h"
#include "cmd/cmd.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/opts.h"

struct settings {
    const char *state, *scratch, *log_level;
    uint64_t history, threads;
    bool json;
};

#define S(name, type, field, ...) OPT(name, type, settings, field, __VA_ARGS__)

/* clang-format off */
#define STATE_ROW   S("state",     OPT_STR,  state,   .arg = "DIR", .def = "souk-node", .help = "folder of the chain; no node may run on it meanwhile")
#define THREADS_ROW S("threads",   OPT_U64,  threads, .arg = "N", .def = "0", .max = 256, .help = "threads that recover signatures; 0: one a core")
#define LEVEL_ROW   S("log-level", OPT_STR,  log_level, .arg = "LEVEL", .def = "info", .help = "error, warn, info, debug or trace")
#define JSON_ROW    S("json",      OPT_FLAG, json,    .help = "print one JSON object")

static const struct opt export_table[] = {STATE_ROW, JSON_ROW, LEVEL_ROW, {.name = NULL}};
static const struct opt import_table[] = {
    STATE_ROW,
    S("history",   OPT_U64,  history, .arg = "N", .def = "1024", .help = "blocks back whose state can be asked"),
    THREADS_ROW, JSON_ROW, LEVEL_ROW, {.name = NULL}};
static const struct opt verify_table[] = {
    STATE_ROW,
    S("scratch",   OPT_STR,  scratch, .arg = "DIR", .help = "folder for the second copy, about as large as the chain; made and removed (default: beside the state folder)"),
    THREADS_ROW, JSON_ROW, LEVEL_ROW, {.name = NULL}};
/* clang-format on */

static const struct opts export_opts = {
    .command = "node export",
    .summary = "Writes the chain, genesis and all blocks, to a new file with a checksum.",
    .args = "FILE",
    .args_min = 1,
    .args_max = 1,
    .table = export_table,
    .example = "  souk node export chain.souk --state /var/lib/souk/node",
};

static const struct opts import_opts = {
    .command = "node import",
    .summary =
        "Executes the blocks of an exported chain, in an empty folder or on top of those of "
        "them that it has. Every root is compared with the block's header.",
    .args = "FILE",
    .args_min = 1,
    .args_max = 1,
    .table = import_table,
    .example = "  souk node import chain.souk --state /var/lib/souk/node",
};

static const struct opts verify_opts = {
    .command = "node verify",
    .summary =
        "Executes the whole chain again beside the state folder, and compares every root, "
        "receipt, record and index of the database with what comes out.",
    .table = verify_table,
    .example = "  souk node verify --state /var/lib/souk/node",
};

static rc open_chain(struct ledger **l, const struct settings *set, struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(path_join(path, set->state, "data.mdb", e));
    if (!file_exists(path)) {
        return err_set(e, RC_CODE_NOT_FOUND, "%s: there is no chain in this folder (--state)",
                       set->state);
    }
    /* All history is left as it is: nothing is written here. */
    struct ledger_config cfg = {
        .dir = set->state, .history = UINT64_MAX, .threads = (unsigned)set->threads, .pool_max = 1};
    return ledger_open(l, &cfg, e);
}

static void report(const struct settings *set, const char *what, uint64_t height, uint64_t since_ms)
{
    double s = (double)(clock_mono_ms() - since_ms) / 1000;
    if (set->json) {
        (void)printf("{\"action\":\"%s\",\"height\":%" PRIu64 ",\"seconds\":%.3f}\n", what, height,
                     s);
    } else {
        (void)printf("%s: blocks 0 to %" PRIu64 " in %.1f s\n", what, height, s);
    }
}

static rc export_chain(const struct settings *set, const char *file, uint64_t *height,
                       struct err *e)
{
    struct ledger *l;
    TRY(open_chain(&l, set, e));
    *height = ledger_height(l);
    rc r = ledger_export(l, file, e);
    ledger_close(l);
    return r;
}

static rc verify_chain(const struct settings *set, uint64_t *height, struct err *e)
{
    struct ledger *l;
    char scratch[FILE_PATH_MAX];
    int n = set->scratch != NULL ? snprintf(scratch, sizeof(scratch), "%s", set->scratch)
                                 : snprintf(scratch, sizeof(scratch), "%s.verify", set->state);
    if (n < 0 || (size_t)n >= sizeof(scratch)) {
        return err_set(e, RC_CODE_LIMIT, "the folder's name is too long");
    }
    if (file_exists(scratch)) {
        return err_set(e, RC_CODE_DENIED,
                       "%s: is there already; remove it, or name another folder with --scratch",
                       scratch);
    }
    TRY(open_chain(&l, set, e));
    *height = ledger_height(l);
    rc r = dir_make(scratch, 0700, e);
    if (rc_ok(r)) {
        r = ledger_verify(l, scratch, e);
        rc gone = dir_remove(scratch, rc_ok(r) ? e : NULL);
        r = rc_ok(r) ? gone : r;
    }
    ledger_close(l);
    return r;
}

int cmd_node_chain(int argc, char **argv)
{
    struct settings set = {0};
    struct opts_rest rest = {0};
    struct arena a;
    struct err e = {0};
    uint64_t height = 0, since = clock_mono_ms();
    const char *what = argv[0];
    const struct opts *o = strcmp(what, "export") == 0   ? &export_opts
                           : strcmp(what, "import") == 0 ? &import_opts
                                                         : &verify_opts;
    arena_init(&a, 1 << 20);
    enum opts_what how = opts_parse(o, &set, &rest, argc, argv, &a);
    rc r = RC_OK;
    if (how == OPTS_RUN) {
        r = cmd_log_level(set.log_level, &e);
    }
    if (how == OPTS_RUN && rc_ok(r)) {
        struct ledger_config cfg = {
            .dir = set.state, .history = set.history, .threads = (unsigned)set.threads};
        r = o == &export_opts   ? export_chain(&set, rest.v[0], &height, &e)
            : o == &import_opts ? ledger_import(&cfg, rest.v[0], &height, &e)
                                : verify_chain(&set, &height, &e);
        if (rc_ok(r)) {
            report(&set,
                   o == &export_opts   ? "exported"
                   : o == &import_opts ? "imported"
                                       : "verified",
                   height, since);
        }
    }
    arena_reset(&a);
    if (how != OPTS_RUN) {
        return how == OPTS_DONE ? 0 : 2;
    }
    return rc_ok(r) ? 0 : cmd_exit("node", r, &e);
}
