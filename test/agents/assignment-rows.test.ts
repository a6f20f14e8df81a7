import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Assignment,
  assignmentBytesMax,
  AssignmentReader,
  groupList,
  packAssignment,
} from '../../src/agents/assignment-rows.ts';
import { ByteWriter } from '../../src/base/cursor.ts';
import { ProtocolError } from '../../src/base/errors.ts';

const samples: readonly Assignment[] = [
  { id: 1, name: 'web-01', isFromKeys: true, groups: 'default' },
  { id: 2, name: null, isFromKeys: false, groups: '' },
  { id: 7, name: null, isFromKeys: false, groups: null },
  { id: 2 ** 31 - 1, name: '漢字', isFromKeys: false, groups: 'a,b.c_d-e,F' },
  { id: 9, name: '', isFromKeys: true, groups: 'default' },
];

function packed(rows: readonly Assignment[]): Uint8Array {
  const writer = new ByteWriter();
  for (const row of rows) packAssignment(writer, row);
  return writer.finish();
}

function read(bytes: Uint8Array): Assignment[] {
  const reader = new AssignmentReader(bytes);
  const rows: Assignment[] = [];
  for (let row = reader.next(); row !== undefined; row = reader.next()) rows.push(row);
  return rows;
}

test('assignments that are packed are read as they were', () => {
  assert.deepEqual(read(packed(samples)), samples);
});

test('no assignment is longer than assignmentBytesMax', () => {
  const groups = Array.from({ length: 128 }, () => 'g'.repeat(255)).join(',');
  const bytes = packed([{ id: 1, name: '漢'.repeat(128), isFromKeys: true, groups }]);
  assert.ok(bytes.length <= assignmentBytesMax);
  assert.equal(read(bytes)[0]?.groups, groups);
});

test('rows that end too early are refused at every place', () => {
  const bytes = packed(samples.slice(0, 1));
  for (let length = 1; length < bytes.length; length++) {
    assert.throws(() => read(bytes.subarray(0, length)), ProtocolError, String(length));
  }
});

test('what cannot be an agent, a name or a list of groups is refused', () => {
  const row = samples[0]!;
  const many = Array.from({ length: 129 }, (_, i) => `g${i}`).join(',');
  const wrong = [
    { id: 0 },
    { id: 2 ** 31 },
    { name: 'n'.repeat(129) },
    { groups: 'a,,b' },
    { groups: '..' },
    { groups: 'a/b' },
    { groups: `a${'\n'}` },
    { groups: many },
    { groups: 'g'.repeat(256) },
  ];
  for (const change of wrong) {
    assert.throws(() => read(packed([{ ...row, ...change }])), ProtocolError);
  }
  const invalid = packed([{ ...row, name: 'xy' }]);
  invalid[7] = 0xff; // the first byte of the name: no UTF-8
  assert.throws(() => read(invalid), ProtocolError);
});

test('groupList() of no groups is empty', () => {
  assert.deepEqual(groupList(''), []);
  assert.deepEqual(groupList('a,b'), ['a', 'b']);
});
