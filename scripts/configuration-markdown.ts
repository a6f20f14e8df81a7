/**
 * The reference page of the configuration, `docs/configuration.md`, from the table of keys.
 */
import { defaultExclude } from '../src/files/file-set.ts';
import { keyLine, valueText } from '../src/config/effective.ts';
import { groupRuleKeys } from '../src/config/group-rule-keys.ts';
import { type Table, tables } from '../src/config/keys.ts';
import type { Key } from '../src/config/key.ts';
import { reservedVariables } from '../src/config/layers.ts';
import { systemConfigFile } from '../src/config/location.ts';
import { defaultSets, setKeys } from '../src/config/set-keys.ts';

/** The whole reference page. */
export function configurationMarkdown(): string {
  const sections = Object.entries<Table>(tables).flatMap(([name, { doc, keys }]) => [
    `## [${name}]`,
    `${doc}.`,
    keyTable(keys),
  ]);
  return `${[...introduction(), ...sections, ...setSections(), ...ruleSections()].join('\n\n')}\n`;
}

// ---------------------------------------------------------------------------------------------

function introduction(): string[] {
  return [
    '# Configuration',
    'The configuration is one TOML file. `muster config check` tells all that is wrong with it, ' +
    '`muster config show` shows every value in effect and where it comes from, and ' +
    '`muster config schema` prints a JSON Schema for editors. This page is generated from the ' +
    'table of keys in `src/config`.',
    '## Where it is',
    bullets([
      '`--config FILE`, or `--dir DIR` for `DIR/muster.toml`;',
      'else `$MUSTER_CONFIG`;',
      'else `./muster.toml`;',
      `else \`${systemConfigFile}\`.`,
    ]),
    'In a Wazuh cluster there may be no such file at all: with `--wazuh-home DIR` a node is what ' +
    'the `<cluster>` section of `DIR/etc/ossec.conf` says, with `DIR` as its root, the file sets ' +
    'and intervals of `DIR/framework/wazuh/core/cluster/cluster.json` (or those of 4.14), and ' +
    '`$STATE_DIRECTORY` or `/var/lib/muster` for all that is its own, and `DIR/logs/cluster.log` ' +
    'as its log. `home` under `[wazuh]` ' +
    'reads the same where there is a file, which counts over it.',
    'Beside the file lies all else: the state directory is the directory of the file, with ' +
    '`muster.db`, `staging`, `versions`, `tls`, `control.sock`, `lock` and `logs/cluster.log`. ' +
    `Only with \`${systemConfigFile}\` are the places those of the system: \`/var/lib/muster\`, ` +
    '`/var/log/muster/cluster.log` and `/run/muster/control.sock`, or the directories that ' +
    "systemd's `$STATE_DIRECTORY`, `$LOGS_DIRECTORY` and `$RUNTIME_DIRECTORY` name.",
    '## What counts',
    'Options of a command count over the environment, the environment over the file, the file ' +
    'over defaults. The variable of a key is `MUSTER_TABLE__KEY`: `MUSTER_KEEP_ALIVE__INTERVAL=5s` ' +
    'sets `interval` under `[keep_alive]`. Lists are separated by commas, or are JSON. A variable ' +
    'that begins with `MUSTER_` and belongs to no key is an error, as is an unknown key, except ' +
    `for ${reservedVariables.map((name) => `\`${name}\``).join(', ')}.`,
    'Durations are a number and a unit: `ms`, `s`, `m`, `h` or `d`. Sizes are a number and `B`, ' +
    '`KiB`, `MiB`, `GiB` or `TiB`, or a plain number of bytes. Relative paths start from the ' +
    'directory of the file; those in variables and options from the working directory.',
    '`include = ["conf.d/*.toml"]`, before the first table, reads further files. They may hold ' +
    'nothing but `[[sets]]`.',
  ];
}

function setSections(): string[] {
  const rows = defaultSets.map((set) => [
    set.name,
    code(set.path),
    Object.entries(set)
      .filter(([name]) => name !== 'name' && name !== 'path')
      .map(([name, value]) => code(keyLine(name, value)))
      .join(', '),
  ]);
  return [
    '## [[sets]]',
    'One table for each set of managed files. Both ends decide by their own configuration: the ' +
    'master which files it offers, the worker which it takes and what they look like. No file may ' +
    'belong to two sets; where that cannot be foreseen, the first one in the file has it.',
    keyTable(setKeys),
    'Every set leaves out ' + defaultExclude.map(code).join(', ') +
    ', unless it says `exclude_defaults = false`.',
    'Where there is no `[[sets]]` at all, these are the sets. The first one in the file replaces ' +
    'all of them; `sets = []`, before the first table, is a node without managed files.',
    table(['set', 'path', 'other keys'], rows),
  ];
}

function ruleSections(): string[] {
  return [
    '## [[group_rules]]',
    'Which groups an agent gets when the master first hears of it, and has none. All conditions of ' +
    'a rule have to hold. An agent that no rule fits gets `default`; a group without a directory ' +
    'is left out. The main file alone can hold rules; a worker ignores them.',
    keyTable(groupRuleKeys),
  ];
}

function keyTable(keys: Readonly<Record<string, Key>>): string {
  const rows = Object.entries(keys).map(([name, key]) => [
    code(name),
    key.kind,
    key.default !== undefined ? code(valueText(key.default)) : key.derived ?? 'required',
    key.doc,
  ]);
  return table(['key', 'value', 'default', 'meaning'], rows);
}

function code(text: string): string {
  return `\`${text}\``;
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n');
}

/** Columns padded, as the formatter has it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (cells: readonly string[], pad = ' '): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, pad)).join(' | ')} |`;
  return [line(head), line(head.map(() => ''), '-'), ...rows.map((row) => line(row))].join('\n');
}
