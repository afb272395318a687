/**
 * Processes as an operator runs them: a store, and replicas that keep objects and state there; and a client that goes
 * to another replica when one fails.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { cpSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { parseCredentialsFile } from '../../src/access/credentials.ts'
import { freePort, type Started, Workplace } from './command.ts'

/** A client of a process, with the credential that its first start made. It does not retry unless told to. */
export function clientOf(place: Workplace, endpoint: string, maxAttempts = 1): S3Client {
  const text = readFileSync(place.path('sealgate-data/aws-credentials'), 'utf8')
  const { accessKey, secretKey } = parseCredentialsFile(text)
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    maxAttempts,
  })
}

/** What tells a gateway to keep its objects, and its state, in the store that runs in `place`. */
export function storeSettings(
  place: Workplace,
  { endpoint }: Started,
): Record<'backend' | 'state', Record<string, string>> {
  const text = readFileSync(place.path('sealgate-data/aws-credentials'), 'utf8')
  const { accessKey, secretKey } = parseCredentialsFile(text)
  const group = (name: string): Record<string, string> => ({
    [`SEALGATE_${name}_TYPE`]: 's3',
    [`SEALGATE_${name}_ENDPOINT`]: endpoint,
    [`SEALGATE_${name}_ACCESS_KEY_ID`]: accessKey,
    [`SEALGATE_${name}_SECRET_ACCESS_KEY`]: secretKey,
  })
  return { backend: group('BACKEND'), state: { ...group('STATE'), SEALGATE_REPLICAS: '2' } }
}

/** One replica on a port of its own, which it keeps when it starts anew. */
export class Replica {
  readonly place: Workplace
  readonly endpoint: string
  #running: Started | undefined

  private constructor(place: Workplace, endpoint: string) {
    this.place = place
    this.endpoint = endpoint
  }

  static async prepare(env: Readonly<Record<string, string>>, keysOf?: Replica): Promise<Replica> {
    const listen = `127.0.0.1:${await freePort()}`
    const place = new Workplace({ ...env, SEALGATE_SERVER_LISTEN: listen })
    if (keysOf !== undefined) {
      for (const name of ['master-keys.json', 'aws-credentials']) {
        cpSync(keysOf.place.path(`sealgate-data/${name}`), place.path(`sealgate-data/${name}`))
      }
    }
    return new Replica(place, `http://${listen}`)
  }

  async start(): Promise<void> {
    this.#running = await this.place.serve()
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#running?.process
    if (child === undefined) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  async stop(): Promise<number | null | undefined> {
    return this.#running?.stop()
  }

  remove(): void {
    this.place.remove()
  }
}

/** The trivial balancer: requests go round; one that was not answered, or was told to come back, goes on to the next. */
export class RoundRobin {
  readonly #clients: readonly S3Client[]
  #turn = 0
  /** Requests that had to be sent again. */
  repeated = 0

  constructor(clients: readonly S3Client[]) {
    this.#clients = clients
  }

  /** `work` may run several times. Throws what a replica has decided, for instance that an upload does not exist. */
  async send<T>(work: (client: S3Client) => Promise<T>): Promise<T> {
    const until = Date.now() + 20_000
    for (;;) {
      const client = this.#clients[this.#turn++ % this.#clients.length]!
      try {
        return await work(client)
      } catch (error) {
        if (decided(error) || Date.now() > until) throw error
        this.repeated += 1
        await sleep(20)
      }
    }
  }
}

function decided(error: unknown): boolean {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
  return status !== undefined && status >= 300 && status < 500
}

/** Runs `work` for every item, some at once. */
export async function each<T>(items: readonly T[], work: (item: T, at: number) => Promise<unknown>): Promise<void> {
  const rest = [...items.entries()]
  const run = async (): Promise<void> => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) await work(next[1], next[0])
  }
  await Promise.all(Array.from({ length: 8 }, run))
}

export async function read(s3: S3Client, Bucket: string, Key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

/** A client that keeps books: all that it sent under a name, and the names of which it was told that they are there. */
export class Ledger {
  readonly acknowledged = new Set<string>()
  readonly #bucket: string
  readonly #balancer: RoundRobin
  readonly #sent = new Map<string, Set<string>>()

  constructor(bucket: string, balancer: RoundRobin) {
    this.#bucket = bucket
    this.#balancer = balancer
  }

  async put(key: string): Promise<void> {
    const body = randomBytes(randomInt(1, 40_000))
    this.#note(key, body)
    await this.#send((s3) => s3.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body })))
    this.acknowledged.add(key)
  }

  async putInParts(key: string): Promise<void> {
    const bodies = [randomBytes(5 * 1024 * 1024), randomBytes(randomInt(1, 100_000))]
    this.#note(key, Buffer.concat(bodies))
    const place = { Bucket: this.#bucket, Key: key }
    const { UploadId } = await this.#send((s3) => s3.send(new CreateMultipartUploadCommand(place)))
    const Parts: { PartNumber: number; ETag: string | undefined }[] = []
    for (const [at, Body] of bodies.entries()) {
      const part = { ...place, UploadId, PartNumber: at + 1, Body }
      const { ETag } = await this.#send((s3) => s3.send(new UploadPartCommand(part)))
      Parts.push({ PartNumber: at + 1, ETag })
    }
    const whole = { ...place, UploadId, MultipartUpload: { Parts } }
    await this.#send((s3) => s3.send(new CompleteMultipartUploadCommand(whole)))
    this.acknowledged.add(key)
  }

  /** What is not as the books say. Reads go to all clients in turn. */
  async audit(clients: readonly S3Client[], prefix: string): Promise<{ missing: string[]; wrong: string[] }> {
    const listed = new Set<string>()
    const pages = paginateListObjectsV2({ client: clients[0]! }, { Bucket: this.#bucket, Prefix: prefix })
    for await (const { Contents = [] } of pages) for (const { Key = '' } of Contents) listed.add(Key)
    const wrong: string[] = []
    await each([...listed], async (key, at) => {
      const found = digest(await read(clients[at % clients.length]!, this.#bucket, key))
      if (this.#sent.get(key)?.has(found) !== true) wrong.push(key)
    })
    return { missing: [...this.acknowledged].filter((key) => !listed.has(key)), wrong }
  }

  #send<T>(work: (client: S3Client) => Promise<T>): Promise<T> {
    return this.#balancer.send(work)
  }

  #note(key: string, body: Buffer): void {
    this.#sent.set(key, (this.#sent.get(key) ?? new Set()).add(digest(body)))
  }
}

const digest = (body: Buffer): string => createHash('sha256').update(body).digest('hex')
