/**
 * The simulated network: machines by name, the links between them, and all that can go wrong.
 *
 * Words for faults: `cut` lets nothing through, in one or both directions, what was sent waits;
 * `stall` does so for the connections that exist, while new ones get through (half-open: both ends
 * believe in a connection that leads nowhere); `reset` drops connections at once; `heal` takes
 * cuts and stalls back. `setAddress` changes what a name means to those who connect from then on:
 * one machine, or several that are tried in turn.
 */
import { type PeerFacts, SimHost } from './host.ts';
import type { Life } from './life.ts';
import { Link, type LinkProfile, ordinaryLink } from './link.ts';
import { Pipe } from './pipe.ts';
import type { SeededRandom } from './random.ts';
import { SimStream } from './stream.ts';
import type { World } from './world.ts';

/** How long a machine tries to get something through before it calls the connection lost. */
const GIVE_UP_MS = 900_000;

/** One end of a connection to be made. */
export interface EndFacts {
  readonly host: SimHost;
  readonly life: Life;
  readonly address: string;
  /** What the other end gets to know of this one. */
  readonly shown: PeerFacts;
}

interface Connection {
  readonly hosts: readonly [SimHost, SimHost];
  readonly streams: readonly [SimStream, SimStream];
  readonly pipes: readonly [Pipe, Pipe];
}

/** The network of a world. */
export class SimNetwork {
  readonly world: World;
  readonly random: SeededRandom;
  readonly #hosts = new Map<string, SimHost>();
  readonly #addresses = new Map<string, readonly string[]>();
  readonly #links = new Map<string, Link>();
  readonly #connections = new Set<Connection>();
  #profile: LinkProfile;
  #lastPort = 40_000;

  constructor(world: World, profile: Partial<LinkProfile> = {}) {
    this.world = world;
    this.random = world.random.fork('network');
    this.#profile = { ...ordinaryLink, ...profile };
  }

  /** The machine of this name, made where there is none. */
  host(name: string): SimHost {
    const known = this.#hosts.get(name);
    if (known !== undefined) return known;
    const host = new SimHost(name);
    this.#hosts.set(name, host);
    return host;
  }

  /** What a name means now; a machine's own name means that machine unless changed. */
  resolve(name: string): SimHost[] {
    const targets = this.#addresses.get(name) ?? [name];
    return targets.map((target) => this.#hosts.get(target)).filter((host) => host !== undefined);
  }

  /** Changes which machines a name means; none makes it unknown. */
  setAddress(name: string, ...hostNames: string[]): void {
    this.#addresses.set(name, hostNames);
  }

  /** The link from one machine to another. */
  link(from: string, to: string): Link {
    const key = `${from} -> ${to}`;
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const link = new Link(this.#profile, this.random.fork(key));
    this.#links.set(key, link);
    return link;
  }

  /** Changes the properties of all links, or of those between two machines. */
  shape(profile: Partial<LinkProfile>, between?: readonly [string, string]): void {
    if (between === undefined) {
      this.#profile = { ...this.#profile, ...profile };
      for (const link of this.#links.values()) link.profile = { ...link.profile, ...profile };
      return;
    }
    for (const link of this.#both(...between)) link.profile = { ...link.profile, ...profile };
  }

  cut(a: string, b: string): void {
    for (const link of this.#both(a, b)) link.isCut = true;
  }

  cutOneWay(from: string, to: string): void {
    this.link(from, to).isCut = true;
  }

  /** Cuts every machine of one list from every machine of the other. */
  partition(left: readonly string[], right: readonly string[]): void {
    for (const a of left) for (const b of right) this.cut(a, b);
  }

  /** Makes the connections that exist between two machines lead nowhere. */
  stall(a: string, b: string): void {
    for (const { pipes } of this.#between(a, b)) for (const pipe of pipes) pipe.isStalled = true;
  }

  /** Takes back cuts and stalls: all, or those between two machines. */
  heal(a?: string, b?: string): void {
    const links = a === undefined || b === undefined ? this.#links.values() : this.#both(a, b);
    for (const link of links) link.isCut = false;
    for (const { pipes } of this.#between(a, b)) for (const pipe of pipes) pipe.isStalled = false;
    this.resume();
  }

  /** Drops the connections that exist: all, or those between two machines. */
  reset(a?: string, b?: string): void {
    for (const { streams } of this.#between(a, b)) for (const stream of streams) stream.abort();
  }

  /** Lets what waited go on wherever the way is free. To be called when a machine is up again. */
  resume(): void {
    for (const { pipes } of this.#connections) for (const pipe of pipes) pipe.resume();
  }

  /** Whether a packet from one machine gets to the other now. */
  isBlocked(from: SimHost, to: SimHost): boolean {
    return !to.isUp || this.link(from.name, to.name).isCut;
  }

  /** Streams between two machines that are not over, seen from the first. */
  streams(a: string, b: string): SimStream[] {
    return this.#between(a, b).map(({ hosts, streams }) => streams[hosts[0].name === a ? 0 : 1]);
  }

  /** A port number that nobody uses yet. */
  freePort(): number {
    return ++this.#lastPort;
  }

  /** Makes a connection; the two ends, in the order of the arguments. */
  connection(protocol: string, near: EndFacts, far: EndFacts): readonly [SimStream, SimStream] {
    for (const old of this.#connections) {
      if (old.streams.every(isOver)) this.#connections.delete(old);
    }
    const ends = [near, far] as const;
    const [left, right] = ends.map((end, i) => {
      const { address: remote, shown: peer } = ends[1 - i]!;
      return new SimStream(end.life, { remote, protocol, peer }, () => end.host.isUp);
    }) as [SimStream, SimStream];
    const there = this.#pipe(near.host, far.host, left, right);
    const back = this.#pipe(far.host, near.host, right, left);
    left.connect(there, back);
    right.connect(back, there);
    const streams = [left, right] as const;
    this.#connections.add({ hosts: [near.host, far.host], streams, pipes: [there, back] });
    return streams;
  }

  #pipe(from: SimHost, to: SimHost, source: SimStream, target: SimStream): Pipe {
    return new Pipe(this.world, {
      what: `net ${from.name} -> ${to.name}`,
      link: this.link(from.name, to.name),
      isReceiverUp: () => to.isUp,
      source,
      target,
      giveUpMs: GIVE_UP_MS,
    });
  }

  #both(a: string, b: string): [Link, Link] {
    return [this.link(a, b), this.link(b, a)];
  }

  #between(a: string | undefined, b: string | undefined): Connection[] {
    return [...this.#connections].filter(({ hosts, streams }) => {
      if (streams.every(isOver)) return false;
      if (a === undefined || b === undefined) return true;
      const names = [hosts[0].name, hosts[1].name];
      return names.includes(a) && names.includes(b);
    });
  }
}

// ---

function isOver(stream: SimStream): boolean {
  return stream.isOver;
}
