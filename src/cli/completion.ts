/**
 * Scripts with which shells complete command lines of ours, from the table of commands.
 *
 * All three work alike: the words before the cursor that are neither options nor values of options
 * are the command, and the table says what can follow.
 */
import type { ArgumentSpec, CommandSpec, OptionSpec } from './command-spec.ts';
import { commandGroups, commandList } from './command-table.ts';

/** A shell that we complete for. */
export type Shell = 'bash' | 'zsh' | 'fish';

/** The script for a shell. */
export function completionScript(shell: Shell): string {
  const script = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell]();
  return `${script.join('\n')}\n`;
}

// --- what can follow ---------------------------------------------------------------------------

const help: OptionSpec = { name: 'help', doc: 'Explain this' };
const version: OptionSpec = { name: 'version', doc: 'Print the version' };

/** Where on a command line one can be, and what can follow there. */
interface Place {
  /** The words so far, without options: "", `config`, `config check`. */
  readonly words: string;
  /** Words that can follow, with what they mean. */
  readonly next: readonly (readonly [word: string, doc: string])[];
  readonly options: readonly OptionSpec[];
}

function places(): Place[] {
  const list: Place[] = [{
    words: '',
    next: [...commandGroups].map(([word, group]) => [word, summaryOf(group)]),
    options: [help, version],
  }];
  for (const [word, group] of commandGroups) {
    if (group.length > 1 || group[0]![0] !== word) {
      const byDefault = group.find(([, spec]) => spec.isDefault === true);
      list.push({
        words: word,
        next: group.map(([name, { summary }]) => [name.split(' ')[1]!, summary]),
        options: [...byDefault?.[1].options ?? [], help],
      });
    }
  }
  for (const [name, spec] of commandList) list.push(placeOf(name, spec));
  return list;
}

function placeOf(name: string, spec: CommandSpec): Place {
  const [argument] = spec.arguments as readonly (ArgumentSpec | undefined)[];
  const next = (argument?.choices ?? []).map((word) => [word, ''] as const);
  return { words: name, next, options: [...spec.options, help] };
}

function summaryOf(group: readonly (readonly [string, CommandSpec])[]): string {
  const [first, ...others] = group;
  if (first !== undefined && others.length === 0) return first[1].summary;
  return group.map(([name]) => name.split(' ')[1]).join(', ');
}

/** All options that take a value, each once. */
function valueOptions(): OptionSpec[] {
  const options = commandList.flatMap(([, spec]) => spec.options);
  const withValue = options.filter(({ value }) => value !== undefined);
  return [...new Map(withValue.map((option) => [option.name, option])).values()];
}

/** Value options of one completion, as a pattern of the shell: `--config|--listen`. */
function flagsPattern(options: readonly OptionSpec[]): string {
  return options.map(({ name }) => `--${name}`).join('|');
}

/** A word of a shell script. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

// --- bash --------------------------------------------------------------------------------------

function bashScript(): string[] {
  const values = valueOptions();
  const cases = places().map(({ words, next, options }) => {
    const flags = options.map(({ name }) => `--${name}`).join(' ');
    return `    ${quote(words)}) words=${quote(next.map(([word]) => word).join(' '))}` +
      ` options=${quote(flags)} ;;`;
  });
  return [
    '# Completion of muster for bash: source <(muster completion bash)',
    '_muster() {',
    "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=''",
    '  local i words options',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    '    case ${COMP_WORDS[i]} in',
    `      ${flagsPattern(values)}) ((i++)) ;;`,
    '      -*) ;;',
    '      *) command=${command:+$command }${COMP_WORDS[i]} ;;',
    '    esac',
    '  done',
    '  COMPREPLY=()',
    '  case $previous in',
    ...values.map((option) => `    --${option.name}) ${bashValues(option)}return ;;`),
    '  esac',
    '  case $command in',
    ...cases,
    '    *) return ;;',
    '  esac',
    '  [[ $current == -* ]] && words=$options',
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '}',
    'complete -F _muster muster',
  ];
}

function bashValues(option: OptionSpec): string {
  if (option.choices !== undefined) {
    return `COMPREPLY=($(compgen -W ${quote(option.choices.join(' '))} -- "$current")); `;
  }
  if (option.completes === undefined) return '';
  const action = option.completes === 'file' ? '-f' : '-d';
  // Names may hold blanks: only the ends of lines separate them.
  return `local IFS=$'\\n'; compopt -o filenames 2>/dev/null; ` +
    `COMPREPLY=($(compgen ${action} -- "$current")); `;
}

// --- zsh ---------------------------------------------------------------------------------------

function zshScript(): string[] {
  const values = valueOptions();
  const cases = places().map(({ words, next, options }) => {
    const nextWords = next.map(([word, doc]) => quote(described(word, doc))).join(' ');
    const flags = options.map(({ name, doc }) => quote(described(`--${name}`, doc))).join(' ');
    return `    ${quote(words)}) next=(${nextWords}) flags=(${flags}) ;;`;
  });
  return [
    '#compdef muster',
    '# Completion of muster for zsh: source <(muster completion zsh)',
    '_muster() {',
    "  local command='' i",
    '  local -a next flags',
    '  for ((i = 2; i < CURRENT; i++)); do',
    '    case $words[i] in',
    `      ${flagsPattern(values)}) ((i++)) ;;`,
    '      -*) ;;',
    '      *) command=${command:+$command }$words[i] ;;',
    '    esac',
    '  done',
    '  case $words[CURRENT-1] in',
    ...values.map((option) => `    --${option.name}) ${zshValues(option)}; return ;;`),
    '  esac',
    '  case $command in',
    ...cases,
    '    *) return ;;',
    '  esac',
    '  if [[ $words[CURRENT] == -* ]]; then',
    "    _describe 'option' flags",
    '  else',
    "    _describe 'command' next",
    '  fi',
    '}',
    // Read by source it has to say whom it completes for; read by the completion system it is run.
    'if [[ $funcstack[1] == _muster ]]; then _muster "$@"; else compdef _muster muster; fi',
  ];
}

function described(word: string, doc: string): string {
  const escaped = doc.replaceAll(':', '\\:');
  return escaped === '' ? word : `${word}:${escaped}`;
}

function zshValues(option: OptionSpec): string {
  if (option.choices !== undefined) return `compadd -- ${option.choices.join(' ')}`;
  if (option.completes === undefined) return ':';
  return option.completes === 'file' ? '_files' : '_files -/';
}

// --- fish --------------------------------------------------------------------------------------

function fishScript(): string[] {
  const values = valueOptions();
  const lines = places().flatMap(({ words, next, options }) => {
    const at = `complete -c muster -n "__muster_at '${words}'"`;
    return [
      ...next.map(([word, doc]) => `${at} -f -a ${quote(word)} -d ${quote(doc)}`),
      ...options.map((option) =>
        `${at} -l ${option.name}${fishValues(option)} -d ${quote(option.doc)}`
      ),
    ];
  });
  return [
    '# Completion of muster for fish: muster completion fish | source',
    'function __muster_at',
    '  set -l words',
    '  set -l skip 0',
    '  for word in (commandline -opc)[2..-1]',
    '    if test $skip -eq 1',
    '      set skip 0',
    '      continue',
    '    end',
    '    switch $word',
    `      case ${values.map(({ name }) => `--${name}`).join(' ')}`,
    '        set skip 1',
    "      case '-*'",
    "      case '*'",
    '        set -a words $word',
    '    end',
    '  end',
    '  test "$words" = "$argv[1]"',
    'end',
    'complete -c muster -f',
    ...lines,
  ];
}

function fishValues(option: OptionSpec): string {
  if (option.value === undefined) return '';
  if (option.choices !== undefined) return ` -x -a ${quote(option.choices.join(' '))}`;
  if (option.completes === undefined) return ' -x';
  return option.completes === 'file' ? ' -r -F' : " -x -a '(__fish_complete_directories)'";
}
