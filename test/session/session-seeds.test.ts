/**
 * Two sessions that do everything at once over a bad link, from many seeds: whatever happens, every
 * promise settles, nothing is left open, and both ends agree.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBytes } from '../../src/base/bytes.ts';
import { ClusterError, codeOf } from '../../src/base/errors.ts';
import type { Handlers } from '../../src/session/handlers.ts';
import type { Session } from '../../src/session/session.ts';
import type { SeededRandom } from '../sim/random.ts';
import { gather, patternBytes, SessionPair, type Side, unrulyLink } from './session-pair.ts';

const sidesOf = ['worker', 'master'] as const;
const pattern = patternBytes(3 * 1024 * 1024);
const patternText = fromBytes(pattern);

/** Handlers that take their time, fail, send much or little, as chance will have it. */
function handlersOf(pair: SessionPair, side: Side, random: SeededRandom): Handlers {
  const { clock } = pair.ports(side);
  return {
    'session.ping': async (_, { signal }) => {
      await clock.sleep(random.integer(0, 300), random.chance(0.5) ? signal : undefined);
      if (random.chance(0.2)) throw new ClusterError('stale', 'Not now');
      return {};
    },
    // Generation is the length, so that the asking end knows what to expect.
    'integrity.rows': async ({ generation }, context) => {
      for (let at = 0; at < generation;) {
        const end = Math.min(generation, at + random.integer(1, 700_000));
        await context.send(pattern.subarray(at, end));
        at = end;
        if (random.chance(0.3)) await clock.sleep(random.integer(0, 50));
      }
      if (random.chance(0.1)) throw new ClusterError('stale', 'Not now');
      return {};
    },
    'integrity.published': () => {},
  };
}

/** One thing that a node may do with its session; what it resolves to is counted. */
async function act(session: Session, pair: SessionPair, random: SeededRandom): Promise<string> {
  const controller = new AbortController();
  const { signal } = controller;
  if (random.chance(0.2)) {
    const atMs = pair.world.nowMs + random.integer(0, 400);
    pair.world.at(atMs, 'gives up', () => controller.abort(new ClusterError('aborted', 'Enough')));
  }
  const timeoutMs = random.chance(0.2) ? random.integer(1, 300) : 20_000;
  if (random.chance(0.5)) {
    await session.request('session.ping', {}, { signal, timeoutMs });
    return 'answered';
  }
  const length = random.integer(0, random.chance(0.2) ? pattern.length : 50_000);
  const { data, reply } = session.requestBulk(
    'integrity.rows',
    { generation: length, set: 'a', leaves: new Uint8Array(0) },
    { signal, timeoutMs },
  );
  if (random.chance(0.2)) {
    for await (const _ of data) if (random.chance(0.3)) return 'left';
  }
  const received = await gather(data);
  await reply;
  if (received.length === length) assert.ok(patternText.startsWith(received));
  return 'received';
}

async function live(seed: number): Promise<Map<string, number>> {
  const pair = await SessionPair.connect({ seed, link: unrulyLink });
  const random = pair.world.random.fork('deeds');
  const outcomes = new Map<string, number>();
  const note = (what: string) => outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  const sessions = Object.fromEntries(sidesOf.map((side) => [
    side,
    pair.session(side, handlersOf(pair, side, random.fork(side)), { peerRole: 'worker' }),
  ])) as Record<Side, Session>;
  const doing: Promise<unknown>[] = [];
  for (let i = 0; i < 40; i++) {
    const side = random.pick(sidesOf);
    const chance = random.fork(`deed ${i}`);
    pair.world.at(pair.world.nowMs + random.integer(0, 2000), `deed ${i}`, () => {
      const done = act(sessions[side], pair, chance);
      doing.push(done.then(note, (error: unknown) => note(codeOf(error))));
    });
  }
  const endMs = pair.world.nowMs + random.integer(500, 4000);
  const ending = random.pick(['close', 'both close', 'reset', 'hang up'] as const);
  pair.world.at(endMs, ending, () => {
    if (ending === 'reset') pair.network.reset();
    else if (ending === 'hang up') pair.streams.worker.abort();
    else sessions.master.close('shutdown', 'The master stops');
    if (ending === 'both close') sessions.worker.close('finished', 'Done');
  });
  await pair.world.run({ untilMs: endMs + 1 });
  const reasons = await pair.world.settle(
    Promise.all([sessions.worker.closed, sessions.master.closed]),
    10_000,
  );
  await pair.world.settle(Promise.all(doing), 1000);
  if (ending === 'close') {
    assert.deepEqual(reasons.map(({ code, by }) => `${code} ${by}`), [
      'shutdown peer',
      'shutdown us',
    ]);
  }
  await pair.finish();
  for (const side of sidesOf) assert.deepEqual(pair.logged(side), []);
  return outcomes;
}

test('sessions that do everything at once settle everything, from thirty seeds', async () => {
  const total = new Map<string, number>();
  for (let seed = 1; seed <= 30; seed++) {
    for (const [what, count] of await live(seed)) total.set(what, (total.get(what) ?? 0) + count);
  }
  // The seeds are of use only if they get everywhere.
  for (
    const what of ['answered', 'received', 'left', 'stale', 'aborted', 'timeout', 'unreachable']
  ) {
    assert.ok((total.get(what) ?? 0) > 5, `${what}: ${total.get(what)} times`);
  }
  for (const what of ['protocol', 'failed']) assert.equal(total.get(what), undefined);
});
