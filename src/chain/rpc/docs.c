/* SPDX-License-Identifier: Apache-2.0 */
/* docs.c - docs/rpc.md from the method table: `souk node --print-rpc-docs`. */
#include <stdio.h>

#include "chain/rpc/rpc.h"
#include "chain/rpc/rpc_int.h"

static void put_method(struct buf *b, const struct rpc_method *m)
{
    put_fmt(b, "### %s\n\n`%s(%s)`%s\n\n%s\n\n", m->name, m->name, m->params,
            (m->flags & RPC_WS) != 0 ? ", over WebSocket" : "", m->help);
    put_fmt(b, "```json\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[%s]}\n```\n\n",
            m->name, m->example);
}

void rpc_docs(struct buf *b)
{
    put_str(
        b,
        "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
        "<!-- written by `souk node --print-rpc-docs`; change src/chain/rpc/table.c -->\n\n"
        "# JSON-RPC of `souk node`\n\n"
        "One port serves HTTP (POST) and WebSocket. Try a method with\n\n"
        "```sh\ncurl -s -H 'content-type: application/json' -d "
        "'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}' "
        "http://127.0.0.1:8545\n```\n\n"
        "Blocks are named `latest`, `pending`, `earliest`, `safe`, `finalized`, by number, by\n"
        "hash, or as EIP-1898's object. A block is final as soon as it is there, so `safe` and\n"
        "`finalized` are `latest`. Errors have the codes and texts of geth; a revert has code 3\n"
        "and its raw bytes in `data`.\n\n");
    for (int dev = 0; dev < 2; dev++) {
        put_fmt(b, "## %s\n\n%s", dev != 0 ? "Development methods" : "Methods",
                dev != 0 ? "Only with `--dev`; refused otherwise. They unlock accounts and change "
                           "the chain at will.\n\n"
                         : "");
        for (size_t i = 0; i < rpc_methods_n; i++) {
            if (((rpc_methods[i].flags & RPC_DEV) != 0) == (dev != 0)) {
                put_method(b, &rpc_methods[i]);
            }
        }
    }
    b->n--; /* one newline at the end */
}
