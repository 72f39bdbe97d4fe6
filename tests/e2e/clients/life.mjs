// SPDX-License-Identifier: Apache-2.0
// life.mjs URL - a whole life of the market with ethers 6: deposits, three registries, typed orders,
// a match, a task with three workers, money that adds up, events and reverts with their reasons.
import assert from 'node:assert/strict';
import { ethers } from 'ethers';

const [url] = process.argv.slice(2);
const phrase = 'test test test test test test test test test test test junk';
const provider = new ethers.JsonRpcProvider(url, undefined, { pollingInterval: 20, cacheTimeout: -1 });
const account = (i) => ethers.HDNodeWallet.fromPhrase(phrase, '', `m/44'/60'/0'/0/${i}`).connect(provider);
const [admin, requester, appOwner, poolOwner, ...workers] = [0, 1, 2, 3, 4, 5, 6].map(account);

const APP = 'tuple(address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt,bytes sign)';
const DATA = 'tuple(address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,address apprestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt,bytes sign)';
const POOL = 'tuple(address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address apprestrict,address datasetrestrict,address requesterrestrict,bytes32 salt,bytes sign)';
const REQ = 'tuple(address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,string params,bytes32 salt,bytes sign)';
const TASK = 'tuple(uint8 status,bytes32 dealid,uint256 idx,uint256 timeref,uint256 contributionDeadline,uint256 revealDeadline,uint256 finalDeadline,bytes32 consensusValue,uint256 revealCounter,uint256 winnerCounter,address[] contributors,bytes32 resultDigest,bytes results,uint256 resultsTimestamp,bytes resultsCallback)';
const hubAbi = [
  'function owner() view returns (address)', 'function token() view returns (address)',
  'function appregistry() view returns (address)', 'function datasetregistry() view returns (address)',
  'function workerpoolregistry() view returns (address)', 'function totalSupply() view returns (uint256)',
  'function viewAccount(address) view returns (tuple(uint256 stake, uint256 locked))',
  'function viewScore(address) view returns (uint256)', 'function viewConsumed(bytes32) view returns (uint256)',
  `function viewTask(bytes32) view returns (${TASK})`,
  'function domain() view returns (tuple(string name,string version,uint256 chainId,address verifyingContract))',
  `function matchOrders(${APP},${DATA},${POOL},${REQ}) returns (bytes32)`,
  'function initialize(bytes32,uint256) returns (bytes32)',
  'function contribute(bytes32,bytes32,bytes32,address,bytes,bytes)', 'function reveal(bytes32,bytes32)',
  'function finalize(bytes32,bytes,bytes)', 'function withdraw(uint256) returns (bool)',
  'event OrdersMatched(bytes32 dealid,bytes32 appHash,bytes32 datasetHash,bytes32 workerpoolHash,bytes32 requestHash,uint256 volume)',
  'event TaskInitialize(bytes32 indexed taskid,address indexed workerpool)',
  'event TaskContribute(bytes32 indexed taskid,address indexed worker,bytes32 hash)',
  'event TaskConsensus(bytes32 indexed taskid,bytes32 consensus)',
  'event TaskFinalize(bytes32 indexed taskid,bytes results)',
  'event Transfer(address indexed from,address indexed to,uint256 value)',
];
const tokenAbi = ['function balanceOf(address) view returns (uint256)', 'function approve(address,uint256) returns (bool)',
  'function approveAndCall(address,uint256,bytes) returns (bool)'];
const registryAbi = ['function createApp(address,string,string,bytes,bytes32,bytes) returns (address)',
  'function createDataset(address,string,bytes,bytes32) returns (address)',
  'function createWorkerpool(address,string) returns (address)',
  'function isRegistered(address) view returns (bool)',
  'event Transfer(address indexed from,address indexed to,uint256 indexed tokenId)'];

const hubAddress = ethers.getAddress((await provider.send('souk_contracts', [])).hub);
const hub = new ethers.Contract(hubAddress, hubAbi, provider);
assert.equal(await hub.owner(), admin.address);
const token = new ethers.Contract(await hub.token(), tokenAbi, provider);
const registry = async (name) => new ethers.Contract(await hub[name](), registryAbi, provider);
const [apps, datasets, pools] = [await registry('appregistry'), await registry('datasetregistry'), await registry('workerpoolregistry')];
const done = async (sending) => {
  const receipt = await (await sending).wait();
  assert.equal(receipt.status, 1);
  return receipt;
};

// deposits: two contracts emit in one transaction
for (const who of [requester, poolOwner, ...workers]) {
  const receipt = await done(token.connect(who).approveAndCall(hubAddress, 10000n, '0x'));
  assert.deepEqual(new Set(receipt.logs.map((l) => l.address)), new Set([hubAddress, await hub.token()]));
  assert.equal((await hub.viewAccount(who.address)).stake, 10000n);
}

// registries
const created = async (sending, reg) => {
  const receipt = await done(sending);
  const log = reg.interface.parseLog(receipt.logs.find((l) => l.address === reg.target));
  return ethers.getAddress(ethers.toBeHex(log.args.tokenId, 20));
};
const hash = (s) => ethers.id(s);
const app = await created(apps.connect(appOwner).createApp(appOwner.address, 'app', 'DOCKER', '0x01', hash('app'), '0x'), apps);
const pool = await created(pools.connect(poolOwner).createWorkerpool(poolOwner.address, 'pool'), pools);
const dataset = await created(datasets.connect(appOwner).createDataset(appOwner.address, 'model', '0x02', hash('model')), datasets);
assert(await apps.isRegistered(app) && await pools.isRegistered(pool) && !(await apps.isRegistered(pool)));
assert((await provider.getCode(app)).length > 2);

// typed orders
const zero = ethers.ZeroAddress;
const none = ethers.ZeroHash;
const fields = (tuple) => tuple.slice(6, -1).split(',').filter((f) => f !== 'bytes sign')
  .map((f) => ({ type: f.split(' ')[0], name: f.split(' ')[1] }));
const { name, version, chainId, verifyingContract } = await hub.domain();
const domain = { name, version, chainId, verifyingContract };
const sign = async (wallet, type, tuple, order) =>
  ({ ...order, sign: await wallet.signTypedData(domain, { [type]: fields(tuple) }, order) });
const salt = () => ethers.hexlify(ethers.randomBytes(32));
const appOrder = await sign(appOwner, 'AppOrder', APP, {
  app, appprice: 100n, volume: 1n, tag: none, datasetrestrict: zero, workerpoolrestrict: zero, requesterrestrict: zero, salt: salt() });
const dataOrder = await sign(appOwner, 'DatasetOrder', DATA, {
  dataset, datasetprice: 50n, volume: 1n, tag: none, apprestrict: zero, workerpoolrestrict: zero, requesterrestrict: zero, salt: salt() });
const poolOrder = await sign(poolOwner, 'WorkerpoolOrder', POOL, {
  workerpool: pool, workerpoolprice: 1000n, volume: 1n, tag: none, category: 4n, trust: 5n, apprestrict: zero, datasetrestrict: zero, requesterrestrict: zero, salt: salt() });
const reqOrder = await sign(requester, 'RequestOrder', REQ, {
  app, appmaxprice: 100n, dataset, datasetmaxprice: 50n, workerpool: zero, workerpoolmaxprice: 1000n, requester: requester.address,
  volume: 1n, tag: none, category: 4n, trust: 5n, beneficiary: requester.address, callback: zero, params: '{}', salt: salt() });

// a revert with its reason, seen by call, by estimate and in a receipt
const wrong = { ...reqOrder, category: 3n };
const isReason = (e) => e.code === 'CALL_EXCEPTION' && e.reason === 'iExecV5-matchOrders-0x00';
await assert.rejects(hub.connect(requester).matchOrders.staticCall(appOrder, dataOrder, poolOrder, wrong), isReason);
await assert.rejects(hub.connect(requester).matchOrders.estimateGas(appOrder, dataOrder, poolOrder, wrong), isReason);
const failing = await hub.connect(requester).matchOrders(appOrder, dataOrder, poolOrder, wrong, { gasLimit: 3000000n });
await assert.rejects(failing.wait(), (e) => e.receipt.status === 0 && e.receipt.logs.length === 0);

const matched = await done(hub.connect(requester).matchOrders(appOrder, dataOrder, poolOrder, reqOrder));
const deal = matched.logs.find((l) => l.eventName === 'OrdersMatched').args;
assert.equal(deal.volume, 1n);
assert.equal(deal.requestHash, ethers.TypedDataEncoder.hash(domain, { RequestOrder: fields(REQ) },
  Object.fromEntries(Object.entries(reqOrder).filter(([k]) => k !== 'sign'))));
assert.equal(await hub.viewConsumed(deal.requestHash), 1n);

// the task: three workers at trust 5, consensus after the third
const task = ethers.keccak256(ethers.concat([deal.dealid, ethers.zeroPadValue('0x', 32)]));
await done(hub.connect(poolOwner).initialize(deal.dealid, 0n));
const digest = hash('result');
const keccak = (...parts) => ethers.keccak256(ethers.concat(parts));
for (const w of workers) {
  const auth = await poolOwner.signMessage(ethers.getBytes(keccak(w.address, task, zero)));
  await done(hub.connect(w).contribute(task, keccak(task, digest), keccak(w.address, task, digest), zero, '0x', auth));
}
const agreed = await hub.queryFilter(hub.filters.TaskConsensus(task), 0);
assert.equal(agreed.length, 1);
for (const w of workers) await done(hub.connect(w).reveal(task, digest));
const before = (await hub.viewAccount(appOwner.address)).stake;
const final = await done(hub.connect(poolOwner).finalize(task, ethers.toUtf8Bytes('{}'), '0x'));
assert(final.logs.some((l) => l.eventName === 'TaskFinalize' && l.args.taskid === task));
assert.equal((await hub.viewTask(task)).status, 3n);
assert.equal((await hub.viewAccount(appOwner.address)).stake, before + 150n);
assert.equal((await hub.viewAccount(requester.address)).stake, 10000n - 1150n);
let sum = 0n;
for (const who of [requester, appOwner, poolOwner, ...workers]) {
  const a = await hub.viewAccount(who.address);
  assert.equal(a.locked, 0n);
  sum += a.stake;
}
assert.equal(sum, 10000n * 5n);
for (const w of workers) assert.equal(await hub.viewScore(w.address), 1n);

// logs by topic, block range and address
const contributed = await hub.queryFilter(hub.filters.TaskContribute(null, workers[1].address), matched.blockNumber, final.blockNumber);
assert.equal(contributed.length, 1);
assert.equal(contributed[0].args.taskid, task);
await done(hub.connect(appOwner).withdraw(150n));
console.log('ok life');
provider.destroy();
