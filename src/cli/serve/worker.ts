import cluster from 'node:cluster'
import type { AdminApi } from '../../admin/api.ts'
import { type Components, composeAdminApi, composeS3Server, openComponents, random, reload } from '../../compose.ts'
import type { Live } from '../../compose/live.ts'
import { openTracing } from '../../compose/tracing.ts'
import { drain } from '../../http/shutdown.ts'
import { createLogger, logChannels } from '../../telemetry/logger.ts'
import type { CommandContext } from '../context.ts'
import { handToPrimary, keepAccessLog } from './access-lines.ts'
import { keepAuditLog } from './audit-log.ts'
import { answerAdmin } from './admin-relay.ts'
import { answerHealth } from './health.ts'
import { listen } from './listen.ts'
import { type ServingMetrics, openMetrics } from './metrics.ts'
import { answerMetrics } from './metrics-relay.ts'
import { VERSION } from '../version.ts'
import { HELLO, isTold, STOP, type Told, type WorkerMessage } from './messages.ts'
import { reportAtStart } from './report-waiting.ts'

/** One of several processes: the S3 listener shares its port with the other workers. */
export async function serveWorker(context: CommandContext): Promise<void> {
  // A hangup of the terminal reaches all processes; the primary acts on it.
  context.onHangup(() => undefined)
  const primary = new Primary()
  try {
    const live = await Promise.race([primary.start, primary.stop])
    if (live !== undefined) await serveAs(context, primary, live)
  } finally {
    // The channel to the primary holds a process open, also one that could not start.
    cluster.worker?.disconnect()
  }
}

async function serveAs(context: CommandContext, primary: Primary, live: Live): Promise<void> {
  const { settings } = live
  const logger = createLogger(settings.log.level, context.stderr)
  const stopLog = logChannels(logger)
  const metrics = openMetrics(settings)
  process.on('message', (message) => void answerMetrics(message, metrics))
  const endAccessLog = keepAccessLog(settings, handToPrimary())
  const endAuditLog = await keepAuditLog(context, settings, primary.slot)
  try {
    const components = await openComponents(settings, { housekeeping: true, live })
    try {
      if (!primary.stopped) await serveUntilStopped(context, primary, { live, components, logger, metrics })
    } finally {
      await components.close()
    }
  } finally {
    await endAuditLog()
    await endAccessLog()
    metrics.stop()
    stopLog()
  }
}

interface Serving {
  readonly live: Live
  readonly components: Components
  readonly logger: ReturnType<typeof createLogger>
  readonly metrics: ServingMetrics
}

async function serveUntilStopped(
  context: CommandContext,
  primary: Primary,
  { live, components, logger, metrics }: Serving,
): Promise<void> {
  const { server } = live.settings
  const endTracing = await openTracing({ settings: () => components.inEffect.settings, version: VERSION, random })
  const app = composeS3Server(live.settings, components, live)
  // The others have the same store.
  if (cluster.worker?.id === 1) reportAtStart(components)
  const api = composeAdminApi(components)
  const apply = (next: Live): void => {
    reload(app, components, next)
    logger.level = next.settings.log.level
    metrics.apply(next.settings)
  }
  primary.serves({ components, api, apply })
  try {
    answer({ address: await listen(app, server.listen) })
    await Promise.race([primary.stop, context.stopSignal])
    await drain(app, server.shutdownGrace)
  } finally {
    await app.close()
    await endTracing()
    await api.close()
  }
}

/** How much longer than its transfers a process may take to end. */
const MARGIN_MILLISECONDS = 5_000

interface Answering {
  readonly components: Components
  readonly api: AdminApi
  readonly apply: (live: Live) => void
}

/** What the primary says, and its end: a worker does not outlive it. */
class Primary {
  /** What the worker begins with. */
  readonly start: Promise<Live>
  readonly stop: Promise<undefined>
  #stopped = false
  #slot = 0
  #live: Live | undefined
  #serving: Answering | undefined

  constructor() {
    let begin: (live: Live) => void = () => undefined
    this.start = new Promise((resolve) => {
      begin = resolve
    })
    this.stop = new Promise((resolve) => {
      const end = (): void => {
        this.#stopped = true
        const grace = this.#live?.settings.server.shutdownGrace ?? 0
        // Whatever holds the process then, a store that does not answer for instance.
        setTimeout(() => process.exit(1), grace + MARGIN_MILLISECONDS).unref()
        resolve(undefined)
      }
      process.on('message', (message) => {
        if (message === STOP) end()
        else if (isTold(message)) this.#hear(message, begin)
        else this.#answer(message)
      })
      process.on('disconnect', end)
    })
    // What was said before is lost: the primary speaks when it has heard us.
    process.send?.(HELLO)
  }

  /** The place of this process among the workers. */
  get slot(): number {
    return this.#slot
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** From now on it answers for them, and changes them. */
  serves(serving: Answering): void {
    this.#serving = serving
    // What came while they were opened.
    if (this.#live !== undefined) serving.apply(this.#live)
  }

  #answer(message: unknown): void {
    void answerAdmin(message, this.#serving?.api)
    if (this.#serving !== undefined) void answerHealth(message, this.#serving.components)
  }

  #hear({ live, round, slot }: Told, begin: (live: Live) => void): void {
    this.#live = live
    this.#slot = slot
    try {
      if (this.#serving === undefined) begin(live)
      else this.#serving.apply(live)
      answer({ round })
    } catch (error) {
      answer({ round, failed: error instanceof Error ? error.message : 'it failed' })
    }
  }
}

function answer(message: WorkerMessage): void {
  process.send?.(message)
}
