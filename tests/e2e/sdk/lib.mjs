// SPDX-License-Identifier: Apache-2.0
// lib.mjs - the SDK on a running stack (SDK_STACK: the line of `souk up --json`), with a record of
// every public method that was called and whether it answered or refused. Each script says at its end
// which of them it saw; test_sdk.py asks for a good and a failing case of each.
import fs from 'node:fs';
import assert from 'node:assert/strict';
import { AbiCoder, HDNodeWallet, JsonRpcProvider, Wallet, keccak256, toBeHex, zeroPadValue } from 'ethers';
import { IExec, utils, errors } from 'iexec';

export { assert, utils, errors, IExec, Wallet };
export const stack = JSON.parse(fs.readFileSync(process.env.SDK_STACK));
export const [api, gateway] = stack.store.split(' ');
export const provider = new JsonRpcProvider(stack.node, undefined, { pollingInterval: 50, cacheTimeout: -1 });
export const options = {
  hubAddress: stack.hub, smsURL: stack.sms, iexecGatewayURL: stack.market, ipfsNodeURL: api,
  ipfsGatewayURL: gateway, compassURL: stack.compass,
};
const seen = {};
export const note = (name, how) => { (seen[name] ??= { good: 0, bad: 0 })[how] += 1; };

// Wraps each function of a module: what it gives goes on unchanged, and is counted.
function watched(module, prefix) {
  return new Proxy(module, {
    get(target, key) {
      const fn = target[key];
      if (typeof fn !== 'function' || key === 'constructor') return fn;
      const name = `${prefix}.${String(key)}`;
      return (...args) => {
        let got;
        try { got = fn(...args); } catch (e) { note(name, 'bad'); throw e; }
        if (typeof got?.then !== 'function') { note(name, 'good'); return got; }
        return got.then((v) => { note(name, 'good'); return v; }, (e) => { note(name, 'bad'); throw e; });
      };
    },
  });
}

export const MODULES = ['account', 'app', 'dataset', 'deal', 'hub', 'network', 'order', 'orderbook', 'result',
  'secrets', 'storage', 'task', 'wallet', 'workerpool'];

export function sdk(ethProvider, more = {}) {
  const iexec = new IExec({ ethProvider }, { ...options, ...more });
  return Object.fromEntries(MODULES.map((m) => [m, watched(iexec[m], m)]));
}

// An account with coins and RLC, given as test suites of the SDK give them.
const LIVE_BALANCES = '0x52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace00';
const TOKEN = '0x9923eD3cbd90CD78b910c475f9A731A6e0b8C963';
export async function setRlc(address, nrlc) {
  const slot = keccak256(AbiCoder.defaultAbiCoder().encode(['address', 'bytes32'], [address, LIVE_BALANCES]));
  await provider.send('anvil_setStorageAt', [TOKEN, slot, zeroPadValue(toBeHex(nrlc), 32)]);
}
export async function person({ rlc = 10n ** 9n, coins = 10n ** 18n } = {}) {
  const wallet = new Wallet(HDNodeWallet.createRandom().privateKey, provider);
  await provider.send('anvil_setBalance', [wallet.address, toBeHex(coins)]);
  if (rlc > 0n) await setRlc(wallet.address, rlc);
  return { wallet, address: wallet.address, iexec: sdk(wallet) };
}
export const stranger = () => Wallet.createRandom().address;
export const random32 = () => keccak256(Wallet.createRandom().publicKey);
export const keyed = (file) => new Wallet(fs.readFileSync(file, 'utf8').trim().replace(/^(?!0x)/, '0x'), provider);

export async function fails(pattern, promise) {
  let got;
  try { got = await promise; } catch (e) {
    assert.match(String(e.message), pattern);
    return e;
  }
  assert.fail(`expected ${pattern}, got ${JSON.stringify(got)}`);
}

const names = (module) => Object.keys(module).filter((k) => typeof module[k] === 'function');
export function finish() {
  const iexec = new IExec({ ethProvider: provider }, options);
  const all = MODULES.flatMap((m) => names(iexec[m]).map((n) => `${m}.${n}`));
  console.log(JSON.stringify({ seen, all }));
}

export async function until(what, test, seconds = 60) {
  for (let i = 0; i < seconds * 10; i += 1) {
    const got = await test();
    if (got) return got;
    await new Promise((r) => { setTimeout(r, 100); });
  }
  return assert.fail(`${what}: not within ${seconds} s`);
}

export async function upload(bytes) {
  const form = new FormData();
  form.append('file', new Blob([bytes]));
  const res = await fetch(`${api}/api/v0/add`, { method: 'POST', body: form });
  assert.equal(res.status, 200);
  return `/ipfs/${(await res.json()).Hash}`;
}
