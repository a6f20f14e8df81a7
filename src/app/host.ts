/**
 * The real machine behind the command line. What only some commands need is loaded by those: the
 * shortest ones take a fraction of the time.
 */
import { ClusterError } from '../base/errors.ts';
import type { Host } from '../cli/host.ts';
import { buildInfo } from '../runtime/build-info.ts';
import { systemClock } from '../runtime/clock.ts';
import {
  onStopSignal,
  standardError,
  standardInput,
  standardOutput,
  systemFacts,
} from '../runtime/system.ts';
import { systemConfigReader } from './config-reader.ts';

/** The machine that this process runs on. */
export function systemHost(): Host {
  const { argv, environment, hostname, workingDirectory } = systemFacts();
  return {
    argv,
    environment,
    hostname,
    workingDirectory,
    stdin: standardInput,
    stdout: standardOutput,
    stderr: standardError,
    clock: systemClock,
    configFiles: systemConfigReader,
    onSignal: onStopSignal,
    buildInfo,
    openOperations: async (config, options) => {
      const { openOperations } = await import('./open-operations.ts');
      const { openLog } = await import('./command-log.ts');
      const log = openLog(config, environment, { isDaemon: false });
      const opened = await openOperations(config, options, log.logger);
      return {
        ...opened,
        close: async () => {
          await opened.close();
          log.close();
        },
      };
    },
    runDaemon: async (config, signal) => {
      const { runDaemon } = await import('./daemon.ts');
      const { openLog } = await import('./command-log.ts');
      return await runDaemon(config, openLog(config, environment, { isDaemon: true }), signal);
    },
    initMaster: async (request) => await (await import('./init.ts')).initMaster(request),
    joinCluster: async (request) => {
      const { joinCluster } = await import('./join.ts');
      const { quietLog } = await import('./command-log.ts');
      return await joinCluster(request, quietLog.logger);
    },
    readCertificates: async (config) => {
      if (config.node.protocol === 'wazuh') {
        throw new ClusterError('refused', 'A node of a Wazuh cluster has no certificate');
      }
      const { readCertificate } = await import('../runtime/certificates.ts');
      const { readCredentials } = await import('./own-certificate.ts');
      const { tlsFiles } = await import('./tls-files.ts');
      const { facts, tls } = await readCredentials(tlsFiles(config.node.tls));
      return { own: facts, authority: readCertificate(tls.authorityPem) };
    },
    doctorFacts: async (config) => await (await import('./doctor.ts')).doctorFacts(config),
  };
}
