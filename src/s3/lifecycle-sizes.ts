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
  const asked = thresholds(parseXml(document, maxBytes))
  if (asked.length === 0) return document
  let matches = 0
  const text = document
    .toString('utf8')
    .replaceAll(THRESHOLD, (_, name: string, attributes: string | undefined, bytes: string) => {
      matches += 1
      return `<${name}${attributes ?? ''}>${map(Number(bytes))}</${name}>`
    })
  const mapped = Buffer.from(text)
  // What looks like a threshold may stand in a comment, and a threshold may not look like one: only the result tells.
  const found = thresholds(parseXml(mapped, mapped.length))
  const exact = asked.every((bytes, i) => /^\d{1,15}$/.test(bytes) && found[i] === String(map(Number(bytes))))
  if (!exact || matches !== asked.length) throw new S3Error('MalformedXML')
  return mapped
}

const thresholds = ({ name, text, children }: XmlElement): readonly string[] =>
  NAMES.has(name) ? [text.trim()] : children.flatMap(thresholds)
