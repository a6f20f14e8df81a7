/**
 * `muster version`: which build this is.
 */
import type { Handler } from '../context.ts';
import type { VersionDocument } from '../documents.ts';
import type { BuildFacts } from '../host.ts';
import { type Report, versioned } from '../output.ts';

export const version: Handler = async ({ host }) => versionReport(host.buildInfo());

/** What there is to say about a build. */
export function versionReport(build: BuildFacts): Report {
  const { version, commit, target, runtime, runtimeVersion } = build;
  const document: VersionDocument = versioned({
    version,
    commit,
    target,
    runtime,
    runtime_version: runtimeVersion,
  });
  return {
    document,
    lines: [`muster ${version} (${target}, commit ${commit}, ${runtime} ${runtimeVersion})`],
    isAsked: true,
  };
}
