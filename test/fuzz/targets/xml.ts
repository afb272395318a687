/** Request documents. */
import fc, { type Arbitrary } from 'fast-check'
import { decodeGrants, encodeGrants, parseAclDocument } from '../../../src/s3/acl.ts'
import { parseComplete } from '../../../src/s3/complete-xml.ts'
import { parseCors, renderCors } from '../../../src/s3/cors.ts'
import { acceptLifecycle } from '../../../src/s3/configuration/lifecycle.ts'
import { acceptLogging } from '../../../src/s3/configuration/logging.ts'
import { acceptNotification } from '../../../src/s3/configuration/notification.ts'
import { acceptObjectLock } from '../../../src/s3/configuration/object-lock.ts'
import { acceptReplication } from '../../../src/s3/configuration/replication.ts'
import { checkLocation, parseCreateBucket } from '../../../src/s3/create-bucket-xml.ts'
import { parseDelete } from '../../../src/s3/delete-xml.ts'
import { parseBucketEncryption, renderBucketEncryption } from '../../../src/s3/encryption-xml.ts'
import { mapSizeThresholds } from '../../../src/s3/lifecycle-sizes.ts'
import { parseLegalHold, parseRetention, renderLegalHold, renderRetention } from '../../../src/s3/object-lock.ts'
import {
  checkBucketTags,
  parseObjectTagging,
  parseTagging,
  parseTaggingHeader,
  renderTagging,
  renderTaggingHeader,
} from '../../../src/s3/tags.ts'
import { escapeXml, parseXml, type XmlElement } from '../../../src/s3/xml.ts'
import { anyText, near } from '../arbitraries.ts'
import { mutated } from '../mutate.ts'
import { orRefuse, parserTarget } from '../target.ts'

const DOCUMENTS = [
  '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key><VersionId>null</VersionId></Object><Object><Key>b&#x1;&amp;</Key><ETag>"x"</ETag></Object><Quiet>true</Quiet></Delete>',
  '<?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part><Part><ETag>b</ETag><PartNumber>2</PartNumber></Part></CompleteMultipartUpload>',
  '<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>',
  '<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><And><Prefix>a</Prefix><ObjectSizeGreaterThan>100</ObjectSizeGreaterThan><ObjectSizeLessThan> 200 </ObjectSizeLessThan></And></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>',
  '<CORSConfiguration><CORSRule><ID>a</ID><AllowedOrigin>https://*.a.test</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>1</MaxAgeSeconds></CORSRule></CORSConfiguration>',
  '<LifecycleConfiguration><!--<ObjectSizeLessThan>1</ObjectSizeLessThan>--><ObjectSizeLessThan>2</ObjectSizeLessThan></LifecycleConfiguration>',
  '<a:Delete xmlns:a="b"><a:Object><a:Key><![CDATA[<x>]]></a:Key></a:Object></a:Delete>',
  '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key><Value/></Tag></TagSet></Tagging>',
  '<AccessControlPolicy><Owner><ID>me</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>me</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>',
  '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/main</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>',
  '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>',
  '<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>',
  '<LegalHold><Status>ON</Status></LegalHold>',
  '<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>a/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>',
  '<NotificationConfiguration><QueueConfiguration><Id>a</Id><Queue>arn:aws:sqs:us-east-1:1:q</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>',
  '<ReplicationConfiguration><Role>arn:aws:iam::1:role/r</Role><Rule><Status>Enabled</Status><Prefix></Prefix><Destination><Bucket>arn:aws:s3:::b</Bucket></Destination></Rule></ReplicationConfiguration>',
].map((text) => Buffer.from(text))

const NAMES = [
  'Delete',
  'Object',
  'Key',
  'ETag',
  'Quiet',
  'Part',
  'PartNumber',
  'CompleteMultipartUpload',
  'LocationConstraint',
  'a:b',
]

/** A tree of elements that belong nowhere in particular. */
const tree: Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(near('1', '2', 'true', 'eu-west-1', '"etag"'), anyText).map(escapeXml),
    fc
      .tuple(fc.constantFrom(...NAMES), fc.array(tie('node'), { maxLength: 4 }))
      .map(([name, inside]) => `<${name}>${inside.join('')}</${name}>`),
  ),
})).node

const document = fc.oneof(
  { weight: 3, arbitrary: mutated(DOCUMENTS) },
  { weight: 1, arbitrary: tree.map((text) => Buffer.from(text)) },
)

const MAX_BYTES = 1024 * 1024

export const xmlTarget = parserTarget('xml', 20, document, (bytes) => {
  orRefuse(() => parseXml(bytes, MAX_BYTES))
  const deleted = orRefuse(() => parseDelete(bytes))
  if (deleted?.objects.some(({ key }) => key === '') === true) throw new Error('a key of nothing')
  orRefuse(() => parseComplete(bytes))
  const rules = orRefuse(() => parseCors(bytes))
  if (rules !== undefined) parseCors(Buffer.from(renderCors(rules)))
  configurations(bytes)
  const made = orRefuse(() => parseCreateBucket(bytes))
  if (made !== undefined) orRefuse(() => checkLocation(made.locationConstraint, 'us-east-1'))
  const mapped = orRefuse(() => mapSizeThresholds(bytes, MAX_BYTES, (size) => size + 1))
  if (mapped !== undefined)
    requireMapped(thresholds(parseXml(bytes, MAX_BYTES)), thresholds(parseXml(mapped, 2 * MAX_BYTES)))
})

const OWNER = { id: 'me', displayName: 'me' }

/** What is accepted can be kept, and read again. */
function configurations(bytes: Buffer): void {
  const grants = orRefuse(() => parseAclDocument(bytes, MAX_BYTES, OWNER))
  if (grants !== undefined) decodeGrants(encodeGrants(grants), OWNER)
  const retention = orRefuse(() => parseRetention(bytes, MAX_BYTES, 0))
  if (retention !== undefined) parseRetention(Buffer.from(renderRetention(retention)), MAX_BYTES, 0)
  const hold = orRefuse(() => parseLegalHold(bytes, MAX_BYTES))
  if (hold !== undefined) parseLegalHold(Buffer.from(renderLegalHold(hold)), MAX_BYTES)
  const tags = orRefuse(() => parseTagging(bytes, MAX_BYTES))
  if (tags !== undefined) parseTagging(Buffer.from(renderTagging(tags)), 8 * MAX_BYTES)
  const objectTags = orRefuse(() => parseObjectTagging(bytes, MAX_BYTES))
  if (objectTags !== undefined) parseTaggingHeader(renderTaggingHeader(objectTags))
  orRefuse(() => checkBucketTags(tags ?? []))
  const encryption = orRefuse(() => parseBucketEncryption(bytes, MAX_BYTES))
  if (encryption !== undefined) parseBucketEncryption(Buffer.from(renderBucketEncryption(encryption)), 8 * MAX_BYTES)
  const root = orRefuse(() => parseXml(bytes, MAX_BYTES))
  if (root === undefined) return
  for (const accept of [acceptLifecycle, acceptNotification, acceptReplication])
    orRefuse(() => accept(root, () => 'id'))
  for (const accept of [acceptLogging, acceptObjectLock]) orRefuse(() => accept(root))
}

const thresholds = ({ name, text, children }: XmlElement): string[] => [
  ...(/^ObjectSize(?:Greater|Less)Than$/.test(name) ? [text.trim()] : []),
  ...children.flatMap(thresholds),
]

function requireMapped(before: readonly string[], after: readonly string[]): void {
  const known = before.filter((_, i) => Number(after[i]) === Number(before[i]) + 1)
  const all = before.length === after.length && known.length === before.length
  if (!all) throw new Error(`thresholds ${before.join()} became ${after.join()}`)
}
