/** Crashes: `crash.ts exception|rejection|report|text`. */
import process from 'node:process';
import { onCrash, standardError } from '../../../src/runtime/system.ts';

const how = process.argv[2];
onCrash((error) => {
  standardError.write(`crashed: ${error.message}\n`);
  if (how === 'report') throw new Error('cannot report');
});
setInterval(() => {}, 60_000);
setTimeout(() => {
  if (how === 'rejection') void Promise.reject(new Error('nobody caught this'));
  else if (how === 'text') void Promise.reject('a mere text' as unknown);
  else throw new Error('nobody caught this');
}, 0);
