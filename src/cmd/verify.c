/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - `souk verify proof`: what souk_getProof answered, checked without a node. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "chain/ledger/ledger.h"
#include "cmd/cmd.h"
#include "crypto/keccak.h"
#include "encoding/hex.h"
#include "io/file.h"
#include "io/json.h"
#include "io/opts.h"

enum { KEY_MAX = 120, VALUE_MAX = 1 << 20, PROOF_MAX = 1 << 17, HEADER_MAX = 4096 };
#define TEXT_MAX ((size_t)4 << 20)

struct settings {
    const char *block_hash;
    bool json;
};

#define S(name, type, field, ...) OPT(name, type, settings, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("block-hash", OPT_STR,  block_hash, .arg = "HASH", .help = "hash of a block that you trust: the proof must be of that block"),
    S("json",       OPT_FLAG, json,       .help = "print one JSON object"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts options = {
    .command = "verify proof",
    .summary =
        "Checks a proof that a record stands in the state of a block, or that none does, without a "
        "node. The proof is only as good as the block: name the hash of one that you trust.",
    .args = "FILE",
    .args_min = 1,
    .args_max = 1,
    .table = table,
    .example =
        "  curl -s -H 'content-type: application/json' http://127.0.0.1:8545 -d \\\n"
        "    '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"souk_getProof\",\"params\":[\"0x1001\"]}' "
        "> p.json\n"
        "  souk verify proof p.json --block-hash 0x5e1c4d227a0db6a7f748d896a6c4a28395b4a963…",
};

struct proof_file {
    struct bytes key;
    struct state_proof p;
    struct bytes block_hash, state_root; /* as the file says; empty when it does not */
};

/* The answer of souk_getProof, alone or inside its JSON-RPC envelope. */
static rc read_proof(struct proof_file *out, struct arena *a, const char *path, struct err *e)
{
    struct bytes text;
    struct u256 number;
    TRY(file_read_arena(&text, a, path, TEXT_MAX, e));
    JSON_FREE *v = json_parse(text, 8, e);
    if (v == NULL) {
        return err_wrap(e, RC(MALFORMED), "%s", path);
    }
    struct js top = js_top(v), result = js_key(&top, "result");
    struct js o = js_has(&top, "result") ? result : top;
    struct js key = js_key(&o, "key"), value = js_key(&o, "value"), at = js_key(&o, "blockNumber");
    struct js hash = js_key(&o, "blockHash"), root = js_key(&o, "stateRoot");
    struct js header = js_key(&o, "header"), proof = js_key(&o, "proof");
    *out = (struct proof_file){0};
    TRY(js_object(&o, e));
    TRY(js_hex(&out->key, a, &key, KEY_MAX, e));
    out->p.found = value.v != NULL && !json_is_null(value.v);
    if (out->p.found) {
        TRY(js_hex(&out->p.value, a, &value, VALUE_MAX, e));
    }
    TRY(js_hex(&out->p.header, a, &header, HEADER_MAX, e));
    TRY(js_hex(&out->p.proof, a, &proof, PROOF_MAX, e));
    if (js_has(&o, "blockHash")) {
        TRY(js_hex(&out->block_hash, a, &hash, sizeof(struct hash), e));
    }
    if (js_has(&o, "stateRoot")) {
        TRY(js_hex(&out->state_root, a, &root, sizeof(struct hash), e));
    }
    TRY(js_u256(&number, &at, e));
    return u256_to_u64(number, &out->p.number) ? RC_OK : js_err(&at, e, "must be a block's number");
}

/* What the file says of its block beside the header. */
static rc check_said(const struct proof_file *f, const struct block *header, struct err *e)
{
    if (f->block_hash.n > 0 && !bytes_eq(f->block_hash, BYTES_OF(header->hash.b))) {
        return err_set(e, RC_CODE_DENIED, "blockHash is not the hash of the header");
    }
    if (f->state_root.n > 0 && !bytes_eq(f->state_root, BYTES_OF(header->state_root.b))) {
        return err_set(e, RC_CODE_DENIED, "stateRoot is not the one in the header");
    }
    return RC_OK;
}

static void put_json(struct buf *b, const struct proof_file *f, const struct block *header,
                     bool trusted)
{
    char hash[HEX_HASH_MAX];
    put_fmt(b, "{\"valid\":true,\"found\":%s,\"trusted\":%s,\"blockNumber\":%" PRIu64,
            f->p.found ? "true" : "false", trusted ? "true" : "false", f->p.number);
    put_fmt(b, ",\"blockHash\":\"%s\",\"key\":\"", hex_hash(hash, header->hash));
    put_0x(b, f->key);
    put_str(b, f->p.found ? "\",\"value\":\"" : "\",\"value\":null}\n");
    if (f->p.found) {
        put_0x(b, f->p.value);
        put_str(b, "\"}\n");
    }
}

static void put_text(struct buf *b, const struct proof_file *f, const struct block *header,
                     bool trusted)
{
    char hash[HEX_HASH_MAX];
    put_fmt(b, "valid: %s in block %" PRIu64 ", %s (%s)\nkey    ",
            f->p.found ? "a record" : "no record", f->p.number, hex_hash(hash, header->hash),
            trusted ? "which you trust" : "whether that block is one to trust is yours to know");
    put_0x(b, f->key);
    put_str(b, f->p.found ? "\nvalue  " : "\n");
    if (f->p.found) {
        put_0x(b, f->p.value);
        put_u8(b, '\n');
    }
}

static rc verify(const struct settings *set, struct arena *a, const char *path, struct err *e)
{
    struct proof_file f;
    struct block header;
    struct hash want;
    char hash[HEX_HASH_MAX];
    BUF_FREE text = buf_new(TEXT_MAX);
    TRY(read_proof(&f, a, path, e));
    TRY(state_proof_check(&header, a, f.key, &f.p, e));
    TRY(check_said(&f, &header, e));
    if (set->block_hash != NULL) {
        if (!rc_ok(hex_parse_hash(&want, set->block_hash))) {
            return err_set(e, RC_CODE_MALFORMED, "--block-hash: must be 32 bytes (0x, 64 digits)");
        }
        if (!hash_eq(want, header.hash)) {
            return err_set(e, RC_CODE_DENIED, "the proof is of another block: %s",
                           hex_hash(hash, header.hash));
        }
    }
    if (set->json) {
        put_json(&text, &f, &header, set->block_hash != NULL);
    } else {
        put_text(&text, &f, &header, set->block_hash != NULL);
    }
    (void)fwrite(text.p, 1, text.n, stdout);
    return RC_OK;
}

int cmd_verify(int argc, char **argv)
{
    struct settings set = {0};
    struct opts_rest rest = {0};
    struct arena a;
    struct err e = {0};
    if (argc < 2 || strcmp(argv[1], "proof") != 0) {
        bool help = argc > 1 && strcmp(argv[1], "--help") == 0;
        (void)fputs(
            "usage: souk verify proof FILE [options]\n\n"
            "  proof   a record of the state, or that there is none, against a block's hash\n\n"
            "souk verify proof --help says more and shows an example.\n",
            help ? stdout : stderr);
        return help ? 0 : 2;
    }
    arena_init(&a, TEXT_MAX * 4);
    enum opts_what how = opts_parse(&options, &set, &rest, argc - 1, argv + 1, &a);
    int status = how == OPTS_DONE ? 0 : 2;
    if (how == OPTS_RUN) {
        status = cmd_exit("verify", verify(&set, &a, rest.v[0], &e), &e);
    }
    arena_reset(&a);
    return status;
}
