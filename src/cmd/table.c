/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cmd/cmd.h"

/* clang-format off */
const struct command commands[] = {
    {"attest",      "judge attestation evidence of any TEE, offline", cmd_attest},
    {"sms",         "keep secrets and give them to enclaves that prove themselves", cmd_sms},
    {"market",      "order book: publish, list and match signed orders", cmd_market},
    {"scheduler",   "run a workerpool: deals in, tasks to workers, results on the chain", cmd_scheduler},
    {"worker",      "run tasks of a workerpool in sandboxes", cmd_worker},
    {"store",       "keep files by content: the IPFS HTTP API and a gateway", cmd_store},
    {"enclave",     "the agent inside the TEE, started by workers", cmd_enclave},
    {"run",         "run an image as a worker would, under limits", cmd_run},
    {"image",       "pack an application into an image, show it, verify it", cmd_image},
    {"node",        "the chain: blocks, pool and Ethereum JSON-RPC", cmd_node},
    {"up",          "start a whole market on this machine", cmd_up},
    {"compass",     "tell where workerpools answer", cmd_compass},
    {"account",     "an account's escrow and reputation", cmd_account},
    {"app",         "offer applications", cmd_app},
    {"claim",       "money back for a task that nobody finished", cmd_claim},
    {"doctor",      "can this machine run souk?", cmd_doctor},
    {"model",       "offer trained models and data, encrypted", cmd_model},
    {"pool",        "register and offer a workerpool", cmd_pool},
    {"receipt",     "prove a task, and check such a proof offline", cmd_receipt},
    {"rent",        "rent an application with a model on somebody's machine", cmd_rent},
    {"result",      "fetch and open results", cmd_result},
    {"task",        "follow tasks", cmd_task},
    {"verify",      "check proofs without a node", cmd_verify},
    {"wallet",      "keys and money", cmd_wallet},
    {NULL, NULL, NULL},
};
/* clang-format on */
