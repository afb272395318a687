// The architecture of this repository, as one table. To change the architecture, change the table first.
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { SOURCES } from './helpers/sources.ts'

/** For each folder of src/: the folders and the packages it may import. main.ts, compose.ts and compose/ see everything, errors.ts, attempts.ts, object-step.ts and secret-bytes.ts are seen by all. */
const MAY: Record<string, { folders: string[]; packages: string[] }> = {
  format: { folders: [], packages: ['node:crypto'] },
  s3: { folders: [], packages: ['node:crypto', 'node:zlib', 'saxes', 'hash-wasm'] },
  config: { folders: [], packages: ['node:path', 'zod', 'yaml'] },
  telemetry: {
    folders: [],
    packages: [
      'node:crypto',
      'node:diagnostics_channel',
      'node:fs',
      'node:inspector',
      'node:inspector/promises',
      'node:perf_hooks',
      'node:timers/promises',
      'node:util',
      'node:v8',
      'node:zlib',
      'pprof-format',
      'pino',
      'prom-client',
      // Its types alone: compose/ loads it for who traces.
      '@opentelemetry/exporter-trace-otlp-proto',
      'node:dgram',
      'node:fs/promises',
      'node:net',
      'node:path',
      'node:tls',
      'undici',
    ],
  },
  access: { folders: ['s3', 'config'], packages: ['node:crypto'] },
  keys: { folders: ['format'], packages: ['node:crypto', 'node:fs/promises', 'node:path', 'node:util', 'zod'] },
  // Rows of single providers count in place of that of their folder.
  'keys/aws-kms': { folders: ['format'], packages: ['@aws-sdk/client-kms'] },
  'keys/vault-transit': { folders: ['format'], packages: ['node:crypto', 'undici'] },
  'keys/kmip': { folders: ['format'], packages: ['node:crypto', 'node:net', 'node:tls'] },
  'keys/azure-key-vault': { folders: ['format'], packages: ['node:crypto', '@azure/keyvault-keys'] },
  'keys/gcp-kms': { folders: ['format'], packages: ['hash-wasm', 'undici', '@google-cloud/kms'] },
  'keys/pkcs11': { folders: ['format'], packages: ['node:module', 'node:worker_threads'] },
  backends: { folders: ['telemetry'], packages: [] },
  'backends/local': { folders: [], packages: ['node:fs', 'node:fs/promises', 'node:path', 'node:os', 'lmdb'] },
  'backends/s3': { folders: ['s3'], packages: ['node:net', 'node:stream', 'undici', '@aws-sdk/credential-providers'] },
  state: { folders: ['format', 'keys', 'backends'], packages: [] },
  gateway: { folders: ['s3', 'format', 'keys', 'backends', 'state', 'telemetry'], packages: [] },
  jobs: { folders: ['format', 'keys', 'state', 'backends', 'telemetry'], packages: [] },
  admin: { folders: ['keys', 'state', 'jobs', 'backends', 'telemetry'], packages: ['zod'] },
  http: {
    folders: ['gateway', 's3', 'access', 'admin', 'backends', 'telemetry'],
    packages: ['node:http', 'node:https', 'node:net', 'node:stream', 'node:tls', 'fastify'],
  },
  cli: {
    folders: [
      'config',
      'format',
      'keys',
      's3',
      'access',
      'backends',
      'state',
      'gateway',
      'jobs',
      'admin',
      'http',
      'telemetry',
      'compose',
    ],
    packages: ['node:*', 'commander', 'undici', 'cli-progress', 'yaml'],
  },
}

/** The files of these folders that folders outside may import. */
const PORTS: Record<string, string[]> = {
  keys: ['keys/key-manager.ts', 'keys/keyring.ts'],
  backends: [
    'backends/object-store.ts',
    'backends/body.ts',
    'backends/bucket-documents.ts',
    'backends/capabilities.ts',
  ],
  telemetry: ['telemetry/channels.ts', 'telemetry/meter.ts', 'telemetry/passage.ts'],
}

/** Those who open stores and keys offline may also import these files behind the ports. */
const EXTRA: Record<string, string[]> = {
  cli: [
    'keys/master-keys.ts',
    'keys/secret-file.ts',
    'keys/local.ts',
    'backends/local.ts',
    'telemetry/access-log.ts',
    'telemetry/audit-log.ts',
    'telemetry/audit-log/chain-file.ts',
    'telemetry/audit-log/sink-feed.ts',
    'telemetry/audit-log/sinks/elasticsearch.ts',
    'telemetry/audit-log/sinks/loki.ts',
    'telemetry/audit-log/sinks/stdout.ts',
    'telemetry/audit-log/sinks/syslog.ts',
    'telemetry/audit-log/verify.ts',
    'telemetry/line-file.ts',
    'telemetry/logger.ts',
    'telemetry/metrics.ts',
    'telemetry/metrics/cluster.ts',
    'telemetry/metrics/snapshot.ts',
  ],
}

/** Folders of interchangeable providers, and the files in them that providers may share. Providers never import each other. */
const PROVIDERS: Record<string, string[]> = {
  keys: [
    'keys/key-manager.ts',
    'keys/keyring.ts',
    'keys/master-keys.ts',
    'keys/local-wrap.ts',
    'keys/base64.ts',
    'keys/deadline.ts',
    'keys/provider-errors.ts',
    'keys/bucket-keys.ts',
    'keys/make-bucket-key.ts',
    'keys/key-cache.ts',
    'keys/resilient.ts',
    'keys/failover.ts',
  ],
  backends: [
    'backends/object-store.ts',
    'backends/body.ts',
    'backends/bucket-documents.ts',
    'backends/capabilities.ts',
    'backends/instrumented.ts',
    'backends/upload-marker.ts',
    'backends/utf8.ts',
  ],
}

const SEEN_BY_ALL = ['errors.ts', 'attempts.ts', 'object-step.ts', 'secret-bytes.ts']

const MAX_LINES = 400

const FILES = [...SOURCES.keys()]
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^'"`;()=]*?\bfrom\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g

const importsOf = (file: string): string[] =>
  [...(SOURCES.get(file) ?? '').matchAll(IMPORT)].map((m) => m[1] ?? m[2] ?? m[3] ?? '')
const target = (file: string, specifier: string): string => normalize(join(dirname(file), specifier))
const folder = (file: string): string =>
  file.includes('/') ? file.slice(0, file.indexOf('/')) : file.replace(/\.ts$/, '')
/** backends/local.ts and backends/local/index-db.ts are both the provider backends/local. */
const provider = (file: string): string => file.split('/').slice(0, 2).join('/').replace(/\.ts$/, '')
const fits = (name: string, pattern: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern

/** What is wrong with one import of a file, or `undefined`. */
function fault(file: string, specifier: string): string | undefined {
  const from = folder(file)
  if (file === 'main.ts' || from === 'compose') return undefined
  if (SEEN_BY_ALL.includes(file)) return `anything: ${file} stands alone`
  const row = MAY[provider(file)] ?? MAY[from]
  if (row === undefined) return `nothing: ${from}/ has no row in the table`
  if (!specifier.startsWith('.'))
    return row.packages.some((p) => fits(specifier, p)) ? undefined : `package ${specifier}`
  const to = target(file, specifier)
  if (SEEN_BY_ALL.includes(to)) return undefined
  if (folder(to) === from) {
    const shared = PROVIDERS[from]
    const stranger =
      shared !== undefined && !shared.includes(to) && provider(to) !== provider(file) && !shared.includes(file)
    return stranger ? `a stranger, ${to}` : undefined
  }
  if (!row.folders.includes(folder(to))) return `${to}, a folder it may not see`
  const ports = PORTS[folder(to)]
  return ports === undefined || ports.includes(to) || EXTRA[from]?.includes(to)
    ? undefined
    : `${to}, which is behind the port ${ports.join(', ')}`
}

/** The first import path that leads from `file` back to `file`, type-only imports included. */
function cycle(file: string, seen = new Set<string>(), at = file): string[] | undefined {
  for (const specifier of importsOf(at).filter((s) => s.startsWith('.'))) {
    const next = target(at, specifier)
    if (next === file) return [at, file]
    if (seen.has(next)) continue
    seen.add(next)
    const rest = cycle(file, seen, next)
    if (rest !== undefined) return [at, ...rest]
  }
  return undefined
}

test('the table sees the code', () => {
  expect(FILES.length).toBeGreaterThan(60)
  expect(FILES.flatMap(importsOf).length).toBeGreaterThan(FILES.length)
  expect(
    Object.keys(MAY).filter((name) => !FILES.some((file) => [folder(file), provider(file)].includes(name))),
  ).toEqual([])
})

test('every import is allowed by the table', () => {
  const faults = FILES.flatMap((file) => importsOf(file).map((s) => [file, fault(file, s)] as const))
  expect(faults.filter(([, what]) => what !== undefined).map(([file, what]) => `${file} imports ${what}`)).toEqual([])
})

test('no file reaches itself', () => {
  expect(FILES.map((file) => cycle(file)?.join(' -> ')).filter((c) => c !== undefined)).toEqual([])
})

test(`no file is longer than ${MAX_LINES} lines`, () => {
  expect(FILES.filter((file) => (SOURCES.get(file) ?? '').split('\n').length > MAX_LINES)).toEqual([])
})

test('no default exports, no barrels, no drawers', () => {
  const bad = FILES.filter(
    (file) =>
      /(?:^|\n)export default\b/.test(SOURCES.get(file) ?? '') ||
      /(?:^|\n)export\s+\*/.test(SOURCES.get(file) ?? '') ||
      /(?:^|\/)(?:index|utils|util|helpers|common|misc)\.ts$/.test(file),
  )
  expect(bad).toEqual([])
})

test('only main.ts reads the arguments and the environment of the process', () => {
  const readers = FILES.filter((file) => /\bprocess\.(?:argv|env)\b/.test(SOURCES.get(file) ?? ''))
  expect(readers.filter((file) => file !== 'main.ts')).toEqual([])
})

test('time and randomness are handed in, except where they are made', () => {
  const clocks = FILES.filter((file) => /\bDate\.now\(\)|\bnew Date\(\)|\bMath\.random\(/.test(SOURCES.get(file) ?? ''))
  // A store keeps its own time, as a remote one does; tests hand it another.
  const makers = ['compose', 'main', 'cli', 'backends']
  expect(clocks.filter((file) => !makers.includes(folder(file)))).toEqual([])
})
