// SPDX-License-Identifier: Apache-2.0
// souk.mjs - a development node of souk whose built-in contracts stand at the reference's addresses,
// so that order hashes, deal ids, task ids and entry addresses are equal on both sides.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Interface } from 'ethers';
import { Side } from './sides.mjs';

const CATEGORIES = [['XS', 300], ['S', 1200], ['M', 3600], ['L', 10800], ['XL', 36000]];
const SUPPLY = '87000000000000000'; // of the reference token, all of it the deployer's

async function proxyCodeHash(ref) {
  const i = new Interface(['function proxyCodeHash() view returns (bytes32)']);
  const r = await new Side('reference', ref.rpc).view({ from: ref.deployer, to: ref.appregistry, data: i.encodeFunctionData('proxyCodeHash') });
  return r.data;
}

export async function startSouk(binary, ref, rules) {
  const dir = mkdtempSync(join(tmpdir(), 'souk-diff-'));
  const genesis = join(dir, 'genesis.json');
  writeFileSync(genesis, JSON.stringify({
    chainId: Number(ref.chainId), rules, baseFee: 0, owner: ref.deployer, hub: ref.hub, token: ref.token, appRegistry: ref.appregistry,
    datasetRegistry: ref.datasetregistry, workerpoolRegistry: ref.workerpoolregistry, proxyCodeHash: await proxyCodeHash(ref),
    accounts: [{ address: ref.deployer, balance: '1000000000000000000000000', rlc: SUPPLY }],
    categories: CATEGORIES.map(([name, workClockTimeRef]) => ({ name, description: '""', workClockTimeRef })),
  }));
  const child = spawn(binary, ['node', '--dev', '--state', join(dir, 'node'), '--genesis', genesis, '--listen', '127.0.0.1:0',
    '--ready-fd', '3', '--log-level', 'error', '--call-gas', '8000000'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
  const rpc = await new Promise((resolve, reject) => {
    child.stdio[3].once('data', (d) => resolve(String(d).trim()));
    child.once('exit', (code) => reject(new Error(`souk node ended with status ${code}`)));
  });
  return { rpc, stop: () => { child.removeAllListeners('exit'); child.kill('SIGKILL'); rmSync(dir, { recursive: true, force: true }); } };
}
