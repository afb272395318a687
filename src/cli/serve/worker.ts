import cluster from 'node:cluster'
import { type Components, composeS3Server, openComponents } from '../../compose.ts'
import type { Settings } from '../../config/settings.ts'
import { drain } from '../../http/shutdown.ts'
import { createLogger, logChannels } from '../../telemetry/logger.ts'
import { collectMetrics } from '../../telemetry/metrics.ts'
import type { CommandContext } from '../context.ts'
import { answerHealth } from './health.ts'
import { listen } from './listen.ts'
import { HELLO, STOP, type WorkerMessage } from './messages.ts'
import { reportAtStart } from './report-waiting.ts'

/** One of several processes: the S3 listener shares its port with the other workers. */
export async function serveWorker(context: CommandContext, settings: Settings): Promise<void> {
  const primary = new Primary(settings.server.shutdownGrace)
  const stopLog = logChannels(createLogger(settings.log.level, context.stderr))
  const metrics = collectMetrics({ worker: true })
  try {
    const components = await openComponents(settings, { housekeeping: true })
    try {
      if (!primary.stopped) await serveUntilStopped(context, settings, components, primary)
    } finally {
      await components.close()
    }
  } finally {
    metrics.stop()
    stopLog()
    // The channel to the primary holds a process open, also one that could not start.
    cluster.worker?.disconnect()
  }
}

/** How much longer than its transfers a process may take to end. */
const MARGIN_MILLISECONDS = 5_000

/** What the primary says, and its end: a worker does not outlive it. */
class Primary {
  readonly stop: Promise<void>
  #stopped = false
  #components: Components | undefined

  constructor(graceMilliseconds: number) {
    this.stop = new Promise((resolve) => {
      const end = (): void => {
        this.#stopped = true
        // Whatever holds the process then, a store that does not answer for instance.
        setTimeout(() => process.exit(1), graceMilliseconds + MARGIN_MILLISECONDS).unref()
        resolve()
      }
      process.on('message', (message) => {
        if (message === STOP) end()
        else if (this.#components !== undefined) void answerHealth(message, this.#components)
      })
      process.on('disconnect', end)
    })
    // What was said before is lost: the primary speaks when it has heard us.
    process.send?.(HELLO)
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** From now on it answers for them. */
  serves(components: Components): void {
    this.#components = components
  }
}

async function serveUntilStopped(
  context: CommandContext,
  settings: Settings,
  components: Components,
  primary: Primary,
): Promise<void> {
  const app = composeS3Server(settings, components)
  // The others have the same store.
  if (cluster.worker?.id === 1) reportAtStart(components)
  primary.serves(components)
  try {
    process.send?.({ address: await listen(app, settings.server.listen) } satisfies WorkerMessage)
    await Promise.race([primary.stop, context.stopSignal])
    await drain(app, settings.server.shutdownGrace)
  } finally {
    await app.close()
  }
}
