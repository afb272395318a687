import { Document, parseDocument } from 'yaml'
import { describe, expect, it } from 'vitest'
import { jsonSchema, renderConfiguration } from '../../src/config/document.ts'
import { exampleOf } from '../../src/config/examples.ts'
import { FIELDS, type SchemaNode } from '../../src/config/fields.ts'
import { loadSettings } from '../../src/config/load.ts'

const DOCS = '../../docs'

describe('the documentation of the configuration', () => {
  it('equals docs/configuration.md', async () => {
    await expect(renderConfiguration()).toMatchFileSnapshot(`${DOCS}/configuration.md`)
  })

  it('equals docs/configuration.schema.json', async () => {
    await expect(`${JSON.stringify(jsonSchema(), null, 2)}\n`).toMatchFileSnapshot(`${DOCS}/configuration.schema.json`)
  })

  it('says something about every field', () => {
    const silent = FIELDS.filter(({ description }) => !/^.+[.`]$/.test(description)).map(({ path }) => path.join('.'))
    expect(silent).toEqual([])
    for (const { path } of FIELDS) expect(renderConfiguration()).toContain(path.at(-1))
  })

  it('shows for every field what might be written', () => {
    const bare = FIELDS.filter(
      ({ path, type, kind, secret, default: given }) =>
        given === undefined && exampleOf(path) === undefined && !secret && kind !== 'boolean' && !type.includes('`'),
    )
    expect(bare.map(({ path }) => path.join('.'))).toEqual([])
  })

  it('has an example that loads', () => {
    const yaml = /```yaml\n([\s\S]*?)```/.exec(renderConfiguration())?.[1] ?? ''
    expect(parseDocument(yaml).errors).toEqual([])
    const files: Record<string, string> = {
      'sealgate.yaml': yaml,
      '/run/secrets/sealgate-passphrase': 'a long passphrase',
      '/run/secrets/backup-secret-key': 'a long secret',
    }
    const settings = loadSettings({ env: {}, readFile: (path) => files[path] ?? '' })
    expect(settings.credentials).toHaveLength(1)
  })
})

describe('the JSON Schema', () => {
  const schema = jsonSchema()
  const at = (...steps: string[]): SchemaNode => {
    let node = schema
    for (const step of steps) node = (step === '[]' ? node.items : node.properties?.[step]) ?? {}
    return node
  }

  it('knows secrets by file, one of the two required', () => {
    const credential = at('credentials', '[]')
    expect(Object.keys(credential.properties ?? {})).toEqual([
      'accessKey',
      'secretKey',
      'allow',
      'limits',
      'secretKeyFile',
    ])
    expect(credential.required).toEqual(['accessKey', 'allow'])
    expect(credential.oneOf).toEqual([{ required: ['secretKey'] }, { required: ['secretKeyFile'] }])
    expect(JSON.stringify(schema)).not.toContain('"secret":')
  })

  it('is closed at every level, as the loader is', () => {
    const open: string[] = []
    const visit = (node: SchemaNode, path: string): void => {
      if (node.properties !== undefined && node.additionalProperties !== false) open.push(path)
      for (const [name, inner] of Object.entries(node.properties ?? {})) visit(inner, `${path}.${name}`)
      for (const inner of [...(node.oneOf ?? []), ...(node.anyOf ?? [])]) visit(inner, path)
      if (node.items !== undefined) visit(node.items, `${path}[]`)
    }
    visit(schema, '')
    expect(open).toEqual([])
  })

  it('has defaults that the loader accepts when they are written out', () => {
    const defaults: Record<string, Record<string, unknown>> = {}
    for (const { path, default: value, envName } of FIELDS) {
      const [group = '', name] = path
      if (envName === undefined || value === undefined || name === undefined || path.length > 2) continue
      defaults[group] = { ...defaults[group], [name]: value }
    }
    expect(Object.keys(defaults)).toContain('server')
    const yaml = new Document(defaults).toString()
    expect(loadSettings({ env: {}, readFile: () => yaml })).toEqual(loadSettings({ env: {}, readFile: () => '' }))
  })
})
