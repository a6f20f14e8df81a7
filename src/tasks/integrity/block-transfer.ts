/**
 * Getting a large content by its blocks: the worker's end of `content.blocks` and `content.ranges`.
 *
 * The worker asks which blocks the new content has, looks which of them are in the old one at the
 * same path, copies these and fetches the others. It goes through the content once, part by part,
 * into the same staged file as any transfer: what it has put there can be gone on with in any way,
 * and the hash of the whole decides at the end.
 */
import { ClusterError, codeOf, ProtocolError, RemoteError } from '../../base/errors.ts';
import { boundsFor } from '../../files/block-cutter.ts';
import { type Block, BlockListReader, packRanges, type Range } from '../../files/block-list.ts';
import { BundleReader } from '../../files/bundle.ts';
import type { Entry } from '../../files/entry.ts';
import type { IncomingFile } from '../../files/apply.ts';
import { OldContent } from '../../files/old-content.ts';
import { ReadAhead } from '../../files/read-ahead.ts';
import type { Clock, Compression, Hashing, OpenFile, TreeReader } from '../../ports.ts';
import type { Session } from '../../session/session.ts';

/** Contents of which less is missing are fetched as they are, bytes: finding out costs as much. */
const contentBytesMin = 4 * 1024 * 1024;

/** An old content has to have so much of the new one's length: 1 part in so many. */
const oldShareMin = 8;

/** What is looked for, fetched and copied at a time, bytes. */
const windowBytes = 16 * 1024 * 1024;

/**
 * When so many bytes were looked for and not one part in eight was found, the rest is fetched as it
 * is.
 */
const trialBytes = 64 * 1024 * 1024;
const foundShareMin = 1 / 8;

/** What this takes. */
export interface BlockTransferPorts {
  readonly clock: Clock;
  readonly files: Pick<TreeReader, 'open'>;
  readonly hashing: Pick<Hashing, 'fingerprints'>;
  readonly compression: Compression;
}

/** A content that is to come, and what is at its path. */
export interface Renewed {
  readonly set: string;
  readonly entry: Entry;
  readonly previous: Entry;
}

/** Whether it can pay to look at the blocks of a content of which `offset` bytes are there. */
export function isWorthBlocks({ entry, previous }: Renewed, offset: number): boolean {
  return entry.size - offset >= contentBytesMin && previous.size >= entry.size / oldShareMin;
}

/**
 * Brings in a content by its blocks as far as that goes. False where the rest has to be fetched
 * otherwise.
 * @param onBytes called with bytes of the content that have come: fetched, or copied on this node
 * @throws what ends a transfer of any kind
 */
export async function bringInBlocks(
  ports: BlockTransferPorts,
  session: Session,
  renewed: Renewed,
  file: IncomingFile,
  onBytes: (fetched: number, copied: number) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const fingerprint = await ports.hashing.fingerprints();
  let oldFile: OpenFile;
  try {
    oldFile = await ports.files.open(renewed.previous.path);
  } catch (error) {
    if (error instanceof ClusterError) return false; // it is being changed here
    throw error;
  }
  const old = new OldContent({ ...ports, fingerprint }, oldFile, boundsFor(renewed.entry.size));
  const copying = new ReadAhead(oldFile);
  const transfer = new BlockTransfer({
    ports,
    session,
    renewed,
    file,
    onBytes,
    signal,
    old,
    copying,
  });
  try {
    return await transfer.run();
  } catch (error) {
    // The master does not know such a request, has no such content any more, or takes too long.
    if (error instanceof RemoteError || codeOf(error) === 'timeout') return false;
    throw error;
  } finally {
    await old.settle();
    await copying.settle();
    await oldFile.close();
  }
}

// ---------------------------------------------------------------------------------------------

/** Consecutive bytes of the new content; `place` is where they are in the old one. */
interface Stretch extends Range {
  readonly place: number | undefined;
}

interface TransferParts {
  readonly ports: BlockTransferPorts;
  readonly session: Session;
  readonly renewed: Renewed;
  readonly file: IncomingFile;
  readonly onBytes: (fetched: number, copied: number) => void;
  readonly signal: AbortSignal;
  readonly old: OldContent;
  /** Reads the old content for copying. */
  readonly copying: ReadAhead;
}

class BlockTransfer {
  readonly #parts: TransferParts;
  readonly #about: { readonly set: string; readonly path: string; readonly hash: string };
  #triedBytes = 0;
  #foundBytes = 0;

  constructor(parts: TransferParts) {
    this.#parts = parts;
    const { set, entry } = parts.renewed;
    this.#about = { set, path: entry.path, hash: entry.hash };
  }

  async run(): Promise<boolean> {
    const { session, renewed: { entry }, signal } = this.#parts;
    const { data, reply } = session.requestBulk('content.blocks', this.#about, { signal });
    const list = new BlockListReader(entry.size, boundsFor(entry.size));
    let window: Block[] = [];
    let bytes = 0;
    for await (const chunk of data) {
      for (const block of list.push(chunk)) {
        window.push(block);
        bytes += block.length;
        if (bytes < windowBytes) continue;
        if (!await this.#bringIn(window)) return false;
        window = [];
        bytes = 0;
      }
    }
    await reply;
    list.finish();
    return await this.#bringIn(window);
  }

  /** Brings in consecutive blocks; false where that did not work, or does not pay. */
  async #bringIn(window: readonly Block[]): Promise<boolean> {
    const { file, old } = this.#parts;
    // What an earlier attempt has brought in is there.
    const blocks = window.filter(({ offset, length }) => offset + length > file.position);
    const stretches = stretchesOf(blocks, await old.locate(blocks), file.position);
    for (const { length, place } of stretches) {
      this.#triedBytes += length;
      if (place !== undefined) this.#foundBytes += length;
    }
    if (this.#triedBytes >= trialBytes && this.#foundBytes < this.#triedBytes * foundShareMin) {
      return false;
    }
    const missing = stretches.filter(({ place }) => place === undefined);
    return await this.#fetch(missing, stretches) && await this.#copyUpTo(Infinity, stretches);
  }

  /** Fetches what is missing, and copies what comes before it. */
  async #fetch(missing: readonly Stretch[], stretches: readonly Stretch[]): Promise<boolean> {
    if (missing.length === 0) return true;
    const { ports: { compression }, session, file, onBytes, signal } = this.#parts;
    const request = { ...this.#about, ranges: packRanges(missing) };
    const { data, reply } = session.requestBulk('content.ranges', request, { signal });
    const reader = new BundleReader({ compression, itemsCount: missing.length });
    for await (const chunk of data) {
      for (const event of reader.push(chunk)) {
        const { offset, length } = missing[event.item]!;
        switch (event.kind) {
          case 'begin':
            assertLength(event.length, length);
            if (!await this.#copyUpTo(offset, stretches)) return false;
            break;
          case 'bytes':
            await file.write(event.bytes);
            onBytes(event.bytes.length, 0);
            break;
          case 'end':
            if (!event.isComplete) return false;
            break;
          case 'absent':
            return false;
        }
      }
    }
    await reply;
    if (reader.isFinished) return true;
    throw new ProtocolError('unexpected', 'The master sent fewer ranges than were asked for');
  }

  /** Copies from where the new content ends by now up to a place, or to what is to be fetched. */
  async #copyUpTo(end: number, stretches: readonly Stretch[]): Promise<boolean> {
    const { ports: { clock }, file, copying, onBytes } = this.#parts;
    for (const { offset, length, place } of stretches) {
      if (offset < file.position || offset >= end || place === undefined) continue;
      for (let at = 0; at < length;) {
        const bytes = await copying.read(place + at, length - at);
        if (bytes.length === 0) return false; // it has become shorter
        await file.write(bytes);
        onBytes(0, bytes.length);
        at += bytes.length;
        await clock.breathe();
      }
    }
    return true;
  }
}

/** What consecutive blocks amount to from a position in the first of them on. */
function stretchesOf(
  blocks: readonly Block[],
  places: readonly (number | undefined)[],
  position: number,
): Stretch[] {
  const stretches: Stretch[] = [];
  for (const [i, block] of blocks.entries()) {
    const skipped = Math.max(0, position - block.offset);
    const offset = block.offset + skipped;
    const length = block.length - skipped;
    const blockPlace = places[i];
    const place = blockPlace === undefined ? undefined : blockPlace + skipped;
    const last = stretches.at(-1);
    if (last !== undefined && goesOn(last, place)) {
      stretches[stretches.length - 1] = { ...last, length: last.length + length };
    } else {
      stretches.push({ offset, length, place });
    }
  }
  return stretches;
}

/** Whether a stretch can be made longer by what is at a place of the old content, or in none. */
function goesOn(last: Stretch, place: number | undefined): boolean {
  return last.place === undefined ? place === undefined : last.place + last.length === place;
}

function assertLength(length: number, expected: number): void {
  if (length === expected) return;
  throw new ProtocolError(
    'unexpected',
    `The master sends ${length} bytes of a range of ${expected}`,
  );
}
