/** All measurements, in the order of the page. */
import { agents } from './agents.ts';
import { atRest } from './at-rest.ts';
import { fanOut } from './fan-out.ts';
import { fleetAgents } from './fleet-agents.ts';
import { fleetChange } from './fleet-change.ts';
import { firstSync } from './first-sync.ts';
import type { Case } from './harness.ts';
import { largeFile } from './large-file.ts';
import { lastingChange } from './lasting-change.ts';
import { noChange } from './no-change.ts';
import { oneChange } from './one-change.ts';
import { scan } from './scan.ts';
import { startUp } from './start-up.ts';

/** Every case; one file each. */
export const cases: readonly Case[] = [
  firstSync,
  noChange,
  oneChange,
  atRest,
  scan,
  largeFile,
  startUp,
  agents,
  fanOut,
  fleetChange,
  fleetAgents,
  lastingChange,
];
