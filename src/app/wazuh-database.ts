/** The database of a Wazuh installation on this machine, where there is one. */
import { resolvePath } from '../config/location.ts';
import type { WazuhDatabase } from '../node/wazuh-worker.ts';
import type { Clock } from '../ports.ts';
import { connectLocal, getLocal } from '../runtime/local-sockets.ts';
import { fileExists } from '../runtime/system.ts';
import { WdbClient } from '../wazuh/worker/wdb-client.ts';
import { WdbGroups } from '../wazuh/worker/wdb-groups.ts';

/** How long the database may take to tell of agents, ms; what real nodes give it. */
const newsMs = 10_000;

/** The longest news: those of half a million agents. */
const newsBytesMax = 256 * 1024 * 1024;

/** The database of an installation; undefined where its sockets are not both there. */
export async function findWazuhDatabase(
  home: string,
  clock: Clock,
): Promise<WazuhDatabase | undefined> {
  const textSocket = resolvePath(home, 'queue/db/wdb');
  const socketPath = resolvePath(home, 'queue/sockets/wdb-http.sock');
  if (!await fileExists(textSocket) || !await fileExists(socketPath)) return undefined;
  const client = new WdbClient({
    clock,
    connect: (signal) => connectLocal(textSocket, clock, signal),
  });
  const question = {
    socketPath,
    route: '/v1/agents/sync',
    timeoutMs: newsMs,
    bytesMax: newsBytesMax,
  };
  return {
    askForNews: () => getLocal(clock, question),
    groups: new WdbGroups((request) => client.ask(request)),
    close: () => client.close(),
  };
}
