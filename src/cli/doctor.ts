/** `sealgate doctor`: the proof that the store holds only ciphertext, and that changed bytes and wrong keys are refused. */
import { Command } from 'commander'
import { type Components, composeS3Server } from '../compose.ts'
import { cryptographyOf } from '../compose/fips.ts'
import type { Settings } from '../config/settings.ts'
import { withComponents } from './components.ts'
import { type CommandContext, print, readOptionFile, settingsOf } from './context.ts'
import { checkFiles } from './doctor/files.ts'
import type { Finding, Tell } from './doctor/finding.ts'
import { prove } from './doctor/proof.ts'
import { prepareData } from './first-run.ts'
import { endpointOf, S3Client } from './s3-client.ts'

interface DoctorFlags {
  readonly config?: string
  readonly caFile?: string
  readonly json?: boolean
}

const MARKS = { ok: '✓', failed: '✗', note: '·' } as const

export function doctorCommand(context: CommandContext): Command {
  return new Command('doctor')
    .description('prove that the store holds only ciphertext')
    .option('-c, --config <file>', 'settings (YAML) of the gateway to examine')
    .option('--ca-file <file>', 'CA certificate (PEM) of the gateway, if it speaks HTTPS')
    .option('--json', 'JSON lines in place of text')
    .addHelpText('after', '\nExample:\n  sealgate doctor\n\nExit code 0 only if every check passes.\n')
    .action(async (flags: DoctorFlags) => {
      const settings = settingsOf(context, flags.config)
      const ca = flags.caFile === undefined ? {} : { ca: readOptionFile('--ca-file', flags.caFile) }
      let failed = 0
      const tell = ({ what, state, detail }: Finding): void => {
        if (state === 'failed') failed += 1
        const line =
          flags.json === true
            ? JSON.stringify({ what, state, detail })
            : `${MARKS[state]} ${what}${detail === '' ? '' : `\n    ${detail.replaceAll('\n', '\n    ')}`}`
        print(context, line)
      }
      for (const path of await prepareData(settings))
        tell({ what: `made ${path}`, state: 'note', detail: 'as the first start of the gateway does' })
      await withComponents(context, settings, (components, signal) =>
        examine(settings, components, { tell, ca, signal }),
      )
      if (failed > 0) throw new Error(`${failed} checks failed`)
      if (flags.json !== true) print(context, '\nEvery check passed: what the store holds is ciphertext.')
    })
}

/** Runs the proof against the gateway that listens, or against one of its own if none does. */
async function examine(
  settings: Settings,
  components: Components,
  { tell, ca, signal }: { readonly tell: Tell; readonly ca: { readonly ca?: string }; readonly signal: AbortSignal },
): Promise<void> {
  tell({ what: 'cryptography', state: settings.fips ? 'ok' : 'note', detail: cryptographyOf() })
  for (const finding of checkFiles(settings)) tell(finding)
  const whyNot = await whyNotRunning(settings, ca)
  const own = whyNot === undefined ? undefined : await startOwn(settings, components)
  const endpoint = own?.endpoint ?? endpointOf(settings)
  const how = whyNot === undefined ? 'the gateway that is running' : `started for this examination: ${whyNot}`
  tell({ what: `endpoint ${endpoint}`, state: 'ok', detail: how })
  const client = new S3Client(settings, { endpoint, ...ca })
  try {
    await prove({ settings, components, client, tell, signal })
  } finally {
    await client.close()
    await own?.stop()
  }
}

/** Why no gateway of these settings can be examined where it should listen; `undefined` if one answers. A store in memory is only in its own process. */
async function whyNotRunning(settings: Settings, ca: { readonly ca?: string }): Promise<string | undefined> {
  if (settings.backend.type === 'memory') return 'a store in memory is only in its own process'
  if (settings.server.listen.port === 0) return 'the settings name no port'
  const client = new S3Client(settings, ca)
  try {
    await client.document({ method: 'GET' })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : 'nobody answers'
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
