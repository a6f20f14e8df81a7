/** The reports below are what bun 1.4 and deno 2.9 wrote for real test files, shortened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBunTotals, readDenoTotals } from '../../scripts/totals.ts';

test('readBunTotals() reads the summary, not what tests print', () => {
  const output = '\na.test.ts:\n 99 pass\n(pass) a() > one [1.08ms]\n(fail) a() > two\n\n' +
    ' 6 pass\n 1 skip\n 2 todo\n 1 fail\nRan 9 tests across 3 files. [61.00ms]\n\n 7 pass\n';
  assert.deepEqual(readBunTotals(output), { passed: 6, failed: 1, skipped: 3 });
});

test('readBunTotals() returns undefined when the runner died before its summary', () => {
  assert.equal(readBunTotals('\na.test.ts:\n(pass) a() > one [1.08ms]\n'), undefined);
});

test('readDenoTotals() counts cases by outcome and no groups', () => {
  const report = `<testsuites name="deno test" tests="7" failures="2">
    <testsuite name="./a.test.ts">
        <testcase name="a()" line="3"><failure message="1 step failed">1</failure></testcase>
        <testcase name="ok" line="5">
        </testcase>
    </testsuite>
    <testsuite name="ext:deno_node/testing.ts">
        <testcase name="a() &gt; one"></testcase>
        <testcase name="a() &gt; two"><failure message="no">no</failure></testcase>
        <testcase name="a() &gt; three"><skipped/></testcase>
        <testcase name="a() &gt; deep"></testcase>
        <testcase name="a() &gt; deep &gt; x"></testcase>
    </testsuite>
</testsuites>`;
  assert.deepEqual(readDenoTotals(report), { passed: 3, failed: 1, skipped: 1 });
});

test('readDenoTotals() returns undefined when there is no report', () => {
  assert.equal(readDenoTotals(''), undefined);
});
