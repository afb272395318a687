/** CopyObject. Where re-wrapping the object's key is enough no data is re-encrypted; else the bytes stream through the gateway (docs/format.md, "Copies"). */
import { StoreError, type WriteCondition } from '../backends/object-store.ts'
import { checksumOf, checksumTlv, md5Of, md5Tlv, type Tlv } from '../format/tlv.ts'
import { CHECKSUMS, checksumOfCode, type ChecksumName, typeOfCode } from '../s3/checksum.ts'
import { parseCopyChecksum, type StoredChecksum } from '../s3/checksum-headers.ts'
import { evaluateCopySource, parseConditions, parseWriteConditions } from '../s3/conditions.ts'
import { checkCopySize, checkSelfCopy, type Directive, metadataDirective, parseCopySource } from '../s3/copy-source.ts'
import { S3Error } from '../s3/errors.ts'
import { renderCopyObject } from '../s3/result-xml.ts'
import { md5Etag } from './etag.ts'
import type { Gateway, Operation, OperationRequest } from './gateway.ts'
import { carriedOver, describeObject } from './object-metadata.ts'
import { PlaintextVerifier } from './plaintext-verifier.ts'
import { GATHER_BYTES } from './put-object.ts'
import { gather, openWhole } from './read-body.ts'
import { sealDescription, sealListed } from './sealed-description.ts'
import { allTlvs, getSame, headSealed, type Place, rereading, type SealedObject } from './sealed-object.ts'
import { storeCondition } from './write-conditions.ts'
import { type Plaintext, writeObject } from './write-object.ts'

/** How often a copy starts again when source or target move under it. */
const ATTEMPTS = 3

interface Copied {
  readonly etag: string
  readonly lastModified: Date
  readonly checksum: StoredChecksum | undefined
}

interface Asked {
  readonly source: Place
  readonly target: Place
  readonly directive: Directive
  readonly algorithm: ChecksumName | undefined
}

export const copyObject: Operation = async (gateway, request) => {
  const source = parseCopySource(request.headers.get('x-amz-copy-source') ?? '')
  request.authorise('read', source.bucket, source.key)
  const target = { bucket: request.bucket, key: request.key }
  const directive = metadataDirective(request.headers)
  const algorithm = parseCopyChecksum(request.headers)
  checkSelfCopy({ source, target, directive, changes: algorithm !== undefined })
  for (let attempt = 1; ; attempt += 1) {
    try {
      const copied = await rereading(() => copyOnce(gateway, request, { source, target, directive, algorithm }))
      const { etag, lastModified, checksum } = copied
      return {
        status: 200,
        body: renderCopyObject({ etag, lastModified, ...(checksum === undefined ? {} : { checksum }) }),
      }
    } catch (error) {
      const moved = error instanceof StoreError && ['precondition-failed', 'no-such-key'].includes(error.refusal)
      if (!moved) throw error
      if (attempt === ATTEMPTS) throw new S3Error('ConditionalRequestConflict', { cause: error })
    }
  }
}

async function copyOnce(gateway: Gateway, request: OperationRequest, asked: Asked): Promise<Copied> {
  const sealed = await headSealed(gateway, asked.source)
  evaluateCopySource(parseConditions(request.headers, 'x-amz-copy-source-'), {
    etag: sealed.etag,
    lastModified: sealed.info.lastModified,
  })
  checkCopySize(sealed.size)
  return (await copyInStore(gateway, request, asked, sealed)) ?? (await copyThrough(gateway, request, asked, sealed))
}

/** Whether the target's key may open the same body, and the store can copy it under a condition on the source. */
async function mayShareBody(
  gateway: Gateway,
  { source, target, algorithm }: Asked,
  sealed: SealedObject,
): Promise<boolean> {
  const { capabilities } = gateway.store
  if (!capabilities.copySourceIfMatch || sealed.info.size > capabilities.copyLimit) return false
  if (gateway.rules(source.bucket).copy === 'rekey' || gateway.rules(target.bucket).copy === 'rekey') return false
  const active = await gateway.keys.active(gateway.rules(target.bucket).namespace)
  if (active.tag !== sealed.envelope.tag || active.alias !== sealed.envelope.alias) return false
  if (algorithm === undefined) return true
  const kept = checksumOf(sealed.metadata.tlvs)
  return kept !== undefined && kept.algorithm === CHECKSUMS[algorithm].code && typeOfCode(kept.type) === 'FULL_OBJECT'
}

/** A server-side copy under a new envelope. `undefined` where that is not possible. */
async function copyInStore(
  gateway: Gateway,
  request: OperationRequest,
  asked: Asked,
  sealed: SealedObject,
): Promise<Copied | undefined> {
  if (!(await mayShareBody(gateway, asked, sealed))) return undefined
  const { source, target, directive } = asked
  const { envelope, metadata, objectKey, info } = sealed
  const near = metadata.tlvs
  const described = directive === 'REPLACE' ? describeObject(request.headers) : carriedOver(near)
  const { plaintextBytes, salt, commitment } = metadata
  const description = await sealDescription(gateway, target, {
    objectKey,
    tlvs: [...described, ...digestsOf(near)],
    ...(envelope.flags.sizeInMetadata ? { segment: { plaintextBytes, salt, commitment } } : {}),
    areaAllowed: false,
    keepsArea: directive === 'COPY' && envelope.flags.areaUsed,
  }).catch(unlessTooLarge)
  if (description === undefined) return undefined
  const condition = await targetCondition(gateway, request, asked, sealed)
  const { generation } = description
  const facts = sealed.facts ?? { plaintextBytes: sealed.size, partCount: 0, checksumAlgorithm: 0, checksumType: 0 }
  const written = await gateway.store.copy(source, target, {
    sourceIfMatch: info.etag,
    metadata: description.metadata,
    facts: sealListed(gateway, target, description, { ...facts, generation }),
    ...(condition === undefined ? {} : { condition }),
  })
  return { etag: sealed.etag, lastModified: written.lastModified, checksum: nearChecksum(near) }
}

/** The client's condition on the target. A copy onto itself never replaces a newer object with the bytes of the one it read. */
async function targetCondition(
  gateway: Gateway,
  request: OperationRequest,
  { source, target }: Asked,
  sealed: SealedObject,
): Promise<WriteCondition | undefined> {
  const condition = await storeCondition(gateway, target, parseWriteConditions(request.headers))
  const same = source.bucket === target.bucket && source.key === target.key
  return same ? { ifMatch: sealed.info.etag } : condition
}

/** Metadata that does not fit the headers of a finished body: the copy streams, where the new tail has room or the answer says how much there is. */
function unlessTooLarge(error: unknown): undefined {
  if (error instanceof S3Error && error.code === 'MetadataTooLarge') return undefined
  throw error
}

function digestsOf(tlvs: readonly Tlv[]): Tlv[] {
  const checksum = checksumOf(tlvs)
  const digest = md5Of(tlvs)
  return [
    ...(checksum === undefined ? [] : [checksumTlv(checksum)]),
    ...(digest === undefined ? [] : [md5Tlv(digest.md5, digest.partCount)]),
  ]
}

function nearChecksum(tlvs: readonly Tlv[]): StoredChecksum | undefined {
  const kept = checksumOf(tlvs)
  const row = kept === undefined ? undefined : checksumOfCode(kept.algorithm)
  return kept === undefined || row === undefined
    ? undefined
    : { name: row.name, type: typeOfCode(kept.type), value: kept.value }
}

/** Decrypts the source and seals it anew under another object key. */
async function copyThrough(
  gateway: Gateway,
  request: OperationRequest,
  asked: Asked,
  sealed: SealedObject,
): Promise<Copied> {
  const { target, directive, algorithm } = asked
  const condition = await targetCondition(gateway, request, asked, sealed)
  const tlvs =
    directive === 'REPLACE'
      ? describeObject(request.headers)
      : carriedOver(await allTlvs(gateway, sealed, request.signal))
  const kept =
    algorithm ??
    checksumOfCode(checksumOf(sealed.metadata.tlvs)?.algorithm ?? sealed.facts?.checksumAlgorithm ?? 0)?.name
  const plaintext = await plaintextOf(gateway, request, sealed, kept)
  const { written, verified } = await writeObject(gateway, {
    place: target,
    tlvs,
    plaintext,
    condition,
    signal: request.signal,
  })
  const { checksum } = verified
  return {
    etag: md5Etag(verified.md5, 0),
    lastModified: written.lastModified,
    checksum: checksum === undefined ? undefined : { name: checksum.name, type: 'FULL_OBJECT', value: checksum.value },
  }
}

async function plaintextOf(
  gateway: Gateway,
  request: OperationRequest,
  sealed: SealedObject,
  extraChecksum: ChecksumName | undefined,
): Promise<Plaintext> {
  const stored = await getSame(gateway, sealed, { first: 0, last: sealed.info.size - 1 }, request.signal)
  const body = await openWhole(gateway, sealed, stored, request.signal)
  const claims = { length: sealed.size, contentMd5: undefined, checksum: { kind: 'none' as const }, extraChecksum }
  if (sealed.size > GATHER_BYTES) return { kind: 'stream', length: sealed.size, body, claims, trailers: () => ({}) }
  const verifier = new PlaintextVerifier(claims)
  const pieces = await gather(body)
  for (const piece of pieces) verifier.update(piece)
  return { kind: 'gathered', pieces, verified: verifier.finish({}) }
}
