/** ListVersionsResult (B92): versions and delete markers in one order, newest first for each key. */
import { isoDate } from './dates.ts'
import { quoteEtag } from './etag.ts'
import { listNames } from './list-name.ts'
import type { ListVersionsRequest } from './listing-parameters.ts'
import { type ListedEntry, type Owner, renderCommonPrefixes, renderOwner } from './listing-xml.ts'
import { compareUtf8 } from './utf8-order.ts'
import { el, group, xmlDocument } from './xml.ts'

export interface VersionEntry {
  readonly key: string
  readonly versionId: string
  readonly latest: boolean
  readonly lastModified: Date
  /** Absent for a delete marker. */
  readonly object?: ListedEntry
}

export interface VersionsPage {
  readonly bucket: string
  readonly request: ListVersionsRequest
  readonly entries: readonly VersionEntry[]
  readonly commonPrefixes: readonly string[]
  readonly truncated: boolean
  readonly owner: Owner
}

export const renderListVersions = (page: VersionsPage): string => {
  const { request, entries, commonPrefixes } = page
  const name = listNames(request.encode)
  const next = nextMarkers(page)
  return xmlDocument(
    'ListVersionsResult',
    el('Name', page.bucket),
    el('Prefix', name(request.prefix)),
    el('KeyMarker', name(request.keyMarker ?? '')),
    el('VersionIdMarker', request.versionIdMarker ?? ''),
    el('NextKeyMarker', next === undefined ? undefined : name(next.key)),
    el('NextVersionIdMarker', next?.versionId),
    el('MaxKeys', request.maxKeys),
    el('Delimiter', request.delimiter === undefined ? undefined : name(request.delimiter)),
    el('EncodingType', request.encode ? 'url' : undefined),
    el('IsTruncated', page.truncated),
    ...entries.map((entry) => renderVersion(entry, page.owner, name)),
    renderCommonPrefixes(commonPrefixes, name),
  )
}

const renderVersion = (entry: VersionEntry, owner: Owner, name: (text: string) => string): string => {
  const { object } = entry
  const named =
    el('Key', name(entry.key)) +
    el('VersionId', entry.versionId) +
    el('IsLatest', entry.latest) +
    el('LastModified', isoDate(entry.lastModified))
  if (object === undefined) return group('DeleteMarker', named, renderOwner('Owner', owner))
  return group(
    'Version',
    named,
    el('ETag', quoteEtag(object.etag)),
    el('ChecksumAlgorithm', object.checksum?.name),
    el('ChecksumType', object.checksum?.type),
    el('Size', object.size),
    el('StorageClass', object.storageClass ?? 'STANDARD'),
    renderOwner('Owner', owner),
  )
}

/** Both markers, or after a common prefix only the key marker. */
const nextMarkers = ({
  entries,
  commonPrefixes,
  truncated,
}: VersionsPage): { readonly key: string; readonly versionId?: string } | undefined => {
  if (!truncated) return undefined
  const last = entries.at(-1)
  const prefix = commonPrefixes.at(-1)
  if (prefix !== undefined && (last === undefined || compareUtf8(prefix, last.key) > 0)) return { key: prefix }
  return last === undefined ? undefined : { key: last.key, versionId: last.versionId }
}
