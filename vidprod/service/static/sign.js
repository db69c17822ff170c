// The cloud's RPC signature, version 1.0 (HMAC-SHA1), without crypto.subtle: a page that came over plain HTTP has none.

const text = new TextEncoder();

/** Bytes from a string or bytes. */
const bytes = (data) => (typeof data === "string" ? text.encode(data) : data);

/** SHA-1 of a string or bytes, 20 bytes. */
export function sha1(data) {
  const message = bytes(data);
  const padded = new Uint8Array((((message.length + 8) >> 6) + 1) << 6);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(padded.length - 4, (message.length << 3) >>> 0);
  const h = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  const w = new Int32Array(80);
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(block + 4 * i);
    for (let i = 16; i < 80; i++) {
      const x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
      w[i] = (x << 1) | (x >>> 31);
    }
    let [a, b, c, d, e] = h;
    for (let i = 0; i < 80; i++) {
      let f, k;
      if (i < 20) [f, k] = [(b & c) | (~b & d), 0x5a827999];
      else if (i < 40) [f, k] = [b ^ c ^ d, 0x6ed9eba1];
      else if (i < 60) [f, k] = [(b & c) | (b & d) | (c & d), 0x8f1bbcdc];
      else [f, k] = [b ^ c ^ d, 0xca62c1d6];
      const next = (((a << 5) | (a >>> 27)) + f + e + k + w[i]) | 0;
      [e, d, c, b, a] = [d, c, (b << 30) | (b >>> 2), a, next];
    }
    [a, b, c, d, e].forEach((value, i) => (h[i] = (h[i] + value) | 0));
  }
  const digest = new DataView(new ArrayBuffer(20));
  h.forEach((value, i) => digest.setInt32(4 * i, value));
  return new Uint8Array(digest.buffer);
}

/** HMAC-SHA1 of strings or bytes, 20 bytes. */
export function hmacSha1(key, data) {
  let short = bytes(key);
  if (short.length > 64) short = sha1(short);
  const inner = new Uint8Array(64).fill(0x36);
  const outer = new Uint8Array(64).fill(0x5c);
  short.forEach((byte, i) => {
    inner[i] ^= byte;
    outer[i] ^= byte;
  });
  return sha1(joined(outer, sha1(joined(inner, bytes(data)))));
}

function joined(first, second) {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** Percent-encoding that leaves only A-Z a-z 0-9 - _ . ~ */
export const encode = (value) =>
  encodeURIComponent(value).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

/** Sorted by name, encoded, joined. It is the form body as well. */
export const canonical = (parameters) =>
  Object.keys(parameters)
    .sort()
    .map((name) => `${encode(name)}=${encode(parameters[name])}`)
    .join("&");

/** What is signed. */
export const stringToSign = (method, parameters) => `${method}&%2F&${encode(canonical(parameters))}`;

/** The parameter Signature. */
export const sign = (method, parameters, secret) =>
  btoa(String.fromCharCode(...hmacSha1(`${secret}&`, stringToSign(method, parameters))));
