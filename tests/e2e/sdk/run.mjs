// SPDX-License-Identifier: Apache-2.0
// A deal made by the SDK that souk's own pool runs in a simulated enclave: the dataset is encrypted by
// the SDK, its key and the requester's key pushed by the SDK; the result is fetched and decrypted by
// the SDK. Then modules task, deal (watching) and the pool's answers.
import fs from 'node:fs';
import crypto from 'node:crypto';
import JSZip from 'jszip';
import { assert, fails, finish, keyed, note, person, random32, sdk, stack, upload, utils } from './lib.mjs';

const owner = await person();
const r = await person();
const reader = sdk(stack.node);
const tag = ['tee', 'tdx'];
const poolOwner = sdk(keyed(`${process.env.SDK_STATE}/keys/scheduler.key`));

// the application: an image of souk, named by its digest
const multiaddr = await upload(fs.readFileSync(process.env.SDK_IMAGE));
const { address: app } = await owner.iexec.app.deployApp({ owner: owner.address, name: `hash ${random32()}`, type: 'DOCKER', multiaddr, checksum: process.env.SDK_DIGEST });
const apporder = await owner.iexec.order.signApporder(await owner.iexec.order.createApporder({ app, appprice: 1, volume: 100, tag }));

// the dataset
const plain = crypto.randomBytes(70000);
const key = owner.iexec.dataset.generateEncryptionKey();
const sealed = await owner.iexec.dataset.encrypt(plain, key);
const { address: dataset } = await owner.iexec.dataset.deployDataset({ owner: owner.address, name: 'private', multiaddr: await upload(sealed), checksum: await owner.iexec.dataset.computeEncryptedFileChecksum(sealed) });
const made = await owner.iexec.order.createDatasetorder({ dataset, datasetprice: 2, volume: 100, tag });
await fails(/Dataset encryption key is not set for dataset/, owner.iexec.order.signDatasetorder(made));
await owner.iexec.dataset.pushDatasetSecret(dataset, key);
const datasetorder = await owner.iexec.order.signDatasetorder(made);

// the pool's offer, and the request
const workerpoolorder = await poolOwner.order.signWorkerpoolorder(await poolOwner.order.createWorkerpoolorder({ workerpool: stack.workerpool, workerpoolprice: 3, volume: 100, category: 0, tag }));
const pair = crypto.generateKeyPairSync('rsa', { modulusLength: 4096, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
const request = await r.iexec.order.createRequestorder({ app, dataset, workerpool: stack.workerpool, appmaxprice: 1, datasetmaxprice: 2, workerpoolmaxprice: 3, category: 0, volume: 1, tag, params: { iexec_args: 'hello there', iexec_result_encryption: true } });
await fails(/Beneficiary result encryption key is not set/, r.iexec.order.signRequestorder(request));
await r.iexec.result.pushResultEncryptionKey(pair.publicKey);
const requestorder = await r.iexec.order.signRequestorder(request);
await fails(/stake|balance/i, r.iexec.order.matchOrders({ apporder, datasetorder, workerpoolorder, requestorder }));
await r.iexec.account.deposit(6);
const { dealid } = await r.iexec.order.matchOrders({ apporder, datasetorder, workerpoolorder, requestorder });
const taskid = (await reader.deal.show(dealid)).tasks[0];
assert.equal(await reader.deal.computeTaskId(dealid, '0'), taskid);
await fails(/bytes32/, reader.deal.computeTaskId('x', '0'));

const watch = async (observable, name) => new Promise((resolve, reject) => {
  const messages = [];
  observable.subscribe({ next: (m) => messages.push(m.message), error: (e) => { note(name, 'bad'); reject(e); }, complete: () => resolve(messages) });
});
const [ofDeal, ofTask] = await Promise.all([watch(await reader.deal.obsDeal(dealid)), watch(await reader.task.obsTask(taskid, { dealid }))]);
assert.equal(ofDeal.at(-1), 'DEAL_COMPLETED', ofDeal.join());
assert.equal(ofTask.at(-1), 'TASK_COMPLETED', ofTask.join());
await fails(/bytes32/, (async () => watch(await reader.deal.obsDeal('x'), 'deal.obsDeal'))());
await fails(/bytes32/, (async () => watch(await reader.task.obsTask('x'), 'task.obsTask'))());

const task = await reader.task.show(taskid);
assert.equal(task.statusName, 'COMPLETED');
assert.equal(task.results.storage, 'ipfs');
const res = await reader.task.fetchResults(taskid);
const files = await new JSZip().loadAsync(await utils.decryptResult(Buffer.from(await res.arrayBuffer()), pair.privateKey));
const names = Object.keys(files.files);
const answer = await files.file('result/answer.txt').async('string');
assert(names.includes('computed.json'), names.join());
assert(answer.includes(crypto.createHash('sha256').update(plain).digest('hex')), answer);
const wrong = crypto.generateKeyPairSync('rsa', { modulusLength: 4096, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
const again = Buffer.from(await (await reader.task.fetchResults(taskid)).arrayBuffer());
await fails(/./, utils.decryptResult(again, wrong.privateKey));
await fails(/No task found/, reader.task.fetchResults(random32()));
await fails(/Cannot claim/, r.iexec.task.claim(taskid));

// what the pool says
const info = await reader.task.fetchOffchainInfo(taskid);
assert.equal(info.task.status, 'COMPLETED');
assert(info.replicates.length >= 1 && /REVEALED|UPLOADED|COMPLETED/.test(info.replicates[0].status), JSON.stringify(info));
assert(info.task.statusHistory.length > 2);
await fails(/No task found/, reader.task.fetchOffchainInfo(random32()));
const logs = await r.iexec.task.fetchLogs(taskid);
assert.equal(logs.length, 1);
assert(typeof logs[0].stdout === 'string' && typeof logs[0].stderr === 'string');
await fails(/Only task requester .* can access replicates logs/, owner.iexec.task.fetchLogs(taskid));
finish();
