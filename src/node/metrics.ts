/**
 * A status in the text format of Prometheus, version 0.0.4. docs/monitoring.md lists what there is.
 *
 * Names follow its conventions: base units, `_total` for what only grows, moments as seconds since
 * 1970. No label is a path: how many series there are depends on sets, tasks and nodes alone. What
 * is not known has no sample.
 */
import { momentOf } from '../base/time-text.ts';
import type { StatusDocument } from './documents.ts';

/** One series of a metric, or none where its value is not known. */
interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number | boolean | null | undefined;
  /** What follows the name of the metric, for the parts of a summary. */
  readonly suffix?: '_sum' | '_count';
}

type MetricType = 'gauge' | 'counter' | 'summary';

/** The metrics of a node. */
export function metricsText(status: StatusDocument): string {
  const text = new MetricsText();
  writeNode(text, status);
  writeFiles(text, status);
  writeTasks(text, status);
  if (status.role === 'master') writePeers(text, status);
  else writeMaster(text, status);
  return text.toString();
}

// ---

class MetricsText {
  #text = '';

  write(name: string, type: MetricType, help: string, samples: readonly Sample[]): void {
    const known = samples.filter(({ value }) => value !== null && value !== undefined);
    if (known.length === 0) return;
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const { labels = {}, value, suffix = '' } of known) {
      this.#text += `${name}${suffix}${labelsText(labels)} ${Number(value)}\n`;
    }
  }

  one(name: string, type: MetricType, help: string, value: Sample['value']): void {
    this.write(name, type, help, [{ value }]);
  }

  toString(): string {
    return this.#text;
  }
}

function writeNode(text: MetricsText, status: StatusDocument): void {
  const { version, node, cluster, role } = status;
  text.write('muster_build_info', 'gauge', 'Version, and who this node is.', [
    { labels: { version, node, cluster, role }, value: 1 },
  ]);
  text.one(
    'muster_start_timestamp_seconds',
    'gauge',
    'When the daemon was started.',
    secondsOf(status.started),
  );
  text.one(
    'muster_certificate_expiry_timestamp_seconds',
    'gauge',
    'End of the certificate of the node.',
    secondsOf(status.certificate_expires),
  );
  text.one(
    'muster_event_loop_longest_hold_seconds',
    'gauge',
    'Longest time since the start for which nothing else could run.',
    status.longest_loop_hold_ms / 1000,
  );
  text.one(
    'muster_connections_total',
    'counter',
    'Sessions between master and workers that were opened since the start.',
    status.connections,
  );
}

function writeFiles(text: MetricsText, status: StatusDocument): void {
  const bySet = (value: (set: StatusDocument['sets'][number]) => Sample['value']): Sample[] =>
    status.sets.map((set) => ({ labels: { set: set.name }, value: value(set) }));
  text.one(
    'muster_generation',
    'gauge',
    'Generation that was published (master) or applied (worker) last.',
    status.generation,
  );
  text.write('muster_files', 'gauge', 'Managed files.', bySet((set) => set.files));
  text.write(
    'muster_files_bytes',
    'gauge',
    'Size of the managed files.',
    bySet((set) => set.bytes),
  );
  text.write(
    'muster_set_halted',
    'gauge',
    'Whether a guard has halted the set.',
    bySet((set) => set.halted !== null),
  );
  text.one(
    'muster_guard_halts_total',
    'counter',
    'Sets that were halted by a guard since the start.',
    status.guard_halts,
  );
}

function writeTasks(text: MetricsText, { tasks }: StatusDocument): void {
  const byTask = (value: (task: StatusDocument['tasks'][number]) => Sample['value']): Sample[] =>
    tasks.map((task) => ({ labels: taskLabels(task), value: value(task) }));
  text.write(
    'muster_task_last_success_timestamp_seconds',
    'gauge',
    'End of the last round that succeeded.',
    byTask((task) => secondsOf(task.last_success)),
  );
  text.write(
    'muster_task_duration_seconds',
    'summary',
    'Duration of the rounds that succeeded.',
    tasks.flatMap((task): Sample[] => {
      const labels = taskLabels(task);
      return [
        { labels, suffix: '_sum', value: task.duration_total_ms / 1000 },
        { labels, suffix: '_count', value: task.rounds - task.failures },
      ];
    }),
  );
  text.write(
    'muster_task_failures_total',
    'counter',
    'Rounds that failed since the start.',
    byTask((task) => task.failures),
  );
  text.write(
    'muster_task_failures_in_a_row',
    'gauge',
    'Rounds that failed since the last success.',
    byTask((task) => task.failures_in_a_row),
  );
}

function writeMaster(text: MetricsText, status: StatusDocument): void {
  const { master } = status;
  text.one('muster_master_connected', 'gauge', 'Whether the master is connected.', master !== null);
  text.one(
    'muster_master_round_trip_seconds',
    'gauge',
    'Time to the master and back.',
    inSeconds(master?.round_trip_ms),
  );
  text.one(
    'muster_master_clock_skew_seconds',
    'gauge',
    'How far the clock of the master is ahead.',
    inSeconds(master?.clock_skew_ms),
  );
  text.one(
    'muster_in_sync',
    'gauge',
    'Whether the last round found everything in step with the master, or put it so.',
    status.in_sync,
  );
  text.one(
    'muster_drift_files',
    'gauge',
    'Files that the last round left different: halted, or not to be handled.',
    status.drift,
  );
}

function writePeers(text: MetricsText, { peers }: StatusDocument): void {
  const byPeer = (value: (peer: StatusDocument['peers'][number]) => Sample['value']): Sample[] =>
    peers.map((peer) => ({ labels: { node: peer.node }, value: value(peer) }));
  text.one('muster_peers', 'gauge', 'Workers in session.', peers.length);
  text.write(
    'muster_peer_in_sync',
    'gauge',
    'Whether the worker has reported that it is in step.',
    byPeer((peer) => peer.in_sync),
  );
  text.write(
    'muster_peer_generation',
    'gauge',
    'Generation that the worker reported last.',
    byPeer((peer) => peer.generation),
  );
  text.write(
    'muster_peer_sets_halted',
    'gauge',
    'Sets that are halted on the worker.',
    byPeer((peer) => peer.halted.length),
  );
  text.write(
    'muster_peer_silence_seconds',
    'gauge',
    'Time since anything came from the worker.',
    byPeer((peer) => inSeconds(peer.last_heard_ms_ago)),
  );
  text.write(
    'muster_peer_clock_skew_seconds',
    'gauge',
    'How far the clock of the worker is ahead.',
    byPeer((peer) => peer.clock_skew_ms === null ? null : inSeconds(peer.clock_skew_ms)),
  );
  text.write(
    'muster_peer_received_bytes_total',
    'counter',
    'Bytes that came from the worker in its present session.',
    byPeer((peer) => peer.bytes_received),
  );
  text.write(
    'muster_peer_sent_bytes_total',
    'counter',
    'Bytes that went to the worker in its present session.',
    byPeer((peer) => peer.bytes_sent),
  );
}

/** There may be one task for each worker. */
function taskLabels({ name, worker }: StatusDocument['tasks'][number]): Record<string, string> {
  return worker === null ? { task: name } : { task: name, worker };
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** Seconds since 1970 of a moment in a document. */
function secondsOf(moment: string | null): number | undefined {
  return moment === null ? undefined : momentOf(moment) / 1000;
}

function inSeconds(ms: number | null | undefined): number | undefined {
  return ms === null || ms === undefined ? undefined : ms / 1000;
}
