import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  aliasOfKeyId,
  ENCRYPTION_MODES,
  encryptionHeaders,
  parseCustomerKey,
  parseEncryption,
  parseSourceKey,
} from '../../src/s3/encryption-headers.ts'
import { parseBucketEncryption, renderBucketEncryption } from '../../src/s3/encryption-xml.ts'
import { S3Error } from '../../src/s3/errors.ts'
import { answer } from './auth/fixtures.ts'
import { codeOf, headers } from './requests.ts'

const SSE = 'x-amz-server-side-encryption'
const COPY = 'x-amz-copy-source-server-side-encryption'

const customer = (key: Uint8Array, prefix = SSE): Record<string, string> => ({
  [`${prefix}-customer-algorithm`]: 'AES256',
  [`${prefix}-customer-key`]: Buffer.from(key).toString('base64'),
  [`${prefix}-customer-key-md5`]: createHash('md5').update(key).digest('base64'),
})
const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const alias = fc.stringMatching(/^[a-z0-9-]{1,15}$/)

describe("a customer's key", () => {
  test('of 32 bytes is read back, and told with its digest', () => {
    fc.assert(
      fc.property(key32, (key) => {
        const sent = customer(key)
        const read = parseCustomerKey(headers(sent))
        expect(read?.bytes.equals(key)).toBe(true)
        expect(read?.headers).toEqual({
          [`${SSE}-customer-algorithm`]: 'AES256',
          [`${SSE}-customer-key-md5`]: sent[`${SSE}-customer-key-md5`],
        })
        expect(parseSourceKey(headers(sent))).toBeUndefined()
        expect(parseSourceKey(headers(customer(key, COPY)))?.bytes.equals(key)).toBe(true)
      }),
    )
  })

  test('of any other length is refused', () => {
    const other = fc.uint8Array({ maxLength: 80 }).filter(({ length }) => length !== 32)
    fc.assert(
      fc.property(other, (key) => {
        expect(codeOf(() => parseCustomerKey(headers(customer(key))))).toBe('InvalidArgument')
      }),
    )
  })

  test('whose headers are incomplete or damaged is refused, and no message shows key or digest', () => {
    const names = Object.keys(customer(Buffer.alloc(32)))
    const damage = fc.record({
      key: key32,
      name: fc.constantFrom(...names),
      value: fc.oneof(fc.constant(undefined), fc.string({ maxLength: 60 }), fc.base64String({ maxLength: 60 })),
    })
    fc.assert(
      fc.property(damage, ({ key, name, value }) => {
        const good = customer(key)
        fc.pre(value !== good[name])
        const sent = Object.entries(good).flatMap(([header, text]) =>
          header !== name ? [[header, text]] : value === undefined ? [] : [[header, value]],
        )
        const refused = answer(() => parseCustomerKey(headers(Object.fromEntries(sent))))
        expect(['InvalidArgument', 'InvalidEncryptionAlgorithmError']).toContain(refused.code)
        const said = JSON.stringify(refused)
        for (const secret of names.slice(1)) expect(said).not.toContain(good[secret])
      }),
    )
  })
})

describe('what a write asks for', () => {
  test('is one of the known combinations, or InvalidArgument; nothing else is ever thrown', () => {
    const names = ['', '-aws-kms-key-id', '-context', '-bucket-key-enabled', '-customer-algorithm'].map((n) => SSE + n)
    const value = fc.oneof(fc.constantFrom(...ENCRYPTION_MODES, 'true', 'False', 'e30='), fc.string({ maxLength: 20 }))
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value), (sent) => {
        try {
          const { mode, keyId, context, customerKey } = parseEncryption(headers(sent))
          expect(mode).toBe(sent[SSE])
          expect(customerKey).toBeUndefined()
          if (keyId !== undefined || context !== undefined) expect(mode).toMatch(/^aws:kms/)
        } catch (error) {
          if (!(error instanceof S3Error)) throw error
          expect(['InvalidArgument', 'InvalidEncryptionAlgorithmError']).toContain(error.code)
        }
      }),
    )
  })

  test('takes as a context the base64 of any map of strings, and of nothing else', () => {
    const context = (value: unknown): Record<string, string> => ({
      [SSE]: 'aws:kms',
      [`${SSE}-context`]: Buffer.from(JSON.stringify(value)).toString('base64'),
    })
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (map) => {
        expect(() => parseEncryption(headers(context(map)))).not.toThrow()
      }),
    )
    const other = fc.jsonValue().filter((value) => {
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
      return !isMap || Object.values(value).some((entry) => typeof entry !== 'string')
    })
    fc.assert(
      fc.property(other, (value) => {
        expect(codeOf(() => parseEncryption(headers(context(value))))).toBe('InvalidArgument')
      }),
    )
  })

  test('is told with the key that was named, and the bucket key where it is used', () => {
    expect(encryptionHeaders({ mode: 'AES256', keyId: '', bucketKey: false })).toEqual({ [SSE]: 'AES256' })
    expect(encryptionHeaders({ mode: 'aws:kms', keyId: 'alias/a', bucketKey: true })).toEqual({
      [SSE]: 'aws:kms',
      [`${SSE}-aws-kms-key-id`]: 'alias/a',
      [`${SSE}-bucket-key-enabled`]: 'true',
    })
  })
})

describe('a key id', () => {
  test('names an alias: bare, with its prefix, or at the end of an ARN', () => {
    fc.assert(
      fc.property(alias, (name) => {
        for (const id of [name, `alias/${name}`, `arn:aws:kms:eu-west-1:123456789012:alias/${name}`]) {
          expect(aliasOfKeyId(id)).toBe(name)
        }
        for (const id of [`${name}/x`, `/${name}`, `alias/alias/${name}`, `arn:aws:kms:a:1:key/${name}`, `${name}\n`]) {
          expect(aliasOfKeyId(id)).toBeUndefined()
        }
      }),
    )
  })

  test('is never taken for an alias that it does not end with', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (id) => {
        const found = aliasOfKeyId(id)
        if (found !== undefined) expect([id.endsWith(found), found]).toEqual([true, found.toLowerCase()])
      }),
    )
  })
})

test('the document of a default comes back as it was understood', () => {
  const encryption = fc.record({
    mode: fc.constantFrom(...ENCRYPTION_MODES),
    keyId: fc.oneof(fc.constant(''), alias),
    bucketKey: fc.boolean(),
    blocksCustomerKeys: fc.option(fc.boolean(), { nil: undefined }),
  })
  fc.assert(
    fc.property(encryption, (given) => {
      const known = given.mode === 'AES256' ? { ...given, keyId: '' } : given
      expect(parseBucketEncryption(Buffer.from(renderBucketEncryption(known)), 10_000)).toEqual(known)
    }),
  )
})
