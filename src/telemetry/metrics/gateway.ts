/** The gateway itself: what it is, its settings, what ends soon, and what is held or waits at this moment. */
import { Counter, Gauge, type Registry } from 'prom-client'
import { expirySeen, type LiveNumberEvent, liveNumber, settingsRead } from '../channels.ts'

export function showBuild(registry: Registry, version: string): void {
  new Gauge({
    registers: [registry],
    labelNames: ['version', 'node'],
    name: 'sealgate_build_info',
    help: 'Always 1; the labels say what runs.',
    aggregator: 'first',
  }).set({ version, node: process.version }, 1)
}

export function showSettings(registry: Registry): readonly (() => void)[] {
  const reads = new Counter({
    registers: [registry],
    labelNames: ['outcome'],
    name: 'sealgate_config_reloads_total',
    help: 'How often the settings were read anew: applied, or refused, so that the old ones stay.',
  })
  const successful = new Gauge({
    registers: [registry],
    name: 'sealgate_config_last_reload_successful',
    help: '1 if the settings that were read last are in effect, 0 if they were refused.',
    aggregator: 'min',
  })
  const at = new Gauge({
    registers: [registry],
    name: 'sealgate_config_last_reload_success_timestamp_seconds',
    help: 'When the settings in effect were read, in seconds since 1970.',
    aggregator: 'max',
  })
  successful.set(1)
  for (const outcome of ['applied', 'refused']) reads.inc({ outcome }, 0)
  return [
    settingsRead.subscribe((event) => {
      const { outcome } = event
      if (outcome !== 'started') reads.inc({ outcome })
      successful.set(outcome === 'refused' ? 0 : 1)
      if (outcome !== 'refused') at.set(event.at / 1_000)
    }),
  ]
}

export function showExpiries(registry: Registry): readonly (() => void)[] {
  const expiry = new Gauge({
    registers: [registry],
    labelNames: ['what', 'name'],
    name: 'sealgate_expiry_timestamp_seconds',
    help: 'When a certificate of a listener, or the token of a key manager, ends, in seconds since 1970; of a chain its first end.',
    aggregator: 'min',
  })
  return [
    expirySeen.subscribe(({ what, name, at }) => {
      if (at === undefined) expiry.remove({ what, name })
      else expiry.set({ what, name }, at / 1_000)
    }),
  ]
}

/** Names and words of what can be asked for. */
const NUMBERS = [
  ['connections', 'sealgate_connections', 'Connections of clients that are open.'],
  [
    'gathered-bytes',
    'sealgate_gathered_bytes',
    'Bytes of bodies that are gathered in memory before they are sealed; over limits.gatherBytes, which is for each worker, requests are turned away.',
  ],
  ['gather-limit', 'sealgate_gather_limit_bytes', 'limits.gatherBytes of all workers together.'],
  ['background', 'sealgate_background_tasks', 'Work under way that no request waits for.'],
  ['store-requests', 'sealgate_store_requests_open', 'Requests to an S3 store that have a connection.'],
  ['store-queue', 'sealgate_store_requests_queued', 'Requests to an S3 store that wait for a connection.'],
] as const satisfies readonly (readonly [what: LiveNumberEvent['what'], name: string, help: string])[]

/** Asked for with each scrape. */
export function showLiveNumbers(registry: Registry): readonly (() => void)[] {
  const sources = new Map<string, LiveNumberEvent>()
  for (const [what, name, help] of NUMBERS) {
    const gauge: Gauge = new Gauge({
      registers: [registry],
      labelNames: what.startsWith('store-') ? ['store'] : [],
      name,
      help,
      collect: async () => {
        for (const one of sources.values()) {
          if (one.what !== what) continue
          gauge.set(one.of === undefined ? {} : { store: one.of }, await one.read())
        }
      },
    })
  }
  return [
    liveNumber.subscribe((event) => void sources.set(`${event.what} ${event.of ?? ''}`, event)),
    () => sources.clear(),
  ]
}
