/**
 * Divided messages: a token that was too long for one frame, put together again. Pure.
 *
 * A message is encrypted once and its token is cut, so that no part can be told genuine before the
 * last has come: what is held for parts is bounded, in all and in number.
 */
import type { ByteString } from '../base/bytes.ts';
import { ByteWriter } from '../base/cursor.ts';
import { ProtocolError } from '../base/errors.ts';
import { bodyBytesMax, type Frame, type Message } from './frame.ts';

/** How many divided messages real nodes gather at a time for one peer. */
export const dividedMessagesMax = 10;

/** What is gathered at most. */
export interface ReassemblyLimits {
  /** Bytes of all messages that are being gathered. */
  readonly bytesMax: number;
  /** How many messages may be gathered at a time; 0 accepts no divided message. */
  readonly messagesMax: number;
}

interface Gathered {
  readonly command: ByteString;
  readonly body: ByteWriter;
}

/** Gathers the parts of divided messages of one connection. */
export class Reassembly {
  #limits: ReassemblyLimits;
  readonly #gathered = new Map<number, Gathered>();
  #buffered = 0;

  constructor(
    limits: ReassemblyLimits = { bytesMax: bodyBytesMax, messagesMax: dividedMessagesMax },
  ) {
    this.#limits = limits;
  }

  /** Changes the limits, for the frames to come. */
  set limits(limits: ReassemblyLimits) {
    this.#limits = limits;
  }

  /** Bytes held for messages that are not whole yet. */
  get buffered(): number {
    return this.#buffered;
  }

  /**
   * Takes a frame; the message that is whole with it, or undefined where more parts follow.
   * @throws ProtocolError `frameTooLarge`, `tooManyRequests` or `malformed`
   */
  take(frame: Frame): Message | undefined {
    const { counter, command, body, isDivided } = frame;
    const begun = this.#gathered.get(counter);
    if (begun === undefined && !isDivided) return { counter, command, body };
    const gathered = begun ?? this.#begin(counter, command);
    if (gathered.command !== command) {
      throw new ProtocolError('malformed', 'The parts of a divided message name two commands');
    }
    if (this.#buffered + body.length > this.#limits.bytesMax) {
      throw new ProtocolError(
        'frameTooLarge',
        `Divided messages hold more than ${this.#limits.bytesMax} bytes`,
      );
    }
    gathered.body.bytes(body);
    this.#buffered += body.length;
    if (isDivided) return undefined;
    this.#gathered.delete(counter);
    this.#buffered -= gathered.body.length;
    return { counter, command, body: gathered.body.view() };
  }

  #begin(counter: number, command: ByteString): Gathered {
    if (this.#gathered.size >= this.#limits.messagesMax) {
      throw new ProtocolError(
        'tooManyRequests',
        `More than ${this.#limits.messagesMax} divided messages at once`,
      );
    }
    const gathered = { command, body: new ByteWriter() };
    this.#gathered.set(counter, gathered);
    return gathered;
  }
}
