// SPDX-License-Identifier: Apache-2.0
// random.mjs - the one source of chance: xoshiro128** from a 32-bit seed, so that a seed printed on
// failure gives the same sequence again.

export class Random {
  constructor(seed) {
    let z = seed >>> 0;
    const mix = () => {
      z = (z + 0x9e3779b9) >>> 0;
      let t = z ^ (z >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      return (t ^ (t >>> 15)) >>> 0;
    };
    this.s = [mix(), mix(), mix(), mix()];
  }

  u32() {
    const s = this.s;
    const rotl = (x, k) => ((x << k) | (x >>> (32 - k))) >>> 0;
    const out = Math.imul(rotl(Math.imul(s[1], 5) >>> 0, 7), 9) >>> 0;
    const t = (s[1] << 9) >>> 0;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11);
    return out;
  }

  below(n) {
    return this.u32() % n;
  }

  chance(p) {
    return this.u32() < p * 0x100000000;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  bytes(n) {
    let s = '0x';
    for (let i = 0; i < n; i++) s += this.below(256).toString(16).padStart(2, '0');
    return s;
  }

  hash() {
    return this.bytes(32);
  }

  // {name: weight} -> name
  weighted(table) {
    const names = Object.keys(table);
    let at = this.below(names.reduce((sum, n) => sum + table[n], 0));
    for (const n of names) {
      at -= table[n];
      if (at < 0) return n;
    }
    return names[0];
  }
}
