/**
 * A peer that keeps what it knows of both trees between two runs: unison, with a server on the
 * loopback device. It neither encrypts nor proves who is at the other end, and flushes nothing.
 *
 * It would carry changes either way; told which side is right, it makes a mirror.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../e2e/cluster.ts';
import { PeerServer, startPeer } from './peer-daemon.ts';
import type { Command } from './processes.ts';

/** A server for any directory of this machine. */
export class UnisonServer extends PeerServer {
  /** @param directory holds what both ends know of trees */
  static async start(directory: string): Promise<UnisonServer> {
    const port = await freePort();
    const env = { UNISON: knowledge(directory, 'server') };
    const words = ['-socket', String(port), '-listen', '127.0.0.1'];
    return new UnisonServer(await startPeer('unison', words, port, env), port, directory);
  }

  /** The command that makes `to` a mirror of `from`, with their times. */
  mirror(from: string, to: string): Command {
    const original = `socket://127.0.0.1:${this.port}/${from}`;
    mkdirSync(to, { recursive: true });
    return {
      program: 'unison',
      args: [to, original, '-force', original, '-times', '-auto', '-batch', '-silent'],
      env: { UNISON: knowledge(this.directory, 'client') },
      server: this.daemon.pid,
    };
  }
}

function knowledge(directory: string, end: string): string {
  const path = join(directory, `unison-${end}`);
  mkdirSync(path, { recursive: true });
  return path;
}
