/** The framing of aws-chunked bodies, whole and in pieces, signed and not. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { ChunkSigner } from '../../../src/s3/auth/chunk-signer.ts'
import { scopeOf } from '../../../src/s3/auth/scope.ts'
import { AwsChunkedDecoder } from '../../../src/s3/aws-chunked.ts'
import { mutated } from '../mutate.ts'
import { orRefuse, parserTarget } from '../target.ts'

const newSigner = (): ChunkSigner =>
  new ChunkSigner({
    accessKey: '',
    key: Buffer.alloc(32),
    amzDate: '20240101T000000Z',
    scope: scopeOf('20240101', 'us-east-1', 's3'),
    seed: '0'.repeat(64),
  })
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

interface Framed {
  readonly wire: Buffer
  readonly signed: boolean
  readonly trailers: readonly string[]
}

/** Bodies as they should be. */
function framed(chunks: readonly string[], signed: boolean, trailers: readonly string[]): Framed {
  const signer = newSigner()
  const frames = [...chunks, ''].map((chunk) => {
    const signature = signed ? `;chunk-signature=${signer.sign(sha256(chunk))}` : ''
    return `${chunk.length.toString(16)}${signature}\r\n${chunk === '' ? '' : `${chunk}\r\n`}`
  })
  const lines = trailers.map((name) => `${name}:AAAAAA==`)
  const signature = signer.signTrailer(sha256(lines.map((line) => `${line}\n`).join('')))
  const end = signed && trailers.length > 0 ? `x-amz-trailer-signature:${signature}\r\n` : ''
  const wire = Buffer.from(`${frames.join('')}${lines.map((line) => `${line}\r\n`).join('')}${end}\r\n`, 'latin1')
  return { wire, signed, trailers }
}

const BODIES = [[], ['hello'], ['x'.repeat(8192), 'rest']]
const TRAILERS = [[], ['x-amz-checksum-crc32']]
const FRAMED = BODIES.flatMap((chunks) =>
  TRAILERS.flatMap((trailers) => [true, false].map((signed) => framed(chunks, signed, trailers))),
)

const input = fc.nat(FRAMED.length - 1).chain((which) =>
  fc.record({
    which: fc.constant(which),
    wire: mutated([FRAMED[which]?.wire ?? Buffer.alloc(0)], 3),
    cuts: fc.array(fc.nat(9000), { maxLength: 5 }),
    length: fc.constantFrom(0, 5, 8196, 8197, Number.MAX_SAFE_INTEGER),
  }),
)

interface Decoded {
  readonly bytes: Buffer
  readonly trailers: Readonly<Record<string, string>>
}

function decode({ signed, trailers }: Framed, decodedLength: number, pieces: readonly Buffer[]): Decoded {
  const decoder = new AwsChunkedDecoder({ trailers, decodedLength, ...(signed ? { signer: newSigner() } : {}) })
  const out: Buffer[] = []
  for (const piece of pieces) {
    out.push(...decoder.push(piece))
    if (out.reduce((sum, one) => sum + one.length, 0) > decodedLength) throw new Error('more than was announced')
  }
  return { trailers: decoder.end().trailers, bytes: Buffer.concat(out) }
}

export const chunkedTarget = parserTarget('aws-chunked', 10, input, ({ which, wire, cuts, length }) => {
  const frame = FRAMED[which]
  if (frame === undefined) return
  const ends = [...cuts, wire.length].sort((a, b) => a - b)
  const pieces = ends.map((end, i) => wire.subarray(ends[i - 1] ?? 0, end))
  const inPieces = orRefuse(() => decode(frame, length, pieces))
  const atOnce = orRefuse(() => decode(frame, length, [wire]))
  if ((inPieces === undefined) !== (atOnce === undefined)) throw new Error('the cuts of the wire decide')
  if (atOnce === undefined || inPieces === undefined) return
  if (!atOnce.bytes.equals(inPieces.bytes)) throw new Error('the cuts of the wire change the bytes')
  if (atOnce.bytes.length !== length) throw new Error('another length than was announced')
  if (
    frame.signed &&
    atOnce.bytes.length > 0 &&
    !BODIES.some((body) => body.join('') === atOnce.bytes.toString('latin1'))
  ) {
    throw new Error('bytes that nobody signed')
  }
})
