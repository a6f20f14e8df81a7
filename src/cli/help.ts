/**
 * The help texts, from the table of commands.
 */
import { type CommandSpec, optionText, synopsisOf } from './command-spec.ts';
import { commandList, type CommandName, commands } from './command-table.ts';
import { exitCodeMeanings } from './exit-codes.ts';

/** Columns of a help text: what fits everywhere. */
const helpColumns = 80;

/** The help text of a command or of a group of them, or the list of all. */
export function helpText(topic: string | undefined): string {
  if (topic === undefined) return listText();
  const name = topic as CommandName;
  return Object.hasOwn(commands, topic) ? commandText(name, commands[name]) : groupText(topic);
}

// ---------------------------------------------------------------------------------------------

function listText(): string {
  return page([
    'muster keeps the nodes of a cluster in step with their master.',
    'Usage: muster COMMAND [OPTION]...',
    section('Commands', commandRows(commandList)),
    section('Options', [helpRow, ['--version', 'Print the version']]),
    section('Exit codes', [
      ...Object.entries(exitCodeMeanings),
      ['128+N', 'stopped by signal N'],
    ]),
    '"muster COMMAND --help" explains a command.',
  ]);
}

function groupText(word: string): string {
  const group = commandList.filter(([name]) => name.startsWith(`${word} `));
  return page([
    `Usage: muster ${word} COMMAND [OPTION]...`,
    section('Commands', commandRows(group)),
    `"muster ${word} COMMAND --help" explains a command.`,
  ]);
}

function commandText(name: CommandName, spec: CommandSpec): string {
  const { summary, description = [], arguments: words, options, examples } = spec;
  return page([
    `Usage: muster ${synopsisOf(name, spec)}`,
    `${summary}.`,
    ...description,
    section('Arguments', words.map((word) => [word.name, word.doc])),
    section('Options', [...options.map((option) => [optionText(option), option.doc]), helpRow]),
    `${examples.length === 1 ? 'Example' : 'Examples'}:\n${
      examples.map((example) => `  ${example}`).join('\n')
    }`,
  ]);
}

const helpRow = ['-h, --help', 'Explain this'];

function commandRows(list: typeof commandList): string[][] {
  return list.map(([name, { summary }]) => [name, summary]);
}

/** Paragraphs and sections with an empty line between them; what is empty is left out. */
function page(parts: readonly string[]): string {
  const shown = parts.filter((part) => part !== '').map((part) =>
    part.includes('\n') ? part : wrap(part, helpColumns).join('\n')
  );
  return `${shown.join('\n\n')}\n`;
}

/** A heading, and below it names with what there is to say about each. */
function section(title: string, rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const width = Math.max(...rows.map(([name = '']) => name.length)) + 4;
  const lines = rows.flatMap(([name = '', doc = '']) =>
    wrap(doc, helpColumns - width).map((line, index) =>
      `${index === 0 ? `  ${name}`.padEnd(width) : ' '.repeat(width)}${line}`
    )
  );
  return [`${title}:`, ...lines].join('\n');
}

/** Text in lines of no more than so many columns. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}
