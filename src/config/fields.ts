/** The schema as a flat list of fields: what the environment, the secrets, the error texts and the documentation are made from. */
import { z } from 'zod'
import { settingsSchema } from './settings.ts'
import { DURATION_PATTERN, SIZE_PATTERN } from './units.ts'

/** The parts of JSON Schema that our schema uses. `secret` and `besideFile` are our own marks. */
export interface SchemaNode {
  type?: string
  properties?: Record<string, SchemaNode>
  required?: string[]
  items?: SchemaNode
  additionalProperties?: SchemaNode | false
  anyOf?: SchemaNode[]
  oneOf?: SchemaNode[]
  enum?: readonly unknown[]
  const?: unknown
  default?: unknown
  description?: string
  secret?: boolean
  besideFile?: boolean
  [keyword: string]: unknown
}

export interface Field {
  /** Names; `[]` stands for any place in a list, `<name>` for any name in a map. */
  readonly path: readonly string[]
  readonly kind: 'text' | 'number' | 'boolean' | 'list' | 'map' | 'text or list' | 'text or number'
  /** What may be written, with its unit. */
  readonly type: string
  /** Its value is never shown. */
  readonly secret: boolean
  /** The loader puts the content of `xFile` here. */
  readonly fromFile: boolean
  readonly description: string
  /** As a user would write it; `undefined` if there is none. */
  readonly default: unknown
  readonly required: boolean
  /** `SEALGATE_…`; `undefined` inside lists and maps, which the environment holds as a whole, in JSON. */
  readonly envName: string | undefined
}

/** Any name in a map. */
export const ANY_NAME = '<alias>'
/** Any place in a list. */
export const ANY_PLACE = '[]'

const BY_PATTERN: readonly (readonly [RegExp, string])[] = [
  [DURATION_PATTERN, 'duration'],
  [SIZE_PATTERN, 'size'],
]

/** The schema as JSON Schema, as users write settings (before defaults and conversions), with the marks of secrets. A new copy each time. */
export function schemaNode(): SchemaNode {
  const node: SchemaNode = JSON.parse(JSON.stringify(z.toJSONSchema(settingsSchema, { io: 'input' })))
  return node
}

/** Every field in the order of the schema. A secret `x` is followed by its `xFile`. */
export const FIELDS: readonly Field[] = fieldsBelow(schemaNode(), [])

/** The field at a place in a settings tree. */
export function fieldAt(path: readonly PropertyKey[]): Field | undefined {
  return FIELDS.find(
    (field) => field.path.length === path.length && field.path.every((step, at) => stepMatches(step, path[at])),
  )
}

/** Names that stand beside each other below `path`. */
export function namesBelow(path: readonly PropertyKey[]): string[] {
  const inside = FIELDS.filter(
    (field) => field.path.length > path.length && path.every((step, at) => stepMatches(field.path[at] ?? '', step)),
  )
  return [...new Set(inside.map((field) => field.path[path.length] ?? ''))]
}

/** `server.publicUrls` → `SEALGATE_SERVER_PUBLIC_URLS`. */
export function envNameOf(path: readonly string[]): string {
  const words = path.map((name) => name.replaceAll(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase())
  return ['SEALGATE', ...words].join('_')
}

function stepMatches(step: string, given: PropertyKey | undefined): boolean {
  if (step === ANY_PLACE) return typeof given === 'number'
  return step === ANY_NAME ? typeof given === 'string' : step === given
}

/** `present`: whether the group is always there. What an absent group would require is not required. */
function fieldsBelow(node: SchemaNode, path: readonly string[], present = true): Field[] {
  const fields = Object.entries(node.properties ?? {}).flatMap(([name, inner]) => {
    const required = present && node.required?.includes(name) === true
    if (inner.properties === undefined) return fieldsOf(inner, [...path, name], required)
    return fieldsBelow(inner, [...path, name], required || inner.default !== undefined)
  })
  const options = (node.oneOf ?? []).flatMap((option) => fieldsBelow(option, path))
  return mergeSame([...fields, ...options])
}

function fieldsOf(node: SchemaNode, path: readonly string[], required: boolean): Field[] {
  const secret = node.secret === true
  const inCollection = path.some((step) => step === ANY_PLACE || step === ANY_NAME)
  const field = {
    path,
    kind: kindOf(node),
    type: typeOf(node),
    secret,
    fromFile: secret && node.besideFile !== true,
    description: node.description ?? '',
    default: node.default,
    required: required && !secret,
    envName: inCollection ? undefined : envNameOf(path),
  }
  return [field, ...(field.fromFile ? [fileFieldOf(field)] : []), ...fieldsInside(node, path)]
}

function fileFieldOf(field: Field): Field {
  const name = field.path.at(-1) ?? ''
  const path = [...field.path.slice(0, -1), `${name}File`]
  const envName = field.envName === undefined ? undefined : `${field.envName}_FILE`
  return {
    ...field,
    path,
    kind: 'text',
    type: 'path',
    secret: false,
    fromFile: false,
    description: `File that holds \`${name}\`.`,
    default: undefined,
    envName,
  }
}

function fieldsInside(node: SchemaNode, path: readonly string[]): Field[] {
  if (node.items !== undefined) return fieldsBelow(node.items, [...path, ANY_PLACE])
  if (node.oneOf !== undefined) return mergeSame(node.oneOf.flatMap((option) => fieldsBelow(option, path)))
  if (typeof node.additionalProperties === 'object') return fieldsBelow(node.additionalProperties, [...path, ANY_NAME])
  return []
}

function kindOf(node: SchemaNode): Field['kind'] {
  if (node.anyOf?.some((option) => option.type === 'array') === true) return 'text or list'
  if (node.anyOf?.some((option) => option.type === 'integer') === true) return 'text or number'
  if (node.type === 'boolean') return 'boolean'
  if (node.type === 'array') return 'list'
  if (node.type === 'object' || node.oneOf !== undefined) return 'map'
  return node.type === 'integer' || node.type === 'number' ? 'number' : 'text'
}

/** The words of docs/configuration.md. */
function typeOf(node: SchemaNode): string {
  const options = node.anyOf ?? []
  if (options.length > 0) return [...new Set(options.map(typeOf))].join(' or ')
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (node.const !== undefined) return `\`${typeof node.const === 'string' ? node.const : JSON.stringify(node.const)}\``
  const { pattern, minimum, maximum } = node
  const unit = BY_PATTERN.find(([known]) => known.source === pattern)?.[1]
  if (unit !== undefined) return unit
  const kind = kindOf(node)
  if (kind !== 'number' || typeof minimum !== 'number' || typeof maximum !== 'number') return kind
  return `number, ${minimum} to ${maximum}`
}

/** The options of a union share fields: one entry with both descriptions. */
function mergeSame(fields: readonly Field[]): Field[] {
  const merged = new Map<string, Field>()
  for (const field of fields) {
    const name = field.path.join('.')
    const earlier = merged.get(name)
    if (earlier === undefined) merged.set(name, field)
    else if (earlier.description !== field.description) {
      merged.set(name, { ...earlier, description: `${earlier.description} ${field.description}` })
    }
  }
  return [...merged.values()]
}
