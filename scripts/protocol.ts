/**
 * The page about the protocol, `docs/protocol.md`, from the source that defines it.
 *
 * Ids, senders and limits come from the message table itself; the fields of a message, with their
 * bounds and comments, from the syntax of `src/wire/messages.ts`, since a reader is a function and
 * cannot be asked what it reads. The formats of packed data are the comments that open their
 * modules. A message or a kind of reader that is not known here fails, so that none is left out.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'oxc-parser';
import { errorCodes } from '../src/base/errors.ts';
import { closeCodes } from '../src/session/close-reason.ts';
import { answeringMax, windowBytes } from '../src/session/flow.ts';
import { type FrameKind, frameKinds, headerBytes, payloadBytesMax } from '../src/wire/frame.ts';
import { ourFeatures, protocolNames, protocolVersions } from '../src/wire/handshake.ts';
import { type MessageName, messages, type Sender } from '../src/wire/messages.ts';
import { root } from './tools.ts';

/** What each message is for. */
const purposes: Readonly<Record<MessageName, string>> = {
  'session.hello': 'The first message of a session: who the worker is and what it can do. A ' +
    'master that does not let it in answers with a `close` frame instead',
  'session.ping': 'Proves that the other end is alive',
  'join.authority': 'Asks for the certificate of the authority. It needs no token: whoever joins ' +
    'compares its fingerprint with that in the token',
  'join.redeem': 'Exchanges a token and a certificate request for a certificate',
  'certificate.renew': 'Asks for a new certificate before the old one expires',
  'integrity.check': 'Compares the worker with the latest generation. The bulk data, in state ' +
    '`delta`, are the changes as packed rows',
  'integrity.digests': 'Asks for digests of a set: those of its 64 branches, or those of the 64 ' +
    'leaves of each branch named',
  'integrity.rows': 'Asks for the rows of leaves. The bulk data are packed rows, leaf after leaf',
  'content.fetch': 'Asks for contents. The bulk data are a bundle',
  'integrity.published': 'Tells that there is a new generation',
  'integrity.announced': 'Tells that there is a new generation, and what it changes, so that a ' +
    'worker which has the one before need not ask. Only to workers with the feature `announce`, ' +
    'and only of small changes',
  'node.report':
    'Tells the master how the worker is doing, for its status: in a new session, and when it has changed',
  'agents.report': 'Brings records of agents; the reply comes when they are on the master’s disk',
  'groups.offer': 'Tells which assignments of agents to groups the master has, and asks what the ' +
    'worker has',
  'groups.apply': 'One of the parts of what changes the worker’s assignments',
  'groups.compare': 'Asks in which leaves the worker’s assignments differ',
  'groups.pull': 'Asks for a round of offering assignments at once; answered when it is over',
  'content.blocks':
    'Asks for the blocks of a content. The bulk data are the list, which may come ' +
    'while it is being made; at most 2^16 rows',
  'content.ranges': 'Asks for parts of a content. The bulk data are a bundle',
};

/** What each kind of frame is. */
const kindMeanings: Readonly<Record<FrameKind, string>> = {
  request: 'asks; its number is chosen by the sender, unique among its requests under way',
  reply: 'answers a request, and ends it',
  failure: 'answers a request that could not be fulfilled, and ends it: msgpack `{code, message}`',
  event: 'tells something, and is not answered',
  data: 'a piece of the bulk data that belong to a request, before its reply; never empty',
  credit: 'grants the sender of bulk data so many bytes more: 4 bytes, big-endian',
  cancel: 'the asker gives its request up; no payload',
  close: 'the last frame of its sender, with the reason: msgpack `{code, text}`',
};

const senders: Readonly<Record<Sender, string>> = {
  worker: 'worker to master',
  master: 'master to worker',
  both: 'either way',
  joiner: 'joining node to master',
};

/** Modules whose opening comment is the definition of a format. */
const formats = [
  ['Rows', 'src/files/rows.ts'],
  ['Changes', 'src/files/generation.ts'],
  ['The digest tree', 'src/files/digest-tree.ts'],
  ['Asking for contents', 'src/files/bundle.ts'],
  ['Bundles', 'src/files/bundle-format.ts'],
  ['The borders of blocks', 'src/files/block-cutter.ts'],
  ['Lists of blocks, and ranges', 'src/files/block-list.ts'],
  ['Records of agents', 'src/agents/record-codec.ts'],
  ['Data of an agent', 'src/agents/data-codec.ts'],
  ['Assignments', 'src/agents/assignment-rows.ts'],
  ['Parts of assignments', 'src/agents/assignment-parts.ts'],
  ['Digests of assignments', 'src/agents/assignment-digests.ts'],
] as const;

/** The whole page. */
export function protocolMarkdown(): string {
  const parts = [
    '# Protocol',
    'How workers and their master talk. This page is generated from `src/wire/messages.ts` and ' +
    'the modules beside it; `test/wire/transcripts` shows every exchange frame by frame.',
    ...connection(),
    ...frames(),
    ...messageSections(),
    '## Packed data',
    ...formats.flatMap(([title, path]) => [`### ${title}`, openingComment(path)]),
  ];
  return `${parts.join('\n\n')}\n`;
}

// --- connection and frames -----------------------------------------------------------------------

function connection(): string[] {
  const names = protocolNames;
  return [
    '## Connection',
    'The worker dials the master over TCP; the master never dials. TLS is version 1.3, and both ' +
    'ends show a certificate of the cluster’s authority, which names cluster, role and node as ' +
    '`muster://CLUSTER/ROLE/NODE`. The application protocol (ALPN) says what the connection is ' +
    'for:',
    bullets([
      `\`${names.session}\`: a session. The worker’s first message is \`session.hello\`. Versions ` +
      `of the protocol: ${protocolVersions.join(', ')}. Features, by name: ${code(ourFeatures)}. ` +
      'Both ends use what both know.',
      `\`${names.join}\`: joining, by a node that has no certificate yet. It accepts ` +
      '`join.*` and no other messages.',
    ]),
    'A node has one session. A new one of the same node ends the old one at once.',
  ];
}

function frames(): string[] {
  const layout = openingComment('src/wire/frame.ts').split('\n')
    .filter((line) => line.startsWith('    ')).join('\n').trimEnd();
  const kinds = Object.entries(frameKinds) as [FrameKind, number][];
  return [
    '## Frames',
    'All that travels are frames, integers big-endian:',
    layout,
    `A header has ${headerBytes} bytes and a payload at most ${size(payloadBytesMax)}, but 4 KiB ` +
    'before the hello is accepted. A longer one ends the session, from its header alone. The kinds:',
    bullets(kinds.map(([name, number]) => `${number} \`${name}\`: ${kindMeanings[name]}`)),
    'A payload is msgpack, except for `data` and `credit`: nil, booleans, numbers, texts, bytes, ' +
    'lists and maps, no extension types. A field that a node does not know is ignored. A request ' +
    'that it does not know is answered by the failure `unknownMessage`, an event skipped.',
    `Bulk data begin with a credit of ${size(windowBytes)} for each request; the receiver grants ` +
    `more as it consumes. At most ${answeringMax} requests of one node are under way at once.`,
    `Codes of failures: ${code(errorCodes)}. One that is not known reads as \`failed\`.`,
    `Codes of ends: ${code(closeCodes)}. One that is not known reads as \`lost\`.`,
  ];
}

// --- messages ------------------------------------------------------------------------------------

function messageSections(): string[] {
  const source = new MessageSource();
  return [
    '## Messages',
    'Ids are never used again. “Bytes” that are not further explained are digests or packed data. ' +
    'A text of bytes holds one byte per character.',
    ...(Object.keys(messages) as MessageName[]).flatMap((name) => section(source, name)),
  ];
}

function section(source: MessageSource, name: MessageName): string[] {
  const entry = messages[name];
  const call = source.callOf(name);
  const way = `${senders[entry.sender]}, payload of at most ${size(entry.bytesMax)}`;
  const [payload, reply] = call.slice(3);
  if (payload === undefined) throw new Error(`Cannot describe "${name}": it has no payload`);
  const start = [`### ${name}`, `${purposes[name]}. Message ${entry.id}, ${way}.`];
  if (entry.answer === 'none') return [...start, ...fieldList('Event', source.describe(payload))];
  if (reply === undefined) throw new Error(`Cannot describe "${name}": it has no reply`);
  return [
    ...start,
    ...fieldList('Request', source.describe(payload)),
    ...fieldList(entry.bulk ? 'Bulk data, then the reply' : 'Reply', source.describe(reply)),
  ];
}

function fieldList(title: string, { fields }: Shape): string[] {
  if (fields.length === 0) return [`${title}: no fields.`];
  return [`${title}:`, fieldLines(fields, '').join('\n')];
}

function fieldLines(fields: readonly Field[], indent: string): string[] {
  return fields.flatMap(({ name, shape, comment }) => {
    const remark = comment === '' ? '' : `. ${comment}`;
    return [
      `${indent}- \`${name}\`: ${shape.label}${remark}`,
      ...fieldLines(shape.fields, `${indent}  `),
    ];
  });
}

// --- the source of the messages ------------------------------------------------------------------

/** What a reader accepts. */
interface Shape {
  readonly label: string;
  /** Fields of the object, or of each object of the list; empty for anything else. */
  readonly fields: readonly Field[];
}

interface Field {
  readonly name: string;
  readonly shape: Shape;
  readonly comment: string;
}

/** A syntax node as far as this file looks into it. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly name?: string;
  readonly value?: unknown;
  readonly operator?: string;
  readonly left?: Node;
  readonly right?: Node;
  readonly key?: Node;
  readonly callee?: Node;
  readonly arguments?: readonly Node[];
  readonly properties?: readonly Node[];
  readonly expression?: Node;
}

/** The syntax of `src/wire/messages.ts`. */
class MessageSource {
  readonly #text = readFileSync(join(root, 'src', 'wire', 'messages.ts'), 'utf8');
  readonly #constants = new Map<string, Node>();
  /** Comments by where they end. */
  readonly #comments: readonly { readonly end: number; readonly value: string }[];

  constructor() {
    const { program, comments } = parseSync('messages.ts', this.#text);
    this.#comments = comments;
    for (const statement of program.body) {
      const declaration = statement.type === 'ExportNamedDeclaration'
        ? statement.declaration
        : statement;
      if (declaration?.type !== 'VariableDeclaration') continue;
      for (const { id, init } of declaration.declarations) {
        if (id.type === 'Identifier' && init !== null) this.#constants.set(id.name, init as Node);
      }
    }
  }

  /** The arguments of `request(…)` or `event(…)` that stand for a message in the table. */
  callOf(name: MessageName): readonly Node[] {
    const table = this.#constants.get('messages')?.expression?.properties ?? [];
    const entry = table.find(({ key }) => key?.value === name)?.value as Node | undefined;
    if (entry?.arguments === undefined) throw new Error(`Cannot find "${name}" in messages.ts`);
    return entry.arguments;
  }

  /** What a reader accepts, from the expression that makes it. */
  describe(node: Node): Shape {
    if (node.type === 'Identifier') {
      const known = { number: 'number', flag: 'true or false' }[node.name ?? ''];
      return known === undefined ? this.describe(this.#constant(node)) : leaf(known);
    }
    const [first, second] = node.arguments ?? [];
    switch (node.callee?.name) {
      case 'record':
        return { label: 'object', fields: this.#fields(first) };
      case 'list':
        return this.#list(first, this.#number(second));
      case 'optional': {
        const { label, fields } = this.describe(first!);
        return { label: `${label}, may be missing`, fields };
      }
      case 'text':
        return leaf(`text, at most ${this.#number(first)} characters`);
      case 'bytes':
        return leaf(`bytes, at most ${size(this.#number(first))}`);
      case 'byteString':
        return leaf(`text of ${range(this.#number(first), this.#number(second))} bytes`);
      case 'whole':
        return leaf(
          second === undefined
            ? `whole number, at least ${this.#number(first)}`
            : `whole number from ${this.#number(first)} to ${this.#number(second)}`,
        );
      case 'oneOf':
        return leaf(`one of ${code((node.arguments ?? []).map(({ value }) => String(value)))}`);
      default:
        throw new Error(`Cannot describe a reader made by "${node.callee?.name ?? node.type}"`);
    }
  }

  #list(item: Node | undefined, countMax: number): Shape {
    const { label, fields } = this.describe(item!);
    const items = label === 'object' ? 'objects' : `items, each a ${label}`;
    return { label: `list of at most ${countMax} ${items}`, fields };
  }

  #fields(node: Node | undefined): Field[] {
    return (node?.properties ?? []).map((property) => ({
      name: property.key?.name ?? '',
      shape: this.describe(
        property.value === undefined ? property.key! : property.value as Node,
      ),
      comment: this.#commentBefore(property.start),
    }));
  }

  /** The comment that stands right before a node, without its stars and its full stop. */
  #commentBefore(start: number): string {
    const comment = this.#comments.find(({ end }) =>
      end <= start && this.#text.slice(end, start).trim() === ''
    );
    return comment === undefined ? '' : plainComment(comment.value).replaceAll('\n', ' ');
  }

  #number(node: Node | undefined): number {
    if (node === undefined) throw new Error('Cannot find a bound of a reader');
    if (node.type === 'Identifier') return this.#number(this.#constant(node));
    if (node.type === 'Literal') return Number(node.value);
    if (node.type === 'BinaryExpression' && node.operator === '*') {
      return this.#number(node.left) * this.#number(node.right);
    }
    throw new Error(`Cannot compute a bound of a reader from "${node.type}"`);
  }

  #constant({ name = '' }: Node): Node {
    const found = this.#constants.get(name);
    if (found === undefined) throw new Error(`Cannot find "${name}" in messages.ts`);
    return found;
  }
}

function leaf(label: string): Shape {
  return { label, fields: [] };
}

function range(min: number, max: number): string {
  return min === max ? String(min) : `${min} to ${max}`;
}

// --- text ----------------------------------------------------------------------------------------

/** The comment that opens a module. */
function openingComment(path: string): string {
  const text = readFileSync(join(root, ...path.split('/')), 'utf8');
  const { comments } = parseSync(path, text);
  if (comments[0]?.start !== 0) throw new Error(`Cannot find the opening comment of "${path}"`);
  return plainComment(comments[0].value);
}

/** A doc comment without its stars. */
function plainComment(value: string): string {
  return value.replace(/^\*/, '').split('\n').map((line) => line.replace(/^ *\* ?/, ''))
    .join('\n').trim();
}

function bullets(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}

function code(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${bytes / 1024} KiB` : `${bytes / 1024 / 1024} MiB`;
}
