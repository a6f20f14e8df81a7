/**
 * Judges what `muster doctor` has measured: from facts to verdicts, each with what to do about it.
 */
import type { Config } from '../config/config.ts';
import { formatMode } from '../config/units.ts';
import { utcText } from '../identity/time-text.ts';
import { countText, sizeText, spanText } from './amounts.ts';
import { shellWord } from './context.ts';
import type { DoctorCheckDocument, Verdict } from './documents.ts';
import type { DoctorFacts, PlaceFacts } from './host.ts';

/** What `doctor` says about a node. */
export function judge(facts: DoctorFacts, config: Config, nowMs: number): DoctorCheckDocument[] {
  return [
    ok('configuration', `${config.file} is valid`),
    ...facts.places.map((place) => judgePlace(place)),
    ...judgeDisk(facts, config),
    ...judgeCertificate(facts, config, nowMs),
    ...judgeClock(facts),
    ...judgeOpenFiles(facts, config),
    ...judgeInotify(facts, config),
    ...facts.missing.map(({ key, kind, name }) =>
      fail(kind, `${kind} "${name}" does not exist`, `Correct ${key} in the configuration`)
    ),
    ...judgeAddresses(facts),
    facts.isDaemonRunning
      ? ok('daemon', 'running')
      : ok('daemon', 'not running, commands open the node by themselves'),
  ];
}

/** The worst of some verdicts. */
export function worstVerdict(checks: readonly DoctorCheckDocument[]): Verdict {
  const verdicts = new Set(checks.map(({ verdict }) => verdict));
  return verdicts.has('fail') ? 'fail' : verdicts.has('warn') ? 'warn' : 'ok';
}

// --- files -------------------------------------------------------------------------------------

/** Permission bits of everybody but the owner. */
const foreignBits = 0o077;

const placeRemedies: Readonly<Record<PlaceFacts['kind'], string>> = {
  'root': 'Correct root under [node], or let the user that runs muster read and write there',
  'state': 'Correct state under [node], or let the user that runs muster read and write there',
  'log': 'Correct file under [log], or let the user that runs muster write there',
  'control socket':
    'Correct control_socket under [node], or let the user that runs muster write there',
  'certificate': 'Put it back from a backup, or join the cluster again with a new token',
  'key': 'Put it back from a backup, or join the cluster again with a new token',
};

function judgePlace({ kind, path, problem, mode }: PlaceFacts): DoctorCheckDocument {
  if (problem !== null) return fail(kind, `${path}: ${problem}`, placeRemedies[kind]);
  if (kind === 'key' && mode !== null && (mode & foreignBits) !== 0) {
    return fail(
      kind,
      `${path} has mode ${formatMode(mode)}, others can get at it`,
      `chmod 600 ${shellWord(path)}`,
    );
  }
  return ok(kind, path);
}

/** Below this much room a cluster is one larger log file away from trouble, bytes. */
const freeBytesNoted = 1024 ** 3;

function judgeDisk(facts: DoctorFacts, config: Config): DoctorCheckDocument[] {
  const checks: DoctorCheckDocument[] = [];
  const { freeBytes, isStagingBesideRoot } = facts;
  // A master puts no files in place.
  if (isStagingBesideRoot === false && config.node.role === 'worker') {
    checks.push(fail(
      'staging',
      `${config.paths.staging} is not on the file system of ${config.node.root}`,
      'Set state under [node] to a directory there: files are put in place by renaming them',
    ));
  }
  if (freeBytes !== null) {
    const reserve = config.apply.spaceReserveBytes;
    const text = `${sizeText(freeBytes)} free at ${config.node.root}`;
    const remedy = `Make room: ${sizeText(reserve)} stay reserved by space_reserve under [apply]`;
    checks.push(
      freeBytes <= reserve
        ? fail('disk', text, remedy)
        : freeBytes < reserve + freeBytesNoted
        ? warn('disk', text, remedy)
        : ok('disk', text),
    );
  }
  return checks;
}

// --- certificate and clock ---------------------------------------------------------------------

function judgeCertificate(
  facts: DoctorFacts,
  config: Config,
  nowMs: number,
): DoctorCheckDocument[] {
  if (facts.certificate === null) return [];
  const { notBeforeMs, notAfterMs } = facts.certificate;
  const leftMs = notAfterMs - nowMs;
  const until = `valid until ${utcText(notAfterMs)}`;
  if (nowMs < notBeforeMs) {
    return [fail(
      'validity',
      `valid from ${utcText(notBeforeMs)} on only, and here it is ${utcText(nowMs)}`,
      'Set the clock of this machine',
    )];
  }
  if (leftMs <= 0) {
    return [fail(
      'validity',
      `expired, ${until}`,
      config.node.role === 'worker'
        ? 'Join the cluster again with a new token'
        : 'Run "muster run": a master renews its own certificate',
    )];
  }
  // It is renewed when renew_before is left; half of that means that it failed for a long time.
  return leftMs < config.certificates.renewBeforeMs / 2
    ? [warn(
      'validity',
      `${until}, and not renewed yet`,
      'Look in the log for why the certificate could not be renewed',
    )]
    : [ok('validity', `${until}, ${spanText(leftMs)} left`)];
}

/** A certificate may be so new that clocks which differ by more disagree about it, ms. */
const skewFailedMs = 5 * 60 * 1000;
const skewNotedMs = 10 * 1000;

function judgeClock({ clockSkewMs }: DoctorFacts): DoctorCheckDocument[] {
  if (clockSkewMs === null) return [];
  const size = Math.abs(clockSkewMs);
  const text = `the clock of the master is ${spanText(size)} ${
    clockSkewMs >= 0 ? 'ahead' : 'behind'
  }`;
  const remedy = 'Keep the clocks of all nodes in step, with NTP for example';
  if (size >= skewFailedMs) return [fail('clock', text, remedy)];
  return [size >= skewNotedMs ? warn('clock', text, remedy) : ok('clock', text)];
}

// --- limits of the system ----------------------------------------------------------------------

/** Open files beside those of sessions: database, log, sockets, and files being hashed. */
const ownOpenFiles = 256;

function judgeOpenFiles({ openFilesMax }: DoctorFacts, config: Config): DoctorCheckDocument[] {
  if (openFilesMax === null) return [];
  const { sessionsMax, handshakesMax } = config.master;
  const needed = ownOpenFiles + (config.node.role === 'master' ? sessionsMax + handshakesMax : 0);
  const text = `${countText(openFilesMax)} allowed, up to ${countText(needed)} needed`;
  return [
    openFilesMax >= needed ? ok('open files', text) : warn(
      'open files',
      text,
      `Raise the limit: "ulimit -n ${needed}", or LimitNOFILE= in the unit of systemd`,
    ),
  ];
}

/** The default of old kernels, too few for a tree of some size. */
const watchesNoted = 8192;

function judgeInotify({ inotify }: DoctorFacts, config: Config): DoctorCheckDocument[] {
  if (inotify === null || !config.localIntegrity.watch) return [];
  const { watchesMax, instancesMax } = inotify;
  const text = `${countText(watchesMax)} watches, ${countText(instancesMax)} instances allowed`;
  return [
    watchesMax > watchesNoted ? ok('inotify', text) : warn(
      'inotify',
      `${text}: changes in further directories are noticed at the next interval only`,
      'sysctl fs.inotify.max_user_watches=524288',
    ),
  ];
}

// --- network -----------------------------------------------------------------------------------

function judgeAddresses({ listen, masters }: DoctorFacts): DoctorCheckDocument[] {
  const checks: DoctorCheckDocument[] = [];
  if (listen !== null) {
    checks.push(
      listen.problem === null ? ok('listen', listen.address) : fail(
        'listen',
        `${listen.address}: ${listen.problem}`,
        'Correct listen under [master], or end what listens there',
      ),
    );
  }
  // One address that answers is enough; the others may be of another network.
  const judgeMaster = masters.some(({ problem }) => problem === null) ? warn : fail;
  for (const { address, problem } of masters) {
    checks.push(
      problem === null ? ok('master', `${address} accepts connections`) : judgeMaster(
        'master',
        `${address}: ${problem}`,
        'See that the master runs there, and that no firewall is in between',
      ),
    );
  }
  return checks;
}

// --- verdicts ----------------------------------------------------------------------------------

function ok(name: string, message: string): DoctorCheckDocument {
  return { name, verdict: 'ok', message, remedy: null };
}

function warn(name: string, message: string, remedy: string): DoctorCheckDocument {
  return { name, verdict: 'warn', message, remedy };
}

function fail(name: string, message: string, remedy: string): DoctorCheckDocument {
  return { name, verdict: 'fail', message, remedy };
}
