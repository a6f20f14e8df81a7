/**
 * The peer that most measurements compare with: rsync, as a daemon on the loopback device. Unlike
 * muster it neither encrypts nor proves who is at the other end.
 *
 * Both its ends send small packets at once. By default they wait for acknowledgements, which the
 * loopback device delays: every run, even of nothing, would take about 0.1 s longer.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { freePort } from '../e2e/cluster.ts';
import { PeerServer, startPeer } from './peer-daemon.ts';
import type { Command } from './processes.ts';

const atOnce = 'TCP_NODELAY';

/** A daemon that serves a directory, read only. */
export class RsyncDaemon extends PeerServer {
  static async start(directory: string): Promise<RsyncDaemon> {
    const port = await freePort();
    const file = join(directory, 'rsyncd.conf');
    // Only root would become somebody else.
    const user = process.getuid!() === 0 ? 'uid = 0\ngid = 0\n' : '';
    const where = `use chroot = no\nlog file = ${file}.log\n[bench]\npath = ${directory}\n`;
    writeFileSync(file, `socket options = ${atOnce}\n${user}${where}read only = yes\n`);
    const words = ['--daemon', '--no-detach', '--address=127.0.0.1', `--port=${port}`];
    const daemon = await startPeer('rsync', [...words, `--config=${file}`], port);
    return new RsyncDaemon(daemon, port, directory);
  }

  /** The command that makes `to` a mirror of a directory served. */
  mirror(from: string, to: string): Command {
    const path = from.slice(this.directory.length + 1);
    const address = `rsync://127.0.0.1:${this.port}/bench/${path}/`;
    return {
      program: 'rsync',
      args: ['-a', `--sockopts=${atOnce}`, address, `${to}/`],
      server: this.daemon.pid,
    };
  }
}
