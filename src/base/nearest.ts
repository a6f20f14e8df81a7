/**
 * Finds the word that somebody meant: the nearest of those that exist.
 */

/**
 * The candidate nearest to a word by edit distance, or undefined where none is near: more than two
 * edits (one in a word of three letters), or a third of the word, make another word.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let found: string | undefined;
  let foundDistance = Math.max(word.length > 3 ? 2 : 1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < foundDistance) {
      found = candidate;
      foundDistance = distance;
    }
  }
  return found;
}

/** The number of characters to insert, delete or replace to turn one word into the other. */
export function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const current = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = previous[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[right.length]!;
}
