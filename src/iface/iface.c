/* SPDX-License-Identifier: Apache-2.0 */
#include "iface/iface.h"

enum { VIEW = 1, WRITE = 0 };

#define B8(w)                                                                                      \
    (uint8_t)((w) >> 56), (uint8_t)((w) >> 48), (uint8_t)((w) >> 40), (uint8_t)((w) >> 32),        \
        (uint8_t)((w) >> 24), (uint8_t)((w) >> 16), (uint8_t)((w) >> 8), (uint8_t)(w)
#define W4(a, b, c, d)                                                                             \
    {                                                                                              \
        {                                                                                          \
            B8(a), B8(b), B8(c), B8(d)                                                             \
        }                                                                                          \
    }

static const struct method_row methods[METHOD_COUNT] = {
#define METHOD(c, id, sel, sig, ret, mut, fixed, fl)                                               \
    [METHOD_##c##_##id] = {.contract = CONTRACT_##c,                                               \
                           .selector = (sel),                                                      \
                           .gas = (fixed),                                                         \
                           .flags = (fl),                                                          \
                           .view = (mut) == VIEW,                                                  \
                           .name = #id,                                                            \
                           .signature = (sig),                                                     \
                           .returns = (ret)},
#include "iface/method.def"
#undef METHOD
};

static const struct event_row events[EVENT_COUNT] = {
#define EVENT(c, id, top, sig, decl)                                                               \
    [EVENT_##c##_##id] = {.contract = CONTRACT_##c,                                                \
                          .topic = top,                                                            \
                          .name = #id,                                                             \
                          .signature = (sig),                                                      \
                          .declaration = (decl)},
#include "iface/event.def"
#undef EVENT
};

static const struct revert_row reverts[REVERT_COUNT] = {
#define REVERT(id, txt)                                                                            \
    [REVERT_##id] = {.selector = SELECTOR_ERROR, .text = (txt), .is_text = true},
#define ERROR(id, sel, sig) [ERROR_##id] = {.selector = (sel), .text = (sig), .is_text = false},
#include "iface/revert.def"
#undef REVERT
#undef ERROR
};

const struct method_row *iface_method(enum method id)
{
    ASSERT(id > METHOD_NONE && id < METHOD_COUNT);
    return &methods[id];
}

const struct event_row *iface_event(enum event id)
{
    ASSERT(id < EVENT_COUNT);
    return &events[id];
}

const struct revert_row *iface_revert(enum revert id)
{
    ASSERT(id > REVERT_NONE && id < REVERT_COUNT);
    return &reverts[id];
}

/* Rows are grouped by contract in the order of enum contract and sorted by selector inside. */
enum method iface_find_method(enum contract contract, uint32_t selector)
{
    size_t lo = METHOD_NONE + 1, hi = METHOD_COUNT;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct method_row *m = &methods[mid];
        if (m->contract < contract || (m->contract == contract && m->selector < selector)) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    bool hit =
        lo < METHOD_COUNT && methods[lo].contract == contract && methods[lo].selector == selector;
    return hit ? (enum method)lo : METHOD_NONE;
}

bool iface_find_event(enum event *out, enum contract contract, struct hash topic)
{
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        if (events[i].contract == contract && hash_eq(events[i].topic, topic)) {
            *out = (enum event)i;
            return true;
        }
    }
    return false;
}

enum revert iface_find_revert(struct bytes data)
{
    if (data.n < 4) {
        return REVERT_NONE;
    }
    uint32_t sel = (uint32_t)data.p[0] << 24 | (uint32_t)data.p[1] << 16 |
                   (uint32_t)data.p[2] << 8 | data.p[3];
    for (size_t i = REVERT_NONE + 1; i < REVERT_COUNT; i++) {
        if (reverts[i].selector != sel) {
            continue;
        }
        /* Error(string): selector, offset 0x20, length, text. */
        size_t n = strlen(reverts[i].text);
        if (!reverts[i].is_text ||
            (data.n >= 68 + n && data.p[67] == n && memcmp(data.p + 68, reverts[i].text, n) == 0)) {
            return (enum revert)i;
        }
    }
    return REVERT_NONE;
}
