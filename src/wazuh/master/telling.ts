/**
 * What a master writes into its log about the Wazuh protocol: in words of muster, or in those of the
 * original, which other programs read.
 */
import { displayText } from '../../base/bytes.ts';
import { type ClusterError, describeError } from '../../base/errors.ts';
import type { Logger } from '../../ports.ts';
import { WazuhFailure } from '../failure.ts';
import { type FileCounts, masterPhrases, type Phrase } from '../log-phrases.ts';
import { logPhrase } from '../phrase-log.ts';

/** What is told of one worker. */
export interface PeerTelling {
  /** With the worker's tag, for all else that is to be told of it. */
  readonly log: Logger;
  connected(remote: string, version: string): void;
  ended(reason: string): void;
  checking(): void;
  checked(durationMs: number, filesCount: number, isSyncRequired: boolean): void;
  synchronising(counts: FileCounts): void;
  /** @param counts of what really went */
  synchronised(durationMs: number, counts: FileCounts): void;
  informing(): void;
  informed(durationMs: number, chunksCount: number): void;
  sendingGroups(send: GroupsSent): void;
  groupsSent(send: GroupsSent, durationMs: number, chunksCount: number): void;
  /** Some of them it could not apply. */
  groupsRefused(send: GroupsSent, result: GroupsRefusal): void;
  /** It could do nothing with what was sent. */
  groupsFailed(send: GroupsSent, text: string): void;
}

/** Groups that are sent to a worker. */
export interface GroupsSent {
  /** Those of all agents, because the worker asked for them. */
  readonly isFull: boolean;
  /** 0 where only hashes are compared. */
  readonly agentsCount: number;
}

/** What became of groups of which some were refused. */
export interface GroupsRefusal {
  readonly durationMs: number;
  readonly chunksCount: number;
  readonly problems: readonly string[];
}

/** All that is told. */
export interface MasterTelling {
  /** Somebody connects. */
  connecting(host: string, port: number): void;
  /** Somebody who has the key may not come in, and is told so. */
  refused(remote: string, node: string, reason: ClusterError): void;
  /** Somebody does not have the key, and is told nothing: the log is where it is known. */
  keyMissing(remote: string, reason: string): void;
  /** A call of the API, of a node or of a program on this machine. */
  called(name: string, from: string, client: string): void;
  /** The connection of a worker is ended that has kept silent for so long. */
  silent(node: string, durationMs: number): void;
  ofWorker(node: string): PeerTelling;
}

/** In words of muster: what was done, not what was looked at. */
export function nativeTelling(log: Logger): MasterTelling {
  return {
    connecting: (host, port) => log.log('debug', `${host}:${port} connects.`),
    refused: (remote, _, reason) =>
      log.log('warning', `${remote} is refused: ${describeError(reason)}`),
    keyMissing: (remote, reason) =>
      log.log('warning', `${remote} left before it was known: ${reason}`),
    called: (name, from) => log.log('debug', `A call of ${name} from ${from}.`),
    silent: (node, durationMs) =>
      log.child(`Worker ${node}`).log(
        'error',
        `${silenceText(node, durationMs)}: the connection is ended.`,
      ),
    ofWorker: (node) => nativePeerTelling(log.child(`Worker ${node}`)),
  };
}

/**
 * In words of the original.
 * @param root the log without the tag of this node: workers have tags of their own there
 */
export function originalTelling(root: Logger): MasterTelling {
  return {
    // Who connects has no name yet.
    connecting: (host, port) => logPhrase(root.child('Worker'), main.connected(host, port)),
    refused: (_, node, reason) => {
      // Only these two are found when the original has taken the name for the worker's.
      const isNamed = reason instanceof WazuhFailure && [3030, 3031].includes(reason.failure.code);
      const tag = isNamed ? `Worker ${node}` : 'Worker';
      logPhrase(root.child(tag), main.refused(describeError(reason)));
    },
    keyMissing: () => logPhrase(root.child('Worker'), main.keyMissing()),
    called: (name, from, client) =>
      logPhrase(root.child('Master'), masterPhrases.call.received(name, from, client)),
    silent: (node) => logPhrase(root.child('Master'), masterPhrases.keepAlive.missing(node)),
    ofWorker: (node) => originalPeerTelling(root.child(`Worker ${node}`)),
  };
}

// ---

const { main, integrityCheck, integritySync, agentInfo } = masterPhrases;

function nativePeerTelling(log: Logger): PeerTelling {
  const files = log.child('Integrity sync');
  const agents = log.child('Agent-info sync');
  const groups = log.child('Agent-groups send');
  const nothing = (): void => {};
  const tellProblem = (text: string): void =>
    groups.log('error', `The worker could not apply groups: ${displayText(text)}`);
  return {
    log,
    connected: (remote, version) => log.log('info', `Connected from ${remote}, Wazuh ${version}.`),
    ended: (reason) => log.log('info', `Connection ended: ${reason}`),
    checking: nothing,
    checked: (durationMs, count) =>
      log.child('Integrity check').log(
        'debug',
        `Finished in ${seconds(durationMs)}: ${count} files.`,
      ),
    synchronising: nothing,
    synchronised: (durationMs, { missing, shared, extra }) =>
      files.log(
        'info',
        `Finished in ${seconds(durationMs)}. Files to create: ${missing} | ` +
          `Files to update: ${shared} | Files to delete: ${extra}.`,
      ),
    informing: nothing,
    informed: (durationMs) => agents.log('debug', `Finished in ${seconds(durationMs)}.`),
    sendingGroups: nothing,
    groupsSent: ({ agentsCount }, durationMs) =>
      groups.log(
        agentsCount === 0 ? 'debug' : 'info',
        `Finished in ${seconds(durationMs)}. Agents sent: ${agentsCount}.`,
      ),
    groupsRefused: (_, { problems }) => problems.forEach(tellProblem),
    groupsFailed: (_, text) => tellProblem(text),
  };
}

function originalPeerTelling(log: Logger): PeerTelling {
  const tell = (phrase: Phrase): void => logPhrase(log, phrase);
  const groupsPhrases = (isFull: boolean) =>
    isFull ? masterPhrases.groupsSendFull : masterPhrases.groupsSend;
  // A round that only compares hashes is no news.
  const tellGroups = ({ agentsCount }: GroupsSent, phrase: Phrase): void =>
    tell(agentsCount === 0 ? { ...phrase, level: 'debug' } : phrase);
  return {
    log,
    connected: (remote, version) =>
      log.child('Main').log('info', `Connected from ${remote}, Wazuh ${version}.`),
    ended: (reason) => {
      log.child('Main').log('debug', `Connection ended: ${reason}`);
      tell(main.ended());
    },
    checking: () => tell(integrityCheck.starting()),
    checked: (durationMs, filesCount, isSyncRequired) =>
      tell(integrityCheck.finished(durationMs, filesCount, isSyncRequired)),
    synchronising: (counts) => {
      tell(integritySync.starting());
      tell(integritySync.counts(counts));
    },
    synchronised: (durationMs) => tell(integritySync.finished(durationMs)),
    informing: () => tell(agentInfo.starting()),
    informed: (durationMs, count) => tell(agentInfo.finished(durationMs, count)),
    sendingGroups: (send) => tellGroups(send, groupsPhrases(send.isFull).starting()),
    groupsSent: (send, durationMs, count) =>
      tellGroups(send, groupsPhrases(send.isFull).finished(durationMs, count)),
    groupsRefused: ({ isFull }, { durationMs, chunksCount, problems }) => {
      const shown = problems.map(displayText);
      tell(groupsPhrases(isFull).finishedBadly(durationMs, chunksCount, shown));
    },
    groupsFailed: ({ isFull }, text) => tell(groupsPhrases(isFull).failed(displayText(text))),
  };
}

/** That a worker has not been heard. */
export function silenceText(node: string, durationMs: number): string {
  return `${node} has sent no keep-alive for ${durationMs / 1000} s`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)}s`;
}
