// SPDX-License-Identifier: Apache-2.0
// Modules order, orderbook, deal: signing, publishing, finding, matching, cancelling; claim.
import { Contract } from 'ethers';
import { assert, fails, finish, keyed, person, provider, random32, sdk, stack, until, utils } from './lib.mjs';

const a = await person(); // owns everything
const r = await person(); // asks
const other = await person();
const reader = sdk(stack.node);
const admin = sdk(keyed(process.env.SDK_ADMIN_KEY));
const { catid } = await admin.hub.createCategory({ name: 'none', description: 'over at once', workClockTimeRef: '0' });
const addr = '/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ';
const { address: app } = await a.iexec.app.deployApp({ owner: a.address, name: 'x', type: 'DOCKER', multiaddr: addr, checksum: random32() });
const { address: dataset } = await a.iexec.dataset.deployDataset({ owner: a.address, name: 'x', multiaddr: addr, checksum: random32() });
const { address: workerpool } = await a.iexec.workerpool.deployWorkerpool({ owner: a.address, description: 'x' });
await a.iexec.account.deposit('100000');
await r.iexec.account.deposit('100000');
const oa = a.iexec.order, or = r.iexec.order, book = reader.orderbook;

// making and signing
const plain = {
  app: () => oa.createApporder({ app, appprice: '5', volume: '10' }),
  dataset: () => oa.createDatasetorder({ dataset, datasetprice: '1', volume: '10' }),
  workerpool: () => oa.createWorkerpoolorder({ workerpool, workerpoolprice: '10', volume: '10', category: catid }),
  request: (more) => or.createRequestorder({ app, dataset, workerpool, appmaxprice: '5', datasetmaxprice: '1', workerpoolmaxprice: '10', volume: 1, category: catid, requester: r.address, ...more }),
};
await fails(/not a valid ethereum address/, oa.createApporder({ app: 'x' }));
await fails(/not a valid ethereum address/, oa.createDatasetorder({ dataset: 'x' }));
await fails(/Missing parameter|not a valid ethereum address/, oa.createWorkerpoolorder({ workerpool: 'x' }));
await fails(/not a valid uint256/, or.createRequestorder({ app, category: catid, requester: undefined, volume: 'x' }));
const sign = {
  app: async (o) => oa.signApporder(o ?? await plain.app()),
  dataset: async (o) => oa.signDatasetorder(o ?? await plain.dataset()),
  workerpool: async (o) => oa.signWorkerpoolorder(o ?? await plain.workerpool()),
  request: async (more) => or.signRequestorder(await plain.request(more)),
};
await fails(/must be the resource owner/, other.iexec.order.signApporder(await plain.app()));
await fails(/Dataset encryption key is not set/, oa.signDatasetorder(await plain.dataset()));
await a.iexec.dataset.pushDatasetSecret(dataset, a.iexec.dataset.generateEncryptionKey());
await fails(/must be the resource owner/, other.iexec.order.signDatasetorder(await plain.dataset()));
await fails(/must be the resource owner/, other.iexec.order.signWorkerpoolorder(await plain.workerpool()));
await fails(/requester/i, other.iexec.order.signRequestorder(await plain.request()));
const Kinds = [['app', 'Apporder', oa, app], ['dataset', 'Datasetorder', oa, dataset], ['workerpool', 'Workerpoolorder', oa, workerpool], ['request', 'Requestorder', or, undefined]];
const fetcher = { app: 'fetchApporder', dataset: 'fetchDatasetorder', workerpool: 'fetchWorkerpoolorder', request: 'fetchRequestorder' };
const signed = {}, hash = {};

for (const [kind, Kind, mine, asset] of Kinds) {
  signed[kind] = await sign[kind]();
  hash[kind] = await mine[`hash${Kind}`](signed[kind]);
  assert.match(hash[kind], /^0x[0-9a-f]{64}$/);
  await fails(/./, mine[`hash${Kind}`]({ ...signed[kind], salt: 'x' }));
  // publish and find
  assert.equal(await mine[`publish${Kind}`](signed[kind]), hash[kind]);
  await fails(/API error: order already published/, mine[`publish${Kind}`](signed[kind]));
  await fails(/API error: only order signer .* can publish an order/, other.iexec.order[`publish${Kind}`](await sign[kind]()));
  const got = await book[fetcher[kind]](hash[kind]);
  assert.deepEqual([got.status, got.signer, got.remaining], ['open', kind === 'request' ? r.address : a.address, kind === 'request' ? 1 : 10]);
  await fails(/API error: .*order not found/, book[fetcher[kind]](random32()));
  // unpublish: this one, the last, all
  await fails(/API error: only order signer .* can unpublish an order/, other.iexec.order[`unpublish${Kind}`](hash[kind]));
  assert.equal(await mine[`unpublish${Kind}`](hash[kind]), hash[kind]);
  await fails(/API error: .* with orderHash .* is not published/, mine[`unpublish${Kind}`](hash[kind]));
  const h = [];
  for (let i = 0; i < 3; i += 1) h.push(await mine[`publish${Kind}`](await sign[kind]()));
  const all = kind === 'request' ? 'unpublishAllRequestorders' : `unpublishAll${Kind}s`;
  assert.equal(await mine[`unpublishLast${Kind}`](asset), h[2]);
  assert.deepEqual((await mine[all](asset)).sort(), h.slice(0, 2).sort());
  await fails(/API error: no open .* published by signer/, mine[`unpublishLast${Kind}`](asset));
  await fails(/API error: no open .* published by signer/, mine[all](asset));
  await mine[`publish${Kind}`](signed[kind]);
  // cancel
  const gone = await sign[kind]();
  assert.equal((await mine[`cancel${Kind}`](gone)).order !== undefined, true);
  await fails(/already canceled|fully consumed/, mine[`cancel${Kind}`](gone));
}

// books
const one = (b) => { assert.equal(b.count, 1); return b.orders[0].orderHash; };
assert.equal(one(await book.fetchAppOrderbook({ app })), hash.app);
assert.equal(one(await book.fetchAppOrderbook({ app, minVolume: 10 })), hash.app);
assert.equal((await book.fetchAppOrderbook({ app, minVolume: 11 })).count, 0);
assert.equal(one(await book.fetchDatasetOrderbook({ dataset })), hash.dataset);
assert.equal(one(await book.fetchWorkerpoolOrderbook({ category: catid })), hash.workerpool);
assert.equal((await book.fetchWorkerpoolOrderbook({ workerpool, minTag: ['gpu'] })).count, 0);
assert.equal(one(await book.fetchRequestOrderbook({ requester: r.address, workerpool })), hash.request);
await fails(/not a valid ethereum address|app/, book.fetchAppOrderbook({ app: 'x' }));
await fails(/not a valid ethereum address|dataset/, book.fetchDatasetOrderbook({ dataset: 'x' }));
await fails(/pageSize/, book.fetchWorkerpoolOrderbook({ pageSize: 5 }));
await fails(/not a valid ethereum address/, book.fetchRequestOrderbook({ requester: 'x' }));
for (let i = 0; i < 11; i += 1) await oa.publishDatasetorder(await sign.dataset());
const page = await book.fetchDatasetOrderbook({ dataset, pageSize: 10 });
assert.deepEqual([page.count, page.orders.length], [12, 10]);
assert.equal((await page.more()).orders.length, 2);

// matching
const four = () => ({ apporder: signed.app, datasetorder: signed.dataset, workerpoolorder: signed.workerpool, requestorder: signed.request });
const guess = await or.estimateMatchOrders(four());
assert.equal(guess.total.toString(), '16');
assert.equal(guess.volume.toString(), '1');
await fails(/./, or.estimateMatchOrders({ ...four(), apporder: undefined }));
await fails(/appmaxprice too low/, or.matchOrders({ ...four(), requestorder: await sign.request({ appmaxprice: '4' }) }));
await fails(/invalid sign/i, or.matchOrders({ ...four(), apporder: { ...signed.app, appprice: '0' } }));
const match = await or.matchOrders(four());
assert.equal(match.volume.toString(), '1');
await fails(/fully consumed|consumed/i, or.matchOrders(four()));
const deal = await reader.deal.show(match.dealid);
assert.deepEqual([deal.app.pointer, deal.requester, deal.tasks['0'] !== undefined], [app, r.address, true]);
await fails(/No deal found/, reader.deal.show(random32()));

// deals in the book, once the watcher has seen the block
const seen = async (fn) => {
  for (let i = 0; i < 100; i += 1) {
    const got = await fn();
    if (got.count > 0) return got;
    await new Promise((d) => { setTimeout(d, 100); });
  }
  return assert.fail('no deal in the book');
};
for (const got of [
  await seen(() => reader.deal.fetchRequesterDeals(r.address)),
  await seen(() => reader.deal.fetchRequesterDeals(r.address, { appAddress: app, datasetAddress: dataset, workerpoolAddress: workerpool })),
  await seen(() => reader.deal.fetchDealsByApporder(hash.app)),
  await seen(() => reader.deal.fetchDealsByDatasetorder(hash.dataset)),
  await seen(() => reader.deal.fetchDealsByWorkerpoolorder(hash.workerpool)),
  await seen(() => reader.deal.fetchDealsByRequestorder(hash.request)),
]) assert.equal(got.deals[0].dealid, match.dealid);
assert.equal((await book.fetchApporder(hash.app)).remaining, 9);
assert.equal((await book.fetchRequestorder(hash.request)).status, 'filled');
await fails(/address/, reader.deal.fetchRequesterDeals('x'));
for (const k of ['App', 'Dataset', 'Workerpool', 'Request']) await fails(/bytes32/, reader.deal[`fetchDealsBy${k}order`]('x'));

// claims: the category's tasks are over at once
const { dealid } = await or.matchOrders({ ...four(), requestorder: await sign.request({ volume: 3 }) });
await provider.send('evm_mine', []);
const { tasks } = await reader.deal.show(dealid);
assert.equal((await reader.task.show(tasks[0]).catch((e) => e.message)), `No task found for id ${tasks[0]} on chain 421614`);
const claimed = await r.iexec.deal.claim(dealid);
assert.equal(Object.keys(claimed.claimed).length, 3, JSON.stringify(claimed));
assert.equal((await reader.task.show(tasks[0])).statusName, 'FAILED');
await fails(/Nothing to claim|already/i, r.iexec.deal.claim(dealid));
const late = await or.matchOrders({ ...four(), requestorder: await sign.request() });
const lateTask = (await reader.deal.show(late.dealid)).tasks[0];
await fails(/No task found/, r.iexec.task.claim(lateTask)); // nobody began it
const short = await admin.hub.createCategory({ name: 'short', description: 'tasks of a second', workClockTimeRef: '1' });
const slow = await oa.signWorkerpoolorder(await oa.createWorkerpoolorder({ workerpool, workerpoolprice: '10', volume: '10', category: short.catid }));
const begun = await or.matchOrders({ ...four(), workerpoolorder: slow, requestorder: await sign.request({ category: short.catid }) });
const begunTask = (await reader.deal.show(begun.dealid)).tasks[0];
await (await new Contract(stack.hub, ['function initialize(bytes32,uint256) returns (bytes32)'], r.wallet).initialize(begun.dealid, 0)).wait();
await fails(/Cannot claim a task before reaching the consensus deadline/, r.iexec.task.claim(begunTask));
await until('the task is over', async () => (await reader.task.show(begunTask)).taskTimedOut);
await r.iexec.task.claim(begunTask);
assert.equal((await reader.task.show(begunTask)).statusName, 'FAILED');
await fails(/No task found/, reader.task.show(random32()));

// bulk
const infinite = await oa.signDatasetorder(await oa.createDatasetorder({ dataset, volume: utils.DATASET_INFINITE_VOLUME }));
const bulk = await or.prepareDatasetBulk([infinite, infinite, infinite], { maxDatasetPerTask: 2, thegraphUpload: false });
assert.equal(bulk.volume, 2);
await fails(/./, or.prepareDatasetBulk([signed.dataset], { thegraphUpload: false }));
finish();
