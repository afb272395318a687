import { describe, expect, it } from 'vitest'
import { bucketRule } from '../../src/config/bucket-rules.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/settings.ts'

interface Sources {
  yaml?: string
  env?: Record<string, string | undefined>
  files?: Record<string, string>
  configPath?: string
}

function load({ yaml, env = {}, files = {}, configPath }: Sources = {}): Settings {
  const all: Record<string, string> = yaml === undefined ? files : { ...files, 'sealgate.yaml': yaml }
  const readFile = (path: string): string => {
    const text = all[path]
    if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
    return text
  }
  return loadSettings({ env, readFile, ...(configPath === undefined ? {} : { configPath }) })
}

/** The lines of the refusal, without its head. */
function problems(sources: Sources): string[] {
  try {
    load(sources)
  } catch (error) {
    expect(error).toMatchObject({ kind: 'invalid' })
    return String(error)
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
  return []
}

const CREDENTIAL = 'accessKey: backup, secretKey: quite-secret'
const ALLOW = 'allow: [{ buckets: ["*"], actions: read-only }]'

describe('settings from nothing', () => {
  it('are complete, and serve on loopback from one folder', () => {
    expect(load()).toEqual({
      data: './sealgate-data',
      server: {
        listen: { host: '127.0.0.1', port: 8080 },
        domain: [],
        publicUrls: [],
        cors: [],
        customerKeysOverHttp: false,
        headerTimeout: 30_000,
        idleTimeout: 120_000,
        keepAliveTimeout: 75_000,
        maxHeaderBytes: 16_384,
        maxXmlBytes: 8_388_608,
        shutdownGrace: 30_000,
        workers: 1,
      },
      admin: { listen: { host: '127.0.0.1', port: 8081 }, tokens: [] },
      backend: { type: 'local', path: 'sealgate-data/objects' },
      uploads: { abandonedAfter: 604_800_000 },
      replicas: 1,
      state: { type: 'local', path: 'sealgate-data/state', bucket: 'sealgate-state', prefix: '' },
      keys: {
        active: 'local',
        failover: [],
        managers: { local: { type: 'local', file: 'sealgate-data/master-keys.json' } },
        retired: [],
        rotation: { poll: 5_000, drain: 600_000, dualRead: 2_592_000_000 },
        bucketKey: { lifetime: 86_400_000 },
        cache: { lifetime: 10_800_000, grace: 86_400_000, entries: 4_096 },
      },
      buckets: [],
      fips: false,
      checksums: { default: 'small', onGet: 'always' },
      limits: { gatherBytes: 268_435_456, connections: 4_096 },
      log: { level: 'info', access: false, accessRotateAt: 64 * 2 ** 20, accessKeep: 5 },
      audit: { reads: true, policy: 'drop', rotateAt: 64 * 2 ** 20, sinks: [], buffer: 256 * 2 ** 20 },
    })
  })

  it('are frozen to the bottom', () => {
    const settings = load({ yaml: `credentials: [{ ${CREDENTIAL}, ${ALLOW} }]` })
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen))
    expect(frozen(settings)).toBe(true)
  })

  it('come from an empty file too', () => {
    expect(load({ yaml: '# nothing yet\n' })).toEqual(load())
  })
})

describe('the settings file', () => {
  it('sets what it names and leaves the rest', () => {
    const settings = load({
      yaml: 'server: { listen: "[::1]:9000", workers: 4, idleTimeout: 5m }\nlog: { level: warn }',
    })
    expect(settings.server).toMatchObject({ listen: { host: '::1', port: 9000 }, workers: 4, idleTimeout: 300_000 })
    expect(settings.server.headerTimeout).toBe(30_000)
    expect(settings.log.level).toBe('warn')
  })

  it('may be missing only when nobody named it', () => {
    expect(problems({ configPath: 'my.yaml' })).toEqual(['my.yaml: there is no such file'])
    expect(load({ configPath: 'my.yaml', files: { 'my.yaml': 'data: /d' } }).data).toBe('/d')
  })

  it('wins nothing by a second file beside the named one', () => {
    expect(load({ configPath: 'my.yaml', yaml: 'data: /other', files: { 'my.yaml': 'data: /d' } }).data).toBe('/d')
  })

  it.each([
    ['a broken file', 'server: { listen: "a'],
    ['a name twice', 'data: /a\ndata: /b'],
    ['a list', '- a'],
    ['a word', 'hello'],
    ['an unknown tag', 'data: !secret x'],
  ])('refuses %s', (_, yaml) => {
    const found = problems({ yaml })
    expect(found.length).toBeGreaterThan(0)
    expect(found[0]).toMatch(/^sealgate\.yaml: /)
  })

  it('never quotes its own lines in the complaint about its syntax', () => {
    const found = problems({ yaml: 'credentials:\n  - secretKey: "topsecretvalue\n  accessKey: [' })
    expect(found.join()).not.toContain('topsecret')
  })

  it('takes off and false alike for the admin listener', () => {
    for (const off of ['off', 'false']) expect(load({ yaml: `admin: { listen: ${off} }` }).admin.listen).toBe(false)
  })

  it('takes one domain or several', () => {
    expect(load({ yaml: 'server: { domain: s3.test }' }).server.domain).toEqual(['s3.test'])
    expect(load({ yaml: 'server: { domain: [s3.test, s3.example.com] }' }).server.domain).toEqual([
      's3.test',
      's3.example.com',
    ])
  })

  it('puts state in memory where the backend is', () => {
    const { backend, state } = load({ yaml: 'backend: { type: memory }' })
    expect(backend).toEqual({ type: 'memory' })
    expect(state).toEqual({ type: 'memory', bucket: 'sealgate-state', prefix: '' })
  })

  it('gives a local key manager the default file only if it has no keys of its own', () => {
    const yaml =
      'data: /d\nkeys: { active: b, managers: { a: { type: local }, b: { type: local, keys: "{}" }, c: { type: local, file: x } } }'
    expect(load({ yaml }).keys.managers).toEqual({
      a: { type: 'local', file: '/d/master-keys.json' },
      b: { type: 'local', keys: '{}' },
      c: { type: 'local', file: 'x' },
    })
  })
})

describe('the environment', () => {
  it('sets fields by their names in capitals, over the file', () => {
    const env = {
      SEALGATE_DATA: '/d',
      SEALGATE_SERVER_LISTEN: '0.0.0.0:80',
      SEALGATE_SERVER_WORKERS: '3',
      SEALGATE_SERVER_MAX_HEADER_BYTES: '32KiB',
      SEALGATE_SERVER_TLS_CERT_FILE: 'c.pem',
      SEALGATE_SERVER_TLS_KEY_FILE: 'k.pem',
      SEALGATE_ADMIN_LISTEN: 'off',
      SEALGATE_KEYS_BUCKET_KEY_LIFETIME: '1h',
    }
    const settings = load({ env, yaml: 'data: /other\nserver: { listen: a:1, region: eu-1 }' })
    expect(settings.data).toBe('/d')
    expect(settings.server).toMatchObject({
      listen: { host: '0.0.0.0', port: 80 },
      region: 'eu-1',
      workers: 3,
      maxHeaderBytes: 32_768,
      tls: { certFile: 'c.pem', keyFile: 'k.pem' },
    })
    expect(settings.admin.listen).toBe(false)
    expect(settings.keys.bucketKey.lifetime).toBe(3_600_000)
  })

  it('holds lists and maps as JSON', () => {
    const settings = load({
      env: {
        SEALGATE_SERVER_DOMAIN: '["a.test","b.test"]',
        SEALGATE_CREDENTIALS: JSON.stringify([
          {
            accessKey: 'one',
            secretKeyFile: '/run/one',
            allow: [{ buckets: ['x'], prefixes: ['p/'], actions: 'read-write' }],
          },
        ]),
        SEALGATE_KEYS_MANAGERS: '{"main":{"type":"local","passphraseFile":"/run/pass"}}',
        SEALGATE_KEYS_ACTIVE: 'main',
        SEALGATE_BUCKETS: '[{"match":"x","namespace":"old x","copy":"rekey"}]',
      },
      files: { '/run/one': 'secret-of-one\n' },
    })
    expect(settings.server.domain).toEqual(['a.test', 'b.test'])
    expect(settings.credentials).toEqual([
      {
        accessKey: 'one',
        secretKey: 'secret-of-one',
        allow: [{ buckets: ['x'], prefixes: ['p/'], actions: 'read-write' }],
      },
    ])
    expect(settings.keys.managers).toEqual({
      main: { type: 'local', passphraseFile: '/run/pass', file: 'sealgate-data/master-keys.json' },
    })
    expect(settings.buckets).toEqual([
      { match: 'x', contents: 'sealed', namespace: 'old x', copy: 'rekey', public: 'none' },
    ])
  })

  it('takes a single domain as a plain word', () => {
    expect(load({ env: { SEALGATE_SERVER_DOMAIN: 's3.test' } }).server.domain).toEqual(['s3.test'])
  })

  it('refuses a name that does not exist, and says which one was meant', () => {
    expect(problems({ env: { SEALGATE_SERVER_LISTN: 'x', SEALGATE_ZZZZZZZZZZZZ: '1' } })).toEqual([
      'SEALGATE_SERVER_LISTN: there is no such setting; did you mean SEALGATE_SERVER_LISTEN?',
      'SEALGATE_ZZZZZZZZZZZZ: there is no such setting',
    ])
  })

  it('is not asked for what lies inside lists and maps', () => {
    expect(problems({ env: { SEALGATE_KEYS_MANAGERS_LOCAL_TYPE: 'local' } })).toHaveLength(1)
  })

  it('counts an empty variable as not set, and ignores those of others', () => {
    const env = { SEALGATE_SERVER_REGION: '', SEALGATE_NONSENSE: '', PATH: '/bin', AWS_REGION: 'x', SEALGATEX: 'y' }
    expect(load({ env })).toEqual(load())
  })

  it('ignores what Kubernetes says of a Service of our name, but no mistake that looks like it', () => {
    const env = {
      SEALGATE_SERVICE_HOST: '10.0.0.1',
      SEALGATE_SERVICE_PORT: '8080',
      SEALGATE_SERVICE_PORT_HTTP: '8080',
      SEALGATE_PORT: 'tcp://10.0.0.1:8080',
      SEALGATE_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      SEALGATE_PORT_8080_TCP_ADDR: '10.0.0.1',
      SEALGATE_ADMIN_SERVICE_HOST: '10.0.0.2',
      SEALGATE_ADMIN_PORT: 'tcp://10.0.0.2:8081',
    }
    expect(load({ env })).toEqual(load())
    expect(problems({ env: { SEALGATE_PORT: '8080' } })).toHaveLength(1)
  })

  it('does not quote JSON that it cannot read', () => {
    const found = problems({ env: { SEALGATE_CREDENTIALS: '[{"secretKey":"topsecretvalue"' } })
    expect(found).toEqual(['SEALGATE_CREDENTIALS: is not valid JSON; write credentials as JSON here'])
  })
})

describe('a secret', () => {
  const yaml = (secret: string): string => `credentials: [{ accessKey: one, ${secret}, ${ALLOW} }]`

  it('comes from its file, less one line end', () => {
    const settings = load({ yaml: yaml('secretKeyFile: s'), files: { s: ' with spaces \n\n' } })
    expect(settings.credentials?.[0]?.secretKey).toBe(' with spaces \n')
    expect(settings.credentials?.[0]).not.toHaveProperty('secretKeyFile')
  })

  it('is refused when it is given twice, when its file is missing, and when neither is there', () => {
    expect(problems({ yaml: yaml('secretKey: quite-secret, secretKeyFile: s'), files: { s: 'other-secret' } })).toEqual(
      ['credentials[0].secretKeyFile: secretKey is given too; keep one of the two'],
    )
    expect(problems({ yaml: yaml('secretKeyFile: s') })).toEqual([
      'credentials[0].secretKeyFile: "s" is refused: there is no such file',
    ])
    expect(problems({ yaml: `credentials: [{ accessKey: one, ${ALLOW} }]` })).toEqual([
      'credentials[0].secretKey: is missing (Its secret; this or `secretKeyFile` is required)',
    ])
    expect(problems({ yaml: yaml('secretKeyFile: 5') })).toEqual([
      'credentials[0].secretKeyFile: write the path of a file',
    ])
  })

  it('is never shown, wherever it is wrong', () => {
    const found = [
      problems({ yaml: yaml('secretKey: topsecr') }),
      problems({ yaml: yaml('secretKey: 7777777777') }),
      problems({ yaml: yaml('secretKeyFile: s'), files: { s: 'topsecr' } }),
      problems({ yaml: yaml('secretKye: topsecretvalue') }),
      problems({ yaml: 'credentials: topsecretvalue' }),
      problems({ yaml: 'credentials: [topsecretvalue]' }),
      problems({ yaml: 'credentials: { secretKey: topsecretvalue }' }),
      problems({ yaml: 'keys: topsecretvalue' }),
      problems({ yaml: 'keys: { managers: { local: { type: local, passphrase: topsecretv } } }' }),
      problems({ yaml: 'keys: { managers: { local: topsecretvalue } }' }),
      problems({ yaml: 'keys: { managers: { local: { type: local, keys: [topsecretvalue] } } }' }),
      problems({ yaml: 'backend: { type: s3, proxy: "socks5://user:topsecretvalue@h:1" }' }),
      problems({ yaml: 'backend: { type: s3, endpoint: "https://user:topsecretvalue@h:1" }' }),
      problems({ yaml: 'backend: { type: s3, endpoint: "user:topsecret@value@h:1" }' }),
      problems({ env: { SEALGATE_STATE_TYPE: 's3', SEALGATE_STATE_ENDPOINT: 'http://user:topsecretvalue@h/path' } }),
    ]
    for (const lines of found) {
      expect(lines.length).toBeGreaterThan(0)
      expect(lines.join()).not.toMatch(/topsecr|77777/)
    }
  })
})

describe('a refusal', () => {
  it('names everything that is wrong at once: path, value, hint, and where it came from', () => {
    const yaml = `
server: { listen: 8080, idleTimeout: 90, tls: { certFile: c }, colour: red }
log: { levle: info }
credentials: [{ accessKey: a/b, secretKey: quite-secret, ${ALLOW} }]
`
    const env = { SEALGATE_SERVER_WORKERS: 'many', SEALGATE_UNKNOWN_THING: '1' }
    expect(problems({ yaml, env })).toEqual([
      'SEALGATE_UNKNOWN_THING: there is no such setting',
      'server.listen: 8080 is refused: write host:port',
      'server.tls.keyFile: is missing (Private key of `certFile` in PEM)',
      'server.idleTimeout: 90 is refused: write a number and a unit from 1s to 1h, for example 30s, 15m, 24h or 7d',
      'server.workers: "many" is refused: write a whole number from 1 to 256, or auto (from SEALGATE_SERVER_WORKERS)',
      'server.colour: there is no such setting',
      'credentials[0].accessKey: "a/b" is refused: an access key is 3 to 128 characters of A-Z, a-z, 0-9, ., _ and -',
      'log.levle: there is no such setting; did you mean level?',
    ])
  })

  it.each([
    [
      'server: { listen: "127.0.0.1" }',
      'server.listen: "127.0.0.1" is refused: write host:port, for example 127.0.0.1:8080',
    ],
    ['server: { listen: "127.0.0.1:65536" }', 'a port is at most 65535'],
    ['server: { idleTimeout: 500ms }', 'from 1s to 1h'],
    ['server: { shutdownGrace: 25h }', 'from 0s to 24h'],
    ['server: { maxHeaderBytes: 16384 }', '16384 is refused: write a number and a unit'],
    ['server: { workers: 0 }', 'write a whole number from 1 to 256'],
    ['server: { domain: 5 }', 'server.domain: the value is refused: write a lower-case domain name, or a list'],
    ['server: { domain: S3.Test }', 'write a lower-case domain name'],
    ['server: []', 'server: the value is refused'],
    ['admin: { listen: on }', 'admin.listen: "on" is refused: write host:port, for example 127.0.0.1:8081, or off'],
    ['admin: { listen: "127.0.0.1:8080" }', 'is the address of the S3 listener'],
    ['admin: { token: short }', 'admin.token: the value is refused: a token is 32 to 256 characters'],
    [
      'admin: { listen: "[::]:8081", token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }',
      'admin.listen: "::" is refused: tokens of the admin API would go over the network in the clear',
    ],
    [
      'admin: { token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, tokens: [{ name: x, token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }] }',
      'admin.tokens: two tokens have the same token',
    ],
    [
      'admin: { token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, tokens: [{ name: admin, token: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb }] }',
      'admin.tokens: two tokens have the same name',
    ],
    ['admin: { tls: { certFile: x, clientCaFile: y } }', 'admin.tls.keyFile: is missing'],
    ['backend: { type: nfs }', 'backend.type: "nfs" is refused: write local, memory or s3'],
    ['backend: { type: s3, path: x }', 'backend.path: "x" is refused: only a local store has a folder'],
    ['backend: { endpoint: "http://x" }', 'backend.endpoint: is for a store of type s3, and this one is local'],
    ['backend: { type: s3, endpoint: "ftp://x" }', 'backend.endpoint: "ftp://x" is refused: write http:// or https://'],
    ['backend: { type: s3, profile: minio }', 'backend.endpoint: a store with the profile minio needs its address'],
    ['backend: { type: s3, accessKeyId: x }', 'backend.accessKeyId: accessKeyId and secretAccessKey go together'],
    ['backend: { type: s3, tls: { certFile: x } }', 'backend.tls.certFile: certFile and keyFile go together'],
    [
      'replicas: 2\nbackend: { type: s3, endpoint: "http://x" }',
      'state.type: "local" is refused: is for one gateway alone, and `replicas` is 2',
    ],
    [
      'replicas: 2\nstate: { type: s3, endpoint: "http://x" }',
      'backend.type: "local" is refused: is for one gateway alone, and `replicas` is 2',
    ],
    ['backend: { type: memory, path: x }', 'a memory store has no folder'],
    ['server: { workers: 2 }\nstate: { type: memory }', 'memory is not shared: set server.workers to 1'],
    ['backend: { path: ./d/x }\nstate: { path: d/x }', 'is the folder of the backend too'],
    ['state: { prefix: x }', 'a prefix is empty or ends with /'],
    ['keys: { active: other }', 'keys.active: "other" is refused: no key manager has this alias; there is: local'],
    ['keys: { managers: { Main: { type: local } } }', 'keys.managers.Main: the value is refused: an alias is'],
    [
      'keys: { managers: { local: { type: vault } } }',
      'keys.managers.local.type: "vault" is refused: write a map whose `type` is local, memory, aws-kms, vault-transit, pkcs11, kmip, azure-key-vault or gcp-kms',
    ],
    ['keys: { managers: { local: { type: memory } } }', 'every object would be lost with the process'],
    ['keys: { managers: { local: { type: local, file: x, keys: y } } }', 'keep one of them'],
    ['keys: { bucketKey: { lifetime: 31d } }', 'from 1h to 30d'],
    ['keys: { retired: [gone] }', 'no key manager has this alias'],
    ['keys: { retired: [local] }', 'is to seal new objects elsewhere'],
    ['buckets: [{ match: a, namespace: sealgate/rotation }]', 'kept for Sealgate'],
    [`credentials: [{ ${CREDENTIAL}, allow: [] }]`, 'grant something, or remove the credential'],
    [
      `credentials: [{ ${CREDENTIAL}, allow: [{ buckets: [a], actions: write }] }]`,
      'credentials[0].allow[0].actions: "write" is refused: write read-only or read-write',
    ],
    [`credentials: [{ ${CREDENTIAL}, allow: [{ buckets: [], actions: read-only }] }]`, 'name at least one bucket'],
    [`credentials: [{ ${CREDENTIAL}, allow: [{ buckets: [a], prefixes: [""], actions: read-only }] }]`, 'for all keys'],
    [
      `credentials: [{ ${CREDENTIAL}, ${ALLOW} }, { ${CREDENTIAL}, ${ALLOW} }]`,
      'credentials[1].accessKey: "backup" is refused: credentials[0] has this access key',
    ],
    ['buckets: [{ match: "a*", namespace: n }]', 'can stand in for each other'],
    ['buckets: [{ match: a, namespace: "" }]', 'a namespace is 1 to 128'],
    ['server: { publicUrls: ["s3.example.com"] }', 'write scheme, host and port'],
    ['server: { publicUrls: ["https://s3.example.com/path"] }', 'write scheme, host and port'],
    ['server: { publicUrls: ["https://user@s3.example.com"] }', 'write scheme, host and port'],
    ['server: { cors: [{ origins: [], methods: [GET] }] }', 'name at least one origin'],
    ['server: { cors: [{ origins: ["http://*.*"], methods: [GET] }] }', 'one * at most'],
    ['server: { cors: [{ origins: ["*"], methods: [PATCH] }] }', 'write GET, PUT, POST, DELETE or HEAD'],
    ['server: { cors: [{ origins: ["*"], methods: [GET], exposed: ["x-*"] }] }', 'the name of a header, without *'],
    ['buckets: [{ match: a, public: everything }]', 'write none, read, list or upload'],
    ['limits: { connections: 1.5 }', 'write a whole number'],
    ['__proto__: { data: x }', 'there is no such setting'],
  ])('of %j says %s', (yaml, text) => {
    expect(problems({ yaml })).toEqual([expect.stringContaining(text)])
  })
})

describe('the rule of a bucket', () => {
  const settings = load({
    yaml: 'buckets: [{ match: a, namespace: old }, { match: "a*", copy: rekey }, { match: "*" }]',
  })

  it('is that of the first entry that matches', () => {
    expect(bucketRule(settings, 'a')).toMatchObject({ contents: 'sealed', namespace: 'old', copy: 'rewrap' })
    expect(bucketRule(settings, 'ab')).toMatchObject({ namespace: 'ab', copy: 'rekey' })
    expect(bucketRule({ ...settings, buckets: [] }, 'b')).toMatchObject({ namespace: 'b', copy: 'rewrap' })
  })

  it('has cross-origin rules of its own, else those of the server; nothing is public unless it says so', () => {
    const { buckets, server } = load({
      yaml: `
server: { cors: [{ origins: ["*"], methods: [GET], maxAge: 1h }] }
buckets: [{ match: own, cors: [{ origins: ["https://a.test"], methods: [PUT], headers: ["x-*"], exposed: [ETag] }], public: read }, { match: shut, cors: [] }]`,
    })
    const rule = (bucket: string): ReturnType<typeof bucketRule> => bucketRule({ buckets, server }, bucket)
    expect(rule('own').cors).toEqual([
      { origins: ['https://a.test'], methods: ['PUT'], headers: ['x-*'], exposed: ['ETag'], maxAgeSeconds: undefined },
    ])
    const everywhere = [{ origins: ['*'], methods: ['GET'], headers: [], exposed: [], maxAgeSeconds: 3_600 }]
    expect([rule('any').cors, rule('').cors, rule('shut').cors]).toEqual([everywhere, everywhere, []])
    expect([rule('own').public, rule('any').public]).toEqual(['read', 'none'])
  })

  it('keeps public URLs as origins', () => {
    expect(
      load({ yaml: 'server: { publicUrls: ["https://S3.Example.com:443/", "http://10.0.0.1:8080"] }' }).server
        .publicUrls,
    ).toEqual(['https://s3.example.com', 'http://10.0.0.1:8080'])
  })
})

describe('files of buckets', () => {
  const folders: Record<string, readonly string[]> = { 'buckets.d': ['b.yaml', 'a.yml', '.b.yaml.swp', 'notes.txt'] }
  function loadFolder(files: Record<string, string>, yaml = 'bucketsFolder: buckets.d') {
    const all: Record<string, string> = { 'sealgate.yaml': yaml, ...files }
    const gone = (path: string): Error => Object.assign(new Error(path), { code: 'ENOENT' })
    return loadSettings({
      env: {},
      readFile: (path) => {
        const text = all[path]
        if (text === undefined) throw gone(path)
        return text
      },
      listFolder: (path) => {
        const names = folders[path]
        if (names === undefined) throw gone(path)
        return names
      },
    })
  }
  const files = { 'buckets.d/a.yml': '[{ match: a1 }, { match: a2 }]', 'buckets.d/b.yaml': 'match: b\npublic: read\n' }

  it('come after those of the file, in the order of their names', () => {
    const settings = loadFolder(files, 'bucketsFolder: buckets.d\nbuckets: [{ match: first }]')
    expect(settings.buckets.map(({ match }) => match)).toEqual(['first', 'a1', 'a2', 'b'])
    expect(bucketRule(settings, 'b').public).toBe('read')
  })

  it('may be empty', () => {
    expect(loadFolder({ ...files, 'buckets.d/a.yml': '' }).buckets.map(({ match }) => match)).toEqual(['b'])
  })

  it.each([
    [
      { 'buckets.d/b.yaml': 'match: b\nkopy: rekey\n' },
      'buckets[2].kopy: there is no such setting; did you mean copy? (from buckets.d/b.yaml)',
    ],
    [
      { 'buckets.d/b.yaml': 'match: [\n' },
      'buckets.d/b.yaml: Flow sequence in block collection must be sufficiently indented',
    ],
    [{ 'buckets.d/b.yaml': 'just words\n' }, '(from buckets.d/b.yaml)'],
    [{ 'buckets.d/b.yaml': undefined }, 'buckets.d/b.yaml: there is no such file'],
  ])('say which of them is wrong: %j', (more, problem) => {
    const all = Object.entries({ ...files, ...more }).filter((pair): pair is [string, string] => pair[1] !== undefined)
    expect(() => loadFolder(Object.fromEntries(all))).toThrow(problem)
  })

  it('need their folder', () => {
    expect(() => loadFolder({}, 'bucketsFolder: elsewhere')).toThrow(
      'bucketsFolder: "elsewhere" is refused: there is no such folder',
    )
  })
})
