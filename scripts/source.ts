/**
 * What a source file says, as plain facts: its imports, the ambient names it uses, its comments
 * and its functions.
 *
 * Read from the syntax tree, so that nothing inside a string or a comment counts. Knows no rule:
 * scripts/check.ts judges.
 */
import { parseSync, Visitor } from 'oxc-parser';

/** One import, re-export, dynamic import or `new URL('./x.ts', import.meta.url)`. */
export interface Import {
  /** What is imported, as written; `undefined` when it is computed. */
  readonly specifier: string | undefined;
  /** True when only types come of it, so that nothing is loaded at run time. */
  readonly isTypeOnly: boolean;
  readonly line: number;
}

/** A name used as a value, such as `Date`, or with its member, such as `Math.random`. */
export interface NameUse {
  readonly name: string;
  readonly line: number;
}

/** A comment's text. */
export interface Comment {
  readonly text: string;
  readonly line: number;
}

/** A function, method or arrow function with a body. */
export interface FunctionFacts {
  readonly name: string;
  readonly line: number;
  readonly linesCount: number;
}

/** All facts about one file. */
export interface SourceFacts {
  /** First syntax error, when there is one; the other facts are then incomplete. */
  readonly error: string | undefined;
  readonly linesCount: number;
  readonly imports: readonly Import[];
  readonly names: readonly NameUse[];
  readonly comments: readonly Comment[];
  readonly functions: readonly FunctionFacts[];
}

/** Reads the facts out of a TypeScript source text. */
export function readSource(text: string): SourceFacts {
  const { program, module, comments, errors } = parseSync('source.ts', text);
  const lineOf = lineFinder(text);
  const imports: Import[] = [];
  for (const { moduleRequest, entries, start } of module.staticImports) {
    const isTypeOnly = entries.length > 0 && entries.every((entry) => entry.isType);
    imports.push({ specifier: moduleRequest.value, isTypeOnly, line: lineOf(start) });
  }
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, isType, start } of entries) {
      if (moduleRequest === null) continue;
      imports.push({ specifier: moduleRequest.value, isTypeOnly: isType, line: lineOf(start) });
    }
  }
  imports.push(...readLoads(program, lineOf));
  return {
    error: errors[0]?.message,
    linesCount: text.endsWith('\n') ? text.split('\n').length - 1 : text.split('\n').length,
    imports,
    names: readNames(program, lineOf),
    comments: comments.map(({ value, start }) => ({ text: value, line: lineOf(start) })),
    functions: readFunctions(program, lineOf),
  };
}

// ---

type Program = ReturnType<typeof parseSync>['program'];
type LineOf = (offset: number) => number;

/** A syntax node as far as this file looks into it. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

function lineFinder(text: string): LineOf {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    const next = starts.findIndex((start) => start > offset);
    return next === -1 ? starts.length : next;
  };
}

/** Names used as values: not keys, not members after a dot, not types, not after `instanceof`. */
function readNames(program: Program, lineOf: LineOf): NameUse[] {
  // By position, since `{ name }` is both a key and a value there.
  const names = new Map<string, NameUse>();
  const add = (name: string, start: number) =>
    void names.set(`${start} ${name}`, { name, line: lineOf(start) });
  // A visitor meets a parent before its children: it notes which children are no values.
  const notValues = new Set<number>();
  const key = (node: { key: Node; computed?: boolean; shorthand?: boolean }) => {
    if (node.computed !== true && node.shorthand !== true) notValues.add(node.key.start);
  };
  new Visitor({
    Identifier: ({ name, start }) => {
      if (!notValues.has(start)) add(name, start);
    },
    MemberExpression: ({ object, property, computed, start }) => {
      if (!computed) notValues.add(property.start);
      if (object.type === 'Identifier' && property.type === 'Identifier') {
        add(`${object.name}.${property.name}`, start);
      }
    },
    // `value instanceof Date` asks, it does nothing.
    BinaryExpression: ({ operator, right }) => {
      if (operator === 'instanceof') notValues.add(right.start);
    },
    Property: key,
    MethodDefinition: key,
    PropertyDefinition: key,
    AccessorProperty: key,
    TSPropertySignature: key,
    TSMethodSignature: key,
    TSTypeReference: ({ typeName }) => void notValues.add(typeName.start),
    TSQualifiedName: ({ left, right }) => void notValues.add(left.start).add(right.start),
    ImportSpecifier: ({ imported }) => void notValues.add(imported.start),
    ExportSpecifier: ({ exported }) => void notValues.add(exported.start),
  }).visit(program);
  return [...names.values()];
}

/** Functions with a body, by the name of what they are assigned to when they have none. */
function readFunctions(program: Program, lineOf: LineOf): FunctionFacts[] {
  const functions: FunctionFacts[] = [];
  const names = new Map<number, string>();
  const assign = (target: Node | null, value: Node | null | undefined) => {
    if (target && value && 'name' in target) names.set(value.start, String(target.name));
  };
  const add = (node: Node & { id?: Node | null; body?: unknown }) => {
    if (!node.body) return;
    assign(node.id ?? null, node);
    const line = lineOf(node.start);
    const linesCount = lineOf(node.end) - line + 1;
    functions.push({ name: names.get(node.start) ?? '(anonymous)', line, linesCount });
  };
  new Visitor({
    Property: ({ key, value }) => assign(key, value),
    MethodDefinition: ({ key, value }) => assign(key, value),
    PropertyDefinition: ({ key, value }) => assign(key, value),
    VariableDeclarator: ({ id, init }) => assign(id, init),
    FunctionDeclaration: add,
    FunctionExpression: add,
    ArrowFunctionExpression: add,
  }).visit(program);
  return functions;
}

/** What is loaded by an expression or named by a type: `import()` and worker files. */
function readLoads(program: Program, lineOf: LineOf): Import[] {
  const loads: Import[] = [];
  const load = (source: Node, isTypeOnly: boolean) => {
    const isLiteral = 'value' in source && typeof source.value === 'string';
    const specifier = isLiteral ? String(source.value) : undefined;
    loads.push({ specifier, isTypeOnly, line: lineOf(source.start) });
  };
  new Visitor({
    ImportExpression: ({ source }) => load(source, false),
    TSImportType: ({ source }) => load(source, true),
    NewExpression: ({ callee, arguments: [first, base] }) => {
      const isUrl = callee.type === 'Identifier' && callee.name === 'URL' && base !== undefined;
      if (isUrl && first?.type === 'Literal' && String(first.value).endsWith('.ts')) {
        load(first, false);
      }
    },
  }).visit(program);
  return loads;
}
