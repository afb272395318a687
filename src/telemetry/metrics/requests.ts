/** Requests on the S3 listener: how many, what came of them, bytes, and where their time went. */
import { Gauge, type Registry } from 'prom-client'
import { type RequestEvent, requestBegun, requestDone } from '../channels.ts'
import type { Meter } from '../meter.ts'
import type { BucketLabels } from './bucket-label.ts'
import { type Cell, FastCounter, FastHistogram, type Observations, OTHER } from './fast.ts'

/** Seconds: from an answer out of memory to a transfer of an hour. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600, 3_600]
const TURN_AROUND_SECONDS = SECONDS.filter((bound) => bound <= 120)

/** What is counted by bucket alone. */
interface BucketCells {
  readonly received: Cell
  readonly sent: Cell
  readonly written: Cell
  readonly read: Cell
}

/** What is counted by operation alone. */
interface OperationCells {
  readonly seconds: Observations
  readonly turnAround: Observations
  readonly stages: Readonly<Record<'gateway' | 'cipher' | 'keys' | 'backend', Observations>>
}

/** `series`: combinations of operation, bucket, status and code that are told apart. */
export function countRequests(registry: Registry, labels: BucketLabels, series: number): readonly (() => void)[] {
  const requests = new FastCounter(registry, {
    name: 'sealgate_requests_total',
    help: 'Requests on the S3 listener that have ended, by operation, bucket (configured ones by name), HTTP status and S3 error code; code none: it did not fail.',
    labels: ['operation', 'bucket', 'status', 'code'],
    limit: series,
  })
  const ofOperation = operationCells(registry)
  const ofBucket = bucketCells(registry)
  const open = showOpen(registry)
  const stop = requestDone.subscribe((event) => {
    const { meter, milliseconds, operation } = event
    const bucket = event.bucket === undefined ? NONE : labels.of(event.bucket)
    requests.cell(operation, bucket, String(event.status), codeOf(event)).value += 1
    const bytes = ofBucket(bucket)
    bytes.received.value += meter.receivedBytes
    bytes.sent.value += meter.sentBytes
    bytes.written.value += meter.storeWrittenBytes
    bytes.read.value += meter.storeReadBytes
    observe(ofOperation(operation), event)
    if (event.traceId !== undefined) remember(ofOperation(operation), event.traceId, event, milliseconds)
  })
  return [stop, ...open]
}

/** Of requests that name no bucket. */
const NONE = 'none'

function observe({ seconds, turnAround, stages }: OperationCells, event: RequestEvent): void {
  const { milliseconds, firstByteMilliseconds, turnAroundMilliseconds = firstByteMilliseconds, meter } = event
  const { storeMilliseconds, cipherMilliseconds, keyMilliseconds } = meter
  seconds.observe(milliseconds / 1_000)
  if (turnAroundMilliseconds !== undefined) turnAround.observe(turnAroundMilliseconds / 1_000)
  // What goes on beside something else is part of both.
  const rest = Math.max(0, milliseconds - storeMilliseconds - cipherMilliseconds - keyMilliseconds)
  stages.gateway.observe(rest / 1_000)
  if (storeMilliseconds > 0) stages.backend.observe(storeMilliseconds / 1_000)
  if (cipherMilliseconds > 0) stages.cipher.observe(cipherMilliseconds / 1_000)
  if (keyMilliseconds > 0) stages.keys.observe(keyMilliseconds / 1_000)
}

function remember({ seconds }: OperationCells, traceId: string, { at }: RequestEvent, milliseconds: number): void {
  // A client may have chosen it.
  if (/^[0-9a-f]{32}$/.test(traceId)) seconds.remember(milliseconds / 1_000, traceId, at + milliseconds)
}

/** Stores may have codes of their own, and say whatever they like. */
function codeOf({ code, disconnected }: RequestEvent): string {
  if (code === undefined) return disconnected ? 'ClientDisconnected' : NONE
  return /^[A-Za-z0-9._-]{1,64}$/.test(code) ? code : OTHER
}

function operationCells(registry: Registry): (operation: string) => OperationCells {
  const seconds = new FastHistogram(registry, {
    name: 'sealgate_request_seconds',
    help: 'How long requests took, to the last byte of their answers.',
    labels: ['operation'],
    bounds: SECONDS,
  })
  const turnAround = new FastHistogram(registry, {
    name: 'sealgate_request_turnaround_seconds',
    help: 'How long clients waited: from the last byte of a request to the first one of its answer.',
    labels: ['operation'],
    bounds: TURN_AROUND_SECONDS,
  })
  const stages = new FastHistogram(registry, {
    name: 'sealgate_request_stage_seconds',
    help: 'Of the time of a request: waiting for the backend, sealing and opening (cipher), waiting for bucket keys (keys), and the rest, in which the client is waited for too (gateway).',
    labels: ['operation', 'stage'],
    bounds: SECONDS,
  })
  const found = new Map<string, OperationCells>()
  return (operation) => {
    const known = found.get(operation)
    if (known !== undefined) return known
    const stage = (name: string) => stages.cell(operation, name)
    const made = {
      seconds: seconds.cell(operation),
      turnAround: turnAround.cell(operation),
      stages: { gateway: stage('gateway'), cipher: stage('cipher'), keys: stage('keys'), backend: stage('backend') },
    }
    found.set(operation, made)
    return made
  }
}

function bucketCells(registry: Registry): (bucket: string) => BucketCells {
  const client = new FastCounter(registry, {
    name: 'sealgate_client_bytes_total',
    help: 'Bytes of bodies, in plaintext, received from clients and sent to them.',
    labels: ['bucket', 'direction'],
  })
  const stored = new FastCounter(registry, {
    name: 'sealgate_stored_bytes_total',
    help: 'Bytes of bodies, sealed, written to the backend and read from it, for requests of clients.',
    labels: ['bucket', 'direction'],
  })
  const found = new Map<string, BucketCells>()
  return (bucket) => {
    const known = found.get(bucket)
    if (known !== undefined) return known
    const made = {
      received: client.cell(bucket, 'received'),
      sent: client.cell(bucket, 'sent'),
      written: stored.cell(bucket, 'written'),
      read: stored.cell(bucket, 'read'),
    }
    found.set(bucket, made)
    return made
  }
}

/** Requests under way, by whether bytes of a body have moved yet. */
function showOpen(registry: Registry): readonly (() => void)[] {
  const open = new Set<Meter>()
  const gauge = new Gauge({
    registers: [registry],
    labelNames: ['state'],
    name: 'sealgate_open_requests',
    help: 'Requests under way: those that send a body to their client (sending), that have received one (receiving), and others (waiting).',
    collect: () => {
      const counts = { waiting: 0, receiving: 0, sending: 0 }
      for (const { sentBytes, receivedBytes } of open) {
        counts[sentBytes > 0 ? 'sending' : receivedBytes > 0 ? 'receiving' : 'waiting'] += 1
      }
      for (const [state, count] of Object.entries(counts)) gauge.set({ state }, count)
    },
  })
  return [
    requestBegun.subscribe(({ meter }) => void open.add(meter)),
    requestDone.subscribe(({ meter }) => void open.delete(meter)),
    () => open.clear(),
  ]
}
