/**
 * The JSON Schema of the configuration file, for editors and for `muster config schema`.
 *
 * Required keys of `[node]` are not marked as required: the environment may give them.
 */
import * as v from 'valibot';
import { groupRuleKeys } from './group-rule-keys.ts';
import { type Table, tables } from './keys.ts';
import type { Key } from './key.ts';
import { setKeys } from './set-keys.ts';

/** A JSON Schema document. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The JSON Schema (draft 2020-12) of the configuration file. */
export async function configJsonSchema(): Promise<JsonSchema> {
  // Loaded when asked for: no other command needs it.
  const { toJsonSchema } = await import('@valibot/to-json-schema');
  const entries = Object.entries<Table>(tables).map(([name, { doc, keys }]) =>
    [name, v.optional(v.pipe(tableSchema(keys), v.description(doc)))] as const
  );
  const set = v.pipe(
    tableSchema(setKeys, ['name', 'path']),
    v.description('A set of managed files'),
  );
  const groupRule = v.pipe(
    tableSchema(groupRuleKeys, ['groups']),
    v.description('A rule that gives groups to new agents'),
  );
  const file = v.strictObject({
    include: v.optional(
      v.pipe(v.array(v.string()), v.description('Patterns of further files, which hold sets only')),
    ),
    ...Object.fromEntries(entries),
    sets: v.optional(v.array(set)),
    group_rules: v.optional(v.array(groupRule)),
  });
  const { $schema, ...schema } = toJsonSchema(file, { target: 'draft-2020-12', typeMode: 'input' });
  return { $schema, title: 'Configuration of muster', ...schema };
}

// ---------------------------------------------------------------------------------------------

function tableSchema(
  keys: Readonly<Record<string, Key>>,
  requiredNames: readonly string[] = [],
): v.GenericSchema {
  const entries = Object.entries(keys).map(([name, key]) => {
    const described = v.pipe(key.schema, v.description(describe(key)));
    return [
      name,
      requiredNames.includes(name) ? described : v.optional(described, key.default as undefined),
    ] as const;
  });
  return v.strictObject(Object.fromEntries(entries));
}

function describe(key: Key): string {
  if (key.required !== undefined) return `${key.doc}. Required`;
  return key.derived === undefined ? key.doc : `${key.doc}. Default: ${key.derived}`;
}
