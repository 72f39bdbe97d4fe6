// SPDX-License-Identifier: Apache-2.0
// world.mjs - makes random sequences of calls: what exists so far (accounts, entries, orders, deals,
// tasks) and one function per action that returns the next call {name, from, to, data, value}. Most
// calls are plausible, a part is spoilt on purpose: wrong callers, amounts, lengths, signatures,
// times, replays, and bytes that no encoder would write.
import { Interface, Wallet, ZeroAddress, ZeroHash, concat, getBytes, hashMessage, keccak256, toBeHex, zeroPadValue } from 'ethers';
import { Accounts } from './accounts.mjs';
import * as O from './orders.mjs';

const KITTY = '0x99c2268479b93fDe36232351229815DF80837e23';
const MAX = (1n << 256n) - 1n;
const TEE = zeroPadValue('0x01', 32);
const TAGS = [ZeroHash, ZeroHash, ZeroHash, TEE, zeroPadValue('0x09', 32), zeroPadValue('0x03', 32), zeroPadValue('0x0101', 32)];
const PRICES = [0, 0, 1, 3, 10, 99, 1000, 1_000_000_007, 3_000_000_000_000];

// Actions and how often each is drawn.
export const WEIGHTS = {
  matchOrders: 14, sponsorMatchOrders: 4, manageOrder: 8, broadcast: 2, member: 6, orderViews: 4,
  initialize: 10, initializeArray: 2, contribute: 22, reveal: 14, reopen: 3, finalize: 10,
  contributeAndFinalize: 6, claim: 6, claimArray: 2, initializeAndClaimArray: 2,
  deposit: 4, depositFor: 2, depositForArray: 2, withdraw: 3, withdrawTo: 2, recover: 1, receiveApproval: 2,
  tokenTransfer: 3, tokenApprove: 3, tokenTransferFrom: 2, tokenApproveAndCall: 4, tokenOther: 2,
  hubTransfer: 3, hubApprove: 3, hubTransferFrom: 3, hubAllowance: 3, hubApproveAndCall: 2,
  config: 3, category: 1, loupe: 2, cut: 1, ownership: 1, score: 1,
  createApp: 2, createDataset: 2, createWorkerpool: 2, registryTransfer: 5, registryApprove: 4, registryOther: 3,
  registryViews: 4, entryCall: 4, hubViews: 6, garbage: 6,
};

const VIEWS0 = ['name()', 'symbol()', 'decimals()', 'totalSupply()', 'owner()', 'token()', 'appregistry()', 'datasetregistry()',
  'workerpoolregistry()', 'teebroker()', 'callbackgas()', 'countCategory()', 'domain()', 'eip712domain_separator()',
  'contribution_deadline_ratio()', 'reveal_deadline_ratio()', 'final_deadline_ratio()', 'workerpool_stake_ratio()',
  'kitty_ratio()', 'kitty_min()', 'kitty_address()', 'groupmember_purpose()', 'renounceOwnership()'];

export class World {
  constructor(rng, ref, hubAbi, registryAbis, entryAbis, tokenAbi, keys) {
    this.rng = rng;
    this.weights = WEIGHTS;
    this.spoiling = 0.03; // share of the calls whose bytes are spoilt
    this.ref = ref;
    this.hub = new Interface(hubAbi);
    this.token = new Interface(tokenAbi);
    this.registry = registryAbis.map((abi) => new Interface(abi));
    this.entryAbi = entryAbis.map((abi) => new Interface(abi));
    this.diamond = new Interface(['function diamondCut((address facetAddress, uint8 action, bytes4[] functionSelectors)[] c, address init, bytes data)',
      'function facetAddress(bytes4) view returns (address)', 'function supportsInterface(bytes4) view returns (bool)', 'function transferOwnership(address)']);
    this.signers = keys.map((k) => new Wallet(k));
    this.owner = this.signers[0].address;
    this.domain = O.domainOf(ref.chainId, ref.hub);
    this.accounts = new Accounts(ref.chainId, this.signers[7].address, this.signers[6]);
    this.entries = [[], [], []]; // apps, datasets, workerpools: {address, owner}
    this.orders = { app: [], dataset: [], workerpool: [], request: [] };
    this.deals = [];
    this.used = new Map(); // request order hash -> volume of its deals so far
    this.tasks = [];
    this.ids = { hashes: new Set(), deals: new Set(), tasks: new Set() };
    this.enclaves = this.signers.slice(6, 8);
    this.replay = [];
    this.plan = []; // the next steps of a task that is to be led through its life
    this.registries = [ref.appregistry, ref.datasetregistry, ref.workerpoolregistry];
  }

  signer(address) {
    return address === this.accounts.wallet ? this.accounts.signer : this.signers.find((s) => s.address === address) ?? this.signers[1];
  }

  someone() {
    return this.rng.pick(this.signers).address;
  }

  anyAddress() {
    return this.rng.pick([this.someone(), this.someone(), ZeroAddress, KITTY, this.ref.hub, this.ref.token, this.ref.appregistry,
      this.entry(0)?.address ?? ZeroAddress, this.rng.bytes(20), this.accounts.wallet, this.rng.pick([...this.accounts.all])]);
  }

  amount() {
    const r = this.rng;
    return r.weighted({ small: 6, zero: 2, mid: 4, large: 2, max: 1 }) === 'small' ? BigInt(r.below(1000))
      : r.pick([0n, 1n, BigInt(r.u32()), 1_000_000_000n, 10n ** 18n, MAX, MAX - 1n, 1n << 255n]);
  }

  entry(kind) {
    return this.entries[kind].length ? this.rng.pick(this.entries[kind]) : undefined;
  }

  call(name, to, iface, fn, args, from = this.someone()) {
    const fragment = typeof fn === 'string' ? iface.getFunction(fn) : fn;
    if (this.accounts.all.has(from)) from = this.someone(); // contracts send nothing by themselves
    return { name: `${name}:${fragment.name}`, from, to, data: iface.encodeFunctionData(fragment, args) };
  }

  hubCall(fn, args, from) {
    return this.call('hub', this.ref.hub, this.hub, fn, args, from);
  }

  next() {
    const r = this.rng;
    if (this.replay.length > 0 && r.chance(0.03)) return { ...r.pick(this.replay), name: 'replay' };
    const planned = this.plan.length > 0 && r.chance(0.6) ? this.plan.shift() : undefined;
    const action = planned ? 'plan' : r.weighted(this.weights);
    let c = planned ? planned() : this[action]();
    if (!c) return this.next();
    if (c.setup) return c;
    c.action = action;
    if (r.chance(0.02)) c = { ...c, value: r.pick([1, 10n ** 9n]), action: `${action}+value` };
    if (r.chance(0.03)) c = { ...c, from: this.someone(), action: `${action}+caller` };
    if (r.chance(this.spoiling)) c = { ...c, data: this.spoil(c.data), action: `${action}+bytes` };
    this.replay.push(c);
    if (this.replay.length > 60) this.replay.shift();
    return c;
  }

  // Bytes that a careful encoder would not write.
  spoil(data) {
    const r = this.rng, n = (data.length - 2) / 2, b = getBytes(data);
    const word = n > 36 ? 4 + 32 * r.below(Math.floor((n - 4) / 32)) : 4;
    switch (r.below(6)) {
      case 0: return data.slice(0, 2 + 2 * r.below(n + 1)); // short
      case 1: return data + r.bytes(1 + r.below(40)).slice(2); // long
      case 2: if (word < n) b[word] = r.below(256); break; // dirty high bits
      case 3: b.fill(0xff, word, word + 32); break; // offset or length near 2^256
      case 4: if (word + 31 < n) b[word + 31] ^= 1 << r.below(8); break; // overlapping offset, other value
      default: if (word + 24 < n) b[word + 24] = 0x80; // near 2^63
    }
    return '0x' + Buffer.from(b).toString('hex');
  }

  garbage() {
    const r = this.rng;
    const to = r.pick([this.ref.hub, this.ref.hub, this.ref.token, ...this.registries, this.entry(r.below(3))?.address ?? this.ref.hub]);
    const iface = r.pick([this.hub, this.hub, this.token, this.registry[0], this.entryAbi[2]]);
    const selectors = iface.fragments.filter((f) => f.type === 'function').map((f) => f.selector);
    const data = r.pick(['0x', r.bytes(1), r.bytes(3), r.bytes(4), concat([r.pick(selectors), r.bytes(32 * r.below(6))]),
      concat([r.pick(selectors), r.bytes(r.below(70))]), r.pick(selectors)]);
    return { name: 'garbage', from: this.someone(), to, data };
  }

  // ---- orders -------------------------------------------------------------------------------
  restrict(address) {
    const r = this.rng;
    return r.chance(0.75) ? ZeroAddress : r.chance(0.5) ? address : r.chance(0.7) ? r.pick(this.accounts.groups) : this.anyAddress();
  }

  sign(kind, order, owner) {
    const r = this.rng, order_ = O.orderHash(this.domain, kind, order), who = this.signer(owner);
    const hash = owner === this.accounts.wallet ? this.accounts.digest(order_) : order_;
    this.ids.hashes.add(order_);
    const how = r.weighted({ good: 30, compact: 3, other: 1, short: 1, highS: 1, v: 1, empty: 2, flip: 1 });
    const sig = O.signHash(how === 'other' ? r.pick(this.signers) : who, hash);
    if (how === 'compact') return O.compact(who, hash);
    if (how === 'short') return sig.slice(0, 2 + 2 * r.below(66));
    if (how === 'v') return sig.slice(0, 130) + r.pick(['00', '01', '1d', 'ff']);
    if (how === 'empty') return '0x';
    if (how === 'flip') return sig.slice(0, 40) + (sig[40] === '0' ? '1' : '0') + sig.slice(41);
    if (how === 'highS') {
      const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
      const s = n - BigInt('0x' + sig.slice(66, 130));
      return sig.slice(0, 66) + s.toString(16).padStart(64, '0') + (sig.slice(130) === '1b' ? '1c' : '1b');
    }
    return sig;
  }

  makeSet() {
    const r = this.rng, app = this.entry(0), pool = this.entry(2), ds = r.chance(0.6) ? this.entry(1) : undefined;
    if (!app || !pool || (r.chance(0) && !ds)) return undefined;
    const requester = r.chance(0.12) ? this.accounts.wallet : this.someone(), tag = r.pick(TAGS), trust = r.pick([0, 1, 1, 2, 3, 5, 10]), category = r.pick([0, 0, 1, 2, 4]);
    const volume = () => r.pick([1, 1, 2, 3, 5, 0, 9007199254740992n, MAX]);
    const price = () => r.pick(PRICES);
    const salt = () => r.hash();
    const dsAddress = ds?.address ?? ZeroAddress;
    const ao = { app: app.address, appprice: price(), volume: volume(), tag: r.chance(0.7) ? tag : r.pick(TAGS), datasetrestrict: this.restrict(dsAddress), workerpoolrestrict: this.restrict(pool.address), requesterrestrict: this.restrict(requester), salt: salt() };
    const dso = ds ? { dataset: ds.address, datasetprice: price(), volume: volume(), tag: r.pick(TAGS), apprestrict: this.restrict(app.address), workerpoolrestrict: this.restrict(pool.address), requesterrestrict: this.restrict(requester), salt: salt() } : O.noDataset();
    const wo = { workerpool: pool.address, workerpoolprice: price(), volume: volume(), tag: r.chance(0.7) ? zeroPadValue('0x010f', 32) : r.pick(TAGS), category, trust: trust + r.pick([0, 0, 2]), apprestrict: this.restrict(app.address), datasetrestrict: this.restrict(dsAddress), requesterrestrict: this.restrict(requester), salt: salt() };
    const ro = { app: app.address, appmaxprice: ao.appprice, dataset: dsAddress, datasetmaxprice: ds ? dso.datasetprice : 0, workerpool: this.restrict(pool.address), workerpoolmaxprice: wo.workerpoolprice, requester, volume: volume(), tag, category, trust, beneficiary: this.rng.pick([requester, ZeroAddress, this.someone()]), callback: r.pick([ZeroAddress, ZeroAddress, ZeroAddress, this.someone(), this.ref.hub, this.accounts.inbox, this.accounts.inbox]), params: r.pick(['', '{"iexec_args":"x"}', '<é>', 'p'.repeat(70)]), salt: salt() };
    if (r.chance(0.25)) this.spoilSet(ao, dso, wo, ro);
    ao.sign = this.sign('app', ao, app.owner);
    if (ds) dso.sign = this.sign('dataset', dso, ds.owner);
    wo.sign = this.sign('workerpool', wo, pool.owner);
    ro.sign = this.sign('request', ro, requester);
    const set = { app: ao, dataset: dso, workerpool: wo, request: ro, pool, appOwner: app.owner };
    for (const k of ['app', 'workerpool', 'request']) this.orders[k].push(set[k]);
    if (ds) this.orders.dataset.push(dso);
    return set;
  }

  spoilSet(ao, dso, wo, ro) {
    const r = this.rng;
    r.pick([
      () => { ro.category = 99; wo.category = r.pick([99, ro.category]); },
      () => { ro.category = wo.category + 1; },
      () => { ro.trust = wo.trust + 1; },
      () => { ao.appprice = BigInt(ro.appmaxprice) + 1n; },
      () => { dso.datasetprice = BigInt(ro.datasetmaxprice) + 1n; },
      () => { wo.workerpoolprice = BigInt(ro.workerpoolmaxprice) + 1n; },
      () => { wo.tag = ZeroHash; ro.tag = TEE; },
      () => { ro.tag = TEE; ao.tag = ZeroHash; wo.tag = zeroPadValue('0x0f', 32); },
      () => { ro.app = this.anyAddress(); },
      () => { ro.dataset = this.anyAddress(); },
      () => { ro.workerpool = this.anyAddress(); },
      () => { ao.app = ro.app = r.pick([this.someone(), this.ref.token, this.ref.hub, this.ref.appregistry]); },
      () => { wo.workerpool = r.pick([this.ref.appregistry, this.entry(0).address]); ro.workerpool = ZeroAddress; },
      () => { const other = this.entry(2).address; ao.app = ro.app = other; wo.apprestrict = dso.apprestrict = ZeroAddress; },
      () => { const other = this.entry(0).address; dso.dataset = ro.dataset = other; ao.datasetrestrict = wo.datasetrestrict = ZeroAddress; },
      () => { dso.requesterrestrict = this.anyAddress(); ao.requesterrestrict = ZeroAddress; },
      () => { ro.requester = ZeroAddress; },
      () => { ao.appprice = ro.appmaxprice = MAX; },
      () => { wo.workerpoolprice = ro.workerpoolmaxprice = MAX / 2n; },
      () => { for (const k of ['requesterrestrict']) { ao[k] = wo[k] = dso[k] = this.ref.hub; } },
    ])();
  }

  set() {
    const r = this.rng;
    if (r.chance(0.75) || this.orders.request.length === 0) return this.makeSet();
    const app = r.pick(this.orders.app), pick = (k) => r.pick(this.orders[k]);
    const s = { app, dataset: this.orders.dataset.length && r.chance(0.5) ? pick('dataset') : O.noDataset(), workerpool: pick('workerpool'), request: pick('request') };
    return { ...s, pool: this.entries[2].find((e) => e.address === s.workerpool.workerpool) };
  }

  tuples(s) {
    return ['app', 'dataset', 'workerpool', 'request'].map((k) => O.tupleOf(k, s[k]));
  }

  matchOrders(fn = 'matchOrders') {
    const s = this.set();
    if (!s) return undefined;
    const c = this.hubCall(fn, this.tuples(s));
    c.note = { match: s };
    return c;
  }

  sponsorMatchOrders() {
    return this.matchOrders('sponsorMatchOrders');
  }

  manageOrder() {
    const r = this.rng, kind = r.pick(['app', 'dataset', 'workerpool', 'request']);
    if (r.chance(0.5)) this.makeSet();
    if (!this.orders[kind].length) return undefined;
    const order = r.pick(this.orders[kind]), op = r.below(2);
    const where = { app: 0, dataset: 1, workerpool: 2 }[kind];
    const owner = kind === 'request' ? order.requester : this.entries[where].find((e) => e.address === order[kind])?.owner ?? this.owner;
    const hash = O.operationHash(this.domain, kind, order, op);
    const signed = owner === this.accounts.wallet ? this.accounts.digest(hash) : hash;
    const from = r.chance(0.5) ? owner : this.someone();
    const sign = r.pick(['0x', O.signHash(this.signer(owner), signed), O.signHash(this.signer(owner), signed), this.rng.bytes(65), this.rng.bytes(3)]);
    const fn = `manage${O.TYPE_NAME[kind]}`;
    return this.hubCall(fn, [[O.tupleOf(kind, order), op, sign]], from === ZeroAddress ? this.owner : from);
  }

  // A group's members change, on both sides.
  member() {
    const r = this.rng, list = [...this.entries.flat().map((e) => e.address), ...this.signers.map((s) => s.address), this.accounts.wallet];
    return this.accounts.change(r.pick(this.accounts.groups), r.pick(list));
  }

  broadcast() {
    const kind = this.rng.pick(['app', 'dataset', 'workerpool', 'request']);
    return this.orders[kind].length ? this.hubCall(`broadcast${O.TYPE_NAME[kind]}`, [O.tupleOf(kind, this.rng.pick(this.orders[kind]))]) : undefined;
  }

  orderViews() {
    const r = this.rng, s = this.set();
    if (!s) return undefined;
    const hash = r.pick([...this.ids.hashes]);
    const deal = this.deals.length && r.chance(0.8) ? r.pick(this.deals).id : r.hash();
    return r.pick([
      () => this.hubCall('computeDealVolume', this.tuples(s)),
      () => this.hubCall('assertDatasetDealCompatibility', [O.tupleOf('dataset', this.orders.dataset.length ? r.pick(this.orders.dataset) : O.noDataset()), deal]),
      () => this.hubCall('verifySignature', [this.anyAddress(), hash, r.pick([s.app.sign, s.request.sign, r.bytes(65), '0x'])]),
      () => this.hubCall('verifyPresignature', [this.anyAddress(), hash]),
      () => this.hubCall('verifyPresignatureOrSignature', [this.someone(), hash, r.pick([s.app.sign, r.bytes(64)])]),
    ])();
  }

  // ---- tasks --------------------------------------------------------------------------------
  task() {
    if (this.focus) return this.focus;
    return this.tasks.length ? this.rng.chance(0.6) ? this.tasks[this.tasks.length - 1 - this.rng.below(Math.min(4, this.tasks.length))] : this.rng.pick(this.tasks) : undefined;
  }

  initialize() {
    if (!this.deals.length) return undefined;
    const r = this.rng, d = r.chance(0.7) ? this.deals[this.deals.length - 1] : r.pick(this.deals);
    const idx = r.chance(0.9) ? d.first + BigInt(r.below(Number(d.size > 4n ? 4n : d.size || 1n))) : r.pick([d.first + d.size, d.first - 1n < 0n ? MAX : d.first - 1n, MAX]);
    const c = this.hubCall('initialize', [r.chance(0.97) ? d.id : r.hash(), idx]);
    c.note = { task: this.taskOf(d, idx) };
    return c;
  }

  taskOf(deal, idx) {
    return { id: keccak256(concat([deal.id, toBeHex(idx, 32)])), deal, idx, digests: new Map(), answer: this.rng.hash(), data: this.rng.bytes(1 + this.rng.below(50)) };
  }

  pairs() {
    const r = this.rng, n = r.below(4), ids = [], idx = [];
    for (let i = 0; i < n; i++) {
      const d = r.pick(this.deals);
      ids.push(d.id);
      idx.push(d.first + BigInt(r.below(4)));
    }
    if (r.chance(0.1)) idx.push(0n);
    return [ids, idx];
  }

  initializeArray() {
    return this.deals.length ? this.hubCall('initializeArray', this.pairs()) : undefined;
  }

  initializeAndClaimArray() {
    return this.deals.length ? this.hubCall('initializeAndClaimArray', this.pairs()) : undefined;
  }

  authorisation(task, worker, enclave) {
    const r = this.rng;
    const h = keccak256(concat([worker, task.id, enclave])); // of a broker or the pool's owner
    const by = this.broker && enclave !== ZeroAddress ? this.broker : task.deal.poolOwner;
    return r.chance(0.92) ? this.signer(by).signMessageSync(getBytes(h)) : r.pick([this.signers[2].signMessageSync(getBytes(h)), r.bytes(65), '0x', r.bytes(64)]);
  }

  seals(task, worker, digest) {
    return [keccak256(concat([task.id, digest])), keccak256(concat([worker, task.id, digest]))];
  }

  enclave(task) {
    const r = this.rng, tee = (BigInt(task.deal.tag) & 1n) === 1n;
    return (tee ? r.chance(0.9) : r.chance(0.15)) ? r.pick([...this.enclaves, this.walletEnclave()]) : undefined;
  }

  // The wallet as an enclave challenge: it signs its own digest of the message's hash.
  walletEnclave() {
    const { wallet: address, signer } = this.accounts;
    return { address, signMessageSync: (m) => O.signHash(signer, this.accounts.digest(hashMessage(m))) };
  }

  // The digest a worker claims: the true answer, a lie of his own, or the digest of callback data.
  digest(task) {
    return task.deal.callback !== ZeroAddress && this.rng.chance(0.9) ? keccak256(task.data) : this.rng.chance(0.75) ? task.answer : this.rng.pick([this.rng.hash(), keccak256('0x01')]);
  }

  contribute() {
    const task = this.task();
    if (!task) return undefined;
    const r = this.rng, worker = r.chance(0.95) ? this.rng.pick(this.signers.slice(1, 6)).address : this.someone(), digest = this.digest(task);
    const [resultHash, seal] = this.seals(task, worker, digest), e = this.enclave(task), ea = e?.address ?? ZeroAddress;
    const es = e ? (r.chance(0.93) ? e.signMessageSync(getBytes(keccak256(concat([resultHash, seal])))) : r.bytes(65)) : r.pick(['0x', r.bytes(32)]);
    task.digests.set(worker, digest);
    return this.hubCall('contribute', [task.id, resultHash, seal, ea, es, this.authorisation(task, worker, ea)], worker);
  }

  reveal() {
    const task = this.task();
    if (!task || !task.digests.size) return undefined;
    const [worker, digest] = this.rng.pick([...task.digests]);
    return this.hubCall('reveal', [task.id, this.rng.chance(0.93) ? digest : this.rng.hash()], worker);
  }

  reopen() {
    const t = this.task();
    return t && this.hubCall('reopen', [t.id], this.rng.chance(0.9) ? t.deal.poolOwner : this.someone());
  }

  results(t) {
    const r = this.rng, cb = t.deal.callback !== ZeroAddress;
    return [r.pick(['0x', r.bytes(70), '0x7b7d']), cb ? (r.chance(0.9) ? t.data : '0x') : (r.chance(0.93) ? '0x' : t.data)];
  }

  finalize() {
    const t = this.task();
    return t && this.hubCall('finalize', [t.id, ...this.results(t)], this.rng.chance(0.93) ? t.deal.poolOwner : this.someone());
  }

  contributeAndFinalize() {
    const t = this.task();
    if (!t) return undefined;
    const r = this.rng, worker = this.rng.pick(this.signers.slice(1, 6)).address, [results, callback] = this.results(t);
    const digest = t.deal.callback !== ZeroAddress && r.chance(0.9) ? keccak256(callback) : t.answer;
    const [resultHash, seal] = this.seals(t, worker, digest), e = this.enclave(t), ea = e?.address ?? ZeroAddress;
    const es = e ? e.signMessageSync(getBytes(keccak256(concat([resultHash, seal])))) : '0x';
    return this.hubCall('contributeAndFinalize', [t.id, digest, results, callback, ea, es, this.authorisation(t, worker, ea)], worker);
  }

  claim() {
    const t = this.task();
    return t && this.hubCall('claim', [this.rng.chance(0.97) ? t.id : this.rng.hash()]);
  }

  claimArray() {
    if (!this.tasks.length) return undefined;
    return this.hubCall('claimArray', [Array.from({ length: this.rng.below(4) }, () => this.task().id)]);
  }

  // ---- money --------------------------------------------------------------------------------
  deposit() { return this.hubCall('deposit', [this.amount()]); }
  depositFor() { return this.hubCall('depositFor', [this.amount(), this.anyAddress()]); }
  depositForArray() {
    const n = this.rng.below(4);
    return this.hubCall('depositForArray', [Array.from({ length: n }, () => this.amount() % 1000n), Array.from({ length: this.rng.chance(0.9) ? n : n + 1 }, () => this.anyAddress())]);
  }
  withdraw() { return this.hubCall('withdraw', [this.amount()]); }
  withdrawTo() { return this.hubCall('withdrawTo', [this.amount(), this.anyAddress()]); }
  recover() { return this.hubCall('recover', [], this.rng.chance(0.7) ? this.owner : this.someone()); }

  operation() {
    const r = this.rng, s = this.set();
    const match = s && this.hub.encodeFunctionData('matchOrders', this.tuples(s));
    return [r.pick(['0x', '0x', r.bytes(2), r.bytes(4), match ?? '0x', match ?? '0x', match ? match.slice(0, 300) : '0x', this.hub.encodeFunctionData('deposit', [1])]), s];
  }

  receiveApproval() {
    const [data] = this.operation();
    return this.hubCall('receiveApproval', [this.someone(), this.amount(), this.rng.chance(0.8) ? this.ref.token : this.anyAddress(), data]);
  }

  tokenCall(fn, args, from) { return this.call('token', this.ref.token, this.token, fn, args, from); }
  tokenTransfer() { return this.tokenCall('transfer', [this.anyAddress(), this.amount()]); }
  tokenApprove() { return this.tokenCall('approve', [this.rng.chance(0.6) ? this.ref.hub : this.anyAddress(), this.amount()]); }
  tokenTransferFrom() { return this.tokenCall('transferFrom', [this.someone(), this.anyAddress(), this.amount()]); }
  tokenApproveAndCall() {
    const [data, s] = this.operation();
    const from = s && this.rng.chance(0.7) && s.request.requester !== ZeroAddress ? s.request.requester : this.someone();
    return this.tokenCall('approveAndCall', [this.rng.chance(0.8) ? this.ref.hub : this.anyAddress(), this.amount(), data], from);
  }
  tokenOther() {
    const r = this.rng, from = r.chance(0.5) ? this.owner : this.someone();
    return r.pick([
      () => this.tokenCall('burn', [this.amount()], from), () => this.tokenCall('refill', [this.someone(), this.amount()], from),
      () => this.tokenCall('forceApprove', [this.someone(), this.someone(), this.amount()], from),
      () => this.tokenCall('forceBurn', [this.someone(), this.amount()], from), () => this.tokenCall('allowance', [this.someone(), this.ref.hub]),
      () => this.tokenCall(r.pick(['name', 'symbol', 'decimals', 'totalSupply', 'version', 'locked', 'initialSupply', 'owner']), []),
      () => this.tokenCall('balanceOf', [this.anyAddress()]), () => this.tokenCall('transferOwnership', [this.anyAddress()], from),
    ])();
  }
  hubTransfer() { return this.hubCall('transfer', [this.anyAddress(), this.amount()]); }
  hubApprove() { return this.hubCall('approve', [this.anyAddress(), this.amount()]); }
  hubTransferFrom() { return this.hubCall('transferFrom', [this.someone(), this.anyAddress(), this.amount()]); }
  hubAllowance() { return this.hubCall(this.rng.pick(['increaseAllowance', 'decreaseAllowance']), [this.anyAddress(), this.amount()]); }
  hubApproveAndCall() { return this.hubCall('approveAndCall', [this.anyAddress(), this.amount(), this.rng.bytes(this.rng.below(40))]); }

  // ---- configuration ------------------------------------------------------------------------
  config() {
    const r = this.rng, from = r.chance(0.6) ? this.owner : this.someone();
    return r.pick([
      () => { const b = r.chance(0.6) ? ZeroAddress : r.pick(this.signers).address; const c = this.hubCall('setTeeBroker', [b], from); c.note = { broker: b }; return c; },
      () => this.hubCall('setCallbackGas', [r.pick([0, 100_000, 200_000])], from),
      () => this.hubCall('configure', [this.ref.token, 'x', 'y', 9, ...this.registries, ZeroAddress], from),
      () => this.hubCall('updateDomainSeparator', [], from),
      () => this.hubCall('changeRegistries', r.chance(0.8) ? this.registries : [this.ref.datasetregistry, this.ref.appregistry, this.ref.workerpoolregistry], from),
    ])();
  }
  category() { return this.hubCall('createCategory', [this.rng.pick(['T', 'zero', '']), '"x"', this.rng.pick([0, 1, 10, 100])], this.rng.chance(0.7) ? this.owner : this.someone()); }
  score() { return this.hubCall('importScore', [this.someone()]); }
  ownership() { return this.call('hub', this.ref.hub, this.diamond, 'transferOwnership', [this.rng.chance(0.5) ? this.owner : this.someone()], this.rng.chance(0.3) ? this.owner : this.someone()); }
  loupe() {
    const selector = this.rng.pick([this.hub.getFunction('deposit').selector, '0x01ffc9a7', '0xffffffff', '0x12345678', '0x1f931c1c', '0x48e2b093', '0x7f5828d0']);
    return this.call('hub', this.ref.hub, this.diamond, 'supportsInterface', [selector]);
  }
  cut() {
    // Only cuts that are empty or refused: souk's hub takes no foreign code (excuses.json).
    const r = this.rng, facet = r.pick([this.ref.token, this.someone(), ZeroAddress]), action = r.below(3);
    const selectors = r.chance(0.3) ? [] : [action === 0 ? this.hub.getFunction('deposit').selector : '0x12345678'];
    return this.call('hub', this.ref.hub, this.diamond, 'diamondCut', [r.chance(0.3) ? [] : [[facet, action, selectors]], ZeroAddress, '0x'], r.chance(0.5) ? this.owner : this.signers[4].address);
  }

  // ---- registries and entries ---------------------------------------------------------------
  create(kind, args, owner) {
    const fn = ['createApp', 'createDataset', 'createWorkerpool'][kind];
    const predict = this.rng.chance(0.2);
    const c = this.call('registry', this.registries[kind], this.registry[kind], predict ? fn.replace('create', 'predict') : fn, [owner, ...args]);
    c.note = { created: predict ? undefined : { kind, owner } };
    return c;
  }
  eoa(address) { return address === this.accounts.wallet ? this.someone() : address; }
  entryOwner() { return this.rng.chance(0.15) ? this.accounts.wallet : this.rng.chance(0.95) ? this.rng.pick(this.signers.slice(0, 6)).address : ZeroAddress; }
  label() { return this.rng.pick(['a', 'b', 'é∞', 'long '.repeat(20), '', this.rng.bytes(3)]); }
  createApp() { return this.create(0, [this.label(), 'DOCKER', this.rng.bytes(this.rng.below(50)), this.rng.hash(), this.rng.bytes(this.rng.below(3))], this.entryOwner()); }
  createDataset() { return this.create(1, [this.label(), this.rng.bytes(this.rng.below(50)), this.rng.hash()], this.entryOwner()); }
  createWorkerpool() { return this.create(2, [this.label()], this.eoa(this.entryOwner())); }

  someToken() {
    const r = this.rng, kind = r.below(3), e = this.entry(kind);
    return { kind, e, id: e && r.chance(0.93) ? BigInt(e.address) : r.pick([0n, 1n, MAX, BigInt(this.ref.hub)]) };
  }
  registryCall(kind, fn, args, from) { return this.call('registry', this.registries[kind], this.registry[kind], fn, args, from); }
  registryTransfer() {
    const r = this.rng, { kind, e, id } = this.someToken(), owner = e?.owner ?? this.owner;
    const from = r.chance(0.85) ? owner : this.someone(), to = r.chance(0.8) ? this.rng.pick(this.signers.slice(0, 6)).address : this.anyAddress();
    const args = [r.chance(0.93) ? owner : this.someone(), to, id];
    const fn = r.pick(['transferFrom(address,address,uint256)', 'safeTransferFrom(address,address,uint256)', 'safeTransferFrom(address,address,uint256,bytes)']);
    const c = this.registryCall(kind, fn, fn.endsWith('bytes)') ? [...args, r.bytes(r.below(9))] : args, from);
    c.note = e && { moved: { e, to } };
    return c;
  }
  registryApprove() {
    const r = this.rng, { kind, e, id } = this.someToken();
    return r.chance(0.6) ? this.registryCall(kind, 'approve', [this.anyAddress(), id], r.chance(0.8) && e ? e.owner : this.someone())
      : this.registryCall(kind, 'setApprovalForAll', [this.anyAddress(), r.chance(0.7)]);
  }
  registryOther() {
    const r = this.rng, kind = r.below(3), from = r.chance(0.5) ? this.owner : this.someone();
    return r.pick([
      () => this.registryCall(kind, 'setBaseURI', [r.pick(['', 'https://x/', 'ü'])], from), () => this.registryCall(kind, 'setName', [this.someone(), 'n'], from),
      () => this.registryCall(kind, 'initialize', [this.anyAddress()], from), () => this.registryCall(kind, 'transferOwnership', [this.anyAddress()], from),
      () => this.registryCall(kind, 'renounceOwnership', [], r.chance(0.1) ? this.owner : this.signers[3].address),
    ])();
  }
  registryViews() {
    const r = this.rng, { kind, id } = this.someToken(), who = this.anyAddress();
    return r.pick([
      () => this.registryCall(kind, 'ownerOf', [id]), () => this.registryCall(kind, 'getApproved', [id]), () => this.registryCall(kind, 'tokenURI', [id]),
      () => this.registryCall(kind, 'balanceOf', [who]), () => this.registryCall(kind, 'isApprovedForAll', [who, this.someone()]),
      () => this.registryCall(kind, 'tokenByIndex', [r.below(6)]), () => this.registryCall(kind, 'tokenOfOwnerByIndex', [who, r.below(4)]),
      () => this.registryCall(kind, 'isRegistered', [r.chance(0.6) && this.entry(kind) ? this.entry(kind).address : who]),
      () => this.registryCall(kind, 'supportsInterface', [r.pick(['0x01ffc9a7', '0x80ac58cd', '0x5b5e139f', '0x780e9d63', '0xffffffff', '0x12345678'])]),
      () => this.registryCall(kind, r.pick(['name', 'symbol', 'owner', 'totalSupply', 'baseURI', 'previous', 'initialized', 'proxyCodeHash']), []),
    ])();
  }
  entryCall() {
    const r = this.rng, kind = r.below(3), e = this.entry(kind);
    if (!e) return undefined;
    const fns = this.entryAbi[kind].fragments.filter((f) => f.type === 'function' && f.stateMutability === 'view').map((f) => f.name);
    const from = r.chance(0.7) ? e.owner : this.someone(), at = (fn, args, who = from) => this.call('entry', e.address, this.entryAbi[kind], fn, args, who);
    return r.pick([
      () => at(r.pick(fns), []), () => at('setName', [this.someone(), 'n']),
      () => (kind === 2 ? at('changePolicy', [r.pick([0, 30, 100, MAX]), r.pick([0, 1, 50, 100, 101])]) : at('owner', [])),
      () => at('initialize', kind === 0 ? ['a', 'b', '0x', ZeroHash, '0x'] : kind === 1 ? ['a', '0x', ZeroHash] : ['a']),
    ])();
  }

  hubViews() {
    const r = this.rng, deal = this.deals.length ? r.pick(this.deals).id : r.hash(), task = this.task()?.id ?? r.hash(), who = this.anyAddress();
    const h = (fn, args) => () => this.hubCall(fn, args);
    return r.pick([
      () => ({ name: 'hub:view', from: this.someone(), to: this.ref.hub, data: keccak256(Buffer.from(r.pick(VIEWS0))).slice(0, 10) }),
      h('viewDeal', [deal]), h('viewTask', [task]), h('viewContribution', [task, who]), h('viewAccount', [who]), h('viewScore', [who]),
      h('viewCategory', [r.pick([0, 4, 5, 99, MAX])]), h('viewCategoryABILegacy', [r.pick([0, 4, 5])]), h('viewDealABILegacy_pt1', [deal]),
      h('viewDealABILegacy_pt2', [deal]), h('viewConfigABILegacy', [deal]), h('viewTaskABILegacy', [task]), h('viewContributionABILegacy', [task, who]),
      h('viewAccountABILegacy', [who]), h('resultFor', [task]), h('viewPresigned', [r.hash()]), h('viewConsumed', [r.hash()]), h('balanceOf', [who]),
      h('frozenOf', [who]), h('allowance', [who, this.someone()]), h('viewApp', [r.pick([this.entry(0)?.address ?? who, who])]),
      h('viewDataset', [r.pick([this.entry(1)?.address ?? who, who])]), h('viewWorkerpool', [r.pick([this.entry(2)?.address ?? who, who])]),
    ])();
  }

  // The life of one task of a new deal, in the order that leads somewhere; other calls, caller
  // changes and spoilt bytes still come between the steps.
  lead(deal) {
    const r = this.rng, t = this.taskOf(deal, deal.first);
    const focus = (make) => () => {
      this.focus = t;
      const c = make();
      this.focus = undefined;
      return c;
    };
    const several = (n, make) => Array.from({ length: n }, () => focus(make));
    this.plan = [
      () => ({ ...this.hubCall('initialize', [deal.id, deal.first]), note: { task: t } }),
      ...(r.chance(0.25) ? several(1, () => this.contributeAndFinalize()) : []),
      ...several(2 + r.below(7), () => this.contribute()),
      ...(r.chance(0.2) ? [...several(1, () => this.pause(700)), ...several(1, () => this.reopen()), ...several(4, () => this.contribute())] : []),
      ...several(2 + r.below(6), () => this.reveal()),
      ...(r.chance(0.3) ? several(1, () => this.pause(700)) : []),
      ...several(2, () => this.finalize()),
      ...(r.chance(0.3) ? [...several(1, () => this.pause(3100)), ...several(2, () => this.claim())] : []),
    ];
  }

  // A call that changes nothing, some time later.
  pause(seconds) {
    return { ...this.hubCall('countCategory', []), jump: seconds };
  }

  // What the reference's answer says has come into being.
  learn(call, report) {
    if (report.status !== 1 || !call.note) return;
    const { match, task, created, moved, broker } = call.note;
    if (match) {
      const log = report.logs.map((l) => tryParse(this.hub, l)).find((l) => l?.name === 'OrdersMatched');
      if (log) {
        const first = this.used.get(log.args.requestHash) ?? 0n;
        this.used.set(log.args.requestHash, first + log.args.volume);
        this.deals.push({ id: log.args.dealid, first, size: log.args.volume, poolOwner: match.pool?.owner ?? this.owner, tag: match.request.tag, callback: match.request.callback});
        this.ids.deals.add(log.args.dealid);
        if (this.plan.length === 0) this.lead(this.deals[this.deals.length - 1]);
      }
    }
    if (task) {
      this.tasks.push(task);
      this.ids.tasks.add(task.id);
    }
    if (created) this.entries[created.kind].push({ address: addressOf(report.call.data), owner: created.owner });
    if (moved) moved.e.owner = moved.to;
    if (broker !== undefined) this.broker = broker === ZeroAddress ? undefined : broker;
  }

  // Every view of every id that occurred.
  allViews() {
    const out = [], h = (fn, args) => out.push(this.hubCall(fn, args, this.owner));
    for (const v of VIEWS0) out.push({ name: v, from: this.owner, to: this.ref.hub, data: keccak256(Buffer.from(v)).slice(0, 10) });
    for (const d of this.ids.deals) for (const f of ['viewDeal', 'viewDealABILegacy_pt1', 'viewDealABILegacy_pt2', 'viewConfigABILegacy']) h(f, [d]);
    for (const t of this.ids.tasks) {
      for (const f of ['viewTask', 'viewTaskABILegacy', 'resultFor']) h(f, [t]);
      for (const s of this.signers) h('viewContribution', [t, s.address]);
    }
    for (const x of this.ids.hashes) for (const f of ['viewConsumed', 'viewPresigned']) h(f, [x]);
    for (const a of [...this.signers.map((s) => s.address), this.accounts.wallet, this.ref.hub, KITTY, ZeroAddress]) {
      for (const f of ['viewAccount', 'viewScore', 'balanceOf', 'frozenOf']) h(f, [a]);
      out.push(this.tokenCall('balanceOf', [a], this.owner));
      for (let k = 0; k < 3; k++) out.push(this.registryCall(k, 'balanceOf', [a], this.owner));
    }
    this.entries.forEach((list, k) => list.forEach((e) => {
      h(['viewApp', 'viewDataset', 'viewWorkerpool'][k], [e.address]);
      out.push(this.registryCall(k, 'ownerOf', [BigInt(e.address)], this.owner), this.registryCall(k, 'getApproved', [BigInt(e.address)], this.owner));
    }));
    for (let k = 0; k < 3; k++) for (const f of ['name', 'symbol', 'owner', 'totalSupply', 'baseURI', 'previous', 'initialized']) out.push(this.registryCall(k, f, [], this.owner));
    for (const f of ['name', 'symbol', 'decimals', 'totalSupply', 'version', 'locked', 'initialSupply', 'owner']) out.push(this.tokenCall(f, [], this.owner));
    this.entries.forEach((list, k) => list.forEach((e) => this.entryAbi[k].forEachFunction((f) => {
      if (f.inputs.length === 0) out.push(this.call('entry', e.address, this.entryAbi[k], f, [], this.owner));
    })));
    for (let k = 0; k < 3; k++) for (let i = 0; i < this.entries[k].length; i++) out.push(this.registryCall(k, 'tokenByIndex', [i], this.owner));
    return out;
  }
}

export function tryParse(iface, log) {
  try {
    return iface.parseLog(log);
  } catch {
    return null;
  }
}

const addressOf = (word) => '0x' + word.slice(26, 66);
