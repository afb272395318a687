/** The lines of the access log, one for each request, in the formats that tools know. */
import type { RequestEvent } from '../channels.ts'
import { apacheText, bounded, jsonText, pathText, phraseText, wordText } from '../line-text.ts'
import { bracketedTime, isoTime } from './line-times.ts'
import { s3OperationOf } from './s3-operations.ts'

export const ACCESS_FORMATS = ['json', 'clf', 'combined', 's3'] as const
export type AccessFormat = (typeof ACCESS_FORMATS)[number]

/** Makes a line, without its end, of a request. */
export type FormatLine = (event: RequestEvent) => string

/** Characters; a key has at most 1,024 bytes. */
const MOST_TARGET = 4_096
const MOST_HEADER = 1_024
const MOST_NAME = 256

/** `owner`: the canonical user id that all buckets belong to. */
export function formatOf(format: AccessFormat, owner: string): FormatLine {
  if (format === 'json') return jsonLine
  if (format === 'clf') return clfLine
  return format === 'combined' ? combinedLine : (event) => s3Line(event, owner)
}

const orNone = (text: string | undefined, most: number): string => (text === undefined ? '-' : bounded(text, most))

function clfLine(event: RequestEvent): string {
  return clfOf(event, event.client())
}

function combinedLine(event: RequestEvent): string {
  const client = event.client()
  const referer = apacheText(orNone(client.referer, MOST_HEADER))
  return `${clfOf(event, client)} "${referer}" "${apacheText(orNone(client.userAgent, MOST_HEADER))}"`
}

function clfOf(
  { at, method, accessKey, status, meter }: RequestEvent,
  client: ReturnType<RequestEvent['client']>,
): string {
  const { address, target, httpVersion } = client
  const user = wordText(orNone(accessKey || undefined, MOST_NAME))
  const request = apacheText(`${method} ${bounded(target, MOST_TARGET)} HTTP/${httpVersion}`)
  return `${address || '-'} - ${user} ${bracketedTime(at)} "${request}" ${status} ${meter.sentBytes || '-'}`
}

const KINDS = { AuthHeader: 'AuthHeader', QueryString: 'QueryString', PostPolicy: '-' } as const

/** Amazon S3's server access log: 27 fields in its order, `-` for what is unknown or does not apply. */
function s3Line(event: RequestEvent, owner: string): string {
  const { at, operation, method, bucket, key, accessKey, auth, requestId, hostId, status, code, meter } = event
  const client = event.client()
  const { tls } = client
  const word = (text: string | undefined, most = MOST_NAME): string =>
    text === undefined || text === '' ? '-' : wordText(bounded(text, most))
  const phrase = (text: string | undefined): string => `"${phraseText(orNone(text, MOST_HEADER))}"`
  const request = phraseText(`${method} ${bounded(client.target, MOST_TARGET)} HTTP/${client.httpVersion}`)
  const turnAround = event.turnAroundMilliseconds === undefined ? '-' : String(Math.round(event.turnAroundMilliseconds))
  const told =
    `${owner} ${word(bucket)} ${bracketedTime(at)} ${client.address || '-'} ${word(accessKey)} ${requestId} ` +
    `${s3OperationOf(operation, method)} ${key === undefined || key === '' ? '-' : pathText(bounded(key, MOST_TARGET))} "${request}" ${status} ${code ?? '-'}`
  const counted = `${meter.sentBytes || '-'} ${event.objectBytes ?? '-'} ${Math.round(event.milliseconds)} ${turnAround}`
  const asked = `${phrase(client.referer)} ${phrase(client.userAgent)} ${word(event.versionId)} ${word(hostId)}`
  const trusted = `${auth === undefined ? '-' : 'SigV4'} ${tls?.cipher ?? '-'} ${auth === undefined ? '-' : KINDS[auth]}`
  // Access points, ACLs and the regions of clients are AWS's alone.
  return `${told} ${counted} ${asked} ${trusted} ${word(client.host)} ${tls?.version ?? '-'} - - -`
}

const tenths = (value: number): number => Math.round(value * 10) / 10

/** Own names in a fixed order; what is unknown is left out. */
function jsonLine(event: RequestEvent): string {
  const { meter } = event
  const client = event.client()
  let line = `{"time":"${isoTime(event.at)}","requestId":"${event.requestId}","address":${jsonText(client.address)}`
  const text = (name: string, value: string | undefined, most: number): void => {
    if (value !== undefined) line += `,"${name}":${jsonText(bounded(value, most))}`
  }
  const number = (name: string, value: number | undefined): void => {
    if (value !== undefined) line += `,"${name}":${value}`
  }
  text('operation', event.operation, MOST_NAME)
  text('method', event.method, MOST_NAME)
  text('bucket', event.bucket, MOST_NAME)
  text('key', event.key, MOST_TARGET)
  text('versionId', event.versionId, MOST_NAME)
  text('target', client.target, MOST_TARGET)
  text('httpVersion', client.httpVersion, MOST_NAME)
  text('host', client.host, MOST_NAME)
  text('accessKey', event.accessKey, MOST_NAME)
  text('auth', event.auth, MOST_NAME)
  number('status', event.status)
  text('code', event.code, MOST_NAME)
  if (event.disconnected) line += ',"disconnected":true'
  number('receivedBytes', meter.receivedBytes)
  number('sentBytes', meter.sentBytes)
  number('objectBytes', event.objectBytes)
  number('ms', tenths(event.milliseconds))
  if (event.firstByteMilliseconds !== undefined) number('firstByteMs', tenths(event.firstByteMilliseconds))
  number('storeMs', tenths(meter.storeMilliseconds))
  number('cipherMs', tenths(meter.cipherMilliseconds))
  number('keyMs', tenths(meter.keyMilliseconds))
  text('referer', client.referer, MOST_HEADER)
  text('userAgent', client.userAgent, MOST_HEADER)
  text('tls', client.tls?.version, MOST_NAME)
  text('cipher', client.tls?.cipher, MOST_NAME)
  return `${line}}`
}
