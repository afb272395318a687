/** Follows a guide of docs/migration: its settings become files, its commands run, its gateway serves, and clients read and write all the time. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { S3Client } from '../../src/cli/s3-client.ts'
import { streamBlocks, upload } from '../../src/cli/upload.ts'
import { loadSettings } from '../../src/config/load.ts'
import { type Block, readmeBlocks } from '../../scripts/readme-blocks.mjs'
import type { Started, Workplace } from './command.ts'

export interface GuideWorld {
  /** What stands in the guide, and what stands for it here. */
  readonly names: Readonly<Record<string, string>>
  /** Programs other than ours that are not run as they are, such as `vault`: each gets the words behind its name. */
  readonly programs?: Readonly<Record<string, (words: readonly string[], line: string) => void>>
}

const BUCKET = 'backups'
const CREDENTIALS =
  'credentials: [{ accessKey: SGTEST, secretKey: test-secret-0123, allow: [{ buckets: ["*"], actions: read-write }] }]\n'
const PART_BYTES = 5 * 1024 * 1024
const UNTIL_MILLISECONDS = 60_000

export class Guide {
  readonly place: Workplace
  /** Bodies by key: what clients have written so far. */
  readonly written = new Map<string, Buffer>()
  readonly #blocks: readonly Block[]
  readonly #world: GuideWorld
  #gateway: Started | undefined
  #client: S3Client | undefined
  #reading: { readonly end: () => Promise<void> } | undefined
  #output = ''

  constructor(name: string, place: Workplace, world: GuideWorld) {
    this.place = place
    this.#world = world
    this.#blocks = readmeBlocks(fileURLToPath(new URL(`../../docs/migration/${name}`, import.meta.url)))
  }

  /** Clients come once the first settings are there, write after each step, and read without a pause. */
  async follow(): Promise<void> {
    for (const [i, block] of this.#blocks.entries()) {
      const body = this.#replaced(block.body)
      if (block.how === 'settings') writeFileSync(this.place.path('sealgate.yaml'), `${CREDENTIALS}${body}\n`)
      else if (block.how === 'restart') await this.restart()
      else if (block.how === 'stop') await this.stop()
      else if (block.how === 'run') this.#output = await this.#run(body)
      else if (block.how === 'until') await this.#until(body, this.#blocks[i + 1])
      else if (block.how === 'says') this.#expect(block.body)
      if (block.how === 'settings' && this.written.size === 0) await this.restart()
      if (this.#gateway !== undefined) await this.write(`step-${i}`)
    }
  }

  async restart(): Promise<void> {
    await this.stop()
    this.#gateway = await this.place.serve()
    const settings = loadSettings({
      configPath: this.place.path('sealgate.yaml'),
      env: {},
      readFile: () => CREDENTIALS,
    })
    this.#client = new S3Client(settings, { endpoint: this.#gateway.endpoint })
    if (this.written.size === 0) await this.#begin(this.#client)
    this.#reading = this.#readOn(this.#client)
  }

  /** Throws if a client could not read something since it started. */
  async stop(): Promise<void> {
    await this.#reading?.end()
    this.#reading = undefined
    await this.#client?.close()
    this.#client = undefined
    await this.#gateway?.stop()
    this.#gateway = undefined
  }

  async write(key: string): Promise<void> {
    const body = Buffer.from(`contents of ${key}`)
    await this.#client?.read({ method: 'PUT', address: { bucket: BUCKET, key }, body })
    this.written.set(key, body)
  }

  /** Everything once. Throws for what does not read as it was written. */
  async readAll(): Promise<void> {
    const client = this.#client
    if (client === undefined) throw new Error('nobody serves')
    for (const [key, body] of this.written) await readOne(client, key, body)
  }

  async #begin(client: S3Client): Promise<void> {
    await client.read({ method: 'PUT', address: { bucket: BUCKET, key: '' }, body: Buffer.alloc(0) })
    await this.write('monday.tar')
    await client.read({ method: 'PUT', address: { bucket: BUCKET, key: 'empty' }, body: Buffer.alloc(0) })
    this.written.set('empty', Buffer.alloc(0))
    const body = Buffer.alloc(PART_BYTES + 100_000, 'parts ')
    const nothing = (): void => undefined
    await upload(
      {
        client,
        address: { bucket: BUCKET, key: 'in/parts' },
        headers: {},
        progress: { add: nothing, end: nothing },
        onFailure: nothing,
      },
      streamBlocks(once(body), PART_BYTES),
    )
    this.written.set('in/parts', body)
  }

  #readOn(client: S3Client): { readonly end: () => Promise<void> } {
    const stop = new AbortController()
    const { signal } = stop
    const reading = (async () => {
      while (!signal.aborted) {
        for (const [key, body] of this.written) if (!signal.aborted) await readOne(client, key, body)
        await sleep(250)
      }
    })()
    // Looked at when it ends.
    reading.catch(() => undefined)
    const end = async (): Promise<void> => {
      stop.abort()
      await reading
    }
    return { end }
  }

  #replaced(text: string): string {
    return Object.entries(this.#world.names).reduce((so, [name, here]) => so.replaceAll(name, here), text)
  }

  async #run(body: string): Promise<string> {
    const outputs: string[] = []
    for (const line of body.split('\n')) outputs.push(await this.#runLine(line))
    return outputs.join('')
  }

  async #runLine(line: string): Promise<string> {
    const [program = '', ...words] = line.split(' ')
    const own = this.#world.programs?.[program]
    if (program === 'sealgate') {
      const { code, stdout, stderr } = await this.place.run(words)
      if (code !== 0) throw new Error(`${line}\nended with ${code}: ${stderr}${stdout}`)
      return stdout
    }
    if (own === undefined) return (await promisify(execFile)(program, words, { cwd: this.place.folder })).stdout
    own(words, line)
    return ''
  }

  /** Again and again until it says what the next block shows. */
  async #until(body: string, next: Block | undefined): Promise<void> {
    for (const began = Date.now(); ; await sleep(500)) {
      this.#output = await this.#run(body)
      try {
        this.#expect(next?.body ?? '')
        return
      } catch (error) {
        if (Date.now() - began > UNTIL_MILLISECONDS) throw error
      }
    }
  }

  /** Each line that the guide shows is one that was printed; `…` stands for anything. */
  #expect(shown: string): void {
    const printed = this.#output.split('\n')
    for (const line of shown.split('\n')) {
      const parts = line.split(/\s*…\s*/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      const pattern = new RegExp(`^${parts.join('.*')}$`)
      if (!printed.some((one) => pattern.test(one))) throw new Error(`no line is "${line}" in\n${this.#output}`)
    }
  }
}

async function readOne(client: S3Client, key: string, body: Buffer): Promise<void> {
  const { bytes } = await client.read({ method: 'GET', address: { bucket: BUCKET, key } })
  if (!bytes.equals(body)) throw new Error(`${key} reads as something else`)
}

async function* once(body: Buffer): AsyncGenerator<Buffer> {
  yield body
}
