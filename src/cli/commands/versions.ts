/**
 * `muster versions`: the changes that can be undone, with the versions kept from before them.
 */
import type { Config } from '../../config/config.ts';
import { relativeTo, resolvePath } from '../../config/location.ts';
import type { VersionsDocument } from '../../node/documents.ts';
import { momentOf } from '../../base/time-text.ts';
import { ageText, sizeText } from '../amounts.ts';
import { askNode, type Handler } from '../context.ts';
import type { Line } from '../styled-text.ts';
import { renderTable } from '../table.ts';
import { UsageError } from '../usage-error.ts';

export const versions: Handler = (context) => {
  const { host, invocation, output, signal } = context;
  const [path] = invocation.words;
  return askNode(context, async (operations, config) => {
    const request = path === undefined ? {} : { path: managedPath(config, path) };
    const document = await operations.versions(request, { signal });
    const isEmpty = document.versions.length === 0;
    return {
      document,
      lines: isEmpty ? [] : versionTable(document, host.clock.nowMs(), output.columns),
      isAsked: true,
      notes: isEmpty ? ['No earlier versions are kept'] : [],
    };
  });
};

/** A path relative to the root, whichever way it was given. */
function managedPath(config: Config, path: string): string {
  const { root } = config.node;
  const relative = relativeTo(root, resolvePath(root, path));
  if (relative !== undefined && relative !== '') return relative;
  throw new UsageError(
    `The path "${path}" is not within the managed tree "${root}"`,
    'Give a path relative to the tree',
  );
}

function versionTable(document: VersionsDocument, nowMs: number, columns: number): Line[] {
  return renderTable(
    [
      { title: 'ID', isNumber: true },
      { title: 'GENERATION', isNumber: true },
      { title: 'CHANGED' },
      { title: 'CHANGE' },
      { title: 'SIZE', isNumber: true },
      { title: 'PATH' },
    ],
    document.versions.map(({ id, generation, replaced, kind, size, path }) => [
      String(id),
      String(generation),
      ageText(momentOf(replaced), nowMs),
      kind,
      // There was nothing, or nothing of it is left.
      kind === 'created' || kind === 'given-up' ? '' : sizeText(size),
      path,
    ]),
    columns,
  );
}
