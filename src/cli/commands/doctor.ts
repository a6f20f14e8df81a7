/**
 * `muster doctor`: what may keep this node from working.
 */
import { countOf } from '../amounts.ts';
import { type Handler, loadNodeConfig } from '../context.ts';
import { judge, worstVerdict } from '../doctor-checks.ts';
import type { DoctorCheckDocument, DoctorDocument, Verdict } from '../documents.ts';
import { exitCodes } from '../exit-codes.ts';
import { versioned } from '../output.ts';
import { type Line, type Style, styled } from '../styled-text.ts';

export const doctor: Handler = async (context) => {
  const { host, signal } = context;
  const config = await loadNodeConfig(context);
  const facts = await host.doctorFacts(config, signal);
  const checks = judge(facts, config, host.clock.nowMs());
  const verdict = worstVerdict(checks);
  const document: DoctorDocument = versioned({ node: config.node.name, verdict, checks });
  const failed = checks.filter((check) => check.verdict === 'fail');
  const warned = checks.filter((check) => check.verdict === 'warn');
  return {
    document,
    lines: [
      ...checks.flatMap(checkLines),
      `${countOf(checks.length, 'check')}: ${failed.length} failed, ${warned.length} to look at`,
    ],
    exitCode: verdict === 'fail' ? exitCodes.failure : exitCodes.done,
    brief: `doctor: ${failed.map(({ name, message }) => `${name}: ${message}`).join('; ')}`,
  };
};

// ---------------------------------------------------------------------------------------------

const styles: Readonly<Record<Verdict, Style>> = { ok: 'green', warn: 'yellow', fail: 'red' };

function checkLines({ name, verdict, message, remedy }: DoctorCheckDocument): Line[] {
  const line: Line = [styled(styles[verdict], verdict.padEnd(4)), `  ${name}: ${message}`];
  return remedy === null ? [line] : [line, `      ${remedy}`];
}
