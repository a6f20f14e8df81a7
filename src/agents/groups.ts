/**
 * Which groups there are. A group is a directory of the shared files, so that whoever knows the
 * files says which they are: the published ones on the master, its own on a worker.
 */

/** The groups that exist now. */
export interface GroupCatalogue {
  has(group: string): boolean;
}
