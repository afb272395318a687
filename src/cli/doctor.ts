/** `sealgate doctor`: the proof that the store holds only ciphertext, and that changed bytes and wrong keys are refused. */
import { Command } from 'commander'
import { type Components, composeS3Server, openComponents } from '../compose.ts'
import type { Settings } from '../config/settings.ts'
import { type CommandContext, print, settingsOf } from './context.ts'
import { checkFiles } from './doctor/files.ts'
import type { Finding } from './doctor/finding.ts'
import { prove } from './doctor/proof.ts'
import { prepareData } from './first-run.ts'
import { endpointOf, S3Client } from './s3-client.ts'

interface DoctorFlags {
  readonly config?: string
  readonly json?: boolean
}

const MARKS = { ok: '✓', failed: '✗', note: '·' } as const

export function doctorCommand(context: CommandContext): Command {
  return new Command('doctor')
    .description('prove that the store holds only ciphertext')
    .option('-c, --config <file>', 'settings (YAML) of the gateway to examine')
    .option('--json', 'JSON lines in place of text')
    .addHelpText('after', '\nExample:\n  sealgate doctor\n\nExit code 0 only if every check passes.\n')
    .action(async (flags: DoctorFlags) => {
      const settings = settingsOf(context, flags.config)
      await prepareData(settings)
      let failed = 0
      const tell = ({ what, state, detail }: Finding): void => {
        if (state === 'failed') failed += 1
        const line =
          flags.json === true
            ? JSON.stringify({ what, state, detail })
            : `${MARKS[state]} ${what}${detail === '' ? '' : `\n    ${detail.replaceAll('\n', '\n    ')}`}`
        print(context, line)
      }
      await examine(settings, tell)
      if (failed > 0) throw new Error(`${failed} checks failed`)
      if (flags.json !== true) print(context, '\nEvery check passed: what the store holds is ciphertext.')
    })
}

/** Runs the proof against the gateway that listens, or against one of its own if none does. */
async function examine(settings: Settings, tell: (finding: Finding) => void): Promise<void> {
  const components = await openComponents(settings)
  try {
    for (const finding of checkFiles(settings)) tell(finding)
    const own = (await answers(settings)) ? undefined : await startOwn(settings, components)
    const endpoint = own?.endpoint ?? endpointOf(settings)
    const how =
      own === undefined ? 'the gateway that is running' : 'started for this examination, since none is running'
    tell({ what: `endpoint ${endpoint}`, state: 'ok', detail: how })
    const client = new S3Client(settings, { endpoint })
    try {
      await prove({ settings, components, client, tell })
    } finally {
      await client.close()
      await own?.stop()
    }
  } finally {
    await components.close()
  }
}

/** Whether a gateway with our credential listens where the settings say. A store in memory is only in its own process. */
async function answers(settings: Settings): Promise<boolean> {
  if (settings.backend.type === 'memory' || settings.server.listen.port === 0 || settings.server.tls !== undefined)
    return false
  const client = new S3Client(settings)
  try {
    await client.document({ method: 'GET' })
    return true
  } catch {
    return false
  } finally {
    await client.close()
  }
}

async function startOwn(
  settings: Settings,
  components: Components,
): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  const { tls: _, ...server } = settings.server
  const app = composeS3Server({ ...settings, server }, components)
  const endpoint = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    endpoint,
    stop: async () => {
      app.server.closeAllConnections()
      await app.close()
    },
  }
}
