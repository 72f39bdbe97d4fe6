/* SPDX-License-Identifier: Apache-2.0 */
/* What a call leaves for its caller: return values, reverts, logs; and the gas it costs. */
#include "chain/poco/poco_int.h"

/* Prices beside each method's own row in iface/method.def; docs/protocol.md explains them. */
enum { GAS_LOG = 200, GAS_LOG_BYTE = 4 };

enum outcome call_fault(struct frame *f, const char *what)
{
    f->run->fault = what;
    return OUT_FAULT;
}

enum outcome gas_charge(struct frame *f, uint64_t gas)
{
    if (gas > f->run->gas) {
        f->run->gas = 0;
        f->run->out_of_gas = true;
        f->out = (struct bytes){0};
        return OUT_REVERTED;
    }
    f->run->gas -= gas;
    return OUT_APPLIED;
}

enum outcome args_verdict(struct frame *f, const struct abi_in *in)
{
    if (rc_ok(abi_end(in))) {
        return OUT_APPLIED;
    }
    return in->bad == abi_huge ? revert_panic(f, PANIC_MEMORY) : revert_empty(f);
}

enum outcome call_alloc(struct frame *f, size_t n, void *out_ptr)
{
    void *p = arena_alloc(f->run->env->arena, n);
    if (p == NULL) {
        return call_fault(f, "the arena of the call is full");
    }
    memcpy(out_ptr, &p, sizeof(p));
    return OUT_APPLIED;
}

struct hash word_u256(struct u256 v)
{
    struct hash h;
    u256_to_be(h.b, v);
    return h;
}

struct hash word_address(struct address a)
{
    struct hash h = {0};
    memcpy(h.b + 12, a.b, sizeof(a.b));
    return h;
}

/* Copies what stands in the scratch buffer to the call's arena. */
enum outcome out_keep(struct frame *f, struct bytes *out)
{
    struct buf *b = &f->run->buf;
    uint8_t *p;
    if (!rc_ok(buf_end(b))) {
        return call_fault(f, "an output beyond its limit");
    }
    DO(call_alloc(f, b->n, &p));
    if (b->n > 0) {
        memcpy(p, b->p, b->n);
    }
    *out = (struct bytes){p, b->n};
    return OUT_APPLIED;
}

enum outcome revert_data(struct frame *f, struct bytes data)
{
    f->out = data;
    return OUT_REVERTED;
}

enum outcome revert_empty(struct frame *f)
{
    return revert_data(f, (struct bytes){0});
}

static enum outcome revert_kept(struct frame *f)
{
    DO(out_keep(f, &f->out));
    return OUT_REVERTED;
}

enum outcome revert_text(struct frame *f, enum revert id)
{
    const struct revert_row *row = iface_revert(id);
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, row->selector, 4);
    struct abi_out o = abi_begin(b, 1);
    abi_put_bytes(&o, bytes_str(row->text));
    return revert_kept(f);
}

enum outcome revert_panic(struct frame *f, unsigned code)
{
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, SELECTOR_PANIC, 4);
    struct abi_out o = abi_begin(b, 1);
    abi_put_u64(&o, code);
    return revert_kept(f);
}

enum outcome revert_error(struct frame *f, enum revert id, size_t n, const struct hash *words)
{
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, iface_revert(id)->selector, 4);
    for (size_t i = 0; i < n; i++) {
        put_bytes(b, BYTES_OF(words[i]));
    }
    return revert_kept(f);
}

enum outcome ret_nothing(struct frame *f)
{
    f->out = (struct bytes){0};
    return OUT_APPLIED;
}

enum outcome ret_word(struct frame *f, struct hash v)
{
    uint8_t *p;
    DO(call_alloc(f, sizeof(v.b), &p));
    memcpy(p, v.b, sizeof(v.b));
    f->out = (struct bytes){p, sizeof(v.b)};
    return OUT_APPLIED;
}

enum outcome ret_u256(struct frame *f, struct u256 v)
{
    return ret_word(f, word_u256(v));
}

enum outcome ret_u64(struct frame *f, uint64_t v)
{
    return ret_u256(f, u256_from(v));
}

enum outcome ret_address(struct frame *f, struct address a)
{
    return ret_word(f, word_address(a));
}

enum outcome ret_bool(struct frame *f, bool v)
{
    return ret_u64(f, v ? 1 : 0);
}

struct abi_out out_begin(struct frame *f, size_t head_words)
{
    buf_reset(&f->run->buf);
    return abi_begin(&f->run->buf, head_words);
}

enum outcome out_end(struct frame *f)
{
    DO(gas_charge(f, f->run->buf.n / 8));
    return out_keep(f, &f->out);
}

enum outcome ret_bytes(struct frame *f, struct bytes v)
{
    struct abi_out o = out_begin(f, 1);
    abi_put_bytes(&o, v);
    return out_end(f);
}

enum outcome log_emit(struct frame *f, enum event id, size_t topics_n, const struct hash *topics,
                      struct bytes data)
{
    struct run *r = f->run;
    struct log_node *n;
    uint8_t *p = NULL;
    DO(gas_charge(f, GAS_LOG + GAS_LOG_BYTE * data.n));
    DO(call_alloc(f, sizeof(*n), &n));
    if (data.n > 0) {
        DO(call_alloc(f, data.n, &p));
        memcpy(p, data.p, data.n);
    }
    n->log = (struct poco_log){.emitter = f->self, .topics_n = topics_n + 1, .data = {p, data.n}};
    n->log.topics[0] = iface_event(id)->topic;
    for (size_t i = 0; i < topics_n; i++) {
        n->log.topics[i + 1] = topics[i];
    }
    *r->tail = n;
    r->tail = &n->next;
    r->logs_n++;
    return OUT_APPLIED;
}

enum outcome log_words(struct frame *f, enum event id, size_t topics_n, const struct hash *topics,
                       size_t words_n, const struct hash *words)
{
    return log_emit(f, id, topics_n, topics,
                    (struct bytes){(const uint8_t *)words, words_n * sizeof(struct hash)});
}
