/**
 * Frames: how messages are cut out of a stream of bytes. Pure: bytes in, frames out.
 *
 *     offset  size  field
 *          0     4  length   bytes of payload, big-endian
 *          4     1  kind     see `FrameKind`
 *          5     1  flags    zero; a reader ignores bits it does not know
 *          6     2  message  id in the message table; for `failure`, `data`, `credit`, `cancel` 0
 *          8     4  stream   number of the request that the frame belongs to; 0 for events, close
 *         12     …  payload
 *
 * A length above the limit is refused from the header alone, before anything is buffered for it.
 * Incomplete input is an ordinary condition: `push` yields the frames that are whole.
 */
import { ProtocolError } from '../base/errors.ts';
import { FrameCutter, type FrameHeader } from '../base/frame-cutter.ts';

/** Bytes before the payload. */
export const headerBytes = 12;

/**
 * Largest payload of any frame. One chunk of bulk data is the longest that a keep-alive can have
 * to wait for; 256 KiB fills a TLS record batch well and takes 2 ms at 1 Gbit/s.
 */
export const payloadBytesMax = 256 * 1024;

/** What a frame is; the numbers are the protocol: only ever append. */
export const frameKinds = {
  request: 1,
  reply: 2,
  failure: 3,
  event: 4,
  data: 5,
  credit: 6,
  cancel: 7,
  close: 8,
} as const;

export type FrameKind = keyof typeof frameKinds;

const kindsByNumber: readonly (FrameKind | undefined)[] = (() => {
  const table: (FrameKind | undefined)[] = [];
  for (const [name, number] of Object.entries(frameKinds)) table[number] = name as FrameKind;
  return table;
})();

/** One frame. */
export interface Frame {
  readonly kind: FrameKind;
  /** Id in the message table; 0 where the kind carries none. */
  readonly message: number;
  /** Number of the request it belongs to; 0 where there is none. */
  readonly stream: number;
  readonly payload: Uint8Array;
}

const noPayload = new Uint8Array(0);

/**
 * The bytes of a frame, header and payload in one array, so that they leave in one write.
 * @throws Error where the payload is too long for any frame
 */
export function encodeFrame(
  kind: FrameKind,
  message: number,
  stream: number,
  payload: Uint8Array = noPayload,
): Uint8Array {
  if (payload.length > payloadBytesMax) {
    throw new Error(
      `Cannot send a ${kind} frame of ${payload.length} bytes: the limit is ${payloadBytesMax}`,
    );
  }
  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length);
  bytes[4] = frameKinds[kind];
  view.setUint16(6, message);
  view.setUint32(8, stream);
  bytes.set(payload, headerBytes);
  return bytes;
}

interface Header extends FrameHeader {
  readonly kind: FrameKind;
  readonly message: number;
  readonly stream: number;
}

/** Cuts frames out of chunks; throws ProtocolError `frameTooLarge` or `unknownKind`. */
export class FrameDecoder extends FrameCutter<Header, Frame> {
  /** @param limit largest payload accepted, bytes; small before the peer is known */
  constructor(limit: number = payloadBytesMax) {
    super(headerBytes, limit);
  }

  protected readHeader(head: Uint8Array): Header {
    const view = new DataView(head.buffer);
    const length = view.getUint32(0);
    const kind = kindsByNumber[head[4]!];
    if (kind === undefined) {
      throw new ProtocolError('unknownKind', `Frame of unknown kind ${head[4]}`);
    }
    if (length > this.limit) {
      throw new ProtocolError(
        'frameTooLarge',
        `A ${kind} frame announces ${length} bytes: the limit is ${this.limit}`,
      );
    }
    return { kind, message: view.getUint16(6), stream: view.getUint32(8), length };
  }

  protected frameOf({ kind, message, stream }: Header, payload: Uint8Array): Frame {
    return { kind, message, stream, payload };
  }
}
