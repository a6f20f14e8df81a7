import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareByteStrings,
  concatBytes,
  displayPath,
  displayText,
  equalBytes,
  fromBytes,
  fromHex,
  fromText,
  isAscii,
  isByteString,
  toBytes,
  toHex,
  toText,
} from '../../src/base/bytes.ts';
import { SeededRandom } from '../sim/random.ts';

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);

test('fromBytes() and toBytes() keep every byte', () => {
  assert.deepEqual(toBytes(fromBytes(everyByte)), everyByte);
  const long = new SeededRandom(1).bytes(10_000);
  assert.deepEqual(toBytes(fromBytes(long)), long);
  assert.equal(fromBytes(everyByte, 65, 68), 'ABC');
  assert.equal(fromBytes(new Uint8Array(0)), '');
});

test('fromText() gives the UTF-8 bytes, toText() the text where they are such', () => {
  assert.equal(fromText('conf.xml'), 'conf.xml');
  assert.equal(fromText('ä'), '\xc3\xa4');
  assert.equal(toText('\xc3\xa4'), 'ä');
  assert.equal(toText('conf.xml'), 'conf.xml');
  assert.equal(toText('\xe4'), undefined);
  assert.equal(toText('\xed\xa0\x80'), undefined, 'half a surrogate pair is not UTF-8');
  assert.equal(toText('\xef\xbb\xbfa'), '\ufeffa', 'a byte order mark is part of the name');
});

test('isAscii() and isByteString() look at every character', () => {
  assert.ok(isAscii('') && isAscii('a\x7f'));
  assert.ok(!isAscii('a\x80'));
  assert.ok(isByteString('\x00\xff'));
  assert.ok(!isByteString('a\u0100'));
});

test('displayText() escapes what could move the cursor, end the line or turn the text round', () => {
  const table: readonly (readonly [string, string])[] = [
    ['plain ä 漢', 'plain ä 漢'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['\x1b[31m', '\\x1b[31m'],
    ['\x7f\x9b', '\\x7f\\x9b'],
    ['\u202etxt.exe', '\\u202etxt.exe'],
    ['\u2028\u2066\u200f\u061c', '\\u2028\\u2066\\u200f\\u061c'],
  ];
  for (const [text, shown] of table) {
    assert.equal(displayText(text), shown);
    assert.equal(displayText(shown), shown, 'what is safe stays as it is');
  }
});

test('displayPath() decodes UTF-8 names and shows other bytes as they are', () => {
  assert.equal(displayPath(fromText('etc/ä.conf')), 'etc/ä.conf');
  assert.equal(displayPath('etc/\xe4.conf'), 'etc/\\xe4.conf');
  assert.equal(displayPath('a\n\xff'), 'a\\n\\xff');
  assert.equal(displayPath(fromText('a\u202eb')), 'a\\u202eb');
});

test('toHex() and fromHex() are each the way back of the other', () => {
  const bytes = fromBytes(everyByte);
  assert.equal(toHex('\x00\x0f\xff'), '000fff');
  assert.equal(fromHex(toHex(bytes)), bytes);
  assert.equal(fromHex('AbcD'), '\xab\xcd');
  assert.equal(fromHex(''), '');
  for (const wrong of ['a', 'zz', '0x12', ' 1', '1g']) assert.equal(fromHex(wrong), undefined);
});

test('concatBytes() joins in order, whatever the number of parts', () => {
  const parts = [[1, 2], [], [3]].map((part) => Uint8Array.from(part));
  assert.deepEqual(concatBytes(parts), Uint8Array.of(1, 2, 3));
  assert.deepEqual(concatBytes([]), new Uint8Array(0));
  assert.deepEqual(concatBytes([Uint8Array.of(9)]), Uint8Array.of(9));
});

test('equalBytes() compares lengths and every byte', () => {
  assert.ok(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)));
  assert.ok(equalBytes(new Uint8Array(0), new Uint8Array(0)));
});

test('compareByteStrings() orders by bytes, a prefix first', () => {
  const names = ['b', 'a\xff', 'a', 'a/b', '', 'B', 'a\x00'];
  names.sort(compareByteStrings);
  assert.deepEqual(names, ['', 'B', 'a', 'a\x00', 'a/b', 'a\xff', 'b']);
});
