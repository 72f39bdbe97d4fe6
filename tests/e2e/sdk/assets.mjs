// SPDX-License-Identifier: Apache-2.0
// Modules app, dataset, workerpool; secrets, storage and result.
import { assert, fails, finish, person, random32, sdk, stack, stranger } from './lib.mjs';

const a = await person();
const b = await person();
const reader = sdk(stack.node);
const BAD = /not a valid ethereum address/;
const NO_SIGNER = /signer/i;

const app = { owner: a.address, name: 'an app', type: 'DOCKER', multiaddr: '/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ', checksum: random32() };
const dataset = { owner: a.address, name: 'a dataset', multiaddr: '/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ', checksum: random32() };
const workerpool = { owner: a.address, description: 'a pool' };

for (const [module, Name, value, field] of [['app', 'App', app, 'appMultiaddr'], ['dataset', 'Dataset', dataset, 'datasetMultiaddr'],
  ['workerpool', 'Workerpool', workerpool, 'workerpoolDescription']]) {
  const mine = a.iexec[module], his = b.iexec[module], read = reader[module];
  const predicted = await read[`predict${Name}Address`](value);
  await fails(/owner|address/, read[`predict${Name}Address`]({ ...value, owner: 'x' }));
  assert.equal(await read[`checkDeployed${Name}`](predicted), false);
  await fails(BAD, read[`checkDeployed${Name}`]('x'));
  await fails(/No .* found/, read[`show${Name}`](predicted));
  const made = await mine[`deploy${Name}`](value);
  assert.equal(made.address, predicted);
  assert.equal(await read[`checkDeployed${Name}`](predicted), true);
  await fails(new RegExp(`${Name} already deployed at address ${predicted}`), mine[`deploy${Name}`](value));
  const shown = await read[`show${Name}`](predicted);
  assert.equal(shown.objAddress, predicted);
  assert.equal(shown[module].owner, a.address);
  assert(shown[module][field] !== undefined, JSON.stringify(shown));
  assert.equal((await read[`countUser${Name}s`](a.address)).toString(), '1');
  await fails(BAD, read[`countUser${Name}s`]('x'));
  assert.equal((await read[`showUser${Name}`](0, a.address)).objAddress, predicted);
  await fails(/not deployed|No .* found|invalid|index|out of/i, read[`showUser${Name}`](5, a.address));
  await fails(/Only .* owner can transfer|owner/, his[`transfer${Name}`](predicted, b.address));
  assert.equal((await mine[`transfer${Name}`](predicted, b.address)).to, b.address);
  assert.equal((await read[`countUser${Name}s`](a.address)).toString(), '0');
  await his[`transfer${Name}`](predicted, a.address);
  value.address = predicted;
}

// where a pool answers
assert.equal(await reader.workerpool.getWorkerpoolApiUrl(stack.workerpool), stack.scheduler);
assert.equal(await reader.workerpool.getWorkerpoolApiUrl(stranger()), undefined);
await fails(BAD, reader.workerpool.getWorkerpoolApiUrl('x'));
await fails(/Compass API error: Connection to .* failed/, sdk(stack.node, { compassURL: 'http://127.0.0.1:1' }).workerpool.getWorkerpoolApiUrl(stranger()));

// an application's secret
assert.equal(await reader.app.checkAppSecretExists(app.address), false);
await fails(/Wallet .* is not allowed to set secret/, b.iexec.app.pushAppSecret(app.address, 'foo'));
assert.equal(await a.iexec.app.pushAppSecret(app.address, 'foo'), true);
assert.equal(await reader.app.checkAppSecretExists(app.address), true);
await fails(/Secret already exists for .* and can't be updated/, a.iexec.app.pushAppSecret(app.address, 'bar'));
await fails(BAD, reader.app.checkAppSecretExists('x'));

// a dataset's key
const key = a.iexec.dataset.generateEncryptionKey();
assert.equal(Buffer.from(key, 'base64').length, 32);
const sealed = await a.iexec.dataset.encrypt(Buffer.from('some data'), key);
assert.equal(sealed.length, 32);
await fails(/./, a.iexec.dataset.encrypt(Buffer.from('x'), 'short'));
assert.match(await a.iexec.dataset.computeEncryptedFileChecksum(sealed), /^0x[0-9a-f]{64}$/);
await fails(/./, a.iexec.dataset.computeEncryptedFileChecksum('not a buffer'));
assert.equal(await reader.dataset.checkDatasetSecretExists(dataset.address), false);
await fails(/is not allowed to set secret/, b.iexec.dataset.pushDatasetSecret(dataset.address, key));
assert.equal(await a.iexec.dataset.pushDatasetSecret(dataset.address, key), true);
assert.equal(await reader.dataset.checkDatasetSecretExists(dataset.address), true);
await fails(/Secret already exists/, a.iexec.dataset.pushDatasetSecret(dataset.address, key));
await fails(BAD, reader.dataset.checkDatasetSecretExists('x'));

// a requester's secrets
assert.equal(await reader.secrets.checkRequesterSecretExists(a.address, 'pass'), false);
assert.equal((await a.iexec.secrets.pushRequesterSecret('pass', 'value')).isPushed, true);
assert.equal(await reader.secrets.checkRequesterSecretExists(a.address, 'pass'), true);
await fails(/Secret "pass" already exists/, a.iexec.secrets.pushRequesterSecret('pass', 'other'));
await fails(/./, a.iexec.secrets.pushRequesterSecret('pa ss!', 'value'));
await fails(/413|too|SMS/i, a.iexec.secrets.pushRequesterSecret('large', 'v'.repeat(5000)));
await fails(BAD, reader.secrets.checkRequesterSecretExists('x', 'pass'));

// tokens of a storage
assert.equal(await reader.storage.checkStorageTokenExists(a.address, 'dropbox'), false);
assert.equal((await a.iexec.storage.pushStorageToken('token', 'dropbox')).isPushed, true);
assert.equal(await reader.storage.checkStorageTokenExists(a.address, 'dropbox'), true);
await fails(/already exists/, a.iexec.storage.pushStorageToken('new', 'dropbox'));
const again = await a.iexec.storage.pushStorageToken('new', 'dropbox', { forceUpdate: true });
assert.deepEqual([again.isPushed, again.isUpdated], [true, true]);
await fails(/"tape" is not a valid storage provider/, reader.storage.checkStorageTokenExists(a.address, 'tape'));

// the key for results
assert.equal(await reader.result.checkResultEncryptionKeyExists(a.address), false);
assert.equal((await a.iexec.result.pushResultEncryptionKey('-----BEGIN PUBLIC KEY-----')).isPushed, true);
assert.equal(await reader.result.checkResultEncryptionKeyExists(a.address), true);
await fails(/already exists/, a.iexec.result.pushResultEncryptionKey('another'));
assert.equal((await a.iexec.result.pushResultEncryptionKey('another', { forceUpdate: true })).isUpdated, true);
await fails(BAD, reader.result.checkResultEncryptionKeyExists('x'));
await fails(NO_SIGNER, reader.result.pushResultEncryptionKey('x'));
await fails(/SMS error: Connection to http:\/\/127.0.0.1:1 failed/, sdk(stack.node, { smsURL: 'http://127.0.0.1:1' }).result.checkResultEncryptionKeyExists(a.address));
finish();
