/**
 * Keeps the registrations in step with the keys file.
 *
 * What counts is not the file as it lies there but the content that was published (on the master) or
 * applied (on a worker): a file that a guard has stopped removes no agent.
 */
import { type BytePath, type ByteString, displayPath, toHex } from '../base/bytes.ts';
import { Mutex } from '../base/async.ts';
import type { Clock, HashAlgorithm, Hashing, Logger, TreeReader } from '../ports.ts';
import { agentsText } from './agent.ts';
import type { KeysChange, Registrations } from './store/registrations.ts';
import type { AgentValues } from './store/values.ts';

/** The largest keys file: half a million agents. */
const fileBytesMax = 64 * 1024 * 1024;

/** Bytes that are hashed between two breaths. */
const hashedBytes = 1024 * 1024;

const noAgents = new Uint8Array(0);

/** Name of the value that holds the hash of the content that the registrations are from. */
const hashName = 'keys.hash';

/** What following works with. */
export interface KeysFollowerPorts {
  readonly clock: Clock;
  readonly files: TreeReader;
  readonly hashing: Hashing;
  readonly log: Logger;
  readonly registrations: Registrations;
  readonly values: AgentValues;
}

/** Follows the keys file. */
export class KeysFollower {
  readonly #ports: KeysFollowerPorts;
  readonly #path: BytePath;
  readonly #algorithm: HashAlgorithm;
  readonly #mutex = new Mutex();

  constructor(
    ports: KeysFollowerPorts,
    options: { readonly path: BytePath; readonly algorithm: HashAlgorithm },
  ) {
    this.#ports = ports;
    this.#path = options.path;
    this.#algorithm = options.algorithm;
  }

  /**
   * The content with this hash counts now; undefined where there is no such file. Where the file has
   * changed again meanwhile nothing is done: another call will follow.
   * @returns whether other registrations were taken up
   */
  follow(hash: ByteString | undefined): Promise<boolean> {
    return this.#mutex.run(() => this.#follow(hash));
  }

  async #follow(hash: ByteString | undefined): Promise<boolean> {
    const { values, registrations, log } = this.#ports;
    const wanted = hash === undefined ? '' : toHex(hash);
    if (wanted === (values.get(hashName) ?? '')) return false;
    const content = hash === undefined ? noAgents : await this.#read(hash);
    if (content === undefined) return false;
    const change = await registrations.replaceKeys(content);
    values.set(hashName, wanted);
    this.#tell(change, log);
    return true;
  }

  /** The file, if it has the content that counts. */
  async #read(hash: ByteString): Promise<Uint8Array | undefined> {
    const { files, hashing, clock, log } = this.#ports;
    const [content] = await files.readAll([this.#path], fileBytesMax);
    if (!(content instanceof Uint8Array)) {
      log.log('warning', `Cannot read the agents of "${displayPath(this.#path)}": ${content}`);
      return undefined;
    }
    const hasher = hashing.create(this.#algorithm);
    for (let at = 0; at < content.length; at += hashedBytes) {
      hasher.update(content.subarray(at, at + hashedBytes));
      await clock.breathe();
    }
    return hasher.digest() === hash ? content : undefined;
  }

  #tell({ addedCount, removedCount, count, unreadable }: KeysChange, log: Logger): void {
    const path = displayPath(this.#path);
    if (addedCount + removedCount > 0) {
      log.log(
        'info',
        `${
          agentsText(count)
        } in "${path}": ${addedCount} added or changed, ${removedCount} removed.`,
      );
    }
    if (unreadable === undefined) return;
    log.log(
      'warning',
      `${unreadable.count} lines of "${path}" cannot be read: ${unreadable.first}.`,
    );
  }
}
