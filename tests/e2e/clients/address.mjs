// SPDX-License-Identifier: Apache-2.0
// address.mjs FILE - the address of a key file of hex digits
import { readFileSync } from 'node:fs';
import { Wallet } from 'ethers';

console.log(new Wallet(readFileSync(process.argv[2], 'utf8').trim()).address);
