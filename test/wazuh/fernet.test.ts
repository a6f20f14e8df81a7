import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBytes, toBytes } from '../../src/base/bytes.ts';
import { ClusterError } from '../../src/base/errors.ts';
import { createSymmetricCrypto } from '../../src/runtime/symmetric-crypto.ts';
import { decodeBase64, decodeHere, encodeBase64, encodeHere } from '../../src/wazuh/base64.ts';
import { fernetKeys, openToken, sealToken, tokenBytes } from '../../src/wazuh/fernet.ts';
import { chunkBytes, encodeMessage } from '../../src/wazuh/frame.ts';
import { SeededRandom } from '../sim/random.ts';
import { dividedFrames, dumpKey, dumpStamp, hello, helloReply } from './dumps.ts';

const crypto = createSymmetricCrypto();
const keys = fernetKeys(dumpKey);
const random = new SeededRandom('fernet');

function isRefused(reason: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof ClusterError && error.code === 'authentication' && reason.test(error.message);
}

/** The language's own functions, where it has them, and ours. */
const ways = [
  ['of the language', encodeBase64, decodeBase64],
  ['without it', encodeHere, decodeHere],
] as const;

for (const [where, encode, decode] of ways) {
  test(`base64 ${where}: agrees with the platform at every length`, () => {
    for (let length = 0; length < 70; length++) {
      const bytes = random.bytes(length);
      const text = encode(bytes);
      const expected = Buffer.from(bytes).toString('base64').replaceAll('+', '-')
        .replaceAll('/', '_');
      assert.equal(fromBytes(text), expected);
      assert.deepEqual(decode(text), bytes);
    }
  });

  test(`base64 ${where}: gives nothing for what is none`, () => {
    for (const text of ['A', 'AA', 'AAA', 'A===', '====', 'AA+A', 'AA/A', 'AA A', 'AB==', 'AAB=']) {
      assert.equal(decode(toBytes(text)), undefined, text);
    }
    assert.equal(decode(toBytes('AA==AAAA')), undefined);
  });
}

test('sealToken() gives the example of the Fernet specification', () => {
  const secret = decodeBase64(toBytes('cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4='))!;
  const exampleKeys = { signing: secret.slice(0, 16), encryption: secret.slice(16) };
  const token =
    'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==';
  const stamp = { timeS: 499_162_800, iv: dumpStamp.iv };
  assert.equal(fromBytes(sealToken(crypto, exampleKeys, toBytes('hello'), stamp)), token);
  assert.deepEqual(openToken(crypto, exampleKeys, toBytes(token)), {
    content: toBytes('hello'),
    timeS: 499_162_800,
  });
});

test('sealToken() and encodeMessage() give the worked examples', () => {
  const frameOf = (command: string, text: string) =>
    encodeMessage({
      counter: 0x01020304,
      command,
      body: sealToken(crypto, keys, toBytes(text), dumpStamp),
    });
  assert.deepEqual(frameOf('hello', 'worker1 wazuh worker 4.14.7'), [hello]);
  assert.deepEqual(frameOf('ok', 'Client worker1 added'), [helloReply]);
  const body = sealToken(crypto, keys, toBytes(`12345 ${'A'.repeat(150)}`), dumpStamp);
  const divided = encodeMessage({ counter: 0xaabbccdd, command: 'str_upd', body }, 120);
  assert.deepEqual(divided, dividedFrames);
});

test('tokenBytes() tells the length of tokens', () => {
  for (const length of [0, 15, 16, 31, 32, 100, 1000]) {
    const token = sealToken(crypto, keys, random.bytes(length), dumpStamp);
    assert.equal(tokenBytes(length), token.length);
  }
  assert.deepEqual([0, 16, 100, chunkBytes].map(tokenBytes), [100, 120, 228, 6_990_604]);
});

test('openToken() gives what sealToken() was given, at every length', () => {
  for (let length = 0; length < 50; length++) {
    const content = random.bytes(length);
    const stamp = { timeS: 1_795_384_958.9, iv: random.bytes(16) };
    const opened = openToken(crypto, keys, sealToken(crypto, keys, content, stamp));
    assert.deepEqual(opened, { content, timeS: 1_795_384_958 });
  }
});

test('openToken() refuses every token in which one bit is wrong', () => {
  const raw = decodeBase64(sealToken(crypto, keys, toBytes('True'), dumpStamp))!;
  for (let bit = 0; bit < raw.length * 8; bit++) {
    const wrong = raw.slice();
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(
      () => openToken(crypto, keys, encodeBase64(wrong)),
      isRefused(/another key|no F/),
    );
  }
});

test('openToken() refuses what another key made, and what is no token', () => {
  const token = sealToken(crypto, fernetKeys('a'.repeat(32)), toBytes('hi'), dumpStamp);
  assert.throws(() => openToken(crypto, keys, token), isRefused(/another key/));
  for (const text of ['', 'gAAA', 'this is no token', fromBytes(token).slice(4)]) {
    assert.throws(() => openToken(crypto, keys, toBytes(text)), isRefused(/no Fernet token/), text);
  }
});

test('openToken() refuses content whose padding is wrong though the code is right', () => {
  const raw = decodeBase64(sealToken(crypto, keys, new Uint8Array(20), dumpStamp))!;
  for (const cut of [1, 16]) {
    const body = raw.slice(0, raw.length - 32 - cut);
    const forged = new Uint8Array([...body, ...crypto.authenticate(keys.signing, body)]);
    assert.throws(() => openToken(crypto, keys, encodeBase64(forged)), isRefused(/padding/));
  }
});

test('fernetKeys() takes 32 ASCII characters', () => {
  assert.deepEqual(fernetKeys(dumpKey).encryption, toBytes('0123456789abcdef'));
  for (const key of ['', 'short', `${dumpKey}0`, `${dumpKey.slice(1)}é`]) {
    assert.throws(() => fernetKeys(key), /32 ASCII characters long/);
  }
});
