/**
 * Rounds of a master's own tasks, told as Wazuh masters tell of them: each round, whether it had
 * anything to do or not. What muster would say of a round is there at level `debug`.
 */
import type { RoundReport, Task, Turn } from '../tasks/task.ts';
import { masterPhrases } from '../wazuh/log-phrases.ts';

/** What is told besides. */
export interface RoundFacts {
  /** Files in the table. */
  readonly filesCount: () => number;
  /** Workers that are connected, by whatever protocol. */
  readonly workersCount: () => number;
}

/** The same task, told of as the original does; one that it does not have stays as it is. */
export function toldAsOriginal(task: Task, facts: RoundFacts): Task {
  switch (task.name) {
    case 'local-integrity':
      return told(task, (turn) => {
        turn.starting();
        return () => ({ summary: masterPhrases.localIntegrity.summary(facts.filesCount()) });
      });
    case 'local-agent-groups':
      return told(task, (turn) => {
        turn.starting();
        if (facts.workersCount() > 0) return () => ({ level: 'info' });
        turn.log.log('info', masterPhrases.localGroups.skipped().text);
        return () => ({});
      });
    default:
      return task;
  }
}

// ---

/** What the closing line of a round says in place of what muster would say. */
type Closing = Partial<Pick<RoundReport, 'summary' | 'level'>>;

function told(task: Task, begin: (turn: Turn) => () => Closing): Task {
  const { name, title, schedule } = task;
  const round = async (turn: Turn): Promise<RoundReport> => {
    const end = begin(turn);
    const { summary, level, facts, ...report } = await task.round({ ...turn, starting: () => {} });
    if (summary !== undefined) turn.log.log(level ?? 'debug', summary, facts);
    return { ...report, summary: undefined, ...end() };
  };
  return { name, title, schedule, round };
}
