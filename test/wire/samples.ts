/**
 * For every message of the table: payloads that pass, and payloads that its reader must refuse.
 * A new message does not compile until it has samples.
 */
import type { PayloadOf, ReplyOf } from '../../src/wire/messages.ts';
import type { MessageName, RequestName } from '../../src/wire/messages.ts';

/** Samples of what one reader reads. */
export interface Samples<T> {
  readonly valid: readonly T[];
  /** Each with what the error names. */
  readonly refused: readonly (readonly [where: string, value: unknown])[];
}

const digest = '\x00\x01\x02\x03\x7f\x80\x81\xfe\xff0123456';
const hello: PayloadOf<'session.hello'> = {
  protocols: [1],
  features: ['zstd', 'resume'],
  version: '1.2.3',
  node: 'worker-1',
  cluster: 'prod',
  epoch: '5f0c',
  nowMs: 1_704_067_200_000.5,
  algorithm: 'md5',
};
const { cluster: _cluster, algorithm: _algorithm, protocols: _protocols, ...helloBack } = hello;
const helloReply: ReplyOf<'session.hello'> = { ...helloBack, protocol: 1 };
const joining: PayloadOf<'join.redeem'> = {
  tokenId: 'k7',
  secret: 's'.repeat(43),
  node: 'worker-1',
  certificateRequest: '-----BEGIN CERTIFICATE REQUEST-----\n',
};
const set: ReplyOf<'join.redeem'>['sets'][number] = {
  name: 'rules',
  path: 'etc/rules',
  include: ['*.xml'],
  exclude: [],
  recursive: true,
  excludeDefaults: false,
};
const joined: ReplyOf<'join.redeem'> = {
  cluster: 'prod',
  master: 'master-1',
  certificate: '-----BEGIN CERTIFICATE-----\n',
  authority: '-----BEGIN CERTIFICATE-----\n',
  algorithm: 'md5',
  sets: [set],
};
const answer: ReplyOf<'integrity.check'>['sets'][number] = {
  name: 'rules',
  state: 'differs',
  digest,
  entriesCount: 12,
  isApproved: false,
};
const report: PayloadOf<'node.report'> = {
  generation: 42,
  isInSync: false,
  halted: [{ set: 'rules', reason: 'Set "rules" is empty: 12 of 12 files would be deleted' }],
  filesCount: 1234,
  roundMs: 12.25,
};
const agents: PayloadOf<'agents.report'> = { epoch: 'b7c1', records: new Uint8Array([1, 2, 3]) };
const settled: ReplyOf<'agents.report'> = {
  epoch: '90ab',
  refused: new Uint8Array([0, 0, 0, 7]),
  removed: new Uint8Array(0),
  wanted: new Uint8Array([0, 0, 0, 8, 0, 0, 0, 9]),
};
const offer: PayloadOf<'groups.offer'> = { epoch: '90ab', snapshot: 12, generation: 42, digest };
const offered: ReplyOf<'groups.offer'> = {
  state: 'differs',
  epoch: '90ab',
  snapshot: 11,
  digest,
  reason: undefined,
};
const part: PayloadOf<'groups.apply'> = {
  epoch: '90ab',
  snapshot: 12,
  generation: 42,
  rows: new Uint8Array([0, 0, 0, 7, 0, 0, 3, 119, 101, 98]),
  ranges: new Uint8Array([0, 0, 0, 0, 0, 0, 0, 31]),
  isLast: true,
};
const stored: ReplyOf<'groups.apply'> = {
  state: 'stored',
  digest,
  firstDifferent: 7,
  reason: undefined,
};
const leaves: PayloadOf<'groups.compare'> = { from: 0, to: 67_108_863, leaves: new Uint8Array(20) };
const announcement: PayloadOf<'integrity.announced'> = {
  generation: 43,
  sets: [{
    name: 'rules',
    rules: digest,
    from: '\x01'.repeat(16),
    digest,
    entriesCount: 12,
    isApproved: false,
  }],
  changes: new Uint8Array([1, 0, 0, 1, 97]),
  contents: undefined,
};
const aContent = { set: 'rules', path: 'etc/lists/large.cdb', hash: '\x00\xff'.repeat(8) };
const nothing = { valid: [{}], refused: [['', []], ['', null], ['', 'text'], ['', 7]] } as const;

/** Samples of requests and events. */
export const payloadSamples: { readonly [N in MessageName]: Samples<PayloadOf<N>> } = {
  'session.hello': {
    valid: [hello, { ...hello, protocols: [], features: [], node: '漢字' }],
    refused: [
      ['protocols', { ...hello, protocols: undefined }],
      ['protocols', { ...hello, protocols: Array.from({ length: 17 }, () => 1) }],
      ['protocols[0]', { ...hello, protocols: [0] }],
      ['protocols[1]', { ...hello, protocols: [1, 1.5] }],
      ['features', { ...hello, features: Array.from({ length: 65 }, () => 'x') }],
      ['features[0]', { ...hello, features: ['x'.repeat(65)] }],
      ['version', { ...hello, version: 1 }],
      ['node', { ...hello, node: 'n'.repeat(65) }],
      ['cluster', { ...hello, cluster: null }],
      ['epoch', { ...hello, epoch: ['x'] }],
      ['nowMs', { ...hello, nowMs: NaN }],
      ['nowMs', { ...hello, nowMs: '0' }],
      ['algorithm', { ...hello, algorithm: 'a'.repeat(17) }],
      ['session.hello', [hello]],
    ],
  },
  'session.ping': nothing,
  'join.authority': nothing,
  'join.redeem': {
    valid: [joining],
    refused: [
      ['tokenId', { ...joining, tokenId: 'k'.repeat(65) }],
      ['secret', { ...joining, secret: 's'.repeat(257) }],
      ['node', { ...joining, node: undefined }],
      ['certificateRequest', { ...joining, certificateRequest: new Uint8Array(3) }],
    ],
  },
  'certificate.renew': {
    valid: [{ certificateRequest: 'PEM' }],
    refused: [['certificateRequest', {}], [
      'certificateRequest',
      { certificateRequest: 'x'.repeat(4097) },
    ]],
  },
  'integrity.check': {
    valid: [
      { generation: 0, sets: [] },
      { generation: 42, sets: [{ name: 'rules', rules: digest, digest }] },
    ],
    refused: [
      ['generation', { generation: -1, sets: [] }],
      ['generation', { generation: 2 ** 53, sets: [] }],
      ['sets', { generation: 1, sets: {} }],
      ['sets', { generation: 1, sets: Array.from({ length: 257 }, () => ({})) }],
      ['sets[0].rules', { generation: 1, sets: [{ name: 'a', rules: digest.slice(1), digest }] }],
      ['sets[0].digest', {
        generation: 1,
        sets: [{ name: 'a', rules: digest, digest: '漢'.repeat(16) }],
      }],
    ],
  },
  'integrity.digests': {
    valid: [
      { generation: 42, set: 'rules', branches: [] },
      { generation: 42, set: 'rules', branches: Array.from({ length: 64 }, (_, i) => i) },
    ],
    refused: [
      ['branches[0]', { generation: 1, set: 'rules', branches: [64] }],
      ['branches[0]', { generation: 1, set: 'rules', branches: [-1] }],
      ['branches', { generation: 1, set: 'rules', branches: Array.from({ length: 65 }, () => 1) }],
      ['set', { generation: 1, set: 's'.repeat(65), branches: [] }],
    ],
  },
  'integrity.rows': {
    valid: [{ generation: 42, set: 'rules', leaves: new Uint8Array(512).fill(255) }],
    refused: [
      ['leaves', { generation: 1, set: 'rules', leaves: new Uint8Array(513) }],
      ['leaves', { generation: 1, set: 'rules', leaves: 'text' }],
      ['leaves', { generation: 1, set: 'rules', leaves: [1, 2] }],
    ],
  },
  'content.fetch': {
    valid: [{ sets: ['rules', 'lists'], items: new Uint8Array(240 * 1024) }],
    refused: [
      ['items', { sets: [], items: new Uint8Array(240 * 1024 + 1) }],
      ['sets', { sets: Array.from({ length: 257 }, () => 'x'), items: new Uint8Array(0) }],
      ['sets[0]', { sets: [1], items: new Uint8Array(0) }],
    ],
  },
  'content.blocks': {
    valid: [aContent, { ...aContent, path: '\xff'.repeat(4096), hash: '\xff'.repeat(64) }],
    refused: [
      ['set', { ...aContent, set: 's'.repeat(65) }],
      ['path', { ...aContent, path: '' }],
      ['path', { ...aContent, path: 'p'.repeat(4097) }],
      ['hash', { ...aContent, hash: 'h'.repeat(15) }],
      ['hash', { ...aContent, hash: 'h'.repeat(65) }],
    ],
  },
  'content.ranges': {
    valid: [
      {
        ...aContent,
        path: '\xff'.repeat(4096),
        hash: '\xff'.repeat(64),
        ranges: new Uint8Array(24 * 1024),
      },
    ],
    refused: [
      ['ranges', { ...aContent, ranges: new Uint8Array(24 * 1024 + 1) }],
      ['ranges', aContent],
      ['path', { ...aContent, path: 7, ranges: new Uint8Array(12) }],
    ],
  },
  'integrity.published': {
    valid: [{ generation: 42 }, { generation: Number.MAX_SAFE_INTEGER }],
    refused: [['generation', { generation: 1.5 }], ['generation', {}], [
      'generation',
      { generation: Infinity },
    ]],
  },
  'integrity.announced': {
    valid: [
      announcement,
      {
        ...announcement,
        sets: [{ ...announcement.sets[0]!, from: undefined, isApproved: true }],
        changes: new Uint8Array(16 * 1024),
        contents: new Uint8Array(80 * 1024),
      },
      {
        ...announcement,
        sets: Array.from(
          { length: 256 },
          () => ({ ...announcement.sets[0]!, name: 's'.repeat(64) }),
        ),
      },
    ],
    refused: [
      ['generation', { ...announcement, generation: -1 }],
      ['sets', { ...announcement, sets: undefined }],
      ['sets[0].from', { ...announcement, sets: [{ ...announcement.sets[0]!, from: 'short' }] }],
      ['changes', { ...announcement, changes: new Uint8Array(16 * 1024 + 1) }],
      ['contents', { ...announcement, contents: 'text' }],
    ],
  },
  'node.report': {
    valid: [report, { ...report, halted: [], roundMs: undefined }],
    refused: [
      ['isInSync', { ...report, isInSync: 1 }],
      ['isInSync', { ...report, isInSync: undefined }],
      ['halted[0].reason', { ...report, halted: [{ set: 'a', reason: 'x'.repeat(1025) }] }],
      ['filesCount', { ...report, filesCount: 1.5 }],
      ['roundMs', { ...report, roundMs: 'fast' }],
    ],
  },
  'agents.report': {
    valid: [agents, { ...agents, records: new Uint8Array(240 * 1024) }],
    refused: [
      ['epoch', { ...agents, epoch: undefined }],
      ['records', { ...agents, records: new Uint8Array(240 * 1024 + 1) }],
      ['records', { ...agents, records: 'text' }],
    ],
  },
  'groups.offer': {
    valid: [offer, { ...offer, snapshot: 0, generation: 0 }],
    refused: [
      ['epoch', { ...offer, epoch: 'e'.repeat(65) }],
      ['snapshot', { ...offer, snapshot: -1 }],
      ['generation', { ...offer, generation: undefined }],
      ['digest', { ...offer, digest: digest.slice(1) }],
    ],
  },
  'groups.apply': {
    valid: [part, { ...part, rows: new Uint8Array(240 * 1024), ranges: new Uint8Array(8 * 1024) }],
    refused: [
      ['rows', { ...part, rows: new Uint8Array(240 * 1024 + 1) }],
      ['ranges', { ...part, ranges: new Uint8Array(8 * 1024 + 1) }],
      ['ranges', { ...part, ranges: undefined }],
      ['isLast', { ...part, isLast: 1 }],
    ],
  },
  'groups.compare': {
    valid: [leaves, { ...leaves, leaves: new Uint8Array(240 * 1024) }],
    refused: [
      ['from', { ...leaves, from: -1 }],
      ['to', { ...leaves, to: 0.5 }],
      ['leaves', { ...leaves, leaves: new Uint8Array(240 * 1024 + 1) }],
    ],
  },
  'groups.pull': nothing,
};

/** Samples of replies. */
export const replySamples: { readonly [N in RequestName]: Samples<ReplyOf<N>> } = {
  'session.hello': {
    valid: [helloReply],
    refused: [
      ['protocol', { ...helloReply, protocol: 0 }],
      ['protocol', { ...helloReply, protocol: 65536 }],
      ['features', { ...helloReply, features: 'zstd' }],
    ],
  },
  'session.ping': nothing,
  'join.authority': {
    valid: [{ authority: 'PEM' }],
    refused: [['authority', { authority: 'x'.repeat(16385) }]],
  },
  'join.redeem': {
    valid: [joined, { ...joined, sets: [] }],
    refused: [
      ['certificate', { ...joined, certificate: undefined }],
      ['sets[0].path', { ...joined, sets: [{ ...set, path: 'p'.repeat(4097) }] }],
      ['sets[0].include', { ...joined, sets: [{ ...set, include: '*.xml' }] }],
      ['sets[0].recursive', { ...joined, sets: [{ ...set, recursive: 'yes' }] }],
    ],
  },
  'certificate.renew': {
    valid: [{ certificate: 'PEM' }],
    refused: [['certificate', { certificate: 1 }]],
  },
  'integrity.check': {
    valid: [
      { generation: 42, state: 'same', sets: [] },
      { generation: 42, state: 'differs', sets: [answer] },
      {
        generation: 42,
        state: 'delta',
        sets: [{ ...answer, state: 'unknown', digest: undefined, isApproved: true }],
      },
    ],
    refused: [
      ['state', { generation: 42, state: 'new', sets: [] }],
      ['state', { generation: 42, state: ['same'], sets: [] }],
      ['sets[0].digest', { generation: 42, state: 'same', sets: [{ ...answer, digest: 'short' }] }],
      ['sets[0].isApproved', {
        generation: 42,
        state: 'same',
        sets: [{ ...answer, isApproved: null }],
      }],
    ],
  },
  'integrity.digests': {
    valid: [{ digests: new Uint8Array(64 * 64 * 16) }, { digests: new Uint8Array(0) }],
    refused: [['digests', { digests: new Uint8Array(64 * 64 * 16 + 1) }]],
  },
  'integrity.rows': nothing,
  'content.fetch': nothing,
  'content.blocks': nothing,
  'content.ranges': nothing,
  'node.report': nothing,
  'agents.report': {
    valid: [settled],
    refused: [
      ['epoch', { ...settled, epoch: 1 }],
      ['refused', { ...settled, refused: [7] }],
      ['removed', { ...settled, removed: undefined }],
      ['wanted', { ...settled, wanted: new Uint8Array(64 * 1024 + 1) }],
    ],
  },
  'groups.offer': {
    valid: [
      offered,
      { ...offered, state: 'same' },
      { ...offered, state: 'waiting', reason: 'no group', epoch: '', snapshot: 0 },
    ],
    refused: [
      ['state', { ...offered, state: 'stored' }],
      ['snapshot', { ...offered, snapshot: '11' }],
      ['digest', { ...offered, digest: undefined }],
      ['reason', { ...offered, reason: 'r'.repeat(1025) }],
    ],
  },
  'groups.apply': {
    valid: [
      stored,
      { state: 'waiting', reason: 'no key', digest: undefined, firstDifferent: undefined },
    ],
    refused: [
      ['state', { ...stored, state: 'same' }],
      ['digest', { ...stored, digest: 'short' }],
      ['firstDifferent', { ...stored, firstDifferent: -1 }],
    ],
  },
  'groups.compare': {
    valid: [{ leaves: new Uint8Array(0) }, { leaves: new Uint8Array(240 * 1024) }],
    refused: [['leaves', { leaves: new Uint8Array(240 * 1024 + 1) }]],
  },
  'groups.pull': nothing,
};
