// SPDX-License-Identifier: Apache-2.0
// reference.mjs - the reference contracts on anvil: what souk is compared with.
//
//   node reference.mjs [6.1|6.2] [PORT]     starts anvil, deploys, prints one JSON line, stays up
//
// 6.1 comes from the npm package @iexec/poco; 6.2 from ../../../shared/vectors/poco (or the file
// named by SOUK_POCO_62), where that is there. As a module: startReference({rules, chainId, port}).
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AbiCoder, Contract, ContractFactory, Interface, JsonRpcProvider, Wallet, ZeroAddress } from 'ethers';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

export const DEPLOYER_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

const FACETS = [
  'IexecAccessorsABILegacyFacet', 'IexecCategoryManagerFacet', 'IexecConfigurationExtraFacet',
  'IexecConfigurationFacet', 'IexecERC20Facet', 'IexecEscrowTokenFacet',
  'IexecOrderManagementFacet', 'IexecPoco1Facet', 'IexecPoco2Facet', 'IexecPocoAccessorsFacet',
  'IexecRelayFacet',
];
const CATEGORIES = [['XS', 300], ['S', 1200], ['M', 3600], ['L', 10800], ['XL', 36000]];

export function path62() {
  return process.env.SOUK_POCO_62 ?? join(here, '../../../shared/vectors/poco/poco-6.2.0.json');
}

export function hasRules(rules) {
  return rules === '6.1' || existsSync(path62());
}

// name -> {abi, bytecode, links: [byte offsets of IexecLibOrders_v5]}
export function contractsOf(rules) {
  if (rules === '6.2') {
    const all = JSON.parse(readFileSync(path62(), 'utf8')).contracts;
    return (name) => {
      const c = all[name];
      return c && { abi: c.abi, bytecode: c.bytecode, links: linkOffsets(c.links) };
    };
  }
  const root = dirname(require.resolve('@iexec/poco/package.json'));
  const where = (name) => [
    `artifacts/contracts/facets/${name}.sol/${name}.json`,
    `artifacts/contracts/${name}.sol/${name}.json`,
    `artifacts/contracts/libs/${name}.sol/${name}.json`,
    ...['apps', 'datasets', 'workerpools'].map((d) => `artifacts/contracts/registries/${d}/${name}.sol/${name}.json`),
    `artifacts/contracts/tools/testing/${name}.sol/${name}.json`,
    `deployments/arbitrum/${name}.json`,
  ].map((p) => join(root, p)).find(existsSync);
  return (name) => {
    if (name === 'RLC') {
      const rlc = require('rlc-faucet-contract/build/contracts/RLC.json');
      return { abi: rlc.abi, bytecode: rlc.bytecode, links: [] };
    }
    const file = where(name);
    if (!file) return undefined;
    const c = JSON.parse(readFileSync(file, 'utf8'));
    return { abi: c.abi, bytecode: c.bytecode, links: linkOffsets(c.linkReferences) };
  };
}

function linkOffsets(refs) {
  return Object.values(refs ?? {}).flatMap((libs) => Object.values(libs)).flat().map((r) => r.start);
}

function link(c, library) {
  let code = c.bytecode.replace(/^0x/, '');
  for (const at of c.links) {
    code = code.slice(0, at * 2) + library.slice(2).toLowerCase() + code.slice(at * 2 + 40);
  }
  return '0x' + code;
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const s = createServer();
    s.on('error', reject);
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

async function answers(provider, child) {
  for (let i = 0; i < 200; i++) {
    if (child.exitCode !== null) throw new Error(`anvil ended with status ${child.exitCode}`);
    try {
      await provider.send('eth_chainId', []);
      return;
    } catch {
      await new Promise((r) => setTimeout(r, 25));
    }
  }
  throw new Error('anvil does not answer after 5 s');
}

export async function startAnvil({ chainId = 31337, port } = {}) {
  port ??= await freePort();
  const bin = join(dirname(require.resolve('@foundry-rs/anvil-linux-amd64/package.json')), 'bin/anvil');
  const child = spawn(bin, ['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chainId),
    '--gas-limit', '30000000000', '--base-fee', '0', '--prune-history', '--silent'], { stdio: 'ignore' });
  const rpc = `http://127.0.0.1:${port}`;
  const provider = new JsonRpcProvider(rpc, chainId, { staticNetwork: true, cacheTimeout: -1, pollingInterval: 20 });
  await answers(provider, child);
  return { rpc, chainId, provider, child, stop: () => { provider.destroy(); child.kill('SIGKILL'); } };
}

export async function startReference({ rules = '6.1', chainId = 31337, port, boost = false } = {}) {
  const node = await startAnvil({ chainId, port });
  try {
    return { ...node, rules, ...(await deploy(node.provider, rules, boost)) };
  } catch (e) {
    node.stop();
    throw e;
  }
}

async function deploy(provider, rules, boost) {
  const get = contractsOf(rules);
  const deployer = new Wallet(DEPLOYER_KEY, provider);
  let nonce = await deployer.getNonce();
  const pending = [];
  const put = async (name, args = [], library) => {
    const c = get(name);
    if (!c) throw new Error(`reference ${rules}: no contract ${name}`);
    const abi = name === 'IexecLibOrders_v5' ? [] : c.abi; // its enum types are not ABI types
    const f = new ContractFactory(abi, library ? link(c, library) : c.bytecode, deployer);
    const made = await f.deploy(...args, { nonce: nonce++, gasLimit: 12_000_000, gasPrice: 0 });
    pending.push(made.waitForDeployment());
    return made.getAddress();
  };
  const call = async (address, abi, fn, args) => {
    const tx = await new Contract(address, abi, deployer)[fn](...args, { nonce: nonce++, gasLimit: 3_000_000, gasPrice: 0 });
    pending.push(tx.wait());
  };

  const token = await put('RLC');
  const library = await put('IexecLibOrders_v5');
  const init = await put('DiamondInit');
  const facets = ['DiamondCutFacet', 'DiamondLoupeFacet', 'OwnershipFacet', ...FACETS,
    ...(boost ? ['IexecPocoBoostFacet', 'IexecPocoBoostAccessorsFacet'] : [])];
  const seen = new Set();
  const cut = [];
  for (const name of facets) {
    const c = get(name);
    if (!c) continue; // 6.2 has no ERC-20 facet of its own
    const address = await put(name, [], c.links.length > 0 ? library : undefined);
    const selectors = [];
    new Interface(c.abi).forEachFunction((f) => selectors.push(f.selector));
    if (name === 'IexecEscrowTokenFacet') selectors.push('0x00000000', '0xffffffff');
    const fresh = selectors.filter((s) => !seen.has(s));
    fresh.forEach((s) => seen.add(s));
    cut.push([address, 0, fresh]);
  }
  const hub = await put('Diamond', [cut, [await deployer.getAddress(), init, '0xe1c7392a']]);
  const registries = [];
  for (const name of ['AppRegistry', 'DatasetRegistry', 'WorkerpoolRegistry']) {
    const address = await put(name);
    const abi = get(name).abi;
    const kind = name.replace('Registry', '').toLowerCase();
    const { chainId } = await provider.getNetwork();
    await call(address, abi, 'initialize', [ZeroAddress]);
    await call(address, abi, 'setBaseURI', [`https://nfts-metadata.iex.ec/${kind}/${chainId}/`]);
    registries.push(address);
  }
  const hubAbi = get('IexecInterfaceToken').abi;
  await call(hub, hubAbi, 'configure', [token, 'Staked RLC', 'SRLC', 9, ...registries, ZeroAddress]);
  for (const [name, seconds] of CATEGORIES) await call(hub, hubAbi, 'createCategory', [name, '""', seconds]);
  await Promise.all(pending);
  return {
    hub, token, appregistry: registries[0], datasetregistry: registries[1], workerpoolregistry: registries[2],
    deployer: await deployer.getAddress(), contract: get,
    helper: async (name, args = []) => {
      nonce = await deployer.getNonce();
      const at = await put(name, args);
      await Promise.all(pending);
      return at;
    },
  };
}

export const coder = AbiCoder.defaultAbiCoder();

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const rules = process.argv[2] ?? '6.1';
  const ref = await startReference({ rules, port: process.argv[3] ? Number(process.argv[3]) : undefined });
  const { rpc, chainId, hub, token, appregistry, datasetregistry, workerpoolregistry, deployer } = ref;
  console.log(JSON.stringify({ rules, rpc, chainId, hub, token, appregistry, datasetregistry, workerpoolregistry, deployer, pid: ref.child.pid }));
  process.on('SIGTERM', () => { ref.stop(); process.exit(0); });
  process.on('SIGINT', () => { ref.stop(); process.exit(0); });
}
