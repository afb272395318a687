/** Objects under the keys of a key manager elsewhere, read and written while it is stopped and comes back. */
import { randomBytes } from 'node:crypto'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { connect } from './bare.mjs'
import { assert, sleep, until } from './shell.mjs'

const BYTES = 300_000
const PROBE_SECONDS = 1
/** Keys are asked for again almost at once, so that an outage is felt. */
export const SETTINGS = { SEALGATE_KEYS_CACHE_LIFETIME: '1s', SEALGATE_KEYS_CACHE_GRACE: '0s' }
/** Of each manager. */
export const QUICK = { retry: { attempts: 1 }, breaker: { failures: 3, probeInterval: `${PROBE_SECONDS}s` } }

/** Objects of one gateway, each with a bucket key that the named manager wraps. */
export class Traffic {
  #s3
  #written = []

  constructor(gateway) {
    this.follow(gateway)
  }

  /** Another gateway over the same store takes the place of the one before. */
  follow(gateway) {
    this.#s3 = connect(gateway)
    // Failures are what is looked at.
    this.#s3.config.maxAttempts = async () => 1
  }

  /** In a bucket of its own, so that a key has to be made. */
  async write(manager) {
    const [Bucket, Body] = [`b-${randomBytes(6).toString('hex')}`, randomBytes(BYTES)]
    await this.#s3.send(new CreateBucketCommand({ Bucket }))
    return this.rewrite({ Bucket, manager, Body })
  }

  async rewrite({ Bucket, manager, Body }) {
    const sse = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: `alias/${manager}` }
    await this.#s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body, ...sse }))
    const one = { Bucket, manager, Body }
    this.#written.push(one)
    return one
  }

  async read({ Bucket, Body }) {
    const answer = await this.#s3.send(new GetObjectCommand({ Bucket, Key: 'k' }))
    assert(Buffer.from(await answer.Body.transformToByteArray()).equals(Body), 'the object is another')
  }

  async readAll() {
    for (const one of this.#written) await this.read(one)
    return `${this.#written.length} objects`
  }

  /** Not answered from open keys: those of the cache have ended. */
  async refused(work) {
    const error = await work().then(() => undefined, (caught) => caught)
    assert(error !== undefined, 'it succeeded without its key manager')
    const { httpStatusCode } = error.$metadata ?? {}
    assert(httpStatusCode === 503, `it was answered with ${httpStatusCode} ${error.name}`)
    const after = error.$response?.headers?.['retry-after']
    assert(/^\d+$/.test(after ?? ''), `Retry-After is ${after}`)
  }

  /** Refused, as what only somebody at the provider can help. */
  async denied(work, code = 'AccessDenied') {
    const outcome = await work().then(() => 'done', (error) => error.name)
    assert(outcome === code, `it was ${outcome}`)
  }
}

/** Reads all objects again and again until it is told to stop; counts the rounds. Only a 503 may be in the way. */
class Readers {
  rounds = { answered: 0, refused: 0 }
  #busy = true
  #running

  constructor(traffic) {
    this.#running = this.#work(traffic)
    this.#running.catch(() => undefined)
  }

  async #work(traffic) {
    while (this.#busy) {
      const error = await traffic.readAll().then(() => undefined, (caught) => caught)
      if (error !== undefined && error.$metadata?.httpStatusCode !== 503) throw error
      this.rounds[error === undefined ? 'answered' : 'refused'] += 1
      await sleep(50)
    }
  }

  async stop() {
    this.#busy = false
    await this.#running
  }
}

/** What `begin` takes away and `end` brings back, under load. */
export async function outage({ check }, traffic, managers, { what, begin, end }) {
  await check(`${what}: 503 with Retry-After for whatever needs a key that is not open`, async () => {
    const one = await traffic.write(managers[0])
    const readers = new Readers(traffic)
    try {
      await sleep(500)
      await begin()
      await sleep(2_500)
      await traffic.refused(() => traffic.read(one))
      await traffic.refused(() => traffic.write(managers[1]))
      await end()
      await until(() => traffic.read(one), PROBE_SECONDS + 2)
    } finally {
      await readers.stop()
    }
    const { answered, refused } = readers.rounds
    assert(refused > 0 && answered > 0, `of the rounds under way ${answered} were answered, ${refused} refused`)
    return `rounds under way: ${answered} answered, ${refused} refused`
  })
  await check(`${what}: everything is as it was, without a restart of the gateway`, async () => {
    const text = await until(() => traffic.readAll(), 3 * (PROBE_SECONDS + 2))
    for (const manager of managers) await until(async () => traffic.read(await traffic.write(manager)), PROBE_SECONDS + 2)
    return text
  })
}
