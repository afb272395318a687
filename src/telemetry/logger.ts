/** The application log: pino JSON lines on the stream given, fed by the channels. Fields are chosen here, one by one: nothing is logged because it happened to be in an object. */
import { type DestinationStream, type Logger, pino } from 'pino'
import {
  ALARM_FIELDS,
  type AlarmEvent,
  alarm,
  audit,
  configurationWaits,
  type RequestEvent,
  requestDone,
} from './channels.ts'
import { asciiJson, bounded } from './line-text.ts'

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'

/** Characters of what a client or an error has worded. */
const MOST_TEXT = 1_024
const MOST_STACK = 8_192

/** A logger with ISO times and no process ids or host names. Its lines are ASCII, so that no terminal and no reader of lines takes a value for a command. */
export function createLogger(level: LogLevel, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => destination.write(asciiJson(line)) },
  )
}

/** The chain of messages behind an error, outermost first. Stacks are for bugs alone. */
function reasons(error: unknown): string[] {
  const chain: string[] = []
  for (let at: unknown = error; at !== undefined && at !== null && chain.length < 6; ) {
    chain.push(at instanceof Error ? bounded(`${at.name}: ${at.message}`, MOST_TEXT) : 'not an Error')
    at = at instanceof Error ? at.cause : undefined
  }
  return chain
}

const cut = (text: string | undefined, most = MOST_TEXT): string | undefined =>
  text === undefined ? undefined : bounded(text, most)

/** What of an alarm is written: the fields that are named, and none that came along. */
function told(detail: AlarmEvent['detail']): Record<string, string | number> {
  const kept: Record<string, string | number> = {}
  for (const name of ALARM_FIELDS) {
    const value = detail[name]
    if (value !== undefined) kept[name] = typeof value === 'string' ? bounded(value, MOST_TEXT) : value
  }
  return kept
}

function levelOf(event: RequestEvent): 'debug' | 'info' | 'warn' | 'error' {
  if (event.disconnected) return 'info'
  if (event.status >= 500) return event.code === 'NotImplemented' ? 'warn' : 'error'
  return event.status >= 400 && event.code !== 'NoSuchKey' ? 'warn' : 'debug'
}

/** Writes every request, every alarm, every audit event and every configuration that waits for what acts on it to `logger`. Returns the function that stops it. */
export function logChannels(logger: Logger): () => void {
  const stopRequests = requestDone.subscribe((event) => {
    const { requestId, operation, method, bucket, key, accessKey, status, code, disconnected, milliseconds, traceId } =
      event
    logger[levelOf(event)](
      {
        requestId,
        operation,
        method,
        bucket: cut(bucket),
        key: cut(key),
        accessKey: cut(accessKey),
        status,
        code,
        ...(disconnected ? { disconnected } : {}),
        ...(traceId === undefined ? {} : { traceId }),
        ms: Math.round(milliseconds * 10) / 10,
        ...(event.cause === undefined ? {} : { why: reasons(event.cause) }),
        ...(status === 500 && event.cause instanceof Error ? { stack: cut(event.cause.stack, MOST_STACK) } : {}),
      },
      code === undefined ? 'request' : 'request refused',
    )
  })
  const stopAlarms = alarm.subscribe((event: AlarmEvent) => {
    logger.error(
      { ...told(event.detail), ...(event.cause === undefined ? {} : { why: reasons(event.cause) }) },
      event.what,
    )
  })
  const stopWaiting = configurationWaits.subscribe(({ configuration, buckets, bucket }) => {
    logger.warn({ configuration, buckets, bucket }, 'a configuration is kept, and nothing acts on it yet')
  })
  const stopAudit = audit.subscribe(({ who, peer, what, target, result, code, detail }) => {
    const level = result === 'refused' || result === 'failed' ? 'warn' : 'info'
    logger[level]({ audit: true, who: cut(who), peer, what, target: cut(target), result, code, detail }, 'audit')
  })
  return () => {
    stopAudit()
    stopRequests()
    stopAlarms()
    stopWaiting()
  }
}
