// SPDX-License-Identifier: Apache-2.0
// web3.mjs URL WS - the same with web3.js 4.
import assert from 'node:assert/strict';
import { Web3 } from 'web3';

const [url, ws] = process.argv.slice(2);
const web3 = new Web3(url);
web3.eth.transactionPollingInterval = 20;
const accounts = await web3.eth.getAccounts();
assert.equal(accounts.length, 20);
assert.equal(await web3.eth.getChainId(), 31337n);
assert.equal(await web3.eth.net.isListening(), true);
assert.equal(await web3.eth.isSyncing(), false);
assert.equal(await web3.eth.getNodeInfo().then((s) => s.startsWith('anvil')), true);
const sent = await web3.eth.sendTransaction({ from: accounts[0], to: accounts[1], value: '12' });
assert.equal(sent.status, 1n);
const tx = await web3.eth.getTransaction(sent.transactionHash);
assert.equal(tx.value, 12n);
assert.equal((await web3.eth.getBlock(sent.blockNumber)).transactions[0], sent.transactionHash);
assert.equal((await web3.eth.getTransactionReceipt(sent.transactionHash)).gasUsed, 21000n);
assert.equal(await web3.eth.getBlockTransactionCount(sent.blockNumber), 1n);
const signature = await web3.eth.sign('0x' + Buffer.from('hello').toString('hex'), accounts[0]);
assert.equal(web3.eth.accounts.recover('hello', signature), accounts[0]);
await assert.rejects(web3.eth.sendTransaction({ from: '0x' + '12'.repeat(20), to: accounts[1], gas: 21000 }),
  /unknown account/);
const account = web3.eth.accounts.create();
await web3.eth.sendTransaction({ from: accounts[0], to: account.address, value: web3.utils.toWei('1', 'ether') });
web3.eth.accounts.wallet.add(account);
const own = await web3.eth.sendTransaction({ from: account.address, to: accounts[1], value: '3' });
assert.equal(own.status, 1n);

const socket = new Web3(ws);
const heads = [];
const sub = await socket.eth.subscribe('newBlockHeaders');
sub.on('data', (h) => heads.push(BigInt(h.number)));
const last = await web3.eth.sendTransaction({ from: accounts[0], to: accounts[1], value: '1' });
for (let i = 0; i < 500 && !heads.includes(last.blockNumber); i++) {
  await new Promise((ok) => setTimeout(ok, 10));
}
assert(heads.includes(last.blockNumber));
console.log('ok web3.js 4');
process.exit(0);
