/**
 * Failures as the nodes of a Wazuh cluster tell them to each other: a class, a code, and at times a
 * text more. The sentence for people is not sent: who reads it makes it from the code.
 */
import { ClusterError, type ErrorCode, ProtocolError } from '../base/errors.ts';
import { type Reader, record, text, whole } from '../base/readers.ts';
import { type Json, parseJson, spacedJson } from './json.ts';

/** The titles of the classes of failures that nodes send. */
const titles = {
  WazuhClusterError: 'Wazuh Cluster Error',
  WazuhInternalError: 'Wazuh Internal Error',
  WazuhError: 'Bad Request',
  WazuhResourceNotFound: 'Resource Not Found',
} as const;

/** A class of failures. */
export type FailureClass = keyof typeof titles;

/** What a failure says, as it travels. */
export interface Failure {
  /** From a peer possibly one of classes that nobody here knows. */
  readonly className: string;
  readonly code: number;
  /** What the sentence of the code goes on with. */
  readonly detail: string | undefined;
}

/** Sentences of codes that matter to the nodes of a cluster. */
const sentences: Readonly<Record<number, string>> = {
  1000: 'Wazuh Internal Error',
  1730: 'Node does not exist',
  2003: 'Error in wazuhdb request',
  3000: 'Cluster',
  3004: 'Error in cluster configuration',
  3006: 'Error reading cluster configuration',
  3009: 'Error executing distributed API request',
  3020: 'Timeout sending request',
  3021: 'Timeout executing API request',
  3022: 'Unknown node ID',
  3023: 'Worker node is not connected to master',
  3025: 'Could not decrypt message',
  3027: 'Unknown received task name',
  3028: 'Worker node ID already exists',
  3029: 'Connected worker with same name as the master',
  3030: 'Worker does not belong to the same cluster',
  3031: 'Worker and master versions are not the same',
  3032: 'Could not forward DAPI response. Connection not available',
  3039: 'Timeout while waiting to receive a file',
  3040: 'Error while waiting to receive a file',
  3051: 'Too many concurrent divided messages',
  3060: 'Invalid node name format',
};

/** Codes that mean something other than `failed` here. */
const meanings: Readonly<Record<number, ErrorCode>> = {
  3020: 'timeout',
  3021: 'timeout',
  3023: 'unreachable',
  3025: 'authentication',
  3028: 'refused',
  3029: 'refused',
  3030: 'refused',
  3031: 'incompatible',
  3039: 'timeout',
  3060: 'refused',
};

/** The sentence about a failure as real nodes show it: `Error 3028 - Worker node ID …: worker1`. */
export function failureText({ code, detail }: Failure): string {
  const sentence = sentences[code];
  const head = sentence === undefined ? `Error ${code}` : `Error ${code} - ${sentence}`;
  return detail === undefined ? head : `${head}: ${detail}`;
}

/** A failure that a peer told, or that is to be told to a peer. */
export class WazuhFailure extends ClusterError {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(meanings[failure.code] ?? 'failed', failureText(failure));
    this.name = 'WazuhFailure';
    this.failure = failure;
  }
}

/** A failure of the cluster itself, to be thrown. */
export function clusterFailure(code: number, detail?: string): WazuhFailure {
  return new WazuhFailure({ className: 'WazuhClusterError', code, detail });
}

/** The failure for what was not foreseen, with a text about it. */
export function internalFailure(detail: string): WazuhFailure {
  return new WazuhFailure({ className: 'WazuhInternalError', code: 1000, detail });
}

/** The JSON text of a failure. */
export function writeFailure({ className, code, detail }: Failure): string {
  const hasIds = className === 'WazuhError' || className === 'WazuhResourceNotFound';
  const content: Record<string, Json> = {
    type: 'about:blank',
    title: isFailureClass(className) ? titles[className] : className,
    code,
    extra_message: detail ?? null,
    extra_remediation: null,
    cmd_error: false,
    dapi_errors: {},
  };
  if (hasIds) content['ids'] = [];
  return spacedJson({ __wazuh_exception__: { __class__: className, __object__: content } });
}

const detailBytesMax = 64 * 1024;

/** A detail is a text, nothing, or values for the gaps of a sentence: these are shown as JSON. */
const readDetail: Reader<string | undefined> = (value) => {
  if (value === null || value === undefined) return undefined;
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  return shown.slice(0, detailBytesMax);
};

const tagged = record({
  __wazuh_exception__: record({
    __class__: text(64),
    __object__: record({ code: whole(0, 99_999), extra_message: readDetail }),
  }),
});

/**
 * The failure in a JSON text.
 * @throws ProtocolError `malformed` where it holds none
 */
export function readFailure(bytes: Uint8Array): Failure {
  const { __wazuh_exception__: found } = tagged(parseJson(bytes, 'A failure'), 'failure');
  return {
    className: found.__class__,
    code: found.__object__.code,
    detail: found.__object__.extra_message,
  };
}

/**
 * The failure in the body of an error reply: where that is no failure in JSON, its text is the
 * detail of one with the code 3000.
 */
export function readErrorReply(body: Uint8Array): Failure {
  try {
    return readFailure(body);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const detail = new TextDecoder().decode(body.subarray(0, detailBytesMax));
    return { className: 'WazuhClusterError', code: 3000, detail };
  }
}

function isFailureClass(name: string): name is FailureClass {
  return Object.hasOwn(titles, name);
}
