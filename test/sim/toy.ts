/**
 * A toy cluster, the smallest program that uses every port: the subject of the world's own tests
 * and of the first scenario, and a pattern for real ones.
 *
 * Protocol: a worker connects, the master sends all its files (u16 path length, u32 size, path,
 * content) and ends. The worker stages and places them, removes what it did not get, waits and
 * starts over. It has none of muster's refinements, but no file is ever torn.
 */
import { concatBytes } from '../../src/base/bytes.ts';
import { ByteReader, ByteWriter } from '../../src/base/cursor.ts';
import { ClusterError, describeError } from '../../src/base/errors.ts';
import type { Files, Placement, Ports, Stream } from '../../src/ports.ts';
import type { Program } from './node.ts';

/** Where the toy master listens. */
export const TOY_PORT = 1516;

const ROUND_MS = 500;

/** How the toy worker behaves; each omission is a bug that a checker must find. */
export interface ToyWorkerOptions {
  /** Whether contents are flushed before they are placed. @default true */
  readonly flushes?: boolean;
}

/** Sends all files to everyone who connects. */
export const toyMaster: Program = async (ports, signal) => {
  const sending = new Set<Promise<void>>();
  const listener = await ports.network.listen(`master:${TOY_PORT}`, (stream) => {
    const done = sendAll(ports, stream).finally(() => sending.delete(done));
    sending.add(done);
  });
  await ports.clock.sleep(Infinity, signal).catch(() => {});
  await listener.close();
  await Promise.all(sending);
};

/** Fetches all files from the master, again and again. */
export function toyWorker(options: ToyWorkerOptions = {}): Program {
  return async (ports, signal) => {
    ports.database.exec('CREATE TABLE IF NOT EXISTS rounds (files INTEGER)');
    await ports.files.discardStaged([...(await ports.files.staged()).keys()]);
    while (!signal.aborted) {
      try {
        const filesCount = await fetchAll(ports, signal, options.flushes ?? true);
        ports.database.prepare('INSERT INTO rounds VALUES (?)').run(filesCount);
        ports.log.log('info', 'Round done', { filesCount });
      } catch (error) {
        ports.log.log('warning', `Round failed: ${describeError(error)}`);
      }
      await ports.clock.sleep(ROUND_MS * (0.5 + ports.random.float()), signal).catch(() => {});
    }
  };
}

// ---

async function sendAll({ files, log }: Ports, stream: Stream): Promise<void> {
  try {
    for (const path of await allFiles(files, '')) {
      const content = await wholeContent(files, path);
      const head = new ByteWriter();
      head.u16(path.length);
      head.u32(content.length);
      head.text(path);
      await stream.write(head.finish());
      await stream.write(content);
    }
    stream.close();
    // Reading to the end is what lets go of the connection.
    for await (const _ of stream.readable);
  } catch (error) {
    log.log('warning', `Cannot send to ${stream.remote}: ${describeError(error)}`);
    stream.abort();
  }
}

/** A file that was written to while it was read would arrive torn: better none at all. */
async function wholeContent(files: Files, path: string): Promise<Uint8Array> {
  const file = await files.open(path);
  try {
    const content = await file.read(0, file.facts.size);
    const { ctimeMs, size } = await file.currentFacts();
    if (ctimeMs === file.facts.ctimeMs && size === content.length) return content;
    throw new ClusterError('changed', `"${path}" has changed`);
  } finally {
    await file.close();
  }
}

async function fetchAll(ports: Ports, signal: AbortSignal, flushes: boolean): Promise<number> {
  const { files, network } = ports;
  const connectOptions = { protocols: ['toy/1'], trust: 'cluster', signal } as const;
  const stream = await network.connect(`master:${TOY_PORT}`, connectOptions);
  const parts: Uint8Array[] = [];
  for await (const part of stream.readable) parts.push(part);
  const moves = await stageAll(ports, concatBytes(parts), flushes);
  for (const outcome of await files.place(moves)) if (outcome instanceof Error) throw outcome;
  const wanted = new Set(moves.map(({ path }) => path));
  for (const path of await allFiles(files, '')) if (!wanted.has(path)) await files.remove(path);
  await files.flushDirectories(['', ...await allDirectories(files, '')]);
  return moves.length;
}

/** Stages what the reply holds; one that was cut off is refused as a whole by the reader. */
async function stageAll(ports: Ports, reply: Uint8Array, flushes: boolean): Promise<Placement[]> {
  const { files, clock } = ports;
  const reader = new ByteReader(reply);
  const moves: Placement[] = [];
  while (reader.remaining > 0) {
    const pathLength = reader.u16();
    const size = reader.u32();
    const path = reader.text(pathLength);
    const name = `toy-${moves.length}`;
    const staged = await files.stage(name, 0);
    await staged.write(reader.bytes(size));
    await staged.finish({ mode: 0o640, owner: undefined, group: undefined, mtimeMs: undefined });
    moves.push({ name, path, directoryMode: 0o750 });
    await clock.breathe();
  }
  if (flushes) await files.flushStaged(moves.map(({ name }) => name));
  return moves;
}

async function allFiles(files: Files, directory: string): Promise<string[]> {
  const paths: string[] = [];
  for (const { path, kind } of await children(files, directory)) {
    if (kind === 'file') paths.push(path);
    if (kind === 'directory') paths.push(...await allFiles(files, path));
  }
  return paths;
}

async function allDirectories(files: Files, directory: string): Promise<string[]> {
  const paths: string[] = [];
  for (const { path, kind } of await children(files, directory)) {
    if (kind === 'directory') paths.push(path, ...await allDirectories(files, path));
  }
  return paths;
}

async function children(
  files: Files,
  directory: string,
): Promise<{ readonly path: string; readonly kind: string }[]> {
  const { items } = await files.list(directory);
  const prefix = directory === '' ? '' : `${directory}/`;
  return items.map(({ name, kind }) => ({ path: prefix + name, kind }));
}
