/**
 * Getting contents from the master to a worker: both ends of `content.fetch`.
 *
 * The worker names paths with the hash that it wants there, in batches; the master answers with one
 * bundle per batch. A content that no longer has its hash is never sent: it is reported as changed,
 * and the next generation brings the new one. Small files are read whole and checked before a byte
 * of them leaves; large ones are streamed, checked at the end, and may start at an offset, so that
 * a cut costs only what was in flight. Of one that replaces another, `block-transfer.ts` brings in the
 * blocks that differ, and this what it could not.
 */
import { type BytePath, type ByteString, displayPath, fromBytes } from '../../base/bytes.ts';
import { ClusterError, ProtocolError } from '../../base/errors.ts';
import { readRanges } from '../../files/block-list.ts';
import {
  type AbsenceReason,
  type BundleEvent,
  type BundleItem,
  BundleReader,
  packItems,
  readItems,
} from '../../files/bundle.ts';
import type { Entry } from '../../files/entry.ts';
import type { Publication } from '../../files/publication.ts';
import type { Compression } from '../../ports.ts';
import type { HandlersFor } from '../../session/handlers.ts';
import type { Session } from '../../session/session.ts';
import type { PayloadOf } from '../../wire/messages.ts';
import { BlockLists } from './block-lists.ts';
import {
  type Asked,
  ContentServer,
  type TransferOptions,
  type TransferPorts,
} from './content-server.ts';

/** Files up to this size are read whole and checked before they are sent, bytes. */
export const smallFileBytesMax = 1024 * 1024;

/** Files asked for in one batch: as many as their names fit into one request with ease. */
const batchFilesMax = 1_000;

/** One content that a worker wants. */
export interface WantedContent {
  readonly set: string;
  readonly entry: Entry;
  /** Where to start; more than 0 where a former transfer was cut. */
  readonly offset: number;
}

// --- the worker's end ------------------------------------------------------------------------

/**
 * What the worker does with what arrives, item by item, in the order in which it was asked. Where a
 * call takes time it gives a promise: most do not, and there are several for each file.
 */
export interface ContentSink {
  begin(wanted: WantedContent): Promise<void> | undefined;
  bytes(wanted: WantedContent, bytes: Uint8Array): Promise<void> | undefined;
  /** All of it is there; the hash is the sink's to check. */
  end(wanted: WantedContent): Promise<void> | undefined;
  /** The master does not have it (any more): the next generation will tell. */
  absent(wanted: WantedContent, reason: AbsenceReason): Promise<void> | undefined;
}

/** Cuts a list of wanted contents into batches; a large file is a batch by itself. */
export function batchesOf<T extends WantedContent>(
  wanted: readonly T[],
  bytesMax: number,
): T[][] {
  const batches: T[][] = [];
  let batch: T[] = [];
  let bytes = 0;
  for (const item of wanted) {
    const isAlone = Math.max(item.entry.size, batch[0]?.entry.size ?? 0) > smallFileBytesMax;
    const isFull = batch.length >= batchFilesMax || bytes + item.entry.size > bytesMax;
    if (batch.length > 0 && (isAlone || isFull)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += item.entry.size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

/** Fetches one batch and hands what arrives to the sink. */
export async function fetchContents(
  ports: { readonly compression: Compression },
  session: Session,
  wanted: readonly WantedContent[],
  sink: ContentSink,
  signal: AbortSignal,
): Promise<void> {
  const sets = [...new Set(wanted.map((item) => item.set))];
  const items = packItems(wanted.map((item) => ({
    setIndex: sets.indexOf(item.set),
    path: item.entry.path,
    hash: item.entry.hash,
    offset: item.offset,
  })));
  const { data, reply } = session.requestBulk('content.fetch', { sets, items }, { signal });
  const reader = new BundleReader({ compression: ports.compression, itemsCount: wanted.length });
  for await (const chunk of data) {
    for (const event of reader.push(chunk)) {
      const pending = handOver(sink, wanted[event.item]!, event);
      if (pending !== undefined) await pending;
    }
  }
  await reply;
  if (!reader.isFinished) {
    throw new ProtocolError('unexpected', 'The master sent fewer contents than were asked for');
  }
}

function handOver(
  sink: ContentSink,
  item: WantedContent,
  event: BundleEvent,
): Promise<void> | undefined {
  if (event.kind === 'bytes') return sink.bytes(item, event.bytes);
  if (event.kind === 'begin') {
    assertLength(item, event.length);
    return sink.begin(item);
  }
  if (event.kind === 'end' && event.isComplete) return sink.end(item);
  return sink.absent(item, event.kind === 'absent' ? event.reason : 'changed');
}

function assertLength(item: WantedContent, length: number): void {
  const expected = item.entry.size - item.offset;
  if (length === expected) return;
  throw new ProtocolError(
    'unexpected',
    `The master sends ${length} bytes of a file of which ${expected} are missing`,
  );
}

// --- the master's end ------------------------------------------------------------------------

/** Answers to `content.fetch`, and for large contents to `content.blocks` and `content.ranges`. */
export function transferHandlers(
  ports: TransferPorts,
  publication: Publication,
  options: TransferOptions,
): Pick<HandlersFor<'worker'>, 'content.fetch' | 'content.blocks' | 'content.ranges'> {
  const server = new ContentServer(ports, options);
  const lists = new BlockLists(ports);
  /** A bundle for all who ask for these; where it is too large to be kept, what is asked for. */
  const bundleOf = (key: ByteString, request: PayloadOf<'content.fetch'>) => {
    const asked = readItems(request.items, options.algorithm).map((item): Asked => ({
      item,
      entry: publishedEntry(publication, request.sets[item.setIndex], item),
    }));
    const bytes = asked.reduce((sum, { entry }) => sum + (entry?.size ?? 0), 0);
    const isSmall = bytes <= options.bundleBytesMax + smallFileBytesMax &&
      asked.every(({ item }) => item.offset === 0);
    return isSmall ? options.cache.get(key, () => server.build(asked)) : asked;
  };
  return {
    'content.blocks': async (request, context) => {
      const entry = requireEntry(publication, request);
      await lists.send(entry, context.signal, (piece) => context.send(piece));
      return {};
    },
    'content.ranges': async (request, context) => {
      const entry = requireEntry(publication, request);
      const ranges = readRanges(request.ranges, entry.size);
      await server.serveRanges(entry, ranges, context.signal, (piece) => context.send(piece));
      return {};
    },
    'content.fetch': async (request, context) => {
      const key = `${request.sets.join()} ${fromBytes(request.items)}`;
      // Before the items are looked at: of many workers who ask for the same, one has that done.
      const found = options.cache.find(key) ?? bundleOf(key, request);
      if (found instanceof Promise) {
        for (const piece of (await found).pieces) await context.send(piece);
      } else {
        await server.serve(found, context.signal, (piece) => context.send(piece));
      }
      return {};
    },
  };
}

function publishedEntry(
  publication: Publication,
  set: string | undefined,
  { path, hash, offset }: Pick<BundleItem, 'path' | 'hash' | 'offset'>,
): Entry | undefined {
  const manifest = set === undefined ? undefined : publication.latest.value?.manifests.get(set);
  const entry = manifest?.getWithHash(path, hash);
  return entry !== undefined && offset <= entry.size ? entry : undefined;
}

/** @throws ClusterError `changed` where a path does not have this content any more */
function requireEntry(
  publication: Publication,
  { set, path, hash }: { readonly set: string; readonly path: BytePath; readonly hash: ByteString },
): Entry {
  const entry = publishedEntry(publication, set, { path, hash, offset: 0 });
  if (entry !== undefined) return entry;
  throw new ClusterError('changed', `"${displayPath(path)}" has another content by now`);
}
