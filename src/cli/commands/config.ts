/**
 * `muster config`: whether the configuration is valid, what is in effect, and what can be in it.
 */
import { effectiveDocument, renderEffective } from '../../config/effective.ts';
import { configJsonSchema } from '../../config/json-schema.ts';
import { countOf } from '../amounts.ts';
import { type Handler, loadNodeConfig, loadParsedConfig } from '../context.ts';
import type { ConfigCheckDocument } from '../documents.ts';
import { versioned } from '../output.ts';

export const configCheck: Handler = async (context) => {
  // Whatever is wrong is thrown, all of it at once.
  const { file, node, sets } = await loadNodeConfig(context);
  const { name, role, cluster } = node;
  const document: ConfigCheckDocument = versioned({
    file,
    node: name,
    role,
    cluster,
    sets: sets.length,
  });
  return {
    document,
    lines: [
      `${file} is valid: ${role} "${name}" of cluster "${cluster}", ${countOf(sets.length, 'set')}`,
    ],
  };
};

export const configShow: Handler = async (context) => {
  const { config, origins } = await loadParsedConfig(context);
  return {
    document: effectiveDocument(config, origins),
    lines: renderEffective(config, origins).trimEnd().split('\n'),
    isAsked: true,
  };
};

export const configSchema: Handler = async ({ output }) => {
  output.document(await configJsonSchema());
  return undefined;
};
