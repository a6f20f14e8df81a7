/** What a worker makes of a master of another version; all else of the task is tried in clusters. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backlog } from '../../src/agents/backlog.ts';
import { ReportIntake } from '../../src/agents/report-intake.ts';
import { FactsStore } from '../../src/agents/store/facts.ts';
import { Registrations } from '../../src/agents/store/registrations.ts';
import { agentMigrations, laterAgentMigrations } from '../../src/agents/store/schema.ts';
import { AgentValues } from '../../src/agents/store/values.ts';
import { migrate } from '../../src/base/migrations.ts';
import type { Session } from '../../src/session/session.ts';
import { AgentInfo } from '../../src/tasks/agent-info.ts';
import { SessionPair } from '../session/session-pair.ts';

test('what agents report is kept for a master of another version, which is told once a session', async () => {
  const pair = await SessionPair.connect();
  const { clock, database, log } = pair.ports('worker');
  migrate(database, [...agentMigrations, ...laterAgentMigrations]);
  const facts = new FactsStore(database);
  const registrations = new Registrations({ clock, database }, {
    appeared: () => {},
    vanished: () => {},
  });
  const backlog = new Backlog({ clock, database }, { facts, registrations });
  const intake = new ReportIntake({ clock, database }, facts, {
    node: 'worker',
    epoch: 'worker',
    role: 'worker',
  });
  await pair.world.settle(intake.take([{ id: 7, facts: { os_name: 'Debian' } }]));
  // It answers no message that it does not know, as any other version does.
  pair.session('master');
  const session: Session = pair.session('worker');
  const info = new AgentInfo(
    { clock, session: () => session, values: new AgentValues(database), registrations, backlog },
    { intervalMs: 1000, epoch: 'worker' },
  );
  const { signal } = new AbortController();
  for (let round = 0; round < 3; round++) {
    const report = await pair.world.settle(info.round({ signal, log, starting: () => {} }));
    assert.equal(report.summary, undefined);
  }
  assert.equal(backlog.count, 1);
  assert.equal(session.signal.aborted, false);
  const told = pair.nodes.worker.records.filter(({ level }) => level === 'warning');
  assert.equal(told.length, 1);
  assert.match(told[0]!.text, /The master is of another version .* it is kept/);
  session.close('finished', 'The test is over');
  await pair.world.settle(session.closed);
  await pair.finish();
});
