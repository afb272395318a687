/** `sealgate serve`: the gateway. */
import cluster from 'node:cluster'
import { Command } from 'commander'
import { type CommandContext, settingsOf } from './context.ts'
import { prepareData } from './first-run.ts'
import { serveAlone } from './serve/alone.ts'
import { servePrimary } from './serve/primary.ts'
import { serveWorker } from './serve/worker.ts'

export function serveCommand(context: CommandContext): Command {
  return new Command('serve')
    .description('run the gateway until SIGTERM or SIGINT; transfers under way may finish')
    .option('-c, --config <file>', 'settings (YAML)')
    .addHelpText('after', '\nExample:\n  sealgate serve --config sealgate.yaml\n')
    .action(async (options: { config?: string }) => {
      // From here on signals drain; asked for later, one that comes with the first line of output would kill.
      void context.stopSignal
      const settings = settingsOf(context, options.config)
      if (cluster.isWorker) return serveWorker(context, settings)
      await prepareData(settings)
      return settings.server.workers > 1 ? servePrimary(context, settings) : serveAlone(context, settings)
    })
}
