/**
 * What a master answers to programs on its machine that ask about the cluster. They may only ask:
 * nothing is changed for them, and the cluster's key, which real nodes hand to whoever opens the
 * socket, is told to nobody.
 */
import { fromBytes } from '../../base/bytes.ts';
import type { AgentViews } from '../../agents/store/views.ts';
import { callRefusal, functionIn } from '../calls.ts';
import type { Answer } from '../connection.ts';
import { clusterFailure, internalFailure, WazuhFailure, writeFailure } from '../failure.ts';
import { overviewAnswer, readOverviewCall } from '../master/agents-overview.ts';
import type { PublishedFiles } from '../master/published-files.ts';
import { type ClusterView, healthAnswer, nodesAnswer } from '../master/questions.ts';
import type { MasterTelling } from '../master/telling.ts';
import { replyTexts } from '../replies.ts';
import { giveResult, type LocalClient } from './local-socket.ts';
import { rulesetHashes, sectionAnswer, type SectionJson } from './own-facts.ts';

/** What the answers are made of. */
export interface MasterAnswerPorts {
  readonly view: () => Promise<ClusterView>;
  readonly published: () => PublishedFiles | undefined;
  readonly views: AgentViews;
  readonly tell: MasterTelling;
  /** The section of the configuration about the cluster, without the key. */
  readonly section: SectionJson;
}

const encoder = new TextEncoder();

/** The answers to one program. */
export function masterAnswers(
  ports: MasterAnswerPorts,
  client: LocalClient,
): (readonly [string, Answer])[] {
  const { view, section, published } = ports;
  return [
    ['get_config', sectionAnswer(section)],
    ['get_nodes', async (payload) => nodesAnswer(await view(), payload)],
    ['get_health', async (payload) => healthAnswer(await view(), payload)],
    ['get_hash', () => {
      const { table } = published() ?? {};
      return table === undefined
        ? Promise.reject(internalFailure('Nothing is published yet'))
        : Promise.resolve(rulesetHashes(table));
    }],
    ['dapi', (payload) => call(ports, client, payload)],
    ['dapi_fwd', (payload) => refuse(ports, wordsOf(payload)[0])],
    ['send_file', (payload) => refuse(ports, wordsOf(payload)[1])],
  ];
}

// ---

/** A call: its result comes as a string of its own. */
async function call(
  { views, view, tell }: MasterAnswerPorts,
  client: LocalClient,
  payload: Uint8Array,
): Promise<Uint8Array> {
  const asked = readOverviewCall(payload);
  const { master } = await view();
  tell.called(functionIn(payload), master.name, client.name);
  const result = asked === undefined
    ? writeFailure(callRefusal)
    : await overviewAnswer({ views, master }, asked);
  void giveResult(client, encoder.encode(result));
  return encoder.encode(replyTexts.dapi);
}

/** What would have to be done by a worker: a call, `NODE {json}`, or a file, `PATH NODE`. */
async function refuse({ view }: MasterAnswerPorts, node = ''): Promise<never> {
  const { workers } = await view();
  if (!workers.some(({ name }) => name === node)) throw clusterFailure(3022, node);
  throw new WazuhFailure(callRefusal);
}

function wordsOf(payload: Uint8Array): readonly string[] {
  return fromBytes(payload.subarray(0, 4096)).split(' ');
}
