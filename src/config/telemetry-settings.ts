/** Settings of what the gateway tells of itself to programs elsewhere. */
import { z } from 'zod'
import { httpEndpoint } from './aws-settings.ts'
import { duration, path, secret } from './shapes.ts'

const header = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/, 'write the name of a header, for example authorization')
    .describe('Name of the header.'),
  value: secret(
    'Its value; this or `valueFile` is required.',
    z.string().regex(/^[\x20-\x7e]{1,4096}$/, 'a header has 1 to 4096 characters of ASCII and no line ends'),
  ),
})

const tracing = z.strictObject({
  endpoint: httpEndpoint
    .optional()
    .describe(
      'Address of an OpenTelemetry collector that speaks OTLP, such as http://127.0.0.1:4318 (over `http`) or http://127.0.0.1:4317 (over `grpc`). Without it nothing is traced.',
    ),
  protocol: z
    .enum(['http', 'grpc'], 'write http or grpc')
    .default('http')
    .describe(
      '`http`: protobuf over HTTP, to `/v1/traces` below the address. `grpc` needs the package `@opentelemetry/exporter-trace-otlp-grpc` beside Sealgate.',
    ),
  sampleRatio: z
    .number('write a number from 0 to 1')
    .min(0, 'write a number from 0 to 1')
    .max(1, 'write a number from 0 to 1')
    .default(0.01)
    .describe('Share of the requests that is traced, decided when they begin: 0.01 is one in a hundred.'),
  trustParent: z
    .boolean('write true or false')
    .default(false)
    .describe(
      "Take part in the trace that a client's `traceparent` names, and trace what the client has sampled, whatever `sampleRatio` says. Only where all clients are your own.",
    ),
  propagate: z
    .boolean('write true or false')
    .default(false)
    .describe('Send `traceparent` with the requests to the backend, so that its spans join the trace.'),
  objectNames: z
    .enum(['redact', 'hash', 'keep'], 'write redact, hash or keep')
    .default('redact')
    .describe(
      'What spans say of object keys: nothing (`redact`), an HMAC with `hashKey` by which equal ones are found (`hash`), or the key, the path and the query (`keep`).',
    ),
  hashKey: secret(
    'Key of the HMAC for `objectNames: hash`; the same everywhere where hashes are to be compared.',
    z.string().min(16, 'use at least 16 characters').max(256, 'use at most 256 characters'),
  ).optional(),
  serviceName: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, 'a name of a service is 1 to 128 printable characters without spaces')
    .default('sealgate')
    .describe('`service.name` of the spans.'),
  headers: z.array(header).max(16).default([]).describe('Headers for the collector, such as its credentials.'),
  caFile: path(
    'Certificates in PEM of the authorities that the collector is trusted by, beside those of the system.',
  ).optional(),
  timeout: duration('10s', { least: '1s', most: '1m' }).describe(
    'How long the collector may take for a batch, repetitions included. Requests never wait for it.',
  ),
})

export const telemetry = z.strictObject({
  tracing: tracing.prefault({}).describe('Spans of requests, by OpenTelemetry.'),
})

export type TracingSettings = z.output<typeof tracing>
