/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_KEYSTONE_H
#define SOUK_ATTEST_KEYSTONE_H

#include "attest/attest_int.h"

extern const struct attest_backend attest_backend_keystone;

#endif /* SOUK_ATTEST_KEYSTONE_H */
