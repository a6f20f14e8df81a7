/** Tells what signals it gets, and goes on. */
import process from 'node:process';
import { onSignal, onStopSignal } from '../../../src/runtime/system.ts';

const timer = setInterval(() => {}, 60_000);
const said = (text: string) => void process.stdout.write(`${text}\n`);
onStopSignal(({ name, number }) => said(`${name} ${number}`));
onSignal('SIGHUP', () => said('hangup'));
const removeUser = onSignal('SIGUSR1', () => {
  removeUser();
  said('user');
});
if (process.argv[2] === 'obedient') onStopSignal(() => clearInterval(timer));
said('ready');
