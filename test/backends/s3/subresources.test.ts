import { describe, expect, test } from 'vitest'
import { HeldBody } from '../../../src/backends/body.ts'
import { MemoryStore } from '../../../src/backends/memory.ts'
import type { ForwardRequest, ForwardResponse, ObjectStore } from '../../../src/backends/object-store.ts'
import { corrected, probeNative } from '../../../src/backends/s3/probe.ts'
import { capabilitiesOf, PROFILES } from '../../../src/backends/s3/profiles.ts'
import { SUBRESOURCES } from '../../../src/backends/s3/subresources.ts'
import { Unavailable } from '../../../src/errors.ts'
import { OPERATIONS } from '../../../src/s3/operation.ts'
import { OPERATION_NAMES } from '../../../src/s3/operation-name.ts'
import type { OperationRow } from '../../../src/s3/operation-row.ts'

const answer = (body: string): ForwardResponse => ({
  status: 200,
  headers: {},
  body: new HeldBody([Buffer.from(body)]),
})
const refusal = (code: string, status = 400): ForwardResponse => ({
  ...answer(''),
  status,
  refused: { status, code, message: code, attributes: {} },
})

/** A store that hears the path and not the query, as some do with what they do not know. */
async function forgetful(inner: MemoryStore, request: ForwardRequest): Promise<ForwardResponse> {
  const { method, bucket, key, body } = request
  if (key === '') {
    if (method === 'GET') return answer('<ListBucketResult/>')
    if (method === 'PUT') return refusal('BucketAlreadyOwnedByYou', 409)
    for (const { key: one } of (await inner.list(bucket, { prefix: '', limit: 1_000 })).objects) {
      await inner.delete(bucket, one)
    }
    return refusal('BucketNotEmpty', 409)
  }
  if (method === 'GET') return answer('native')
  if (method === 'POST') return refusal('MethodNotAllowed', 405)
  if (method === 'PUT') {
    await inner.put(bucket, key, new HeldBody([body]), { metadata: {}, commit: async () => ({}) })
    return answer('')
  }
  await inner.delete(bucket, key)
  return answer('')
}

/** `answers` decides first; what it leaves goes to a store that ignores the query. */
async function tried(answers: (request: ForwardRequest) => ForwardResponse | undefined, keepsVersions = true) {
  const inner = new MemoryStore()
  await inner.createBucket('b')
  const forward = async (request: ForwardRequest) => answers(request) ?? forgetful(inner, request)
  const store = new Proxy<ObjectStore>(inner, {
    get: (target, name) => {
      if (name === 'forward') return forward
      if (name === 'delete')
        return async (bucket: string, key: string, { versionId }: { versionId?: string } = {}) =>
          versionId !== undefined && keepsVersions ? {} : inner.delete(bucket, key)
      if (name === 'get')
        return async (bucket: string, key: string, { versionId }: { versionId?: string } = {}) => {
          if (versionId !== undefined && keepsVersions) throw new Error('no such version')
          return inner.get(bucket, key)
        }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const findings = await probeNative(store, 'b', SUBRESOURCES)
  const found = Object.fromEntries(findings.map(({ ability, found }) => [ability, found]))
  return { findings, found, left: (await inner.list('b', { prefix: '', limit: 9 })).objects }
}

const all = (found: string) => Object.fromEntries(SUBRESOURCES.map((name) => [name, found]))

test('every sub-resource that is forwarded is one that profiles speak of', () => {
  const rows = OPERATION_NAMES.map((name): OperationRow => OPERATIONS[name])
  const names = (some: readonly OperationRow[]) =>
    new Set(some.map(({ resource, subresource }) => `${resource}?${subresource}`))
  const forwarded = names(rows.filter((row) => row.class === 'forwarded'))
  expect([...forwarded].filter((name) => !SUBRESOURCES.some((one) => one === name))).toEqual([])
  expect(SUBRESOURCES.filter((name) => !names(rows).has(name))).toEqual([])
})

describe('a trial', () => {
  test('finds a store that knows all of them, or refuses them', async () => {
    const { found, left } = await tried(({ method }) =>
      method === 'GET' ? answer('<Else/>') : refusal('MalformedXML'),
    )
    expect(found).toEqual({ ...all('yes'), versions: 'yes' })
    expect(left).toEqual([])
  })

  test('finds one that ignores all of them, and leaves nothing behind', async () => {
    const { found, left } = await tried(() => undefined, false)
    // A POST on an object means nothing without its sub-resource, and is refused.
    expect(found).toEqual({ ...all('no'), 'object?restore': 'yes', versions: 'no' })
    expect(left).toEqual([])
  })

  test.each(['GET', 'PUT', 'DELETE'])('finds one that ignores them on %s alone', async (method) => {
    const { found } = await tried((request) => {
      if (request.method === method) return undefined
      return request.method === 'GET' ? answer('<Else/>') : refusal('MalformedXML')
    })
    expect(found['object?tagging']).toBe('no')
    expect(found['bucket?lifecycle']).toBe('no')
  })

  test('finds one that says yes to a DELETE and has deleted the object', async () => {
    const { found } = await tried(({ method }) => {
      if (method === 'DELETE') return undefined
      return method === 'GET' ? answer('<Else/>') : refusal('MalformedXML')
    })
    expect(found['object?tagging']).toBe('no')
  })

  test('asks once more of one that fails over an empty document', async () => {
    const { found } = await tried(({ method, body }) => {
      if (method === 'PUT' && body.length === 0) throw new Unavailable('EOF')
      return method === 'GET' ? answer('<Else/>') : refusal('MalformedXML')
    })
    expect(found).toEqual({ ...all('yes'), versions: 'yes' })
  })

  test('takes one that fails over any document, and over nothing else, for one that reads them', async () => {
    const { found, findings } = await tried(({ method }) => {
      if (method === 'PUT') throw new Unavailable('expected element type')
      return method === 'GET' ? answer('<Else/>') : refusal('MalformedXML')
    })
    expect(found).toEqual({ ...all('yes'), versions: 'yes' })
    expect(findings.filter(({ failed }) => failed === true)).toEqual([])
  })

  test('says so where the store failed', async () => {
    const { findings } = await tried(() => {
      throw new Unavailable('down')
    })
    const failed = findings.filter((one) => one.failed === true)
    expect(failed.map(({ ability }) => ability)).toEqual([...SUBRESOURCES])
  })
})

describe('what is forwarded', () => {
  const forwards = (name: keyof typeof PROFILES) => capabilitiesOf(PROFILES[name]).forwards ?? new Set()

  test('is nothing to a store that stores the document as the object', () => {
    expect([...forwards('s3proxy')]).toEqual([])
  })

  test('has to do with versions, tags and locks only where those are', () => {
    expect([...forwards('garage')]).toEqual(['bucket?lifecycle'])
    expect(forwards('b2').has('object?retention')).toBe(true)
    expect(forwards('b2').has('object?tagging')).toBe(false)
    expect(forwards('gcs').has('bucket?versions')).toBe(false)
  })

  test('is nothing that a trial has refuted, and of an unknown store only what it has confirmed', () => {
    const no = [{ ability: 'object?tagging' as const, found: 'no' as const, detail: '' }]
    const minio = corrected(PROFILES.minio, no)
    expect([minio.tags, capabilitiesOf(minio).forwards?.has('object?tagging')]).toEqual([false, false])
    expect(capabilitiesOf(minio).forwards?.has('bucket?lifecycle')).toBe(true)
    expect(corrected(PROFILES.generic, no).subresources).toEqual([])
    const yes = [{ ability: 'bucket?lifecycle' as const, found: 'yes' as const, detail: '' }]
    expect(corrected(PROFILES.generic, yes).subresources).toEqual(['bucket?lifecycle'])
  })
})
