// SPDX-License-Identifier: Apache-2.0
// ethers5.mjs URL WS - the same with ethers 5.
import assert from 'node:assert/strict';
import { ethers } from 'ethers5';

const [url, ws] = process.argv.slice(2);
const phrase = 'test test test test test test test test test test test junk';
const provider = new ethers.providers.JsonRpcProvider(url);
provider.pollingInterval = 20;
const wallet = ethers.Wallet.fromMnemonic(phrase).connect(provider);
const other = ethers.Wallet.fromMnemonic(phrase, "m/44'/60'/0'/0/1");

assert.equal((await provider.getNetwork()).chainId, 31337);
const block = await provider.getBlockWithTransactions('latest');
assert.equal(block.number, await provider.getBlockNumber());
const sent = await wallet.sendTransaction({ to: other.address, value: 3 });
const receipt = await sent.wait();
assert.equal(receipt.status, 1);
assert.equal(receipt.logs.length, 0);
assert.equal((await provider.getTransaction(sent.hash)).confirmations >= 1, true);
await assert.rejects(wallet.sendTransaction({ to: other.address, nonce: 0, gasLimit: 21000 }),
  (e) => e.code === 'NONCE_EXPIRED');
const { hub } = await provider.send('souk_contracts', []);
const contract = new ethers.Contract(hub, [
  'function owner() view returns (address)', 'function createCategory(string,string,uint256) returns (uint256)',
  'event CreateCategory(uint256 catid,string name,string description,uint256 workClockTimeRef)'], wallet);
assert.equal(await contract.owner(), wallet.address);
await assert.rejects(contract.connect(other.connect(provider)).estimateGas.createCategory('a', 'b', 1),
  (e) => /caller is not the owner/.test(JSON.stringify(e)));
const made = await (await contract.createCategory('a', 'b', 7)).wait();
assert.equal(made.events[0].args.workClockTimeRef.toNumber(), 7);
assert.equal((await contract.queryFilter(contract.filters.CreateCategory(), 0)).length, 1);

const socket = new ethers.providers.WebSocketProvider(ws);
const logs = [];
contract.connect(socket).on('CreateCategory', (...args) => logs.push(args.at(-1).transactionHash));
await socket.getBlockNumber();
const again = await (await contract.createCategory('c', 'd', 8)).wait();
for (let i = 0; i < 500 && !logs.includes(again.transactionHash); i++) {
  await new Promise((ok) => setTimeout(ok, 10));
}
assert(logs.includes(again.transactionHash));
await socket.destroy();
console.log('ok ethers 5');
