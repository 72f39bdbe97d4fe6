/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/intel_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Collateral of any form, and every signed document in it judged for a platform of middle age. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t report[648];
    const char *why = NULL;
    struct arena a;
    struct pck_info pck = {
        .fmspc = BYTES_LIT("\x90\xc0\x6f\xab\xcd\xef"), .pceid = BYTES_LIT("\0\0"), .pcesvn = 13};
    struct td_report td;
    struct sgx_report qe;
    struct cur c = cur_of((struct bytes){report, 384});
    memset(report, 3, sizeof(report));
    memset(pck.comp, 3, sizeof(pck.comp));
    take_sgx_report(&c, &qe);
    td = (struct td_report){.tee_tcb_svn = {report, 16},
                            .mrsignerseam = {report, 48},
                            .seamattributes = {report, 8},
                            .tee_tcb_svn2 = {report, 16}};
    arena_init(&a, ATTEST_SCRATCH);
    struct intel_store s = {.a = &a};
    intel_store_add(&s, "fuzz", (struct bytes){data, size});
    for (size_t i = 0; i < s.n_json; i++) {
        struct tcb_result t;
        struct qe_result q = {0};
        struct intel_json *o = s.json[i];
        if (o->bad != NULL) {
            continue;
        }
        CHECK(o->inner.p >= data && o->inner.p + o->inner.n <= data + size);
        bool is_qe = rc_ok(qe_identity_judge(&q, o->inner, &qe, &why));
        for (int tdx = 0; tdx < 2; tdx++) {
            if (rc_ok(tcb_info_judge(&t, o->inner, &pck, tdx ? &td : NULL, &why)) && is_qe) {
                CHECK(tcb_converge(&t, &q) < TCB_STATES);
            }
        }
    }
    arena_reset(&a);
    return 0;
}
