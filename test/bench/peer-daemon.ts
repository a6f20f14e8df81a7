/** Daemons of other programs, for as long as this one runs. */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import process from 'node:process';
import { until } from '../e2e/program.ts';

/** A daemon that runs. */
export interface PeerDaemon {
  readonly pid: number;
  /** On the spot. */
  stop(): void;
}

/** Starts a daemon, and waits until it listens on a port of the loopback device. */
export async function startPeer(
  program: string,
  args: readonly string[],
  port: number,
  env: Readonly<Record<string, string>> = {},
): Promise<PeerDaemon> {
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...env } });
  const stop = () => void child.kill('SIGKILL');
  process.on('exit', stop);
  await until(`${program} to listen`, () => canConnect(port));
  return { pid: child.pid!, stop };
}

/** A peer that serves directories of this machine. */
export abstract class PeerServer {
  protected readonly daemon: PeerDaemon;
  protected readonly port: number;
  protected readonly directory: string;

  protected constructor(daemon: PeerDaemon, port: number, directory: string) {
    this.daemon = daemon;
    this.port = port;
    this.directory = directory;
  }

  stop(): void {
    this.daemon.stop();
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
