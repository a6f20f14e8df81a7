import assert from 'node:assert/strict';
import test from 'node:test';
import * as address from '../../src/base/address.ts';
import * as units from '../../src/config/units.ts';
import { seeded } from './sources.ts';

test('parseDuration() knows ms, s, m, h and d', () => {
  const table: [string, number][] = [
    ['500ms', 500],
    ['8s', 8000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['0s', 0],
  ];
  for (const [text, ms] of table) assert.equal(units.parseDuration(text), ms, text);
});

test('parseDuration() refuses what has no unit, a fraction, a sign or anything around it', () => {
  for (const text of ['', '8', '1.5s', '-1s', ' 8s', '8s ', '8 s', '8S', '1h30m', 's', '8\n']) {
    assert.equal(units.parseDuration(text), undefined, JSON.stringify(text));
  }
  assert.equal(units.parseDuration('999999999999d'), undefined, 'beyond exact integers');
});

test('formatDuration() is undone by parseDuration() and takes the largest unit that fits', () => {
  assert.equal(units.formatDuration(90_000), '90s');
  assert.equal(units.formatDuration(120_000), '2m');
  assert.equal(units.formatDuration(86_400_000), '1d');
  assert.equal(units.formatDuration(0), '0s');
  const random = seeded(1);
  for (let i = 0; i < 2000; i++) {
    const scale = [1, 1000, 60_000, 3_600_000, 86_400_000][i % 5]!;
    const ms = Math.floor(random() * 1e5) * scale;
    assert.equal(units.parseDuration(units.formatDuration(ms)), ms);
  }
});

test('parseSize() knows binary units and plain bytes', () => {
  const table: [string | number, number][] = [
    ['64KiB', 65_536],
    ['8MiB', 8_388_608],
    ['1GiB', 1_073_741_824],
    ['2TiB', 2_199_023_255_552],
    ['17B', 17],
    [17, 17],
    [0, 0],
  ];
  for (const [size, bytes] of table) assert.equal(units.parseSize(size), bytes, String(size));
});

test('parseSize() refuses decimal units, fractions and negative numbers', () => {
  for (const size of ['8MB', '8M', '1.5GiB', '8', '', '-1B', -1, 1.5, '99999999999999TiB']) {
    assert.equal(units.parseSize(size), undefined, String(size));
  }
});

test('formatSize() is undone by parseSize()', () => {
  assert.equal(units.formatSize(0), 0);
  assert.equal(units.formatSize(1000), 1000);
  assert.equal(units.formatSize(8_388_608), '8MiB');
  const random = seeded(2);
  for (let i = 0; i < 2000; i++) {
    const bytes = Math.floor(random() * 4096) * 2 ** (10 * (i % 4));
    assert.equal(units.parseSize(units.formatSize(bytes)), bytes);
  }
});

test('parseMode() reads octal digits and formatMode() writes four of them', () => {
  assert.equal(units.parseMode('0640'), 0o640);
  assert.equal(units.parseMode('640'), 0o640);
  assert.equal(units.formatMode(0o640), '0640');
  for (const text of ['0o640', '64', '0648', '00640', '']) {
    assert.equal(units.parseMode(text), undefined, text);
  }
  for (let mode = 0; mode <= 0o7777; mode++) {
    assert.equal(units.parseMode(units.formatMode(mode)), mode);
  }
});

test('parseAddress() takes apart names, IPv4 and bracketed IPv6', () => {
  const table: [string, string, number][] = [
    ['0.0.0.0:1517', '0.0.0.0', 1517],
    ['[::]:1517', '::', 1517],
    ['[fe80::1%eth0]:80', 'fe80::1%eth0', 80],
    ['master.example:0', 'master.example', 0],
  ];
  for (const [text, host, port] of table) {
    assert.deepEqual(address.parseAddress(text), { host, port }, text);
    assert.equal(address.formatAddress({ host, port }), text);
  }
});

test('parseAddress() wants a port unless it is given one to fall back to', () => {
  assert.equal(address.parseAddress('master'), undefined);
  assert.deepEqual(address.parseAddress('master', 1517), { host: 'master', port: 1517 });
  assert.deepEqual(address.parseAddress('[::1]', 1517), { host: '::1', port: 1517 });
});

test('parseAddress() takes a number alone for no host', () => {
  assert.equal(address.parseAddress('1517', 1517), undefined);
  assert.equal(address.parseAddress('1517:1517'), undefined);
});

test('parseAddress() refuses what could be read in two ways', () => {
  for (
    const text of [
      '',
      ':1517',
      '::1:1517',
      'a:b',
      'a:65536',
      'a:1:2',
      '[::1',
      '[1]:2',
      'a b:1',
      'x@y:1',
      'http://a:1',
    ]
  ) {
    assert.equal(address.parseAddress(text, 1517), undefined, text);
  }
});
