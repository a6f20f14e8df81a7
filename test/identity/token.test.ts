/** The join token: round trip, and every way a paste can go wrong told apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeToken, encodeToken, isHostPort, TokenError } from '../../src/identity/token.ts';
import type { JoinToken, TokenFault } from '../../src/identity/token.ts';

const token: JoinToken = {
  addresses: ['10.0.0.1:1600', 'master.example:1600', '[fe80::1%eth0]:1600'],
  cluster: 'office',
  authorityFingerprint: 'ab'.repeat(32),
  id: '0123456789abcdef',
  secret: Uint8Array.from({ length: 32 }, (_, i) => i * 7),
  expiresAtSeconds: 1_795_000_000,
  node: 'node-1',
};

function faultOf(text: string): TokenFault | 'none' {
  try {
    decodeToken(text);
    return 'none';
  } catch (error) {
    assert.ok(error instanceof TokenError);
    assert.match(error.message, /^Cannot read the join token: /);
    return error.fault;
  }
}

test('decodeToken() reads back what encodeToken() wrote', () => {
  assert.deepEqual(decodeToken(encodeToken(token)), token);
  const open = { ...token, node: undefined, addresses: ['[::1]:1'] };
  assert.deepEqual(decodeToken(encodeToken(open)), open);
});

test('encodeToken() writes one word that a shell leaves alone', () => {
  assert.match(encodeToken(token), /^muster1\.[A-Za-z0-9_-]+$/);
});

test('encodeToken() keeps its format: a token of an older master still reads', () => {
  // Made by another program from the description of the format.
  const older = 'muster1.AJMBI0VniavN7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAq6urq6urq6urq6ur' +
    'q6urq6urq6urq6urq6urq6urq6sAAGr9hsAGb2ZmaWNlAAMNMTAuMC4wLjE6MTYwMBNtYXN0ZXIuZXhh' +
    'bXBsZToxNjAwE1tmZTgwOjoxJWV0aDBdOjE2MDCFFPyU';
  const expected = { ...token, secret: new Uint8Array(32), node: undefined };
  assert.equal(encodeToken(expected), older);
  assert.deepEqual(decodeToken(older), expected);
});

test('decodeToken() ignores white space anywhere, as terminals break long lines', () => {
  const text = encodeToken(token);
  assert.deepEqual(decodeToken(` ${text.slice(0, 40)}\r\n  ${text.slice(40)}\n`), token);
});

test('decodeToken() calls every shortened token truncated', () => {
  const text = encodeToken(token);
  for (let length = 'muster1.'.length; length < text.length; length++) {
    assert.equal(faultOf(text.slice(0, length)), 'truncated', `${length} characters`);
  }
});

test('decodeToken() finds every single changed character', () => {
  const text = encodeToken(token);
  for (let at = 'muster1.'.length; at < text.length; at++) {
    const other = text[at] === 'A' ? 'B' : 'A';
    const changed = text.slice(0, at) + other + text.slice(at + 1);
    // The first characters hold the length, so that a change there reads as cut or appended to.
    const allowed: TokenFault[] = at < 11 ? ['truncated', 'tooLong', 'mangled'] : ['mangled'];
    const fault = faultOf(changed);
    const isUnusedBits = at === text.length - 1 && fault === 'none';
    assert.ok(isUnusedBits || allowed.some((one) => one === fault), `${at}: ${fault}`);
  }
});

test('decodeToken() tells what else is wrong with a paste', () => {
  const text = encodeToken(token);
  assert.equal(faultOf(''), 'notToken');
  assert.equal(faultOf('hello'), 'notToken');
  assert.equal(faultOf(text.replace('muster1.', 'muster2.')), 'newerFormat');
  assert.equal(faultOf(text.replace('muster1.', 'muster1')), 'notToken');
  assert.equal(faultOf(text.slice(0, 30) + '…' + text.slice(31)), 'badCharacter');
  assert.equal(faultOf(`"${text}"`), 'notToken');
  assert.equal(faultOf(text + text.slice(8)), 'tooLong');
  assert.equal(faultOf(`muster1.${'A'.repeat(5000)}`), 'tooLong');
  assert.equal(faultOf('muster1.'), 'truncated');
  assert.equal(faultOf('muster1.AAAA'), 'tooLong');
});

test('decodeToken() never repeats the token in a message', () => {
  const text = encodeToken(token);
  const changed = text.slice(0, 60) + (text[60] === 'x' ? 'y' : 'x') + text.slice(61);
  assert.throws(() => decodeToken(changed), (error: Error) => {
    assert.ok(!error.message.includes(text.slice(20, 40)));
    return true;
  });
});

test('encodeToken() refuses fields that the decoder would refuse', () => {
  const wrong: Partial<JoinToken>[] = [
    { addresses: [] },
    { addresses: ['master'] },
    { addresses: Array.from({ length: 9 }, () => 'a:1') },
    { cluster: 'a b' },
    { node: '..' },
    { id: 'ABCDEF0123456789' },
    { authorityFingerprint: 'ab' },
    { secret: new Uint8Array(31) },
    { expiresAtSeconds: 1.5 },
    { expiresAtSeconds: -1 },
  ];
  for (const change of wrong) {
    assert.throws(
      () => encodeToken({ ...token, ...change }),
      /Cannot make/,
      JSON.stringify(change),
    );
  }
});

test('isHostPort() wants a host, and a port from 1 to 65535', () => {
  for (
    const text of ['a:1', 'master.example:65535', '10.0.0.1:1600', '[::1]:9', '[fe80::1%e0]:1']
  ) {
    assert.equal(isHostPort(text), true, text);
  }
  for (
    const text of ['a', 'a:', ':1', 'a:0', 'a:65536', 'a:01', '::1:9', '[::1]', 'a b:1', 'a:1 ']
  ) {
    assert.equal(isHostPort(text), false, text);
  }
});
