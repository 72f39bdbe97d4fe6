/* SPDX-License-Identifier: Apache-2.0 */
/* evidence.c - evidence without hardware, for development: anyone with the key can make it. */
#include "attest/attest.h"
#include "daemon/enclave/enclave_int.h"

static rc quote(void *ctx, struct buf *evidence, const struct evidence_request *q, struct err *e)
{
    struct attest_simulated s = {.measurement = provision_measurement(q->agent, q->image),
                                 .platform = "souk simulated",
                                 .svn = 1};
    memcpy(s.report_data, q->report_data, sizeof(s.report_data));
    return rc_ok(attest_simulated_make(evidence, &s, ctx))
               ? RC_OK
               : err_set(e, RC_CODE_IO, "simulated evidence cannot be made with this key");
}

struct evidence_provider evidence_simulated(const struct secret *key)
{
    return (struct evidence_provider){
        .kind = "simulated", .simulated = true, .quote = quote, .ctx = (void *)(uintptr_t)key};
}
