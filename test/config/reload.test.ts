import { describe, expect, test } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'
import { mergeSettings } from '../../src/config/reload.ts'
import type { Settings } from '../../src/config/settings.ts'

const load = (yaml: string): Settings => loadSettings({ env: {}, readFile: () => yaml })
const merged = (current: string, next: string) => mergeSettings(load(current), load(next))

describe('a reload', () => {
  test('of the same settings changes nothing', () => {
    expect(merged('data: ./x', 'data: ./x')).toEqual({ settings: load('data: ./x'), changed: [], waiting: [] })
  })

  test.each<[string, string, (settings: Settings) => unknown]>([
    ['buckets', 'buckets: [{ match: a, copy: rekey }]', ({ buckets }) => buckets],
    [
      'credentials',
      'credentials: [{ accessKey: key, secretKey: quite-secret, allow: [{ buckets: ["*"], actions: read-only }] }]',
      ({ credentials }) => credentials,
    ],
    ['limits', 'limits: { connections: 9 }', ({ limits }) => limits],
    ['log.level', 'log: { level: debug }', ({ log }) => log],
  ])('of %s takes effect', (group, yaml, part) => {
    const { settings, changed, waiting } = merged('', yaml)
    expect([changed, waiting]).toEqual([[group], []])
    expect(part(settings)).toEqual(part(load(yaml)))
    expect(settings).toEqual(load(yaml))
  })

  test('of the share of requests that is traced takes effect, and where they are told waits', () => {
    const { settings, changed, waiting } = merged(
      '',
      'telemetry: { tracing: { sampleRatio: 0.5, endpoint: http://127.0.0.1:4318 } }',
    )
    expect([changed, waiting]).toEqual([['telemetry.tracing.sampleRatio'], ['telemetry.tracing.endpoint']])
    expect(settings).toEqual(load('telemetry: { tracing: { sampleRatio: 0.5 } }'))
  })

  test('of anything else waits, and is named without its value', () => {
    const yaml = [
      'data: ./other',
      'server: { listen: 127.0.0.1:9, domain: [a.b], idleTimeout: 9s }',
      'admin: { listen: off }',
      'keys: { managers: { local: { type: local, passphrase: quite-a-long-secret } } }',
      'backend: { type: s3, endpoint: http://127.0.0.1:1 }',
    ].join('\n')
    const { settings, changed, waiting } = merged('', yaml)
    expect(changed).toEqual([])
    expect(settings).toEqual(load(''))
    for (const path of ['data', 'server.domain', 'server.idleTimeout', 'admin.listen', 'backend.type']) {
      expect(waiting).toContain(path)
    }
    expect(waiting).toContain('keys.managers.local.passphrase')
    expect(waiting.join()).not.toContain('secret')
  })

  test('exchanges the files of a certificate, and does not begin or end to speak TLS', () => {
    const tls = (name: string) => `server: { tls: { certFile: ${name}.pem, keyFile: key.pem } }`
    expect(merged(tls('a'), tls('b'))).toMatchObject({
      settings: { server: { tls: { certFile: 'b.pem' } } },
      changed: ['server.tls'],
      waiting: [],
    })
    for (const [from, to] of [
      ['', tls('a')],
      [tls('a'), ''],
    ] as const) {
      expect(merged(from, to)).toMatchObject({ settings: load(from), changed: [], waiting: ['server.tls'] })
    }
  })

  test('takes another key manager for a bucket, unless it is one that the running gateway has not opened', () => {
    const managers = (names: string[]) =>
      `keys: { active: a, managers: { ${names.map((name) => `${name}: { type: local }`).join()} } }`
    const bucket = (alias: string) => `\nbuckets: [{ match: x, keys: ${alias} }]`
    const known = merged(managers(['a', 'b']), managers(['a', 'b']) + bucket('b'))
    expect([known.settings.buckets[0]?.keys, known.changed, known.waiting]).toEqual(['b', ['buckets'], []])
    const fresh = merged(managers(['a']), managers(['a', 'b']) + bucket('b'))
    expect([fresh.settings.buckets, fresh.changed]).toEqual([[], []])
    expect(fresh.waiting).toContain('buckets')
  })

  test('exchanges tokens and certificates of the admin listener, unless its address or its kind changes too', () => {
    const token = (letter: string) => `token: ${letter.repeat(40)}`
    const tls = (name: string, more = '') => `tls: { certFile: ${name}.pem, keyFile: key.pem${more} }`
    for (const [from, to] of [
      ['', token('a')],
      [token('a'), token('b')],
      [token('a'), `tokens: [{ name: x, ${token('a')} }]`],
      [tls('a', ', clientCaFile: a.pem'), tls('b', ', clientCaFile: b.pem')],
    ] as const) {
      const next = `admin: { ${to} }`
      expect(merged(`admin: { ${from} }`, next)).toEqual({ settings: load(next), changed: ['admin'], waiting: [] })
    }
    for (const [from, to] of [
      // Beyond loopback without TLS a token must not begin to count.
      ['listen: 0.0.0.0:8081', token('a')],
      [tls('a'), token('a')],
      [tls('a'), tls('a', ', clientCaFile: a.pem')],
    ] as const) {
      const { settings, changed, waiting } = merged(`admin: { ${from} }`, `admin: { ${to} }`)
      expect([settings, changed]).toEqual([load(`admin: { ${from} }`), []])
      expect(waiting.every((path) => path.startsWith('admin.'))).toBe(true)
      expect(waiting.length).toBeGreaterThan(0)
    }
  })

  test('never changes the namespace of a bucket under requests that are half way through', () => {
    const named = (namespace: string) => `buckets: [{ match: a, namespace: ${namespace} }, { match: b, copy: rekey }]`
    for (const [from, to] of [
      [named('one'), named('two')],
      [named('one'), 'buckets: []'],
      ['buckets: []', named('one')],
      [named('one'), `buckets: [{ match: "*", copy: rekey }, { match: a, namespace: one }]`],
    ] as const) {
      const { settings, changed, waiting } = merged(from, to)
      expect([settings.buckets, changed, waiting]).toEqual([load(from).buckets, [], ['buckets']])
    }
    expect(merged(named('one'), `${named('one').slice(0, -1)}, { match: c, copy: rekey }]`).changed).toEqual([
      'buckets',
    ])
  })
})
