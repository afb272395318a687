/**
 * What providers can do, as declared by their documentation and by trials. A declaration is where knowledge begins: the first
 * contact probes what matters for safety (`probe.ts`), and what a probe refutes is not relied on.
 */
import type { Capabilities } from '../capabilities.ts'
import { COMMON_SUBRESOURCES, forwardable, SUBRESOURCES, type Subresource } from './subresources.ts'

/** How a checksum of the ciphertext travels to the store. */
export type ChecksumDialect =
  /** `x-amz-checksum-crc32`: as a header beside a body in memory, as an unsigned trailer behind a streamed one. */
  | 'crc32'
  /** The signed SHA-256 of a body in memory; streamed bodies go without. */
  | 'sha256'

export interface Profile {
  readonly label: string
  /** Whether it was tried with the real software, and which version. */
  readonly tried: string | undefined
  /** The declaration is of a certain provider, so that it is believed where nothing could be tried. */
  readonly known: boolean
  /** If-None-Match and If-Match on PutObject are decided in one step with the write. */
  readonly conditionalPut: boolean
  readonly conditionalComplete: boolean
  readonly conditionalCopy: boolean
  readonly conditionalDelete: boolean
  /** CopyObject honours `x-amz-copy-source-if-match`. */
  readonly copySourceIfMatch: boolean
  /** UploadPartCopy with a range. */
  readonly partCopy: boolean
  readonly checksum: ChecksumDialect
  /**
   * The same for parts. `crc32` only where a part may carry one that its upload has not announced: an upload that has, AWS completes
   * only with consecutive part numbers, and a part that is held back leaves a gap (docs/format.md, "The 5 MiB rule").
   */
  readonly partChecksum: ChecksumDialect
  /** Bytes of user metadata, names included. */
  readonly metadataLimit: number
  readonly versions: boolean
  readonly tags: boolean
  readonly objectLock: boolean
  /** Single objects can be granted to others, and a copy is not granted as its source is. */
  readonly objectGrants: boolean
  /** The sub-resources that it does not take for the bucket or the object itself; nothing else is handed on to it. */
  readonly subresources: readonly Subresource[]
  /** A name that ends in `/` may have a body; a sealed object always has one. */
  readonly slashKeys: boolean
  /** Something a user should know. */
  readonly note?: string
}

/** What AWS does and most others copy. */
const FULL = {
  known: true,
  conditionalPut: true,
  conditionalComplete: true,
  conditionalCopy: false,
  conditionalDelete: false,
  copySourceIfMatch: true,
  partCopy: true,
  checksum: 'sha256',
  partChecksum: 'sha256',
  metadataLimit: 2_048,
  versions: true,
  tags: true,
  objectLock: true,
  objectGrants: true,
  subresources: COMMON_SUBRESOURCES,
  slashKeys: true,
} as const

const UNCONDITIONAL = { conditionalPut: false, conditionalComplete: false } as const

export const PROFILES = {
  generic: {
    ...FULL,
    label: 'any S3 store',
    tried: undefined,
    known: false,
    conditionalCopy: true,
    conditionalDelete: true,
    subresources: SUBRESOURCES,
    note: 'Of what is tried, nothing is relied on that the first contact does not find.',
  },
  aws: {
    ...FULL,
    label: 'AWS S3',
    tried: undefined,
    checksum: 'crc32',
    conditionalDelete: true,
    subresources: SUBRESOURCES,
    note: 'Parts of uploads carry no checksum header: AWS completes an upload that has them only if its part numbers are consecutive. Damage on the way is found when the object is read; under Object Lock AWS refuses such parts.',
  },
  minio: {
    ...FULL,
    label: 'MinIO',
    tried: '2026-02-12',
    checksum: 'crc32',
    partChecksum: 'crc32',
    // It answers GetObjectAcl, always the same.
    objectGrants: false,
    subresources: [...COMMON_SUBRESOURCES, 'bucket?notification', 'bucket?replication', 'object?restore'],
  },
  ceph: {
    ...FULL,
    ...UNCONDITIONAL,
    label: 'Ceph RGW',
    tried: '16.2.15',
    copySourceIfMatch: false,
    subresources: [
      ...COMMON_SUBRESOURCES,
      'bucket?logging',
      'bucket?notification',
      'bucket?publicAccessBlock',
      'bucket?replication',
      'bucket?requestPayment',
      'object?restore',
    ],
    note: 'Releases before 18 ignore If-None-Match on PUT, and some accept copy conditions without enforcing them.',
  },
  wasabi: {
    ...FULL,
    ...UNCONDITIONAL,
    label: 'Wasabi',
    tried: undefined,
    subresources: [...COMMON_SUBRESOURCES, 'bucket?logging'],
  },
  b2: {
    ...FULL,
    ...UNCONDITIONAL,
    label: 'Backblaze B2',
    tried: undefined,
    copySourceIfMatch: false,
    tags: false,
    subresources: [
      'bucket?acl',
      'bucket?object-lock',
      'bucket?versions',
      'object?acl',
      'object?legal-hold',
      'object?retention',
    ],
    note: 'Refuses conditional writes and object tags.',
  },
  hetzner: {
    ...FULL,
    ...UNCONDITIONAL,
    label: 'Hetzner Object Storage',
    tried: undefined,
    copySourceIfMatch: false,
    note: 'CopyObject may fail by its own documentation; copies stream through the gateway.',
  },
  garage: {
    ...FULL,
    ...UNCONDITIONAL,
    label: 'Garage',
    tried: '2.5.0',
    versions: false,
    tags: false,
    objectLock: false,
    subresources: ['bucket?lifecycle'],
  },
  seaweedfs: { ...FULL, label: 'SeaweedFS', tried: undefined },
  versitygw: {
    ...FULL,
    label: 'Versity S3 Gateway',
    tried: '1.8.0',
    subresources: [...COMMON_SUBRESOURCES, 'bucket?ownershipControls'],
    slashKeys: false,
    note: 'Of its POSIX backend: names are paths, and no name that ends in a slash has a body.',
  },
  s3proxy: {
    ...FULL,
    ...UNCONDITIONAL,
    label: 'S3Proxy',
    tried: '3.1.0',
    slashKeys: false,
    note: 'Over a file system: If-None-Match is a race, and no name that ends in a slash has a body.',
    versions: false,
    tags: false,
    objectLock: false,
    // Release 3.1.0 knows neither Object Lock nor tiering: it stores the document as the object, and deletes the bucket.
    subresources: [],
  },
  gcs: {
    ...FULL,
    ...UNCONDITIONAL,
    label: 'Google Cloud Storage, S3 interface',
    tried: undefined,
    partCopy: false,
    metadataLimit: 8_192,
    // They exist, by other names than in S3: generations in place of version ids.
    versions: false,
    tags: false,
    objectLock: false,
    subresources: ['bucket?lifecycle', 'bucket?logging', 'bucket?tagging'],
    note: 'Conditions and versions are spelled otherwise there.',
  },
} as const satisfies Record<string, Profile>

const GIB = 1024 ** 3

/** What the port says of a store with this profile. */
export function capabilitiesOf(profile: Profile): Capabilities {
  return {
    near: false,
    conditionalWrites: profile.conditionalPut,
    conditionalComplete: profile.conditionalComplete,
    conditionalCopy: profile.conditionalCopy,
    conditionalDelete: profile.conditionalDelete,
    facts: false,
    copySourceIfMatch: profile.copySourceIfMatch,
    metadataLimit: profile.metadataLimit,
    requestLimit: 5 * GIB,
    copyLimit: profile.partCopy ? 5 * 1024 * GIB : 5 * GIB,
    checksumsStreams: profile.checksum === 'crc32',
    versions: profile.versions,
    native: true,
    forwards: forwardable(profile),
    objectGrants: profile.objectGrants,
  }
}
