import assert from 'node:assert/strict';
import test from 'node:test';
import { type Invocation, outputOptions, parseArguments } from '../../src/cli/arguments.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

function invocationOf(...argv: string[]): Invocation {
  const request = parseArguments(argv);
  assert.equal(request.kind, 'command');
  return (request as { invocation: Invocation }).invocation;
}

function mistakeOf(...argv: string[]): string {
  try {
    parseArguments(argv);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error.message;
  }
  throw new Error(`"${argv.join(' ')}" was accepted`);
}

test('parseArguments() reads a command, its arguments and its options, in any order', () => {
  for (
    const argv of [
      ['versions', 'etc/a.xml', '--dir', '/srv', '--json'],
      ['versions', '--dir=/srv', '--json', 'etc/a.xml'],
      ['--json', 'versions', '--dir', '/srv', 'etc/a.xml'],
      ['--dir', '/srv', '--json', 'versions', '--', 'etc/a.xml'],
    ]
  ) {
    const invocation = invocationOf(...argv);
    assert.equal(invocation.name, 'versions');
    assert.deepEqual(invocation.words, ['etc/a.xml']);
    assert.equal(invocation.value('dir'), '/srv');
    assert.equal(invocation.has('json'), true);
    assert.equal(invocation.has('quiet'), false);
    assert.equal(invocation.value('config'), undefined);
  }
});

test('parseArguments() reads commands of two words, and what a group means by default', () => {
  assert.equal(invocationOf('config', 'check').name, 'config check');
  assert.equal(invocationOf('nodes').name, 'nodes list');
  assert.equal(invocationOf('nodes', 'list').name, 'nodes list');
  assert.equal(invocationOf('nodes', '--json').name, 'nodes list');
  assert.deepEqual(invocationOf('nodes', 'revoke', 'worker-1').words, ['worker-1']);
});

test('parseArguments() leaves values as they were written, whatever they look like', () => {
  for (
    const text of ['007', '1e3', '0x10', 'true', 'false', '', ' ', 'a=b', '-', 'Infinity', '1.50']
  ) {
    assert.equal(invocationOf('init', `--name=${text}`).value('name'), text, text);
    if (!text.startsWith('-')) {
      assert.equal(invocationOf('init', '--name', text).value('name'), text, text);
      assert.deepEqual(invocationOf('approve', '--json', text).words, [text], text);
    }
  }
  assert.equal(invocationOf('init', '--name=--x').value('name'), '--x');
  assert.deepEqual(invocationOf('approve', '--', '-x').words, ['-x']);
});

test('parseArguments() collects an option that may be repeated', () => {
  const one = invocationOf('token', '--address', 'a:1');
  assert.deepEqual(one.values('address'), ['a:1']);
  const two = invocationOf('token', '--address', 'a:1', '--address=b:2');
  assert.deepEqual(two.values('address'), ['a:1', 'b:2']);
  assert.deepEqual(invocationOf('token').values('address'), []);
});

test('parseArguments() tells help and version from commands', () => {
  assert.deepEqual(parseArguments(['--help']), { kind: 'help', topic: undefined });
  assert.deepEqual(parseArguments(['-h']), { kind: 'help', topic: undefined });
  assert.deepEqual(parseArguments(['sync', '--help']), { kind: 'help', topic: 'sync' });
  assert.deepEqual(parseArguments(['config', '-h']), { kind: 'help', topic: 'config' });
  const revoke = parseArguments(['nodes', 'revoke', '--help']);
  assert.deepEqual(revoke, { kind: 'help', topic: 'nodes revoke' });
  assert.deepEqual(parseArguments(['--version']), { kind: 'version' });
  assert.equal(invocationOf('rollback', '--version', '7').value('version'), '7');
});

test('parseArguments() names what was probably meant', () => {
  const table: [string[], string][] = [
    [[], 'No command given'],
    [['staus'], 'Unknown command "staus", did you mean "status"?'],
    [['frobnicate'], 'Unknown command "frobnicate"'],
    [['--jso'], 'Unknown option "--jso" without a command'],
    [['config'], '"muster config" needs to be told what: check, show or schema'],
    [['cert'], '"muster cert" needs to be told what: show'],
    [['config', 'chekc'], 'Unknown command "config chekc", did you mean "config check"?'],
    [['nodes', 'expel', 'x'], 'Unknown command "nodes expel"'],
    [['status', '--wathc'], 'Unknown option "--wathc" of "muster status", did you mean "--watch"?'],
    [['sync', '-n'], 'Unknown option "-n" of "muster sync"'],
    [
      ['sync', '--no-color'],
      'Unknown option "--no-color" of "muster sync", did you mean "--color"?',
    ],
    [['config', 'schema', '--dir', 'x'], 'Unknown option "--dir" of "muster config schema"'],
    [['status', '--json=yes'], 'Option "--json" takes no value'],
    [['status', '--dir'], 'Option "--dir" needs a value: --dir DIR'],
    [['status', '--dir', '--json'], 'Option "--dir" needs a value: --dir DIR'],
    [['status', '--dir', 'a', '--dir', 'b'], 'Option "--dir" is given twice'],
    [['status', '--color', 'alway'], '--color cannot be "alway", did you mean "always"?'],
    [['status', 'now'], '"muster status" does not take the argument "now"'],
    [['nodes', 'revoke'], '"muster nodes revoke" needs NODE'],
    [['completion'], '"muster completion" needs SHELL'],
    [['completion', 'fissh'], 'SHELL cannot be "fissh", did you mean "fish"?'],
    [['status', '--__proto__', 'x'], 'Unknown option "--__proto__" of "muster status"'],
  ];
  for (const [argv, message] of table) assert.equal(mistakeOf(...argv), message);
});

test('outputOptions() finds how to write errors, however wrong the command line is', () => {
  assert.deepEqual(outputOptions(['x', '--json', '--nope']), {
    isJson: true,
    isQuiet: false,
    color: 'auto',
  });
  assert.deepEqual(outputOptions(['--quiet', '--color=never']), {
    isJson: false,
    isQuiet: true,
    color: 'never',
  });
  assert.equal(outputOptions(['a', '--color', 'always', 'b']).color, 'always');
  assert.equal(outputOptions(['a', '--color', 'purple']).color, 'auto');
  assert.equal(outputOptions(['a', '--', '--json']).isJson, false);
});
