/**
 * The peer that most measurements compare with: rsync, as a daemon on the loopback device. Unlike
 * muster it neither encrypts nor proves who is at the other end.
 *
 * Both its ends send small packets at once. By default they wait for acknowledgements, which the
 * loopback device delays: every run, even of nothing, would take about 0.1 s longer.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { freePort } from '../e2e/cluster.ts';
import { until } from '../e2e/program.ts';
import type { Command } from './processes.ts';

const atOnce = 'TCP_NODELAY';

/** A daemon that serves a directory, read only. */
export class RsyncDaemon {
  readonly pid: number;
  readonly #port: number;
  readonly #directory: string;
  readonly #stop: () => void;

  private constructor(pid: number, port: number, directory: string, stop: () => void) {
    this.pid = pid;
    this.#port = port;
    this.#directory = directory;
    this.#stop = stop;
  }

  static async start(directory: string): Promise<RsyncDaemon> {
    const port = await freePort();
    const file = join(directory, 'rsyncd.conf');
    // Only root would become somebody else.
    const user = process.getuid!() === 0 ? 'uid = 0\ngid = 0\n' : '';
    const where = `use chroot = no\nlog file = ${file}.log\n[bench]\npath = ${directory}\n`;
    writeFileSync(file, `socket options = ${atOnce}\n${user}${where}read only = yes\n`);
    const words = ['--daemon', '--no-detach', '--address=127.0.0.1', `--port=${port}`];
    const child = spawn('rsync', [...words, `--config=${file}`], { stdio: 'ignore' });
    const stop = () => void child.kill('SIGKILL');
    process.on('exit', stop);
    await until('rsync to listen', () => canConnect(port));
    return new RsyncDaemon(child.pid!, port, directory, stop);
  }

  /** The command that makes `to` a mirror of a directory served. */
  mirror(from: string, to: string): Command {
    const path = from.slice(this.#directory.length + 1);
    const address = `rsync://127.0.0.1:${this.#port}/bench/${path}/`;
    return {
      program: 'rsync',
      args: ['-a', `--sockopts=${atOnce}`, address, `${to}/`],
      server: this.pid,
    };
  }

  stop(): void {
    this.#stop();
  }
}

// ---

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
