/**
 * How many tests a runner ran: reads what bun and deno report.
 *
 * Counts cases, not the groups around them, so that both runtimes agree on the same files up to
 * subtests (`t.test`), which bun counts as part of their test. Pure.
 */

/** Tests by outcome. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  /** Skipped and todo. */
  readonly skipped: number;
}

/** Reads the summary that `bun test` prints; `undefined` when there is none. */
export function readBunTotals(output: string): Totals | undefined {
  // Counts up to the closing line: what tests print may come before and after.
  const [summary] = /(?:^ +\d+ .*\n)+(?=Ran \d+ tests? across )/m.exec(output) ?? [];
  if (summary === undefined) return undefined;
  const count = (word: string): number => {
    const match = new RegExp(`^ +(\\d+) ${word}$`, 'm').exec(summary);
    return match === null ? 0 : Number(match[1]);
  };
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') };
}

/** Reads the JUnit report of `deno test`; `undefined` when it is none. */
export function readDenoTotals(report: string): Totals | undefined {
  if (!report.includes('<testsuites')) return undefined;
  const cases = [...report.matchAll(/<testcase name="([^"]*)"[^>]*>(.*?)<\/testcase>/gs)]
    .map(([, name = '', body = '']) => ({ name, body }));
  // Every "a > b" makes "a" a group.
  const groups = new Set(
    cases.flatMap(({ name }) => {
      const parts = name.split(' &gt; ');
      return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join(' &gt; '));
    }),
  );
  const leaves = cases.filter(({ name }) => !groups.has(name));
  const failed = leaves.filter(({ body }) => body.includes('<failure')).length;
  const skipped = leaves.filter(({ body }) => body.includes('<skipped')).length;
  return { passed: leaves.length - failed - skipped, failed, skipped };
}
