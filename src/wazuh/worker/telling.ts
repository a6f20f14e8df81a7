/**
 * What a worker writes into its log about the Wazuh protocol: in words of muster, or in those of the
 * original, which other programs read.
 */
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../ports.ts';
import { type Phrase, workerPhrases } from '../log-phrases.ts';
import { logPhrase } from '../phrase-log.ts';
import type { GroupsEvents } from './agent-groups.ts';
import type { AgentInfoEvents } from './agent-info.ts';
import type { DialerEvents } from './dialer.ts';
import type { IntegrityEvents } from './integrity.ts';

/** What is told of calls of the API. */
export interface CallEvents {
  called(name: string, from: string, client: string): void;
}

/** All that is told. */
export type WorkerTelling =
  & DialerEvents
  & IntegrityEvents
  & AgentInfoEvents
  & GroupsEvents
  & CallEvents;

/** In words of muster: rounds are told of by the scheduler. */
export function nativeTelling(log: Logger): WorkerTelling {
  const groups = log.child('Agent-groups');
  const nothing = (): void => {};
  const failed = (error: unknown): void =>
    log.log('error', `Not connected to the master: ${describeError(error)}`);
  return {
    tellsRounds: false,
    connected: (remote) => log.log('info', `Connected to the master at ${remote}.`),
    answered: nothing,
    failed,
    lost: failed,
    checking: nothing,
    checked: nothing,
    synchronising: nothing,
    synchronised: nothing,
    nothingToTell: nothing,
    informing: nothing,
    informed: nothing,
    groupsComing: nothing,
    groupsTaken: (isFull, durationMs, count) => {
      const what = isFull ? 'all groups' : 'groups';
      groups.log('debug', `Took over ${what}: ${count} parts, ${(durationMs / 1000).toFixed(3)}s.`);
    },
    groupsFailed: (_, failures) => {
      for (const { text } of failures) groups.log('error', `Cannot take over groups: ${text}`);
    },
    askedForAllGroups: () =>
      groups.log('info', 'The groups are not those of the master: asked for all of them.'),
    called: (name, from) => log.log('debug', `A call of ${name} from ${from}.`),
  };
}

/** In words of the original. */
export function originalTelling(log: Logger): WorkerTelling {
  const tell = (phrase: Phrase): void => logPhrase(log, phrase);
  const { main, keepAlive, integrityCheck, integritySync, agentInfo } = workerPhrases;
  const groupsPhrases = (isFull: boolean) =>
    isFull ? workerPhrases.groupsReceiveFull : workerPhrases.groupsReceive;
  return {
    tellsRounds: true,
    connected: () => tell(main.connected()),
    answered: () => tell(keepAlive.answered()),
    failed: (error) => tell(main.refused(describeError(error).replace(/\.$/, ''))),
    lost: (error) => {
      tell(main.closed());
      log.child('Main').log('debug', describeError(error));
    },
    checking: () => tell(integrityCheck.starting()),
    checked: (durationMs, isSyncRequired) =>
      tell(integrityCheck.finished(durationMs, isSyncRequired)),
    synchronising: (counts) => {
      tell(integritySync.starting());
      tell(integritySync.counts(counts));
    },
    synchronised: (durationMs) => tell(integritySync.finished(durationMs)),
    nothingToTell: () => tell(agentInfo.skipped()),
    informing: () => tell(agentInfo.starting()),
    informed: (durationMs, count) => tell(agentInfo.finished(durationMs, count)),
    groupsComing: (isFull) => tell(groupsPhrases(isFull).starting()),
    groupsTaken: (isFull, durationMs, count) =>
      tell(groupsPhrases(isFull).finished(durationMs, count)),
    groupsFailed: (isFull, failures, count) => {
      for (const { chunk, text } of failures) {
        tell(groupsPhrases(isFull).refused(chunk, count, text));
      }
    },
    askedForAllGroups: () => tell(workerPhrases.groupsReceive.askedForAll()),
    called: (name, from, client) => tell(workerPhrases.call.received(name, from, client)),
  };
}
