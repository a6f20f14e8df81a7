/**
 * THE table of messages: what may be said, by whom, how long it may be, and how it is read.
 *
 * Everything else is inferred from it: the payload that `session.request` wants and the reply it
 * gives, and the handlers that a node must have. Ids are the protocol: only ever append, never
 * reuse. A peer that does not know a request answers `unknownMessage`; unknown events are skipped.
 */
import {
  bytes,
  byteString,
  flag,
  list,
  number,
  oneOf,
  optional,
  type Reader,
  record,
  text,
  whole,
} from '../base/readers.ts';

/** Bytes of a digest in the digest tree: the first 16 of the cluster's hash. */
export const digestBytes = 16;

const digest = byteString(digestBytes, digestBytes);
const nodeName = text(64);
const setName = text(64);
/** No cluster has this many file sets; a list of them stays small. */
const setsMax = 256;
const generation = whole(0);

const helloRequest = record({
  /** Protocol versions that this node speaks. */
  protocols: list(whole(1, 65535), 16),
  features: list(text(64), 64),
  /** Program version, for people. */
  version: text(64),
  node: nodeName,
  cluster: text(64),
  /** Random mark of this run of the node; tells a restart from a reconnection. */
  epoch: text(64),
  /** The node's wall clock, for measuring skew. */
  nowMs: number,
  algorithm: text(16),
});

const helloReply = record({
  protocol: whole(1, 65535),
  features: list(text(64), 64),
  version: text(64),
  node: nodeName,
  epoch: text(64),
  nowMs: number,
});

const joinRequest = record({
  tokenId: text(64),
  secret: text(256),
  node: nodeName,
  /** Certificate signing request, PEM. */
  certificateRequest: text(4096),
});

const fileSet = record({
  name: setName,
  path: text(4096),
  include: list(text(1024), 256),
  exclude: list(text(1024), 256),
  recursive: flag,
  excludeDefaults: flag,
});

const joinReply = record({
  cluster: text(64),
  master: nodeName,
  certificate: text(16384),
  authority: text(16384),
  algorithm: oneOf('md5', 'sha256', 'blake2b'),
  sets: list(fileSet, setsMax),
});

const checkRequest = record({
  /** Generation that the worker holds; 0 for none. */
  generation,
  sets: list(record({ name: setName, rules: digest, digest }), setsMax),
});

const checkReply = record({
  generation,
  /** `same`: nothing to do. `delta`: the changed rows follow as bulk. `differs`: narrow it down. */
  state: oneOf('same', 'delta', 'differs'),
  sets: list(
    record({
      name: setName,
      /** `rules`: the nodes do not agree what belongs to the set. `unknown`: the master has none. */
      state: oneOf('same', 'differs', 'rules', 'unknown'),
      digest: optional(digest),
      entriesCount: whole(0),
      /** The master's operator has approved this very content, whatever a guard says. */
      isApproved: flag,
    }),
    setsMax,
  ),
});

const announcement = record({
  generation,
  /** All sets of the master. */
  sets: list(
    record({
      name: setName,
      rules: digest,
      /** Of the generation before; missing where that had no such set. */
      from: optional(digest),
      digest,
      entriesCount: whole(0),
      /** As in the answer to a check. */
      isApproved: flag,
    }),
    setsMax,
  ),
  /** What changed since the generation before: packed changes. */
  changes: bytes(16 * 1024),
  /** A bundle with the contents of the rows in it, in their order, where they are few and small. */
  contents: optional(bytes(80 * 1024)),
});

const digestsRequest = record({
  generation,
  set: setName,
  /** Branches whose leaves are asked for; empty for the digests of the branches themselves. */
  branches: list(whole(0, 63), 64),
});

const rowsRequest = record({
  generation,
  set: setName,
  /** One bit per leaf. */
  leaves: bytes(512),
});

const fetchRequest = record({
  sets: list(setName, setsMax),
  /** Packed rows: what is wanted, see `files/bundle.ts`. */
  items: bytes(240 * 1024),
});

const blocksRequest = record({
  set: setName,
  path: byteString(1, 4096),
  /** What the path has to have: another content has other blocks. */
  hash: byteString(16, 64),
});

const rangesRequest = record({
  set: setName,
  path: byteString(1, 4096),
  hash: byteString(16, 64),
  /** Packed ranges, see `files/block-list.ts`. */
  ranges: bytes(24 * 1024),
});

const nodeReport = record({
  generation,
  isInSync: flag,
  halted: list(record({ set: setName, reason: text(1024) }), setsMax),
  filesCount: whole(0),
  roundMs: optional(number),
});

/** Numbers of agents, packed as u32 one after the other: at most those of one request. */
const agentIds = bytes(64 * 1024);

const agentsRequest = record({
  /** Names the worker's database, which numbers the records. */
  epoch: text(64),
  /** Packed records, see `agents/record-codec.ts`. */
  records: bytes(240 * 1024),
});

const agentsReply = record({
  /** Names the master's database: a new one knows nothing of what an older one confirmed. */
  epoch: text(64),
  /** The master does not know these agents. */
  refused: agentIds,
  /** These were removed on the master. */
  removed: agentIds,
  /** Of these the master wants all, not the status alone. */
  wanted: agentIds,
});

const snapshot = whole(0);
const epoch = text(64);
const reason = optional(text(1024));

const groupsOffer = record({
  /** Mark of the master's database, in which snapshots are counted. */
  epoch,
  snapshot,
  /** Generation of files that has all groups and keys of the snapshot. */
  generation,
  digest,
});

const groupsOfferReply = record({
  /** `waiting`: the worker has not all that the assignments refer to; the reason says what. */
  state: oneOf('same', 'differs', 'waiting'),
  /** What the worker has: '' and 0 where it has never had a whole snapshot. */
  epoch,
  snapshot,
  digest,
  reason,
});

const groupsApply = record({
  epoch,
  snapshot,
  generation,
  /** Packed assignments. */
  rows: bytes(240 * 1024),
  /** Packed ranges of which the rows are all there are. */
  ranges: bytes(8 * 1024),
  /** With it the worker has the snapshot. */
  isLast: flag,
});

const groupsApplyReply = record({
  state: oneOf('stored', 'waiting'),
  /** After the last part: the digest of what the worker has. */
  digest: optional(digest),
  /** The first agent within the ranges that was not as it should have been. */
  firstDifferent: optional(whole(0)),
  reason,
});

const groupsCompare = record({
  /** The first leaf and the last one that the list speaks of. */
  from: whole(0),
  to: whole(0),
  /** Packed leaves that are not empty: u32 number and digest of each. */
  leaves: bytes(240 * 1024),
});

const nothing = record({});

/** A message that is answered. */
export interface RequestEntry<P, R, S extends Sender = Sender> {
  readonly id: number;
  readonly answer: 'reply';
  readonly sender: S;
  /** Largest payload of the request, bytes. */
  readonly bytesMax: number;
  readonly request: Reader<P>;
  readonly reply: Reader<R>;
  /** Whether bulk data come before the reply. */
  readonly bulk: boolean;
}

/** A message that is not answered. */
export interface EventEntry<P, S extends Sender = Sender> {
  readonly id: number;
  readonly answer: 'none';
  readonly sender: S;
  readonly bytesMax: number;
  readonly event: Reader<P>;
}

/** Who may send a message. `joiner`: a node without a certificate yet. */
export type Sender = 'worker' | 'master' | 'both' | 'joiner';

function request<P, R, const S extends Sender>(
  id: number,
  sender: S,
  bytesMax: number,
  read: Reader<P>,
  reply: Reader<R>,
  bulk = false,
): RequestEntry<P, R, S> {
  return { id, answer: 'reply', sender, bytesMax, request: read, reply, bulk };
}

function event<P, const S extends Sender>(
  id: number,
  sender: S,
  bytesMax: number,
  read: Reader<P>,
): EventEntry<P, S> {
  return { id, answer: 'none', sender, bytesMax, event: read };
}

const KiB = 1024;

/** The table. */
export const messages = {
  'session.hello': request(1, 'worker', 4 * KiB, helloRequest, helloReply),
  'session.ping': request(2, 'both', 64, nothing, nothing),
  'join.authority': request(3, 'joiner', 64, nothing, record({ authority: text(16384) })),
  'join.redeem': request(4, 'joiner', 4 * KiB, joinRequest, joinReply),
  'certificate.renew': request(
    5,
    'worker',
    8 * KiB,
    record({ certificateRequest: text(4096) }),
    record({ certificate: text(16384) }),
  ),
  'integrity.check': request(6, 'worker', 64 * KiB, checkRequest, checkReply, true),
  'integrity.digests': request(
    7,
    'worker',
    1 * KiB,
    digestsRequest,
    record({ digests: bytes(64 * 64 * digestBytes) }),
  ),
  'integrity.rows': request(8, 'worker', 1 * KiB, rowsRequest, nothing, true),
  'content.fetch': request(9, 'worker', 250 * KiB, fetchRequest, nothing, true),
  'integrity.published': event(10, 'master', 64, record({ generation })),
  'node.report': request(11, 'worker', 16 * KiB, nodeReport, nothing),
  'groups.offer': request(13, 'master', 1 * KiB, groupsOffer, groupsOfferReply),
  'groups.apply': request(14, 'master', 252 * KiB, groupsApply, groupsApplyReply),
  'groups.compare': request(
    15,
    'master',
    242 * KiB,
    groupsCompare,
    /** Packed numbers of the leaves that differ, u32 each. */
    record({ leaves: bytes(240 * 1024) }),
  ),
  'groups.pull': request(17, 'worker', 64, nothing, nothing),
  'content.blocks': request(18, 'worker', 9 * KiB, blocksRequest, nothing, true),
  'content.ranges': request(19, 'worker', 33 * KiB, rangesRequest, nothing, true),
  // 12 was the same with records of another form, which versions before this one speak.
  'agents.report': request(20, 'worker', 250 * KiB, agentsRequest, agentsReply),
  'integrity.announced': event(21, 'master', 192 * KiB, announcement),
} as const;

/** The messages by type. */
export type Messages = typeof messages;
export type MessageName = keyof Messages;

/** Names of the messages that are answered. */
export type RequestName = {
  [N in MessageName]: Messages[N] extends RequestEntry<infer _P, infer _R> ? N : never;
}[MessageName];

/** Names of the messages that are not. */
export type EventName = Exclude<MessageName, RequestName>;

/** What a message carries. */
export type PayloadOf<N extends MessageName> = Messages[N] extends RequestEntry<infer P, infer _R>
  ? P
  : Messages[N] extends EventEntry<infer P> ? P
  : never;

/** What answers a request. */
export type ReplyOf<N extends RequestName> = Messages[N] extends RequestEntry<infer _P, infer R> ? R
  : never;

/** Names of the messages that `Role` sends. */
export type SentBy<Role extends Sender> = {
  [N in MessageName]: Messages[N]['sender'] extends Role | 'both' ? N : never;
}[MessageName];

/** An entry with its name, as it is found by id. */
export type NamedEntry = { readonly name: MessageName } & Messages[MessageName];

const byId: ReadonlyMap<number, NamedEntry> = new Map(
  Object.entries(messages).map((
    [name, entry],
  ) => [entry.id, { name: name as MessageName, ...entry } as NamedEntry]),
);

/** The entry of an id, or undefined where this version does not know it. */
export function messageById(id: number): NamedEntry | undefined {
  return byId.get(id);
}
