/** The whole gateway over a memory store, the same for every batch: time stands still and what is random is counted. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepareGateway } from '../../helpers/gateway.ts'
import { exchange } from './connection.ts'
import { type Answer, readAnswer } from './answer.ts'
import { formatWire, parseWire, resigned, type WireRequest } from './request.ts'

const CORPUS = 'test/fuzz/corpus'

export const RECORDED: readonly Buffer[] = readdirSync(CORPUS)
  .filter((name) => name.endsWith('.http'))
  .sort()
  .map((name) => readFileSync(join(CORPUS, name)))

/** When the last of the corpus was signed, `YYYYMMDDTHHMMSSZ`: the signatures of all of them are still good then. */
export const NOW =
  RECORDED.map((wire) => /\r\nx-amz-date: (\d{8}T\d{6}Z)/i.exec(wire.toString('latin1'))?.[1] ?? '')
    .sort()
    .at(-1) ?? ''

const millisecondsOf = (amzDate: string): number =>
  Date.parse(amzDate.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))

/** Distinct for every call, the same for every world. */
function counted(): (bytes: number) => Buffer {
  let calls = 0
  return (bytes) => {
    const pieces: Buffer[] = []
    for (let i = 0; i * 32 < bytes; i += 1) {
      calls += 1
      pieces.push(createHash('sha256').update(`fuzz ${calls}`).digest())
    }
    return Buffer.concat(pieces).subarray(0, bytes)
  }
}

export interface World {
  /** Sends bytes and gives the first answer, or `undefined` if the connection was closed without one. */
  readonly send: (request: Buffer, method: string) => Promise<Answer | undefined>
  /** An upload under way to `fuzz-bucket/multi%20part`. */
  readonly uploadId: string
  readonly close: () => Promise<void>
}

export async function makeWorld(): Promise<World> {
  const { app, gateway } = await prepareGateway({ clock: () => millisecondsOf(NOW), random: counted() })
  await app.ready()
  const { server } = app
  const send: World['send'] = async (request, method) => {
    const whole = (bytes: Buffer): boolean => readAnswer(bytes, method) !== undefined
    return readAnswer(await exchange(server, request, whole), method)
  }
  const signed = (method: string, url: string, body = ''): Promise<Answer | undefined> => {
    const request: WireRequest = { method, url, lines: [`content-length: ${body.length}`], body: Buffer.from(body) }
    return send(formatWire(resigned(request, NOW)), method)
  }
  await signed('PUT', '/fuzz-bucket')
  for (const key of ['plain', 'a/b', 'a/c', '%C3%BCml%C3%A4ut%20%2B%25', 'python', 'cli%20file']) {
    await signed('PUT', `/fuzz-bucket/${key}`, 'hello')
  }
  const made = await signed('POST', '/fuzz-bucket/multi%20part?uploads=')
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(made?.body.toString() ?? '')?.[1]
  if (uploadId === undefined) throw new Error(`the world was not made: ${made?.body.toString()}`)
  await signed('PUT', `/fuzz-bucket/multi%20part?uploadId=${uploadId}&partNumber=1`, 'part')
  const close = async (): Promise<void> => {
    await app.close()
    await gateway.background.idle()
  }
  return { send, uploadId, close }
}

/** The recorded requests, those to an upload as to the one of this world. */
export const requestsOf = (world: World): readonly WireRequest[] =>
  RECORDED.map((wire) => parseWire(wire)).map((request) => ({
    ...request,
    url: request.url.replace(/uploadId=[^&]+/, `uploadId=${world.uploadId}`),
  }))
