// SPDX-License-Identifier: Apache-2.0
// proof.mjs URL - a proof that a log stands in a block, made from what the node answers and checked by
// a trie library and an RLP coder that know nothing of souk: header hash, transactions root, receipts
// root, the log in the proven receipt. Prints the raw state proofs that `souk verify proof` is to check.
import assert from 'node:assert/strict';
import { Trie } from '@ethereumjs/trie';
import { ethers } from 'ethers';

const [url] = process.argv.slice(2);
const provider = new ethers.JsonRpcProvider(url, undefined, { cacheTimeout: -1 });
const rpc = (method, ...params) => provider.send(method, params);
const q = (v) => (BigInt(v) === 0n ? '0x' : ethers.toBeHex(BigInt(v)));
const bytes = (hex) => Buffer.from(hex.slice(2), 'hex');

// A block with transactions of three types, plain ones and ones with logs, and a failed one.
const accounts = await rpc('eth_accounts');
const { appRegistry, hub, token } = await rpc('souk_contracts');
const registry = new ethers.Interface(['function createApp(address,string,string,bytes,bytes32,bytes) returns (address)']);
const erc20 = new ethers.Interface(['function approve(address,uint256)', 'function transfer(address,uint256)']);
const app = (i) => registry.encodeFunctionData('createApp', [accounts[i], `app ${i}`, 'DOCKER', '0x68656c6c6f', ethers.ZeroHash, '0x']);
await rpc('evm_setAutomine', false);
const sent = [];
for (let i = 0; i < 20; i++) {
  const tx = { from: accounts[i % 7], gas: '0x7a1200' };
  if (i % 4 === 0) Object.assign(tx, { to: appRegistry, data: app(i % 7) });
  else if (i % 4 === 1) Object.assign(tx, { to: token, data: erc20.encodeFunctionData('approve', [hub, 1000 + i]) });
  else if (i % 4 === 2) Object.assign(tx, { to: accounts[9], value: '0x1', gasPrice: '0x77359400' });
  else Object.assign(tx, { to: token, data: erc20.encodeFunctionData('transfer', [hub, 2n ** 200n]), accessList: [] });
  sent.push(await rpc('eth_sendTransaction', tx));
}
await rpc('evm_mine');

const block = await rpc('eth_getBlockByNumber', 'latest', false);
const receipts = await rpc('eth_getBlockReceipts', block.number);
assert.equal(receipts.length, sent.length);
assert.ok(new Set(receipts.map((r) => r.type)).size >= 2 && receipts.some((r) => r.status === '0x0'));

const header = ethers.encodeRlp([block.parentHash, block.sha3Uncles, block.miner, block.stateRoot, block.transactionsRoot,
  block.receiptsRoot, block.logsBloom, q(block.difficulty), q(block.number), q(block.gasLimit), q(block.gasUsed), q(block.timestamp),
  block.extraData, block.mixHash, block.nonce, q(block.baseFeePerGas)]);
assert.equal(ethers.keccak256(header), block.hash, 'the header hash');

async function trieOf(items) {
  const trie = new Trie();
  for (const [i, item] of items.entries()) await trie.put(bytes(ethers.encodeRlp(q(i))), item);
  return trie;
}

const raws = await Promise.all(block.transactions.map((h) => rpc('eth_getRawTransactionByHash', h)));
const txTrie = await trieOf(raws.map(bytes));
assert.equal(ethers.hexlify(txTrie.root()), block.transactionsRoot, 'the transactions root');

const encoded = receipts.map((r) => {
  const body = ethers.encodeRlp([q(r.status), q(r.cumulativeGasUsed), r.logsBloom, r.logs.map((l) => [l.address, l.topics, l.data])]);
  return bytes(r.type === '0x0' ? body : ethers.concat([ethers.toBeHex(r.type), body]));
});
const trie = await trieOf(encoded);
assert.equal(ethers.hexlify(trie.root()), block.receiptsRoot, 'the receipts root');

// The proof of each log: from the receipt's key to a root that the header, and so the hash, commits to.
const logs = await rpc('eth_getLogs', { blockHash: block.hash });
assert.ok(logs.length > 5);
for (const log of logs) {
  const key = bytes(ethers.encodeRlp(q(log.transactionIndex)));
  const proof = await trie.createProof(key);
  const root = bytes(ethers.decodeRlp(header)[5]);
  const value = await new Trie().verifyProof(root, key, proof);
  const typed = value[0] < 0x80 ? value.slice(1) : value;
  const [, , bloom, list] = ethers.decodeRlp(typed);
  const first = Number(receipts[Number(log.transactionIndex)].logs[0].logIndex);
  const [address, topics, data] = list[Number(log.logIndex) - first];
  assert.deepEqual([address, topics, data], [log.address.toLowerCase(), log.topics, log.data]);
  assert.notEqual(bloom, '0x' + '00'.repeat(256));
  proof[proof.length - 1] = Buffer.from(proof.at(-1));
  proof.at(-1)[proof.at(-1).length - 1] ^= 1;
  await assert.rejects(async () => {
    const got = await new Trie().verifyProof(root, key, proof);
    if (got === null || Buffer.compare(Buffer.from(got), Buffer.from(value)) !== 0) throw new Error('not proven');
  });
}

console.log(JSON.stringify({ ok: true, logs: logs.length, hash: block.hash, account: await rpc('souk_getProof', '0x01' + accounts[0].slice(2).toLowerCase()),
  nobody: await rpc('souk_getProof', '0x01' + '99'.repeat(20)) }));
