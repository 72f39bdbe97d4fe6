// SPDX-License-Identifier: Apache-2.0
// diff.mjs - the same calls to the reference contracts and to souk; every answer must be the same.
//
//   node diff.mjs [--calls N] [--seed S] [--rules 6.1|6.2] [--reference FILE] [--souk BINARY]
//                 [--replay FILE] [--self] [--coverage] [--length N] [--spoil SHARE] [--only ACTION,…]
//
// --reference FILE  JSON {rpc, chainId, hub, token, appregistry, datasetregistry,
//                   workerpoolregistry, deployer} of a reference that already runs
// --replay FILE     recorded sequences instead of random ones: a file, or a folder of them
// --spoil SHARE     how many calls get spoilt bytes (0.03); --only: just these actions
// --self            compares the reference with a second one: shows that the harness finds nothing
// Ends with `N calls, M mismatches, seed S`; exit 0 only where M is 0. A failing sequence is shrunk
// and written to build/diff/, as a file for --replay.
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { HDNodeWallet, Interface } from 'ethers';
import { Coverage } from './coverage.mjs';
import { Random } from './random.mjs';
import { hasRules, path62, startReference } from './reference.mjs';
import { Side, difference } from './sides.mjs';
import { startSouk } from './souk.mjs';
import { WEIGHTS, World } from './world.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const MNEMONIC = 'test test test test test test test test test test test junk';
const KEYS = Array.from({ length: 8 }, (_, i) => HDNodeWallet.fromPhrase(MNEMONIC, undefined, `m/44'/60'/0'/0/${i}`).privateKey);
const JUMPS = { 1: 60, 60: 10, 700: 5, 2200: 3, 3100: 2, 40000: 1 }; // seconds to the next call: how often
const STEADY = { 1: 80, 20: 5, 60: 2, 700: 1 }; // while a task is led through its life
const START = 2_000_000_000; // block times of a sequence count from here (+ what earlier ones used)

const { values: opt } = parseArgs({
  options: {
    calls: { type: 'string', default: '2000' }, seed: { type: 'string' }, rules: { type: 'string', default: '6.2' },
    reference: { type: 'string' }, souk: { type: 'string', default: join(here, '../../build/release/souk') },
    replay: { type: 'string' }, self: { type: 'boolean', default: false }, coverage: { type: 'boolean', default: false },
    length: { type: 'string', default: '250' }, spoil: { type: 'string' }, only: { type: 'string' },
  },
});
const seed = opt.seed === undefined ? Math.floor(Math.random() * 0x100000000) : Number(opt.seed);
const excuses = JSON.parse(readFileSync(join(here, 'excuses.json'), 'utf8'));

if (!opt.reference && !hasRules(opt.rules)) {
  console.log(`SKIP diff ${opt.rules}: ${path62()} is not there (the compiled reference contracts 6.2.0)`);
  process.exit(0);
}

async function openReference() {
  if (!opt.reference) return startReference({ rules: opt.rules });
  return { ...JSON.parse(readFileSync(opt.reference, 'utf8')), stop: () => {}, contract: (await import('./reference.mjs')).contractsOf(opt.rules) };
}

function abisOf(ref) {
  const abi = (n) => ref.contract(n).abi;
  return {
    hub: abi('IexecInterfaceToken'), registries: ['AppRegistry', 'DatasetRegistry', 'WorkerpoolRegistry'].map(abi),
    entries: ['App', 'Dataset', 'Workerpool'].map(abi), token: abi('RLC'),
  };
}

// The same first steps on both: money for everybody, two entries of each kind for different owners.
function prologue(world) {
  const rlc = (to) => world.tokenCall('transfer', [to, 10n ** 15n], world.owner);
  const calls = [...world.accounts.steps];
  for (const s of world.signers) {
    if (s.address !== world.owner) calls.push(rlc(s.address));
    calls.push(world.tokenCall('approve', [world.ref.hub, 10n ** 15n], s.address), world.hubCall('deposit', [10n ** 12n], s.address));
  }
  for (let i = 0; i < 2; i++) {
    const own = (k) => world.signers[(i * 3 + k + 1) % 6].address;
    calls.push(world.create(0, [`app ${i}`, 'DOCKER', '0x68656c6c6f', world.rng.hash(), '0x'], own(0)));
    calls.push(world.create(1, [`data ${i}`, '0x2f697066', world.rng.hash()], own(1)));
    calls.push(world.create(2, [`pool ${i}`], own(2)));
  }
  calls.push(world.tokenCall('approve', [world.ref.hub, 10n ** 15n], world.owner), world.hubCall('depositFor', [10n ** 12n, world.accounts.wallet], world.owner));
  return calls.map((c) => ({ ...c, action: 'prologue' }));
}

class Run {
  constructor(ref, souk) {
    this.sides = [new Side('reference', ref.rpc), new Side('souk', souk.rpc)];
    this.ref = ref;
    this.abis = abisOf(ref);
    this.coverage = new Coverage(opt.rules, [this.abis.hub, this.abis.registries[0], this.abis.registries[1], this.abis.registries[2], ...this.abis.entries, this.abis.token]);
    this.time = START;
  }

  world(sequence) {
    const world = new World(new Random((seed + sequence * 7919) >>> 0), this.ref, this.abis.hub, this.abis.registries, this.abis.entries, this.abis.token, KEYS);
    if (opt.spoil) world.spoiling = Number(opt.spoil);
    if (opt.only) world.weights = Object.fromEntries(opt.only.split(',').map((a) => [a, WEIGHTS[a] ?? 1]));
    return world;
  }

  // What two answers to a view with an excused selector say need not be the same.
  excused(call) {
    return (a, b) => a.call.ok && b.call.ok && excuses.some((x) => x.selector && call.data.startsWith(x.selector));
  }

  async step(call) {
    if (call.setup) {
      for (const [method, params] of call.setup.reference) await this.sides[0].one(method, params);
      await this.sides[opt.self ? 0 : 1].send(call);
      return { reports: [{ call: { ok: true, data: '0x' }, status: 1, logs: [] }], bad: null };
    }
    const reports = await Promise.all(this.sides.map((s) => s.send(call)));
    return { reports, bad: difference(reports[0], reports[1], this.excused(call)) };
  }

  async snapshot() {
    return Promise.all(this.sides.map((s) => s.one('evm_snapshot')));
  }

  async back(ids) {
    await Promise.all(this.sides.map((s, i) => s.one('evm_revert', [ids[i]])));
    this.sides.forEach((s) => s.known.clear());
  }

  // A random sequence from a fresh state. Answers {calls, bad} with the calls made so far.
  async sequence(number, length) {
    const world = this.world(number), made = [], first = prologue(world);
    for (let i = 0; i < first.length + length; i++) {
      const call = i < first.length ? first[i] : world.next();
      this.time += i < first.length ? 1 : call.jump ?? (Number(world.rng.weighted(world.plan.length ? STEADY : JUMPS)) || 1);
      call.time = this.time;
      made.push(call);
      const { reports, bad } = await this.step(call);
      this.coverage.see(call, reports[0]);
      if (bad) return { made, bad: `call ${i} (${call.action}, ${call.name}): ${bad}` };
      if (i < first.length && reports[0].status !== 1) return { made, bad: `call ${i} (${call.name}) of the prologue failed` };
      world.learn(call, reports[0]);
    }
    const views = world.allViews();
    views.forEach((v) => this.coverage.see(v, { call: { ok: true } }));
    const answers = await Promise.all(this.sides.map((s) => s.views(views)));
    for (let i = 0; i < views.length; i++) {
      const bad = difference({ call: answers[0][i] }, { call: answers[1][i] }, this.excused(views[i]));
      if (bad) return { made, view: views[i], bad: `view ${views[i].name} after the sequence: ${bad}` };
    }
    return { made };
  }

  // Replays recorded calls; the first mismatch or null.
  async replay(calls, view) {
    const ids = await this.snapshot();
    let found = null;
    const shift = this.time + 1 - Number(calls[0]?.time ?? 0);
    for (const c of calls) {
      const { bad } = await this.step({ ...c, time: Number(c.time) + shift });
      this.time = Number(c.time) + shift;
      if (bad) {
        found = bad;
        break;
      }
    }
    if (!found && view) {
      const [a, b] = await Promise.all(this.sides.map((s) => s.view(view)));
      found = difference({ call: a }, { call: b }, this.excused(view));
    }
    await this.back(ids);
    return found;
  }

  // Drops ever smaller parts of the sequence as long as it still fails.
  async shrink(calls, view) {
    let best = calls;
    for (let part = Math.ceil(best.length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
      for (let at = 0; at < best.length;) {
        const less = [...best.slice(0, at), ...best.slice(at + part)];
        if (less.length && await this.replay(less, view)) best = less;
        else at += part;
      }
    }
    return best;
  }
}

// The recorded sequences of these rules in a file or a folder.
function recorded(path) {
  const files = statSync(path).isDirectory() ? readdirSync(path).filter((f) => f.endsWith('.json')).sort().map((f) => join(path, f)) : [path];
  return files.map((f) => [f, JSON.parse(readFileSync(f, 'utf8'))]).filter(([, r]) => r.rules === opt.rules);
}

const plain = (c) => ({ action: c.action, name: c.name, from: c.from, to: c.to, data: c.data, time: c.time, ...(c.setup ? { setup: c.setup } : {}), ...(c.value ? { value: String(c.value) } : {}) });

async function report(run, { made, view, bad }, number) {
  console.log(`MISMATCH in sequence ${number}: ${bad}`);
  const small = await run.shrink(made, view);
  const dir = join(here, '../../build/diff');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `rules-${opt.rules}-seed-${seed}-${number}.json`);
  writeFileSync(file, JSON.stringify({ rules: opt.rules, seed, bad, calls: small.map(plain), view: view && plain(view) }, null, 1));
  console.log(`  shrunk from ${made.length} to ${small.length} calls: ${file}`);
}

const ref = await openReference();
let souk;
let mismatches = 0, calls = 0;
try {
  souk = opt.self ? await startReference({ rules: opt.rules }) : await startSouk(opt.souk, ref, opt.rules);
  const run = new Run(ref, souk);
  if (opt.replay) {
    for (const [file, r] of recorded(opt.replay)) {
      calls += r.calls.length;
      const bad = await run.replay(r.calls, r.view);
      if (bad) {
        mismatches++;
        console.log(`MISMATCH ${file}: ${bad}`);
      }
    }
  } else {
    const t0 = Date.now();
    for (let number = 0; calls < Number(opt.calls); number++) {
      const ids = await run.snapshot();
      const result = await run.sequence(number, Math.min(Number(opt.length), Number(opt.calls) - calls));
      await run.back(ids);
      calls += result.made.length;
      if (result.bad) {
        mismatches++;
        await report(run, result, number);
        if (mismatches >= 20) break;
      }
      if (process.stdout.isTTY) process.stdout.write(`\r${calls} calls, ${Math.round(calls / ((Date.now() - t0) / 1000))}/s `);
    }
    if (process.stdout.isTTY) process.stdout.write('\r');
    const missing = run.coverage.missing();
    console.log(`coverage: ${run.coverage.total()} functions, events and reverts hit; never hit: ${missing.length}`);
    if (opt.coverage || missing.length <= 12) missing.forEach((m) => console.log(`  never hit: ${m}`));
  }
} finally {
  ref.stop();
  souk?.stop();
}
console.log(`${calls} calls, ${mismatches} mismatches, seed ${seed}`);
process.exit(mismatches === 0 ? 0 : 1);
