/** The audit log of one process, as the settings want it. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Settings } from '../../config/settings.ts'
import { clock } from '../../compose.ts'
import { Invalid, Unavailable } from '../../errors.ts'
import { writeAuditLog } from '../../telemetry/audit-log.ts'
import type { Sink } from '../../telemetry/audit-log/sink-feed.ts'
import { elasticsearchSink } from '../../telemetry/audit-log/sinks/elasticsearch.ts'
import { lokiSink } from '../../telemetry/audit-log/sinks/loki.ts'
import { streamSink } from '../../telemetry/audit-log/sinks/stdout.ts'
import { syslogSink } from '../../telemetry/audit-log/sinks/syslog.ts'
import type { CommandContext } from '../context.ts'

/**
 * Begins to write, where there is a folder. `slot` tells the processes of one gateway apart: 0 is the one that was started. Each has a chain of its own, since a
 * request that must wait for the disk should not wait for another process besides. Resolves to what ends it.
 */
export async function keepAuditLog(
  { stdout }: CommandContext,
  { audit }: Settings,
  slot: number,
): Promise<() => Promise<void>> {
  const { folder, policy, reads, rotateAt, buffer } = audit
  if (folder === undefined) return async () => undefined
  const chain = `${nameOfMachine()}-${slot}`
  const sinks = audit.sinks.map((settings) => openSink(settings, chain, stdout))
  try {
    return await writeAuditLog({ folder, chain, policy, reads, rotateAt, buffer, sinks, clock })
  } catch (cause) {
    throw new Unavailable(`the audit log cannot be written to ${folder}`, { cause })
  }
}

/** As it may stand in names of files and in syslog. */
const nameOfMachine = (): string =>
  hostname()
    .replaceAll(/[^A-Za-z0-9.]+/g, '-')
    .slice(0, 64) || 'gateway'

type SinkSettings = Settings['audit']['sinks'][number]

function openSink(settings: SinkSettings, chain: string, stdout: CommandContext['stdout']): Sink {
  if (settings.type === 'stdout') return streamSink(stdout)
  const { type, timeout, caFile } = settings
  const trust = { timeout, ...(caFile === undefined ? {} : { ca: readCa(caFile) }) }
  if (type === 'syslog') {
    const { protocol, hostname: host, port } = new URL(settings.address)
    return syslogSink({
      name: nameOf(type, settings.address),
      protocol: protocol === 'udp:' ? 'udp' : protocol === 'tcp:' ? 'tcp' : 'tls',
      host: host.replaceAll(/[[\]]/g, ''),
      port: Number(port),
      appName: settings.appName,
      hostName: nameOfMachine(),
      processId: process.pid,
      ...trust,
    })
  }
  const name = nameOf(type, settings.url)
  if (settings.type === 'loki') return lokiSink({ ...settings, name, labels: { ...settings.labels, chain }, ...trust })
  return elasticsearchSink({ ...settings, name, ...trust })
}

/** The same from start to start, whatever else is in the list. */
const nameOf = (type: string, address: string): string =>
  `${type}-${createHash('sha256').update(address).digest('hex').slice(0, 8)}`

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Invalid(`audit.sinks[].caFile ${path} cannot be read`, { cause })
  }
}
