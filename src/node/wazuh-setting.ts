/** What a node in a Wazuh cluster is given beside its configuration. */
import type { ClusterJson } from '../wazuh/cluster-json.ts';

/** The secret of the cluster, and what all its nodes have in common. */
export interface WazuhSetting {
  /** The 32 characters of the cluster's key. */
  readonly key: string;
  readonly clusterJson: ClusterJson;
}
