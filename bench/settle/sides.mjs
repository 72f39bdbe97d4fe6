// SPDX-License-Identifier: Apache-2.0
// sides.mjs - the two chains: started, driven through a workload, measured.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEPLOYER_KEY, startReference } from '../../tests/diff/reference.mjs';
import { Connection, bodies, request, sendAll, tick } from './client.mjs';

const require = createRequire(fileURLToPath(new URL('../../tests/diff/package.json', import.meta.url)));
const { Contract, Wallet, Interface } = require('ethers');

export const RLC_EACH = 10n ** 13n;
const CONNECTIONS = 8;
const CATEGORIES = [['XS', 300], ['S', 1200], ['M', 3600], ['L', 10800], ['XL', 36000]];

class Side {
  open(url) {
    this.conns = Array.from({ length: CONNECTIONS }, () => new Connection(url));
    this.watch = new Connection(url);
  }

  close() {
    for (const c of [...this.conns, this.watch]) c.close();
  }

  async height() {
    return Number(await this.watch.call('eth_blockNumber'));
  }

  // Sends every phase and fetches and checks every receipt; seconds.
  async run(work) {
    const ready = work.phases.map((p) => [bodies(p, CONNECTIONS), new Set(p.map((t) => t.hash))]);
    const from = performance.now();
    for (const [lists, waiting] of ready) await this.phase(lists, waiting);
    return (performance.now() - from) / 1000;
  }

  async receipts(number) {
    return this.watch.post(request({ jsonrpc: '2.0', id: 1, method: 'eth_getBlockReceipts', params: ['0x' + number.toString(16)] }));
  }

  // Every task is completed with its digest, as the chain itself says.
  async check(ref, tasks) {
    const hub = new Interface(ref.contract('IexecInterfaceToken').abi);
    const rs = await this.watch.calls(tasks.map((t) => ['eth_call', [{ to: ref.hub, data: hub.encodeFunctionData('viewTask', [t.id]) }, 'latest']]));
    rs.forEach((r, i) => {
      const [task] = hub.decodeFunctionResult('viewTask', r.result ?? '0x');
      if (Number(task.status) !== 3 || task.resultDigest !== tasks[i].digest) throw new Error(`task ${tasks[i].id} is not completed`);
    });
  }

  async setup(work) {
    let last;
    for (const phase of work.setup()) {
      await this.run({ phases: [phase] });
      last = phase;
    }
    return (await this.watch.calls(last.map((t) => ['eth_getTransactionReceipt', [t.hash]]))).map((r) => r.result);
  }
}

export class Anvil extends Side {
  static async start(rules) {
    const side = new Anvil();
    side.ref = await startReference({ rules });
    return side;
  }

  // Token for everybody, then no block but by hand.
  async fund(people) {
    const { provider, token, contract } = this.ref;
    const deployer = new Wallet(DEPLOYER_KEY, provider);
    const rlc = new Contract(token, contract('RLC').abi, deployer);
    let nonce = await deployer.getNonce();
    const sent = [];
    for (const p of people) sent.push(await rlc.transfer(p.address, RLC_EACH, { nonce: nonce++, gasLimit: 200_000, gasPrice: 0 }));
    await Promise.all(sent.map((t) => t.wait()));
    await provider.send('evm_setAutomine', [false]);
    this.open(this.ref.rpc);
  }

  async phase(lists, waiting) {
    await sendAll(this.conns, lists);
    while (waiting.size > 0) {
      const before = waiting.size;
      await this.watch.call('evm_mine');
      tick(await this.receipts(await this.height()), waiting);
      if (waiting.size === before) throw new Error(`anvil left ${before} transactions out of a block`);
    }
  }

  stop() {
    if (this.conns) this.close();
    this.ref.stop();
  }
}

export class Souk extends Side {
  static async start(binary, ref, rules, codeHash, people, wrap = []) {
    const side = new Souk();
    side.dir = mkdtempSync(join(process.env.SOUK_BENCH_DIR ?? tmpdir(), 'souk-settle-'));
    side.state = join(side.dir, 'node');
    const genesis = join(side.dir, 'genesis.json');
    writeFileSync(genesis, JSON.stringify({
      chainId: Number(ref.chainId), rules, baseFee: 0, owner: ref.deployer, hub: ref.hub, token: ref.token, appRegistry: ref.appregistry,
      datasetRegistry: ref.datasetregistry, workerpoolRegistry: ref.workerpoolregistry, proxyCodeHash: codeHash,
      accounts: people.map((p) => ({ address: p.address, balance: '1000000000000000000', rlc: RLC_EACH.toString() })),
      categories: CATEGORIES.map(([name, workClockTimeRef]) => ({ name, description: '""', workClockTimeRef })),
    }));
    const [cmd, ...args] = [...wrap, binary, 'node', '--state', side.state, '--genesis', genesis, '--listen', '127.0.0.1:0',
      '--ready-fd', '3', '--log-level', 'error'];
    side.child = spawn(cmd, args, { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
    side.ended = new Promise((done) => { side.child.once('exit', done); });
    const url = await new Promise((resolve, reject) => {
      side.child.stdio[3].once('data', (d) => resolve(String(d).trim()));
      side.child.once('exit', (code) => reject(new Error(`souk node ended with status ${code}`)));
    });
    side.open(url);
    return side;
  }

  async phase(lists, waiting) {
    let next = await this.height() + 1;
    const watch = async () => {
      const end = performance.now() + 60_000;
      while (waiting.size > 0) {
        const text = await this.receipts(next);
        if (text.includes('"result":null')) {
          if (performance.now() > end) throw new Error(`${waiting.size} transactions have no receipt after 60 s`);
          await new Promise((r) => { setTimeout(r, 1); });
          continue;
        }
        tick(text, waiting);
        next++;
      }
    };
    await Promise.all([sendAll(this.conns, lists), watch()]);
  }

  // Milliseconds from sending one transaction on an idle node to having its receipt.
  async latencies(txs) {
    const out = [];
    for (const t of txs) {
      const send = request({ jsonrpc: '2.0', id: 1, method: 'eth_sendRawTransaction', params: [t.raw] });
      const ask = request({ jsonrpc: '2.0', id: 1, method: 'eth_getTransactionReceipt', params: [t.hash] });
      const from = performance.now();
      const sent = await this.watch.post(send);
      if (sent.includes('"error"')) throw new Error(sent);
      let text;
      do { text = await this.watch.post(ask); } while (text.includes('"result":null'));
      if (!text.includes('"status":"0x1"')) throw new Error(text);
      out.push(performance.now() - from);
    }
    return out.sort((a, b) => a - b);
  }

  cpu() { // seconds of processor time so far
    const f = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(f[11]) + Number(f[12])) / 100;
  }

  bytes() { // on disk, holes not counted
    return readdirSync(this.state).map((f) => statSync(join(this.state, f)).blocks * 512).reduce((a, b) => a + b, 0);
  }

  async stop() {
    this.close();
    this.child.kill('SIGTERM');
    await this.ended;
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export async function proxyCodeHash(ref) {
  const i = new Interface(['function proxyCodeHash() view returns (bytes32)']);
  return ref.provider.call({ to: ref.appregistry, data: i.encodeFunctionData('proxyCodeHash') });
}
