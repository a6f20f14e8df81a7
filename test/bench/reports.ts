/** Reports of agents as programs hand them over, and trees with the keys of agents. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';

/** A worker that has not brought its agents to the master by then never does, ms. */
export const arrivalLimitMs = 120_000;

/** Pause between two looks at a node, ms: each of them costs it something. */
const lookMs = 100;

/** Posts lines as any program can; all of them must be accepted. */
export function handOver(worker: TestNode, lines: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-ndjson', connection: 'close' };
    const options = {
      socketPath: worker.controlSocket,
      path: '/v1/agents',
      method: 'POST',
      headers,
    };
    const call = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => {
        const { accepted } = JSON.parse(text) as { accepted?: number };
        if (accepted === lines.length) resolve();
        else reject(new Error(`Not all reports were accepted: ${text.slice(0, 300)}`));
      });
    });
    call.on('error', reject);
    call.end(`${lines.join('\n')}\n`);
  });
}

/** Waits until the master has confirmed all that agents reported to a worker. */
export async function settled(worker: TestNode): Promise<void> {
  const endMs = performance.now() + arrivalLimitMs;
  while ((await worker.status()).agents.unconfirmed > 0) {
    if (performance.now() > endMs) throw new Error('The reports did not arrive at the master');
    await pause(lookMs);
  }
}

/** Writes a tree with the keys of so many agents and some groups. */
export function writeAgentTree(root: string, agentsCount: number, groups = ['default']): string {
  for (const group of groups) {
    const directory = join(root, 'etc/shared', group);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'agent.conf'), '<agent_config>\n</agent_config>\n');
  }
  const key = '0123456789abcdef'.repeat(4);
  const lines = numbers(agentsCount).map((id) =>
    `${String(id).padStart(3, '0')} ${nameOf(id)} any ${key}\n`
  );
  writeFileSync(join(root, 'etc/client.keys'), lines.join(''));
  return root;
}

/** The numbers from `step` to `last` in such steps. */
export function numbers(last: number, step = 1): number[] {
  return Array.from({ length: Math.floor(last / step) }, (_, i) => (i + 1) * step);
}

/** All that an agent reports first. */
export function firstReport(id: number): string {
  return JSON.stringify({
    id,
    name: nameOf(id),
    ip: `10.${id >> 16 & 255}.${id >> 8 & 255}.${id & 255}`,
    version: 'Wazuh v4.14.7',
    os_name: 'Debian GNU/Linux',
    os_version: '12',
    os_major: '12',
    os_codename: 'bookworm',
    os_platform: 'debian',
    os_uname: `Linux |${nameOf(id)} |6.1.0-18-amd64 |#1 SMP PREEMPT_DYNAMIC |x86_64`,
    os_arch: 'x86_64',
    config_sum: 'ab73af41699f13fdd81903b5f23d8d00',
    merged_sum: 'f8d49771911ed9d5c45b03a40babd065',
    labels: { environment: 'production', rack: `r${id % 50}` },
    connection_status: 'active',
    last_keepalive: nowSeconds() - 1,
  });
}

/** That an agent is there. */
export function keepalive(id: number): string {
  return JSON.stringify({ id, last_keepalive: nowSeconds(), connection_status: 'active' });
}

/** That something about an agent has changed. */
export function changed(id: number): string {
  return JSON.stringify({ id, last_keepalive: nowSeconds() + 1, version: 'Wazuh v4.14.8' });
}

// ---

const nameOf = (id: number) => `agent-${id}`;

const nowSeconds = () => Math.floor(Date.now() / 1000);
