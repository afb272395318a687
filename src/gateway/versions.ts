import { requireNullVersion } from '../s3/copy-source.ts'
import type { Gateway } from './gateway.ts'

/** A version that a client names, for a store that has versions. On any other only the null version exists. Throws `NotImplemented`, `InvalidArgument` (B52). */
export function versionOf(gateway: Gateway, versionId: string | undefined): { readonly versionId?: string } {
  if (versionId === undefined) return {}
  if (gateway.store.capabilities.versions && versionId !== '') return { versionId }
  requireNullVersion(versionId)
  return {}
}
