/** The real machine behind the command line. */
import type { Host } from '../cli/host.ts';
import type { Config } from '../config/config.ts';
import { readCertificate } from '../runtime/certificates.ts';
import { buildInfo } from '../runtime/build-info.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLog, type Log } from '../runtime/log.ts';
import {
  isColorWanted,
  onStopSignal,
  standardError,
  standardInput,
  standardOutput,
  systemFacts,
} from '../runtime/system.ts';
import { systemConfigReader } from './config-reader.ts';
import { runDaemon } from './daemon.ts';
import { doctorFacts } from './doctor.ts';
import { initMaster } from './init.ts';
import { joinCluster } from './join.ts';
import { openOperations } from './open-operations.ts';
import { readCredentials } from './own-certificate.ts';
import { tlsFiles } from './tls-files.ts';

/** The machine that this process runs on. */
export function systemHost(): Host {
  const { argv, environment, hostname, workingDirectory } = systemFacts();
  /** A log for one-shot commands: the file as ever, the terminal only for what went wrong. */
  const commandLog = (config: Config) => openLog(config, environment, { isDaemon: false });
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
      const log = commandLog(config);
      const opened = await openOperations(config, options, log.logger);
      return {
        ...opened,
        close: async () => {
          await opened.close();
          log.close();
        },
      };
    },
    runDaemon: (config, signal) =>
      runDaemon(config, openLog(config, environment, { isDaemon: true }), signal),
    initMaster,
    joinCluster: (request) => joinCluster(request, quietLog.logger),
    readCertificates: async (config) => {
      const { facts, tls } = await readCredentials(tlsFiles(config.node.tls));
      return { own: facts, authority: readCertificate(tls.authorityPem) };
    },
    doctorFacts,
  };
}

/** Joining reports by its outcome; what the network has to say on the way goes nowhere. */
const quietLog: Log = createLog({
  file: undefined,
  level: 'error',
  format: 'text',
  terminal: false,
  color: false,
  clock: systemClock,
});

function openLog(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
  options: { readonly isDaemon: boolean },
): Log {
  const { file, level, format } = config.log;
  return createLog({
    file,
    level,
    format,
    terminal: options.isDaemon,
    color: isColorWanted('auto', standardError, environment),
    clock: systemClock,
  });
}
