import { composeAdminServer } from '../../compose.ts'
import type { Settings } from '../../config/settings.ts'
import { Unavailable } from '../../errors.ts'
import type { WaitingCount } from '../../http/admin-server.ts'
import { createLogger, logChannels } from '../../telemetry/logger.ts'
import { clusterMetrics } from '../../telemetry/metrics.ts'
import { type CommandContext, print } from '../context.ts'
import { askOne, checkWorkers } from './health.ts'
import { listen } from './listen.ts'
import { welcome } from './welcome.ts'
import { Workers } from './workers.ts'

/** The first of several processes: it opens no store, forks the workers, replaces one that dies, and answers for their health. */
export async function servePrimary(context: CommandContext, settings: Settings): Promise<void> {
  const logger = createLogger(settings.log.level, context.stderr)
  const stopLog = logChannels(logger)
  const workers = new Workers(logger)
  let draining = false
  const dependencies = [{ name: 'workers', check: () => checkWorkers(workers.all, settings.server.workers) }]
  const waiting = (): Promise<readonly WaitingCount[]> => askOne(workers.all)
  const admin = composeAdminServer({ dependencies, waiting, draining: () => draining, metrics: clusterMetrics() })
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
    await workers.stop(settings.server.shutdownGrace)
    await admin.close()
    stopLog()
  }
}
