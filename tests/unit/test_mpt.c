/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/mpt.h"

#include "encoding/hex.h"
#include "tests/test.h"

static struct bytes items[70000];
static uint8_t bytes_of[70000][64];

static bool root_is(size_t n, const char *want)
{
    char text[HEX_HASH_MAX];
    return strcmp(hex_hash(text, mpt_list_root(items, n)), want) == 0;
}

/* Every item of lists of many lengths proves itself, and no other place or item. */
static void proofs(size_t n, size_t stride)
{
    struct hash root = mpt_list_root(items, n);
    for (size_t i = 0; i < n; i += stride) {
        struct arena a;
        struct mpt_proof p;
        struct bytes got;
        arena_init(&a, 1 << 20);
        CHECK(rc_ok(mpt_list_prove(&p, &a, items, n, i)));
        CHECK(rc_ok(mpt_list_verify(&got, root, i, &p)) && bytes_eq(got, items[i]));
        /* A neighbour may live inside the same nodes; then it must be the neighbour's own item. */
        CHECK(!rc_ok(mpt_list_verify(&got, root, i + 1, &p)) ||
              (i + 1 < n && bytes_eq(got, items[i + 1])));
        struct mpt_proof longer = p;
        if (longer.n < MPT_PROOF_MAX) {
            longer.node[longer.n++] = p.node[0];
            CHECK(!rc_ok(mpt_list_verify(&got, root, i, &longer)));
        }
        for (size_t k = 0; k < p.n; k++) {
            uint8_t *byte = (uint8_t *)(uintptr_t)(p.node[k].p + p.node[k].n - 1);
            *byte ^= 1;
            CHECK(!rc_ok(mpt_list_verify(&got, root, i, &p)));
            *byte ^= 1;
        }
        arena_reset(&a);
    }
}

/* Roots of the same lists by another implementation, @ethereumjs/trie 6. */
static void vectors(void)
{
    for (size_t i = 0; i < 300; i++) {
        memset(bytes_of[i], (int)(i + 1), 1 + i % 39);
        items[i] = (struct bytes){bytes_of[i], 1 + i % 39};
    }
    CHECK(root_is(1, "0xac92bc8d02906a87a573c32c72bb427036f0e43d7a7375c5c491ebba064add15"));
    CHECK(root_is(3, "0x84186ab8c770c1df9269f2cbf908bff53f4d49190c5cd736e548dad1a208db3c"));
    CHECK(root_is(300, "0x2322c58f43758ea85f390d849f83e3c2059a8b88dbd83f29dcadd818ecec424f"));
}

int main(void)
{
    vectors();
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        size_t n = i % 7 == 0 ? 3 : 1 + i % 60; /* short ones are held inside their parents */
        memset(bytes_of[i], (int)(i * 31 + 7), n);
        bytes_of[i][0] = (uint8_t)i;
        items[i] = (struct bytes){bytes_of[i], n};
    }
    CHECK(root_is(0, "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"));
    const size_t sizes[] = {1, 2, 16, 17, 127, 128, 129, 255, 256, 257, 1000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        proofs(sizes[i], sizes[i] > 300 ? 97 : 1);
    }
    proofs(66000, 16001);
    struct arena a;
    struct mpt_proof p;
    arena_init(&a, 1 << 16);
    CHECK(mpt_list_prove(&p, &a, items, 5, 5).code == RC_CODE_NOT_FOUND);
    arena_reset(&a);
    return 0;
}
