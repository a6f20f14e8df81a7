/**
 * The peer that watches a tree as muster does: syncthing, two daemons on the loopback device, with
 * mutual TLS. It looks for neither devices nor relays, and one of the two only sends.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { freePort } from '../e2e/cluster.ts';
import { until } from '../e2e/program.ts';
import { type PeerDaemon, startPeer } from './peer-daemon.ts';

/** How long it collects changes before it looks at them, s; it does so for 10 unless told. */
export const watchDelaySeconds = 1;

/** A tree that takes longer is not carried over, ms. */
const inStepLimitMs = 900_000;

const apiKey = 'bench';

/** As the process that another one would watch over: it is the one that is measured. */
const oneProcess = { STMONITORED: 'yes' };

/** What is told of a folder that is not known yet. */
const unknown: FolderState = { state: 'unknown', localFiles: 0 };

const quiet: { stdio: ['ignore', 'pipe', 'ignore'] } = { stdio: ['ignore', 'pipe', 'ignore'] };

interface Device {
  readonly home: string;
  readonly id: string;
  readonly port: number;
  readonly apiPort: number;
}

/** Two daemons, and a tree that one has from the other. */
export class SyncthingPair {
  readonly sender: PeerDaemon;
  readonly receiver: PeerDaemon;

  private constructor(sender: PeerDaemon, receiver: PeerDaemon) {
    this.sender = sender;
    this.receiver = receiver;
  }

  /** Starts both; the whole tree has arrived when this resolves. */
  static async start(
    directory: string,
    tree: { readonly from: string; readonly to: string; readonly filesCount: number },
  ): Promise<SyncthingPair> {
    const { from, to, filesCount } = tree;
    mkdirSync(to, { recursive: true });
    const sender = await makeDevice(join(directory, 'sender'));
    const receiver = await makeDevice(join(directory, 'receiver'));
    const devices = [sender, receiver];
    writeConfig(sender, devices, { path: from, type: 'sendonly' });
    writeConfig(receiver, devices, { path: to, type: 'receiveonly' });
    const [one, other] = await Promise.all(devices.map(startDevice));
    const pair = new SyncthingPair(one!, other!);
    await until('the tree to arrive', async () => {
      const { state, localFiles } = await folderOf(receiver).catch(() => unknown);
      return state === 'idle' && localFiles === filesCount;
    }, inStepLimitMs);
    return pair;
  }

  stop(): void {
    this.sender.stop();
    this.receiver.stop();
  }
}

// ---

/** What is asked for of the state of a folder. */
interface FolderState {
  readonly state: string;
  readonly localFiles: number;
}

async function makeDevice(home: string): Promise<Device> {
  mkdirSync(home, { recursive: true });
  execFileSync('syncthing', ['generate', `--home=${home}`, '--no-default-folder'], quiet);
  const told = execFileSync('syncthing', ['serve', `--home=${home}`, '--device-id'], quiet);
  const id = told.toString().trim();
  return { home, id, port: await freePort(), apiPort: await freePort() };
}

function startDevice({ home, port }: Device): Promise<PeerDaemon> {
  const words = ['serve', `--home=${home}`, '--no-browser', '--no-upgrade'];
  return startPeer('syncthing', words, port, oneProcess);
}

function writeConfig(
  own: Device,
  devices: readonly Device[],
  folder: { readonly path: string; readonly type: string },
): void {
  const off = ['globalAnnounceEnabled', 'localAnnounceEnabled', 'relaysEnabled', 'natEnabled'];
  const lines = [
    '<configuration version="36">',
    `<folder id="tree" path="${folder.path}" type="${folder.type}" rescanIntervalS="3600"`,
    `  fsWatcherEnabled="true" fsWatcherDelayS="${watchDelaySeconds}">`,
    ...devices.map(({ id }) => `<device id="${id}"></device>`),
    '</folder>',
    ...devices.map(({ id, port }) =>
      `<device id="${id}"><address>tcp://127.0.0.1:${port}</address></device>`
    ),
    `<gui enabled="true" tls="false"><address>127.0.0.1:${own.apiPort}</address>`,
    `  <apikey>${apiKey}</apikey></gui>`,
    `<options><listenAddress>tcp://127.0.0.1:${own.port}</listenAddress>`,
    ...off.map((name) => `<${name}>false</${name}>`),
    '<urAccepted>-1</urAccepted><crashReportingEnabled>false</crashReportingEnabled></options>',
    '</configuration>',
  ];
  writeFileSync(join(own.home, 'config.xml'), `${lines.join('\n')}\n`);
}

function folderOf({ apiPort: port }: Device): Promise<FolderState> {
  const path = '/rest/db/status?folder=tree';
  return new Promise((resolve, reject) => {
    const headers = { 'X-API-Key': apiKey };
    const request = get({ host: '127.0.0.1', port, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => text += piece);
      response.on('end', () => {
        resolve(response.statusCode === 200 ? JSON.parse(text) as FolderState : unknown);
      });
    });
    request.on('error', reject);
  });
}
