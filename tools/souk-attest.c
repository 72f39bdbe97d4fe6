/* SPDX-License-Identifier: Apache-2.0 */
/* souk-attest - `souk attest` as a program of its own: same options, same exit status. */
#include "cmd/cmd.h"

int main(int argc, char **argv)
{
    return cmd_attest(argc, argv);
}
