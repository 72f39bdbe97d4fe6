// SPDX-License-Identifier: Apache-2.0
// market.mjs RPC HUB MARKET PHASE STATE - the order book's REST interface, from a wallet's side. Phase
// "publish" makes assets and orders, phase "follow" (maybe after a restart of the book) uses them up
// on the chain and watches the book follow; phase "reorg" undoes blocks under it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { ethers } from 'ethers';

const [rpc, hubAddress, market, phase, stateFile] = process.argv.slice(2);
const provider = new ethers.JsonRpcProvider(rpc, undefined, { pollingInterval: 20, cacheTimeout: -1 });
const phrase = 'test test test test test test test test test test test junk';
const account = (i) => ethers.HDNodeWallet.fromPhrase(phrase, '', `m/44'/60'/0'/0/${i}`).connect(provider);
const [admin, seller, buyer, stranger] = [0, 1, 2, 3].map(account);
const chainId = Number((await provider.getNetwork()).chainId);
const ZERO = ethers.ZeroAddress;
const NOTAG = ethers.ZeroHash;
const TEE = `0x${'0'.repeat(63)}9`;

const field = (s) => s.split(' ').map((f) => { const [type, name] = f.split(':'); return { name, type }; });
const types = {
  app: { AppOrder: field('address:app uint256:appprice uint256:volume bytes32:tag address:datasetrestrict address:workerpoolrestrict address:requesterrestrict bytes32:salt') },
  dataset: { DatasetOrder: field('address:dataset uint256:datasetprice uint256:volume bytes32:tag address:apprestrict address:workerpoolrestrict address:requesterrestrict bytes32:salt') },
  workerpool: { WorkerpoolOrder: field('address:workerpool uint256:workerpoolprice uint256:volume bytes32:tag uint256:category uint256:trust address:apprestrict address:datasetrestrict address:requesterrestrict bytes32:salt') },
  request: { RequestOrder: field('address:app uint256:appmaxprice address:dataset uint256:datasetmaxprice address:workerpool uint256:workerpoolmaxprice address:requester uint256:volume bytes32:tag uint256:category uint256:trust address:beneficiary address:callback string:params bytes32:salt') },
};
const tuple = (kind) => `tuple(${Object.values(types[kind])[0].map((f) => `${f.type} ${f.name}`).join(',')},bytes sign)`;
const hub = new ethers.Contract(hubAddress, [
  'function token() view returns (address)', 'function appregistry() view returns (address)',
  'function datasetregistry() view returns (address)', 'function workerpoolregistry() view returns (address)',
  'function viewAccount(address) view returns (tuple(uint256 stake, uint256 locked))',
  'function countCategory() view returns (uint256)', 'function createCategory(string,string,uint256) returns (uint256)',
  `function matchOrders(${tuple('app')},${tuple('dataset')},${tuple('workerpool')},${tuple('request')}) returns (bytes32)`,
  `function manageDatasetOrder(tuple(${tuple('dataset')} order,uint8 operation,bytes sign))`,
  'function withdraw(uint256) returns (bool)',
  'event OrdersMatched(bytes32 dealid,bytes32 appHash,bytes32 datasetHash,bytes32 workerpoolHash,bytes32 requestHash,uint256 volume)',
], provider);
const token = new ethers.Contract(await hub.token(), ['function transfer(address,uint256) returns (bool)',
  'function balanceOf(address) view returns (uint256)', 'function approveAndCall(address,uint256,bytes) returns (bool)'], provider);
const registry = async (name) => new ethers.Contract(await hub[name](), [
  'function createApp(address,string,string,bytes,bytes32,bytes) returns (address)',
  'function createDataset(address,string,bytes,bytes32) returns (address)',
  'function createWorkerpool(address,string) returns (address)',
  'function transferFrom(address,address,uint256)',
  'event Transfer(address indexed from,address indexed to,uint256 indexed tokenId)'], provider);
const done = async (sending) => { const r = await (await sending).wait(); assert.equal(r.status, 1); return r; };
const asset = async (reg, sending) => {
  const r = await done(sending);
  const log = r.logs.filter((l) => l.address === reg.target).map((l) => reg.interface.parseLog(l)).find((l) => l?.name === 'Transfer');
  return ethers.getAddress(ethers.toBeHex(log.args.tokenId, 20));
};

const call = async (method, path, body, headers = {}) => {
  const url = `${market}${path}${path.includes('?') ? '&' : '?'}chainId=${chainId}`;
  const res = await fetch(url, { method, headers: { 'content-type': 'application/json', ...headers }, body: body && JSON.stringify(body) });
  assert.match(res.headers.get('content-type'), /application\/json/);
  return { status: res.status, ...await res.json() };
};
const get = (path) => call('GET', path);
const authorize = async (wallet) => {
  const { data } = await get(`/challenge?address=${wallet.address}`);
  const { EIP712Domain, ...rest } = data.types;
  assert.equal(EIP712Domain.length, 3);
  const hash = ethers.TypedDataEncoder.hash(data.domain, rest, data.message);
  return `${hash}_${await wallet.signTypedData(data.domain, rest, data.message)}_${wallet.address}`;
};
const domain = { name: 'iExecODB', version: '5.0.0', chainId, verifyingContract: hubAddress };
const sign = async (wallet, kind, order) => ({ ...order, sign: await wallet.signTypedData(domain, types[kind], order) });
const hashOf = (kind, { sign: _, ...order }) => ethers.TypedDataEncoder.hash(domain, types[kind], order);
const salt = () => ethers.hexlify(ethers.randomBytes(32));
const make = {
  app: (o) => ({ app: ZERO, appprice: 5, volume: 10, tag: NOTAG, datasetrestrict: ZERO, workerpoolrestrict: ZERO, requesterrestrict: ZERO, salt: salt(), ...o }),
  dataset: (o) => ({ dataset: ZERO, datasetprice: 3, volume: 10, tag: NOTAG, apprestrict: ZERO, workerpoolrestrict: ZERO, requesterrestrict: ZERO, salt: salt(), ...o }),
  workerpool: (o) => ({ workerpool: ZERO, workerpoolprice: 10, volume: 5, tag: NOTAG, category: 0, trust: 0, apprestrict: ZERO, datasetrestrict: ZERO, requesterrestrict: ZERO, salt: salt(), ...o }),
  request: (o) => ({ app: ZERO, appmaxprice: 5, dataset: ZERO, datasetmaxprice: 0, workerpool: ZERO, workerpoolmaxprice: 10, requester: buyer.address, volume: 1, tag: NOTAG, category: 0, trust: 0, beneficiary: buyer.address, callback: ZERO, params: '{"iexec_args":"é \\" x"}', salt: salt(), ...o }),
};
const publish = async (wallet, kind, order) => call('POST', `/${kind}orders`, { order }, { authorization: await authorize(wallet) });
const put = async (wallet, kind, o) => publish(wallet, kind, await sign(wallet, kind, make[kind](o)));
const good = (r) => { assert.equal(r.status, 200, r.error); return r.published; };
const refused = (r, status, error) => { assert.deepEqual([r.status, r.ok, r.error], [status, false, error]); };
const unpublish = async (wallet, kind, body) => call('PUT', `/${kind}orders`, body, { authorization: await authorize(wallet) });
const until = async (f, what) => {
  for (let i = 0; i < 200; i++) { if (await f()) return; await new Promise((r) => setTimeout(r, 50)); }
  assert.fail(`waited in vain for: ${what}`);
};
const status = async (kind, hash) => { const o = await get(`/${kind}orders/${hash}`); return o.ok ? `${o.status} ${o.remaining}` : o.error; };
const json = (v) => JSON.stringify(v, (k, x) => typeof x === 'bigint' ? x.toString() : x);
const apps = await registry('appregistry');
const datasets = await registry('datasetregistry');
const pools = await registry('workerpoolregistry');
const name = () => salt().slice(0, 12);

async function publishing() {
  for (const w of [seller, buyer]) {
    if (await token.balanceOf(w.address) < 5000n) await done(token.connect(admin).transfer(w.address, 5000n));
    await done(token.connect(w).approveAndCall(hubAddress, 5000n, '0x'));
  }
  const checksum = ethers.id('x');
  const app = await asset(apps, apps.connect(seller).createApp(seller.address, name(), 'DOCKER', '0x01', checksum, '0x'));
  const dataset = await asset(datasets, datasets.connect(seller).createDataset(seller.address, name(), '0x01', checksum));
  const pool = await asset(pools, pools.connect(seller).createWorkerpool(seller.address, name()));

  // what is refused, and with which words
  refused(await call('POST', '/apporders', { order: {} }), 400, 'order.app: is missing; must be an address (0x, 40 digits)');
  const order = await sign(seller, 'app', make.app({ app }));
  refused(await call('POST', '/apporders', { order }), 403, 'invalid authorization');
  const once = await authorize(seller);
  refused(await call('POST', '/apporders', { order }, { authorization: once.replace(seller.address, buyer.address) }), 403, 'invalid authorization');
  refused(await put(stranger, 'app', { app: stranger.address }), 403, 'Resource not deployed');
  refused(await put(stranger, 'app', { app }), 403, `only order signer ${seller.address} can publish an order`);
  refused(await publish(seller, 'app', { ...order, appprice: 6 }), 403, 'invalid sign');
  refused(await put(seller, 'workerpool', { workerpool: pool, workerpoolprice: 100000, volume: 10 }), 403, "workerpool owner's stake is too low to cover required workerpool lock");
  refused(await put(buyer, 'request', { app, volume: 1000 }), 403, 'requester stake is too low to cover requestorder payment, minimum stake required is 15000 nRLC');
  refused(await put(buyer, 'request', { app }), 403, `No apporder published for app ${app}`);
  refused(await put(buyer, 'request', { app, tag: TEE }), 403, `No tee enabled apporder published for app ${app}`);

  // what is taken
  const used = await authorize(seller);
  const first = good(await call('POST', '/apporders', { order }, { authorization: used }));
  assert.equal(first.orderHash, hashOf('app', order));
  assert.deepEqual(first.order, { ...order });
  assert.deepEqual([first.remaining, first.status, first.signer, first.chainId], [10, 'open', seller.address, chainId]);
  assert.match(first.publicationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  refused(await call('POST', '/apporders', { order }, { authorization: used }), 403, 'invalid authorization');
  refused(await publish(seller, 'app', order), 403, 'order already published');
  refused(await put(buyer, 'request', { app, appmaxprice: 1 }), 403, `appmaxprice for app ${app} is too low, actual best price is 5 nRLC`);
  refused(await put(buyer, 'request', { app, dataset }), 403, `No datasetorder published for dataset ${dataset}`);
  const set = good(await put(seller, 'dataset', { dataset }));
  refused(await put(buyer, 'request', { app, dataset, datasetmaxprice: 2 }), 403, `datasetmaxprice for dataset ${dataset} is too low, actual best price is 3 nRLC`);
  const wp = good(await put(seller, 'workerpool', { workerpool: pool }));
  const req = good(await put(buyer, 'request', { app, dataset, datasetmaxprice: 3, volume: 2 }));
  assert.equal(req.order.params, '{"iexec_args":"é \\" x"}');

  // listings: filters, order, pages
  const cheap = good(await put(seller, 'app', { app, appprice: 1, requesterrestrict: stranger.address }));
  const tee = good(await put(seller, 'app', { app, appprice: 9, tag: TEE, volume: 3 }));
  const list = async (q) => (await get(`/apporders?${q}`)).orders.map((o) => o.orderHash);
  assert.deepEqual(await list(`app=${app}`), [first.orderHash, tee.orderHash]);
  assert.deepEqual(await list(`app=${app}&requester=any`), [cheap.orderHash, first.orderHash, tee.orderHash]);
  assert.deepEqual(await list(`app=${app}&requester=${stranger.address}`), [cheap.orderHash, first.orderHash, tee.orderHash]);
  assert.deepEqual(await list(`app=${app}&requester=${stranger.address}&isRequesterStrict=true`), [cheap.orderHash]);
  assert.deepEqual(await list(`app=${app}&requester=${buyer.address}`), [first.orderHash, tee.orderHash]);
  assert.deepEqual(await list(`app=${app}&minTag=${TEE}`), [tee.orderHash]);
  assert.deepEqual(await list(`app=${app}&maxTag=${NOTAG}`), [first.orderHash]);
  assert.deepEqual(await list(`app=${app}&minVolume=4`), [first.orderHash]);
  assert.deepEqual(await list(`appOwner=${seller.address}&minTag=${TEE}`), [tee.orderHash]);
  assert.deepEqual(await list(`app=${buyer.address}`), []);
  refused(await get('/apporders?requester=any'), 400, 'app or appOwner is required');
  refused(await get(`/apporders?app=nonsense`), 400, 'app must be an ethereum address');
  refused(await get(`/apporders?app=${app}&pageSize=9`), 400, 'pageSize must be greater than or equal to 10');
  assert.equal((await get(`/workerpoolorders?category=0&workerpool=${pool}&minTrust=2`)).count, 0);
  assert.equal((await get(`/workerpoolorders?category=0&workerpool=${pool}&minTrust=1`)).count, 1);
  assert.equal((await get(`/datasetorders?dataset=${dataset}`)).orders[0].bulk, false);
  const bulk = good(await put(seller, 'dataset', { dataset, datasetprice: 0, volume: Number.MAX_SAFE_INTEGER - 1 }));
  assert.deepEqual((await get(`/datasetorders?dataset=${dataset}&bulkOnly=true`)).orders.map((o) => [o.orderHash, o.bulk]), [[bulk.orderHash, true]]);
  const many = [];
  for (let i = 0; i < 12; i++) many.push(good(await put(seller, 'workerpool', { workerpool: pool, workerpoolprice: 20 - i, category: 1, volume: 1 })).orderHash);
  const page = async (n) => get(`/workerpoolorders?category=1&workerpool=${pool}&pageSize=10&pageIndex=${n}`);
  const [p0, p1] = [await page(0), await page(1)];
  assert.deepEqual([p0.count, p0.orders.length, p0.nextPage, p1.orders.length, p1.nextPage], [12, 10, 10, 2, undefined]);
  assert.deepEqual([...p0.orders, ...p1.orders].map((o) => o.orderHash), many.reverse());
  for (let i = 13; i < 50; i++) good(await put(seller, 'workerpool', { workerpool: pool, workerpoolprice: 1, category: 2, volume: 1 }));
  refused(await put(seller, 'workerpool', { workerpool: pool, volume: 1 }), 403, `maximum of 50 published open workerpoolorders has been reached for wallet ${seller.address}`);

  // taking back
  refused(await unpublish(buyer, 'app', { target: 'unpublish_orderHash', orderHash: tee.orderHash }), 403, `only order signer ${seller.address} can unpublish an order`);
  assert.deepEqual((await unpublish(seller, 'app', { target: 'unpublish_last', app })).unpublished, [tee.orderHash]);
  refused(await unpublish(seller, 'app', { target: 'unpublish_orderHash', orderHash: tee.orderHash }), 403, `apporder with orderHash ${tee.orderHash} is not published`);
  refused(await unpublish(buyer, 'app', { target: 'unpublish_all', app }), 403, `no open apporder published by signer ${buyer.address} for app ${app}`);
  refused(await get(`/apporders/${tee.orderHash}`), 404, 'apporder not found');
  const extra = good(await put(seller, 'app', { app, appprice: 4 }));
  const counted = good(await put(buyer, 'request', { app, appmaxprice: 4 }));
  assert.deepEqual((await unpublish(seller, 'app', { target: 'unpublish_orderHash', orderHash: extra.orderHash })).unpublished, [extra.orderHash]);
  assert.equal(await status('request', counted.orderHash), 'dead 1'); // the best price is 5 again
  const best = await get(`/best?app=${app}&dataset=${dataset}&category=0&requester=${buyer.address}`);
  assert.deepEqual([best.apporder.orderHash, best.datasetorder.orderHash, best.workerpoolorder.orderHash, best.price], [first.orderHash, bulk.orderHash, wp.orderHash, 15]);
  refused(await get(`/best?app=${app}&category=4`), 404, 'No compatible workerpoolorder published in category 4');
  writeFileSync(stateFile, json({ app, dataset, pool, first, set, wp, req, bulk }));
}

async function following() {
  const s = JSON.parse(readFileSync(stateFile, 'utf8'));
  const hash = Object.fromEntries(['first', 'set', 'wp', 'req', 'bulk'].map((k) => [k, s[k].orderHash]));
  assert.equal(await status('app', hash.first), 'open 10'); // a restart loses nothing
  const r = await done(hub.connect(stranger).matchOrders(s.first.order, s.set.order, s.wp.order, s.req.order));
  const { args } = r.logs.map((l) => { try { return hub.interface.parseLog(l); } catch { return null; } }).find((l) => l?.name === 'OrdersMatched');
  await until(async () => (await get(`/deals/${args.dealid}`)).ok, 'the deal');
  const deal = await get(`/deals/${args.dealid}`);
  assert.deepEqual(deal.app, { pointer: s.app, owner: seller.address, price: 5 });
  assert.deepEqual([deal.volume, deal.botSize, deal.requester, deal.params, deal.transactionHash, deal.blockNumber],
    [2, 2, buyer.address, s.req.order.params, r.hash, r.blockNumber]);
  assert.equal(await status('app', hash.first), 'open 8');
  assert.equal(await status('workerpool', hash.wp), 'open 3');
  assert.equal(await status('request', hash.req), 'filled 0');
  for (const q of [`app=${s.app}`, `requester=${buyer.address}`, `requestorderHash=${hash.req}`, `workerpoolOwner=${seller.address}&category=0`]) {
    assert.ok((await get(`/deals?${q}`)).deals.some((d) => d.dealid === args.dealid), q);
  }
  refused(await get(`/deals/${ethers.ZeroHash}`), 404, 'deal not found');
  assert.ok((await get('/ohlc?category=0')).ohlc.some(([, price, volume]) => price === 10 && volume === 2));

  // a signer who cancels
  const operation = { order: s.set.order, operation: 1, sign: '0x' };
  await done(hub.connect(seller).manageDatasetOrder(operation));
  await until(async () => await status('dataset', hash.set) === 'canceled 0', 'the cancelled order');

  // an asset that moves: its orders are dead
  await done(datasets.connect(seller).transferFrom(seller.address, stranger.address, BigInt(s.dataset)));
  await until(async () => (await status('dataset', hash.bulk)).startsWith('dead'), 'the moved dataset');

  // a stake that falls
  const { stake } = await hub.viewAccount(seller.address);
  await done(hub.connect(seller).withdraw(stake));
  await until(async () => (await status('workerpool', hash.wp)) === 'dead 3', 'the stake too low');
  assert.equal((await get(`/workerpoolorders?workerpool=${s.pool}&category=0`)).count, 0);
  refused(await publish(seller, 'workerpool', s.wp.order), 403, "workerpool owner's stake is too low to cover required workerpool lock");
  await done(token.connect(seller).approveAndCall(hubAddress, stake, '0x'));
  assert.equal(good(await publish(seller, 'workerpool', s.wp.order)).remaining, 3); // a dead one may come back

  // a category made
  const id = Number(await hub.countCategory());
  await done(hub.connect(admin).createCategory('new "one"', 'd', 12345));
  await until(async () => (await get(`/categories/${id}`)).ok, 'the category');
  const cat = await get(`/categories/${id}`);
  assert.deepEqual([cat.name, cat.workClockTimeRef, cat.catid], ['new "one"', 12345, id]);
  assert.equal((await get('/categories?minWorkClockTimeRef=12345&maxWorkClockTimeRef=12345')).count, 1);
  refused(await get(`/categories/${id + 1}`), 404, 'category not found');
}

async function reorganising() {
  const s = JSON.parse(readFileSync(stateFile, 'utf8'));
  const req = good(await put(buyer, 'request', { app: s.app, volume: 1 }));
  const before = await status('app', s.first.orderHash);
  const snapshot = await provider.send('evm_snapshot', []);
  const none = await sign(seller, 'dataset', make.dataset({ datasetprice: 0 }));
  const r = await done(hub.connect(stranger).matchOrders(s.first.order, { ...none, sign: '0x' }, s.wp.order, req.order));
  const { args } = r.logs.map((l) => { try { return hub.interface.parseLog(l); } catch { return null; } }).find((l) => l?.name === 'OrdersMatched');
  await until(async () => (await get(`/deals/${args.dealid}`)).ok, 'the deal');
  assert.equal(await status('request', req.orderHash), 'filled 0');
  assert.equal(await provider.send('evm_revert', [snapshot]), true);
  for (let i = 0; i < 3; i++) await done(token.connect(admin).transfer(stranger.address, 1n));
  await until(async () => !(await get(`/deals/${args.dealid}`)).ok, 'the deal to be forgotten');
  assert.equal(await status('request', req.orderHash), 'open 1');
  assert.equal(await status('app', s.first.orderHash), before);
}

await { publish: publishing, follow: following, reorg: reorganising }[phase]();
console.log('ok');
