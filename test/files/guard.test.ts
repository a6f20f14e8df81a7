import assert from 'node:assert/strict';
import test from 'node:test';
import type { FileSet } from '../../src/files/file-set.ts';
import { type GuardConfig, judge } from '../../src/files/guard.ts';
import type { Plan } from '../../src/files/plan.ts';
import { entry, fileSet } from './material.ts';

const config: GuardConfig = { isEmptiedHalted: true, shrinkShareMax: 0.5 };

interface Case {
  readonly set?: Partial<FileSet>;
  readonly config?: Partial<GuardConfig>;
  readonly count: number;
  readonly removals?: number;
  readonly creations?: number;
  /** @default what the plan leads to */
  readonly wantedCount?: number;
  readonly shrunk?: readonly (readonly [before: number, after: number])[];
  /** Files that were lost of late. @default 0 */
  readonly lost?: number;
  /** What each file had before it shrank of late, bytes. */
  readonly largest?: number;
}

/** The reason of a halt with its guard, or 'pass'. */
function verdict(facts: Case): string {
  const { count, removals = 0, creations = 0, shrunk = [] } = facts;
  const plan: Plan = {
    set: fileSet(facts.set),
    create: Array.from({ length: creations }, (_, i) => entry(`new-${i}`)),
    remove: Array.from({ length: removals }, (_, i) => entry(`old-${i}`)),
    replace: shrunk.map(([before, after], i) => ({
      entry: entry(`etc/key-${i}`, '', { size: after }),
      previous: entry(`etc/key-${i}`, '', { size: before }),
    })),
  };
  const wanted = facts.wantedCount ?? count + creations - removals;
  const lost = { count: facts.lost ?? 0, sizeOf: () => facts.largest };
  const counts = { actual: count, wanted };
  const result = judge(plan, counts, lost, { ...config, ...facts.config });
  return result.kind === 'pass' ? 'pass' : `${result.guard}: ${result.reason}`;
}

function check(cases: readonly (readonly [Case, string])[]): void {
  for (const [facts, expected] of cases) assert.equal(verdict(facts), expected);
}

test('judge() passes what deletes little', () => {
  check([
    [{ count: 0, creations: 100 }, 'pass'],
    [{ count: 20 }, 'pass'],
    [{ count: 20, removals: 10 }, 'pass'],
    [{ count: 20, creations: 50, shrunk: [[1000, 1]] }, 'pass'],
  ]);
});

test('judge() halts a set that would be emptied', () => {
  const only = 'emptied: the only file would be deleted: the set would be empty';
  check([
    [{ count: 2, removals: 2 }, 'emptied: all 2 files would be deleted: the set would be empty'],
    [{ count: 1, removals: 1 }, 'pass'],
    [{ count: 1, removals: 1, set: { keyFile: true } }, only],
    [{ count: 1, removals: 1, creations: 1, set: { keyFile: true } }, 'pass'],
    // Whatever the peer says how many files there are to be.
    [
      { count: 4, removals: 4, wantedCount: 9 },
      'emptied: all 4 files would be deleted: the set would be empty',
    ],
    [{ count: 0, wantedCount: 0 }, 'pass'],
    [{ count: 4, removals: 4, config: { isEmptiedHalted: false } }, 'pass'],
    // Without this guard the share still counts, where the set is large enough for it.
    [
      { count: 10, removals: 10, config: { isEmptiedHalted: false } },
      'share: 10 of 10 files (100 %) would be deleted: more than the limit of 50 %',
    ],
  ]);
});

test('judge() halts a set of which too large a share would be deleted', () => {
  const share = (text: string) => `share: ${text}`;
  check([
    [
      { count: 20, removals: 12 },
      share('12 of 20 files (60 %) would be deleted: more than the limit of 50 %'),
    ],
    [{ count: 100, removals: 29, set: { deletionsShareMax: 0.29 } }, 'pass'],
    [
      { count: 2000, removals: 1025, set: { deletionsMax: 9999 } },
      share('1025 of 2000 files (51.3 %) would be deleted: more than the limit of 50 %'),
    ],
    [
      { count: 100, removals: 8, set: { deletionsShareMax: 0.07 } },
      share('8 of 100 files (8 %) would be deleted: more than the limit of 7 %'),
    ],
    // What is created in turn does not count: a rename of everything is a deletion of everything.
    [
      { count: 10, removals: 10, creations: 10 },
      share('10 of 10 files (100 %) would be deleted: more than the limit of 50 %'),
    ],
    [{ count: 20, removals: 19, set: { deletionsShareMax: 1 } }, 'pass'],
  ]);
});

test('judge() does not count shares in small sets, unless nothing may be deleted', () => {
  check([
    [{ count: 3, removals: 2 }, 'pass'],
    [{ count: 9, removals: 4, set: { deletionsShareMax: 0.1 } }, 'pass'],
    [
      { count: 9, removals: 5 },
      'share: 5 of 9 files (55.6 %) would be deleted: more than the limit of 50 %',
    ],
    [
      { count: 10, removals: 2, set: { deletionsShareMax: 0.1 } },
      'share: 2 of 10 files (20 %) would be deleted: more than the limit of 10 %',
    ],
    [
      { count: 3, removals: 1, set: { deletionsShareMax: 0 } },
      'share: 1 of 3 files (33.3 %) would be deleted: more than the limit of 0 %',
    ],
  ]);
});

test('judge() halts a set of which too many files would be deleted', () => {
  check([
    [{ count: 100_000, removals: 1000 }, 'pass'],
    [
      { count: 100_000, removals: 1001 },
      'count: 1001 files would be deleted: more than the limit of 1000',
    ],
    [
      { count: 100, removals: 1, set: { deletionsMax: 0 } },
      'count: 1 file would be deleted: more than the limit of 0',
    ],
  ]);
});

test('judge() halts a key file set of which a file would shrink too much', () => {
  const keyFile = { set: { keyFile: true }, count: 1 };
  check([
    [{ count: 1, shrunk: [[1200, 1]] }, 'pass'],
    [{ ...keyFile, shrunk: [[1200, 600]] }, 'pass'],
    [{ ...keyFile, shrunk: [[0, 0]] }, 'pass'],
    [{ ...keyFile, shrunk: [[0, 10], [10, 500]] }, 'pass'],
    [
      { ...keyFile, shrunk: [[10, 10], [1200, 300]] },
      'shrunk: "etc/key-1" would shrink from 1200 to 300 bytes (by 75 %): ' +
      'more than the limit of 50 %',
    ],
    // A key file of three lines that loses two of them.
    [
      { ...keyFile, shrunk: [[180, 60]] },
      'shrunk: "etc/key-0" would shrink from 180 to 60 bytes (by 66.7 %): ' +
      'more than the limit of 50 %',
    ],
    [
      { ...keyFile, shrunk: [[180, 0]] },
      'shrunk: "etc/key-0" would shrink from 180 to 0 bytes (by 100 %): ' +
      'more than the limit of 50 %',
    ],
    [{ ...keyFile, shrunk: [[180, 0]], config: { shrinkShareMax: 1 } }, 'pass'],
  ]);
});

test('judge() counts together with what was lost of late', () => {
  const keyFile = { set: { keyFile: true }, count: 1 };
  const tooSmall = 'shrunk: "etc/key-0" would shrink from 100 to 45 bytes within some minutes ' +
    '(by 55 %): more than the limit of 50 %';
  check([
    [
      { count: 12, removals: 3, lost: 8 },
      'share: 11 of 20 files (55 %) would be deleted within some minutes: ' +
      'more than the limit of 50 %',
    ],
    [
      { count: 1, removals: 1, lost: 1 },
      'emptied: all 2 files would be deleted within some minutes: the set would be empty',
    ],
    [{ count: 12, lost: 8 }, 'pass'],
    [{ ...keyFile, shrunk: [[60, 45]] }, 'pass'],
    [{ ...keyFile, shrunk: [[60, 45]], largest: 100 }, tooSmall],
    [{ ...keyFile, shrunk: [[60, 50]], largest: 100 }, 'pass'],
    // Growing again is no loss, however small it still is.
    [{ ...keyFile, shrunk: [[40, 45]], largest: 100 }, 'pass'],
  ]);
});
