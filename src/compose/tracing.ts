/** Settings of tracing become a tracer. OpenTelemetry's exporters are loaded here, and only for who traces. */
import { rootCertificates } from 'node:tls'
import type { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import type { TracingSettings } from '../config/telemetry-settings.ts'
import type { Settings } from '../config/settings.ts'
import { otlpSpan, type OtlpParts } from '../telemetry/tracing/otlp-span.ts'
import type { SpanFacts } from '../telemetry/tracing/request-spans.ts'
import { type SendSpans, SpanQueue } from '../telemetry/tracing/span-queue.ts'
import { trace } from '../telemetry/tracing/tracer.ts'
import { loadOptional } from './optional-packages.ts'
import { readText } from './read-text.ts'

/** What a process that ends waits for the collector. */
const CLOSE_MILLISECONDS = 3_000
/** The newest that run on Node 20. */
const GRPC_PACKAGES = ['@opentelemetry/exporter-trace-otlp-grpc@0.223.1', '@grpc/grpc-js@1.14.7']

/** Of `ExportResultCode`. */
const SUCCESS = 0

interface TracingParts {
  /** As they are now. */
  readonly settings: () => Settings
  readonly version: string
  /** The system's CSPRNG. */
  readonly random: (bytes: number) => Buffer
}

type Exporter = Pick<OTLPTraceExporter, 'export' | 'shutdown'>
type Endpoint = Settings['telemetry']['tracing'] & { readonly endpoint: string }

/** Begins to trace if the settings say so. Returns what ends it, which sends what is left. Throws `Invalid` if packages or files are not there. */
export async function openTracing({ settings, version, random }: TracingParts): Promise<() => Promise<void>> {
  const { telemetry, backend, state } = settings()
  const { tracing } = telemetry
  const { endpoint } = tracing
  if (endpoint === undefined) return async () => undefined
  const exporter = await openExporter({ ...tracing, endpoint })
  const { resourceFromAttributes } = await import('@opentelemetry/resources')
  const resource = resourceFromAttributes({
    'service.name': tracing.serviceName,
    'service.version': version,
    'service.instance.id': random(16).toString('hex'),
    'process.pid': process.pid,
  })
  const queue = new SpanQueue({ endpoint, send: sender(exporter, { resource, scope: { name: 'sealgate', version } }) })
  const stop = trace({
    queue,
    facts: { objects: objectNamesOf(tracing), stores: { ...placeOf('backend', backend), ...placeOf('state', state) } },
    sampleRatio: () => settings().telemetry.tracing.sampleRatio,
    trustParent: tracing.trustParent,
    propagate: tracing.propagate,
    random,
    chance: Math.random,
  })
  return async () => {
    stop()
    await queue.close(CLOSE_MILLISECONDS)
    // It waits for what is under way, which the queue no longer does.
    void exporter.shutdown().catch(() => undefined)
  }
}

function sender(exporter: Exporter, parts: OtlpParts): SendSpans {
  return (batch) =>
    new Promise((resolve, reject) => {
      const spans = batch.map((span) => otlpSpan(span, parts))
      exporter.export(spans, ({ code, error }) => {
        // oxlint-disable-next-line typescript/no-unsafe-enum-comparison -- the enumeration is code, in a package that is not ours to load
        if (code === SUCCESS) resolve()
        else reject(error ?? new Error('the collector gave no reason'))
      })
    })
}

function openExporter(settings: Endpoint): Promise<Exporter> {
  const ca =
    settings.caFile === undefined
      ? undefined
      : [...rootCertificates, readText(settings.caFile, 'telemetry.tracing.caFile')].join('\n')
  return settings.protocol === 'grpc' ? openGrpc(settings, ca) : openHttp(settings, ca)
}

async function openHttp({ endpoint, headers, timeout }: Endpoint, ca: string | undefined): Promise<Exporter> {
  const { OTLPTraceExporter: Http } = await import('@opentelemetry/exporter-trace-otlp-proto')
  return new Http({
    url: `${endpoint}/v1/traces`,
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
    timeoutMillis: timeout,
    httpAgentOptions: { keepAlive: true, ...(ca === undefined ? {} : { ca }) },
  })
}

async function openGrpc({ endpoint, headers, timeout }: Endpoint, ca: string | undefined): Promise<Exporter> {
  const [{ OTLPTraceExporter: Grpc }, { credentials, Metadata }] = await loadOptional(
    'telemetry.tracing.protocol: grpc',
    GRPC_PACKAGES,
    () => Promise.all([import('@opentelemetry/exporter-trace-otlp-grpc'), import('@grpc/grpc-js')]),
  )
  const metadata = new Metadata()
  for (const { name, value } of headers) metadata.set(name, value)
  return new Grpc({
    url: endpoint,
    metadata,
    timeoutMillis: timeout,
    credentials: endpoint.startsWith('https:')
      ? credentials.createSsl(ca === undefined ? undefined : Buffer.from(ca))
      : credentials.createInsecure(),
  })
}

/** That `hash` has a key the settings have been checked for. */
function objectNamesOf({
  objectNames,
  hashKey = '',
}: Pick<TracingSettings, 'objectNames' | 'hashKey'>): SpanFacts['objects'] {
  return objectNames === 'hash' ? { names: 'hash', hashKey } : { names: objectNames }
}

function placeOf(store: 'backend' | 'state', settings: Settings['backend']): SpanFacts['stores'] {
  if (settings.type !== 's3') return {}
  const { hostname, port, protocol } = new URL(settings.endpoint)
  return { [store]: { address: hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) } }
}
