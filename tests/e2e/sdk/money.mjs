// SPDX-License-Identifier: Apache-2.0
// Modules account, wallet, network and hub.
import { assert, fails, finish, keyed, options, person, provider, sdk, stack, stranger, IExec } from './lib.mjs';

const a = await person();
const b = await person({ rlc: 0n, coins: 0n });
const reader = sdk(stack.node);

// network
assert.deepEqual(await a.iexec.network.getNetwork(), { chainId: '421614' });
await fails(/./, sdk('http://127.0.0.1:1').network.getNetwork());

// wallet
assert.equal(await a.iexec.wallet.getAddress(), a.address);
await fails(/signer/i, reader.wallet.getAddress());
let have = await reader.wallet.checkBalances(a.address);
assert.equal(have.nRLC.toString(), '1000000000');
assert.equal(have.wei.toString(), '1000000000000000000');
await fails(/not a valid ethereum address/, reader.wallet.checkBalances('foo'));
await a.iexec.wallet.sendETH('1000000000000000', b.address);
assert.equal((await b.iexec.wallet.checkBalances(b.address)).wei.toString(), '1000000000000000');
assert((await a.iexec.wallet.checkBalances(a.address)).wei.toString() < '999000000000000000'); // gas was paid
await fails(/exceed wallet balance/, a.iexec.wallet.sendETH('10000000000000000000', b.address));
await a.iexec.wallet.sendRLC('7', b.address);
await a.iexec.wallet.sendRLC('3', b.address);
assert.equal((await b.iexec.wallet.checkBalances(b.address)).nRLC.toString(), '10');
await fails(/exceed wallet balance/, b.iexec.wallet.sendRLC('11', a.address));
const c = stranger();
const swept = await b.iexec.wallet.sweep(c);
assert(swept.sendERC20TxHash && swept.sendNativeTxHash);
assert.equal((await reader.wallet.checkBalances(c)).nRLC.toString(), '10');
await fails(/not a valid ethereum address/, b.iexec.wallet.sweep('nobody'));

// account
assert.deepEqual((await a.iexec.account.deposit('1000')).amount.toString(), '1000');
have = await reader.account.checkBalance(a.address);
assert.equal(`${have.stake} ${have.locked}`, '1000 0');
await fails(/not a valid ethereum address/, reader.account.checkBalance('0x12'));
await fails(/exceed/, a.iexec.account.deposit('10000000000'));
await a.iexec.account.withdraw('400');
await fails(/exceed/, a.iexec.account.withdraw('601'));
const spender = stranger();
assert(await a.iexec.account.approve('25', spender));
assert.equal((await a.iexec.account.checkAllowance(a.address, spender)).toString(), '25');
await fails(/not a valid ethereum address/, a.iexec.account.checkAllowance(a.address, 'x'));
await fails(/nRLC amount|not a valid amount/, a.iexec.account.approve('-1', spender));
assert(await a.iexec.account.revokeApproval(spender));
assert.equal((await a.iexec.account.checkAllowance(a.address, spender)).toString(), '0');
await fails(/signer/i, reader.account.revokeApproval(spender));

// hub
const admin = sdk(keyed(process.env.SDK_ADMIN_KEY));
const made = await admin.hub.createCategory({ name: 'sdk', description: 'made by the SDK', workClockTimeRef: '60' });
const shown = await reader.hub.showCategory(made.catid);
assert.equal(shown.name, 'sdk');
assert.equal(shown.workClockTimeRef.toString(), '60');
assert.equal((await reader.hub.countCategory()).toString(), (Number(made.catid) + 1).toString());
assert.equal((await reader.hub.getTimeoutRatio()).toString(), '10');
await fails(/only hub owner .* can create new categories|owner/i, a.iexec.hub.createCategory({ name: 'x', description: 'd', workClockTimeRef: '1' }));
await fails(/execution reverted/i, reader.hub.showCategory('100000'));
const elsewhere = sdk(stack.node, { hubAddress: stranger() });
await fails(/./, elsewhere.hub.countCategory());
await fails(/./, elsewhere.hub.getTimeoutRatio());

// configuration
await fails(/option not set|no default value/, new IExec({ ethProvider: provider }, { ...options, smsURL: undefined, hubAddress: undefined })
  .config.resolveSmsURL().then((u) => { if (/^https/.test(u)) throw new Error('option not set: the default is used'); }));
finish();
