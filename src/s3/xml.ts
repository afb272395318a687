/** XML of requests and responses: string building out, a strict bounded parser in. */
import { SaxesParser } from 'saxes'
import { S3Error } from './errors.ts'

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** The namespace of every S3 document. */
export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

/**
 * What may not stand in text: markup, and control characters, which keys may hold. The latter are written as references
 * although XML 1.0 forbids some of them even so; S3 does the same, and `encoding-type=url` is the way around (B20).
 * Line feed and tab too: they would survive in text, but carriage return would not, and references keep all three alike.
 */
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const SPECIAL = /[&<>"\u0000-\u001f\u007f-\u009f\ufffe\uffff]/
// eslint-disable-next-line no-control-regex -- the same
const EACH_SPECIAL = /[&<>"\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g

const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Text for use between tags or in a quoted attribute. Refuses nothing. */
export const escapeXml = (text: string): string => (SPECIAL.test(text) ? text.replace(EACH_SPECIAL, reference) : text)

const reference = (character: string): string =>
  NAMED[character] ?? `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`

/** An element with text, or nothing at all for `undefined`. */
export const el = (name: string, text: string | number | boolean | undefined): string =>
  text === undefined ? '' : `<${name}>${typeof text === 'string' ? escapeXml(text) : String(text)}</${name}>`

/** An element around what is already rendered. */
export const group = (name: string, ...rendered: readonly string[]): string => `<${name}>${rendered.join('')}</${name}>`

/** A whole document in the S3 namespace. */
export const xmlDocument = (root: string, ...rendered: readonly string[]): string =>
  `${XML_DECLARATION}${rootElement(root, ...rendered)}`

/** A document without its declaration, for a body whose declaration was sent ahead to keep the connection alive (B65). */
export const rootElement = (root: string, ...rendered: readonly string[]): string =>
  `<${root} xmlns="${S3_NAMESPACE}">${rendered.join('')}</${root}>`

export interface XmlElement {
  /** Without prefix: documents come with and without the namespace. */
  readonly name: string
  /** All text directly inside, unescaped, white space kept. */
  readonly text: string
  readonly children: readonly XmlElement[]
}

interface OpenElement {
  readonly name: string
  text: string
  readonly children: OpenElement[]
}

/** No S3 request document is deeper. */
const MAX_DEPTH = 16

const malformed = (cause?: unknown): S3Error => new S3Error('MalformedXML', { cause })

/**
 * Parses a request document. Throws `MaxMessageLengthExceeded` beyond `maxBytes`, and `MalformedXML` for invalid UTF-8,
 * ill-formed XML, a DOCTYPE (and so any entity of its own), or more than 16 levels.
 */
export const parseXml = (bytes: Uint8Array, maxBytes: number): XmlElement => {
  requireLength(bytes.byteLength, maxBytes)
  const text = admitControls(decodeUtf8(bytes))
  // Raw control characters count as the references that they are read as: each costs the parser as much.
  requireLength(text.length, maxBytes)
  const parser = new SaxesParser({ defaultXMLVersion: '1.1', forceXMLVersion: true })
  const open: OpenElement[] = []
  let root: OpenElement | undefined
  const addText = (piece: string): void => {
    const element = open.at(-1)
    if (element !== undefined) element.text += piece
  }
  parser.on('error', (error) => {
    throw malformed(error)
  })
  parser.on('doctype', () => {
    throw malformed()
  })
  parser.on('opentag', (tag) => {
    if (open.length === MAX_DEPTH) throw malformed()
    const element: OpenElement = { name: tag.name.slice(tag.name.indexOf(':') + 1), text: '', children: [] }
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  parser.on('closetag', () => {
    open.pop()
  })
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.write(text).close()
  if (root === undefined) throw malformed()
  return root
}

const requireLength = (length: number, maxBytes: number): void => {
  if (length <= maxBytes) return
  throw new S3Error('MaxMessageLengthExceeded', { extra: { MaxMessageLengthBytes: String(maxBytes) } })
}

/** Control characters that XML forbids as such, and the two that XML 1.1 would read as line ends. */
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const RAW_CONTROL = /[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028]/g

/**
 * Keys may hold control characters (B20). XML 1.1 admits references to them, XML 1.0 does not; raw ones become references
 * first, so that none is refused or, as a line end, changed: a changed key would delete another object.
 */
const admitControls = (text: string): string => {
  if (text.search(RAW_CONTROL) < 0) return text
  // Inside CDATA a reference would be read literally.
  if (text.includes('<![CDATA[')) throw malformed()
  return text.replace(RAW_CONTROL, reference)
}

const decodeUtf8 = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw malformed(error)
  }
}

/** The first child of that name. */
export const child = (element: XmlElement, name: string): XmlElement | undefined =>
  element.children.find((candidate) => candidate.name === name)

/** The text of the first child of that name. */
export const childText = (element: XmlElement, name: string): string | undefined => child(element, name)?.text

/** The children of that name, in order. */
export const childrenNamed = (element: XmlElement, name: string): readonly XmlElement[] =>
  element.children.filter((candidate) => candidate.name === name)
