/* SPDX-License-Identifier: Apache-2.0 */
/* The store without HTTP: blocks, imports, reading, pins and garbage collection. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/sha2.h"
#include "daemon/store/hamt_int.h"
#include "daemon/store/store_int.h"
#include "io/file.h"
#include "tests/test.h"

static char dir[64];

static struct content_store *open_store(uint64_t max_size)
{
    static struct loop *loop;
    struct content_store *s;
    struct err e = {0};
    if (loop == NULL) {
        CHECK(rc_ok(loop_open(&loop, &e)));
    }
    struct store_config cfg = {.dir = dir, .listen = "127.0.0.1:0", .max_size = max_size};
    rc r = content_store_open(&s, loop, &cfg, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r));
    return s;
}

static void fresh_dir(void)
{
    struct err e;
    if (dir[0] != '\0') {
        CHECK(rc_ok(dir_remove(dir, &e)));
    }
    memcpy(dir, "/tmp/souk-test-XXXXXX", 22);
    CHECK(mkdtemp(dir) != NULL);
}

static struct hash put(struct content_store *s, const void *p, size_t n, bool *fresh)
{
    struct bytes b = {p, n};
    struct hash h = sha256(b);
    struct err e = {0};
    CHECK(rc_ok(blocks_put(s->blocks, &h, b, fresh, &e)));
    return h;
}

static void test_hashmap(void)
{
    HASHMAP_FREE m = {0};
    uint64_t v;
    for (uint64_t i = 0; i < 1000; i++) {
        struct hash h = sha256(BYTES_OF(i));
        CHECK(hashmap_set(&m, &h, i) && !hashmap_set(&m, &h, i));
    }
    hashmap_prune(&m, 900);
    for (uint64_t i = 0; i < 1000; i++) {
        struct hash h = sha256(BYTES_OF(i));
        CHECK(hashmap_get(&m, &h, &v) == (i >= 900));
    }
    CHECK(m.n == 100);
}

static void test_blocks(void)
{
    struct err e = {0};
    bool fresh;
    BUF_FREE out = buf_new(BLOCK_MAX);
    static uint8_t big[300000];
    fresh_dir();
    struct content_store *s = open_store(0);
    struct hash small = put(s, "abc", 3, &fresh);
    CHECK(fresh);
    (void)put(s, "abc", 3, &fresh);
    CHECK(!fresh);
    memset(big, 7, sizeof(big));
    struct hash large = put(s, big, sizeof(big), &fresh);
    struct hash none = put(s, "", 0, &fresh);
    /* Before and after the commit, and from another process. */
    for (int i = 0; i < 3; i++) {
        CHECK(rc_ok(blocks_get(s->blocks, &small, &out, &e)) &&
              bytes_eq(buf_bytes(&out), BYTES_LIT("abc")));
        CHECK(rc_ok(blocks_get(s->blocks, &large, &out, &e)) && out.n == sizeof(big));
        CHECK(rc_ok(blocks_get(s->blocks, &none, &out, &e)) && out.n == 0);
        CHECK(blocks_stat(s->blocks).count == 3);
        if (i == 0) {
            CHECK(blocks_dirty(s->blocks) && rc_ok(blocks_commit(s->blocks, &e)));
        } else if (i == 1) {
            content_store_close(s);
            s = open_store(0);
        }
    }
    /* What is rolled back has never been. */
    uint64_t generation = blocks_generation(s->blocks);
    struct hash lost = put(s, "lost", 4, &fresh);
    blocks_rollback(s->blocks);
    CHECK(blocks_generation(s->blocks) == generation + 1);
    CHECK(blocks_get(s->blocks, &lost, &out, &e).code == RC_CODE_NOT_FOUND);
    struct hash next = put(s, "next", 4, &fresh);
    CHECK(rc_ok(blocks_commit(s->blocks, &e)) && rc_ok(blocks_get(s->blocks, &next, &out, &e)));
    CHECK(rc_ok(blocks_delete(s->blocks, &large, &e)) && rc_ok(blocks_reclaim(s->blocks, &e)));
    CHECK(blocks_get(s->blocks, &large, &out, &e).code == RC_CODE_NOT_FOUND);
    CHECK(rc_ok(blocks_get(s->blocks, &next, &out, &e)));
    CHECK(blocks_stat(s->blocks).count == 3 && blocks_stat(s->blocks).bytes == 7 + 3 * 40);
    content_store_close(s);
}

/* Garbage behind the committed end, as a crash leaves it, is cut off. */
static void test_crash(void)
{
    struct err e = {0};
    bool fresh;
    char path[128];
    BUF_FREE out = buf_new(BLOCK_MAX);
    fresh_dir();
    struct content_store *s = open_store(0);
    struct hash h = put(s, "kept", 4, &fresh);
    CHECK(rc_ok(blocks_commit(s->blocks, &e)));
    (void)put(s, "not committed", 13, &fresh);
    content_store_close(s);
    (void)snprintf(path, sizeof(path), "%s/packs/00000001.pack", dir);
    int fd = open(path, O_WRONLY | O_APPEND);
    CHECK(fd >= 0 && write(fd, "torn", 4) == 4 && close(fd) == 0);
    s = open_store(0);
    uint64_t size;
    CHECK(rc_ok(file_size(&size, path, &e)) && size == 44);
    CHECK(rc_ok(blocks_get(s->blocks, &h, &out, &e)) && blocks_stat(s->blocks).count == 1);
    content_store_close(s);
    CHECK(truncate(path, 20) == 0); /* committed bytes are gone: refused, never guessed */
    static struct loop *loop;
    CHECK(rc_ok(loop_open(&loop, &e)));
    struct store_config cfg = {.dir = dir, .listen = "127.0.0.1:0"};
    CHECK(content_store_open(&s, loop, &cfg, &e).code == RC_CODE_CORRUPT);
    CHECK(strstr(e.msg, "shorter than the index says") != NULL);
    loop_close(loop);
}

static struct import_node add_file(struct content_store *s, struct use *u, const uint8_t *p,
                                   size_t n, size_t chunk)
{
    struct import im;
    struct import_node node;
    struct err e = {0};
    struct sink sink = store_sink(s, u, false);
    struct import_opts opts = {.cid_version = 0, .chunk = chunk};
    import_open(&im, &sink, &opts);
    for (size_t i = 0; i < n; i += 1000) {
        CHECK(rc_ok(import_write(&im, (struct bytes){p + i, MIN(n - i, (size_t)1000)}, &e)));
    }
    CHECK(rc_ok(import_finish(&im, &node, &e)));
    import_close(&im);
    sink_close(&sink);
    return node;
}

static void test_files(void)
{
    static uint8_t data[100000];
    struct err e = {0};
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 31 + i / 256);
    }
    fresh_dir();
    struct content_store *s = open_store(0);
    struct use u = {0};
    use_upload(s, &u);
    /* 100 chunks, one level; 50,000 chunks, three levels; ranges of both. */
    static const size_t chunks[] = {1000, 2};
    for (size_t c = 0; c < ARRAY_LEN(chunks); c++) {
        struct import_node node = add_file(s, &u, data, sizeof(data), chunks[c]);
        CHECK(node.filesize == sizeof(data));
        static const uint64_t ranges[][2] = {{0, 100000},    {0, 1}, {99999, 1},  {999, 2},
                                             {50000, 30001}, {5, 0}, {100000, 10}};
        for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
            struct file_reader f;
            struct bytes part;
            uint64_t at = ranges[i][0];
            CHECK(rc_ok(file_open(&f, s->blocks, &node.cid, &e)) && f.size == sizeof(data));
            file_range(&f, ranges[i][0], ranges[i][1]);
            for (;;) {
                CHECK(rc_ok(file_next(&f, &part, &e)));
                if (part.n == 0) {
                    break;
                }
                CHECK(memcmp(part.p, data + at, part.n) == 0);
                at += part.n;
            }
            CHECK(at == MIN(ranges[i][0] + ranges[i][1], sizeof(data)));
            file_close(&f);
        }
    }
    use_end(s, &u);
    CHECK(s->young.n == 0);
    content_store_close(s);
}

static void count_removed(void *ctx, const struct hash *h)
{
    (void)h;
    ++*(size_t *)ctx;
}

static void test_pins_and_gc(void)
{
    static uint8_t data[5000];
    struct err e = {0};
    size_t seen = 0;
    uint64_t removed;
    bool found;
    bool deep;
    fresh_dir();
    struct content_store *s = open_store(0);
    struct use u = {0};
    use_upload(s, &u);
    data[0] = 1;
    struct import_node kept = add_file(s, &u, data, sizeof(data), 1000);
    data[0] = 2;
    struct import_node dropped = add_file(s, &u, data, sizeof(data), 1000);
    CHECK(rc_ok(pin_add(s, &kept.cid, true, "", &e)));
    CHECK(pin_add(s, &kept.cid, false, "", &e).code == RC_CODE_DENIED);
    CHECK(pin_rm(s, &dropped.cid, true, &e).code == RC_CODE_NOT_FOUND);
    CHECK(pin_rm(s, &kept.cid, false, &e).code == RC_CODE_DENIED);
    /* While the upload lasts nothing of it goes. */
    CHECK(rc_ok(store_gc(s, count_removed, &seen, &removed, &e)) && removed == 0);
    use_end(s, &u);
    struct use reader = {0};
    use_read(s, &reader, &dropped.cid);
    CHECK(rc_ok(store_gc(s, count_removed, &seen, &removed, &e)) && removed == 0);
    use_end(s, &reader);
    /* The root and the chunk that differs: the other chunks are shared. */
    CHECK(rc_ok(store_gc(s, count_removed, &seen, &removed, &e)) && removed == 2 && seen == 2);
    CHECK(pin_add(s, &dropped.cid, true, "", &e).code == RC_CODE_NOT_FOUND);
    CHECK(strstr(e.msg, "could not find Qm") != NULL);
    CHECK(rc_ok(pin_get(s, &kept.cid, &found, &deep, &e)) && found && deep);
    HASHMAP_FREE under = {0};
    CHECK(rc_ok(pin_indirect(s, &under, &e)) && under.n == 3);
    CHECK(rc_ok(pin_rm(s, &kept.cid, true, &e)));
    CHECK(rc_ok(store_gc(s, count_removed, &seen, &removed, &e)) && removed == 3);
    CHECK(blocks_stat(s->blocks).count == 0 && blocks_stat(s->blocks).bytes == 0);
    content_store_close(s);
}

/* Packs that are mostly dead are written anew; what lives in them stays readable. */
static void test_compaction(void)
{
    static uint8_t block[1 << 20];
    struct err e = {0};
    bool fresh;
    BUF_FREE out = buf_new(BLOCK_MAX);
    struct hash all[260];
    uint64_t size;
    char path[128];
    fresh_dir();
    struct content_store *s = open_store(0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        block[0] = (uint8_t)i;
        block[1] = (uint8_t)(i >> 8);
        all[i] = put(s, block, sizeof(block), &fresh);
    }
    CHECK(rc_ok(blocks_commit(s->blocks, &e)));
    (void)snprintf(path, sizeof(path), "%s/packs/00000001.pack", dir);
    CHECK(rc_ok(file_size(&size, path, &e)) && size > PACK_MAX - 2 * sizeof(block));
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (i % 64 != 0) {
            CHECK(rc_ok(blocks_delete(s->blocks, &all[i], &e)));
        }
    }
    CHECK(rc_ok(blocks_reclaim(s->blocks, &e)) && !file_exists(path));
    content_store_close(s);
    s = open_store(0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        rc r = blocks_get(s->blocks, &all[i], &out, &e);
        CHECK(i % 64 == 0 ? rc_ok(r) : r.code == RC_CODE_NOT_FOUND);
    }
    content_store_close(s);
}

static void test_full(void)
{
    static uint8_t data[5000];
    struct err e = {0};
    fresh_dir();
    struct content_store *s = open_store(4000);
    struct use u = {0};
    struct import im;
    struct sink sink = store_sink(s, &u, false);
    struct import_opts opts = {.chunk = 1000};
    use_upload(s, &u);
    import_open(&im, &sink, &opts);
    rc r = RC_OK;
    for (size_t i = 0; rc_ok(r) && i < 10; i++) {
        data[i * 500] = (uint8_t)i;
        r = import_write(&im, (struct bytes){data + i * 500, 500}, &e);
    }
    CHECK(r.code == RC_CODE_LIMIT && strstr(e.msg, "the store is full") != NULL);
    CHECK(blocks_stat(s->blocks).count > 0);
    sink_undo(&sink);
    sink_close(&sink);
    import_close(&im);
    use_end(s, &u);
    CHECK(blocks_stat(s->blocks).count == 0 && rc_ok(blocks_commit(s->blocks, &e)));
    content_store_close(s);
}

static void test_murmur(void)
{
    /* First 8 bytes of MurmurHash3 x64/128, seed 0, of texts whose digests are published. */
    CHECK(murmur3_64(BYTES_LIT("")) == 0);
    CHECK(murmur3_64(BYTES_LIT("hello")) == 0xcbd8a7b341bd9b02ULL);
    CHECK(murmur3_64(BYTES_LIT("The quick brown fox jumps over the lazy dog")) ==
          0xe34bbc7bbc071b6cULL);
    unsigned slot;
    CHECK(hamt_slot(&slot, 0x0123456789abcdefULL, 1, 256) && slot == 0x23);
    CHECK(!hamt_slot(&slot, 0, 8, 256));
}

int main(void)
{
    struct err e;
    test_hashmap();
    test_murmur();
    test_blocks();
    test_crash();
    test_files();
    test_pins_and_gc();
    test_compaction();
    test_full();
    CHECK(rc_ok(dir_remove(dir, &e)));
    return 0;
}
