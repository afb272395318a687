/** What commands work with that open the settings' stores and keys themselves, beside the gateway or without it. */
import { type Components, openComponents } from '../compose.ts'
import type { Settings } from '../config/settings.ts'
import { type CommandContext, stoppable } from './context.ts'

/** Opens what the settings name, and closes it behind `work`. A stop of the process aborts what is under way. */
export async function withComponents(
  context: CommandContext,
  settings: Settings,
  work: (components: Components, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  await stoppable(context, async (signal) => {
    const components = await openComponents(settings)
    try {
      await work(components, signal)
    } finally {
      await components.close()
    }
  })
}
