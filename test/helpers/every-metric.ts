/** Events of all kinds, so that every metric has a series with every value that its labels can take, those that clients or settings choose aside. */
import { Integrity, INTEGRITY_LAYERS } from '../../src/errors.ts'
import {
  alarm,
  expirySeen,
  jobSeen,
  KEY_CACHE_EVENTS,
  keyCache,
  keyCacheSize,
  keyCall,
  keyFailover,
  keyManager,
  linesLost,
  liveNumber,
  plaintextLeft,
  plaintextSeen,
  requestDone,
  rotationSeen,
  settingsRead,
  spans,
  storeAttempt,
  storeCall,
  uploadsSeen,
} from '../../src/telemetry/channels.ts'
import { Meter } from '../../src/telemetry/meter.ts'
import { collectMetrics } from '../../src/telemetry/metrics.ts'
import { clusterMetrics } from '../../src/telemetry/metrics/cluster.ts'
import { OPERATION_NAMES } from '../../src/s3/operation-name.ts'
import { S3_ERRORS } from '../../src/s3/errors.ts'
import { requestEvent } from './metrics.ts'

const TIMES = { storeMilliseconds: 1, cipherMilliseconds: 1, keyMilliseconds: 1 }

function requests(): void {
  for (const operation of OPERATION_NAMES) requestDone.publish(requestEvent({ operation }, TIMES))
  for (const [code, [status]] of Object.entries(S3_ERRORS)) requestDone.publish(requestEvent({ code, status }))
  requestDone.publish(requestEvent({ disconnected: true }))
  for (const layer of INTEGRITY_LAYERS) alarm.publish({ what: 'x', detail: {}, cause: new Integrity(layer, 'x') })
}

function stores(): void {
  for (const store of ['backend', 'state'] as const) {
    for (const outcome of ['ok', 'refused', 'unavailable', 'failed'] as const) {
      storeCall.publish({ store, call: 'get', outcome, begun: 0, milliseconds: 1, meter: new Meter() })
    }
    for (const outcome of ['answered', 'refused', 'unanswered'] as const) storeAttempt.publish({ store, outcome })
    for (const again of ['unanswered', 'transient', 'credentials', 'region', 'clock'] as const) {
      storeAttempt.publish({ store, outcome: 'refused', again })
    }
    for (const what of ['store-requests', 'store-queue'] as const)
      liveNumber.publish({ what, of: store, read: () => 1 })
  }
}

function keys(): void {
  for (const event of KEY_CACHE_EVENTS) keyCache.publish({ event })
  keyCacheSize.publish({ entries: 1, oldest: () => 1 })
  keyManager.publish({ manager: 'main', state: 'open' })
  keyFailover.publish({ manager: 'main' })
  for (const call of ['generate', 'wrap', 'unwrap', 'rewrap', 'health'] as const) {
    for (const outcome of ['ok', 'unavailable', 'denied', 'integrity', 'failed', 'not-asked'] as const) {
      keyCall.publish({ manager: 'main', call, outcome, milliseconds: 1, at: 1 })
    }
  }
  rotationSeen.publish({
    from: 'a',
    to: 'b',
    phase: 'draining',
    stalled: false,
    total: 1,
    examined: 1,
    rewrapped: 1,
    failed: 1,
  })
}

function others(): void {
  for (const outcome of ['exported', 'dropped', 'failed'] as const) spans.publish({ outcome, spans: 1 })
  for (const log of ['access', 'audit'] as const) linesLost.publish({ log, sink: 'file', lines: 1 })
  plaintextSeen.publish({ bucket: 'b', key: 'k' })
  plaintextLeft.publish({ bucket: 'b', examined: 1, plain: 1 })
  uploadsSeen.publish({ complete: true, open: 1, abandoned: 1, leftovers: 1, stuck: 1 })
  const counts = {
    done: 1,
    unchanged: 1,
    untouchable: 1,
    overtaken: 1,
    failed: 1,
    damaged: 1,
    unavailable: 1,
    unreadable: 1,
  }
  jobSeen.publish({ job: 'scrub', running: 1, begun: 1, bytes: 1, counts })
  for (const outcome of ['started', 'applied', 'refused'] as const) settingsRead.publish({ outcome, at: 1 })
  for (const what of ['certificate', 'token'] as const) expirySeen.publish({ what, name: 'x', at: 1 })
  for (const what of ['connections', 'gathered-bytes', 'gather-limit', 'background'] as const) {
    liveNumber.publish({ what, read: () => 1 })
  }
}

/** One scrape after all of them; and what metrics there are. */
export async function everyMetric() {
  const metrics = collectMetrics()
  for (const publish of [requests, stores, keys, others]) publish()
  const cluster = clusterMetrics({ own: metrics.snapshot, workers: () => new Map([[1, async () => []]]) })
  const { text } = await cluster.scrape(undefined)
  metrics.stop()
  return { text, described: metrics.describe() }
}
