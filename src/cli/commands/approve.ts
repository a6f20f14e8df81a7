/**
 * `muster approve`: lets through what a guard has halted.
 */
import { askNode, type Handler } from '../context.ts';
import type { Line } from '../styled-text.ts';
import { UsageError } from '../usage-error.ts';

export const approve: Handler = (context) => {
  const { invocation, signal } = context;
  const [set] = invocation.words;
  return askNode(context, async (operations, config) => {
    const names = config.sets.map(({ name }) => name);
    if (set !== undefined && !names.includes(set)) {
      throw new UsageError(`There is no set "${set}" on this node`, `It has ${names.join(', ')}`);
    }
    const document = await operations.approve(set === undefined ? {} : { set }, { signal });
    const { approved } = document;
    const lines: Line[] = approved.map((halt) => `Approved set "${halt.set}": ${halt.reason}`);
    return {
      document,
      lines,
      notes: approved.length > 0
        ? []
        : [set === undefined ? 'No set is halted' : `Set "${set}" is not halted`],
    };
  });
};
