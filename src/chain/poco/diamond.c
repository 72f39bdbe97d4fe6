/* SPDX-License-Identifier: Apache-2.0 */
/* The hub as a diamond (EIP-2535): what the loupe shows and what a cut is refused for. The hub's
 * functions are rules of this chain, so a cut that would really change them is refused after every
 * check of the reference; an empty one is carried out. SPEC poco 2. */
#include "chain/poco/poco_int.h"

#define HANDLER(name)                                                                              \
    enum outcome on_hub_##name(struct frame *f);                                                   \
    enum outcome on_hub_##name(struct frame *f)

enum facet {
    FACET_ACCESSORS, /* what is not listed below */
    FACET_CUT,
    FACET_LOUPE,
    FACET_OWNERSHIP,
    FACET_LEGACY,
    FACET_CATEGORY,
    FACET_CONFIGURATION_EXTRA,
    FACET_CONFIGURATION,
    FACET_ERC20,
    FACET_ESCROW,
    FACET_ORDERS,
    FACET_POCO1,
    FACET_POCO2,
    FACET_RELAY,
    FACET_BOOST,
    FACET_BOOST_ACCESSORS,
    FACET_COUNT
};

_Static_assert((int)FACET_COUNT == (int)FACETS, "every facet has its address");

#define IN(facet, name) [METHOD_hub_##name] = FACET_##facet
static const uint8_t facets[METHOD_COUNT] = {
    IN(CUT, diamondCut),
    IN(LOUPE, facets),
    IN(LOUPE, facetAddress),
    IN(LOUPE, facetAddresses),
    IN(LOUPE, facetFunctionSelectors),
    IN(LOUPE, supportsInterface),
    IN(OWNERSHIP, owner),
    IN(OWNERSHIP, transferOwnership),
    IN(LEGACY, viewDealABILegacy_pt1),
    IN(LEGACY, viewDealABILegacy_pt2),
    IN(LEGACY, viewConfigABILegacy),
    IN(LEGACY, viewTaskABILegacy),
    IN(LEGACY, viewContributionABILegacy),
    IN(LEGACY, viewAccountABILegacy),
    IN(LEGACY, viewCategoryABILegacy),
    IN(CATEGORY, createCategory),
    IN(CONFIGURATION_EXTRA, changeRegistries),
    IN(CONFIGURATION, configure),
    IN(CONFIGURATION, domain),
    IN(CONFIGURATION, updateDomainSeparator),
    IN(CONFIGURATION, importScore),
    IN(CONFIGURATION, setTeeBroker),
    IN(CONFIGURATION, setCallbackGas),
    IN(ERC20, transfer),
    IN(ERC20, transferFrom),
    IN(ERC20, approve),
    IN(ERC20, increaseAllowance),
    IN(ERC20, decreaseAllowance),
    IN(ERC20, approveAndCall),
    IN(ESCROW, deposit),
    IN(ESCROW, depositFor),
    IN(ESCROW, depositForArray),
    IN(ESCROW, withdraw),
    IN(ESCROW, withdrawTo),
    IN(ESCROW, recover),
    IN(ESCROW, receiveApproval),
    IN(ORDERS, manageAppOrder),
    IN(ORDERS, manageDatasetOrder),
    IN(ORDERS, manageWorkerpoolOrder),
    IN(ORDERS, manageRequestOrder),
    IN(POCO1, matchOrders),
    IN(POCO1, sponsorMatchOrders),
    IN(POCO1, assertDatasetDealCompatibility),
    IN(POCO1, verifySignature),
    IN(POCO1, verifyPresignature),
    IN(POCO1, verifyPresignatureOrSignature),
    IN(POCO2, initialize),
    IN(POCO2, contribute),
    IN(POCO2, reveal),
    IN(POCO2, reopen),
    IN(POCO2, finalize),
    IN(POCO2, contributeAndFinalize),
    IN(POCO2, claim),
    IN(POCO2, initializeArray),
    IN(POCO2, claimArray),
    IN(POCO2, initializeAndClaimArray),
    IN(RELAY, broadcastAppOrder),
    IN(RELAY, broadcastDatasetOrder),
    IN(RELAY, broadcastWorkerpoolOrder),
    IN(RELAY, broadcastRequestOrder),
    IN(BOOST, matchOrdersBoost),
    IN(BOOST, sponsorMatchOrdersBoost),
    IN(BOOST, pushResultBoost),
    IN(BOOST, claimBoost),
    IN(BOOST_ACCESSORS, viewDealBoost),
};
#undef IN

/* receive and fallback, which the escrow facet has as well. */
static const uint32_t special[] = {0x00000000, 0xffffffff};

/* Facets that this chain shows: the ERC-20 functions moved with 6.2, Boost may be off. */
static enum facet facet_of(const struct frame *f, enum method m)
{
    enum facet x = (enum facet)facets[m];
    return x == FACET_ERC20 && f->run->rules->escrow_is_erc20 ? FACET_ESCROW : x;
}

static bool is_served(const struct frame *f, enum method m)
{
    const struct method_row *row = iface_method(m);
    return row->contract == CONTRACT_hub && (row->flags & F_UNSERVED) == 0 &&
           ((row->flags & F_BOOST) == 0 || f->run->chain.boost);
}

/* The selectors of a facet, at most `max` of them into out; returns how many there are. */
static size_t selectors_of(const struct frame *f, enum facet x, uint32_t *out, size_t max)
{
    size_t n = 0;
    for (enum method m = METHOD_NONE + 1; m < METHOD_COUNT; m++) {
        if (is_served(f, m) && facet_of(f, m) == x && n < max) {
            out[n++] = iface_method(m)->selector;
        }
    }
    for (size_t i = 0; x == FACET_ESCROW && i < ARRAY_LEN(special) && n < max; i++) {
        out[n++] = special[i];
    }
    return n;
}

static void put_selectors(struct abi_out *o, const uint32_t *list, size_t n)
{
    struct abi_out a = abi_put_array(o, n, 1);
    for (size_t i = 0; i < n; i++) {
        abi_put_selector(&a, list[i]);
    }
}

/* True with the facet that answers a selector. */
static bool find_facet(const struct frame *f, uint32_t selector, enum facet *x)
{
    enum method m = iface_find_method(CONTRACT_hub, selector);
    if (selector == special[0] || selector == special[1]) {
        *x = FACET_ESCROW;
        return true;
    }
    if (m == METHOD_NONE || !is_served(f, m)) {
        return false;
    }
    *x = facet_of(f, m);
    return true;
}

HANDLER(facetAddress)
{
    enum facet x;
    uint32_t selector = abi_take_selector(&f->in);
    ARGS_END(f);
    return ret_address(f, find_facet(f, selector, &x) ? facet_address(x) : (struct address){0});
}

HANDLER(facetAddresses)
{
    uint32_t any;
    size_t n = 0;
    enum facet shown[FACET_COUNT];
    for (enum facet x = 0; x < FACET_COUNT; x++) {
        if (selectors_of(f, x, &any, 1) > 0) {
            shown[n++] = x;
        }
    }
    struct abi_out o = out_begin(f, 1), a = abi_put_array(&o, n, 1);
    for (size_t i = 0; i < n; i++) {
        abi_put_address(&a, facet_address(shown[i]));
    }
    return out_end(f);
}

HANDLER(facetFunctionSelectors)
{
    uint32_t list[METHOD_COUNT];
    size_t n = 0;
    struct address a = abi_take_address(&f->in);
    ARGS_END(f);
    for (enum facet x = 0; x < FACET_COUNT; x++) {
        if (address_eq(a, facet_address(x))) {
            n = selectors_of(f, x, list, METHOD_COUNT);
        }
    }
    struct abi_out o = out_begin(f, 1);
    put_selectors(&o, list, n);
    return out_end(f);
}

HANDLER(facets)
{
    uint32_t list[METHOD_COUNT];
    size_t n = 0;
    for (enum facet x = 0; x < FACET_COUNT; x++) {
        n += selectors_of(f, x, list, 1);
    }
    struct abi_out o = out_begin(f, 1), a = abi_put_array(&o, n, 1);
    for (enum facet x = 0; x < FACET_COUNT; x++) {
        size_t k = selectors_of(f, x, list, METHOD_COUNT);
        if (k > 0) {
            struct abi_out t = abi_put_tuple(&a, 2);
            abi_put_address(&t, facet_address(x));
            put_selectors(&t, list, k);
        }
    }
    return out_end(f);
}

HANDLER(supportsInterface)
{
    /* ERC-165, cut, loupe, ERC-173. */
    static const uint32_t ids[] = {0x01ffc9a7, 0x1f931c1c, 0x48e2b093, 0x7f5828d0};
    uint32_t id = abi_take_selector(&f->in);
    ARGS_END(f);
    bool yes = false;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        yes = yes || ids[i] == id;
    }
    return ret_bool(f, yes);
}

/* In the interface, served by no facet: dispatch never comes here. */
HANDLER(renounceOwnership)
{
    return revert_text(f, REVERT_FALLBACK);
}

/* --- cutting --- */

enum cut_action { CUT_ADD, CUT_REPLACE, CUT_REMOVE, CUT_ACTIONS };

struct cut {
    struct address facet;
    enum cut_action action;
    uint32_t *selectors;
    size_t n;
};

static enum outcome no_code(struct frame *f, struct address a, enum revert text)
{
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, iface_revert(ERROR_NoBytecodeAtAddress)->selector, 4);
    struct abi_out o = abi_begin(b, 2);
    abi_put_address(&o, a);
    abi_put_bytes(&o, bytes_str(iface_revert(text)->text));
    DO(out_keep(f, &f->out));
    return OUT_REVERTED;
}

static enum outcome require_code(struct frame *f, struct address a, enum revert text)
{
    bool code;
    DO(code_is_at(f, a, &code));
    return code ? OUT_APPLIED : no_code(f, a, text);
}

static enum outcome refuse_selectors(struct frame *f, enum revert id, const struct cut *c)
{
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, iface_revert(id)->selector, 4);
    struct abi_out o = abi_begin(b, 1);
    put_selectors(&o, c->selectors, c->n);
    DO(out_keep(f, &f->out));
    return OUT_REVERTED;
}

static enum outcome refuse_selector(struct frame *f, enum revert id, uint32_t selector)
{
    struct hash w = {{(uint8_t)(selector >> 24), (uint8_t)(selector >> 16),
                      (uint8_t)(selector >> 8), (uint8_t)selector}};
    return revert_error(f, id, 1, &w);
}

static enum outcome refuse_address(struct frame *f, enum revert id, struct address a)
{
    struct hash w = word_address(a);
    return revert_error(f, id, 1, &w);
}

static enum outcome check_selector(struct frame *f, const struct cut *c, uint32_t selector)
{
    enum facet x;
    bool there = find_facet(f, selector, &x);
    switch (c->action) {
    case CUT_ADD:
        return there
                   ? refuse_selector(f, ERROR_CannotAddFunctionToDiamondThatAlreadyExists, selector)
                   : OUT_APPLIED;
    case CUT_REPLACE:
        if (there && address_eq(facet_address(x), c->facet)) {
            return refuse_selector(
                f, ERROR_CannotReplaceFunctionWithTheSameFunctionFromTheSameFacet, selector);
        }
        return there ? OUT_APPLIED
                     : refuse_selector(f, ERROR_CannotReplaceFunctionThatDoesNotExists, selector);
    case CUT_REMOVE:
        return there ? OUT_APPLIED
                     : refuse_selector(f, ERROR_CannotRemoveFunctionThatDoesNotExist, selector);
    case CUT_ACTIONS:
        break;
    }
    return call_fault(f, "an unknown cut");
}

static enum outcome check_cut(struct frame *f, const struct cut *c)
{
    bool zero = address_is_zero(c->facet);
    if (c->n == 0) {
        return refuse_address(f, ERROR_NoSelectorsProvidedForFacetForCut, c->facet);
    }
    if (c->action == CUT_ADD) {
        if (zero) {
            return refuse_selectors(f, ERROR_CannotAddSelectorsToZeroAddress, c);
        }
        DO(require_code(f, c->facet, REVERT_CUT_ADD_NO_CODE));
    } else if (c->action == CUT_REPLACE) {
        if (zero) {
            return refuse_selectors(f, ERROR_CannotReplaceFunctionsFromFacetWithZeroAddress, c);
        }
        DO(require_code(f, c->facet, REVERT_CUT_REPLACE_NO_CODE));
    } else if (!zero) {
        return refuse_address(f, ERROR_RemoveFacetAddressMustBeZeroAddress, c->facet);
    }
    for (size_t i = 0; i < c->n; i++) {
        DO(check_selector(f, c, c->selectors[i]));
    }
    return OUT_APPLIED;
}

static enum outcome take_cut(struct frame *f, struct abi_in *list, struct cut *c)
{
    struct abi_in t = abi_take_tuple(list);
    c->facet = abi_take_address(&t);
    uint64_t action = abi_take_uint(&t, 8);
    REQUIRE(f, rc_ok(abi_end(&t)) && action < CUT_ACTIONS);
    struct abi_in s = abi_take_memory_array(&t, &c->n, 1);
    DO(args_verdict(f, &t));
    c->action = (enum cut_action)action;
    DO(call_alloc(f, c->n * sizeof(uint32_t), &c->selectors));
    for (size_t i = 0; i < c->n; i++) {
        c->selectors[i] = abi_take_selector(&s);
    }
    REQUIRE(f, rc_ok(abi_end(&s)));
    return OUT_APPLIED;
}

HANDLER(diamondCut)
{
    const struct settings *s;
    struct cut *cuts;
    struct bytes data, out;
    bool ok;
    size_t n;
    struct abi_in list = abi_take_array(&f->in, &n, 1);
    struct address init = abi_take_address(&f->in);
    struct bytes init_data = abi_take_bytes(&f->in);
    abi_join(&f->in, &list);
    ARGS_END(f);
    DO(settings_get(f, &s));
    if (!address_eq(s->owner, f->from)) {
        struct hash words[] = {word_address(f->from), word_address(s->owner)};
        return revert_error(f, ERROR_NotContractOwner, 2, words);
    }
    DO(call_alloc(f, n * sizeof(*cuts), &cuts));
    for (size_t i = 0; i < n; i++) {
        DO(take_cut(f, &list, &cuts[i]));
    }
    for (size_t i = 0; i < n; i++) {
        DO(check_cut(f, &cuts[i]));
    }
    REQUIRE_TEXT(f, n == 0, REVERT_NOT_SUPPORTED);
    struct abi_out o = out_begin(f, 3);
    (void)abi_put_array(&o, 0, 1);
    abi_put_address(&o, init);
    abi_put_bytes(&o, init_data);
    DO(out_keep(f, &data));
    DO(log_emit(f, EVENT_hub_DiamondCut, 0, NULL, data));
    if (address_is_zero(init)) {
        return ret_nothing(f);
    }
    DO(require_code(f, init, REVERT_CUT_INIT_NO_CODE));
    REQUIRE_TEXT(f, address_eq(init, f->self), REVERT_NOT_SUPPORTED);
    struct inner c = {.to = f->self, .from = f->from, .data = init_data, .gas = UINT64_MAX};
    DO(call_inner(f, &c, &ok, &out));
    return ok ? ret_nothing(f) : revert_data(f, out);
}
