// SPDX-License-Identifier: Apache-2.0
// coverage.mjs - what the sequences have reached: public functions, events, revert texts and custom
// errors, and the steps of the task's state machine. `missing()` lists what was never hit.
import { AbiCoder, Interface, id } from 'ethers';

const MATCH = [...[0, 1, 2, 3, 4, 5, 6, 7], 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x20, 0x21, 0x30, 0x31, 0x40, 0x41, 0x50, 0x60]
  .map((n) => `iExecV5-matchOrders-0x${n.toString(16).padStart(2, '0')}`);
const TEXTS = [...MATCH, 'fallback-disabled', 'Ownable: caller is not the owner', 'already-configured',
  'ERC20: transfer to the zero address', 'ERC20: approve to the zero address', 'IexecEscrow: Transfer amount exceeds balance',
  'invalid-array-length', 'wrong-token', 'invalid-signature-format', 'invalid-sender-or-signature', 'task-pending',
  'Create2: Failed on deploy', 'Operation not supported on this chain', 'caller is not the owner', 'already initialized'];
const TEXTS_61 = ['ERC721: mint to the zero address', 'ERC721: owner query for nonexistent token', 'ERC721Metadata: URI query for nonexistent token',
  'ERC721: approved query for nonexistent token', 'ERC721: balance query for the zero address', 'EnumerableMap: index out of bounds',
  'EnumerableSet: index out of bounds', 'ERC721: approve caller is not owner nor approved for all', 'ERC721: approval to current owner',
  'ERC721: approve to caller', 'ERC721: transfer caller is not owner nor approved', 'ERC721: operator query for nonexistent token',
  'ERC721: transfer of token that is not own', 'ERC721: transfer to the zero address', 'ERC721: transfer to non ERC721Receiver implementer',
  'Ownable: new owner is the zero address'];
const ERRORS = ['IncompatibleDatasetOrder(string)', 'NotContractOwner(address,address)'];
const ERRORS_62 = ['UnsupportedOperation(bytes4)', 'CallerIsNotTheRequester()', 'ERC721InvalidReceiver(address)', 'ERC721NonexistentToken(uint256)',
  'ERC721InvalidOwner(address)', 'ERC721OutOfBoundsIndex(address,uint256)', 'ERC721InvalidApprover(address)', 'ERC721InvalidOperator(address)',
  'ERC721InsufficientApproval(address,uint256)', 'ERC721IncorrectOwner(address,uint256,address)', 'OwnableInvalidOwner(address)'];
// Left out: score-already-imported, which needs an older hub to import from.
const NOT_SERVED = new Set(['proxyCode()', 'master()']); // differ by construction: what a registry was compiled with

export class Coverage {
  constructor(rules, abis) {
    this.hits = new Map();
    const all = abis.map((a) => new Interface(a));
    this.functions = new Map();
    this.topics = new Map();
    for (const i of all) {
      i.forEachFunction((f) => NOT_SERVED.has(f.format()) || this.functions.set(f.selector, f.format()));
      i.forEachEvent((e) => this.topics.set(e.topicHash, e.format()));
    }
    this.texts = [...TEXTS, ...(rules === '6.1' ? TEXTS_61 : [])];
    this.errors = new Map([...ERRORS, ...(rules === '6.2' ? ERRORS_62 : [])].map((s) => [id(s).slice(0, 10), s]));
  }

  hit(what) {
    this.hits.set(what, (this.hits.get(what) ?? 0) + 1);
  }

  see(call, report) {
    const f = this.functions.get(call.data.slice(0, 10));
    if (f) this.hit(`function ${f}`);
    for (const l of report.logs ?? []) {
      const e = this.topics.get(l.topics[0]);
      if (e) this.hit(`event ${e}`);
    }
    if (!report.call.ok) this.hit(`revert ${this.reason(report.call.data)}`);
  }

  reason(data) {
    const code = data.slice(0, 10);
    try {
      if (code === '0x08c379a0') return AbiCoder.defaultAbiCoder().decode(['string'], '0x' + data.slice(10))[0];
      if (code === '0x4e487b71') return `Panic 0x${Number('0x' + data.slice(10)).toString(16)}`;
    } catch { /* not decodable: counted under its bytes */ }
    return data === '0x' ? 'empty' : this.errors.get(code) ?? code;
  }

  missing() {
    const want = [...[...this.functions.values()].map((f) => `function ${f}`), ...[...this.topics.values()].map((e) => `event ${e}`),
      ...this.texts.map((t) => `revert ${t}`), ...[...this.errors.values()].map((t) => `revert ${t}`), 'revert empty', 'revert Panic 0x11'];
    return [...new Set(want)].filter((w) => !this.hits.has(w)).sort();
  }

  total() {
    return this.hits.size;
  }
}
