/**
 * A master played by a test: real TLS with the real master's certificate, real sessions, and
 * answers that an attack makes up.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitPair } from '../../src/app/tls-files.ts';
import type { Listener, NodeIdentity, Stream } from '../../src/ports.ts';
import { readCertificate } from '../../src/runtime/certificates.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { createTlsNetwork } from '../../src/runtime/net.ts';
import { Acceptor } from '../../src/session/acceptor.ts';
import type { HandlersFor } from '../../src/session/handlers.ts';
import { keepAliveHandlers } from '../../src/tasks/keep-alive.ts';
import { protocolNames } from '../../src/wire/handshake.ts';
import { freePort } from './cluster.ts';
import { muster, Program } from './program.ts';

/** The answers of a hostile master; what it does not say stays as a decent one would say it. */
export type HostileHandlers = Partial<Omit<HandlersFor<'worker'>, 'session.hello'>>;

/** One way to be hostile. */
export interface Attack {
  /** Ends the sentence "cannot harm a worker by". */
  readonly name: string;
  /** What the worker has to say about it. */
  readonly says: RegExp;
  readonly handlers?: HostileHandlers;
  /** Takes the raw stream, in place of a session. */
  readonly onStream?: (stream: Stream) => void;
}

/** The player. */
export interface HostileMaster {
  /** The attack on all workers that connect from now on. */
  play(attack: Attack): Promise<void>;
  close(): Promise<void>;
}

/**
 * Makes a real master with `muster init`, lets a worker join it, stops it, and takes its place.
 * The worker's files are in `worker/` and `tree/` of the directory.
 */
export async function startHostileMaster(directory: string): Promise<HostileMaster> {
  const port = await freePort();
  mkdirSync(join(directory, 'outside'), { recursive: true });
  await makeNodes(directory, port);
  const tls = join(directory, 'master', 'tls');
  const authorityPem = readFileSync(join(tls, 'authority.pem'), 'utf8');
  const pair = splitPair(readFileSync(join(tls, 'node.pem'), 'utf8'))!;
  const log = createLog({
    file: undefined,
    level: 'error',
    format: 'text',
    terminal: false,
    color: false,
    clock: systemClock,
  });
  const network = createTlsNetwork({
    credentials: { authorityPem, ...pair },
    protocols: [protocolNames.session],
    readPeer: (der) => readCertificate(der, authorityPem),
    log: log.logger,
    clock: systemClock,
  });
  let attack: Attack | undefined;
  const acceptors: Acceptor[] = [];
  const listener: Listener = await network.listen(`127.0.0.1:${port}`, (stream) => {
    if (attack?.onStream !== undefined) return attack.onStream(stream);
    const acceptor = hostileAcceptor(attack?.handlers ?? {}, log.logger);
    acceptors.push(acceptor);
    acceptor.accept(stream);
  });
  return {
    play: (next) => {
      attack = next;
      return Promise.resolve();
    },
    close: async () => {
      for (const acceptor of acceptors) acceptor.close('The test is over');
      await listener.close();
      log.close();
    },
  };
}

function hostileAcceptor(
  handlers: HostileHandlers,
  log: ReturnType<typeof createLog>['logger'],
): Acceptor {
  const identity: NodeIdentity = { cluster: 'hostile', node: 'master', role: 'master' };
  const silent = () => new Promise<never>(() => {});
  return new Acceptor({ clock: systemClock, log }, {
    self: { identity, version: '0.0.0', epoch: 'hostile', algorithm: 'md5' },
    identify: () => ({ cluster: 'hostile', node: 'worker', role: 'worker' }),
    handlers: {
      ...keepAliveHandlers,
      'certificate.renew': silent,
      'integrity.check': silent,
      'integrity.digests': silent,
      'integrity.rows': silent,
      'content.fetch': silent,
      'content.blocks': silent,
      'content.ranges': silent,
      'node.report': () => ({}),
      'groups.pull': () => ({}),
      'agents.report': silent,
      ...handlers,
    },
    joinHandlers: {
      ...keepAliveHandlers,
      'join.authority': silent,
      'join.redeem': silent,
    },
    sessionsMax: 10,
    helloTimeoutMs: 10_000,
    onPeer: () => {},
  });
}

async function makeNodes(directory: string, port: number): Promise<void> {
  const master = join(directory, 'master');
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await muster(args);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  };
  const root = join(directory, 'master-tree');
  const listen = `127.0.0.1:${port}`;
  const init = ['init', '--dir', master, '--name', 'master', '--cluster', 'hostile'];
  await run(...init, '--listen', listen, '--root', root);
  const daemon = new Program(['run', '--dir', master]);
  try {
    const token = (await run('token', '--dir', master)).trim();
    const join1 = ['join', token, '--dir', join(directory, 'worker'), '--name', 'worker'];
    for (let attempt = 1;; attempt++) {
      try {
        await run(...join1, '--root', join(directory, 'tree'));
        break;
      } catch (error) {
        if (attempt >= 20) throw error;
        await systemClock.sleep(200); // the daemon is still starting
      }
    }
  } finally {
    daemon.kill('SIGKILL');
    await daemon.ended;
  }
  const config = join(directory, 'worker', 'muster.toml');
  writeFileSync(config, readFileSync(config, 'utf8') + '\n[integrity]\ntimeout = "10s"\n');
}
