/** Bodies in signed `aws-chunked` coding, made by hand so that each part of them can be wrong. */
import { createHash } from 'node:crypto'
import { ChunkSigner } from '../../src/s3/auth/chunk-signer.ts'
import { scopeOf } from '../../src/s3/auth/scope.ts'
import { signingKey } from '../../src/s3/auth/signing-key.ts'
import { SECRET_KEY, type TestGateway } from './gateway.ts'
import { head, type RawAnswer, RawConnection } from './raw-connection.ts'
import { signedHeaders } from './signed-request.ts'

export interface ChunkedUpload {
  readonly path: string
  readonly chunks: readonly Buffer[]
  /** Sent signed after the last chunk. */
  readonly trailers?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** `x-amz-decoded-content-length`, if it shall not be that of the chunks. */
  readonly decodedLength?: number
  /** Changes one frame on its way: 0 is the first chunk, `chunks.length` the empty one, one more the trailers. */
  readonly change?: (frame: Buffer, index: number) => Buffer
}

const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex')

/** Sends the upload and gives the first answer. */
export async function putChunks(running: TestGateway, upload: ChunkedUpload): Promise<RawAnswer> {
  const { path, chunks, trailers } = upload
  const decoded = upload.decodedLength ?? chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const headers = signedHeaders(running, {
    method: 'PUT',
    path,
    headers: { 'x-amz-decoded-content-length': String(decoded), ...upload.headers },
    payloadHash: `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailers === undefined ? '' : '-TRAILER'}`,
  })
  const wire = frames(headers, upload)
  const connection = await RawConnection.open(running.port)
  connection.write(head('PUT', path, { ...headers, 'content-length': String(wire.length) }))
  connection.write(wire)
  const answer = await connection.answer(10_000)
  connection.close()
  if (answer === undefined) throw new Error('the connection ended without an answer')
  return answer
}

function frames(
  headers: Record<string, string>,
  { chunks, trailers, change = (frame) => frame }: ChunkedUpload,
): Buffer {
  const amzDate = headers['x-amz-date'] ?? ''
  const date = amzDate.slice(0, 8)
  const signer = new ChunkSigner({
    accessKey: '',
    key: signingKey(SECRET_KEY, date, 'us-east-1', 's3'),
    amzDate,
    scope: scopeOf(date, 'us-east-1', 's3'),
    seed: /Signature=([0-9a-f]{64})/.exec(headers['authorization'] ?? '')?.[1] ?? '',
  })
  const made = [...chunks, Buffer.alloc(0)].map((chunk) => {
    const line = `${chunk.length.toString(16)};chunk-signature=${signer.sign(sha256(chunk))}\r\n`
    return chunk.length === 0 ? Buffer.from(line) : Buffer.concat([Buffer.from(line), chunk, Buffer.from('\r\n')])
  })
  made.push(Buffer.from(ending(signer, trailers)))
  return Buffer.concat(made.map(change))
}

function ending(signer: ChunkSigner, trailers: Readonly<Record<string, string>> | undefined): string {
  if (trailers === undefined) return '\r\n'
  const lines = Object.entries(trailers).map(([name, value]) => `${name}:${value}`)
  const signature = signer.signTrailer(sha256(lines.map((line) => `${line}\n`).join('')))
  return `${lines.map((line) => `${line}\r\n`).join('')}x-amz-trailer-signature:${signature}\r\n\r\n`
}
