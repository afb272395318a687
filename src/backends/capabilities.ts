/** What a store can do. Everything a caller can ask and a store cannot do is declared here, never guessed from a name. */
export interface Capabilities {
  /** Asking costs no round trip over a network: looking before acting is free. */
  readonly near: boolean
  /** If-Match and If-None-Match on `put` are atomic. */
  readonly conditionalWrites: boolean
  /** The same on `completeUpload`. */
  readonly conditionalComplete: boolean
  /** The same on `copy`, about the target. */
  readonly conditionalCopy: boolean
  /** If-Match on `delete` is atomic. */
  readonly conditionalDelete: boolean
  /** `facts` are kept and come back from head, get and list: plaintext MD5 ETags and sizes need no further request. */
  readonly facts: boolean
  /** `copy` honours `sourceIfMatch`. */
  readonly copySourceIfMatch: boolean
  /** Bytes of user metadata (names with their `x-amz-meta-` and values) that a write may carry. */
  readonly metadataLimit: number
  /** Bytes that one put or one part may carry. */
  readonly requestLimit: number
  /** Bytes that a server-side copy may carry. */
  readonly copyLimit: number
  /** A streamed body carries a checksum, so that damage on the way is refused. */
  readonly checksumsStreams: boolean
  /** Versions, tags, locks, storage classes and ACLs are kept with objects: `attributes` and version ids mean something. */
  readonly versions: boolean
  /** The store speaks S3 itself: it has `versions`, judges `attributes`, and `forward` is there. */
  readonly native: boolean
  /** Of `native` stores: the sub-resources that they know, as `object?tagging`; any other would be taken for the object or bucket itself. */
  readonly forwards?: ReadonlySet<string>
  /** Of `native` stores: single objects can be granted to others, and a copy is not granted as its source is. */
  readonly objectGrants?: boolean
}
