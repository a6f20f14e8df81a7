/** When a worker tells its master how it is, and what. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Session } from '../../../src/session/session.ts';
import { type NodeReport, Reporter } from '../../../src/tasks/integrity/reporter.ts';
import { SessionPair } from '../../session/session-pair.ts';

const inSync: NodeReport = { generation: 7, isInSync: true, halted: [], filesCount: 3 };

/** A worker with its reporter, and the generations that its master hears of. */
async function reporting() {
  const pair = await SessionPair.connect();
  const heard: number[] = [];
  pair.session('master', {
    'node.report': ({ generation }) => {
      heard.push(generation);
      return {};
    },
  });
  let session: Session | undefined = pair.session('worker');
  const reporter = new Reporter(pair.ports('worker').clock, () => session);
  const pass = () => pair.world.run({ forMs: 1_000 });
  return { pair, heard, reporter, pass, worker: session, lose: () => (session = undefined) };
}

test('Reporter tells what is new, and of several reports in a row the last', async () => {
  const { heard, reporter, pass } = await reporting();
  for (const generation of [7, 8, 9]) reporter.report({ ...inSync, generation }, 5);
  assert.deepEqual(heard, []);
  await pass();
  assert.deepEqual(heard, [9]);
  reporter.report({ ...inSync, generation: 9 }, 6); // another duration alone is no news
  await pass();
  assert.deepEqual(heard, [9]);
  reporter.report({ ...inSync, generation: 9, isInSync: false }, 6);
  await pass();
  assert.deepEqual(heard, [9, 9]);
});

test('Reporter tells with the next report what was lost with a session', async () => {
  const { heard, reporter, pass, worker, lose } = await reporting();
  reporter.report(inSync, 5);
  worker.close('shutdown', 'The worker stops');
  await pass();
  lose();
  reporter.report(inSync, 5);
  await pass();
  assert.deepEqual(heard, []);
});

test('Reporter asks again where the master has refused', async () => {
  const pair = await SessionPair.connect();
  let calls = 0;
  pair.session('master', {
    'node.report': () => {
      if (++calls === 1) throw new Error('not now');
      return {};
    },
  });
  const session = pair.session('worker');
  const reporter = new Reporter(pair.ports('worker').clock, () => session);
  for (let i = 0; i < 3; i++) {
    reporter.report(inSync, 5);
    await pair.world.run({ forMs: 1_000 });
  }
  assert.equal(calls, 2);
});
