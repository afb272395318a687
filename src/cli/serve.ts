/** `sealgate serve`: the gateway. */
import cluster from 'node:cluster'
import { Command } from 'commander'
import { readLive } from '../compose/live.ts'
import type { CommandContext } from './context.ts'
import { prepareData } from './first-run.ts'
import { serveAlone } from './serve/alone.ts'
import { servePrimary } from './serve/primary.ts'
import { readSettings } from './serve/reloading.ts'
import { serveWorker } from './serve/worker.ts'

export function serveCommand(context: CommandContext): Command {
  return new Command('serve')
    .description('run the gateway until SIGTERM or SIGINT; transfers under way may finish')
    .option('-c, --config <file>', 'settings (YAML)')
    .addHelpText('after', '\nExample:\n  sealgate serve --config sealgate.yaml\n')
    .action(async (options: { config?: string }) => {
      // From here on signals drain; asked for later, one that comes with the first line of output would kill.
      void context.stopSignal
      // A worker is told its settings: all workers have the same, whatever the files say by now.
      if (cluster.isWorker) return serveWorker(context)
      const { settings, files } = readSettings(context, options.config)
      await prepareData(settings)
      const start = { configPath: options.config, files, live: readLive(settings) }
      return settings.server.workers > 1 ? servePrimary(context, start) : serveAlone(context, start)
    })
}
