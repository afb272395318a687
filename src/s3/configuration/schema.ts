/** What the document of a configuration may hold, as a table: a document that does not fit is `MalformedXML`, and one that fits is kept in one spelling. */
import { S3Error } from '../errors.ts'
import { el, group as wrap, type XmlElement, xmlDocument } from '../xml.ts'

/** An element that holds text. */
interface TextShape {
  readonly kind: 'text'
  /** The text as it is kept, or `undefined` if S3 refuses it. */
  readonly admit: (text: string) => string | undefined
}

/** An element that holds elements, each of them so and so often. */
interface GroupShape {
  readonly kind: 'group'
  readonly fields: Readonly<Record<string, Field>>
}

export type Shape = TextShape | GroupShape

interface Field {
  readonly shape: Shape
  readonly min: number
  readonly max: number
}

/** Any text, as it is. */
export const anyText: Shape = { kind: 'text', admit: (text) => text }

/** Text of this form, without white space around it. */
export const matching = (form: RegExp): Shape => ({
  kind: 'text',
  admit: (text) => (form.test(text.trim()) ? text.trim() : undefined),
})

export const oneOf = (...words: readonly string[]): Shape => ({
  kind: 'text',
  admit: (text) => (words.includes(text.trim()) ? text.trim() : undefined),
})

/** A whole number of 32 bits, without leading zeros. */
export const integer: Shape = {
  kind: 'text',
  admit: (text) => {
    const number = /^[+-]?\d{1,10}$/.test(text.trim()) ? Number(text) : Number.NaN
    return Number.isInteger(number) && Math.abs(number) < 2 ** 31 ? String(number + 0) : undefined
  },
}

export const boolean: Shape = {
  kind: 'text',
  admit: (text) => {
    const word = text.trim().toLowerCase()
    return word === 'true' || word === 'false' ? word : undefined
  },
}

export const STATUS = oneOf('Enabled', 'Disabled')

export const group = (fields: GroupShape['fields']): Shape => ({ kind: 'group', fields })
export const required = (shape: Shape): Field => ({ shape, min: 1, max: 1 })
export const optional = (shape: Shape): Field => ({ shape, min: 0, max: 1 })
export const many = (shape: Shape, min = 0, max = Number.MAX_SAFE_INTEGER): Field => ({ shape, min, max })

export const malformed = (): S3Error => new S3Error('MalformedXML')

/** The same element with its children in the order of the table. Throws `MalformedXML` for what the table does not have. */
export const admit = (element: XmlElement, shape: Shape): XmlElement => {
  const { name, text, children } = element
  if (shape.kind === 'text') {
    const kept = children.length === 0 ? shape.admit(text) : undefined
    if (kept === undefined) throw malformed()
    return { name, text: kept, children: [] }
  }
  if (text.trim() !== '' || children.some((child) => !Object.hasOwn(shape.fields, child.name))) throw malformed()
  const kept = Object.entries(shape.fields).flatMap(([field, { shape: inner, min, max }]) => {
    const found = children.filter((child) => child.name === field)
    if (found.length < min || found.length > max) throw malformed()
    return found.map((child) => admit(child, inner))
  })
  return { name, text: '', children: kept }
}

/** The root of a document, admitted. Throws `MalformedXML`. */
export const admitRoot = (root: XmlElement, name: string, shape: Shape): XmlElement => {
  if (root.name !== name) throw malformed()
  return admit(root, shape)
}

const rendered = ({ name, text, children }: XmlElement): string =>
  children.length === 0 ? el(name, text) : wrap(name, ...children.map(rendered))

/** An admitted element as a document of its own. */
export const renderAdmitted = ({ name, children, text }: XmlElement): string =>
  xmlDocument(name, text, ...children.map(rendered))
