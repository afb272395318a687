import { composeAdminServer, composeS3Server, openComponents } from '../../compose.ts'
import type { Settings } from '../../config/settings.ts'
import { drain } from '../../http/shutdown.ts'
import { createLogger, logChannels } from '../../telemetry/logger.ts'
import { collectMetrics } from '../../telemetry/metrics.ts'
import { type CommandContext, print } from '../context.ts'
import { listen } from './listen.ts'
import { reportAtStart } from './report-waiting.ts'
import { welcome } from './welcome.ts'

/** One process: both listeners over the same components. */
export async function serveAlone(context: CommandContext, settings: Settings): Promise<void> {
  const stopLog = logChannels(createLogger(settings.log.level, context.stderr))
  const metrics = collectMetrics()
  const components = await openComponents(settings, { housekeeping: true })
  const app = composeS3Server(settings, components)
  let draining = false
  const { dependencies, waiting } = components
  const admin = composeAdminServer({ dependencies, waiting, draining: () => draining, metrics })
  reportAtStart(components)
  try {
    const address = await listen(app, settings.server.listen)
    if (settings.admin.listen !== false) await listen(admin, settings.admin.listen)
    print(context, welcome(settings, address))
    await context.stopSignal
    draining = true
    await drain(app, settings.server.shutdownGrace)
  } finally {
    await admin.close()
    await app.close()
    await components.close()
    metrics.stop()
    stopLog()
  }
}
