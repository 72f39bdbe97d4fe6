// SPDX-License-Identifier: Apache-2.0
// pool.mjs RPC HUB COMMAND JSON - the requesters', owners' and judges' side of a workerpool's tests, with
// ethers 6. Prints one JSON line. The accounts are those of the public test phrase.
//   setup {workers, multiaddr, checksum, dataset}  deposits, an app, maybe a dataset, a pool
//   match {app, pool, dataset, category, trust, volume, params, tag, callback}
//   task {id, workers}    accounts {addresses}    logs {id, url}
import { ethers } from 'ethers';

const [url, hubAddress, command, text] = process.argv.slice(2);
const input = JSON.parse(text ?? '{}');
const phrase = 'test test test test test test test test test test test junk';
const provider = new ethers.JsonRpcProvider(url, undefined, { pollingInterval: 10, cacheTimeout: -1 });
const account = (i) => ethers.HDNodeWallet.fromPhrase(phrase, '', `m/44'/60'/0'/0/${i}`).connect(provider);
const [admin, requester, appOwner, poolOwner] = [0, 1, 2, 3].map(account);

const APP = 'tuple(address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt,bytes sign)';
const DATA = 'tuple(address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,address apprestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt,bytes sign)';
const POOL = 'tuple(address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address apprestrict,address datasetrestrict,address requesterrestrict,bytes32 salt,bytes sign)';
const REQ = 'tuple(address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,string params,bytes32 salt,bytes sign)';
const TASK = 'tuple(uint8 status,bytes32 dealid,uint256 idx,uint256 timeref,uint256 contributionDeadline,uint256 revealDeadline,uint256 finalDeadline,bytes32 consensusValue,uint256 revealCounter,uint256 winnerCounter,address[] contributors,bytes32 resultDigest,bytes results,uint256 resultsTimestamp,bytes resultsCallback)';
const hub = new ethers.Contract(hubAddress, [
  'function token() view returns (address)', 'function appregistry() view returns (address)',
  'function datasetregistry() view returns (address)', 'function workerpoolregistry() view returns (address)',
  'function viewAccount(address) view returns (tuple(uint256 stake, uint256 locked))',
  'function viewScore(address) view returns (uint256)', `function viewTask(bytes32) view returns (${TASK})`,
  'function createCategory(string,string,uint256) returns (uint256)', 'function countCategory() view returns (uint256)',
  'function domain() view returns (tuple(string name,string version,uint256 chainId,address verifyingContract))',
  `function matchOrders(${APP},${DATA},${POOL},${REQ}) returns (bytes32)`, 'function claim(bytes32)',
  'event OrdersMatched(bytes32 dealid,bytes32 appHash,bytes32 datasetHash,bytes32 workerpoolHash,bytes32 requestHash,uint256 volume)',
], provider);
const registryAbi = ['function createApp(address,string,string,bytes,bytes32,bytes) returns (address)',
  'function createDataset(address,string,bytes,bytes32) returns (address)',
  'function createWorkerpool(address,string) returns (address)',
  'event Transfer(address indexed from,address indexed to,uint256 indexed tokenId)'];
const zero = ethers.ZeroAddress;
const done = async (sending) => {
  const receipt = await (await sending).wait();
  if (receipt.status !== 1) throw new Error('transaction failed');
  return receipt;
};
const utf8 = (s) => ethers.toUtf8Bytes(s);
const say = (o) => console.log(JSON.stringify(o, (_, v) => (typeof v === 'bigint' ? v.toString() : v)));

async function create(registry, fn, args) {
  const c = new ethers.Contract(await hub[registry](), registryAbi, admin);
  const receipt = await done(c[fn](...args));
  const log = receipt.logs.map((l) => { try { return c.interface.parseLog(l); } catch { return null; } }).find((l) => l?.name === 'Transfer');
  return ethers.getAddress(ethers.toBeHex(log.args.tokenId, 20));
}

async function setup() {
  const token = new ethers.Contract(await hub.token(), ['function approveAndCall(address,uint256,bytes)', 'function transfer(address,uint256) returns (bool)'], admin);
  const raw = input.raw ? { gasPrice: 0 } : {};
  const deposit = async (address, amount) => {
    // depositFor needs an allowance of the hub's; approveAndCall deposits for the sender alone
    const t = new ethers.Contract(await hub.token(), ['function approve(address,uint256) returns (bool)'], admin);
    await done(t.approve(hubAddress, amount, raw));
    const h = new ethers.Contract(hubAddress, ['function depositFor(uint256,address) returns (bool)'], admin);
    await done(h.depositFor(amount, address, raw));
  };
  void token;
  for (const a of [requester.address, poolOwner.address, ...(input.workers ?? [])]) await deposit(a, 1000000n);
  for (const a of input.workers ?? []) await done(admin.sendTransaction({ to: a, value: ethers.parseEther('10'), ...raw }));
  const salt = ethers.hexlify(ethers.randomBytes(4));
  const app = await create('appregistry', 'createApp', [appOwner.address, `app ${salt}`, 'SOUK', utf8(input.multiaddr), input.checksum, '0x']);
  const pool = input.pool ?? await create('workerpoolregistry', 'createWorkerpool', [poolOwner.address, `pool ${salt}`]);
  const dataset = input.dataset
    ? await create('datasetregistry', 'createDataset', [appOwner.address, `data ${salt}`, utf8(input.dataset.multiaddr), input.dataset.checksum]) : zero;
  let category;
  if (input.seconds) {
    category = await hub.countCategory();
    await done(hub.connect(admin).createCategory('test', '""', input.seconds));
  }
  say({ app, pool, dataset, category, poolOwnerKey: poolOwner.privateKey, requester: requester.address, appOwner: appOwner.address, poolOwner: poolOwner.address });
}

async function match() {
  const d = await hub.domain();
  const domain = { name: d.name, version: d.version, chainId: d.chainId, verifyingContract: d.verifyingContract };
  const types = (name, tuple) => ({ [name]: tuple.slice(6, -1).split(',').map((f) => f.split(' ')).map(([type, n]) => ({ type, name: n })).filter((f) => f.name !== 'sign') });
  const sign = async (who, name, tuple, order) => ({ ...order, sign: await who.signTypedData(domain, types(name, tuple), order) });
  const salt = () => ethers.hexlify(ethers.randomBytes(32));
  const tag = input.tag ?? ethers.ZeroHash, volume = input.volume ?? 1, category = input.category ?? 0, trust = input.trust ?? 0;
  const prices = { app: 3, data: 2, pool: 100, ...(input.prices ?? {}) };
  const dataset = input.dataset ?? zero;
  const none = { datasetrestrict: zero, workerpoolrestrict: zero, requesterrestrict: zero };
  const app = await sign(appOwner, 'AppOrder', APP, { app: input.app, appprice: prices.app, volume, tag, ...none, salt: salt() });
  const data = dataset === zero
    ? { dataset, datasetprice: 0, volume: 0, tag: ethers.ZeroHash, apprestrict: zero, workerpoolrestrict: zero, requesterrestrict: zero, salt: ethers.ZeroHash, sign: '0x' }
    : await sign(appOwner, 'DatasetOrder', DATA, { dataset, datasetprice: prices.data, volume, tag, apprestrict: zero, workerpoolrestrict: zero, requesterrestrict: zero, salt: salt() });
  const pool = await sign(poolOwner, 'WorkerpoolOrder', POOL, { workerpool: input.pool, workerpoolprice: prices.pool, volume, tag, category, trust, apprestrict: zero, datasetrestrict: zero, requesterrestrict: zero, salt: salt() });
  const request = await sign(requester, 'RequestOrder', REQ, { app: input.app, appmaxprice: prices.app, dataset, datasetmaxprice: prices.data, workerpool: input.pool, workerpoolmaxprice: prices.pool, requester: requester.address, volume, tag, category, trust, beneficiary: requester.address, callback: input.callback ?? zero, params: input.params ?? '', salt: salt() });
  const receipt = await done(hub.connect(requester).matchOrders(app, data, pool, request));
  const log = receipt.logs.map((l) => { try { return hub.interface.parseLog(l); } catch { return null; } }).find((l) => l?.name === 'OrdersMatched');
  const tasks = [...Array(Number(log.args.volume)).keys()].map((i) => ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(['bytes32', 'uint256'], [log.args.dealid, i])));
  say({ deal: log.args.dealid, tasks });
}

async function accounts() {
  const out = {};
  for (const a of input.addresses) {
    const v = await hub.viewAccount(a);
    out[a] = { stake: v.stake, locked: v.locked, score: await hub.viewScore(a) };
  }
  say(out);
}

async function task() {
  const t = await hub.viewTask(input.id);
  say({ ...t.toObject(), results: (() => { try { return ethers.toUtf8String(t.results); } catch { return t.results; } })() });
}

// The SDK's way to a task's logs: the challenge signed as typed data, by account `as`.
async function logs() {
  const who = account(input.as ?? 1);
  const ask = await (await fetch(`${input.url}/tasks/logs/challenge?chainId=1&address=${who.address}`)).json();
  const { EIP712Domain, ...types } = ask.types;
  void EIP712Domain;
  const hash = ethers.TypedDataEncoder.hash(ask.domain, types, ask.message);
  const sig = await who.signTypedData(ask.domain, types, ask.message);
  const got = await fetch(`${input.url}/tasks/${input.id}/logs`, { headers: { authorization: `${hash}_${sig}_${who.address}` } });
  say({ status: got.status, body: await got.json() });
}

await { setup, match, accounts, task, logs }[command]();
