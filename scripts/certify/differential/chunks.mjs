/** Bodies in aws-chunked coding, right or wrong as a step says. */
import { sha256 } from './sign.mjs'

const EMPTY = sha256('')

/** `chunked` says which pieces, whether they are signed, what trails, and what is wrong about it. */
export function frame(body, chunked, { date, by, signature: seed }) {
  const size = chunked.size ?? 65_536
  const pieces = []
  for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size))
  pieces.push(Buffer.alloc(0))
  let previous = seed
  const sign = (algorithm, text) => by.sign([algorithm, date, by.scope, previous, text].join('\n'))
  const frames = pieces.map((piece, i) => {
    if (chunked.signed) previous = sign('AWS4-HMAC-SHA256-PAYLOAD', `${EMPTY}\n${sha256(piece)}`)
    const shown = chunked.wrongChunk === i ? '0'.repeat(64) : previous
    const line = `${piece.length.toString(16)}${chunked.signed ? `;chunk-signature=${shown}` : ''}\r\n`
    return Buffer.concat([Buffer.from(line), piece, Buffer.from(piece.length > 0 ? '\r\n' : '')])
  })
  return Buffer.concat([
    ...(chunked.cut ? frames.slice(0, -1) : frames),
    Buffer.from(chunked.cut ? '' : ending(chunked, sign)),
  ])
}

function ending({ signed, trailer }, sign) {
  if (trailer === undefined) return '\r\n'
  const lines = Object.entries(trailer).map(([name, value]) => `${name}:${value}`)
  const signature = sign('AWS4-HMAC-SHA256-TRAILER', sha256(lines.map((line) => `${line}\n`).join('')))
  return [...lines, ...(signed ? [`x-amz-trailer-signature:${signature}`] : []), '', ''].join('\r\n')
}

export const payloadName = ({ signed, trailer }) =>
  signed
    ? `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailer === undefined ? '' : '-TRAILER'}`
    : 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
