/**
 * Certificates of ours in real TLS 1.3 handshakes over loopback, on whatever runtime runs this.
 *
 * `inspect` is how muster connects: the TLS library proves that each end holds the key of the
 * certificate it shows, and we decide the rest, with the same verdict on every runtime; a refusing
 * end says why before it hangs up. `strict` has the library refuse: it must never let anyone
 * through whom we would not, though it often cannot say why.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { checkPeer, isRefusal } from '../../src/identity/checks.ts';
import type { Refusal, Verdict } from '../../src/identity/checks.ts';
import { explainRefusal } from '../../src/identity/refusal-text.ts';
import type { RefusalEnd } from '../../src/identity/refusal-text.ts';
import { mapTlsFailure } from '../../src/identity/tls-failures.ts';
import type { NodeIdentity } from '../../src/ports.ts';
import {
  createAuthority,
  selfIssueMaster,
  signRequest,
} from '../../src/runtime/certificate-authority.ts';
import type { KeyedCertificate } from '../../src/runtime/certificate-authority.ts';
import { createNodeKey, createRequest } from '../../src/runtime/certificate-request.ts';
import {
  fingerprint,
  presentedChain,
  readCertificate,
  verifyPresentedChain,
} from '../../src/runtime/certificates.ts';

const DAY_MS = 86_400_000;
const nowMs = Date.now();
const PROTOCOL = 'muster/1';

/** Who decides about the peer: we, or the TLS library. */
type Mode = 'inspect' | 'strict';

/** A node with its certificate, and the authority it trusts. */
interface Node extends KeyedCertificate {
  readonly authority: KeyedCertificate;
  readonly cluster: string;
}

/** What an end made of a connection. */
type Outcome =
  | { readonly kind: 'accepted'; readonly identity: NodeIdentity }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly end: RefusalEnd }
  /** Closed without an error and without a word. */
  | { readonly kind: 'closed' };

const office = await createAuthority({ cluster: 'office', nowMs: nowMs - 200 * DAY_MS });
const twin = await createAuthority({ cluster: 'office', nowMs });
const lab = await createAuthority({ cluster: 'lab', nowMs });

const master = await makeNode('master', 'm1');
const worker = await makeNode('worker', 'w1');

async function makeNode(
  role: NodeIdentity['role'],
  node: string,
  change: { authority?: KeyedCertificate; cluster?: string; madeAtMs?: number } = {},
): Promise<Node> {
  const { authority = office, cluster = 'office', madeAtMs = nowMs } = change;
  const options = { authority, nowMs: madeAtMs };
  if (role === 'master') {
    return { ...await selfIssueMaster({ ...options, node }), authority, cluster };
  }
  const identity: NodeIdentity = { cluster, node, role };
  const keyPem = createNodeKey();
  const request = await createRequest({ keyPem, identity });
  return {
    certificatePem: await signRequest({ ...options, request, identity }),
    keyPem,
    authority,
    cluster,
  };
}

/** What an end makes of the other one; in `strict` mode, whatever the library let through. */
function judge(self: Node, socket: tls.TLSSocket, role: NodeIdentity['role'], mode: Mode): Verdict {
  const [leaf] = presentedChain(socket);
  const authority = self.authority.certificatePem;
  const facts = leaf === undefined ? undefined : readCertificate(leaf, authority);
  if (mode === 'strict' && facts?.identity !== undefined) {
    return { kind: 'accepted', identity: facts.identity };
  }
  return checkPeer(
    facts,
    { authorityFingerprint: fingerprint(authority), cluster: self.cluster, role },
    nowMs,
  );
}

function secureOptions(
  self: Node | undefined,
  mode: Mode,
): tls.SecureContextOptions & {
  rejectUnauthorized: boolean;
  ALPNProtocols: string[];
} {
  return {
    ...(self === undefined ? {} : {
      cert: self.certificatePem + self.authority.certificatePem,
      key: self.keyPem,
      ca: self.authority.certificatePem,
    }),
    minVersion: 'TLSv1.3',
    rejectUnauthorized: mode === 'strict',
    ALPNProtocols: [PROTOCOL],
  };
}

/** A failure as this end has to report it; anything that is no refusal fails the test. */
function refusedBy(error: NodeJS.ErrnoException): Outcome {
  const failure = mapTlsFailure(error.code ?? '', error.message);
  assert.ok(failure !== undefined, `unmapped: ${error.code} ${error.message}`);
  return { kind: 'refused', ...failure };
}

/**
 * One end of a connection that has gone through the handshake: judges the peer, tells it the
 * verdict as one line, and waits for the peer's. Both must accept for either to go on.
 */
async function greet(
  self: Node,
  socket: tls.TLSSocket,
  role: NodeIdentity['role'],
  mode: Mode,
): Promise<Outcome> {
  const verdict = judge(self, socket, role, mode);
  socket.end(`${JSON.stringify(verdict)}\n`);
  const answer = await readLine(socket);
  if (isRefusal(verdict)) return { kind: 'refused', refusal: verdict, end: 'checker' };
  if (answer instanceof Error) return refusedBy(answer);
  if (answer === '') return { kind: 'closed' };
  const theirs = JSON.parse(answer) as Verdict;
  return isRefusal(theirs) ? { kind: 'refused', refusal: theirs, end: 'holder' } : verdict;
}

async function readLine(socket: tls.TLSSocket): Promise<string | Error> {
  let text = '';
  try {
    for await (const chunk of socket) text += String(chunk);
    return text.trim();
  } catch (error) {
    return error as Error;
  }
}

/** Connects two nodes and answers what became of it at both ends. */
async function meet(
  serverNode: Node,
  clientNode: Node | undefined,
  mode: Mode = 'inspect',
): Promise<{ server: Outcome; client: Outcome }> {
  const server = tls.createServer({ ...secureOptions(serverNode, mode), requestCert: true });
  const serverOutcome = new Promise<Outcome>((resolve) => {
    server.on('secureConnection', (socket) => resolve(greet(serverNode, socket, 'worker', mode)));
    server.on('tlsClientError', (error, socket) => {
      socket.destroy();
      resolve(refusedBy(error));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = tls.connect({
    ...secureOptions(clientNode, mode),
    ...(clientNode === undefined ? { ca: serverNode.authority.certificatePem } : {}),
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    // Identity is the URI in the certificate: the host name says nothing.
    checkServerIdentity: () => undefined,
  });
  const clientOutcome = new Promise<Outcome>((resolve) => {
    socket.once(
      'secureConnect',
      () => resolve(greet(clientNode ?? worker, socket, 'master', mode)),
    );
    socket.once('error', (error) => resolve(refusedBy(error)));
  });
  const outcome = { client: await clientOutcome, server: await serverOutcome };
  socket.destroy();
  server.close();
  await once(server, 'close');
  return outcome;
}

function textOf(outcome: Outcome, peer: string): string {
  return outcome.kind === 'refused'
    ? explainRefusal(outcome.refusal, outcome.end, peer).message
    : outcome.kind;
}

/** Both ends of one meeting in words, as the master and the worker would log them. */
async function inWords(serverNode: Node, clientNode: Node | undefined): Promise<[string, string]> {
  const { server, client } = await meet(serverNode, clientNode);
  return [textOf(server, 'worker'), textOf(client, 'master')];
}

test("a master and a worker of one cluster read each other's identity", async () => {
  for (const mode of ['inspect', 'strict'] as const) {
    const { server, client } = await meet(master, worker, mode);
    assert.deepEqual(server, {
      kind: 'accepted',
      identity: { cluster: 'office', node: 'w1', role: 'worker' },
    });
    assert.deepEqual(client, {
      kind: 'accepted',
      identity: { cluster: 'office', node: 'm1', role: 'master' },
    });
  }
});

test("checkPeer() refuses a worker's certificate used by a server, and both ends say so", async () => {
  const { server, client } = await meet(await makeNode('worker', 'w2'), worker);
  assert.deepEqual(client, {
    kind: 'refused',
    refusal: { kind: 'wrongRole', expected: 'master', actual: 'worker' },
    end: 'checker',
  });
  assert.equal(
    textOf(client, 'master'),
    'Cannot accept master: its certificate is that of a worker, not of a master',
  );
  assert.equal(
    textOf(server, 'worker'),
    "Not accepted by worker: this node's certificate is that of a worker, not of a master",
  );
});

test('checkPeer() refuses an unknown authority in both directions, even of the same name', async () => {
  const strangeWorker = await makeNode('worker', 'w1', { authority: twin });
  const [atMaster, atStranger] = await inWords(master, strangeWorker);
  const reason = 'certificate was not issued by the authority of the cluster';
  assert.equal(atMaster, `Cannot accept worker: its ${reason}`);
  // Neither trusts the other; each reports what it found itself.
  assert.equal(atStranger, `Cannot accept master: its ${reason}`);

  const trusting: Node = { ...strangeWorker, authority: { ...office } };
  const told = await meet(master, trusting);
  assert.equal(textOf(told.client, 'master'), `Not accepted by master: this node's ${reason}`);

  const strangeMaster = await makeNode('master', 'm1', { authority: twin });
  const refused = await meet({ ...strangeMaster, authority: office }, worker);
  assert.equal(textOf(refused.client, 'master'), `Cannot accept master: its ${reason}`);
  assert.equal(textOf(refused.server, 'worker'), `Not accepted by worker: this node's ${reason}`);
});

test('checkPeer() refuses another cluster and names both', async () => {
  const labWorker = await makeNode('worker', 'w1', { authority: lab, cluster: 'lab' });
  assert.deepEqual(await inWords(master, labWorker), [
    'Cannot accept worker: it belongs to cluster "lab", not to "office"',
    'Cannot accept master: it belongs to cluster "office", not to "lab"',
  ]);
});

test('checkPeer() refuses an expired certificate of either end, with the date', async () => {
  const old = { madeAtMs: nowMs - 100 * DAY_MS };
  const [atMaster, atOldWorker] = await inWords(master, await makeNode('worker', 'w1', old));
  const expired = /certificate expired at \d{4}-\d\d-\d\d \d\d:\d\d UTC, (9|10|11) days ago$/;
  assert.match(atMaster, /^Cannot accept worker: its /);
  assert.match(atMaster, expired);
  assert.match(atOldWorker, /^Not accepted by master: this node's /);
  assert.match(atOldWorker, expired);

  const [atOldMaster, atWorker] = await inWords(await makeNode('master', 'm1', old), worker);
  assert.match(atWorker, /^Cannot accept master: its /);
  assert.match(atWorker, expired);
  assert.match(atOldMaster, /^Not accepted by worker: this node's /);
  assert.match(atOldMaster, expired);
});

test('checkPeer() refuses a certificate from the future and says how far clocks differ', async () => {
  const early = { madeAtMs: nowMs + 65 * 60_000 };
  const [atMaster, atWorker] = await inWords(master, await makeNode('worker', 'w1', early));
  // Certificates begin five minutes in the past of the clock they were made by.
  assert.match(
    atMaster,
    /its certificate is not yet valid before .*differ by 60 minutes at least$/,
  );
  assert.match(atWorker, /^Not accepted by master: this node's certificate is not yet valid/);
});

test('checkPeer() refuses a worker that shows no certificate', async () => {
  const [atMaster, atWorker] = await inWords(master, undefined);
  assert.equal(atMaster, 'Cannot accept worker: it showed no certificate');
  assert.equal(atWorker, 'Not accepted by master: this node showed no certificate');
});

test('mapTlsFailure() reads a missing common protocol at both ends', async () => {
  const server = tls.createServer({ ...secureOptions(master, 'inspect'), requestCert: true });
  const atServer = new Promise<Outcome>((resolve) => {
    server.on('tlsClientError', (error, socket) => {
      socket.destroy();
      resolve(refusedBy(error));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const options = { ...secureOptions(worker, 'inspect'), ALPNProtocols: ['muster/9'] };
  const socket = tls.connect({ ...options, host: '127.0.0.1', port });
  const [error] = await once(socket, 'error') as [Error];
  const kinds = [await atServer, refusedBy(error)].map((outcome) =>
    outcome.kind === 'refused' ? `${outcome.end} ${outcome.refusal.kind}` : outcome.kind
  );
  assert.deepEqual(kinds, ['checker noCommonProtocol', 'holder noCommonProtocol']);
  socket.destroy();
  server.close();
  await once(server, 'close');
});

test('the TLS library lets nobody through either whom checkPeer() refuses', async () => {
  const old = { madeAtMs: nowMs - 100 * DAY_MS };
  const early = { madeAtMs: nowMs + DAY_MS };
  const cases: [string, Node, Node | undefined][] = [
    ['no client certificate', master, undefined],
    ['a client of another authority', master, {
      ...await makeNode('worker', 'w1', { authority: twin }),
      authority: office,
    }],
    ['an expired client', master, await makeNode('worker', 'w1', old)],
    ['a client from the future', master, await makeNode('worker', 'w1', early)],
    ['a worker as a server', await makeNode('worker', 'w2'), worker],
    ['a server of another authority', {
      ...await makeNode('master', 'm1', { authority: twin }),
      authority: office,
    }, worker],
    ['an expired server', await makeNode('master', 'm1', old), worker],
    ['a server from the future', await makeNode('master', 'm1', early), worker],
  ];
  for (const [what, serverNode, clientNode] of cases) {
    const { server, client } = await meet(serverNode, clientNode, 'strict');
    // What each says differs by runtime; that neither goes on does not.
    assert.notEqual(server.kind, 'accepted', what);
    assert.notEqual(client.kind, 'accepted', what);
  }
});

test('verifyPresentedChain() verifies a master that is known by fingerprint only', async () => {
  const server = tls.createServer({ ...secureOptions(master, 'inspect'), requestCert: true });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    socket.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // As "muster join" connects: no certificate, no authority, nothing believed yet.
  const socket = tls.connect({
    ...secureOptions(undefined, 'inspect'),
    host: '127.0.0.1',
    port,
    checkServerIdentity: () => undefined,
  });
  await once(socket, 'secureConnect');
  const chain = presentedChain(socket);
  const authorityFingerprint = fingerprint(office.certificatePem);
  assert.equal(chain.length, 2, "the server sends its certificate and the authority's");
  assert.deepEqual(
    verifyPresentedChain(chain, { authorityFingerprint, cluster: 'office' }, nowMs),
    {
      kind: 'accepted',
      identity: { cluster: 'office', node: 'm1', role: 'master' },
      authorityPem: office.certificatePem,
    },
  );
  const other = { authorityFingerprint: fingerprint(twin.certificatePem), cluster: 'office' };
  assert.deepEqual(verifyPresentedChain(chain, other, nowMs), { kind: 'unknownAuthority' });
  socket.destroy();
  server.close();
  await once(server, 'close');
});
