/** What the audit log says of an event: the middle of a line, without its number and its link to the line before. */
import { isoTime } from '../access-log/line-times.ts'
import type { AuditEvent, RequestEvent } from '../channels.ts'
import { bounded, jsonText } from '../line-text.ts'

const MOST_KEY = 4_096
const MOST_TEXT = 512

/** Operations that only look. */
const READ = /^(?:Get|Head|List|Preflight|SelectObjectContent)/

export const isRead = ({ operation }: RequestEvent): boolean => READ.test(operation)

export const succeeded = ({ status, disconnected }: RequestEvent): boolean => status < 400 && !disconnected

function resultOf(event: RequestEvent): 'done' | 'refused' | 'failed' | 'broken-off' {
  if (event.disconnected) return 'broken-off'
  // A failure after the head of a 200 has a code.
  if (event.status < 400) return event.code === undefined ? 'done' : 'failed'
  return event.status < 500 ? 'refused' : 'failed'
}

const text = (name: string, value: string | undefined, most = MOST_TEXT): string =>
  value === undefined ? '' : `,"${name}":${jsonText(bounded(value, most))}`
const number = (name: string, value: number | undefined): string => (value === undefined ? '' : `,"${name}":${value}`)

/** `ended`: the answer is over, and what was sent is known. */
export function requestRecord(event: RequestEvent, ended: boolean): string {
  const { meter } = event
  const { address, userAgent } = event.client()
  const key = meter.key
  const sealed = key === undefined ? '' : `,"sealedWith":{"manager":${jsonText(key.manager)},"kid":"${key.kid}"}`
  return (
    `"at":"${isoTime(event.at)}","kind":"request","requestId":"${event.requestId}"${text('who', event.accessKey)}` +
    `${text('auth', event.auth)},"peer":${jsonText(address)},"what":"${event.operation}"${text('bucket', event.bucket)}` +
    `${text('key', event.key, MOST_KEY)}${text('versionId', event.versionId)}${sealed},"result":"${resultOf(event)}","status":${event.status}` +
    `${text('code', event.code)}${number('objectBytes', event.objectBytes)},"receivedBytes":${meter.receivedBytes}` +
    `${ended ? number('sentBytes', meter.sentBytes) : ''}${text('userAgent', userAgent)}`
  )
}

export function adminRecord({ who, peer, what, target, result, code, detail = {} }: AuditEvent, at: number): string {
  const fields = Object.entries(detail).map(
    ([name, value]) => `${jsonText(name)}:${typeof value === 'number' ? value : jsonText(bounded(value, MOST_TEXT))}`,
  )
  return (
    `"at":"${isoTime(at)}","kind":"admin"${text('who', who)},"peer":${jsonText(peer)}${text('what', what)}${text('target', target)}` +
    `,"result":"${result}"${text('code', code)}${fields.length === 0 ? '' : `,"detail":{${fields.join(',')}}`}`
  )
}
