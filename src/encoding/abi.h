/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_ABI_H
#define SOUK_ENCODING_ABI_H

/* abi.h - the contract ABI (Solidity specification, "Contract ABI Specification"), both directions.
 *
 * Reading is strict as solc's decoder is: high bits of a narrow type must be zero, offsets and
 * lengths are bounded by the data, trailing bytes are allowed, padding is not looked at. Like a
 * cursor, the first failure sticks and later takes yield zeroes; abi_end() asks once. Views point
 * into the data that was given. Nothing recurses: nesting is the caller's own calls. */

#include "base/buf.h"
#include "base/u256.h"

/* One tuple being read: heads come from `head` on, offsets count from `p`. */
struct abi_in {
    const uint8_t *p;     /* start of the tuple */
    size_t n;             /* bytes from p to the end of all data */
    size_t head;          /* offset of the next head word */
    const char *bad;      /* static string, NULL while good */
    const uint8_t *start; /* of the call data in which the tuple stays, NULL elsewhere */
    size_t slack; /* with start: zero bytes behind the data, into which a length may reach */
};

static inline struct abi_in abi_of(struct bytes args)
{
    return (struct abi_in){.p = args.p, .n = args.n};
}

struct u256 abi_take_u256(struct abi_in *a);
uint64_t abi_take_uint(struct abi_in *a, unsigned bits); /* uintN, bits 8..64; more set: failure */
struct address abi_take_address(struct abi_in *a);
struct hash abi_take_hash(struct abi_in *a); /* bytes32 */
bool abi_take_bool(struct abi_in *a);
uint32_t abi_take_selector(struct abi_in *a); /* bytes4: the low 28 bytes must be zero */

struct bytes abi_take_bytes(struct abi_in *a); /* bytes and string */

/* bytes and string as solc decodes them to memory: the same, but a length that no memory holds fails
 * with abi_huge, which a contract answers with Panic(0x41). Where `start` is set the tuple stays in
 * the call data: there the offset is signed and may point back, and before the data all is zero. */
struct bytes abi_take_memory(struct abi_in *a);
struct abi_in abi_take_memory_array(struct abi_in *a, size_t *n, size_t words);
extern const char abi_huge[];

/* A dynamic tuple of at least that many head words, checked before any member. */
struct abi_in abi_take_struct(struct abi_in *a, size_t words);

/* A struct inside one that stays in the call data. */
struct abi_in abi_take_signed_struct(struct abi_in *a, size_t words);

/* A dynamic tuple: its members are read from the result, whose failures abi_join() brings back. */
struct abi_in abi_take_tuple(struct abi_in *a);

/* A dynamic array: *n elements, read one after another from the result. `words` is the head size
 * of an element in 32-byte words (1 for a dynamic element): counts beyond the data fail at once. */
struct abi_in abi_take_array(struct abi_in *a, size_t *n, size_t words);

static inline void abi_join(struct abi_in *a, const struct abi_in *sub)
{
    if (a->bad == NULL) {
        a->bad = sub->bad;
    }
}

static inline rc abi_end(const struct abi_in *a)
{
    return a->bad == NULL ? RC_OK : RC(MALFORMED);
}

/* One tuple being written into `b`: fixed values go to the head that abi_begin() reserved, dynamic
 * ones to the end of the buffer with their offset in the head. A nested tuple or array must be
 * finished before the next member of its parent is put. */
struct abi_out {
    struct buf *b;
    size_t base; /* where the tuple starts in b */
    size_t head; /* where the next head word goes */
};

struct abi_out abi_begin(struct buf *b, size_t head_words);

void abi_put_u256(struct abi_out *o, struct u256 v);
void abi_put_u64(struct abi_out *o, uint64_t v);
void abi_put_address(struct abi_out *o, struct address v);
void abi_put_hash(struct abi_out *o, struct hash v);
void abi_put_bool(struct abi_out *o, bool v);
void abi_put_selector(struct abi_out *o, uint32_t v);               /* bytes4 */
void abi_put_bytes(struct abi_out *o, struct bytes v);              /* bytes and string */
struct abi_out abi_put_tuple(struct abi_out *o, size_t head_words); /* a dynamic tuple */

/* A dynamic array of n elements with `words` head words each (1 for a dynamic element). */
struct abi_out abi_put_array(struct abi_out *o, size_t n, size_t words);

#endif /* SOUK_ENCODING_ABI_H */
