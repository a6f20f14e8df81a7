/**
 * Whether a master lets a worker in: the checks of a hello, in the order and with the codes that
 * real masters have. Pure.
 */
import { clusterFailure, type WazuhFailure } from './failure.ts';
import type { Hello } from './layouts.ts';

/** What a hello is held against. */
export interface AdmissionFacts {
  readonly master: string;
  readonly cluster: string;
  /** Compared as a whole: the patch level counts. */
  readonly version: string;
  /** Whether a worker of this name is connected. */
  readonly isConnected: (node: string) => boolean;
}

/** What a worker may be called. */
const nodeNamePattern = /^[A-Za-z0-9_-]+$/;

/** Why a worker is turned away, or undefined where it is not. */
export function refusalOf(hello: Hello, facts: AdmissionFacts): WazuhFailure | undefined {
  if (!nodeNamePattern.test(hello.node)) return clusterFailure(3060, hello.node);
  if (facts.isConnected(hello.node)) return clusterFailure(3028, hello.node);
  if (hello.node === facts.master) return clusterFailure(3029);
  if (hello.cluster !== facts.cluster) return clusterFailure(3030);
  if (hello.version !== facts.version) return clusterFailure(3031);
  return undefined;
}
