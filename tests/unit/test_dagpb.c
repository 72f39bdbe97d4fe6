/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sha2.h"
#include "encoding/dagpb.h"
#include "tests/test.h"

static void is_named(struct buf *b, const char *cid)
{
    struct hash h = sha256(buf_bytes(b));
    struct cid c = cid_make(0, CID_DAG_PB, &h);
    char s[CID_STR_MAX];
    CHECK(strcmp(cid_str(&c, s), cid) == 0);
}

static void test_leaves(void)
{
    BUF_FREE b = buf_new(1024);
    put_unixfs_leaf(&b, BYTES_LIT(""));
    is_named(&b, "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH");
    buf_reset(&b);
    put_unixfs_leaf(&b, BYTES_LIT("hello world\n"));
    is_named(&b, "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o");
    struct arena a;
    arena_init(&a, 4096);
    struct dagpb n;
    struct unixfs u;
    CHECK(rc_ok(dagpb_parse(&n, &a, buf_bytes(&b))) && n.n_links == 0 && n.has_data);
    CHECK(rc_ok(unixfs_parse(&u, &a, n.data)) && u.type == UNIXFS_FILE);
    CHECK(u.filesize == 12 && bytes_eq(u.data, BYTES_LIT("hello world\n")));
    arena_reset(&a);
}

static void test_node(void)
{
    struct hash h1 = sha256(BYTES_LIT("1"));
    struct hash h2 = sha256(BYTES_LIT("2"));
    struct cid c1 = cid_make(1, CID_RAW, &h1);
    struct cid c2 = cid_make(0, CID_DAG_PB, &h2);
    uint64_t sizes[] = {262144, 300};
    BUF_FREE fs = buf_new(1024);
    put_unixfs(&fs, &(struct unixfs){.type = UNIXFS_FILE,
                                     .filesize = 262444,
                                     .has_filesize = true,
                                     .blocksizes = sizes,
                                     .n_blocksizes = 2});
    BUF_FREE b = buf_new(1024);
    put_dagpb_link(&b, &c1, BYTES_LIT(""), 262144);
    put_dagpb_link(&b, &c2, BYTES_LIT("name"), UINT64_MAX);
    put_dagpb_data(&b, buf_bytes(&fs));

    struct arena a;
    arena_init(&a, 65536);
    struct dagpb n;
    struct unixfs u;
    CHECK(rc_ok(dagpb_parse(&n, &a, buf_bytes(&b))) && n.n_links == 2);
    CHECK(cid_eq(&n.links[0].cid, &c1) && n.links[0].name.n == 0 && n.links[0].tsize == 262144);
    CHECK(cid_eq(&n.links[1].cid, &c2) && bytes_eq(n.links[1].name, BYTES_LIT("name")));
    CHECK(n.links[1].tsize == UINT64_MAX);
    CHECK(rc_ok(unixfs_parse(&u, &a, n.data)) && !u.has_data && u.filesize == 262444);
    CHECK(u.n_blocksizes == 2 && u.blocksizes[0] == 262144 && u.blocksizes[1] == 300);

    /* Cut anywhere but between two fields it is refused; never accepted with other contents. */
    for (size_t i = 0; i < b.n; i++) {
        struct dagpb cut;
        rc r = dagpb_parse(&cut, &a, (struct bytes){b.p, i});
        CHECK(!rc_ok(r) || cut.n_links < 2 || !cut.has_data);
    }
    arena_reset(&a);
    arena_init(&a, 64);
    CHECK(dagpb_parse(&n, &a, buf_bytes(&b)).code == RC_CODE_LIMIT);
    arena_reset(&a);
}

static bool takes_node(struct bytes in)
{
    struct arena a;
    arena_init(&a, 4096);
    struct dagpb n;
    bool ok = rc_ok(dagpb_parse(&n, &a, in));
    arena_reset(&a);
    return ok;
}

static bool takes_fs(struct bytes in)
{
    struct arena a;
    arena_init(&a, 4096);
    struct unixfs u;
    bool ok = rc_ok(unixfs_parse(&u, &a, in));
    arena_reset(&a);
    return ok;
}

static void test_refused(void)
{
    CHECK(takes_node(BYTES_LIT("")) && takes_node(BYTES_LIT("\x0a\x02\x08\x01")));
    CHECK(!takes_node(BYTES_LIT("\x0a\x00\x0a\x00")));      /* data twice */
    CHECK(!takes_node(BYTES_LIT("\x12\x00")));              /* link without a CID */
    CHECK(!takes_node(BYTES_LIT("\x12\x02\x18\x01")));      /* the same */
    CHECK(!takes_node(BYTES_LIT("\x0a\x05\x01")));          /* longer than the input */
    CHECK(!takes_node(BYTES_LIT("\x0a\x80\x00")));          /* length not in shortest form */
    CHECK(!takes_node(BYTES_LIT("\x1a\x00")));              /* unknown field */
    CHECK(!takes_node(BYTES_LIT("\x0b\x00")));              /* group */
    CHECK(takes_fs(BYTES_LIT("\x08\x01")));                 /* a directory */
    CHECK(takes_fs(BYTES_LIT("\x08\x02\x22\x02\x01\x02"))); /* packed block sizes */
    CHECK(!takes_fs(BYTES_LIT("")));                        /* no type */
    CHECK(!takes_fs(BYTES_LIT("\x08\x09")));                /* no such type */
    CHECK(!takes_fs(BYTES_LIT("\x08\x05\x30\x07")));        /* fanout is no power of two */
    CHECK(!takes_fs(BYTES_LIT("\x08\x02\x10\x01")));        /* data that is a number */
}

int main(void)
{
    test_leaves();
    test_node();
    test_refused();
    return 0;
}
