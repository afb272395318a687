import {
  composeAdminApi,
  composeAdminServer,
  composeS3Server,
  openComponents,
  random,
  reload,
  reloadAdmin,
} from '../../compose.ts'
import { tellExpiries } from '../../compose/expiries.ts'
import type { Live } from '../../compose/live.ts'
import { openTracing } from '../../compose/tracing.ts'
import { drain } from '../../http/shutdown.ts'
import { createLogger, logChannels } from '../../telemetry/logger.ts'
import { type CommandContext, print } from '../context.ts'
import { answerAlone } from './admin-relay.ts'
import { keepAuditLog } from './audit-log.ts'
import { keepAccessLog, openAccessLines } from './access-lines.ts'
import { listen } from './listen.ts'
import { openMetrics } from './metrics.ts'
import { keepReloading, type Start } from './reloading.ts'
import { reportAtStart } from './report-waiting.ts'
import { VERSION } from '../version.ts'
import { welcome } from './welcome.ts'

/** One process: both listeners over the same components. */
export async function serveAlone(context: CommandContext, { configPath, files, live }: Start): Promise<void> {
  const { settings } = live
  const logger = createLogger(settings.log.level, context.stderr)
  const stopLog = logChannels(logger)
  const metrics = openMetrics(settings)
  const access = openAccessLines(settings, context.stdout)
  const endAccessLog = keepAccessLog(settings, access.write)
  const endAuditLog = await keepAuditLog(context, settings, 0)
  const components = await openComponents(settings, { housekeeping: true, live })
  const endTracing = await openTracing({
    settings: () => components.inEffect.settings,
    version: VERSION,
    random,
  }).catch(async (error: unknown) => {
    await components.close()
    throw error
  })
  const app = composeS3Server(settings, components, live)
  let draining = false
  const { dependencies, waiting } = components
  const api = composeAdminApi(components)
  const answer = answerAlone(api)
  const admin = composeAdminServer(live, {
    dependencies,
    waiting,
    draining: () => draining,
    scrape: metrics.scrape,
    answer,
  })
  reportAtStart(components)
  tellExpiries(live)
  const apply = (next: Live): void => {
    reload(app, components, next)
    reloadAdmin(admin, next)
    metrics.apply(next.settings)
    tellExpiries(next)
  }
  const stopReloading = keepReloading({ context, configPath, logger, apply }, { live, files })
  try {
    const address = await listen(app, settings.server.listen)
    if (settings.admin.listen !== false) await listen(admin, settings.admin.listen)
    print(context, welcome(settings, address))
    await context.stopSignal
    draining = true
    await drain(app, settings.server.shutdownGrace)
  } finally {
    await stopReloading()
    await api.close()
    await admin.close()
    await app.close()
    await endTracing()
    await components.close()
    await endAuditLog()
    await endAccessLog()
    await access.close()
    metrics.stop()
    stopLog()
  }
}
