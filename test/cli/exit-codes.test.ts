import assert from 'node:assert/strict';
import test from 'node:test';
import { type ErrorCode, errorCodes } from '../../src/base/errors.ts';
import {
  exitCodeMeanings,
  exitCodeOf,
  exitCodes,
  outcomeExitCode,
} from '../../src/cli/exit-codes.ts';

// Promises to scripts: a change here breaks somebody's cron job.
const promised: Record<ErrorCode, number> = {
  failed: 1,
  aborted: 1,
  timeout: 7,
  unreachable: 7,
  protocol: 9,
  authentication: 8,
  incompatible: 9,
  superseded: 7,
  unknownMessage: 9,
  busy: 7,
  stale: 1,
  refused: 1,
  notFound: 1,
  noSpace: 1,
  permission: 1,
  io: 1,
  changed: 1,
  corrupt: 1,
  halted: 6,
  locked: 10,
  configuration: 3,
  hook: 1,
};

test('exitCodeOf() gives every kind of failure its promised code', () => {
  for (const code of errorCodes) assert.equal(exitCodeOf(code), promised[code], code);
});

test('exitCodes are 0 to 10, and each has a meaning', () => {
  assert.deepEqual(Object.values(exitCodes), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual(Object.keys(exitCodeMeanings).map(Number), Object.values(exitCodes));
});

test('outcomeExitCode() lets a halt count over problems, and problems over differences', () => {
  const table: [boolean, boolean, boolean, number][] = [
    [false, false, false, 0],
    [false, false, true, 4],
    [false, true, false, 5],
    [false, true, true, 5],
    [true, false, false, 6],
    [true, false, true, 6],
    [true, true, false, 6],
    [true, true, true, 6],
  ];
  for (const [isHalted, hasProblems, isDifferent, code] of table) {
    assert.equal(outcomeExitCode({ isHalted, hasProblems, isDifferent }), code);
  }
});
