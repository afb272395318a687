/** The size thresholds of lifecycle rules (S3 API reference, "LifecycleRuleFilter"); every other word of the document stays as it was written. */
import { S3Error } from './errors.ts'
import { parseXml, type XmlElement } from './xml.ts'

const NAMES: ReadonlySet<string> = new Set(['ObjectSizeGreaterThan', 'ObjectSizeLessThan'])
const THRESHOLD = /<((?:[\w.-]+:)?ObjectSize(?:Greater|Less)Than)(\s[^<>]*)?>\s*(\d{1,15})\s*<\/\1\s*>/g

/**
 * The same document with each threshold mapped. Throws `MalformedXML` for a document that is none, or whose thresholds are not
 * plain whole numbers: passed on as they are, they would be compared with other sizes than the client meant.
 */
export const mapSizeThresholds = (document: Buffer, maxBytes: number, map: (bytes: number) => number): Buffer => {
  const thresholds = countThresholds(parseXml(document, maxBytes))
  if (thresholds === 0) return document
  let mapped = 0
  const text = document
    .toString('utf8')
    .replaceAll(THRESHOLD, (_, name: string, attributes: string | undefined, bytes: string) => {
      mapped += 1
      return `<${name}${attributes ?? ''}>${map(Number(bytes))}</${name}>`
    })
  if (mapped !== thresholds) throw new S3Error('MalformedXML')
  return Buffer.from(text)
}

const countThresholds = ({ name, children }: XmlElement): number =>
  children.reduce((count, child) => count + countThresholds(child), NAMES.has(name) ? 1 : 0)
