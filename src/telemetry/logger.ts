/** The application log: pino JSON lines on the stream given, fed by the channels. Fields are chosen here, one by one: nothing is logged because it happened to be in an object. */
import { type DestinationStream, type Logger, pino } from 'pino'
import { type AlarmEvent, alarm, audit, configurationWaits, type RequestEvent, requestDone } from './channels.ts'

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'

/** A logger with ISO times and no process ids or host names. */
export function createLogger(level: LogLevel, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
}

/** The chain of messages behind an error, outermost first. Stacks are for bugs alone. */
function reasons(error: unknown): string[] {
  const chain: string[] = []
  for (let at: unknown = error; at !== undefined && at !== null && chain.length < 6; ) {
    chain.push(at instanceof Error ? `${at.name}: ${at.message}` : 'not an Error')
    at = at instanceof Error ? at.cause : undefined
  }
  return chain
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
        bucket,
        key,
        accessKey,
        status,
        code,
        ...(disconnected ? { disconnected } : {}),
        ...(traceId === undefined ? {} : { traceId }),
        ms: Math.round(milliseconds * 10) / 10,
        ...(event.cause === undefined ? {} : { why: reasons(event.cause) }),
        ...(status === 500 && event.cause instanceof Error ? { stack: event.cause.stack } : {}),
      },
      code === undefined ? 'request' : 'request refused',
    )
  })
  const stopAlarms = alarm.subscribe((event: AlarmEvent) => {
    logger.error({ ...event.detail, ...(event.cause === undefined ? {} : { why: reasons(event.cause) }) }, event.what)
  })
  const stopWaiting = configurationWaits.subscribe(({ configuration, buckets, bucket }) => {
    logger.warn({ configuration, buckets, bucket }, 'a configuration is kept, and nothing acts on it yet')
  })
  const stopAudit = audit.subscribe(({ who, peer, what, target, result, code, detail }) => {
    const level = result === 'refused' || result === 'failed' ? 'warn' : 'info'
    logger[level]({ audit: true, who, peer, what, target, result, code, detail }, 'audit')
  })
  return () => {
    stopAudit()
    stopRequests()
    stopAlarms()
    stopWaiting()
  }
}
