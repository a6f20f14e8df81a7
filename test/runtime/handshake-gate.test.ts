/** The limits on unfinished handshakes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  HandshakeGate,
  handshakeLimitsDefault,
  originOf,
  plainIp,
} from '../../src/runtime/handshake-gate.ts';

test('originOf() is the address, and the network of 64 bits of an IPv6 address', () => {
  const cases = [
    ['10.0.0.7', '10.0.0.7'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1:2:3:4:5::6', '1:2:3:4::/64'],
  ] as const;
  for (const [ip, origin] of cases) assert.equal(originOf(ip), origin, ip);
});

test('plainIp() takes the mark off an IPv4 address only', () => {
  assert.equal(plainIp('::ffff:127.0.0.1'), '127.0.0.1');
  assert.equal(plainIp('::FFFF:127.0.0.1'), '127.0.0.1');
  assert.equal(plainIp('::1'), '::1');
  assert.equal(plainIp('10.0.0.7'), '10.0.0.7');
});

test('HandshakeGate.enter() counts by origin and in all, and leave() gives back', () => {
  const gate = new HandshakeGate({
    ...handshakeLimitsDefault,
    handshakesMax: 3,
    handshakesPerAddressMax: 2,
  });
  assert.equal(gate.enter('a'), undefined);
  assert.equal(gate.enter('a'), undefined);
  assert.equal(gate.enter('a'), 'tooManyFromThere');
  assert.equal(gate.enter('b'), undefined);
  assert.equal(gate.enter('c'), 'tooManyHere');
  assert.equal(gate.count, 3);
  gate.leave('a');
  assert.equal(gate.enter('c'), undefined);
  gate.leave('a');
  assert.equal(gate.enter('a'), undefined);
  assert.equal(gate.count, 3);
});
