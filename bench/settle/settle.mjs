// SPDX-License-Identifier: Apache-2.0
// settle.mjs - settled tasks per second of souk and of the reference contracts on anvil, with the same
// signed transactions, and what the cores could do if recovering signatures were all the work.
//
//   make bench-settle [ARGS="--runs 3 --json"]
//
// --tasks N (one deal per task; as many by enclave), --bags N of 1,000, --three N with three workers,
// --alone: souk without anvil beside it
// --perf FILE: no run of anvil, the node under `perf record` (make profile-settle)
// --only NAME,… of single,bag,fast,three_workers
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { Anvil, Souk, proxyCodeHash } from './sides.mjs';
import { Work } from './work.mjs';
import { hasRules } from '../../tests/diff/reference.mjs';

const { values: opt } = parseArgs({
  options: {
    runs: { type: 'string', default: '1' }, json: { type: 'boolean', default: false }, souk: { type: 'string', default: 'build/release/souk' },
    recover: { type: 'string', default: 'build/release/bench/recover' }, tasks: { type: 'string', default: '1000' }, bags: { type: 'string', default: '1' },
    three: { type: 'string', default: '400' }, rules: { type: 'string' }, perf: { type: 'string' }, alone: { type: 'boolean', default: false }, only: { type: 'string', default: 'single,bag,fast,three_workers' },
  },
});
const rules = opt.rules ?? (hasRules('6.2') ? '6.2' : '6.1');
const only = opt.only.split(',');
const say = (s) => { if (!opt.json) console.log(s); };
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const recoveries = () => execFileSync(opt.recover, { encoding: 'utf8' }).split(' ').map(Number);

// The whole workload, signed once; every run starts both chains afresh.
async function prepare(anvil) {
  const work = new Work(anvil.ref);
  const codeHash = await proxyCodeHash(anvil.ref);
  return { work, codeHash };
}

function signAll(work) {
  const make = {
    single: () => work.single(Number(opt.tasks)), bag: () => work.bag(Number(opt.bags), 1000),
    fast: () => work.fast(Number(opt.tasks)), three_workers: () => work.single(Number(opt.three), 3),
  };
  const loads = Object.fromEntries(only.map((name) => [name, make[name]()]));
  loads.latency = Array.from({ length: 300 }, () => work.tx(work.developer, work.requesters[0].address, '0x', 21_000));
  return loads;
}

async function drive(side, loads, seconds) {
  for (const name of only) {
    const before = side.bytes?.();
    const cpu = side.cpu?.(), own = process.cpuUsage();
    seconds[name] = await side.run(loads[name]);
    if (cpu !== undefined) seconds[`${name}_cpu`] = side.cpu() - cpu;
    const used = process.cpuUsage(own);
    seconds[`${name}_client`] = (used.user + used.system) / 1e6;
    if (name === 'single' && before !== undefined) seconds.bytes = (side.bytes() - before) / loads[name].tasks.length;
    await side.check(side.ref ?? seconds.ref, loads[name].tasks);
  }
}

const wrap = opt.perf ? ['perf', 'record', '-q', '-F', '997', '-g', '-o', opt.perf, '--'] : [];

async function once(prepared) {
  const anvil = await Anvil.start(rules);
  const a = {}, s = {};
  try {
    prepared.work ??= Object.assign(prepared, await prepare(anvil)).work;
    const { work } = prepared;
    await anvil.fund(work.people);
    if (!prepared.loads) {
      work.learn(await anvil.setup(work));
      const t0 = performance.now();
      prepared.loads = signAll(work);
      say(`signed beforehand in ${((performance.now() - t0) / 1000).toFixed(1)} s`);
    } else {
      await anvil.setup(prepared.again());
    }
    if (!opt.perf && !opt.alone) await drive(anvil, prepared.loads, a);
    s.ref = anvil.ref;
  } finally {
    anvil.stop();
  }
  const first = recoveries();
  const souk = await Souk.start(opt.souk, s.ref, rules, prepared.codeHash, prepared.work.people, wrap);
  try {
    await souk.setup(prepared.again(s.ref));
    await drive(souk, prepared.loads, s);
    s.latencies = await souk.latencies(prepared.loads.latency);
  } finally {
    await souk.stop();
  }
  const second = recoveries();
  return { a, s, cores: first[0], recoveries: (first[1] + second[1]) / 2, cpuRecoveries: (first[2] + second[2]) / 2 };
}

const prepared = { again(ref) { return new Work(ref ?? this.work.ref); } };
const runs = [];
for (let i = 0; i < Number(opt.runs); i++) runs.push(await once(prepared));

if (opt.perf || opt.alone) {
  for (const { s } of runs) say(only.map((n) => `${n} ${(prepared.loads[n].tasks.length / s[n]).toFixed(0)} tasks/s, ${(s[`${n}_cpu`] / prepared.loads[n].tasks.length * 1e6).toFixed(0)} µs`).join('; '));
  process.exit(0);
}
const out = {};
const limitRate = median(runs.map((r) => r.recoveries));
say(`rules ${rules}, ${runs[0].cores} cores, load ${loadavg()[0].toFixed(1)}; ${Math.round(limitRate)} signatures recovered/s on all cores; medians of ${runs.length}`);
for (const name of only) {
  const { tasks, signatures, spelled } = prepared.loads[name];
  const souk = median(runs.map((r) => tasks.length / r.s[name])), anvil = median(runs.map((r) => tasks.length / r.a[name]));
  const limit = limitRate / signatures;
  out[`${name}_tasks_per_s`] = Math.round(souk);
  out[`${name}_anvil_tasks_per_s`] = Math.round(anvil);
  out[`${name}_vs_anvil`] = Number(median(runs.map((r) => r.a[name] / r.s[name])).toFixed(2));
  out[`${name}_of_limit`] = Number(median(runs.map((r) => tasks.length / r.s[name] / (r.recoveries / signatures))).toFixed(3));
  const us = (key) => median(runs.map((r) => r.s[key] / tasks.length * 1e6));
  out[`${name}_cpu_us`] = Math.round(us(`${name}_cpu`));
  out[`${name}_cpu_of_limit`] = Number(median(runs.map((r) => signatures / r.cpuRecoveries / (r.s[`${name}_cpu`] / tasks.length))).toFixed(3));
  say(`${name.padEnd(14)} ${String(Math.round(souk)).padStart(6)} tasks/s   anvil ${String(Math.round(anvil)).padStart(5)}   ${String(out[`${name}_vs_anvil`]).padStart(6)} ×`
    + `   limit ${Math.round(limit)} tasks/s, ${(100 * out[`${name}_of_limit`]).toFixed(0)} % of it`
    + `\n${''.padEnd(14)} ${tasks.length} tasks, ${Number(signatures.toFixed(3))} signatures each: ${spelled}`
    + `\n${''.padEnd(14)} processor time a task: node ${out[`${name}_cpu_us`]} µs, ${(100 * out[`${name}_cpu_of_limit`]).toFixed(0)} % of it recovery; this client ${Math.round(us(`${name}_client`))} µs`);
}
if (only.includes('single')) out.bytes_per_task = Math.round(median(runs.map((r) => r.s.bytes)));
const at = (q) => Number(median(runs.map((r) => r.s.latencies[Math.floor(r.s.latencies.length * q)])).toFixed(2));
out.latency_p50_ms = at(0.5);
out.latency_p99_ms = at(0.99);
out.recoveries_per_s = Math.round(limitRate);
say(`bytes on disk per single-deal task ${out.bytes_per_task ?? '-'}; latency of one transaction p50 ${out.latency_p50_ms} ms, p99 ${out.latency_p99_ms} ms`);
if (opt.json) console.log(JSON.stringify(out));
process.exit(0);
