/** CopyObject. Where re-wrapping the object's key is enough no data is re-encrypted; else the bytes stream through the gateway (docs/format.md, "Copies"). */
import { StoreError, type WriteCondition, type WriteResult } from '../backends/object-store.ts'
import { checksumOf, checksumTlv, md5Of, md5Tlv, TLV, type Tlv, textOf } from '../format/tlv.ts'
import { CHECKSUMS, type ChecksumName, typeOfCode } from '../s3/checksum.ts'
import { parseCopyChecksum, type StoredChecksum } from '../s3/checksum-headers.ts'
import { evaluateCopySource, evaluateWrite, parseConditions, parseWriteConditions } from '../s3/conditions.ts'
import {
  changesAttributes,
  checkCopySize,
  checkSelfCopy,
  type Directive,
  metadataDirective,
  parseCopySource,
} from '../s3/copy-source.ts'
import { type CustomerKey, parseSourceKey } from '../s3/encryption-headers.ts'
import { S3Error } from '../s3/errors.ts'
import { renderCopyObject } from '../s3/result-xml.ts'
import { attributesFor, attributesOfCopy, type ForStore } from './attributes.ts'
import { attributesOfPut } from './copied-attributes.ts'
import { copiesSafely, copyShared, decidesCopies, describeShared } from './copy-shared.ts'
import { type Encryption, encryptionOf } from './encryption.ts'
import { keepsMd5, opaqueEtag } from './etag.ts'
import type { Gateway, Operation, OperationRequest } from './gateway.ts'
import { carriedOver, describeObject } from './object-metadata.ts'
import { storedChecksum } from './read-view.ts'
import type { Place } from './place.ts'
import {
  allTlvs,
  headNamed,
  missing,
  presentInfo,
  rereading,
  type SealedObject,
  type StoredObject,
} from './sealed-object.ts'
import { versionOf } from './versions.ts'
import { type ConditionalStep, currentEtag, decides, storeCondition } from './write-conditions.ts'
import { stepOfWrite, writeAnew } from './write-anew.ts'

/** How often a copy starts again when source or target move under it. */
const ATTEMPTS = 3

interface Copied {
  /** The version that was copied. */
  readonly copied: StoredObject
  readonly etag: string
  readonly written: WriteResult
  readonly checksum: StoredChecksum | undefined
}

interface Asked {
  readonly source: Place
  readonly target: Place
  readonly directive: Directive
  readonly algorithm: ChecksumName | undefined
  /** The key that the source is under, if it is a customer's. */
  readonly sourceKey: CustomerKey | undefined
  /** Of the target: its own, or its bucket's default. The source's is not carried over. */
  readonly encryption: Encryption
  readonly attributes: ForStore
}

export const copyObject: Operation = async (gateway, request) => {
  const source = sourceOf(gateway, request)
  const target = { bucket: request.bucket, key: request.key }
  const directive = metadataDirective(request.headers)
  const algorithm = parseCopyChecksum(request.headers)
  const attributes = await attributesFor(gateway, 'CopyObject', request)
  checkSelfCopy({ source, target, directive, changes: changesAttributes(request.headers) })
  const sourceKey = parseSourceKey(request.headers)
  const encryption = await encryptionOf(gateway, target.bucket, request.headers)
  for (let attempt = 1; ; attempt += 1) {
    try {
      const asked = { source, target, directive, algorithm, sourceKey, encryption, attributes }
      const { etag, written, checksum, copied } = await rereading(() => copyOnce(gateway, request, asked))
      const { lastModified } = written
      return {
        status: 200,
        headers: { ...encryption.headers, ...sourceVersion(copied), ...written.attributes },
        body: renderCopyObject({ etag, lastModified, ...(checksum === undefined ? {} : { checksum }) }),
      }
    } catch (error) {
      if (!hasMoved(error)) throw error
      await requireTarget(gateway, request, target)
      if (attempt === ATTEMPTS) throw new S3Error('ConditionalRequestConflict', { cause: error })
    }
  }
}

/** Whether source or target changed under the copy. A store that has an answer for the client has found what was asked for. */
const hasMoved = (error: unknown): boolean =>
  error instanceof StoreError &&
  error.answer === undefined &&
  ['precondition-failed', 'no-such-key'].includes(error.refusal)

/** What describes the source. Throws `NoSuchKey`, `NoSuchVersion`, and `InvalidRequest` for a delete marker named by its id. */
export async function headSource(gateway: Gateway, source: Place, customerKey?: CustomerKey): Promise<StoredObject> {
  try {
    return await headNamed(gateway, source, customerKey)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    // Where the newest version is a delete marker the store's answer names no key, and the request's own is the target's.
    if (error.refusal === 'no-such-key') throw missing(source, error)
    if (error.answer?.code !== 'MethodNotAllowed') throw error
    throw new S3Error('InvalidRequest', {
      message: 'The source of a copy request may not specifically refer to a delete marker by version id.',
      cause: error,
    })
  }
}

/** The object to copy from, if the caller may read it. Throws `InvalidArgument`, `AccessDenied`, `NotImplemented`. */
export function sourceOf(gateway: Gateway, request: OperationRequest): Place {
  const { bucket, key, versionId } = parseCopySource(request.headers.get('x-amz-copy-source') ?? '')
  request.authorise('read', bucket, key)
  return { bucket, key, ...versionOf(gateway, versionId) }
}

/** The response header that names the version copied. */
export function sourceVersion({ place, info }: StoredObject): Record<string, string> {
  const versionId = place.versionId ?? info.versionId
  return versionId === undefined ? {} : { 'x-amz-copy-source-version-id': versionId }
}

async function copyOnce(gateway: Gateway, request: OperationRequest, asked: Asked): Promise<Copied> {
  const sealed = await headSource(gateway, asked.source, asked.sourceKey)
  evaluateCopySource(parseConditions(request.headers, 'x-amz-copy-source-'), {
    etag: sealed.etag,
    lastModified: sealed.info.lastModified,
  })
  checkCopySize(sealed.size)
  const attributes = await attributesOfCopy(gateway, request, sealed, asked.attributes)
  const copy = { ...asked, attributes }
  return (await copyInStore(gateway, request, copy, sealed)) ?? (await copyThrough(gateway, request, copy, sealed))
}

/** Whether the target's key may open the same body, and the store can copy it under every condition on source and target. */
async function mayShareBody(
  gateway: Gateway,
  request: OperationRequest,
  asked: Asked,
  sealed: SealedObject,
): Promise<boolean> {
  const { source, target, algorithm } = asked
  if (!copiesSafely(gateway, sealed.info.size)) return false
  const { ifMatch, ifNoneMatch } = parseWriteConditions(request.headers)
  const conditional = isSame(source, target) || ifMatch !== undefined || ifNoneMatch !== undefined
  if (conditional && !decidesCopies(gateway, sealed.info.size)) return false
  if (!(await mayShareKey(gateway, asked, sealed))) return false
  if (algorithm === undefined) return true
  const kept = checksumOf(sealed.metadata.tlvs)
  return kept !== undefined && kept.algorithm === CHECKSUMS[algorithm].code && typeOfCode(kept.type) === 'FULL_OBJECT'
}

/** Whether whoever opens the target may open the source too: one manager wraps both keys, and neither is under a customer's. */
async function mayShareKey(
  gateway: Gateway,
  { source, target, encryption }: Asked,
  { customerKey, envelope }: SealedObject,
): Promise<boolean> {
  if (gateway.rules(source.bucket).copy === 'rekey' || gateway.rules(target.bucket).copy === 'rekey') return false
  if (customerKey !== undefined || encryption.customerKey !== undefined) return false
  const active = await gateway.keys.active(gateway.rules(target.bucket).namespace, encryption.manager)
  return active.tag === envelope.tag && active.alias === envelope.alias
}

/** A server-side copy under a new envelope. `undefined` where that is not possible. */
async function copyInStore(
  gateway: Gateway,
  request: OperationRequest,
  asked: Asked,
  sealed: StoredObject,
): Promise<Copied | undefined> {
  if (sealed.kind === 'plain' || !(await mayShareBody(gateway, request, asked, sealed))) return undefined
  const { target, directive, encryption, attributes } = asked
  const near = sealed.metadata.tlvs
  if (directive === 'COPY' && (await leavesInArea(gateway, request, sealed))) return undefined
  const described = directive === 'REPLACE' ? describeObject(request.headers) : carriedOver(near, request.headers)
  const description = await describeShared(gateway, sealed, {
    target,
    tlvs: [...described, ...digestsOf(near)],
    encryption,
    keepsArea: directive === 'COPY' && sealed.envelope.flags.areaUsed,
  })
  // Streamed, the new tail has room for more, or the answer says how much there is.
  if (description === undefined) return undefined
  // Of a far store the tail would cost a request, for an answer that HEAD gives too.
  const told = await storedChecksum(gateway, sealed, request.signal, gateway.store.capabilities.near)
  const condition = await targetCondition(gateway, request, asked, sealed, 'copy')
  const written = await copyShared(gateway, sealed, { target, description, attributes, condition })
  const etag = keepsMd5(gateway) ? sealed.etag : opaqueEtag(written.etag)
  return { copied: sealed, etag, written, checksum: told }
}

/** Whether the tail's area, which a copy in the store keeps, holds something that a copy leaves behind: it streams then. */
async function leavesInArea(gateway: Gateway, request: OperationRequest, sealed: SealedObject): Promise<boolean> {
  if (!sealed.envelope.flags.areaUsed) return false
  const near = sealed.metadata.tlvs
  const all = await allTlvs(gateway, sealed, request.signal)
  return LEFT_BEHIND.some((tag) => textOf(all, tag) !== textOf(near, tag))
}

const LEFT_BEHIND = [TLV.websiteRedirect, TLV.serverSideEncryption, TLV.kmsDetails]

const isSame = (a: Place, b: Place): boolean => a.bucket === b.bucket && a.key === b.key

/**
 * The client's condition on the target. A copy onto itself never replaces a newer object with the bytes of the one it read, where
 * the store can decide that; an older version is meant to replace the newer one.
 */
async function targetCondition(
  gateway: Gateway,
  request: OperationRequest,
  { source, target }: Asked,
  sealed: StoredObject,
  needs: ConditionalStep,
): Promise<WriteCondition | undefined> {
  const conditions = parseWriteConditions(request.headers)
  const condition = await storeCondition(gateway, { place: target, conditions, repeatable: true, needs })
  if (!isSame(source, target) || source.versionId !== undefined) return condition
  // What was read is what would be replaced: the store's condition takes the place of the client's.
  evaluateWrite(conditions, { etag: sealed.etag })
  return decides(gateway, needs) ? { ifMatch: sealed.info.etag } : condition
}

/** A copy that the store refused for the client's own condition is not tried again. Throws `PreconditionFailed`, `NoSuchKey`. */
async function requireTarget(gateway: Gateway, request: OperationRequest, target: Place): Promise<void> {
  const conditions = parseWriteConditions(request.headers)
  if (conditions.ifNoneMatch !== undefined) {
    evaluateWrite(conditions, await presentInfo(gateway, target))
  } else if (conditions.ifMatch !== undefined) {
    const current = await currentEtag(gateway, target)
    evaluateWrite(conditions, current === undefined ? undefined : { etag: current.client })
  }
}

function digestsOf(tlvs: readonly Tlv[]): Tlv[] {
  const checksum = checksumOf(tlvs)
  const digest = md5Of(tlvs)
  return [
    ...(checksum === undefined ? [] : [checksumTlv(checksum)]),
    ...(digest === undefined ? [] : [md5Tlv(digest.md5, digest.partCount)]),
  ]
}

/** Decrypts the source and seals it anew under another object key. */
async function copyThrough(
  gateway: Gateway,
  request: OperationRequest,
  asked: Asked,
  sealed: StoredObject,
): Promise<Copied> {
  const { target, directive, algorithm, encryption } = asked
  const condition = await targetCondition(gateway, request, asked, sealed, stepOfWrite(gateway, sealed.size))
  const tlvs =
    directive === 'REPLACE'
      ? describeObject(request.headers)
      : carriedOver(await allTlvs(gateway, sealed, request.signal), request.headers)
  const kept = algorithm ?? (await storedChecksum(gateway, sealed, request.signal, true))?.name
  const attributes = await attributesOfPut(gateway, sealed, asked.attributes, request.signal)
  const { written, verified, etag } = await writeAnew(gateway, {
    source: sealed,
    target,
    tlvs,
    encryption,
    checksum: kept,
    attributes,
    condition,
    signal: request.signal,
  })
  const { checksum } = verified
  return {
    copied: sealed,
    etag,
    written,
    checksum: checksum === undefined ? undefined : { name: checksum.name, type: 'FULL_OBJECT', value: checksum.value },
  }
}
