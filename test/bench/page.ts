/**
 * The page about performance: what was measured, on what machine, with what result. Cases can be
 * measured on different days: each section says how, and stays until its case is measured again.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { binary } from '../e2e/program.ts';
import type { Section } from './harness.ts';
import { hasOwnDisk, hasOwnNetwork } from './own-surroundings.ts';
import { markdown, size, type Table } from './table.ts';

const methods: readonly string[] = [
  'The compiled binary runs as anybody runs it: whole processes, two nodes on one machine, ' +
  'mutual TLS over the loopback device, all settings as they are by default unless a section ' +
  'says otherwise.',
  'Its peers are rsync with a daemon and unison with a server, over the same device. They ' +
  'neither encrypt nor authenticate, and write nothing through to the disk. Both ends of rsync ' +
  'have TCP_NODELAY, without which the loopback device delays each run by some 0.1 s. syncthing ' +
  'is the peer that watches a tree. csync2 has no place here: all its hosts have the same port, ' +
  'and no two of them fit on one machine.',
  'The contestants take turns, with everything flushed to the disk before each turn, as ' +
  'often as the command or else the section says. Every copy goes to a new directory and is ' +
  'compared with its original afterwards; nothing is deleted before the end.',
  'A time is the median of the turns, with the shortest and the longest. "÷ first row" is the ' +
  'time divided by that of the first row in the same round: above 1 is slower than muster. CPU ' +
  'is the mean, for the process and all it started, counted by Linux in steps of 10 ms. Peak ' +
  'RSS is the largest of any turn and process. The server is the running master or the rsync ' +
  'daemon. "On the wire" is all that the loopback device carried, headers and acknowledgements ' +
  'included.',
  'With both nodes on one machine, they share its processors and its disk: what both do at ' +
  'the same time takes less on two machines.',
];

/** What was measured by one case, and how. */
export interface Measured {
  /** Name of the case. */
  readonly name: string;
  /** The command that measures it again. */
  readonly command: string;
  readonly date: string;
  /** What was measured: the line of `muster version`. */
  readonly version: string;
  /** Load of the machine before. */
  readonly load: number;
  readonly section: Section;
}

/** What a page is made of. */
export interface PageContent {
  /** Facts of the machine in the order of the page: name and value. */
  readonly facts: readonly (readonly [string, string])[];
  /** What was measured now. */
  readonly measured: readonly Measured[];
  /** Names of all cases in the order of the page. */
  readonly order: readonly string[];
  /** The page as it is; its sections stay where nothing new was measured. */
  readonly former: string;
}

/** What can be told of this machine before anything is measured in a directory. */
export function machineFacts(directory: string): [string, string][] {
  const [processor] = cpus();
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const fileSystem = firstLine('df', ['--output=fstype', directory], 1);
  return [
    ['Processor', `${cpus().length} × ${processor?.model.trim() ?? 'unknown'}`],
    ['Memory', size(totalmem())],
    ['System', `${system ?? 'Linux'}, kernel ${release()}`],
    ['File system', `${fileSystem}, ${hasOwnDisk() ? 'new, on a loop device' : 'shared'}`],
    ['Network', `loopback device, ${hasOwnNetwork() ? 'its own' : 'shared'}`],
    ['rsync', firstLine('rsync', ['--version'])],
    ['unison', firstLine('unison', ['-version'])],
    ['syncthing', firstLine('syncthing', ['--version'])],
    ['cp, md5sum', firstLine('cp', ['--version'])],
    ['find, xargs', firstLine('find', ['--version'])],
  ];
}

/** What a case is measured under, asked for just before it begins. */
export function circumstances(): Pick<Measured, 'date' | 'version' | 'load'> {
  return {
    date: new Date().toISOString().slice(0, 10),
    version: firstLine(binary, ['version']),
    load: loadavg()[0]!,
  };
}

/** The whole page. */
export function performancePage({ facts, measured, order, former }: PageContent): string {
  const sections = formerSections(former);
  for (const one of measured) sections.set(one.name, sectionMarkdown(one));
  const parts = [
    '# Performance',
    'Each section was written by the command that it names. Nothing here is a promise, and no ' +
    'test asserts a time: run the command to know your own machine.',
    '## How it was measured',
    ...methods,
    markdown(factsTable(facts)),
    ...order.flatMap((name) => sections.get(name) ?? []),
  ];
  return joined(parts);
}

/** One section of the page. */
export function sectionMarkdown({ section, ...how }: Measured): string {
  const { title, parts, picture } = section;
  return joined([
    `## ${title}`,
    `Measured on ${how.date} by \`${how.command}\`: ${how.version}; the load before was ` +
    `${how.load.toFixed(1)}.`,
    ...parts.map((part) => typeof part === 'string' ? part : markdown(part)),
    ...picture === undefined ? [] : [`![${picture.alt}](${picture.fileName})`],
  ]);
}

// ---

/** Sections of a page by the case whose command they name. */
function formerSections(page: string): Map<string, string> {
  const sections = page.split(/^(?=## )/m).flatMap((text): [string, string][] => {
    const [, name] = /^Measured on \S+ by `npm run bench -- ([a-z-]+)/m.exec(text) ?? [];
    return name === undefined ? [] : [[name, text]];
  });
  return new Map(sections);
}

function joined(parts: readonly string[]): string {
  return `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`;
}

function factsTable(facts: readonly (readonly [string, string])[]): Table {
  return { head: ['', 'this machine'], rows: facts };
}

function firstLine(program: string, args: readonly string[], index = 0): string {
  try {
    const output = execFileSync(program, args, { encoding: 'utf8' });
    return output.split('\n')[index]!.trim().replaceAll(/ +/g, ' ');
  } catch {
    return 'not there';
  }
}
