// SPDX-License-Identifier: Apache-2.0
// accounts.mjs - accounts with code on both sides: souk makes its groups, wallets and inboxes through
// their factories; the reference gets EVM code, written here, that answers the hub alike at the same
// addresses. A set-up step {setup: {reference, souk}} is done on both sides and not compared.
import { AbiCoder, Interface, concat, getBytes, getCreate2Address, id, keccak256, toBeHex, zeroPadValue } from 'ethers';

const FACTORY = (n) => `0x50c050c0${'00'.repeat(14)}50${n}`;
const SOUK = new Interface(['function createGroup(address owner, bytes32 salt)', 'function createWallet(address[] signers, uint256 threshold, bytes32 salt)',
  'function createInbox(address owner, bytes32 salt)', 'function addMember(address)', 'function removeMember(address)']);
const ACCOUNT = keccak256('0xfe' + Buffer.from('souk:account').toString('hex'));
const coder = AbiCoder.defaultAbiCoder();
const HALF_N = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

const OPS = { add: 0x01, sub: 0x03, lt: 0x10, gt: 0x11, eq: 0x14, iszero: 0x15, byte: 0x1a, shl: 0x1b, shr: 0x1c, keccak: 0x20,
  calldataload: 0x35, calldatasize: 0x36, calldatacopy: 0x37, pop: 0x50, mload: 0x51, mstore: 0x52, sload: 0x54, jumpi: 0x57, gas: 0x5a,
  log2: 0xa2, staticcall: 0xfa, return: 0xf3, revert: 0xfd };

// Assembles words: operations by name, numbers (pushed), `@name` (a label pushed), `:name` (the label).
function assemble(source) {
  const out = [], labels = {}, fix = [];
  for (const w of source) {
    if (typeof w === 'string' && w.startsWith(':')) { labels[w.slice(1)] = out.length; out.push(0x5b); }
    else if (typeof w === 'string' && w.startsWith('@')) { fix.push([out.length + 1, w.slice(1)]); out.push(0x61, 0, 0); }
    else if (typeof w === 'string' && w in OPS) out.push(OPS[w]);
    else if (typeof w === 'string' && !w.startsWith('0x')) throw new Error(`no operation ${w}`);
    else { const b = getBytes(toBeHex(w)); out.push(0x5f + b.length, ...b); }
  }
  for (const [at, name] of fix) { out[at] = labels[name] >> 8; out[at + 1] = labels[name] & 255; }
  return '0x' + Buffer.from(out).toString('hex');
}

const selector = (s, label) => [0, 'calldataload', 224, 'shr', id(s).slice(0, 10), 'eq', `@${label}`, 'jumpi'];
const REVERT = [0, 0, 'revert'];
const RETURN = [0, 'mstore', 32, 0, 'return']; // the word on the stack

const GROUP = assemble([...selector('keyHasPurpose(bytes32,uint256)', 'has'), ...REVERT,
  ':has', 36, 'calldataload', 4, 'eq', '@member', 'jumpi', 0, ...RETURN, ':member', 4, 'calldataload', 'sload', ...RETURN]);

const INBOX = assemble([...selector('receiveResult(bytes32,bytes)', 'take'), ...REVERT,
  ':take', 32, 0, 'mstore', 68, 'calldatasize', 'sub', 68, 32, 'calldatacopy',
  4, 'calldataload', id('ResultReceived(bytes32,bytes)'), 36, 'calldatasize', 'sub', 0, 'log2', 0, 0, 'return']);

const magic = (s) => zeroPadRight(id(s).slice(0, 10));
const zeroPadRight = (h) => h + '0'.repeat(66 - h.length);

// One signer, who signs the wallet's own digest of the hash, in 65 bytes.
function walletCode(separator, signer) {
  return assemble([...selector('isValidSignature(bytes32,bytes)', 'sig'), ...selector('onERC721Received(address,address,uint256,bytes)', 'token'), ...REVERT,
    ':token', magic('onERC721Received(address,address,uint256,bytes)'), ...RETURN,
    ':bad', zeroPadRight('0xffffffff'), ...RETURN,
    ':sig', 36, 'calldataload', 4, 'add', 'calldataload', 65, 'eq', 'iszero', '@bad', 'jumpi',
    id('WalletMessage(bytes32 hash)'), 0, 'mstore', 4, 'calldataload', 32, 'mstore', 64, 0, 'keccak', // the message's struct
    zeroPadRight('0x1901'), 0, 'mstore', separator, 2, 'mstore', 34, 'mstore', 66, 0, 'keccak', 0, 'mstore',
    ...at(0x60), 0, 'byte', 32, 'mstore', ...at(0x20), 64, 'mstore', ...at(0x40), 96, 'mstore',
    HALF_N, 96, 'mload', 'gt', '@bad', 'jumpi', 0, 128, 'mstore', 32, 128, 128, 0, 1, 'gas', 'staticcall', 'pop',
    128, 'mload', signer, 'eq', '@good', 'jumpi', zeroPadRight('0xffffffff'), ...RETURN,
    ':good', magic('isValidSignature(bytes32,bytes)'), ...RETURN]);
}
const at = (off) => [36, 'calldataload', 4 + off, 'add', 'calldataload'];

const made = (n, types, args) => getCreate2Address(FACTORY(n), keccak256(coder.encode(types, args)), ACCOUNT);
const setup = (name, from, to, data, reference) => ({ name, action: 'setup', from, to, data, setup: { reference } });

export class Accounts {
  constructor(chainId, owner, signer) {
    this.owner = owner;
    this.signer = signer; // of the wallet
    this.members = new Map(); // group -> set
    const salt = (n) => zeroPadValue(toBeHex(n), 32);
    this.steps = [];
    this.groups = [1, 2].map((n) => {
      const address = made('06', ['address', 'bytes32'], [owner, salt(n)]);
      this.steps.push(setup('createGroup', owner, FACTORY('06'), SOUK.encodeFunctionData('createGroup', [owner, salt(n)]), [['anvil_setCode', [address, GROUP]]]));
      this.members.set(address, new Set());
      return address;
    });
    this.inbox = made('08', ['address', 'bytes32'], [owner, salt(3)]);
    this.steps.push(setup('createInbox', owner, FACTORY('08'), SOUK.encodeFunctionData('createInbox', [owner, salt(3)]), [['anvil_setCode', [this.inbox, INBOX]]]));
    const args = [[signer.address], 1, salt(4)];
    this.wallet = made('07', ['address[]', 'uint256', 'bytes32'], args);
    this.separator = keccak256(coder.encode(['bytes32', 'bytes32', 'uint256', 'address'],
      [id('EIP712Domain(string name,uint256 chainId,address verifyingContract)'), id('souk wallet'), chainId, this.wallet]));
    this.steps.push(setup('createWallet', owner, FACTORY('07'), SOUK.encodeFunctionData('createWallet', args),
      [['anvil_setCode', [this.wallet, walletCode(this.separator, signer.address)]]]));
    this.all = new Set([...this.groups, this.inbox, this.wallet]);
  }

  // What the wallet's signer signs for a hash.
  digest(hash) {
    const message = keccak256(concat([id('WalletMessage(bytes32 hash)'), hash]));
    return keccak256(concat(['0x1901', this.separator, message]));
  }

  // Lets an account into a group, or puts it out where it is a member.
  change(group, account) {
    const set = this.members.get(group), out = set.has(account);
    if (out) set.delete(account);
    else set.add(account);
    return setup(out ? 'removeMember' : 'addMember', this.owner, group, SOUK.encodeFunctionData(out ? 'removeMember' : 'addMember', [account]),
      [['anvil_setStorageAt', [group, zeroPadValue(account, 32), zeroPadValue(out ? '0x00' : '0x01', 32)]]]);
  }
}
