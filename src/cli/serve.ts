/** `sealgate serve`: the gateway. */
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import {
  CREDENTIALS_FILE,
  type Components,
  composeAdminServer,
  composeS3Server,
  credentialsOf,
  openComponents,
} from '../compose.ts'
import type { Settings } from '../config/settings.ts'
import { reportWaiting } from '../gateway/configuration/waiting.ts'
import type { WaitingCount } from '../http/admin-server.ts'
import { drain } from '../http/shutdown.ts'
import { Unavailable } from '../errors.ts'
import { createLogger, logChannels } from '../telemetry/logger.ts'
import { clusterMetrics, collectMetrics } from '../telemetry/metrics.ts'
import { type CommandContext, print, settingsOf } from './context.ts'
import { prepareData } from './first-run.ts'

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

/** One process: both listeners over the same components. */
async function serveAlone(context: CommandContext, settings: Settings): Promise<void> {
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

/** The first of several processes: it opens no store, forks the workers, replaces one that dies, and answers for their health. */
async function servePrimary(context: CommandContext, settings: Settings): Promise<void> {
  const logger = createLogger(settings.log.level, context.stderr)
  const stopLog = logChannels(logger)
  const workers = new Set<Worker>()
  let draining = false
  const fork = (): Promise<unknown[]> => {
    const worker = cluster.fork()
    workers.add(worker)
    worker.on('exit', (code) => {
      workers.delete(worker)
      if (draining) return
      logger.error({ code }, 'a worker ended; starting another')
      setTimeout(() => draining || void fork(), 1_000)
    })
    return Promise.race([once(worker, 'message'), once(worker, 'exit').then(() => ['exit'])])
  }
  const dependencies = [{ name: 'workers', check: () => checkWorkers(workers, settings.server.workers) }]
  const waiting = (): Promise<readonly WaitingCount[]> => askOne(workers)
  const admin = composeAdminServer({ dependencies, waiting, draining: () => draining, metrics: clusterMetrics() })
  try {
    const first = await Promise.race([
      Promise.all(Array.from({ length: settings.server.workers }, fork)),
      context.stopSignal.then(() => undefined),
    ])
    if (first === undefined) return
    const address = first
      .map(([message]) => message)
      .find((message) => typeof message === 'string' && message.startsWith('http'))
    if (typeof address !== 'string') throw new Unavailable('no worker could start; the log says why')
    if (settings.admin.listen !== false) await listen(admin, settings.admin.listen)
    print(context, welcome(settings, address))
    await context.stopSignal
  } finally {
    draining = true
    const gone = [...workers].map((worker) => once(worker, 'exit'))
    // Whoever cannot be told has ended already.
    for (const worker of workers) worker.send('stop', () => undefined)
    await Promise.all(gone)
    await admin.close()
    stopLog()
  }
}

/** One of several processes: the S3 listener shares its port with the other workers. */
async function serveWorker(context: CommandContext, settings: Settings): Promise<void> {
  const stopLog = logChannels(createLogger(settings.log.level, context.stderr))
  const metrics = collectMetrics({ worker: true })
  try {
    const components = await openComponents(settings, { housekeeping: true })
    try {
      await serveUntilStopped(context, settings, components)
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

async function serveUntilStopped(context: CommandContext, settings: Settings, components: Components): Promise<void> {
  const app = composeS3Server(settings, components)
  // The others have the same store.
  if (cluster.worker?.id === 1) reportAtStart(components)
  const stop = new Promise<void>((resolveStop) => {
    process.on('message', (message) => {
      if (message === 'stop') resolveStop()
      else void answerHealth(message, components)
    })
    process.on('disconnect', resolveStop)
  })
  try {
    process.send?.(await listen(app, settings.server.listen))
    await Promise.race([stop, context.stopSignal])
    await drain(app, settings.server.shutdownGrace)
  } finally {
    await app.close()
  }
}

interface HealthQuestion {
  readonly health: number
}

async function answerHealth(message: unknown, components: Components): Promise<void> {
  if (typeof message !== 'object' || message === null || !('health' in message)) return
  const { health } = message
  const failed = (await Promise.allSettled(components.dependencies.map((one) => one.check()))).filter(
    (result) => result.status === 'rejected',
  )
  const waiting = await components.waiting().catch(() => [])
  process.send?.({ health, failed: failed.length, waiting })
}

/** Says once which kept configurations nothing acts on. */
function reportAtStart({ gateway }: Components): void {
  gateway.background.run('report configurations that nothing acts on', () => reportWaiting(gateway.store))
}

let questions = 0

/** Throws unless every worker is there and finds its dependencies well. */
async function checkWorkers(workers: ReadonlySet<Worker>, expected: number): Promise<void> {
  if (workers.size < expected) throw new Unavailable(`${workers.size} of ${expected} workers run`)
  await Promise.all([...workers].map((worker) => askHealth(worker)))
}

/** Less than the admin listener waits, so that its log names the worker. */
const ANSWER_MILLISECONDS = 4_000

interface HealthAnswer {
  readonly health?: number
  readonly failed?: number
  readonly waiting?: readonly WaitingCount[]
}

/** Any worker knows what waits in the store; a worker that is not well says nothing. */
async function askOne(workers: ReadonlySet<Worker>): Promise<readonly WaitingCount[]> {
  const [worker] = workers
  return worker === undefined ? [] : askHealth(worker)
}

/** Questions under way: whoever asks meanwhile gets the same answer, so that listeners on a worker do not pile up. */
const asked = new WeakMap<Worker, Promise<readonly WaitingCount[]>>()

/** What waits in its store, if all is well with it. Throws `Unavailable`. */
function askHealth(worker: Worker): Promise<readonly WaitingCount[]> {
  const underWay = asked.get(worker)
  if (underWay !== undefined) return underWay
  const answer = askAnew(worker).finally(() => asked.delete(worker))
  asked.set(worker, answer)
  return answer
}

function askAnew(worker: Worker): Promise<readonly WaitingCount[]> {
  questions += 1
  const health = questions
  return new Promise((resolveHealth, reject) => {
    const end = (why?: string, cause?: Error, waiting: readonly WaitingCount[] = []): void => {
      clearTimeout(timer)
      worker.off('message', listener)
      if (why === undefined) resolveHealth(waiting)
      else reject(new Unavailable(`worker ${worker.id} ${why}`, { cause }))
    }
    const listener = ({ health: answered, failed, waiting }: HealthAnswer): void => {
      if (answered !== health) return
      if (failed === 0) end(undefined, undefined, waiting)
      else end(`finds ${failed} dependencies failing`)
    }
    const timer = setTimeout(end, ANSWER_MILLISECONDS, `does not answer within ${ANSWER_MILLISECONDS} ms`)
    worker.on('message', listener)
    // Without a callback the channel of a worker that has just died would fail as an event that nobody handles.
    worker.send({ health } satisfies HealthQuestion, (error) => error !== null && end('cannot be asked', error))
  })
}

/** Starts a listener. Throws `Unavailable` with the address and the reason. */
async function listen(
  app: ReturnType<typeof composeAdminServer>,
  address: { readonly host: string; readonly port: number },
): Promise<string> {
  try {
    return await app.listen({ host: address.host, port: address.port })
  } catch (error) {
    throw new Unavailable(
      `cannot listen on ${address.host}:${address.port}; set SEALGATE_SERVER_LISTEN or SEALGATE_ADMIN_LISTEN to another address`,
      { cause: error },
    )
  }
}

/** What a new user needs next: endpoint, access key, where the secrets are, and lines to copy. */
function welcome(settings: Settings, address: string): string {
  // Fastify does not know that the server it was given speaks TLS.
  const endpoint = settings.server.tls === undefined ? address : address.replace(/^http:/, 'https:')
  const accessKey = credentialsOf(settings)[0]?.accessKey ?? ''
  const keyFiles = Object.values(settings.keys.managers).flatMap((one) =>
    one.type === 'local' && one.file !== undefined ? [resolve(one.file)] : [],
  )
  const credentials = resolve(settings.data, CREDENTIALS_FILE)
  const own = settings.credentials === undefined
  const lines = [
    '',
    `  Sealgate is ready at ${endpoint}`,
    '',
    `  access key   ${accessKey}`,
    ...(own ? [`  secret       in ${credentials} (profile sealgate)`] : []),
    ...keyFiles.map((file) => `  master key   ${file}\n               Back this up: without it the data is lost.`),
    '',
    ...(own
      ? [
          '  Try it:',
          `    export AWS_SHARED_CREDENTIALS_FILE=${credentials} AWS_PROFILE=sealgate AWS_REGION=us-east-1`,
          `    aws --endpoint-url ${endpoint} s3 mb s3://first-bucket`,
          `    aws --endpoint-url ${endpoint} s3 cp ${join('.', 'README.md')} s3://first-bucket/`,
          '',
        ]
      : []),
    '  See that the store holds only ciphertext:',
    '    npx sealgate doctor',
    '',
  ]
  return lines.join('\n')
}
