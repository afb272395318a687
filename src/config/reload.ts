/** What of new settings takes effect in a gateway that runs, and what waits for its next start. */
import { bucketRule } from './bucket-rules.ts'
import type { Settings } from './settings.ts'

export interface Merged {
  /** The settings of the running gateway, with all of the new ones that can take effect. */
  readonly settings: Settings
  /** Groups that have changed by it. */
  readonly changed: readonly string[]
  /** Paths of what differs and waits. Names only: values may be secrets. */
  readonly waiting: readonly string[]
}

/** Groups that take effect as a whole. */
const LIVE = ['buckets', 'bucketsFolder', 'credentials', 'limits'] as const

/** Further ones, and what of a group takes effect alone. */
const LIVE_INSIDE = [
  'log.level',
  'server.cors',
  'server.tls',
  'admin.token',
  'admin.tokens',
  'admin.tls',
  'admin.profiling',
  'telemetry.tracing.sampleRatio',
]

/** Whether a change of that field takes effect in a gateway that runs. Of TLS only the files change: it is not switched on or off. */
export function isLive(path: readonly string[]): boolean {
  const name = path.join('.')
  return [...LIVE, ...LIVE_INSIDE].some(
    (live) => name === live || name.startsWith(`${live}.`) || name === `${live}File`,
  )
}

/** The settings in effect after a reload. */
export function mergeSettings(current: Settings, next: Settings): Merged {
  // Whoever is half way through a request must not meet another namespace at its end. Key managers that are new open with the next start.
  const waits = changesNamespace(current, next) || namesNewManager(current, next)
  const tls = current.server.tls !== undefined && next.server.tls !== undefined ? next.server.tls : current.server.tls
  const { cors } = next.server
  // What was checked with an address is not right for another: a token must not begin to count where it is sent in the clear.
  const admin = sameAdminListener(current.admin, next.admin) ? next.admin : current.admin
  const { sampleRatio } = next.telemetry.tracing
  const settings: Settings = {
    ...current,
    telemetry: { ...current.telemetry, tracing: { ...current.telemetry.tracing, sampleRatio } },
    server: { ...current.server, cors, ...(tls === undefined ? {} : { tls }) },
    buckets: waits ? current.buckets : next.buckets,
    admin,
    credentials: next.credentials,
    bucketsFolder: waits ? current.bucketsFolder : next.bucketsFolder,
    limits: next.limits,
    // Files that are open stay as they are.
    log: { ...current.log, level: next.log.level },
  }
  const changed = LIVE.filter((group) => !same(settings[group], current[group]))
  const waiting = [...differing(settings, next)].map((path) => (path.startsWith('buckets') ? 'buckets' : path))
  return {
    settings,
    changed: [
      ...changed,
      ...(settings.log.level === current.log.level ? [] : ['log.level']),
      ...(same(cors, current.server.cors) ? [] : ['server.cors']),
      ...(same(tls, current.server.tls) ? [] : ['server.tls']),
      ...(same(admin, current.admin) ? [] : ['admin']),
      ...(sampleRatio === current.telemetry.tracing.sampleRatio ? [] : ['telemetry.tracing.sampleRatio']),
    ],
    waiting: [...new Set(waiting)],
  }
}

/** Whether what has changed is who may come in, by tokens and certificates, and nothing else. */
function sameAdminListener(current: Settings['admin'], next: Settings['admin']): boolean {
  const kind = ({ tls }: Settings['admin']) => [tls !== undefined, tls?.clientCaFile !== undefined]
  return same(current.listen, next.listen) && same(kind(current), kind(next))
}

/** Only buckets that are named have a namespace of their own. */
function changesNamespace(current: Settings, next: Settings): boolean {
  const named = [...current.buckets, ...next.buckets].filter(({ namespace }) => namespace !== undefined)
  return named.some(({ match }) => bucketRule(current, match).namespace !== bucketRule(next, match).namespace)
}

const namesNewManager = ({ keys }: Settings, { buckets }: Settings): boolean =>
  buckets.some((bucket) => bucket.keys !== undefined && !Object.hasOwn(keys.managers, bucket.keys))

const same = (a: unknown, b: unknown): boolean => differing(a, b).next().done === true

/** The paths at which two trees differ; lists count as one. */
function* differing(a: unknown, b: unknown, path = ''): Generator<string> {
  if (!isObject(a) || !isObject(b)) {
    if (a !== b) yield path
    return
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (JSON.stringify(a) !== JSON.stringify(b)) yield path
    return
  }
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    yield* differing(Reflect.get(a, name), Reflect.get(b, name), path === '' ? name : `${path}.${name}`)
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
