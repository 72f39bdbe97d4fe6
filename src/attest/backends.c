/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/attest_int.h"
#include "attest/cose_kinds.h"
#include "attest/eventlog_int.h"
#include "attest/keystone.h"
#include "attest/snp_int.h"

const struct attest_backend *const attest_backends[] = {
    &attest_backend_simulated, &attest_backend_snp,      &attest_backend_sgx,
    &attest_backend_tdx,       &attest_backend_nitro,    &attest_backend_psa,
    &attest_backend_cca,       &attest_backend_azure,    &attest_backend_tpm,
    &attest_backend_eventlog,  &attest_backend_keystone, NULL,
};

const struct attest_backend *attest_find_backend(const struct attest_ctx *c, struct bytes b)
{
    for (size_t i = 0; attest_backends[i] != NULL; i++) {
        const struct attest_backend *be = attest_backends[i];
        if ((c->in->kind == NULL || strcmp(c->in->kind, be->name) == 0) && be->identify(b)) {
            return be;
        }
    }
    return NULL;
}

const char *attest_kind_at(size_t i, const char **title)
{
    if (i + 1 >= ARRAY_LEN(attest_backends)) {
        return NULL;
    }
    if (title != NULL) {
        *title = attest_backends[i]->title;
    }
    return attest_backends[i]->name;
}
