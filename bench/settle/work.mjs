// SPDX-License-Identifier: Apache-2.0
// work.mjs - the transactions of whole task lives, signed beforehand. A workload is a list of phases;
// the transactions of a phase do not depend on one another beyond their senders' nonces.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { TYPES, noDataset, tupleOf } from '../../tests/diff/orders.mjs';

const require = createRequire(fileURLToPath(new URL('../../tests/diff/package.json', import.meta.url)));
const { Interface, TypedDataEncoder, ZeroAddress, ZeroHash, computeAddress, encodeRlp, keccak256, toBeHex } = require('ethers');
const secp = require('secp256k1');

export const REQUESTERS = 4, POOLS = 4, WORKERS = 12;
const FUNDS = 10n ** 12n; // nRLC that everybody deposits
const TEE = '0x' + '01'.padStart(64, '0');
const XL = 4;
const u8 = (hex) => Buffer.from(hex.slice(2), 'hex');
const hx = (b) => '0x' + Buffer.from(b).toString('hex');
const hash = (...parts) => keccak256(Buffer.concat(parts.map(u8)));

export class Account {
  constructor(name) {
    this.key = createHash('sha256').update(`souk bench ${name}`).digest();
    this.address = computeAddress(hx(this.key));
    this.nonce = 0;
  }

  sign(digest) {
    const s = secp.ecdsaSign(u8(digest), this.key);
    return hx(s.signature) + (27 + s.recid).toString(16);
  }

  signMessage(digest) {
    return this.sign(keccak256(Buffer.concat([Buffer.from('\x19Ethereum Signed Message:\n32'), u8(digest)])));
  }
}

export class Work {
  constructor(ref) {
    this.ref = ref;
    this.hub = new Interface(ref.contract('IexecInterfaceToken').abi);
    this.token = new Interface(ref.contract('RLC').abi);
    this.registries = ['App', 'Dataset', 'Workerpool'].map((n) => new Interface(ref.contract(`${n}Registry`).abi));
    const many = (name, n) => Array.from({ length: n }, (_, i) => new Account(`${name} ${i}`));
    this.requesters = many('requester', REQUESTERS);
    this.schedulers = many('scheduler', POOLS);
    this.workers = many('worker', WORKERS);
    this.developer = new Account('developer');
    this.enclave = new Account('enclave');
    this.people = [...this.requesters, ...this.schedulers, ...this.workers, this.developer];
    this.domain = TypedDataEncoder.hashDomain({ name: 'iExecODB', version: '5.0.0', chainId: ref.chainId, verifyingContract: ref.hub });
    this.salt = 0;
  }

  // A transaction of type 2 without fees: {raw, hash, from}.
  tx(from, to, data, gas = 2_000_000) {
    const q = (n) => (n === 0 ? '0x' : toBeHex(n));
    const fields = [q(this.ref.chainId), q(from.nonce++), '0x', '0x', q(gas), to, '0x', data, []];
    const s = secp.ecdsaSign(u8(hash('0x02', encodeRlp(fields))), from.key);
    const trim = (b) => '0x' + (hx(b).slice(2).replace(/^(00)+/, ''));
    const raw = '0x02' + encodeRlp([...fields, q(s.recid), trim(s.signature.slice(0, 32)), trim(s.signature.slice(32))]).slice(2);
    return { raw, hash: keccak256(raw), from: from.address };
  }

  call(from, fn, args) {
    return this.tx(from, this.ref.hub, this.hub.encodeFunctionData(fn, args));
  }

  // Money into the hub, an application, the pools. The token itself is given out by each side's way.
  setup() {
    const first = this.people.map((p) => this.tx(p, this.ref.token, this.token.encodeFunctionData('approve', [this.ref.hub, FUNDS])));
    const second = this.people.map((p) => this.call(p, 'deposit', [FUNDS]));
    const [apps, , pools] = this.registries;
    const { appregistry, workerpoolregistry } = this.ref;
    const made = [this.tx(this.developer, appregistry, apps.encodeFunctionData('createApp', [this.developer.address, 'bench', 'DOCKER', '0x68656c6c6f', ZeroHash, '0x']), 3_000_000),
      ...this.schedulers.map((s, i) => this.tx(s, workerpoolregistry, pools.encodeFunctionData('createWorkerpool', [s.address, `pool ${i}`]), 3_000_000))];
    return [first, second, made];
  }

  learn(receipts) { // entry addresses from the registries' events: tokenId of Transfer
    const entry = (r) => '0x' + r.logs.find((l) => l.topics.length === 4).topics[3].slice(26);
    this.app = entry(receipts[0]);
    this.pools = receipts.slice(1).map(entry);
  }

  orderHash(kind, order) {
    const [[name]] = Object.entries(TYPES[kind]);
    return keccak256(Buffer.concat([Buffer.from('1901', 'hex'), u8(this.domain), u8(TypedDataEncoder.from(TYPES[kind]).hashStruct(name, order))]));
  }

  signed(kind, order, who) {
    const h = this.orderHash(kind, order);
    return { ...order, sign: who.sign(h), hash: h };
  }

  // Three fresh orders, each with a signature of its own; i says whose.
  deal(i, volume, { tag = ZeroHash, trust = 1 } = {}) {
    const salt = () => toBeHex(++this.salt, 32), none = ZeroAddress;
    const requester = this.requesters[i % REQUESTERS], scheduler = this.schedulers[i % POOLS], pool = this.pools[i % POOLS];
    const app = this.signed('app', { app: this.app, appprice: 3, volume, tag, datasetrestrict: none, workerpoolrestrict: none, requesterrestrict: none, salt: salt() }, this.developer);
    const wp = this.signed('workerpool', { workerpool: pool, workerpoolprice: 25, volume, tag, category: XL, trust, apprestrict: none, datasetrestrict: none, requesterrestrict: none, salt: salt() }, scheduler);
    const req = this.signed('request', { app: this.app, appmaxprice: 3, dataset: none, datasetmaxprice: 0, workerpool: none, workerpoolmaxprice: 25, requester: requester.address, volume, tag, category: XL, trust, beneficiary: requester.address, callback: none, params: '{"iexec_args":"bench"}', salt: salt() }, requester);
    const match = this.call(requester, 'matchOrders', [tupleOf('app', app), tupleOf('dataset', noDataset()), tupleOf('workerpool', wp), tupleOf('request', req)]);
    return { id: hash(req.hash, toBeHex(0, 32)), scheduler, match };
  }

  task(deal, idx, i) {
    const id = hash(deal.id, toBeHex(idx, 32));
    return { id, deal, idx, i, digest: hash(id, '0x01') };
  }

  seals(t, w) {
    return [hash(t.id, t.digest), hash(w.address, t.id, t.digest)];
  }

  authorisation(t, w, enclave) {
    return t.deal.scheduler.signMessage(hash(w.address, t.id, enclave));
  }

  workersOf(t, n) {
    return Array.from({ length: n }, (_, k) => this.workers[(t.i * n + k) % WORKERS]);
  }

  initialize(tasks) {
    return tasks.map((t) => this.call(t.deal.scheduler, 'initialize', [t.deal.id, t.idx]));
  }

  contribute(tasks, n) {
    return tasks.flatMap((t) => this.workersOf(t, n).map((w) => this.call(w, 'contribute', [t.id, ...this.seals(t, w), ZeroAddress, '0x', this.authorisation(t, w, ZeroAddress)])));
  }

  reveal(tasks, n) {
    return tasks.flatMap((t) => this.workersOf(t, n).map((w) => this.call(w, 'reveal', [t.id, t.digest])));
  }

  finalize(tasks) {
    return tasks.map((t) => this.call(t.deal.scheduler, 'finalize', [t.id, '0x', '0x']));
  }

  // One deal per task, n workers each: match (4 signatures), initialize, n × (contribute: 2, reveal: 1), finalize.
  single(count, n = 1) {
    const deals = Array.from({ length: count }, (_, i) => this.deal(i, 1, { trust: n === 1 ? 1 : 5 }));
    const tasks = deals.map((d, i) => this.task(d, 0, i));
    return { tasks, signatures: 6 + 3 * n, spelled: `match 1 + 3 orders, initialize 1, ${n} × (contribute 1 + authorisation 1, reveal 1), finalize 1`,
      phases: [deals.map((d) => d.match), this.initialize(tasks), this.contribute(tasks, n), this.reveal(tasks, n), this.finalize(tasks)] };
  }

  bag(bags, size) {
    const deals = Array.from({ length: bags }, (_, i) => this.deal(i, size));
    const tasks = deals.flatMap((d, b) => Array.from({ length: size }, (_, k) => this.task(d, k, b * size + k)));
    return { tasks, signatures: 5 + 4 / size, spelled: `initialize 1, contribute 1 + authorisation 1, reveal 1, finalize 1, match 4 / ${size}`,
      phases: [deals.map((d) => d.match), this.initialize(tasks), this.contribute(tasks, 1), this.reveal(tasks, 1), this.finalize(tasks)] };
  }

  // contributeAndFinalize by an enclave: its signature and the scheduler's authorisation beside the transaction's.
  fast(count) {
    const deals = Array.from({ length: count }, (_, i) => this.deal(i, 1, { tag: TEE }));
    const tasks = deals.map((d, i) => this.task(d, 0, i));
    const e = this.enclave;
    const last = tasks.map((t) => {
      const [w] = this.workersOf(t, 1), [h, seal] = this.seals(t, w);
      return this.call(w, 'contributeAndFinalize', [t.id, t.digest, '0x', '0x', e.address, e.signMessage(hash(h, seal)), this.authorisation(t, w, e.address)]);
    });
    return { tasks, signatures: 8, spelled: 'match 1 + 3 orders, initialize 1, contributeAndFinalize 1 + enclave 1 + authorisation 1',
      phases: [deals.map((d) => d.match), this.initialize(tasks), last] };
  }
}
