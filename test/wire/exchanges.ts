/**
 * The exchanges of which transcripts are kept: each plays one between two real ends of a connection.
 *
 * Hello, joining and the end of sessions run through the real dialer and acceptor. What the tasks
 * would answer is scripted here: how it is put on the wire is the subject, not how it is computed.
 */
import { ClusterError } from '../../src/base/errors.ts';
import { packRanges } from '../../src/files/block-list.ts';
import type { Clock, Network } from '../../src/ports.ts';
import { Acceptor, type AcceptorOptions } from '../../src/session/acceptor.ts';
import { closeCodes } from '../../src/session/close-reason.ts';
import { Dialer } from '../../src/session/dialer.ts';
import { windowBytes } from '../../src/session/flow.ts';
import type { Handlers } from '../../src/session/handlers.ts';
import { PeerRefusal } from '../../src/session/refusal.ts';
import type { Session } from '../../src/session/session.ts';
import { requestFrame } from '../../src/wire/compose.ts';
import { protocolNames, type SelfDescription } from '../../src/wire/handshake.ts';
import { masterHandlers, selfOf } from '../session/door.ts';
import {
  gather,
  orderlyLink,
  outcome,
  patternBytes,
  type SeenFrame,
  SessionPair,
  type Side,
} from '../session/session-pair.ts';
import { payloadSamples, replySamples } from './samples.ts';

/** One part of a transcript: what happens, and the frames. */
export interface Scene {
  readonly title: string;
  readonly frames: readonly SeenFrame[];
}

/** A moment that all hellos are sent in, so that they are the same in every run. */
const helloMs = Date.UTC(2024, 0, 1);

const digest = (start: number) => String.fromCharCode(...patternBytes(16).map((i) => i + start));
const rules = digest(0xe0);
const set = (name: string, start: number) => ({ name, rules, digest: digest(start) });

/** All exchanges, by the name of their file. */
export const exchanges: Readonly<Record<string, () => Promise<Scene[]>>> = {
  'hello-accepted': async () => [await hello('The worker is let in')],
  'hello-refused': async () => [
    await hello('The certificate is of another node', { worker: selfOf('worker-2', 'worker') }),
    await hello('The hash is another', {
      worker: { ...selfOf('worker', 'worker'), algorithm: 'sha256' },
    }),
    await protocolUnknown(),
    await hello('The master is full', { acceptor: { sessionsMax: 0 } }),
    await hello('The certificate was revoked', { acceptor: { identify: refuseRevoked } }),
    await saysNothing(),
    await saysHelloTwice(),
    await speaksTooSoon(),
  ],
  'superseded': async () => [await superseded()],
  'ping': async () => [
    await scene(
      'The worker pings',
      { 'session.ping': () => ({}) },
      ({ worker }) => worker.request('session.ping', {}),
    ),
    await scene(
      'Either end may',
      { 'session.ping': () => ({}) },
      ({ master }) => master.request('session.ping', {}),
    ),
  ],
  'join': async () => [await join()],
  'renew': async () => [
    await scene(
      'The worker has its certificate renewed',
      { 'certificate.renew': () => replySamples['certificate.renew'].valid[0]! },
      ({ worker }) =>
        worker.request('certificate.renew', payloadSamples['certificate.renew'].valid[0]!),
    ),
  ],
  'integrity-same': async () => [await check('Nothing differs', 'same')],
  'integrity-delta': async () => [await check('The master knows what the worker has', 'delta')],
  'integrity-differs': async () => [await differs()],
  'integrity-stale': async () => [
    await scene(
      'The master has published meanwhile',
      { 'integrity.digests': () => fail('stale', 'Generation 41 is no longer the latest') },
      ({ worker }) =>
        outcome(
          worker.request('integrity.digests', { generation: 41, set: 'rules', branches: [] }),
        ),
    ),
  ],
  'content-fetch': async () => [await fetchContent()],
  'content-blocks': async () => [await fetchBlocks()],
  'cancel': async () => [await cancelRequest(), await leaveBulk()],
  'failure': async () => [
    await failure('A known kind of failure', () => fail('noSpace', 'The disk is full')),
    await failure('A defect: the details stay in the log', () => {
      throw new TypeError('x is not a function');
    }),
    await scene(
      'A request that the peer does not know',
      {},
      ({ worker }) => outcome(worker.request('session.ping', {})),
    ),
    await failure('Bulk data that end in a failure', async (send) => {
      await send(Uint8Array.of(1, 2, 3));
      return fail('changed', 'File "a" changed while it was read');
    }),
  ],
  'close': async () => {
    const scenes: Scene[] = [];
    for (const code of closeCodes) {
      const close = ({ master }: Ends) => master.close(code, `This is the end: ${code}`);
      scenes.push(await scene(`Closed as ${code}`, {}, async (ends) => close(ends)));
    }
    return scenes;
  },
  'published': async () => [
    await scene('The master tells of a new generation', {}, ({ master }) => {
      master.event('integrity.published', { generation: 43 });
      return Promise.resolve();
    }),
    await scene('With what it changes', {}, ({ master }) => {
      master.event('integrity.announced', payloadSamples['integrity.announced'].valid[0]!);
      return Promise.resolve();
    }),
  ],
  'node-report': async () => [
    await scene('The worker tells how it is', { 'node.report': () => ({}) }, async ({ worker }) => {
      for (const report of payloadSamples['node.report'].valid) {
        await worker.request('node.report', report);
      }
    }),
  ],
  'agents-report': async () => [
    await scene(
      'The worker brings records of agents',
      { 'agents.report': () => replySamples['agents.report'].valid[0]! },
      async ({ worker }) => {
        await worker.request('agents.report', payloadSamples['agents.report'].valid[0]!);
      },
    ),
  ],
  'groups-same': async () => [
    await scene(
      'Nothing differs',
      { 'groups.offer': () => replySamples['groups.offer'].valid[1]! },
      ({ master }) => master.request('groups.offer', payloadSamples['groups.offer'].valid[0]!),
    ),
  ],
  'groups-apply': async () => [
    await groups('The worker is sent what is new', ['groups.offer', 'groups.apply']),
    await groups('Which leaves differ is found out first', [
      'groups.offer',
      'groups.compare',
      'groups.apply',
    ]),
    await scene(
      'The worker waits for files',
      { 'groups.offer': () => replySamples['groups.offer'].valid[2]! },
      ({ master }) => master.request('groups.offer', payloadSamples['groups.offer'].valid[0]!),
    ),
  ],
  'groups-pull': async () => [
    await scene(
      'The worker does not want to wait',
      { 'groups.pull': () => ({}) },
      ({ worker }) => worker.request('groups.pull', {}),
    ),
  ],
};

// --- sessions with scripted answers ----------------------------------------------------------

interface Ends {
  readonly worker: Session;
  readonly master: Session;
}

/** Plays something between two open sessions that have the same handlers. */
async function scene(
  title: string,
  handlers: Handlers,
  play: (ends: Ends) => Promise<unknown>,
): Promise<Scene> {
  // A wide line: what holds the sender back is the credit alone.
  const pair = await SessionPair.connect({ link: { ...orderlyLink, windowBytes: 2 ** 24 } });
  const ends = {
    worker: pair.session('worker', handlers),
    master: pair.session('master', handlers),
  };
  await pair.world.settle(play(ends));
  await pair.world.run({ forMs: 1000 });
  const frames = [...pair.frames];
  ends.worker.close('finished', 'Done');
  await pair.finish();
  return { title, frames };
}

/** Plays messages about groups, one after the other. */
function groups(
  title: string,
  names: readonly ('groups.offer' | 'groups.compare' | 'groups.apply')[],
): Promise<Scene> {
  const handlers: Handlers = {
    'groups.offer': () => replySamples['groups.offer'].valid[0]!,
    'groups.compare': () => ({ leaves: Uint8Array.of(0, 0, 0, 3) }),
    'groups.apply': () => replySamples['groups.apply'].valid[0]!,
  };
  return scene(title, handlers, async ({ master }) => {
    for (const name of names) await master.request(name, payloadSamples[name].valid[0]! as never);
  });
}

function fail(code: ConstructorParameters<typeof ClusterError>[0], text: string): never {
  throw new ClusterError(code, text);
}

function check(title: string, state: 'same' | 'delta'): Promise<Scene> {
  const answer = { entriesCount: 12, isApproved: false };
  const handlers: Handlers = {
    'integrity.check': async (_, context) => {
      if (state === 'delta') await context.send(patternBytes(230));
      const rulesState = state === 'same' ? 'same' : 'differs';
      return {
        generation: 42,
        state,
        sets: [
          { ...answer, name: 'rules', state: rulesState, digest: digest(0x80) },
          {
            name: 'lists',
            state: 'unknown',
            digest: undefined,
            entriesCount: 0,
            isApproved: false,
          },
        ],
      };
    },
  };
  return scene(title, handlers, async ({ worker }) => {
    const asked = {
      generation: 41,
      sets: [set('rules', state === 'same' ? 0x80 : 0xa0), set('lists', 0xc0)],
    };
    const { data, reply } = worker.requestBulk('integrity.check', asked);
    await gather(data);
    await reply;
  });
}

function differs(): Promise<Scene> {
  const handlers: Handlers = {
    'integrity.check': () => ({
      generation: 42,
      state: 'differs',
      sets: [{
        name: 'rules',
        state: 'differs',
        digest: digest(0x80),
        entriesCount: 100_000,
        isApproved: true,
      }],
    }),
    'integrity.digests': ({ branches }) => ({
      digests: patternBytes((branches.length === 0 ? 64 : branches.length * 64) * 16),
    }),
    'integrity.rows': async (_, context) => {
      await context.send(patternBytes(128 * 1024));
      await context.send(patternBytes(3000));
      return {};
    },
  };
  return scene('What differs is narrowed down: branches, leaves, rows', handlers, async (ends) => {
    const { worker } = ends;
    const about = { generation: 42, set: 'rules' };
    const asked = { generation: 7, sets: [set('rules', 0xa0)] };
    const checked = worker.requestBulk('integrity.check', asked);
    await gather(checked.data);
    await checked.reply;
    await worker.request('integrity.digests', { ...about, branches: [] });
    await worker.request('integrity.digests', { ...about, branches: [3, 17] });
    const leaves = new Uint8Array(512);
    leaves[24] = 0b1000_0001;
    const rows = worker.requestBulk('integrity.rows', { ...about, leaves });
    await gather(rows.data);
    await rows.reply;
  });
}

function fetchContent(): Promise<Scene> {
  const handlers: Handlers = {
    'content.fetch': async (_, context) => {
      await context.send(patternBytes(2 * windowBytes + 1000));
      return {};
    },
  };
  const title = 'Two windows of contents: credit comes in quarters as they are consumed';
  return scene(title, handlers, async ({ worker }) => {
    const wanted = { sets: ['rules'], items: patternBytes(40) };
    const { data, reply } = worker.requestBulk('content.fetch', wanted);
    await gather(data);
    await reply;
  });
}

function fetchBlocks(): Promise<Scene> {
  const handlers: Handlers = {
    'content.blocks': async (_, context) => {
      await context.send(patternBytes(28));
      return {};
    },
    'content.ranges': async (_, context) => {
      await context.send(patternBytes(100));
      return {};
    },
  };
  const title = 'The worker asks which blocks a content has, then for one that it has not';
  return scene(title, handlers, async ({ worker }) => {
    const about = { set: 'rules', path: 'etc/rules/a', hash: '0123456789abcdef' };
    const list = worker.requestBulk('content.blocks', about);
    await gather(list.data);
    await list.reply;
    const ranges = packRanges([{ offset: 70_000, length: 100 }]);
    const parts = worker.requestBulk('content.ranges', { ...about, ranges });
    await gather(parts.data);
    await parts.reply;
  });
}

function cancelRequest(): Promise<Scene> {
  const hanging: Handlers = { 'session.ping': () => new Promise(() => {}) };
  return scene(
    'A request that was not answered in time is given up',
    hanging,
    ({ worker }) => outcome(worker.request('session.ping', {})),
  );
}

function leaveBulk(): Promise<Scene> {
  const handlers: Handlers = {
    'integrity.rows': async (_, context) => {
      await context.send(patternBytes(4 * windowBytes));
      return {};
    },
  };
  return scene(
    'Bulk data are left: what is on its way is dropped',
    handlers,
    async ({ worker }) => {
      const rows = payloadSamples['integrity.rows'].valid[0]!;
      for await (const _ of worker.requestBulk('integrity.rows', rows).data) break;
    },
  );
}

function failure(
  title: string,
  answer: (send: (bytes: Uint8Array) => Promise<void>) => Promise<never> | never,
): Promise<Scene> {
  const handlers: Handlers = { 'integrity.rows': (_, { send }) => answer(send) };
  return scene(title, handlers, ({ worker }) => {
    const rows = payloadSamples['integrity.rows'].valid[0]!;
    return outcome(gather(worker.requestBulk('integrity.rows', rows).data));
  });
}

// --- the dialer and the acceptor -------------------------------------------------------------

interface HelloOptions {
  readonly worker?: SelfDescription;
  readonly acceptor?: Partial<AcceptorOptions>;
}

function refuseRevoked(): never {
  throw new PeerRefusal(
    'authentication',
    { message: 'The certificate of worker was revoked', remedy: 'Nothing to do' },
    { message: 'The certificate of this node was revoked', remedy: 'Join anew with a token' },
  );
}

function acceptorOf(pair: SessionPair, options: Partial<AcceptorOptions> = {}): Acceptor {
  const { log } = pair.ports('master');
  return new Acceptor({ clock: helloClock(pair, 'master'), log }, {
    self: selfOf('master', 'master'),
    identify: (stream) => stream.certificate!.identity!,
    handlers: { 'session.ping': () => ({}) } as unknown as AcceptorOptions['handlers'],
    joinHandlers: {
      'session.ping': () => ({}),
      'join.authority': () => replySamples['join.authority'].valid[0]!,
      'join.redeem': () => replySamples['join.redeem'].valid[0]!,
    },
    sessionsMax: 10,
    helloTimeoutMs: 10_000,
    onPeer: () => {},
    ...options,
  });
}

/** The clock of a node, its wall clock standing still. */
function helloClock(pair: SessionPair, side: Side): Clock {
  const { clock } = pair.ports(side);
  return {
    nowMs: () => helloMs + (side === 'worker' ? 250 : 0),
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    breathe: () => clock.breathe(),
  };
}

/** A dialer whose network is the one connection of the pair. */
function dialerOf(pair: SessionPair, self: SelfDescription): Dialer {
  const network = {
    connect: () => Promise.resolve(pair.streams.worker),
  } as unknown as Network;
  const ports = { ...pair.ports('worker'), clock: helloClock(pair, 'worker'), network };
  return new Dialer(ports, {
    self,
    addresses: ['master:1516'],
    pauseMinMs: 1000,
    pauseMaxMs: 1000,
    connectTimeoutMs: 5000,
    identify: () => {},
    handlers: masterHandlers,
  });
}

async function hello(title: string, options: HelloOptions = {}): Promise<Scene> {
  const pair = await SessionPair.connect();
  const acceptor = acceptorOf(pair, options.acceptor);
  acceptor.accept(pair.streams.master);
  const dialer = dialerOf(pair, options.worker ?? selfOf('worker', 'worker'));
  await pair.world.settle(outcome(dialer.connect(new AbortController().signal)));
  await pair.world.run({ forMs: 100 });
  return ended(title, pair, acceptor);
}

async function ended(title: string, pair: SessionPair, acceptor: Acceptor): Promise<Scene> {
  const frames = [...pair.frames];
  acceptor.close('Done');
  await pair.finish();
  return { title, frames };
}

/** A scene in which the test itself plays the worker, because no worker of ours would do that. */
async function rawWorker(title: string, forMs: number, ...said: Uint8Array[]): Promise<Scene> {
  const pair = await SessionPair.connect();
  const acceptor = acceptorOf(pair);
  acceptor.accept(pair.streams.master);
  pair.raw('worker').read().send(...said);
  await pair.world.run({ forMs });
  return ended(title, pair, acceptor);
}

const sampleHello = {
  ...payloadSamples['session.hello'].valid[0]!,
  node: 'worker',
  cluster: 'sim',
};

function protocolUnknown(): Promise<Scene> {
  const newer = { ...sampleHello, protocols: [2, 3] };
  return rawWorker('No protocol version in common', 100, requestFrame('session.hello', 1, newer));
}

function saysNothing(): Promise<Scene> {
  return rawWorker('The worker says nothing for ten seconds', 11_000);
}

function saysHelloTwice(): Promise<Scene> {
  const twice = [1, 2].map((number) => requestFrame('session.hello', number, sampleHello));
  return rawWorker('The worker says hello twice', 100, ...twice);
}

function speaksTooSoon(): Promise<Scene> {
  return rawWorker('The worker speaks before the hello', 100, requestFrame('session.ping', 1, {}));
}

/** The frames of the old session: the new one has a connection of its own. */
async function superseded(): Promise<Scene> {
  const pair = await SessionPair.connect();
  const acceptor = acceptorOf(pair);
  acceptor.accept(pair.streams.master);
  const self = selfOf('worker', 'worker');
  const { signal } = new AbortController();
  await pair.world.settle(dialerOf(pair, self).connect(signal));
  const { network } = pair.ports('master');
  const listener = await pair.world.settle(
    network.listen('master:1517', (stream) => acceptor.accept(stream)),
  );
  const again = new Dialer(pair.ports('worker'), {
    self,
    addresses: ['master:1517'],
    pauseMinMs: 1000,
    pauseMaxMs: 1000,
    connectTimeoutMs: 5000,
    identify: () => {},
    handlers: masterHandlers,
  });
  await pair.world.settle(again.connect(signal));
  await pair.world.settle(listener.close());
  await pair.world.run({ forMs: 100 });
  return ended('A newer session of the same node takes over', pair, acceptor);
}

async function join(): Promise<Scene> {
  const pair = await SessionPair.connect({ protocol: protocolNames.join });
  const acceptor = acceptorOf(pair);
  acceptor.accept(pair.streams.master);
  const joiner = pair.session('worker');
  const joining = async (): Promise<void> => {
    await joiner.request('join.authority', {});
    await joiner.request('join.redeem', payloadSamples['join.redeem'].valid[0]!);
    joiner.close('finished', 'The node has joined');
  };
  await pair.world.settle(joining());
  await pair.world.run({ forMs: 100 });
  return ended('A node joins with a token', pair, acceptor);
}
