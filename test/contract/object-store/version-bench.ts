// Short words for what tests of versions do most.
import type {
  ListedVersion,
  ListVersionsOptions,
  ObjectStore,
  WriteResult,
} from '../../../src/backends/object-store.ts'
import { StoreError } from '../../../src/backends/object-store.ts'
import type { Bench } from './bench.ts'

export function versionBench(bench: Bench) {
  const store = (): ObjectStore => bench.store
  const enable = (bucket = bench.bucket) => store().updateBucket?.(bucket, { versioning: 'Enabled' })
  const suspend = (bucket = bench.bucket) => store().updateBucket?.(bucket, { versioning: 'Suspended' })
  const read = async (key: string, versionId?: string) =>
    (await bench.read(key, versionId === undefined ? {} : { versionId })).toString()
  const remove = async (key: string, versionId?: string, attributes?: Record<string, string>) =>
    (
      await store().delete(bench.bucket, key, {
        ...(versionId === undefined ? {} : { versionId }),
        ...(attributes === undefined ? {} : { attributes }),
      })
    ).attributes
  const page = async (options: Partial<ListVersionsOptions> = {}) => {
    const found = await store().listVersions?.(bench.bucket, { prefix: '', limit: 1000, ...options })
    if (found === undefined) throw new Error('the store lists no versions')
    return found
  }
  const versions = async (key: string) => (await page()).versions.filter((version) => version.key === key)
  const brief = ({ versionId, latest, deleteMarker }: ListedVersion) => [
    versionId === 'null' ? 'null' : 'id',
    ...(latest ? ['latest'] : []),
    ...(deleteMarker ? ['marker'] : []),
  ]
  const idOf = ({ versionId }: WriteResult): string => {
    if (versionId === undefined) throw new Error('the write named no version')
    return versionId
  }
  const answerTo = async (action: Promise<unknown>) => {
    const error: unknown = await action.catch((thrown: unknown) => thrown)
    return error instanceof StoreError ? error.answer : undefined
  }
  const skip = (context: { skip: (condition: boolean, note: string) => void }): void => {
    context.skip(store().updateBucket === undefined, 'the store keeps no versions')
  }
  return { store, enable, suspend, read, remove, page, versions, brief, idOf, answerTo, skip }
}
