// SPDX-License-Identifier: Apache-2.0
// souk.mjs - a development node of souk whose built-in contracts stand at the reference's addresses,
// so that order hashes, deal ids, task ids and entry addresses are equal on both sides.
export async function startSouk() {
  throw new Error('souk node is not wired here yet');
}
