/**
 * What a worker writes into its log about the Wazuh protocol: in words of muster, or in those of the
 * original, which other programs read.
 */
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../ports.ts';
import { type Phrase, workerPhrases } from '../log-phrases.ts';
import { logPhrase } from '../phrase-log.ts';
import type { DialerEvents } from './dialer.ts';
import type { IntegrityEvents } from './integrity.ts';

/** All that is told. */
export type WorkerTelling = DialerEvents & IntegrityEvents;

/** In words of muster: rounds are told of by the scheduler. */
export function nativeTelling(log: Logger): WorkerTelling {
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
  };
}

/** In words of the original. */
export function originalTelling(log: Logger): WorkerTelling {
  const tell = (phrase: Phrase): void => logPhrase(log, phrase);
  const { main, keepAlive, integrityCheck, integritySync } = workerPhrases;
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
  };
}
