/**
 * The port of the native protocol; by itself, so that whoever only names it does not load all keys.
 */
export const defaultPort = 1517;
