// SPDX-License-Identifier: Apache-2.0
// kubo.mjs API - each part of the IPFS API that programs use, through kubo-rpc-client.
import { create, CID } from 'kubo-rpc-client';

const ipfs = create({ url: process.argv[2] });
const ok = {};
const text = (s) => new TextEncoder().encode(s);
const all = async (it) => { const out = []; for await (const x of it) out.push(x); return out; };
const bytes = async (it) => Buffer.concat(await all(it));
const fails = async (f, re) => { try { await f(); return false; } catch (e) { return re.test(e.message); } };

const big = new Uint8Array(1000000).map((_, i) => i * 7 + (i >> 8));
const a = await ipfs.add(text('hello world\n'));
ok.add = a.cid.toString() === 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o' && a.size === 20;
const b = await ipfs.add({ path: 'big', content: big }, { cidVersion: 1, rawLeaves: true, progress: () => {} });
ok.addV1 = b.cid.version === 1 && b.path === 'big';
ok.cat = Buffer.compare(await bytes(ipfs.cat(b.cid)), Buffer.from(big)) === 0;
ok.catRange = Buffer.compare(await bytes(ipfs.cat(b.cid, { offset: 300000, length: 10 })), Buffer.from(big.slice(300000, 300010))) === 0;
const tree = await all(ipfs.addAll([{ path: 'd/x', content: text('x') }, { path: 'd/e/y', content: text('y') }]));
const dir = tree.at(-1);
ok.addAll = tree.map((t) => t.path).join() === 'd/x,d/e/y,d/e,d';
ok.ls = (await all(ipfs.ls(dir.cid))).map((e) => `${e.name}:${e.type}`).join() === 'e:dir,x:file';
ok.get = (await bytes(ipfs.get(dir.cid))).includes('ustar');
ok.path = (await bytes(ipfs.cat(`/ipfs/${dir.cid}/e/y`))).toString() === 'y';
const blk = await ipfs.block.put(text('raw block'), { format: 'raw' });
ok.block = Buffer.from(await ipfs.block.get(blk)).toString() === 'raw block' && (await ipfs.block.stat(blk)).size === 9;
const node = await ipfs.dag.put({ n: 1, list: ['a', true, null], to: a.cid });
const got = (await ipfs.dag.get(node)).value;
ok.dag = got.n === 1 && got.list.length === 3 && CID.asCID(got.to).equals(a.cid);
ok.dagPath = (await ipfs.dag.get(node, { path: '/list/0' })).value === 'a';
ok.dagResolve = (await ipfs.dag.resolve(`${dir.cid}/x`)).cid.toString() === tree[0].cid.toString();
await ipfs.pin.add(node);
const pins = (await all(ipfs.pin.ls())).map((p) => p.cid.toString());
ok.pin = pins.includes(node.toString()) && (await ipfs.pin.rm(node)).equals(node);
ok.pinGone = await fails(() => ipfs.pin.rm(node), /not pinned/);
ok.gc = (await all(ipfs.repo.gc())).length >= 1 && await fails(() => ipfs.dag.get(node, { timeout: 5000 }), /could not find/);
ok.stat = Number((await ipfs.repo.stat()).numObjects) > 5;
ok.id = (await ipfs.id()).id.toString().length > 20 && typeof (await ipfs.version()).version === 'string';
ok.missing = await fails(() => bytes(ipfs.cat('QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH')), /could not find/);
const car = await bytes(ipfs.dag.export(dir.cid));
const roots = await all(ipfs.dag.import([car]));
ok.car = roots[0].root.cid.equals(dir.cid);
ok.refs = (await all(ipfs.refs(dir.cid, { recursive: true }))).length === 3;
console.log(JSON.stringify(ok));
