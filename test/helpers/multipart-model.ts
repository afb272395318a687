/** What S3 allows of operations on one multipart upload that run at once, and the searches that hold the gateway against it. */
import { createHash } from 'node:crypto'
import type { BucketKeys } from '../../src/keys/key-manager.ts'
import type { Search } from './interleave.ts'
import { type Answer, type Client, type Listed, MultipartWorld } from './multipart-world.ts'
import { Recording } from './replay.ts'
import type { Actor, Bounds, Ending, Stepped } from './schedule.ts'

export interface Part {
  readonly partNumber: number
  readonly body: Buffer
}

/** `list`: parts by number, each in the attempt of the upload named, or of the preparation; or what ListParts shows at the time. */
export type Op = { readonly name: string; readonly after?: readonly string[]; readonly twinOf?: string } & (
  | ({ readonly kind: 'upload' } & Part)
  | { readonly kind: 'abort' }
  | { readonly kind: 'complete'; readonly list: Readonly<Record<number, string>> | 'listed' }
)
type Complete = Extract<Op, { kind: 'complete' }>

export interface Scenario {
  /** Uploaded before anything else. */
  readonly parts: readonly Part[]
  readonly ops: readonly Op[]
}

export const PREPARED = 'prepared'

export interface Mode extends Bounds {
  readonly keys: BucketKeys
  /** Whether the backend keeps facts, and ETags are MD5s. */
  readonly facts: boolean
  /** The state store tells times by the second, and all of it happens in one. */
  readonly coarse?: boolean
}

/** A world with what clients know of it. */
class ModelWorld extends MultipartWorld {
  readonly prepared = new Map<number, string>()
  /** What each Complete asks for; the same when it is repeated. */
  readonly lists = new Map<string, readonly Listed[]>()

  /** Takes over what clients know of a world that was made by the same writes. */
  adopt(other: ModelWorld): void {
    this.uploadId = other.uploadId
    for (const [partNumber, etag] of other.prepared) this.prepared.set(partNumber, etag)
  }

  override async fingerprint(): Promise<string> {
    return JSON.stringify([await super.fingerprint(), [...this.lists]])
  }
}

export function searchOf(scenario: Scenario, mode: Mode): Search<ModelWorld> {
  let recorded: { readonly recording: Recording; readonly world: ModelWorld } | undefined
  return {
    crash: mode.crash,
    ...(mode.deletes === undefined ? {} : { deletes: mode.deletes }),
    prepare: async (random) => {
      const world = new ModelWorld({ ...mode, random })
      await world.createBuckets()
      if (recorded === undefined) {
        const recording = new Recording()
        await prepare(world, world.client({ name: 'before', wrap: recording.wrap }), scenario.parts)
        recorded = { recording, world }
      } else {
        await recorded.recording.replay({ backend: world.backend, state: world.state })
        world.adopt(recorded.world)
      }
      return world
    },
    actors: (world) => scenario.ops.map((op) => actorOf(world, op)),
    fingerprint: (world) => world.fingerprint(),
    check: (world, endings) => new Judge(scenario, mode, world, endings).judge(),
  }
}

async function prepare(world: ModelWorld, client: Client, parts: readonly Part[]): Promise<void> {
  await client.createUpload()
  for (const { partNumber, body } of parts) {
    const { code, etag } = await client.uploadPart(partNumber, body)
    if (etag === undefined) throw new Error(`part ${partNumber} is answered ${code}`)
    world.prepared.set(partNumber, etag)
  }
}

function actorOf(world: ModelWorld, op: Op): Actor {
  return {
    name: op.name,
    ...(op.after === undefined ? {} : { after: op.after }),
    ...(op.twinOf === undefined ? {} : { twinOf: op.twinOf }),
    run: async (stepped) => {
      const client = world.client(stepped)
      const { code, etag } = await request(world, client, op, stepped)
      return { answer: JSON.stringify({ code, etag }), ended: client.idle() }
    },
  }
}

async function request(world: ModelWorld, client: Client, op: Op, stepped: Stepped): Promise<Answer> {
  if (op.kind === 'abort') return client.abort()
  if (op.kind === 'upload') return client.uploadPart(op.partNumber, op.body)
  const list = world.lists.get(op.name) ?? (await resolve(world, op, stepped))
  world.lists.set(op.name, list)
  return client.complete(list)
}

async function resolve(world: ModelWorld, { list }: Complete, stepped: Stepped): Promise<readonly Listed[]> {
  if (list === 'listed') return (await world.direct.listParts()).parts
  return Object.entries(list).map(([number, from]) => {
    const partNumber = Number(number)
    const etag = from === PREPARED ? world.prepared.get(partNumber) : read(stepped.answerOf(from)).etag
    return { partNumber, etag: etag ?? '0'.repeat(32) }
  })
}

interface Outcome extends Answer {
  readonly op: Op
  readonly crashed: boolean
}

/** Looks at one end. What it says begins with `(allowed)` where S3 would do better but a client can live with it. */
class Judge {
  readonly #scenario: Scenario
  readonly #mode: Mode
  readonly #world: ModelWorld
  readonly #outcomes: Outcome[]
  readonly #client: Client
  readonly #problems: string[] = []

  constructor(scenario: Scenario, mode: Mode, world: ModelWorld, endings: ReadonlyMap<string, Ending>) {
    this.#scenario = scenario
    this.#mode = mode
    this.#world = world
    this.#client = world.client({ name: 'after', wrap: (_, store) => store })
    this.#outcomes = scenario.ops.map((op) => {
      const ending = endings.get(op.name)
      return { op, ...read(ending?.answer), crashed: ending?.crashed ?? false }
    })
  }

  async judge(): Promise<readonly string[]> {
    this.#codes()
    await this.#leftovers()
    await this.#repeatCompletes()
    await this.#object()
    this.#whoEndedIt()
    await (this.#ended ? this.#nothingMore() : this.#stillOpen())
    return this.#problems
  }

  get #completed(): readonly Outcome[] {
    return this.#outcomes.filter(({ op, code }) => op.kind === 'complete' && code === '200')
  }

  get #aborts(): readonly Outcome[] {
    return this.#outcomes.filter(({ op }) => op.kind === 'abort')
  }

  get #aborted(): boolean {
    return this.#aborts.some(({ code }) => code === '204')
  }

  get #ended(): boolean {
    return this.#aborted || this.#completed.length > 0
  }

  get #crashed(): boolean {
    return this.#outcomes.some(({ crashed }) => crashed)
  }

  #codes(): void {
    for (const { op, code } of this.#outcomes) {
      const possible = {
        upload: ['200', 'NoSuchUpload'],
        abort: ['204', 'NoSuchUpload'],
        complete: ['200', 'NoSuchUpload', ...TEMPORARY, ...this.#invalidParts(op)],
      }[op.kind]
      if (!possible.includes(code)) this.#problems.push(`${op.name} is answered ${code}`)
    }
  }

  /** A listed part that is uploaded again may have changed before the list arrives. */
  #invalidParts(op: Op): readonly string[] {
    if (op.kind !== 'complete' || op.list === 'listed') return []
    const { list } = op
    const again = this.#scenario.ops.some((one) => one.kind === 'upload' && Object.hasOwn(list, one.partNumber))
    return again ? ['InvalidPart'] : []
  }

  async #leftovers(): Promise<void> {
    if (!this.#ended) return
    const left = (await this.#world.leftovers()).filter((name) => name !== 'done')
    const of = this.#crashed ? '(allowed) a crash' : ''
    for (const name of new Set(left.map((one) => one.replace(/[/].*$/, '')))) {
      const allowed = name === 'h' ? '' : '(allowed)'
      this.#problems.push(`${of === '' ? allowed : of} leaves "${name}" of an upload that has ended`.trim())
    }
    if (await this.#world.isOpenOnBackend()) this.#problems.push('the backend still has an upload that has ended')
  }

  /** A Complete that was told to come again, or that its upload is gone, converges. */
  async #repeatCompletes(): Promise<void> {
    for (const [i, { op, code, crashed }] of this.#outcomes.entries()) {
      if (op.kind !== 'complete' || code === '200') continue
      const list = this.#world.lists.get(op.name) ?? []
      const answer = await this.#client.complete(list)
      await this.#client.idle()
      this.#outcomes[i] = { op, ...answer, crashed }
      const final = ['200', 'NoSuchUpload', ...this.#invalidParts(op)]
      if (!final.includes(answer.code))
        this.#problems.push(`${op.name}, repeated when all is over, is answered ${answer.code}`)
      if (code === 'NoSuchUpload' && answer.code === '200') {
        this.#problems.push(`(allowed) ${op.name} is answered NoSuchUpload, and 200 when it is repeated`)
      }
      if (code === 'InvalidPart' && answer.code === '200') this.#problems.push(`${op.name}: InvalidPart, then 200`)
    }
  }

  async #object(): Promise<void> {
    const { code, body, etag } = await this.#client.get()
    const completed = this.#completed
    if (completed.length === 0) {
      if (code !== 'NoSuchKey')
        this.#problems.push(`no Complete succeeded, and a read of the object is answered ${code}`)
      return
    }
    if (code !== '200' || !Buffer.isBuffer(body)) {
      this.#problems.push(`a Complete succeeded, and a read of the object is answered ${code}`)
      return
    }
    for (const { op, etag: promised } of completed) {
      if (op.kind !== 'complete') continue
      const contents = this.#contents(op)
      if (!contents.some((content) => content.equals(body)))
        this.#problems.push(`${op.name} succeeded, and the object is another`)
      if (promised !== etag) this.#problems.push(`${op.name} named an ETag that is not the object's`)
      const expected = md5sEtag(this.#world.lists.get(op.name) ?? [])
      if (this.#mode.facts && etag !== expected) this.#problems.push('the ETag is not that of the parts')
      if (!this.#mode.facts && !OPAQUE.test(etag ?? '')) this.#problems.push('the ETag looks like an MD5')
    }
  }

  /** What the object of a list may hold: each part in the attempt that its ETag names; in any that crashed before its ETag was known if it names none. */
  #contents({ name }: Complete): readonly Buffer[] {
    const list = this.#world.lists.get(name) ?? []
    return list.reduce<readonly Buffer[]>(
      (heads, listed) => heads.flatMap((head) => this.#attempts(listed).map((body) => Buffer.concat([head, body]))),
      [Buffer.alloc(0)],
    )
  }

  #attempts({ partNumber, etag }: Listed): readonly Buffer[] {
    const known: { body: Buffer; etag: string | undefined; crashed: boolean }[] = []
    for (const part of this.#scenario.parts) {
      if (part.partNumber === partNumber)
        known.push({ body: part.body, etag: this.#world.prepared.get(partNumber), crashed: false })
    }
    for (const { op, etag: own, crashed } of this.#outcomes) {
      if (op.kind === 'upload' && op.partNumber === partNumber) known.push({ body: op.body, etag: own, crashed })
    }
    if (this.#mode.facts) return known.filter(({ body }) => md5(body).toString('hex') === etag).map(({ body }) => body)
    const named = known.filter((one) => one.etag === etag)
    return (named.length > 0 ? named : known.filter(({ crashed }) => crashed)).map(({ body }) => body)
  }

  #whoEndedIt(): void {
    if (this.#aborted && this.#completed.length > 0) this.#problems.push('both an Abort and a Complete succeeded')
    const abortCrashed = this.#aborts.some(({ crashed }) => crashed)
    for (const { op, code } of this.#aborts) {
      if (code === 'NoSuchUpload' && !abortCrashed && !this.#ended)
        this.#problems.push(`${op.name}: NoSuchUpload, and nobody ended it`)
    }
    const completes = this.#outcomes.filter(({ op }) => op.kind === 'complete')
    const certain = completes.some(({ op }) => this.#invalidParts(op).length === 0)
    if (certain && !this.#ended && !abortCrashed) this.#problems.push('no Complete and no Abort succeeded')
    for (const { op, code } of completes) {
      const same = this.#completed.some((other) => this.#listOf(other.op) === this.#listOf(op))
      if (code !== '200' && same)
        this.#problems.push(`${op.name} does not succeed, repeated, after the same request did`)
    }
  }

  #listOf(op: Op): string {
    return JSON.stringify(this.#world.lists.get(op.name))
  }

  async #nothingMore(): Promise<void> {
    const before = await this.#world.leftovers()
    const answers = {
      UploadPart: await this.#client.uploadPart(9, Buffer.from('late')),
      ListParts: await this.#client.listParts(),
      AbortMultipartUpload: await this.#client.abort(),
    }
    for (const [operation, { code }] of Object.entries(answers)) {
      if (code !== 'NoSuchUpload') this.#problems.push(`${operation} after the end is answered ${code}`)
    }
    const more = (await this.#world.leftovers()).filter((name) => !before.includes(name))
    if (more.length > 0) this.#problems.push('UploadPart after the end leaves something')
  }

  async #stillOpen(): Promise<void> {
    if (this.#aborts.some(({ crashed }) => crashed)) return
    const { code, parts } = await this.#client.listParts()
    if (code !== '200') this.#problems.push(`nobody ended the upload, and ListParts is answered ${code}`)
    for (const { op, code: answer } of this.#outcomes) {
      if (op.kind !== 'upload') continue
      if (answer !== '200') this.#problems.push(`nobody ended the upload, and ${op.name} was answered ${answer}`)
      const listed = parts.find(({ partNumber }) => partNumber === op.partNumber)
      if (listed === undefined || this.#attempts(listed).length === 0) {
        this.#problems.push(`${op.name} succeeded, and its part is not listed`)
      }
    }
  }
}

/** What no client takes for an MD5. */
const OPAQUE = /^[0-9a-f]{32}(?:-1)+$/
const TEMPORARY = ['ServiceUnavailable', 'SlowDown', 'ConditionalRequestConflict']

function read(answer: string | undefined): Answer {
  if (answer === undefined) return { code: 'none' }
  const { code, etag } = JSON.parse(answer) as { code: string; etag?: string }
  return { code, ...(etag === undefined ? {} : { etag }) }
}

const md5 = (bytes: Buffer): Buffer => createHash('md5').update(bytes).digest()

/** The ETag of an object of parts with these MD5s. */
function md5sEtag(list: readonly Listed[]): string {
  const all = Buffer.concat(list.map(({ etag }) => Buffer.from(etag, 'hex')))
  return `${md5(all).toString('hex')}-${list.length}`
}
