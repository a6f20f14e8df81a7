/** The admin address: read-only views for monitoring, `/metrics`, `/livez`, `/readyz`. */
import type { StatusDocument } from '../node/documents.ts';
import { operationRoutes, type Operations } from '../node/operations.ts';
import type { ControlRoutes } from '../runtime/control-server.ts';

/** The routes of the admin address. */
export function adminRoutes(operations: Operations): ControlRoutes {
  const status = (signal: AbortSignal) => operations.status({}, { signal });
  return {
    [operationRoutes.status]: async ({ signal }) => ({ body: await status(signal) }),
    'GET /livez': () => Promise.resolve({ body: 'ok\n', contentType: 'text/plain' }),
    'GET /readyz': async ({ signal }) => {
      const isReady = readiness(await status(signal));
      const body = isReady ? 'ok\n' : 'not ready\n';
      return { status: isReady ? 200 : 503, body, contentType: 'text/plain' };
    },
    'GET /metrics': async ({ signal }) => ({
      body: metricsText(await status(signal)),
      contentType: 'text/plain; version=0.0.4',
    }),
  };
}

/** A master is ready when it has published, a worker when it is in step with its master. */
function readiness(status: StatusDocument): boolean {
  if (status.role === 'master') return status.generation !== null;
  return status.master !== null && status.in_sync === true;
}

/** A status in the text format of Prometheus. */
function metricsText(status: StatusDocument): string {
  const lines: string[] = [];
  const gauge = (name: string, help: string, samples: readonly (readonly [string, number])[]) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
    for (const [labels, value] of samples) lines.push(`${name}${labels} ${value}`);
  };
  const set = (name: string) => `{set="${name}"}`;
  const info = `{version="${status.version}",node="${status.node}",role="${status.role}"}`;
  gauge('muster_build_info', 'Version of the program', [[info, 1]]);
  gauge('muster_generation', 'Generation published or applied last', [
    ['', status.generation ?? 0],
  ]);
  gauge('muster_files', 'Managed files', status.sets.map((s) => [set(s.name), s.files]));
  gauge('muster_bytes', 'Bytes of managed files', status.sets.map((s) => [set(s.name), s.bytes]));
  gauge(
    'muster_halted',
    'Whether a guard has halted the set',
    status.sets.map((s) => [set(s.name), s.halted === null ? 0 : 1]),
  );
  gauge('muster_peers', 'Workers in session', [['', status.peers.length]]);
  gauge(
    'muster_task_failures_in_a_row',
    'Rounds of a task that failed since the last success',
    status.tasks.map(({ name, worker, failures_in_a_row: failures }) => [
      worker === null ? `{task="${name}"}` : `{task="${name}",worker="${worker}"}`,
      failures,
    ]),
  );
  gauge('muster_loop_hold_longest_seconds', 'Longest hold of the event loop', [
    ['', status.longest_loop_hold_ms / 1000],
  ]);
  if (status.in_sync !== null) {
    gauge('muster_in_sync', 'Whether the last round found everything in step', [
      ['', status.in_sync ? 1 : 0],
    ]);
  }
  return `${lines.join('\n')}\n`;
}
