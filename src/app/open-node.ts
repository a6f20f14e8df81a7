/**
 * Composition of a real node: the ports of the runtime, and the node of its configuration's role.
 *
 * The instance lock is taken first and given back last; whoever holds it owns the state directory.
 */
import { fromBytes, toHex } from '../base/bytes.ts';
import type { Config } from '../config/config.ts';
import { masterOperations, workerOperations } from '../node/local-operations.ts';
import { MasterNode } from '../node/master.ts';
import type { NodeFacts } from '../node/node-facts.ts';
import type { Operations } from '../node/operations.ts';
import type { WazuhSetting } from '../node/wazuh-setting.ts';
import { WazuhWorkerNode } from '../node/wazuh-worker.ts';
import { WorkerNode } from '../node/worker.ts';
import type { Logger, NodeIdentity, PlainPorts, Ports } from '../ports.ts';
import { buildInfo } from '../runtime/build-info.ts';
import { readCertificate, sha256, timingSafeEqualBytes } from '../runtime/certificates.ts';
import { fingerprint } from '../runtime/certificates.ts';
import { systemClock } from '../runtime/clock.ts';
import { type LoopWatch, watchLoop } from '../runtime/loop-watch.ts';
import { tidyAtRest } from '../runtime/memory.ts';
import { createCompression } from '../runtime/compression.ts';
import { openDatabase } from '../runtime/database.ts';
import { openFiles } from '../runtime/files.ts';
import { createHashing } from '../runtime/hashing.ts';
import { createTlsNetwork } from '../runtime/net.ts';
import { createPlainNetwork } from '../runtime/plain-net.ts';
import { createProcesses } from '../runtime/processes.ts';
import { systemRandom } from '../runtime/random.ts';
import { createSymmetricCrypto } from '../runtime/symmetric-crypto.ts';
import { makeDirectory, systemFacts } from '../runtime/system.ts';
import { createWatcher } from '../runtime/watcher.ts';
import { createZlib } from '../runtime/zlib.ts';
import { protocolNames } from '../wire/handshake.ts';
import { identifyMaster, identifyWorker, type Trust } from './identify.ts';
import { openIssuer } from './issuer.ts';
import { type NodeCredentials, ownCertificate, readCredentials } from './own-certificate.ts';
import { acquirePatiently } from './patient-lock.ts';
import { type TlsFiles, tlsFiles } from './tls-files.ts';
import { findWazuhDatabase } from './wazuh-database.ts';
import { readWazuhSetting } from './wazuh-setting.ts';

/** A node that is open in this process. */
export interface OpenNode {
  readonly operations: Operations;
  /** Works as a daemon until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** What both roles are made of. */
interface Parts {
  readonly config: Config;
  readonly ports: Ports;
  readonly facts: NodeFacts;
  readonly files: TlsFiles;
  readonly credentials: NodeCredentials;
  readonly trust: Trust;
  readonly reload: (tls: NodeCredentials['tls']) => void;
  readonly loop: LoopWatch;
  readonly close: () => void;
}

/**
 * Opens the node of a configuration.
 * @throws ClusterError `locked` where another process has it open, `authentication`, `permission`…
 */
export async function openNode(config: Config, rootLog: Logger): Promise<OpenNode> {
  const { role, name } = config.node;
  const log = rootLog.child(role === 'master' ? 'Master' : `Worker ${name}`);
  await makeDirectory(config.node.state, 0o700);
  const lock = await acquirePatiently(config);
  const undo: (() => void)[] = [() => lock.release()];
  const close = () => undo.splice(0).reverse().forEach((step) => step());
  try {
    if (config.node.protocol === 'wazuh') {
      const parts = await openWazuhParts(config, log, undo);
      return role === 'master'
        ? await openWazuhMaster({ ...parts, close }, rootLog)
        : await openWazuhWorker({ ...parts, close }, undo);
    }
    const parts = await openParts(config, log, undo);
    return role === 'master'
      ? await openMaster({ ...parts, close }, rootLog)
      : await openWorker({ ...parts, close });
  } catch (error) {
    close();
    throw error;
  }
}

/** The ports that need no certificate. */
async function openPorts(
  config: Config,
  log: Logger,
  undo: (() => void)[],
): Promise<PlainPorts> {
  const { root, state } = config.node;
  const clock = systemClock;
  const hashing = await createHashing();
  const onWarning = (text: string) => log.log('warning', text);
  const disk = await openFiles({ root, stateDirectory: state, clock, hashing, onWarning });
  undo.push(() => disk.close());
  const database = openDatabase(config.paths.database);
  undo.push(() => database.close());
  return {
    clock,
    random: systemRandom,
    log,
    plainNetwork: createPlainNetwork({
      log,
      clock,
      limits: { connectMs: config.worker.connectTimeoutMs },
    }),
    files: disk,
    watcher: createWatcher({ root, clock, onWarning }),
    hashing,
    symmetricCrypto: createSymmetricCrypto(),
    compression: createCompression(),
    zlib: createZlib(),
    database,
    processes: createProcesses(clock),
  };
}

async function openParts(
  config: Config,
  log: Logger,
  undo: (() => void)[],
): Promise<Omit<Parts, 'close'>> {
  const { name, role, cluster, tls } = config.node;
  const files = tlsFiles(tls);
  const credentials = await readCredentials(files);
  const { authorityPem } = credentials.tls;
  const ports = await openPorts(config, log, undo);
  const { clock } = ports;
  const { handshakesMax, handshakesPerAddressMax, handshakeTimeoutMs } = config.master;
  const network = createTlsNetwork({
    credentials: credentials.tls,
    protocols: Object.values(protocolNames),
    readPeer: (der) => readCertificate(der, authorityPem),
    limits: {
      handshakesMax,
      handshakesPerAddressMax,
      handshakeMs: handshakeTimeoutMs,
      connectMs: config.worker.connectTimeoutMs,
    },
    log,
    clock,
  });
  const loop = watchLoop();
  undo.push(() => loop.close());
  return {
    config,
    ports: { ...ports, network },
    facts: nodeFacts({ cluster, node: name, role }, loop),
    loop,
    files,
    credentials,
    trust: {
      authorityPem,
      authorityFingerprint: fingerprint(authorityPem),
      cluster,
      nowMs: () => clock.nowMs(),
    },
    reload: (renewed) => network.reload(renewed),
  };
}

function nodeFacts(identity: NodeIdentity, loop: LoopWatch): NodeFacts {
  return {
    identity,
    version: buildInfo().version,
    epoch: toHex(fromBytes(systemRandom.bytes(8))),
    pid: systemFacts().pid,
    startedMs: systemClock.nowMs(),
    longestLoopHoldMs: () => Math.round(loop.longestHoldMs()),
  };
}

async function openMaster(parts: Parts, rootLog: Logger): Promise<OpenNode> {
  const { config, ports, facts, files, credentials, trust, reload, loop, close } = parts;
  const issuer = await openIssuer(files, config.certificates.nodeDays);
  const wazuh = config.wazuh.listen === undefined ? undefined : await readWazuhSetting(config);
  const node = await MasterNode.open(
    {
      ...ports,
      rootLog,
      wazuh,
      native: {
        network: ports.network,
        issuer,
        own: ownCertificate(files, facts.identity, credentials, reload),
        tokenPorts: {
          randomBytes: (count) => systemRandom.bytes(count),
          sha256,
          isEqual: timingSafeEqualBytes,
        },
        authorityFingerprint: trust.authorityFingerprint,
        identify: (stream, registry) => identifyWorker(stream, trust, registry),
      },
    },
    config,
    facts,
  );
  return openedMaster(node, loop, close);
}

function openedMaster(node: MasterNode, loop: LoopWatch, close: () => void): OpenNode {
  return {
    operations: masterOperations(node),
    run: (signal) => runWatched(node, loop, signal),
    close,
  };
}

async function openWorker(parts: Parts): Promise<OpenNode> {
  const { config, ports, facts, files, credentials, trust, reload, loop, close } = parts;
  const node = await WorkerNode.open(
    {
      ...ports,
      own: ownCertificate(files, facts.identity, credentials, reload),
      identify: (stream) => identifyMaster(stream, trust),
    },
    config,
    facts,
  );
  return {
    operations: workerOperations(node, (signal, work) => node.withSession(signal, work)),
    run: (signal) => runWatched(node, loop, signal),
    close,
  };
}

/** Holds count from when there is somebody to wait: nobody waits for a node that only opens. */
async function runWatched(
  node: { run(signal: AbortSignal): Promise<void> },
  loop: LoopWatch,
  signal: AbortSignal,
): Promise<void> {
  loop.reset();
  const tidying = tidyAtRest();
  try {
    await node.run(signal);
  } finally {
    tidying.close();
  }
}

/** What both roles of a node that is in a Wazuh cluster alone are made of. */
interface WazuhParts {
  readonly config: Config;
  readonly setting: WazuhSetting;
  readonly ports: PlainPorts;
  readonly facts: NodeFacts;
  readonly loop: LoopWatch;
  readonly close: () => void;
}

/** A key takes the place of certificates. */
async function openWazuhParts(
  config: Config,
  log: Logger,
  undo: (() => void)[],
): Promise<Omit<WazuhParts, 'close'>> {
  const { node: { name, role }, wazuh: { cluster } } = config;
  const setting = await readWazuhSetting(config);
  const ports = await openPorts(config, log, undo);
  const loop = watchLoop();
  undo.push(() => loop.close());
  return { config, setting, ports, loop, facts: nodeFacts({ cluster, node: name, role }, loop) };
}

/** A master that has no workers but those of the Wazuh protocol. */
async function openWazuhMaster(parts: WazuhParts, rootLog: Logger): Promise<OpenNode> {
  const { config, setting, ports, facts, loop, close } = parts;
  const masterPorts = { ...ports, rootLog, wazuh: setting, native: undefined };
  return openedMaster(await MasterNode.open(masterPorts, config, facts), loop, close);
}

async function openWazuhWorker(parts: WazuhParts, undo: (() => void)[]): Promise<OpenNode> {
  const { config, setting, ports, facts, loop, close } = parts;
  const { home } = config.wazuh;
  const database = home === undefined ? undefined : await findWazuhDatabase(home, ports.clock);
  undo.push(() => database?.close());
  const node = await WazuhWorkerNode.open(ports, config, facts, setting, database);
  return {
    operations: workerOperations(node, (signal, work) => node.withSession(signal, work)),
    run: (signal) => runWatched(node, loop, signal),
    close,
  };
}
