/** What `muster doctor` judges, measured. */
import type { DoctorFacts, MissingFacts, PlaceFacts } from '../cli/host.ts';
import type { Config } from '../config/config.ts';
import type { StatusDocument } from '../node/documents.ts';
import { callControl } from '../runtime/control-client.ts';
import {
  commandExists,
  examinePlace,
  freeBytesAt,
  inotifyLimits,
  isSameFileSystem,
  openFilesMax,
  probe,
} from '../runtime/machine.ts';
import { accountExists } from '../runtime/accounts.ts';
import { readCredentials } from './own-certificate.ts';
import { tlsFiles } from './tls-files.ts';

/** Time for trying an address, ms. */
const probeMs = 3_000;

/** Measures; changes nothing, throws nothing for what cannot be measured. */
export async function doctorFacts(config: Config): Promise<DoctorFacts> {
  const { node } = config;
  const status = await daemonStatus(config);
  const credentials = await readCredentials(tlsFiles(node.tls)).catch(() => null);
  return {
    places: placesOf(config),
    isStagingBesideRoot: isSameFileSystem(node.state, node.root),
    freeBytes: freeBytesAt(node.root),
    openFilesMax: openFilesMax(),
    inotify: inotifyLimits(),
    certificate: credentials?.facts ?? null,
    isDaemonRunning: status !== null,
    listen: node.role === 'master' ? await listenFacts(config, status !== null) : null,
    masters: node.role === 'worker' ? await masterFacts(config) : [],
    clockSkewMs: status?.master?.clock_skew_ms ?? null,
    missing: missingOf(config),
  };
}

function placesOf(config: Config): PlaceFacts[] {
  const { node, log } = config;
  const files = tlsFiles(node.tls);
  const needs = node.role === 'master' ? 'read' : 'write';
  const place = (
    kind: PlaceFacts['kind'],
    path: string,
    access: 'read' | 'write',
    canCreate: boolean,
  ): PlaceFacts => ({ kind, path, ...examinePlace(path, access, canCreate) });
  return [
    place('root', node.root, needs, false),
    place('state', node.state, 'write', true),
    place('log', log.file, 'write', true),
    place('control socket', node.controlSocket, 'write', true),
    ...(node.protocol === 'wazuh' ? [] : [
      place('certificate', files.authorityCertificate, 'read', false),
      place('certificate', files.node, 'read', false),
      place('key', files.node, 'read', false),
    ]),
    ...(node.role === 'master' && node.protocol === 'native'
      ? [place('key', files.authorityKey, 'read', false)]
      : []),
  ];
}

async function daemonStatus(config: Config): Promise<StatusDocument | null> {
  const call = { path: config.node.controlSocket, route: '/v1/status', timeoutMs: probeMs };
  return await callControl(call).catch(() => null) as StatusDocument | null;
}

async function listenFacts(config: Config, isRunning: boolean) {
  const { listen = '' } = config.wazuh;
  const address = config.node.protocol === 'wazuh' ? listen : config.master.listen;
  const local = address.replace(/^(0\.0\.0\.0|\[::\])/, '127.0.0.1');
  const answer = await probe(local, probeMs);
  if (isRunning) return { address, problem: answer };
  const isTaken = answer === null;
  return { address, problem: isTaken ? 'another program listens there' : null };
}

async function masterFacts({ node, worker, wazuh }: Config) {
  const addresses = node.protocol === 'wazuh' ? wazuh.master : worker.master;
  return await Promise.all(
    addresses.map(async (address) => ({
      address,
      problem: await probe(address, probeMs),
    })),
  );
}

function missingOf(config: Config): MissingFacts[] {
  const missing: MissingFacts[] = [];
  for (const hook of ['validate', 'reload'] as const) {
    const [command] = config.hooks[hook];
    if (command === undefined || commandExists(command)) continue;
    missing.push({ key: `hooks.${hook}`, kind: 'command', name: command });
  }
  for (const set of config.sets) {
    for (const [field, kind] of [['owner', 'user'], ['group', 'group']] as const) {
      const name = set[field];
      if (name === undefined || accountExists(kind, name)) continue;
      missing.push({ key: `sets.${set.name}.${field}`, kind, name });
    }
  }
  return missing;
}
