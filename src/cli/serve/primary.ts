import { composeAdminServer, reloadAdmin } from '../../compose.ts'
import { tellExpiries } from '../../compose/expiries.ts'
import type { Live } from '../../compose/live.ts'
import { Unavailable } from '../../errors.ts'
import type { Found, WaitingCount } from '../../http/admin-server.ts'
import { createLogger, logChannels } from '../../telemetry/logger.ts'
import { clusterMetrics } from '../../telemetry/metrics/cluster.ts'
import { type CommandContext, print } from '../context.ts'
import { keepAuditLog } from './audit-log.ts'
import { openAccessLines, takeAccessLines } from './access-lines.ts'
import { relayTo } from './admin-relay.ts'
import { askOne, checkWorkers, foundByWorkers } from './health.ts'
import { listen } from './listen.ts'
import { openMetrics } from './metrics.ts'
import { askMetrics } from './metrics-relay.ts'
import { keepReloading, type Start } from './reloading.ts'
import { welcome } from './welcome.ts'
import { Workers } from './workers.ts'

/** The first of several processes: it opens no store, forks the workers, replaces one that dies, and answers for their health. */
export async function servePrimary(context: CommandContext, { configPath, files, live }: Start): Promise<void> {
  const { settings } = live
  const logger = createLogger(settings.log.level, context.stderr)
  const stopLog = logChannels(logger)
  const endAuditLog = await keepAuditLog(context, settings, 0)
  const workers = new Workers(logger, live)
  const endAccessLog = takeAccessLines(openAccessLines(settings, context.stdout))
  let draining = false
  const dependencies = [{ name: 'workers', check: () => checkWorkers(workers.all, settings.server.workers) }]
  const waiting = (): Promise<readonly WaitingCount[]> => askOne(workers.all)
  const elsewhere = (): Promise<readonly Found[]> => foundByWorkers(workers.all)
  const own = openMetrics(settings)
  const metrics = clusterMetrics({
    own: own.snapshot,
    workers: () => new Map([...workers.listening].map((worker) => [worker.id, () => askMetrics(worker)])),
  })
  workers.onGone((worker) => metrics.forget(worker.id))
  tellExpiries(live)
  const answer = relayTo(workers.listening)
  const admin = composeAdminServer(live, {
    dependencies,
    elsewhere,
    waiting,
    draining: () => draining,
    scrape: metrics.scrape,
    answer,
  })
  const apply = async (next: Live): Promise<void> => {
    reloadAdmin(admin, next)
    tellExpiries(next)
    await workers.reload(next)
  }
  const stopReloading = keepReloading({ context, configPath, logger, apply }, { live, files })
  try {
    const first = await Promise.race([
      Promise.all(Array.from({ length: settings.server.workers }, () => workers.fork())),
      context.stopSignal.then(() => undefined),
    ])
    if (first === undefined) return
    const address = first.find((one) => one !== undefined)
    if (address === undefined) throw new Unavailable('no worker could start; the log says why')
    if (settings.admin.listen !== false) await listen(admin, settings.admin.listen)
    print(context, welcome(settings, address))
    await context.stopSignal
  } finally {
    draining = true
    await stopReloading()
    await workers.stop(settings.server.shutdownGrace)
    await endAccessLog()
    await admin.close()
    own.stop()
    await endAuditLog()
    stopLog()
  }
}
