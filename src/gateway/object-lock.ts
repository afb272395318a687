/** Retention and legal hold of versions, where the store does not speak S3 (B100, B101). Their answers name no version, as those of S3. */
import { S3Error } from '../s3/errors.ts'
import { judgeAttributes } from '../s3/kept-attributes.ts'
import { BYPASS, keptHeaders } from '../s3/native-headers.ts'
import {
  checkRetentionChange,
  legalHoldOf,
  noObjectLock,
  parseLegalHold,
  parseRetention,
  renderLegalHold,
  renderRetention,
  retentionOf,
  withLegalHold,
  withRetention,
} from '../s3/object-lock.ts'
import { requireBucket } from './configuration/configuration.ts'
import type { Gateway, Operation } from './gateway.ts'
import { changeBeside, readBeside } from './kept-beside.ts'
import { readDocument } from './request-document.ts'

/** Throws `NoSuchBucket`, `InvalidRequest` for a bucket without Object Lock. */
async function requireLock(gateway: Gateway, bucket: string): Promise<void> {
  if ((await requireBucket(gateway, bucket)).objectLock === true) return
  throw noObjectLock()
}

export const getObjectRetention: Operation = async (gateway, request) => {
  await requireLock(gateway, request.bucket)
  const { attributes } = await readBeside(gateway, request)
  const retention = retentionOf(attributes)
  if (retention === undefined) throw new S3Error('NoSuchObjectLockConfiguration')
  return { status: 200, body: renderRetention(retention) }
}

export const putObjectRetention: Operation = async (gateway, request) => {
  const { limits, clock } = gateway
  await requireLock(gateway, request.bucket)
  const asked = judgeAttributes(keptHeaders('PutObjectRetention', request.headers), clock())
  const bypass = asked[BYPASS] !== undefined
  const next = parseRetention(await readDocument(request, limits.xmlBytes), limits.xmlBytes, clock())
  await changeBeside(gateway, request, (current) => {
    checkRetentionChange(retentionOf(current), next, { now: clock(), bypass })
    return withRetention(current, next)
  })
  return { status: 200 }
}

export const getObjectLegalHold: Operation = async (gateway, request) => {
  await requireLock(gateway, request.bucket)
  const { attributes } = await readBeside(gateway, request)
  const on = legalHoldOf(attributes)
  if (on === undefined) throw new S3Error('NoSuchObjectLockConfiguration')
  return { status: 200, body: renderLegalHold(on) }
}

export const putObjectLegalHold: Operation = async (gateway, request) => {
  const { xmlBytes } = gateway.limits
  await requireLock(gateway, request.bucket)
  const on = parseLegalHold(await readDocument(request, xmlBytes), xmlBytes)
  await changeBeside(gateway, request, (current) => withLegalHold(current, on))
  return { status: 200 }
}
