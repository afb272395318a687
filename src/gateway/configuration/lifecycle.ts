/** The rules of a bucket by which objects age: of a store that speaks S3 its own, with sizes translated; else kept and told, and not acted on yet (B103). */
import { acceptLifecycle, lifecycleActs } from '../../s3/configuration/lifecycle.ts'
import { invalidArgument, S3Error } from '../../s3/errors.ts'
import type { Headers } from '../../s3/headers.ts'
import { parseXml } from '../../s3/xml.ts'
import type { Operation } from '../gateway.ts'
import { readDocument } from '../request-document.ts'
import {
  type ConfigurationKind,
  deleteConfiguration,
  keepConfiguration,
  newRuleId,
  readConfiguration,
  requireBucket,
} from './configuration.ts'

/** Below which size objects do not move to another class, where a rule says nothing of it. */
const MINIMUM = 'x-amz-transition-default-minimum-object-size'
const MINIMUMS = ['all_storage_classes_128K', 'varies_by_storage_class']

/** Kept as the minimum, a line feed, and the document. */
const LIFECYCLE: Pick<ConfigurationKind, 'name' | 'waits'> = {
  name: 'lifecycle',
  waits: lifecycleActs,
}

function minimumIn(headers: Headers): string {
  const word = headers.get(MINIMUM) ?? 'all_storage_classes_128K'
  if (MINIMUMS.includes(word)) return word
  throw invalidArgument(`Value for ${MINIMUM} header is invalid.`, MINIMUM, word)
}

export const putLifecycle: Operation = async (gateway, request) => {
  const { bucket, headers } = request
  const { xmlBytes } = gateway.limits
  await requireBucket(gateway, bucket)
  const minimum = minimumIn(headers)
  const root = parseXml(await readDocument(request, xmlBytes), xmlBytes)
  const document = acceptLifecycle(root, newRuleId(gateway))
  await keepConfiguration(gateway, bucket, LIFECYCLE, `${minimum}\n${document}`)
  return { status: 200, headers: { [MINIMUM]: minimum } }
}

export const getLifecycle: Operation = async (gateway, { bucket }) => {
  const kept = await readConfiguration(gateway, bucket, LIFECYCLE)
  if (kept === undefined) throw new S3Error('NoSuchLifecycleConfiguration', { extra: { BucketName: bucket } })
  const end = kept.indexOf('\n')
  return { status: 200, headers: { [MINIMUM]: kept.slice(0, end) }, body: kept.slice(end + 1) }
}

export const deleteBucketLifecycle = deleteConfiguration(LIFECYCLE)
