/* SPDX-License-Identifier: Apache-2.0 */
/* Which function answers which method: one row each, from the interface's own table. */
#include "chain/poco/poco_int.h"

#define METHOD(contract, id, ...) handler on_##contract##_##id;
#include "iface/method.def"
#undef METHOD

static handler *const handlers[METHOD_COUNT] = {
#define METHOD(contract, id, ...) [METHOD_##contract##_##id] = on_##contract##_##id,
#include "iface/method.def"
#undef METHOD
};

handler *handler_of(enum method m)
{
    return handlers[m];
}
