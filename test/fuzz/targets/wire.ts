/** Whole requests through the whole listener: recorded ones with changes, as they were signed or signed again. */
import fc, { type Arbitrary } from 'fast-check'
import { mutated } from '../mutate.ts'
import { type Batch, type Target, turnsProperty } from '../target.ts'
import { requireAnswer } from '../wire/answer.ts'
import { formatWire, resigned, type WireRequest, withLength } from '../wire/request.ts'
import { makeWorld, NOW, RECORDED, requestsOf, type World } from '../wire/world.ts'

/** Cases on one world: what they change in it must not pile up, and a failure must be found again. */
const BATCH = 500

/** Any bytes of the wire changed: mostly what is refused at the door. */
export const bytesTarget: Target = {
  name: 'changed bytes',
  share: 2,
  batch: BATCH,
  prepare: () => wireBatch(() => mutated(RECORDED, 3)),
}

/** One part of a request changed and the whole signed again: what a client with a key can do. */
export const signedTarget: Target = {
  name: 'signed requests',
  share: 5,
  batch: BATCH,
  prepare: () => wireBatch((world) => signedInput(requestsOf(world))),
}

function signedInput(requests: readonly WireRequest[]): Arbitrary<Buffer> {
  return fc.nat(requests.length - 1).chain((which) => {
    const request = requests[which] ?? { method: 'GET', url: '/', lines: [], body: Buffer.alloc(0) }
    return fc
      .record({
        method: fc.oneof(
          { weight: 6, arbitrary: fc.constant(request.method) },
          { weight: 1, arbitrary: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS') },
        ),
        url: fc.oneof(
          { weight: 2, arbitrary: fc.constant(request.url) },
          { weight: 3, arbitrary: mutatedUrl(request.url) },
        ),
        lines: fc.oneof(
          { weight: 3, arbitrary: fc.constant(request.lines) },
          { weight: 2, arbitrary: mutatedLines(request.lines) },
        ),
        // What follows a request without a body is another request, and a bad one ends the connection.
        body: request.body.length === 0 ? fc.constant(request.body) : mutated([request.body], 2),
        honest: fc.boolean(),
      })
      .map(({ honest, ...drawn }) => {
        const changed = honest ? withLength(drawn) : drawn
        // A form carries its own signature, over its policy.
        return formatWire(isForm(request) ? changed : resigned(changed, NOW))
      })
  })
}

const isForm = ({ lines }: WireRequest): boolean =>
  lines.some((line) => /^content-type: *multipart\/form-data/i.test(line))

const mutatedUrl = (url: string): Arbitrary<string> =>
  mutated([Buffer.from(url, 'latin1')], 1).map((bytes) => bytes.toString('latin1').replaceAll(/[\s\0]/g, ''))

/** Headers with bytes changed, but each still one line. */
const mutatedLines = (lines: readonly string[]): Arbitrary<string[]> =>
  mutated([Buffer.from(lines.join('\n'), 'latin1')], 2).map((bytes) =>
    bytes
      .toString('latin1')
      .split(/[\r\n]+/)
      .filter((line) => /^[\w-]+:/.test(line)),
  )

async function wireBatch(input: (world: World) => Arbitrary<Buffer>): Promise<Batch> {
  const world = await makeWorld()
  const run = async (request: Buffer): Promise<void> => {
    // Empty lines before a request are none of it (RFC 9112, 2.2).
    const method = request.toString('latin1', 0, Math.max(0, request.indexOf(' '))).trimStart()
    const answer = await world.send(request, method)
    if (answer !== undefined) requireAnswer(answer, method)
  }
  return { property: turnsProperty(input(world), run), close: world.close }
}
