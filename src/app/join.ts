/**
 * Becoming a worker: dial the master that the token names, make sure that it is the one, send a
 * certificate request with the token, write what comes back.
 */
import { fromBytes, toHex } from '../base/bytes.ts';
import { ClusterError, codeOf, describeError, RemoteError } from '../base/errors.ts';
import { workerTemplate } from '../config/template.ts';
import { isRefusal, refusalError } from '../identity/checks.ts';
import type { JoinToken } from '../identity/token.ts';
import type { JoinRequest, JoinResult } from '../cli/host.ts';
import type { Logger, Stream } from '../ports.ts';
import {
  authorityCluster,
  certificateMatchesKey,
  fingerprint,
  isIssuedBy,
  readCertificate,
  verifyPresentedChain,
} from '../runtime/certificates.ts';
import { createNodeKey, createRequest } from '../runtime/certificate-request.ts';
import { systemClock } from '../runtime/clock.ts';
import { createTlsNetwork } from '../runtime/net.ts';
import { Session } from '../session/session.ts';
import { protocolNames } from '../wire/handshake.ts';
import type { ReplyOf } from '../wire/messages.ts';
import { layoutOf } from '../config/location.ts';
import { mustBeWritable, writeNodeFiles } from './node-files.ts';
import { joinPair, tlsFiles } from './tls-files.ts';

/** Joins a cluster. Writes nothing unless the master has answered with a certificate. */
export async function joinCluster(request: JoinRequest, log: Logger): Promise<JoinResult> {
  const { token, node } = request;
  const configFile = `${request.directory}/muster.toml`;
  const files = tlsFiles(layoutOf(configFile, {}).tls);
  // Before the token is used up.
  await mustBeWritable([configFile, files.node, files.authorityCertificate]);
  const keyPem = createNodeKey();
  const identity = { cluster: token.cluster, node, role: 'worker' as const };
  const certificateRequest = await createRequest({ keyPem, identity });
  const { answer, address } = await redeem(request, certificateRequest, log);
  checkAnswer(answer, token, keyPem);
  const { isRootNew } = await writeNodeFiles({
    directory: request.directory,
    root: request.root,
    secrets: [[files.node, joinPair(keyPem, answer.certificate)]],
    texts: [[files.authorityCertificate, answer.authority]],
    config: [
      configFile,
      workerTemplate({
        name: node,
        cluster: answer.cluster,
        root: request.root,
        master: token.addresses,
        algorithm: answer.algorithm,
        sets: answer.sets,
      }),
    ],
  });
  const { notAfterMs } = readCertificate(answer.certificate);
  const certificateNotAfterMs = notAfterMs;
  return { configFile, master: answer.master, address, certificateNotAfterMs, isRootNew };
}

/** Tries the addresses of the token in turn. */
async function redeem(
  request: JoinRequest,
  certificateRequest: string,
  log: Logger,
): Promise<{ answer: ReplyOf<'join.redeem'>; address: string }> {
  const { token, node, signal } = request;
  const network = createTlsNetwork({
    credentials: undefined,
    protocols: [],
    readPeer: (der) => readCertificate(der),
    log,
    clock: systemClock,
  });
  const failures: Error[] = [];
  for (const address of token.addresses) {
    let isMaster = false;
    try {
      const stream = await network.connect(address, {
        protocols: [protocolNames.join],
        trust: 'anyone',
        judge: (stream) => mustBeMaster(stream, token),
        signal,
      });
      isMaster = true;
      const session = joinSession(stream, log);
      try {
        const answer = await session.request('join.redeem', {
          tokenId: token.id,
          secret: toHex(fromBytes(token.secret)),
          node,
          certificateRequest,
        }, { signal });
        return { answer, address };
      } finally {
        session.close('finished', 'Joined');
      }
    } catch (error) {
      signal.throwIfAborted();
      // The master has decided: another of its addresses would say the same.
      if (isMaster && codeOf(error) !== 'unreachable') throw withRemedy(error);
      failures.push(error as Error);
    }
  }
  // Who answered tells more than who did not.
  const answer = failures.find((failure) => codeOf(failure) !== 'unreachable');
  if (answer !== undefined) throw answer;
  const text = failures.map((failure) => describeError(failure)).join('; ');
  throw new ClusterError('unreachable', `Cannot reach the master to join: ${text}`, {
    remedy: 'Check that "muster run" is running there and that this machine may connect to it',
  });
}

/** The master says why it does not let a node in; what to do about it is for this end to say. */
function withRemedy(error: unknown): unknown {
  if (!(error instanceof RemoteError)) return error;
  const remedy = error.code === 'authentication'
    ? 'Have a token made for this node with "muster token" on the master'
    : 'Give another name with --name';
  const isSaid = error.code === 'authentication' || error.code === 'refused';
  return new ClusterError(error.code, error.message, isSaid ? { remedy } : {});
}

/** Before the secret leaves: is this the master of the cluster that the token is for? */
function mustBeMaster(stream: Stream, token: JoinToken): void {
  const { authorityFingerprint, cluster } = token;
  const chain = stream.presentedChain ?? [];
  const expected = { authorityFingerprint, cluster };
  const verdict = verifyPresentedChain(chain, expected, systemClock.nowMs());
  if (!isRefusal(verdict)) return;
  stream.abort();
  throw refusalError(verdict, 'checker', `the master at ${stream.remote}`);
}

function joinSession(stream: Stream, log: Logger): Session {
  const session = new Session({
    stream,
    clock: systemClock,
    log,
    peerRole: 'master',
    peer: `the master at ${stream.remote}`,
    handlers: {},
    acceptedBeforeOpen: [],
  });
  session.open(session.peer);
  return session;
}

/** Nothing is written unless what came back is what was asked for. */
function checkAnswer(answer: ReplyOf<'join.redeem'>, token: JoinToken, keyPem: string): void {
  const isRight = fingerprint(answer.authority) === token.authorityFingerprint &&
    authorityCluster(answer.authority) === token.cluster &&
    isIssuedBy(answer.certificate, answer.authority) &&
    certificateMatchesKey(answer.certificate, keyPem);
  if (isRight) return;
  throw new ClusterError('authentication', 'The master answered with certificates that do not fit');
}
