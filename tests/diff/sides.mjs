// SPDX-License-Identifier: Apache-2.0
// sides.mjs - one chain under comparison: sends a call and reports everything a client could see of
// it. Both chains get the same senders, bytes, value and block time.

let nextId = 1;

export class Side {
  constructor(name, rpc) {
    this.name = name;
    this.rpc = rpc;
    this.known = new Set(); // senders that may sign
  }

  async batch(list) {
    const body = list.map(([method, params]) => ({ jsonrpc: '2.0', id: nextId++, method, params }));
    const res = await fetch(this.rpc, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    const replies = await res.json();
    if (!Array.isArray(replies)) throw new Error(`${this.name}: ${JSON.stringify(replies)}`);
    const byId = new Map(replies.map((r) => [r.id, r]));
    return body.map((b) => byId.get(b.id));
  }

  async one(method, params = []) {
    const [r] = await this.batch([[method, params]]);
    if (r.error) throw new Error(`${this.name}: ${method}: ${r.error.message}`);
    return r.result;
  }

  // A view: {ok, data} of eth_call.
  async view(call) {
    const [r] = await this.batch([['eth_call', [txOf(call), 'latest']]]);
    return outcome(this.name, r);
  }

  async views(calls) {
    const out = [];
    for (let i = 0; i < calls.length; i += 100) {
      const part = calls.slice(i, i + 100);
      const rs = await this.batch(part.map((c) => ['eth_call', [txOf(c), 'latest']]));
      out.push(...rs.map((r) => outcome(this.name, r)));
    }
    return out;
  }

  // A transaction in a block of its own at call.time: what eth_call answered just before, the
  // receipt's status, and the logs.
  async send(call) {
    const tx = { ...txOf(call), gas: '0x' + (8_000_000).toString(16), gasPrice: '0x0' };
    if (!this.known.has(call.from)) {
      await this.one('anvil_impersonateAccount', [call.from]);
      await this.one('anvil_setBalance', [call.from, '0xd3c21bcecceda1000000']);
      this.known.add(call.from);
    }
    const [before] = await this.batch([['eth_call', [txOf(call), 'latest']]]);
    const [, sent] = await this.batch([
      ['evm_setNextBlockTimestamp', ['0x' + call.time.toString(16)]],
      ['eth_sendTransaction', [tx]],
    ]);
    if (sent.error) throw new Error(`${this.name}: eth_sendTransaction: ${sent.error.message}`);
    const receipt = await this.receipt(sent.result);
    return {
      call: outcome(this.name, before),
      status: Number(receipt.status),
      logs: receipt.logs.map((l) => ({ address: l.address.toLowerCase(), topics: l.topics, data: l.data })),
    };
  }

  async receipt(hash) {
    for (let i = 0; i < 400; i++) {
      const r = await this.one('eth_getTransactionReceipt', [hash]);
      if (r) return r;
      await new Promise((done) => setTimeout(done, 5));
    }
    throw new Error(`${this.name}: no receipt of ${hash} after 2 s`);
  }
}

function txOf(call) {
  const tx = { from: call.from, to: call.to, data: call.data };
  if (call.value) tx.value = '0x' + BigInt(call.value).toString(16);
  return tx;
}

function outcome(name, r) {
  if (!r.error) return { ok: true, data: r.result };
  if (typeof r.error.data === 'string') return { ok: false, data: r.error.data };
  // An invalid opcode burns the gas: to a caller that is a revert without data.
  if (/revert|OutOfGas|OOG|InvalidFEOpcode/i.test(r.error.message)) return { ok: false, data: '0x' };
  throw new Error(`${name}: eth_call: ${r.error.message}`);
}

// The first difference of two reports as a sentence, or null.
export function difference(a, b, excuse = () => false) {
  for (const key of ['ok', 'data']) {
    if (a.call[key] !== b.call[key] && !excuse(a, b)) {
      return `eth_call ${key}: reference ${short(a.call[key])}, souk ${short(b.call[key])}`;
    }
  }
  if (a.status !== b.status) {
    return `status: reference ${a.status}, souk ${b.status}`;
  }
  if (a.logs && b.logs) {
    for (let i = 0; i < Math.max(a.logs.length, b.logs.length); i++) {
      const x = JSON.stringify(a.logs[i]), y = JSON.stringify(b.logs[i]);
      if (x !== y) return `log ${i}: reference ${short(x)}, souk ${short(y)}`;
    }
  }
  return null;
}

function short(v) {
  const s = String(v);
  return s.length > 600 ? `${s.slice(0, 600)}… (${s.length} characters)` : s;
}
