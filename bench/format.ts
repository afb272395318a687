/** Sealing and opening against plain AES-256-GCM of the same pieces in the same run, interleaved so that both see the same machine. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { SegmentOpener, SegmentSealer } from '../src/format/segment.ts'

const PIECE_BYTES = 65_536
const PIECES = 512
const ROUNDS = 21
const UNALIGNED_BY = 20_000

interface Measured {
  readonly megabytesPerSecond: number
  readonly ratio: number
}

/** Medians of sealing and opening, with pieces that meet the chunks and pieces that do not. */
export function benchFormat(): Record<string, Measured> {
  const objectKey = randomBytes(32)
  const piece = randomBytes(PIECE_BYTES)
  const first = piece.subarray(0, UNALIGNED_BY)
  const sealed = seal(objectKey, first, piece)
  const aligned = seal(objectKey, piece, piece)
  const runs = {
    plainSeal: () => plainSeal(objectKey, piece),
    sealAligned: () => void seal(objectKey, piece, piece),
    sealUnaligned: () => void seal(objectKey, first, piece),
    plainOpen: plainOpen(objectKey, piece),
    openAligned: () => open(objectKey, aligned, 65_552),
    openUnaligned: () => open(objectKey, sealed, PIECE_BYTES),
  }
  const seconds = interleaved(runs)
  const bytes = PIECE_BYTES * PIECES
  const plain = (name: string): number[] => seconds[/open/i.test(name) ? 'plainOpen' : 'plainSeal'] ?? []
  return Object.fromEntries(
    Object.entries(seconds).map(([name, rounds]) => {
      const ratio = median(rounds.map((own, i) => (plain(name)[i] ?? own) / own))
      const speed = bytes / median(rounds) / 1e6
      return [name, { megabytesPerSecond: Math.round(speed), ratio: Math.round(ratio * 1000) / 1000 }]
    }),
  )
}

interface Sealed {
  readonly sealer: SegmentSealer
  readonly stored: Buffer[]
}

function seal(objectKey: Buffer, first: Buffer, piece: Buffer): Sealed {
  const sealer = new SegmentSealer({ objectKey, type: 1, partNumber: 0, random: randomBytes })
  const stored: Buffer[] = [...sealer.update(first)]
  for (let i = 1; i < PIECES; i++) {
    // The ciphertext goes on to a socket at once: keep only what opening needs.
    const out = sealer.update(piece)
    if (KEEP.on) stored.push(...out)
  }
  stored.push(...sealer.final())
  return { sealer, stored }
}

/** Whether `seal` keeps its output: while the input of opening is made, not while sealing is measured. */
const KEEP = { on: true }

function open(objectKey: Buffer, { sealer, stored }: Sealed, pieceBytes: number): void {
  const { salt, commitment, plaintextBytes } = sealer
  const facts = { suite: 1, type: 1, partNumber: 0, salt, commitment } as const
  const opener = new SegmentOpener({ objectKey, facts, plaintextBytes })
  for (const piece of cutOnce(stored, pieceBytes)) opener.push(piece)
}

const CUT = new WeakMap<Buffer[], Buffer[]>()

/** The stored bytes in pieces as a network would hand them over. */
function cutOnce(stored: Buffer[], pieceBytes: number): Buffer[] {
  const known = CUT.get(stored)
  if (known !== undefined) return known
  const whole = Buffer.concat(stored)
  const pieces: Buffer[] = []
  for (let at = 0; at < whole.length; at += pieceBytes) pieces.push(whole.subarray(at, at + pieceBytes))
  CUT.set(stored, pieces)
  return pieces
}

function plainSeal(key: Buffer, piece: Buffer): void {
  const cipher = createCipheriv('aes-256-gcm', key, randomBytes(12))
  for (let i = 0; i < PIECES; i++) cipher.update(piece)
  cipher.final()
  cipher.getAuthTag()
}

function plainOpen(key: Buffer, piece: Buffer): () => void {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const stored = Array.from({ length: PIECES }, () => cipher.update(piece))
  cipher.final()
  const tag = cipher.getAuthTag()
  return () => {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 })
    decipher.setAuthTag(tag)
    for (const sealed of stored) decipher.update(sealed)
    decipher.final()
  }
}

/** Seconds of each run in each round, after two rounds that warm up. */
function interleaved(runs: Record<string, () => void>): Record<string, number[]> {
  const seconds: Record<string, number[]> = Object.fromEntries(Object.keys(runs).map((name) => [name, []]))
  for (let round = -2; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(runs)) {
      KEEP.on = false
      const start = process.hrtime.bigint()
      run()
      const took = Number(process.hrtime.bigint() - start) / 1e9
      if (round >= 0) seconds[name]?.push(took)
    }
  }
  return seconds
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
