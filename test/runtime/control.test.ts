/** The control socket and the admin address, over real sockets. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ClusterError } from '../../src/base/errors.ts';
import type { Listener, Logger } from '../../src/ports.ts';
import { callControl, streamControl } from '../../src/runtime/control-client.ts';
import { serveAdmin, serveControl } from '../../src/runtime/control-server.ts';
import type { ControlRequest, ControlRoutes } from '../../src/runtime/control-server.ts';
import { eventually } from './manual-clock.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-control-'));
after(() => rmSync(directory, { recursive: true }));
let socketsCount = 0;

const logged: string[] = [];
const log: Logger = { log: (_, text) => void logged.push(text), child: () => log };

function socketPath(): string {
  return join(directory, `${socketsCount++}.sock`);
}

/** Serves routes for the time of `work`. */
async function withControl(
  routes: ControlRoutes,
  work: (path: string, listener: Listener) => Promise<void>,
): Promise<void> {
  const listener = await serveControl({ path: socketPath(), routes, log });
  try {
    await work(listener.address, listener);
  } finally {
    await listener.close();
  }
}

function failure(code: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ClusterError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

/** What a client gets that is not ours. */
async function rawCall(
  where: { socketPath: string } | { host: string; port: string },
  method: string,
  path: string,
  body?: string,
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }> {
  const request = httpRequest({ ...where, method, path, agent: false });
  request.on('error', () => {});
  const answered = once(request, 'response');
  request.end(body);
  const [response] = await answered;
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, headers: response.headers, text };
}

const echo = ({ method, path, params, query, body }: ControlRequest) =>
  Promise.resolve({ body: { method, path, params, query: [...query], body } });

test('callControl() asks serveControl(), which is for the owner only', async () => {
  const routes = { 'GET /v1/status': echo, 'POST /v1/sync': echo, 'DELETE /v1/agents/:id': echo };
  await withControl(routes, async (path, listener) => {
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(await callControl({ path, route: '/v1/status?a=1&b=%20' }), {
      method: 'GET',
      path: '/v1/status',
      params: {},
      query: [['a', '1'], ['b', ' ']],
    });
    const body = { dryRun: true, name: 'ü' };
    const reply = await callControl({ path, method: 'POST', route: '/v1/sync', body });
    assert.deepEqual((reply as { body: unknown }).body, body);
    const deleted = await callControl({ path, method: 'DELETE', route: '/v1/agents/a%2Fb' });
    assert.deepEqual((deleted as { params: unknown }).params, { id: 'a/b' });
    await listener.close();
    assert.equal(existsSync(path), false);
  });
});

test('callControl() returns undefined for an empty reply', async () => {
  await withControl({ 'PUT /v1/nothing': () => Promise.resolve({}) }, async (path) => {
    assert.equal(await callControl({ path, method: 'PUT', route: '/v1/nothing' }), undefined);
  });
});

test('serveControl() talks to curl', async (t) => {
  await withControl({ 'GET /v1/status': echo }, async (path) => {
    const args = ['-sS', '--unix-socket', path, 'http://localhost/v1/status'];
    const { error, text } = await new Promise<{ error: Error | null; text: string }>((resolve) => {
      execFile('curl', args, (error, text) => resolve({ error, text }));
    });
    if ((error as NodeJS.ErrnoException | null)?.code === 'ENOENT') {
      t.skip('no curl here');
      return;
    }
    assert.equal((JSON.parse(text) as { path: string }).path, '/v1/status');
    assert.match(text, /\n$/);
  });
});

test('callControl() throws what a handler threw', async () => {
  const routes: ControlRoutes = {
    'GET /halted': () =>
      Promise.reject(new ClusterError('halted', 'Too many deletions', { remedy: 'Approve' })),
    'GET /bug': () => Promise.reject(new TypeError('x is undefined')),
  };
  await withControl(routes, async (path) => {
    await assert.rejects(callControl({ path, route: '/halted' }), (error: ClusterError) => {
      failure('halted', /^Too many deletions$/)(error);
      assert.equal(error.remedy, 'Approve');
      return true;
    });
    assert.equal((await rawCall({ socketPath: path }, 'GET', '/halted')).status, 409);
    assert.deepEqual(logged, []);
    await assert.rejects(callControl({ path, route: '/bug' }), failure('failed', /x is undefined/));
    assert.deepEqual(logged.splice(0), ['Cannot answer GET /bug: x is undefined']);
  });
});

test('serveControl() answers what it does not know or cannot read', async () => {
  await withControl({ 'GET /v1/status': echo, 'POST /v1/sync': echo }, async (path) => {
    const cases = [
      ['GET', '/v2', undefined, 404, 'notFound'],
      ['GET', '/v1/status/', undefined, 404, 'notFound'],
      ['GET', '/v1/sync', undefined, 405, 'refused'],
      ['POST', '/v1/sync', '{"a":', 400, 'protocol'],
      ['POST', '/v1/sync', '"a"', 200, undefined],
      ['POST', '/v1/sync', JSON.stringify('a'.repeat(1024 * 1024)), 413, 'refused'],
    ] as const;
    for (const [method, route, body, status, code] of cases) {
      const reply = await rawCall({ socketPath: path }, method, route, body);
      assert.equal(reply.status, status, `${method} ${route}`);
      const { error } = JSON.parse(reply.text) as { error?: { code: string; message: string } };
      assert.equal(error?.code, code);
      if (error !== undefined) assert.ok(error.message.length > 10);
    }
    const { headers } = await rawCall({ socketPath: path }, 'GET', '/v1/sync');
    assert.equal(headers['allow'], 'POST');
    assert.deepEqual(logged, []);
    // Nonsense that is no HTTP leaves it in good health.
    const socket = connect({ path });
    socket.on('error', () => {});
    socket.end('\u0000\u0001 nonsense\r\n\r\n');
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    await callControl({ path, route: '/v1/status' });
  });
});

test('streamControl() yields documents as they come', async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  async function* progress(): AsyncGenerator<unknown> {
    yield { step: 0 };
    await gates[0]!.promise;
    yield { step: 1, text: 'ü'.repeat(100_000) };
    await gates[1]!.promise;
    yield { step: 2 };
  }
  await withControl({ 'POST /v1/sync': async () => ({ body: progress() }) }, async (path) => {
    const steps: unknown[] = [];
    const stream = streamControl({ path, method: 'POST', route: '/v1/sync' });
    for await (const document of stream) {
      steps.push((document as { step: number }).step);
      // The next one is not made before this one has arrived.
      gates[steps.length - 1]?.resolve();
    }
    assert.deepEqual(steps, [0, 1, 2]);
  });
});

test('streamControl() throws the error that ends a stream', async () => {
  async function* progress(): AsyncGenerator<unknown> {
    yield { step: 0 };
    throw new ClusterError('noSpace', 'Disk full', { remedy: 'Make room' });
  }
  const routes: ControlRoutes = {
    'GET /stream': async () => ({ body: progress() }),
    'GET /refused': () => Promise.reject(new ClusterError('busy', 'Not now')),
  };
  await withControl(routes, async (path) => {
    const stream = streamControl({ path, route: '/stream' });
    assert.deepEqual((await stream.next()).value, { step: 0 });
    await assert.rejects(stream.next(), failure('noSpace', /^Disk full$/));
    const refused = streamControl({ path, route: '/refused' });
    await assert.rejects(refused.next(), failure('busy', /^Not now$/));
  });
});

test('ControlRequest.signal is aborted when the client goes away', async () => {
  const signals: AbortSignal[] = [];
  let isFinished = false;
  async function* endless(): AsyncGenerator<unknown> {
    try {
      for (let step = 0;; step++) {
        yield { step };
        await new Promise((resolve) => void setTimeout(resolve, 0));
      }
    } finally {
      isFinished = true;
    }
  }
  const routes: ControlRoutes = {
    'GET /stream': async ({ signal }) => {
      signals.push(signal);
      return { body: endless() };
    },
    'GET /never': ({ signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    },
    'GET /done': ({ signal }) => {
      signals.push(signal);
      return Promise.resolve({ body: 'done' });
    },
  };
  await withControl(routes, async (path) => {
    for await (const document of streamControl({ path, route: '/stream' })) {
      if ((document as { step: number }).step === 3) break;
    }
    await eventually('the stream is left', () => isFinished && signals[0]!.aborted);

    const controller = new AbortController();
    const { signal } = controller;
    const asking = assert.rejects(
      callControl({ path, route: '/never', signal }),
      failure('aborted', /^Enough$/),
    );
    await eventually('it is asked', () => signals.length === 2);
    controller.abort(new ClusterError('aborted', 'Enough'));
    await asking;
    await eventually('the handler is told', () => signals[1]!.aborted);

    await callControl({ path, route: '/done' });
    assert.equal(signals[2]!.aborted, false);
  });
});

/** What a handler of a stream has got, in pieces of any length. */
async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const gathered: Uint8Array[] = [];
  for await (const chunk of chunks) gathered.push(chunk);
  return Buffer.concat(gathered);
}

/** A request that is written piece by piece. */
function openCall(socketPath: string, path: string) {
  const request = httpRequest({ socketPath, method: 'POST', path, agent: false });
  request.on('error', () => {});
  const answered = once(request, 'response').then(async ([response]) => {
    let text = '';
    for await (const chunk of response) text += String(chunk);
    return { status: response.statusCode as number, text };
  });
  answered.catch(() => {});
  return { request, answered };
}

test('a route may take a body of any size, byte for byte', async () => {
  const sent = Buffer.alloc(3 * 1024 * 1024, Buffer.from([0, 255, 10, 128, 7, 13, 226]));
  let got: Uint8Array = new Uint8Array();
  const routes: ControlRoutes = {
    'POST /v1/agents/:id': {
      takeStream: async ({ chunks, params, query }) => {
        got = await gather(chunks);
        return { body: { params, query: [...query], bytes: got.length } };
      },
    },
  };
  await withControl(routes, async (path) => {
    const { request, answered } = openCall(path, '/v1/agents/7?a=b');
    request.end(sent);
    const { status, text } = await answered;
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(text), {
      params: { id: '7' },
      query: [['a', 'b']],
      bytes: sent.length,
    });
    assert.ok(sent.equals(got));
    assert.equal((await rawCall({ socketPath: path }, 'POST', '/v1/agents/7')).status, 200);
    assert.equal(got.length, 0);
  });
});

test('a body is read no faster than it is used', async () => {
  const taken = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  let bytesCount = 0;
  const routes: ControlRoutes = {
    'POST /slow': {
      takeStream: async ({ chunks }) => {
        for await (const chunk of chunks) {
          bytesCount += chunk.length;
          taken.resolve();
          await goOn.promise;
        }
        return { body: bytesCount };
      },
    },
  };
  await withControl(routes, async (path) => {
    const { request, answered } = openCall(path, '/slow');
    const sent = 32 * 1024 * 1024;
    let isAllWritten = false;
    const piece = Buffer.alloc(64 * 1024, 'x');
    const writing = (async () => {
      for (let left = sent; left > 0; left -= piece.length) {
        if (!request.write(piece)) await once(request, 'drain');
      }
      isAllWritten = true;
      request.end();
    })();
    await taken.promise;
    // A good while in which a server that reads on would have taken everything.
    for (let turn = 0; turn < 2000; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isAllWritten, false);
    goOn.resolve();
    await writing;
    assert.equal((await answered).text, `${sent}\n`);
  });
});

test('a handler sees what has arrived before the rest is sent', async () => {
  const seen: string[] = [];
  const routes: ControlRoutes = {
    'POST /lines': {
      takeStream: async ({ chunks }) => {
        for await (const chunk of chunks) seen.push(Buffer.from(chunk).toString());
        return { body: seen.length };
      },
    },
  };
  await withControl(routes, async (path) => {
    const { request, answered } = openCall(path, '/lines');
    request.write('first\n');
    await eventually('the first piece is there', () => seen.join('') === 'first\n');
    request.end('second\n');
    assert.equal((await answered).status, 200);
    assert.equal(seen.join(''), 'first\nsecond\n');
  });
});

test('a handler that fails in the middle of a body is heard by the client', async () => {
  const routes: ControlRoutes = {
    'POST /full': {
      takeStream: async ({ chunks }) => {
        for await (const _ of chunks) throw new ClusterError('noSpace', 'Disk full');
        return {};
      },
    },
  };
  await withControl(routes, async (path) => {
    const { request, answered } = openCall(path, '/full');
    const piece = Buffer.alloc(64 * 1024, 'x');
    for (let count = 0; count < 64; count++) {
      if (!request.write(piece)) await Promise.race([once(request, 'drain'), answered]);
    }
    request.end();
    const { status, text } = await answered;
    assert.equal(status, 507);
    assert.match(text, /Disk full/);
    assert.deepEqual(logged, []);
  });
});

test('a client that goes away in the middle of a body ends the work for it', async () => {
  const endings: unknown[] = [];
  const routes: ControlRoutes = {
    'POST /gone': {
      takeStream: async ({ chunks }) => {
        try {
          for await (const chunk of chunks) endings.push(chunk.length);
        } catch (error) {
          endings.push((error as ClusterError).code);
          throw error;
        }
        return {};
      },
    },
    'GET /v1/status': echo,
  };
  await withControl(routes, async (path) => {
    const { request } = openCall(path, '/gone');
    request.write('abc');
    await eventually('the body has begun', () => endings.length === 1);
    request.destroy();
    await eventually('the handler is told', () => endings.length === 2);
    assert.deepEqual(endings, [3, 'aborted']);
    await callControl({ path, route: '/v1/status' });
    assert.deepEqual(logged, []);
  });
});

test('a reply may be text in pieces', async () => {
  async function* pieces(isBroken: boolean) {
    yield '{"a":[';
    yield '1,'.repeat(500_000);
    if (isBroken) throw new ClusterError('failed', 'Broken');
    yield '2]}';
  }
  const routes: ControlRoutes = {
    'GET /whole': async () => ({ pieces: pieces(false) }),
    'GET /broken': async () => ({ pieces: pieces(true) }),
  };
  await withControl(routes, async (path) => {
    const document = await callControl({ path, route: '/whole' }) as { a: number[] };
    assert.equal(document.a.length, 500_001);
    await assert.rejects(
      callControl({ path, route: '/broken' }),
      failure('unreachable', /is lost: /),
    );
  });
});

test('callControl() has a deadline', async () => {
  await withControl({ 'GET /never': () => new Promise(() => {}) }, async (path) => {
    await assert.rejects(
      callControl({ path, route: '/never', timeoutMs: 20 }),
      failure('timeout', /^The answer to \/never took longer than 20 ms$/),
    );
  });
});

test('callControl() says that no daemon runs', async () => {
  const message = /^No muster runs at ".*\.sock"$/;
  await assert.rejects(
    callControl({ path: socketPath(), route: '/v1/status' }),
    failure('unreachable', message),
  );
  await assert.rejects(
    streamControl({ path: socketPath(), route: '/v1/status' }).next(),
    failure('unreachable', message),
  );
});

test('callControl() says that the daemon died in the middle', async () => {
  const path = socketPath();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":');
      setTimeout(() => socket.destroy(), 5);
    });
  }).listen(path);
  await once(server, 'listening');
  await assert.rejects(
    callControl({ path, route: '/v1/status' }),
    failure('unreachable', /^Connection to ".*" is lost: /),
  );
  server.close();
});

test('serveControl() replaces a socket that nobody listens on, and no other', async (t) => {
  const path = socketPath();
  const leave = `import socket; s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(path)})`;
  const left = spawn('python3', ['-c', leave], { stdio: 'ignore' });
  const code = await new Promise((resolve) => left.on('exit', resolve).on('error', resolve));
  if (code !== 0) {
    t.skip('no python3 here');
    return;
  }
  assert.ok(statSync(path).isSocket());
  const listener = await serveControl({ path, routes: { 'GET /a': echo }, log });
  await callControl({ path, route: '/a' });

  await assert.rejects(
    serveControl({ path, routes: {}, log }),
    failure('locked', /^Another muster answers on ".*\.sock"$/),
  );
  await callControl({ path, route: '/a' });
  await listener.close();

  writeFileSync(path, 'precious');
  await assert.rejects(
    serveControl({ path, routes: {}, log }),
    failure('refused', /it is a file$/),
  );
  assert.equal(statSync(path).size, 8);
});

test('serveControl() says that a path is too long for a socket', async () => {
  const path = join(directory, 'a'.repeat(120));
  await assert.rejects(
    serveControl({ path, routes: {}, log }),
    failure('configuration', /its path has \d+ bytes, 10[37] are possible$/),
  );
});

test('serveAdmin() serves text and JSON over TCP, and changes nothing', async () => {
  const listener = await serveAdmin({
    address: '127.0.0.1:0',
    routes: {
      'GET /metrics': () =>
        Promise.resolve({ body: 'up 1\n', contentType: 'text/plain; version=0.0.4' }),
      'GET /readyz': () => Promise.resolve({ status: 503, body: { isReady: false } }),
    },
    log,
  });
  const [host, port] = listener.address.split(':') as [string, string];
  const metrics = await rawCall({ host, port }, 'GET', '/metrics');
  assert.equal(metrics.text, 'up 1\n');
  assert.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4');
  assert.equal(metrics.headers['x-content-type-options'], 'nosniff');
  const ready = await rawCall({ host, port }, 'GET', '/readyz');
  assert.equal(ready.status, 503);
  assert.equal(ready.text, '{"isReady":false}\n');
  assert.equal((await rawCall({ host, port }, 'HEAD', '/metrics')).text, '');
  assert.equal((await rawCall({ host, port }, 'POST', '/metrics', '{}')).status, 405);
  await assert.rejects(
    serveAdmin({ address: listener.address, routes: {}, log }),
    failure('failed', /^Cannot listen on .*: another program listens there already$/),
  );
  await listener.close();
  await assert.rejects(
    serveAdmin({ address: '127.0.0.1:0', routes: { 'POST /a': echo }, log }),
    /changes nothing/,
  );
});
