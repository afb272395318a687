import {
  composeAdminApi,
  composeAdminServer,
  composeS3Server,
  openComponents,
  reload,
  reloadAdmin,
} from '../../compose.ts'
import type { Live } from '../../compose/live.ts'
import { drain } from '../../http/shutdown.ts'
import { createLogger, logChannels } from '../../telemetry/logger.ts'
import { collectMetrics } from '../../telemetry/metrics.ts'
import { type CommandContext, print } from '../context.ts'
import { keepAuditLog } from './audit-log.ts'
import { keepAccessLog, openAccessLines } from './access-lines.ts'
import { listen } from './listen.ts'
import { keepReloading, type Start } from './reloading.ts'
import { reportAtStart } from './report-waiting.ts'
import { welcome } from './welcome.ts'

/** One process: both listeners over the same components. */
export async function serveAlone(context: CommandContext, { configPath, files, live }: Start): Promise<void> {
  const { settings } = live
  const logger = createLogger(settings.log.level, context.stderr)
  const stopLog = logChannels(logger)
  const metrics = collectMetrics()
  const access = openAccessLines(settings, context.stdout)
  const endAccessLog = keepAccessLog(settings, access.write)
  const endAuditLog = await keepAuditLog(context, settings, 0)
  const components = await openComponents(settings, { housekeeping: true, live })
  const app = composeS3Server(settings, components, live)
  let draining = false
  const { dependencies, waiting } = components
  const api = composeAdminApi(components)
  const { answer } = api
  const admin = composeAdminServer(live, { dependencies, waiting, draining: () => draining, metrics, answer })
  reportAtStart(components)
  const apply = (next: Live): void => {
    reload(app, components, next)
    reloadAdmin(admin, next)
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
    await components.close()
    await endAuditLog()
    await endAccessLog()
    await access.close()
    metrics.stop()
    stopLog()
  }
}
