/** Where an object is. */
export interface Place {
  readonly bucket: string
  readonly key: string
  /** The version that the client asked for; absent for the current one. */
  readonly versionId?: string
}

/** Names the version for a store. */
export const atVersion = ({ versionId }: { readonly versionId?: string }): { readonly versionId?: string } =>
  versionId === undefined ? {} : { versionId }
