/** The options of a script. What its first comment says of them is its help. */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

/** What `parseArgs` makes of such options. */
type Parsed<O extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ options: O; allowPositionals: boolean }>
>;

/**
 * Reads what the script was called with. `--help` prints the script's first comment and ends the
 * process.
 * @param url `import.meta.url` of the script
 * @throws Error where there is no such option
 */
export function scriptOptions<const O extends ParseArgsOptionsConfig>(
  url: string,
  options: O,
  { allowPositionals = false } = {},
): Parsed<O> {
  if (process.argv.slice(2).some((word) => word === '--help' || word === '-h')) {
    console.log(firstComment(readFileSync(fileURLToPath(url), 'utf8')));
    process.exit(0);
  }
  return parseArgs({ options, allowPositionals });
}

/** The text of the comment that a source begins with; empty where it begins with none. */
export function firstComment(source: string): string {
  const [, text = ''] = /^\/\*\*(.*?)\*\//s.exec(source) ?? [];
  return text.replaceAll(/^ \* ?/gm, '').trim();
}
