// SPDX-License-Identifier: Apache-2.0
// client.mjs - a client that costs little beside the node: bare HTTP over kept connections, bodies
// made beforehand, receipts read as text.
import { connect } from 'node:net';

export const BATCH = 100;

// One kept connection; one request at a time.
export class Connection {
  constructor(url) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.socket.on('data', (d) => this.take(d));
    this.socket.on('error', (e) => this.fail(e));
    this.socket.on('close', () => this.fail(new Error('the node closed the connection')));
    this.parts = [];
    this.size = 0;
  }

  fail(e) {
    this.reject?.(e);
  }

  take(d) {
    this.parts.push(d);
    this.size += d.length;
    if (this.need === undefined) {
      const all = Buffer.concat(this.parts), end = all.indexOf('\r\n\r\n');
      this.parts = [all];
      if (end < 0) return;
      const m = /\r\ncontent-length: *(\d+)/i.exec(all.toString('latin1', 0, end));
      if (!m) { this.fail(new Error('an answer without content-length')); return; }
      this.body = end + 4;
      this.need = this.body + Number(m[1]);
    }
    if (this.size < this.need) return;
    const text = Buffer.concat(this.parts).toString('latin1', this.body, this.need), done = this.resolve;
    this.parts = [];
    this.size = 0;
    this.need = this.resolve = this.reject = undefined;
    done(text);
  }

  post(body) {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.socket.write(body);
    });
  }

  async call(method, ...params) {
    const r = JSON.parse(await this.post(request({ jsonrpc: '2.0', id: 1, method, params })));
    if (r.error) throw new Error(`${method}: ${r.error.message}`);
    return r.result;
  }

  async calls(list) {
    const out = [];
    for (let i = 0; i < list.length; i += BATCH) {
      const part = list.slice(i, i + BATCH).map(([method, params], id) => ({ jsonrpc: '2.0', id, method, params }));
      out.push(...JSON.parse(await this.post(request(part))).sort((a, b) => a.id - b.id));
    }
    return out;
  }

  close() {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }
}

export function request(value) {
  const body = Buffer.from(JSON.stringify(value));
  return Buffer.concat([Buffer.from(`POST / HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`), body]);
}

// The bodies that send a phase, one list a connection; a sender's transactions stay on one.
export function bodies(phase, connections) {
  const lists = Array.from({ length: connections }, () => []), where = new Map();
  for (const t of phase) {
    if (!where.has(t.from)) where.set(t.from, where.size % connections);
    lists[where.get(t.from)].push(t);
  }
  return lists.map((list) => {
    const out = [];
    for (let i = 0; i < list.length; i += BATCH) {
      out.push(request(list.slice(i, i + BATCH).map((t, id) => ({ jsonrpc: '2.0', id, method: 'eth_sendRawTransaction', params: [t.raw] }))));
    }
    return out;
  });
}

export async function sendAll(conns, lists) {
  await Promise.all(lists.map(async (list, i) => {
    for (const body of list) {
      const text = await conns[i].post(body), at = text.indexOf('"error"');
      if (at >= 0) throw new Error(`not taken: ${text.slice(at, at + 300)}`);
    }
  }));
}

const KEY = '"transactionHash":"', OK = '"status":"0x1"', BAD = '"status":"0x0"';

// Ticks off the receipts of one block; the number of them.
export function tick(text, waiting) {
  if (text.includes(BAD)) throw new Error('a transaction failed');
  let n = 0, found = 0;
  for (let at = text.indexOf(KEY); at >= 0; at = text.indexOf(KEY, at + 90)) {
    if (waiting.delete(text.substr(at + KEY.length, 66))) found++;
  }
  for (let at = text.indexOf(OK); at >= 0; at = text.indexOf(OK, at + 10)) n++;
  if (n !== found) throw new Error(`${n} receipts, of which ${found} were waited for`);
  return n;
}
