/**
 * A sample of what a cluster shares: agent keys, rules, decoders, SCA policies, lists, group files.
 *
 *     deno run -A scripts/sample-tree.ts DIRECTORY [SEED]
 *
 * About 350 files and 8 MB in the places of the default file sets, and two files that the sets
 * leave out. The same seed gives the same bytes and times. The texts look like the real ones in
 * structure, size and repetition, so that hashing and compression have what they would have; they
 * are made up here and detect nothing.
 */
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';

/** One file of the sample. */
export interface SampleFile {
  /** Relative to the root of the tree, '/'-separated. */
  readonly path: string;
  readonly text: string;
  /** False for a file that the default sets leave out. */
  readonly isManaged: boolean;
}

/** What was written. */
export interface SampleTotals {
  /** Managed files. */
  readonly filesCount: number;
  /** Bytes of the managed files. */
  readonly bytes: number;
}

/** How many of each kind there are. */
const counts = { agents: 400, rules: 120, decoders: 80, policies: 60, lists: 12, multigroups: 24 };

/** The youngest file is from this moment, each further one a minute older. */
const newestMs = Date.UTC(2025, 0, 1);

/** Writes the sample below a directory, which is created. */
export async function writeSampleTree(directory: string, seed = 1): Promise<SampleTotals> {
  let filesCount = 0;
  let bytes = 0;
  let seconds = newestMs / 1000;
  for (const { path, text, isManaged } of sampleFiles(seed)) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    await utimes(file, seconds, seconds);
    seconds -= 60;
    if (!isManaged) continue;
    filesCount++;
    bytes += new TextEncoder().encode(text).length;
  }
  return { filesCount, bytes };
}

/** The files of the sample, in no order that matters. */
export function* sampleFiles(seed = 1): Generator<SampleFile> {
  const chance = new Chance(seed);
  const managed = (path: string, text: string): SampleFile => ({ path, text, isManaged: true });
  yield managed('etc/client.keys', clientKeys(chance));
  for (let i = 0; i < counts.rules; i++) {
    const program = chance.pick(programs);
    yield managed(`etc/rules/${fileNumber(i)}-${program}_rules.xml`, rulesFile(chance, i, program));
  }
  for (let i = 0; i < counts.decoders; i++) {
    const program = chance.pick(programs);
    yield managed(`etc/decoders/${fileNumber(i)}-${program}_decoders.xml`, decoders(chance, i));
  }
  for (let i = 0; i < counts.policies; i++) {
    const system = chance.pick(systems);
    const name = `cis_${system}_${i + 1}`;
    yield managed(`ruleset/sca/${system}/${name}.yml`, policy(chance, name, i));
  }
  for (let i = 0; i < counts.lists; i++) {
    yield managed(`etc/lists/${chance.pick(topics)}-${i + 1}`, list(chance));
  }
  for (const group of groups) {
    for (const [name, text] of groupFiles(chance, group)) {
      yield managed(`etc/shared/${group}/${name}`, text);
    }
  }
  for (let i = 0; i < counts.multigroups; i++) {
    yield managed(`var/multigroups/${chance.hex(8)}/merged.mg`, merged(chance));
  }
  yield { path: 'etc/ossec.conf', text: agentConfig(chance, 'server'), isManaged: false };
  yield {
    path: 'etc/shared/ar.conf',
    text: 'restart0 - restart.sh - 0\n',
    isManaged: false,
  };
}

// --- words ---------------------------------------------------------------------------------------

const programs =
  ('sshd pam sudo nginx apache postfix dovecot named squid mysql postgresql vsftpd samba systemd ' +
    'cron kernel auditd docker haproxy openvpn').split(' ');
const systems = 'debian ubuntu rhel centos sles amazon windows darwin'.split(' ');
const topics = 'addresses domains hashes accounts agents networks'.split(' ');
const groups = 'default linux windows web database dmz office build'.split(' ');
const levels = [0, 2, 3, 3, 5, 5, 7, 8, 10, 12];
const words =
  ('authentication failure user session opened closed invalid password connection refused timeout ' +
    'error warning denied accepted request server client file access changed removed started ' +
    'stopped address port protocol service policy command kernel memory limit exceeded unknown')
    .split(' ');

// --- files ---------------------------------------------------------------------------------------

/** `001 web-01 10.0.0.1 KEY`, and some agents that were removed. */
function clientKeys(chance: Chance): string {
  return lines(counts.agents, (i) => {
    const number = String(i + 1).padStart(3, '0');
    const group = chance.pick(groups);
    const mark = chance.below(40) === 0 ? '!' : '';
    return `${number} ${mark}${group}-${number} ${chance.address()} ${chance.hex(64)}`;
  });
}

function rulesFile(chance: Chance, index: number, program: string): string {
  const first = 100_000 + index * 200;
  const rules = lines(5 + chance.below(60), (i) => {
    const parent = i === 0 ? `<decoded_as>${program}</decoded_as>` : `<if_sid>${first}</if_sid>`;
    return `  <rule id="${first + i}" level="${chance.pick(levels)}">
    ${parent}
    <match>${chance.phrase(3)}|${chance.phrase(2)}</match>
    <description>${program}: ${chance.phrase(6)}.</description>
    <group>${chance.pick(words)}_${chance.pick(words)},pci_dss_${1 + chance.below(12)}.1,</group>
  </rule>
`;
  });
  return `<!-- Rules for ${program}; a made-up sample -->
<group name="${program},syslog,">
${rules}</group>
`;
}

function decoders(chance: Chance, index: number): string {
  return lines(3 + chance.below(25), (i) => {
    const name = `sample-${index}-${i}`;
    return `<decoder name="${name}">
  <program_name>^${chance.pick(programs)}$</program_name>
  <prematch>^${chance.phrase(2)}</prematch>
  <regex offset="after_prematch">^ for (\\S+) from (\\S+) port (\\d+)$</regex>
  <order>user, srcip, srcport</order>
</decoder>
`;
  });
}

function policy(chance: Chance, name: string, index: number): string {
  const checks = lines(20 + chance.below(160), (i) =>
    `  - id: ${20_000 + index * 250 + i}
    title: "Ensure that ${chance.phrase(5)}"
    description: "${chance.phrase(30)}."
    rationale: "${chance.phrase(25)}."
    remediation: "${chance.phrase(15)}"
    compliance:
      - cis: ["${1 + chance.below(6)}.${1 + chance.below(20)}"]
    condition: ${chance.pick(['all', 'any', 'none'])}
    rules:
      - 'f:/etc/${chance.pick(words)}.conf -> r:^\\s*${chance.pick(words)}\\s*=\\s*${
      chance.below(9)
    }'
`);
  return `policy:
  id: "${name}"
  file: "${name}.yml"
  name: "A made-up benchmark, number ${index + 1}"
checks:
${checks}`;
}

function list(chance: Chance): string {
  return lines(
    500 + chance.below(4000),
    (i) => i % 2 === 0 ? `${chance.address()}:${chance.pick(topics)}` : `${chance.hex(32)}:`,
  );
}

function* groupFiles(chance: Chance, group: string): Generator<readonly [string, string]> {
  yield ['agent.conf', agentConfig(chance, group)];
  yield ['merged.mg', merged(chance)];
  for (const name of ['rootkit_files', 'rootkit_trojans', 'system_audit_rcl']) {
    yield [`${name}.txt`, lines(40 + chance.below(200), () => `${chance.phrase(4)} ! ${group}`)];
  }
  yield ['custom/checks.yml', policy(chance, `${group}_checks`, 90)];
}

function agentConfig(chance: Chance, name: string): string {
  const files = lines(3 + chance.below(20), () =>
    `  <localfile>
    <log_format>syslog</log_format>
    <location>/var/log/${chance.pick(programs)}/${chance.pick(words)}.log</location>
  </localfile>`);
  return `<agent_config name="${name}">\n${files}</agent_config>\n`;
}

function merged(chance: Chance): string {
  return lines(1 + chance.below(4), () => {
    const text = lines(20 + chance.below(100), () => chance.phrase(8));
    return `!${text.length} ${chance.pick(words)}.txt\n${text}`;
  });
}

// ---

function fileNumber(index: number): string {
  return String(index * 5 + 10).padStart(4, '0');
}

function lines(count: number, line: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => `${line(index)}\n`).join('');
}

/** Numbers that look random and follow from the seed (mulberry32), and texts made of them. */
class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to less than `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  phrase(wordsCount: number): string {
    return Array.from({ length: wordsCount }, () => this.pick(words)).join(' ');
  }

  hex(digitsCount: number): string {
    return Array.from({ length: digitsCount }, () => this.below(16).toString(16)).join('');
  }

  /** An address of a private network. */
  address(): string {
    return `10.${this.below(256)}.${this.below(256)}.${1 + this.below(254)}`;
  }
}

async function main(): Promise<void> {
  const [directory, seed = '1'] = process.argv.slice(2);
  if (directory === undefined || !/^\d+$/.test(seed)) {
    throw new Error('Usage: deno run -A scripts/sample-tree.ts DIRECTORY [SEED]');
  }
  const { filesCount, bytes } = await writeSampleTree(resolve(directory), Number(seed));
  console.log(`${filesCount} files, ${bytes} bytes in ${directory}`);
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
