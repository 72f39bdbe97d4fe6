/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_APPS_LIB_SUM_H
#define SOUK_APPS_LIB_SUM_H

/* sum.h - SHA-256 in portable C, so that the smallest application needs no library. */

#include "base/base.h"

struct hash sum_sha256(struct bytes data);

#endif /* SOUK_APPS_LIB_SUM_H */
