// SPDX-License-Identifier: Apache-2.0
// viem.mjs URL WS - the same with viem: public, wallet and test clients.
import assert from 'node:assert/strict';
import {
  createPublicClient, createTestClient, createWalletClient, defineChain, http, parseEther, publicActions,
  walletActions, webSocket,
} from 'viem';
import { mnemonicToAccount } from 'viem/accounts';

const [url, ws] = process.argv.slice(2);
const chain = defineChain({
  id: 31337, name: 'souk', nativeCurrency: { name: 'E', symbol: 'E', decimals: 18 },
  rpcUrls: { default: { http: [url] } },
});
const phrase = 'test test test test test test test test test test test junk';
const account = mnemonicToAccount(phrase);
const other = mnemonicToAccount(phrase, { addressIndex: 1 });
const client = createPublicClient({ chain, transport: http(url, { batch: true }), pollingInterval: 20 });
const wallet = createWalletClient({ account, chain, transport: http(url) });

assert.equal(await client.getChainId(), 31337);
assert.equal((await client.getBlock()).number, await client.getBlockNumber());
assert(await client.getBalance({ address: account.address }) > parseEther('1'));
const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [25, 75.5] });
assert.equal(history.baseFeePerGas.length, history.gasUsedRatio.length + 1);
await client.estimateFeesPerGas();

const hash = await wallet.sendTransaction({ to: other.address, value: 5n });
const receipt = await client.waitForTransactionReceipt({ hash });
assert.equal(receipt.status, 'success');
assert.equal((await client.getTransaction({ hash })).value, 5n);
assert.equal(await client.getTransactionCount({ address: account.address }),
  await client.getTransactionCount({ address: account.address, blockTag: 'pending' }));
await assert.rejects(client.getBlock({ blockNumber: 10n ** 6n }), /could not be found/);

// filters
const filter = await client.createBlockFilter();
await client.waitForTransactionReceipt({ hash: await wallet.sendTransaction({ to: other.address, value: 1n }) });
assert((await client.getFilterChanges({ filter })).length >= 1);
assert.equal(await client.uninstallFilter({ filter }), true);
assert.deepEqual(await client.getLogs({ address: other.address, fromBlock: 0n }), []);

// development helpers
const test = createTestClient({ chain, mode: 'anvil', transport: http(url) })
  .extend(publicActions).extend(walletActions);
await test.setBalance({ address: '0x' + 'ab'.repeat(20), value: parseEther('3') });
assert.equal(await test.getBalance({ address: '0x' + 'ab'.repeat(20) }), parseEther('3'));
const id = await test.snapshot();
const at = await test.getBlockNumber({ cacheTime: 0 });
await test.mine({ blocks: 5 });
assert.equal(await test.getBlockNumber({ cacheTime: 0 }), at + 5n);
await test.revert({ id });
assert.equal(await test.getBlockNumber({ cacheTime: 0 }), at);
await test.impersonateAccount({ address: '0x' + 'ab'.repeat(20) });
const spoken = await test.sendTransaction({ account: '0x' + 'ab'.repeat(20), to: other.address, value: 9n });
assert.equal((await client.waitForTransactionReceipt({ hash: spoken })).status, 'success');
await test.stopImpersonatingAccount({ address: '0x' + 'ab'.repeat(20) });
const now = (await test.getBlock()).timestamp;
await test.setNextBlockTimestamp({ timestamp: now + 1000n });
await test.mine({ blocks: 1 });
assert.equal((await test.getBlock()).timestamp, now + 1000n);
await test.increaseTime({ seconds: 3600 });
await test.mine({ blocks: 1 });
assert((await test.getBlock()).timestamp >= now + 4600n);

// subscriptions
const socket = createPublicClient({ chain, transport: webSocket(ws) });
const heads = [];
const stop = socket.watchBlocks({ onBlock: (b) => heads.push(b.number) });
await socket.getBlockNumber();
const last = await wallet.sendTransaction({ to: other.address, value: 1n });
const mined = await client.waitForTransactionReceipt({ hash: last });
for (let i = 0; i < 500 && !heads.includes(mined.blockNumber); i++) {
  await new Promise((ok) => setTimeout(ok, 10));
}
assert(heads.includes(mined.blockNumber));
stop();
console.log('ok viem');
process.exit(0);
