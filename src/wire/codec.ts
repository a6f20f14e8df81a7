/**
 * Payloads: plain values to msgpack and back.
 *
 * Only plain data passes: nil, booleans, numbers, strings, byte arrays, arrays and maps. Extension
 * types, which a msgpack library may revive as objects of some class, are refused before the
 * library sees them, and so is nesting deeper than any message of ours.
 */
import { Packr } from 'msgpackr/pack';
import { Unpackr } from 'msgpackr/unpack';
import { ProtocolError } from '../base/errors.ts';

/** Deepest nesting accepted: our deepest message has four levels. */
const depthMax = 8;

// The library would write undefined as an extension type, which our own reader refuses: an optional
// field that is missing travels as nil.
const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/** The msgpack bytes of a plain value. */
export function encodePayload(value: unknown): Uint8Array {
  // The library returns a view of a large buffer of its own, as a Buffer whose slice() is no copy.
  return new Uint8Array(packr.pack(value));
}

/**
 * The plain value of msgpack bytes.
 * @throws ProtocolError('malformed')
 */
export function decodePayload(bytes: Uint8Array): unknown {
  assertPlain(bytes);
  try {
    return unpackr.unpack(bytes);
  } catch (cause) {
    throw new ProtocolError('malformed', 'A payload is not valid msgpack', { cause });
  }
}

/** Walks the structure without building anything; refuses extensions, depth, wrong lengths. */
function assertPlain(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** Values still to come on each open level. */
  const pending: number[] = [1];
  let at = 0;
  while (pending.length > 0) {
    const level = pending.length - 1;
    if (pending[level] === 0) {
      pending.pop();
      continue;
    }
    pending[level]! -= 1;
    if (at >= bytes.length) throw malformed('ends too early');
    const shape = shapeAt(view, at);
    at += shape.bytes;
    if (at > bytes.length) throw malformed('ends too early');
    if (shape.values > 0) {
      // Every value takes a byte at least: a longer count is a lie, and costs nothing to refuse.
      if (shape.values > bytes.length - at) throw malformed('announces more than it holds');
      if (pending.push(shape.values) > depthMax) throw malformed('is nested too deeply');
    }
  }
  if (at !== bytes.length) throw malformed('has bytes after its end');
}

/** How many bytes the value at `at` takes by itself, and how many values follow inside it. */
function shapeAt(view: DataView, at: number): { bytes: number; values: number } {
  const type = view.getUint8(at);
  if (type < 0x80 || type >= 0xe0) return leaf(1);
  if (type < 0x90) return { bytes: 1, values: (type & 15) * 2 };
  if (type < 0xa0) return { bytes: 1, values: type & 15 };
  if (type < 0xc0) return leaf(1 + (type & 31));
  switch (type) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return leaf(1);
    case 0xc4: // bin 8
    case 0xd9: // str 8
      return leaf(2 + length(view, at, 1));
    case 0xc5: // bin 16
    case 0xda: // str 16
      return leaf(3 + length(view, at, 2));
    case 0xc6: // bin 32
    case 0xdb: // str 32
      return leaf(5 + length(view, at, 4));
    case 0xcc: // uint 8
    case 0xd0: // int 8
      return leaf(2);
    case 0xcd: // uint 16
    case 0xd1: // int 16
      return leaf(3);
    case 0xca: // float 32
    case 0xce: // uint 32
    case 0xd2: // int 32
      return leaf(5);
    case 0xcb: // float 64
    case 0xcf: // uint 64
    case 0xd3: // int 64
      return leaf(9);
    case 0xdc: // array 16
      return { bytes: 3, values: length(view, at, 2) };
    case 0xdd: // array 32
      return { bytes: 5, values: length(view, at, 4) };
    case 0xde: // map 16
      return { bytes: 3, values: length(view, at, 2) * 2 };
    case 0xdf: // map 32
      return { bytes: 5, values: length(view, at, 4) * 2 };
    default: // extension types, and the one number that msgpack never uses
      throw malformed(`holds a value of type 0x${type.toString(16)}, which is not plain data`);
  }
}

function leaf(bytes: number): { bytes: number; values: number } {
  return { bytes, values: 0 };
}

function length(view: DataView, at: number, width: 1 | 2 | 4): number {
  if (at + 1 + width > view.byteLength) throw malformed('ends too early');
  if (width === 1) return view.getUint8(at + 1);
  return width === 2 ? view.getUint16(at + 1) : view.getUint32(at + 1);
}

function malformed(what: string): ProtocolError {
  return new ProtocolError('malformed', `A payload ${what}`);
}
