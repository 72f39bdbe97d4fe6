// SPDX-License-Identifier: Apache-2.0
// ethers6.mjs URL WS - what an ethers 6 user does with a node: reads, signs, sends, waits, follows.
import assert from 'node:assert/strict';
import { ethers } from 'ethers';

const [url, ws] = process.argv.slice(2);
const phrase = 'test test test test test test test test test test test junk';
const provider = new ethers.JsonRpcProvider(url, undefined, { pollingInterval: 20, cacheTimeout: -1 });
const wallet = ethers.HDNodeWallet.fromPhrase(phrase).connect(provider);
const other = ethers.HDNodeWallet.fromPhrase(phrase, '', "m/44'/60'/0'/0/1").connect(provider);

// reading
const net = await provider.getNetwork();
assert.equal(net.chainId, 31337n);
const genesis = await provider.getBlock(0);
assert.equal(genesis.number, 0);
assert.equal((await provider.getBlock('latest')).hash, genesis.hash);
assert.equal((await provider.getBlock(genesis.hash)).hash, genesis.hash);
assert.equal(await provider.getBlock(12345), null);
assert.equal(await provider.getTransaction('0x' + '11'.repeat(32)), null);
assert.equal(await provider.getTransactionReceipt('0x' + '11'.repeat(32)), null);
assert(await provider.getBalance(wallet.address) > 10n ** 18n);
assert.equal(await provider.getTransactionCount(wallet.address), 0);
const fees = await provider.getFeeData();
assert(fees.gasPrice >= 0n);

// a type 2 transfer, or type 0 where there is no base fee
const before = await provider.getBalance(other.address);
const tx = await wallet.sendTransaction({ to: other.address, value: 1000n });
assert.equal(tx.hash.length, 66);
const receipt = await tx.wait();
assert.equal(receipt.status, 1);
assert.equal(receipt.hash, tx.hash);
assert.equal(receipt.from, wallet.address);
assert.equal(receipt.to, other.address);
assert.equal(receipt.gasUsed, 21000n);
assert.equal(receipt.cumulativeGasUsed, 21000n);
assert.equal(await provider.getBalance(other.address), before + 1000n);
const found = await provider.getTransaction(tx.hash);
assert.equal(found.blockNumber, receipt.blockNumber);
assert.equal(found.signature.serialized, ethers.Transaction.from(found).signature.serialized);
const block = await provider.getBlock(receipt.blockNumber, true);
assert.equal(block.prefetchedTransactions[0].hash, tx.hash);
assert.equal(block.gasUsed, 21000n);
assert.equal(block.parentHash, (await provider.getBlock(receipt.blockNumber - 1)).hash);

// types 0 and 1
for (const type of [0, 1]) {
  const sent = await wallet.sendTransaction({
    to: other.address, value: 1n, type, gasPrice: fees.gasPrice,
    ...(type === 1 ? { accessList: [[other.address, ['0x' + '00'.repeat(32)]]] } : {}),
  });
  const got = await sent.wait();
  assert.equal(got.type, type);
  const back = await provider.getTransaction(sent.hash);
  assert.equal(back.type, type);
  if (type === 1) assert.equal(back.accessList[0].address, other.address);
}

// many at once: requests leave in batches
const nonce = await wallet.getNonce();
const sent = await Promise.all(Array.from({ length: 60 }, (_, i) =>
  wallet.sendTransaction({ to: other.address, value: 1n, nonce: nonce + i, gasLimit: 21000 })));
const receipts = await Promise.all(sent.map((t) => t.wait()));
assert(receipts.every((r) => r.status === 1));
assert.equal(await wallet.getNonce(), nonce + 60);

// what is refused, in the words clients know
await assert.rejects(
  wallet.sendTransaction({ to: other.address, nonce: 0, gasLimit: 21000 }),
  (e) => e.code === 'NONCE_EXPIRED');
const poor = ethers.Wallet.createRandom().connect(provider);
await assert.rejects(
  poor.sendTransaction({ to: other.address, value: 1n, gasLimit: 21000, gasPrice: 1n, type: 0 }),
  (e) => e.code === 'INSUFFICIENT_FUNDS');

// unlocked accounts
const signer = await provider.getSigner();
assert.equal(await signer.getAddress(), wallet.address);
const signed = await signer.signMessage('hello');
assert.equal(ethers.verifyMessage('hello', signed), wallet.address);
const domain = { name: 'n', version: '1', chainId: 31337 };
const types = { T: [{ name: 'v', type: 'uint256' }, { name: 'w', type: 'U[]' }], U: [{ name: 's', type: 'string' }] };
const value = { v: 5n, w: [{ s: 'a' }, { s: 'b' }] };
assert.equal(await signer.signTypedData(domain, types, value), await wallet.signTypedData(domain, types, value));
const unlocked = await signer.sendTransaction({ to: other.address, value: 7n });
assert.equal((await unlocked.wait()).status, 1);

// pushed over WebSocket
const socket = new ethers.WebSocketProvider(ws);
const heads = [];
const pending = [];
await socket.on('block', (n) => heads.push(n));
await socket.on('pending', (h) => pending.push(h));
await socket.getBlockNumber();
const pushed = await wallet.sendTransaction({ to: other.address, value: 1n });
const landed = await pushed.wait();
for (let i = 0; i < 500 && !(heads.includes(landed.blockNumber) && pending.includes(pushed.hash)); i++) {
  await new Promise((ok) => setTimeout(ok, 10));
}
assert(heads.includes(landed.blockNumber), 'a new head was pushed');
assert(pending.includes(pushed.hash), 'a pending transaction was pushed');
await socket.destroy();
provider.destroy();
console.log('ok ethers 6');
