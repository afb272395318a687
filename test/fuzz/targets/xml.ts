/** Request documents. */
import fc, { type Arbitrary } from 'fast-check'
import { parseComplete } from '../../../src/s3/complete-xml.ts'
import { parseCors, renderCors } from '../../../src/s3/cors.ts'
import { checkLocation, parseCreateBucket } from '../../../src/s3/create-bucket-xml.ts'
import { parseDelete } from '../../../src/s3/delete-xml.ts'
import { mapSizeThresholds } from '../../../src/s3/lifecycle-sizes.ts'
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
  const made = orRefuse(() => parseCreateBucket(bytes))
  if (made !== undefined) orRefuse(() => checkLocation(made.locationConstraint, 'us-east-1'))
  const mapped = orRefuse(() => mapSizeThresholds(bytes, MAX_BYTES, (size) => size + 1))
  if (mapped !== undefined)
    requireMapped(thresholds(parseXml(bytes, MAX_BYTES)), thresholds(parseXml(mapped, 2 * MAX_BYTES)))
})

const thresholds = ({ name, text, children }: XmlElement): string[] => [
  ...(/^ObjectSize(?:Greater|Less)Than$/.test(name) ? [text.trim()] : []),
  ...children.flatMap(thresholds),
]

function requireMapped(before: readonly string[], after: readonly string[]): void {
  const known = before.filter((_, i) => Number(after[i]) === Number(before[i]) + 1)
  const all = before.length === after.length && known.length === before.length
  if (!all) throw new Error(`thresholds ${before.join()} became ${after.join()}`)
}
