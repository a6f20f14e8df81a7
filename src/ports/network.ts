/** The network: streams between nodes and with programs on this machine. */

/** Who a node is, as its certificate says. */
export interface NodeIdentity {
  readonly cluster: string;
  readonly node: string;
  readonly role: 'master' | 'worker';
}

/** What is known of a peer's certificate after a TLS handshake. */
export interface PeerCertificate {
  /** Undefined where the certificate names no muster identity. */
  readonly identity: NodeIdentity | undefined;
  /** Serial number, lower-case hexadecimal. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** A duplex stream of bytes to a peer. */
export interface Stream {
  /** Host and port of the other end, for logs. */
  readonly remote: string;
  /** The application protocol agreed on in the handshake; "" where there was none. */
  readonly protocol: string;
  /** The peer's certificate, verified against the cluster's authority; undefined if it had none. */
  readonly certificate: PeerCertificate | undefined;
  /**
   * Why a certificate that was shown was not accepted: the TLS library's code, for instance
   * `CERT_HAS_EXPIRED`. Undefined where none was shown, or where `certificate` is there.
   */
  readonly rejection?: string | undefined;
  /**
   * The certificates that the peer showed (DER), its own first, whether accepted or not; for those
   * who judge them on their own: joining, and telling a refused peer why.
   */
  readonly presentedChain?: readonly Uint8Array[];
  /** What arrives; ends when the peer ends, throws `unreachable` when the connection is lost. */
  readonly readable: AsyncIterable<Uint8Array>;
  /** Resolves when the bytes have left for the network: back-pressure. They must not change. */
  write(bytes: Uint8Array): Promise<void>;
  /** Sends what was written, then ends. */
  close(): void;
  /** Drops the connection at once. */
  abort(): void;
}

/** Something that accepts connections. */
export interface Listener {
  /** Host and port bound; the port is the real one where 0 was asked for. */
  readonly address: string;
  close(): Promise<void>;
}

/** How to reach a peer and whom to trust there. */
export interface ConnectOptions {
  /** Application protocols offered, best first. */
  readonly protocols: readonly string[];
  /**
   * `cluster`: the peer sees our certificate, and the stream has its own one only where that is a
   * master's of our authority. To be looked at before anything is sent.
   * `anyone`: nothing is checked by the network; for joining, where the caller checks.
   */
  readonly trust: 'cluster' | 'anyone';
  /**
   * Judges who answered at one address of a name: by throwing it refuses, and the next address is
   * tried. Ends the stream that it refuses.
   */
  readonly judge?: (stream: Stream) => void;
  readonly signal: AbortSignal;
}

/** Connections between nodes. */
export interface Network {
  /**
   * Opens a connection; the address is resolved anew at each call, and where a name has several,
   * they are tried in turn.
   * @throws ClusterError `unreachable`, `authentication`, `incompatible` or `timeout`, and what
   * `judge` throws
   */
  connect(address: string, options: ConnectOptions): Promise<Stream>;
  /**
   * Accepts connections and hands over those that finished the handshake in time. Limits on
   * unfinished handshakes are kept here.
   */
  listen(address: string, onStream: (stream: Stream) => void): Promise<Listener>;
}

/** Connections without TLS, for protocols that bring their own protection. */
export interface PlainNetwork {
  /**
   * Opens a connection; names are treated as by `Network`.
   * @throws ClusterError `unreachable` or `timeout`
   */
  connect(address: string, options: { readonly signal: AbortSignal }): Promise<Stream>;
  /**
   * Accepts connections and hands them over at once. How many there may be, in all and from one
   * address, is limited here; how long one may be silent is for who takes them.
   */
  listen(address: string, onStream: (stream: Stream) => void): Promise<Listener>;
  /**
   * Accepts connections of programs on this machine, on a Unix socket that its user and group may
   * open; directories are made on the way, and a socket that a dead process left is replaced.
   * @param path absolute
   */
  listenLocal(path: string, onStream: (stream: Stream) => void): Promise<Listener>;
}
