/**
 * One simulated node: a machine with a clock, a disk and a place in the network, and a program that
 * is started, stopped, killed and started again on it.
 *
 * `stop` asks the program to end by its signal. `kill` is `kill -9`: nothing of the program happens
 * any more, the system closes its connections, the disk keeps all that was written. `crash` is a
 * power failure: connections say no goodbye, and the disk loses what was not flushed.
 */
import { type Deferred, deferred } from '../../src/base/async.ts';
import { ClusterError, codeOf } from '../../src/base/errors.ts';
import type { NodeIdentity, Ports } from '../../src/ports.ts';
import { type ClockOptions, MachineClock, SimClock } from './clock.ts';
import { type DiskOptions, SimDisk } from './disk.ts';
import { simCompression, simCrypto, simHashing } from './hashing.ts';
import { simCertificate, type SimHost } from './host.ts';
import { Life } from './life.ts';
import { type LogRecord, RecordingLogger } from './log.ts';
import { networkPort, plainNetworkPort } from './network-port.ts';
import type { SimNetwork } from './network.ts';
import { SimOperator } from './operator.ts';
import { CommandScript, scriptedProcesses } from './processes.ts';
import type { SeededRandom } from './random.ts';
import { treeReader } from './tree-reader.ts';
import { treeWriter } from './tree-writer.ts';
import { simWatcher, type WatcherOptions } from './watcher.ts';
import type { World } from './world.ts';
import { simZlib } from './zlib.ts';

/** What a node is like. */
export interface SimNodeOptions {
  readonly name: string;
  /** @default 'worker' */
  readonly role?: NodeIdentity['role'];
  /** @default 'sim' */
  readonly cluster?: string;
  readonly clock?: ClockOptions;
  readonly disk?: DiskOptions;
  readonly watcher?: WatcherOptions;
}

/** The program of a node: everything it does, until the signal asks it to end. */
export type Program = (ports: Ports, signal: AbortSignal) => Promise<void>;

/** How a program is run. */
export interface StartOptions {
  /** Gets the error with which the program ended by itself. @default fails the world */
  readonly onFailure?: (error: unknown) => void;
}

interface Incarnation {
  readonly life: Life;
  readonly ports: Ports;
  readonly controller: AbortController;
  /** Resolves when the program has ended, in whatever way. */
  readonly ended: Deferred<void>;
  isRunning: boolean;
}

/** A machine with a program. */
export class SimNode {
  readonly name: string;
  readonly world: World;
  readonly host: SimHost;
  readonly disk: SimDisk;
  readonly operator: SimOperator;
  readonly commands = new CommandScript();
  /** All that was logged, by every incarnation. */
  readonly records: LogRecord[] = [];
  readonly #network: SimNetwork;
  readonly #clock: MachineClock;
  readonly #random: SeededRandom;
  readonly #watcher: WatcherOptions;
  #incarnation: Incarnation | undefined;
  #incarnationsCount = 0;
  #program: Program | undefined;
  #startOptions: StartOptions = {};

  constructor(world: World, network: SimNetwork, options: SimNodeOptions) {
    const { name, role = 'worker', cluster = 'sim' } = options;
    this.name = name;
    this.world = world;
    this.#network = network;
    this.#random = world.random.fork(`node ${name}`);
    this.#watcher = options.watcher ?? {};
    this.#clock = new MachineClock(
      () => world.nowMs,
      this.#random.fork('clock'),
      options.clock ?? {},
    );
    const nowMs = (): number => this.#clock.nowMs();
    this.disk = new SimDisk(name, nowMs, this.#random.fork('disk'), options.disk);
    this.operator = new SimOperator(this.disk);
    this.host = network.host(name);
    this.host.nowMs = nowMs;
    this.host.certificate = simCertificate({ cluster, node: name, role });
    world.addMember(() => this.stop());
    world.atStop(() => this.disk.database.release());
  }

  /** Whether a program was started and has not ended. */
  get isRunning(): boolean {
    return this.#incarnation?.isRunning ?? false;
  }

  /** Starts a program; what ran before must have ended. */
  start(program: Program, options: StartOptions = {}): void {
    if (this.isRunning) throw new Error(`${this.name} is running already`);
    this.#mustHaveClosedAll();
    this.#incarnation?.life.end();
    this.#program = program;
    this.#startOptions = options;
    this.#powerOn();
    this.world.trace(`start ${this.name}`);
    const incarnation = this.#incarnate();
    this.#incarnation = incarnation;
    incarnation.isRunning = true;
    void this.#run(incarnation, program, options);
  }

  /** Asks the program to end, and waits until it has. */
  stop(): Promise<void> {
    const incarnation = this.#incarnation;
    if (incarnation === undefined) return Promise.resolve();
    this.world.trace(`stop ${this.name}`);
    incarnation.controller.abort(new ClusterError('aborted', `${this.name} is stopping`));
    if (!incarnation.isRunning) return Promise.resolve();
    return incarnation.ended.promise;
  }

  /** Ends the program as `kill -9` does; the machine goes on. */
  kill(): void {
    this.world.trace(`kill ${this.name}`);
    this.#incarnation?.life.end();
    this.#incarnation = undefined;
  }

  /** Cuts the power; `start` and `restart` switch it on again. */
  crash(): void {
    this.world.trace(`crash ${this.name}`);
    this.host.isUp = false;
    this.#incarnation?.life.end();
    this.#incarnation = undefined;
    this.disk.crash();
  }

  /**
   * Starts the same program again; one that is running is killed. Does nothing once the world is
   * stopping: faults that end on their own time would wake nodes up behind its back.
   */
  restart(): void {
    if (this.world.isStopping) return;
    if (this.#program === undefined) throw new Error(`${this.name} was never started`);
    if (this.isRunning) this.kill();
    this.start(this.#program, this.#startOptions);
  }

  /** Moves the wall clock; the monotonic one knows nothing of it. */
  jumpClock(ms: number): void {
    this.#clock.jump(ms);
  }

  /** The ports of the present incarnation, for tests that play the program themselves. */
  ports(): Ports {
    this.#powerOn();
    this.#incarnation ??= this.#incarnate();
    return this.#incarnation.ports;
  }

  #powerOn(): void {
    if (this.host.isUp) return;
    this.host.isUp = true;
    this.#network.resume();
  }

  async #run(
    incarnation: Incarnation,
    program: Program,
    options: StartOptions,
  ): Promise<void> {
    const { ports, controller } = incarnation;
    try {
      await program(ports, controller.signal);
    } catch (error) {
      const onFailure = options.onFailure ?? ((reason) => this.world.fail(reason));
      const isStopping = controller.signal.aborted && codeOf(error) === 'aborted';
      if (!isStopping && incarnation.life.isAlive) onFailure(error);
    }
    incarnation.isRunning = false;
    incarnation.ended.resolve();
  }

  #mustHaveClosedAll(): void {
    const open = [...this.#incarnation?.life.handles ?? []].map(({ what }) => what);
    if (open.length > 0) throw new Error(`${this.name} ended and left open: ${open.join('; ')}`);
  }

  #incarnate(): Incarnation {
    const random = this.#random.fork(`incarnation ${++this.#incarnationsCount}`);
    const life = new Life(this.world, this.name);
    const ports: Ports = {
      clock: new SimClock(life, this.#clock, random.fork('clock')),
      random: random.fork('random'),
      log: new RecordingLogger(life, this.records),
      network: networkPort(life, this.#network, this.host),
      plainNetwork: plainNetworkPort(life, this.#network, this.host),
      files: { ...treeReader(life, this.disk), ...treeWriter(life, this.disk) },
      watcher: simWatcher(life, this.disk, random.fork('watcher'), this.#watcher),
      hashing: simHashing,
      symmetricCrypto: simCrypto,
      compression: simCompression,
      zlib: simZlib,
      database: this.disk.database.port(life),
      processes: scriptedProcesses(life, this.commands),
    };
    const controller = new AbortController();
    const ended = deferred<void>();
    life.onEnd(() => ended.resolve());
    return { life, ports, controller, ended, isRunning: false };
  }
}
