import { describe, expect, it } from 'vitest'
import {
  type AccessRequest,
  authorise,
  canList,
  type Grant,
  type Identity,
  requireAccess,
  visibleBuckets,
} from '../../src/access/policy.ts'

const who = (...grants: Grant[]): Identity => ({ accessKey: 'someone', grants })
const grant = (change: Partial<Grant> = {}): Grant => ({
  buckets: ['*'],
  prefixes: [],
  actions: 'read-write',
  ...change,
})

const BUCKET = 'logs'
const EVERYTHING: AccessRequest[] = [
  { action: 'list-buckets' },
  { action: 'read', bucket: BUCKET, key: 'a/b' },
  { action: 'write', bucket: BUCKET, key: 'a/b' },
  { action: 'list', bucket: BUCKET, prefix: '' },
  { action: 'read-bucket', bucket: BUCKET },
  { action: 'write-bucket', bucket: BUCKET },
  { action: 'write-some', bucket: BUCKET },
]
const allowedOf = (identity: Identity): string[] =>
  EVERYTHING.filter((request) => authorise(identity, request)).map(({ action }) => action)

describe('authorising a request', () => {
  it('denies everything but the list of buckets to an identity without grants', () => {
    expect(allowedOf(who())).toEqual(['list-buckets'])
  })

  it('allows everything in the bucket to read-write', () => {
    expect(allowedOf(who(grant()))).toEqual(EVERYTHING.map(({ action }) => action))
  })

  it('forbids every write to read-only', () => {
    expect(allowedOf(who(grant({ actions: 'read-only' })))).toEqual(['list-buckets', 'read', 'list', 'read-bucket'])
  })

  it('denies what lies in a bucket that no grant covers', () => {
    expect(allowedOf(who(grant({ buckets: ['log', 'logs2', 'LOGS', '*-logs'] })))).toEqual(['list-buckets'])
  })

  it('limits objects to keys below a prefix and forbids changes of the bucket itself', () => {
    const identity = who(grant({ prefixes: ['team/', 'shared'] }))
    const may = (action: 'read' | 'write', key: string): boolean => authorise(identity, { action, bucket: BUCKET, key })
    for (const action of ['read', 'write'] as const) {
      expect(['team/', 'team/x', 'shared', 'shared-x'].map((key) => may(action, key))).toEqual([true, true, true, true])
      expect(['team', 'Team/x', 'x/team/', ''].map((key) => may(action, key))).toEqual([false, false, false, false])
    }
    expect(authorise(identity, { action: 'write-bucket', bucket: BUCKET })).toBe(false)
    expect(authorise(identity, { action: 'read-bucket', bucket: BUCKET })).toBe(true)
    expect(authorise(identity, { action: 'write-some', bucket: BUCKET })).toBe(true)
  })

  it('takes no key for one below a prefix that leads out of it where names are paths', () => {
    const identity = who(grant({ prefixes: ['team/'] }))
    const may = (key: string): boolean =>
      ['read', 'write'].some((action) =>
        authorise(identity, { action: action as 'read' | 'write', bucket: BUCKET, key }),
      ) || authorise(identity, { action: 'list', bucket: BUCKET, prefix: key })
    for (const key of ['team/../x', 'team/a/../../x', 'team/..', 'team/a/..', 'team//../x'])
      expect(may(key)).toBe(false)
    for (const key of ['team/..x', 'team/x../y', 'team/.../y', 'team/./x', 'team/a..b']) expect(may(key)).toBe(true)
    expect(authorise(who(grant({})), { action: 'write', bucket: BUCKET, key: 'team/../x' })).toBe(true)
  })

  it('allows a listing only below an allowed prefix', () => {
    const identity = who(grant({ prefixes: ['team/'], actions: 'read-only' }))
    const may = (prefix: string): boolean => authorise(identity, { action: 'list', bucket: BUCKET, prefix })
    expect(['team/', 'team/a'].map(may)).toEqual([true, true])
    expect(['', 'te', 'team', 'other/'].map(may)).toEqual([false, false, false, false])
  })

  it('adds grants up without mixing them', () => {
    const identity = who(
      grant({ buckets: ['logs'], prefixes: ['in/'] }),
      grant({ buckets: ['logs'], actions: 'read-only' }),
      grant({ buckets: ['other'] }),
    )
    expect(authorise(identity, { action: 'read', bucket: 'logs', key: 'out/x' })).toBe(true)
    expect(authorise(identity, { action: 'write', bucket: 'logs', key: 'in/x' })).toBe(true)
    expect(authorise(identity, { action: 'write', bucket: 'logs', key: 'out/x' })).toBe(false)
    expect(authorise(identity, { action: 'write-bucket', bucket: 'logs' })).toBe(false)
  })

  it('throws AccessDenied where asked to insist', () => {
    const request: AccessRequest = { action: 'write', bucket: BUCKET, key: 'x' }
    expect(() => requireAccess(who(grant()), request)).not.toThrow()
    expect(() => requireAccess(who(), request)).toThrow(expect.objectContaining({ code: 'AccessDenied', status: 403 }))
  })
})

describe('what an identity may see', () => {
  it('is the buckets of its grants, in the order given', () => {
    const identity = who(grant({ buckets: ['b*'] }), grant({ buckets: ['x'], prefixes: ['p'], actions: 'read-only' }))
    expect(visibleBuckets(identity, ['x', 'a', 'b1', 'xx', 'b'])).toEqual(['x', 'b1', 'b'])
    expect(visibleBuckets(who(), ['a'])).toEqual([])
  })

  it('includes that a key is missing only where it may list it', () => {
    const identity = who(grant({ buckets: ['a'], prefixes: ['p/'], actions: 'read-only' }))
    expect(canList(identity, 'a', 'p/x')).toBe(true)
    expect(canList(identity, 'a', 'q/x')).toBe(false)
    expect(canList(identity, 'b', 'p/x')).toBe(false)
  })
})
