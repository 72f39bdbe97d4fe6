/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/dagpb.h"

#include "encoding/varint.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* One field: its number, and its value as number or bytes. */
struct field {
    uint64_t number;
    unsigned wire;
    uint64_t value;
    struct bytes bytes;
};

static struct field take_field(struct cur *c)
{
    uint64_t key = take_varint(c);
    struct field f = {.number = key >> 3, .wire = (unsigned)(key & 7)};
    switch (f.wire) {
    case WIRE_VARINT:
        f.value = take_varint(c);
        break;
    case WIRE_64:
        f.value = take_le(c, 8);
        break;
    case WIRE_32:
        f.value = take_le(c, 4);
        break;
    case WIRE_BYTES: {
        uint64_t n = take_varint(c);
        if (n > c->n) {
            cur_fail(c, "field is longer than its message");
            return f;
        }
        f.bytes = take_bytes(c, (size_t)n);
        break;
    }
    default:
        cur_fail(c, "protobuf group or unknown wire type");
    }
    return f;
}

/* dag-pb: fields in the order Hash, Name, Tsize, each at most once, Hash always there. */
static struct dagpb_link take_link(struct cur *c, struct bytes body)
{
    struct dagpb_link l = {0};
    struct cur in = cur_of(body);
    uint64_t last = 0;
    while (in.n > 0) {
        struct field f = take_field(&in);
        if (in.bad != NULL || f.number <= last || f.number > 3 ||
            (f.wire == WIRE_VARINT) != (f.number == 3)) {
            cur_fail(c, "dag-pb link has a field out of order or of a wrong kind");
            return l;
        }
        last = f.number;
        if (f.number == 1) {
            struct cur id = cur_of(f.bytes);
            l.cid = cid_take(&id);
            if (!rc_ok(cur_end(&id))) {
                cur_fail(c, "dag-pb link without a proper CID");
                return l;
            }
        } else if (f.number == 2) {
            l.name = f.bytes;
        } else {
            l.tsize = f.value;
        }
    }
    if (in.bad != NULL || l.cid.mh_size == 0) {
        cur_fail(c, "dag-pb link without a CID");
    }
    return l;
}

static size_t count_links(struct bytes block)
{
    struct cur c = cur_of(block);
    size_t n = 0;
    while (c.n > 0) {
        struct field f = take_field(&c);
        n += c.bad == NULL && f.number == 2 ? 1 : 0;
    }
    return n;
}

rc dagpb_parse(struct dagpb *out, struct arena *a, struct bytes block)
{
    *out = (struct dagpb){0};
    if (block.n > DAGPB_BLOCK_MAX) {
        return RC(LIMIT);
    }
    size_t n = count_links(block);
    out->links = n == 0 ? NULL : ARENA_ARRAY(a, struct dagpb_link, n);
    if (n > 0 && out->links == NULL) {
        return RC(LIMIT);
    }
    struct cur c = cur_of(block);
    while (c.n > 0) {
        struct field f = take_field(&c);
        if (f.wire != WIRE_BYTES || out->has_data) {
            cur_fail(&c, "dag-pb node: links come first, data once"); /* also for links after it */
        } else if (f.number == 2 && c.bad == NULL) {
            out->links[out->n_links++] = take_link(&c, f.bytes);
        } else if (f.number == 1) {
            out->data = f.bytes;
            out->has_data = true;
        } else {
            cur_fail(&c, "dag-pb node: unknown field");
        }
    }
    return cur_end(&c);
}

static void put_key(struct buf *b, unsigned number, unsigned wire)
{
    put_u8(b, (uint8_t)(number << 3 | wire));
}

static void put_len_bytes(struct buf *b, unsigned number, struct bytes v)
{
    put_key(b, number, WIRE_BYTES);
    put_varint(b, v.n);
    put_bytes(b, v);
}

static void put_number(struct buf *b, unsigned number, uint64_t v)
{
    put_key(b, number, WIRE_VARINT);
    put_varint(b, v);
}

void put_dagpb_link(struct buf *b, const struct cid *cid, struct bytes name, uint64_t tsize)
{
    BUF_FREE id = buf_new(CID_BIN_MAX);
    put_cid(&id, cid);
    size_t n =
        1 + varint_size(id.n) + id.n + 1 + varint_size(name.n) + name.n + 1 + varint_size(tsize);
    put_key(b, 2, WIRE_BYTES);
    put_varint(b, n);
    put_len_bytes(b, 1, buf_bytes(&id));
    put_len_bytes(b, 2, name);
    put_number(b, 3, tsize);
}

void put_dagpb_data(struct buf *b, struct bytes data)
{
    put_len_bytes(b, 1, data);
}

/* Repeated numbers come one a field, or packed into one field of bytes. */
static void add_blocksize(struct unixfs *u, size_t max, struct cur *c, uint64_t v)
{
    if (u->n_blocksizes == max) {
        cur_fail(c, "more block sizes than bytes");
        return;
    }
    u->blocksizes[u->n_blocksizes++] = v;
}

static void unixfs_field(struct unixfs *u, size_t max, struct cur *c, const struct field *f)
{
    bool number = f->wire == WIRE_VARINT;
    if (f->number == 2 || (f->number == 4 && !number)) {
        if (f->wire != WIRE_BYTES) {
            cur_fail(c, "UnixFS field of a wrong kind");
            return;
        }
    } else if (f->number <= 6 && !number) {
        cur_fail(c, "UnixFS field of a wrong kind");
        return;
    }
    switch (f->number) {
    case 1:
        if (f->value > UNIXFS_HAMT) {
            cur_fail(c, "unknown UnixFS type");
            return;
        }
        u->type = (enum unixfs_type)f->value;
        break;
    case 2:
        u->data = f->bytes;
        u->has_data = true;
        break;
    case 3:
        u->filesize = f->value;
        u->has_filesize = true;
        break;
    case 4:
        if (number) {
            add_blocksize(u, max, c, f->value);
        } else {
            struct cur in = cur_of(f->bytes);
            while (in.n > 0 && c->bad == NULL) {
                add_blocksize(u, max, c, take_varint(&in));
            }
            if (in.bad != NULL) {
                cur_fail(c, in.bad);
            }
        }
        break;
    case 5:
        u->hash_type = f->value;
        break;
    case 6:
        u->fanout = f->value;
        break;
    default: /* mode, time and what later versions add do not change the bytes of the file */
        break;
    }
}

rc unixfs_parse(struct unixfs *out, struct arena *a, struct bytes data)
{
    *out = (struct unixfs){0};
    if (data.n > DAGPB_BLOCK_MAX) {
        return RC(LIMIT);
    }
    size_t max = 0; /* as many sizes as there are fields, or bytes in packed fields */
    bool typed = false;
    for (struct cur c = cur_of(data); c.n > 0;) {
        struct field f = take_field(&c);
        if (f.number == 4) {
            max += f.wire == WIRE_BYTES ? f.bytes.n : 1;
        }
        typed = typed || (f.number == 1 && c.bad == NULL);
    }
    out->blocksizes = max == 0 ? NULL : ARENA_ARRAY(a, uint64_t, max);
    if (max > 0 && out->blocksizes == NULL) {
        return RC(LIMIT);
    }
    struct cur c = cur_of(data);
    while (c.n > 0) {
        struct field f = take_field(&c);
        if (c.bad == NULL) {
            unixfs_field(out, max, &c, &f);
        }
    }
    TRY(cur_end(&c));
    bool bad_fanout = out->type == UNIXFS_HAMT &&
                      (out->fanout == 0 || out->fanout > UNIXFS_FANOUT_MAX ||
                       out->fanout % 8 != 0 || (out->fanout & (out->fanout - 1)) != 0);
    return typed && !bad_fanout ? RC_OK : RC(MALFORMED);
}

void put_unixfs(struct buf *b, const struct unixfs *u)
{
    put_number(b, 1, u->type);
    if (u->has_data) {
        put_len_bytes(b, 2, u->data);
    }
    if (u->has_filesize) {
        put_number(b, 3, u->filesize);
    }
    for (size_t i = 0; i < u->n_blocksizes; i++) {
        put_number(b, 4, u->blocksizes[i]);
    }
    if (u->type == UNIXFS_HAMT) {
        put_number(b, 5, u->hash_type);
        put_number(b, 6, u->fanout);
    }
}

void dagpb_leaf_around(struct buf *head, struct buf *tail, size_t n)
{
    size_t inner = 2 + 1 + varint_size(n);
    inner += n > 0 ? 1 + varint_size(n) + n : 0;
    put_key(head, 1, WIRE_BYTES);
    put_varint(head, inner);
    put_number(head, 1, UNIXFS_FILE);
    if (n > 0) {
        put_key(head, 2, WIRE_BYTES);
        put_varint(head, n);
    }
    put_number(tail, 3, n);
}

void put_unixfs_leaf(struct buf *b, struct bytes data)
{
    BUF_FREE tail = buf_new(16);
    dagpb_leaf_around(b, &tail, data.n);
    put_bytes(b, data);
    put_bytes(b, buf_bytes(&tail));
}
