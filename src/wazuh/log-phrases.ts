/**
 * What the nodes of a Wazuh cluster write into `cluster.log`: the phrases that tools look for, by
 * what they tell. Pure; a line is `YYYY/MM/DD HH:MM:SS LEVEL: [tag] [subtag] text`, with `Master` or
 * `Worker NAME` as tag.
 *
 * Seconds have three decimals. Real nodes give durations wrong by the offset of their time zone in
 * two places; these do not.
 */
import type { LogLevel } from '../ports.ts';

/** One line, without time and tag. */
export interface Phrase {
  readonly level: LogLevel;
  readonly subtag: string;
  readonly text: string;
}

/** How many files a synchronisation is about. */
export interface FileCounts {
  readonly missing: number;
  readonly shared: number;
  readonly extra: number;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)}s`;
}

function socketText(host: string, port: number): string {
  return `('${host}', ${port})`;
}

/** The lines of one activity; each takes what it tells. */
function under(subtag: string) {
  return {
    info: (text: string): Phrase => ({ level: 'info', subtag, text }),
    error: (text: string): Phrase => ({ level: 'error', subtag, text }),
  };
}

function starting(subtag: string) {
  return { starting: (): Phrase => under(subtag).info('Starting.') };
}

/** An activity that ends with nothing but its duration. */
function timed(subtag: string) {
  return {
    ...starting(subtag),
    finished: (ms: number): Phrase => under(subtag).info(`Finished in ${seconds(ms)}.`),
  };
}

/** An activity that ends with a number of pieces. */
function chunked(subtag: string) {
  const { info, error } = under(subtag);
  return {
    ...starting(subtag),
    finished: (ms: number, count: number): Phrase =>
      info(`Finished in ${seconds(ms)}. Updated ${count} chunks.`),
    /** Some pieces were refused. */
    finishedBadly: (ms: number, count: number, messages: readonly string[]): Phrase => {
      const shown = messages.map((message) => `'${message}'`).join(', ');
      return error(
        `Finished in ${seconds(ms)}. Updated ${count} chunks. ` +
          `There were ${messages.length} chunks with errors: [${shown}]`,
      );
    },
    /** The peer could do nothing with what was sent. */
    failed: (text: string): Phrase =>
      error(`There was an error while processing agent-groups on the peer: ${text}`),
  };
}

/** The same where the pieces come in. */
function received(subtag: string) {
  const { starting: begin, finished } = chunked(subtag);
  return {
    starting: begin,
    finished,
    /** @param piece which of them, from 1 */
    refused: (piece: number, count: number, text: string): Phrase =>
      under(subtag).error(`Wazuh-db response for chunk ${piece}/${count} was not "ok": ${text}`),
  };
}

const main = under('Main');
const check = under('Integrity check');
const sync = under('Integrity sync');

/** Calls of the API. */
const call = {
  received: (name: string, from: string, client: string) =>
    under('D API').info(`Receiving request: ${name} from ${from} (${client})`),
};

/** Lines of a master. */
export const masterPhrases = {
  main: {
    serving: (host: string, port: number) => main.info(`Serving on ${socketText(host, port)}`),
    connected: (host: string, port: number) =>
      main.info(`Connection from ${socketText(host, port)}`),
    refused: (reason: string) =>
      main.error(`Internal error processing request 'b'hello'': ${reason}`),
    keyMissing: () =>
      main.error(
        'Error during handshake with incoming connection: Error 3025 - Could not decrypt message.',
      ),
    /** The connection of a worker has ended. */
    ended: () => main.info('Cancelling pending tasks.'),
  },
  localIntegrity: {
    /** What follows the duration. */
    summary: (files: number) => `Calculated metadata of ${files} files.`,
  },
  integrityCheck: {
    ...starting('Integrity check'),
    finished: (ms: number, files: number, isSyncRequired: boolean) =>
      check.info(
        `Finished in ${seconds(ms)}. Received metadata of ${files} files. ` +
          `Sync ${isSyncRequired ? '' : 'not '}required.`,
      ),
  },
  integritySync: {
    ...timed('Integrity sync'),
    counts: ({ missing, shared, extra }: FileCounts) =>
      sync.info(
        `Files to create in worker: ${missing} | Files to update in worker: ${shared} | ` +
          `Files to delete in worker: ${extra}`,
      ),
  },
  agentInfo: chunked('Agent-info sync'),
  keepAlive: {
    missing: (node: string) =>
      under('Keep alive').error(
        `No keep alives have been received from ${node} in the last minute. Disconnecting`,
      ),
  },
  localGroups: {
    skipped: () => under('Local agent-groups').info('No clients connected. Skipping.'),
  },
  groupsSend: chunked('Agent-groups send'),
  groupsSendFull: chunked('Agent-groups send full'),
  call,
} as const;

/** Lines of a worker. */
export const workerPhrases = {
  main: {
    connected: () => main.info('Successfully connected to master.'),
    closed: () => main.info('The master closed the connection'),
    refused: (reason: string) => main.error(`Could not connect to master: ${reason}.`),
  },
  keepAlive: {
    answered: () => under('Keep Alive').info('Successful response from master: keepalive'),
  },
  integrityCheck: {
    ...starting('Integrity check'),
    finished: (ms: number, isSyncRequired: boolean) =>
      check.info(`Finished in ${seconds(ms)}. Sync ${isSyncRequired ? '' : 'not '}required.`),
  },
  integritySync: {
    ...timed('Integrity sync'),
    counts: ({ missing, shared, extra }: FileCounts) =>
      sync.info(
        `Files to create: ${missing} | Files to update: ${shared} | Files to delete: ${extra}`,
      ),
  },
  agentInfo: {
    ...chunked('Agent-info sync'),
    skipped: () => under('Agent-info sync').info('No synchronization required, skipping.'),
  },
  groupsReceive: {
    ...received('Agent-groups recv'),
    askedForAll: () =>
      under('Agent-groups recv').info(
        'Sent request to obtain all agent-groups information from the master node.',
      ),
  },
  groupsReceiveFull: received('Agent-groups recv full'),
  call,
} as const;
