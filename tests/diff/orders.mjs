// SPDX-License-Identifier: Apache-2.0
// orders.mjs - the four orders: EIP-712 types, hashing and signing. Written from the protocol page,
// not from souk's tables, so that a mistake in those shows.
import { TypedDataEncoder, ZeroAddress, ZeroHash } from 'ethers';

const u = (name) => ({ name, type: 'uint256' });
const a = (name) => ({ name, type: 'address' });
const h = (name) => ({ name, type: 'bytes32' });

export const TYPES = {
  app: { AppOrder: [a('app'), u('appprice'), u('volume'), h('tag'), a('datasetrestrict'), a('workerpoolrestrict'), a('requesterrestrict'), h('salt')] },
  dataset: { DatasetOrder: [a('dataset'), u('datasetprice'), u('volume'), h('tag'), a('apprestrict'), a('workerpoolrestrict'), a('requesterrestrict'), h('salt')] },
  workerpool: { WorkerpoolOrder: [a('workerpool'), u('workerpoolprice'), u('volume'), h('tag'), u('category'), u('trust'), a('apprestrict'), a('datasetrestrict'), a('requesterrestrict'), h('salt')] },
  request: { RequestOrder: [a('app'), u('appmaxprice'), a('dataset'), u('datasetmaxprice'), a('workerpool'), u('workerpoolmaxprice'), a('requester'), u('volume'), h('tag'), u('category'), u('trust'), a('beneficiary'), a('callback'), { name: 'params', type: 'string' }, h('salt')] },
};

export const TYPE_NAME = { app: 'AppOrder', dataset: 'DatasetOrder', workerpool: 'WorkerpoolOrder', request: 'RequestOrder' };

export const operationTypes = (kind) => ({
  [`${TYPE_NAME[kind]}Operation`]: [{ name: 'order', type: TYPE_NAME[kind] }, u('operation')], ...TYPES[kind],
});

export const domainOf = (chainId, hub) => ({ name: 'iExecODB', version: '5.0.0', chainId, verifyingContract: hub });

export const orderHash = (domain, kind, order) => TypedDataEncoder.hash(domain, TYPES[kind], order);

export const operationHash = (domain, kind, order, operation) =>
  TypedDataEncoder.hash(domain, operationTypes(kind), { order, operation });

export function signHash(signer, hash) {
  return signer.signingKey.sign(hash).serialized;
}

// r ‖ s with the parity in s's top bit (EIP-2098)
export const compact = (signer, hash) => signer.signingKey.sign(hash).compactSerialized;

export const tupleOf = (kind, o) => [...Object.values(TYPES[kind])[0].map((f) => o[f.name]), o.sign];

export const noDataset = () => ({
  dataset: ZeroAddress, datasetprice: 0, volume: 0, tag: ZeroHash, apprestrict: ZeroAddress,
  workerpoolrestrict: ZeroAddress, requesterrestrict: ZeroAddress, salt: ZeroHash, sign: '0x',
});
