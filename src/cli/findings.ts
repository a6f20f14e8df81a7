/**
 * What is said of differences, problems and halted sets, by whichever command found them.
 */
import type { DifferenceDocument, ProblemDocument } from '../node/documents.ts';
import { countOf, countText, sizeText } from './amounts.ts';
import { type Line, type Style, styled } from './styled-text.ts';

/** Lines of one list on a terminal, where what scrolled away is of no use. */
export const terminalItemsMax = 50;

/** A set that a guard has stopped. */
export interface HaltedSet {
  readonly set: string;
  readonly reason: string;
}

const marks: Readonly<Record<DifferenceDocument['action'], readonly [string, Style]>> = {
  create: ['+', 'green'],
  replace: ['~', 'yellow'],
  remove: ['-', 'red'],
};

/**
 * One line for each difference, by path: `+ etc/rules/a.xml (1.2 KiB)`. On a terminal not too many.
 */
export function differenceLines(
  differences: readonly DifferenceDocument[],
  isTerminal: boolean,
): Line[] {
  const sorted = [...differences].sort((left, right) => left.path < right.path ? -1 : 1);
  return capped(sorted, isTerminal, ({ action, path, size }) => {
    const [mark, style] = marks[action];
    return [styled(style, `${mark} ${path}`), size === null ? '' : ` (${sizeText(size)})`];
  });
}

/** What could not be handled, and why. */
export function problemLines(problems: readonly ProblemDocument[], isTerminal: boolean): Line[] {
  if (problems.length === 0) return [];
  return [
    [styled('red', 'muster:'), ` ${countOf(problems.length, 'path')} could not be handled:`],
    ...capped(problems, isTerminal, ({ path, reason }) => `  ${path}: ${reason}`),
  ];
}

/** What is left alone, and why. */
export function unmanagedLines(paths: readonly ProblemDocument[], isTerminal: boolean): Line[] {
  if (paths.length === 0) return [];
  const count = paths.length === 1 ? '1 path is' : `${countOf(paths.length, 'path')} are`;
  return [
    [styled('yellow', 'muster:'), ` ${count} not managed:`],
    ...capped(paths, isTerminal, ({ path, reason }) => `  ${path}: ${reason}`),
  ];
}

/** Which sets are halted, why, and how to look at it and let it through. */
export function haltLines(
  halted: readonly HaltedSet[],
  nextCommand: (words: string) => string,
  options: { readonly isListed: boolean },
): Line[] {
  return halted.flatMap(({ set, reason }): Line[] => [
    [styled('red', 'muster:'), ` Set "${set}" is halted: ${reason}`],
    ...(options.isListed ? [] : [`  See what would change: ${nextCommand('diff')}`]),
    `  To let it through: ${nextCommand(`approve ${set}`)}`,
  ]);
}

/** The worst that was found, in one line. */
export function briefOf(
  command: string,
  found: {
    readonly halted: readonly HaltedSet[];
    readonly problems: readonly ProblemDocument[];
    readonly otherwise: string;
  },
): string {
  const [halt] = found.halted;
  if (halt !== undefined) {
    const others = found.halted.length - 1;
    const more = others === 0 ? '' : ` (and ${countOf(others, 'more set')})`;
    return `${command}: set "${halt.set}" is halted: ${halt.reason}${more}`;
  }
  const [problem] = found.problems;
  if (problem === undefined) return `${command}: ${found.otherwise}`;
  const others = found.problems.length - 1;
  const more = others === 0 ? '' : ` (and ${countOf(others, 'more path')})`;
  return `${command}: could not handle ${problem.path}: ${problem.reason}${more}`;
}

function capped<T>(
  items: readonly T[],
  isTerminal: boolean,
  lineOf: (item: T) => Line,
): Line[] {
  if (!isTerminal || items.length <= terminalItemsMax) return items.map(lineOf);
  const hidden = items.length - terminalItemsMax;
  return [...items.slice(0, terminalItemsMax).map(lineOf), `… and ${countText(hidden)} more`];
}
