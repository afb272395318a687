/**
 * The CRC of a concatenation from the CRCs of its pieces (B39, FULL_OBJECT checksums of multipart uploads).
 *
 * A reflected CRC register is a vector over GF(2), and a zero bit appended to the message is a linear map of it. Appending
 * `n` bytes is that map to the power 8n, found by squaring; the CRC of A ‖ B is then CRC(A) mapped over |B| bytes,
 * XOR CRC(B). Initial and final complements cancel, so this holds for CRC-32, CRC-32C and CRC-64/NVME alike.
 */

/** A reflected polynomial and its width in bits. */
export interface CrcShape {
  readonly bits: 32 | 64
  readonly polynomial: bigint
}

export const CRC32_SHAPE: CrcShape = { bits: 32, polynomial: 0xedb88320n }
export const CRC32C_SHAPE: CrcShape = { bits: 32, polynomial: 0x82f63b78n }
export const CRC64NVME_SHAPE: CrcShape = { bits: 64, polynomial: 0x9a6c9329ac4bc9b5n }

/** Column i is the image of the register with only bit i set. */
type Matrix = readonly bigint[]

/** CRC of A ‖ B, from CRC(A), CRC(B) (big-endian, as S3 encodes them) and the bytes of B. */
export const combineCrc = (shape: CrcShape, crcOfA: Buffer, crcOfB: Buffer, bytesOfB: number): Buffer => {
  let register = fromBytes(crcOfA)
  let bytes = bytesOfB
  for (let power = 0; bytes > 0; power++) {
    if (bytes % 2 === 1) register = apply(zeroBytes(shape, power), register)
    bytes = Math.floor(bytes / 2)
  }
  return toBytes(shape, register ^ fromBytes(crcOfB))
}

const fromBytes = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)

const toBytes = (shape: CrcShape, register: bigint): Buffer =>
  Buffer.from(register.toString(16).padStart(shape.bits / 4, '0'), 'hex')

const apply = (matrix: Matrix, vector: bigint): bigint => {
  let result = 0n
  let rest = vector
  for (const column of matrix) {
    if (rest === 0n) break
    if (rest & 1n) result ^= column
    rest >>= 1n
  }
  return result
}

/** For each shape the maps that append 1, 2, 4, 8 … zero bytes: at most 53 matrices, made once when first needed. */
const powers = new Map<CrcShape, Matrix[]>()

const zeroBytes = (shape: CrcShape, power: number): Matrix => {
  let known = powers.get(shape)
  if (known === undefined) {
    let oneByte = zeroBit(shape)
    for (let doubling = 0; doubling < 3; doubling++) oneByte = square(oneByte)
    known = [oneByte]
    powers.set(shape, known)
  }
  let matrix = known.at(-1) ?? []
  while (known.length <= power) {
    matrix = square(matrix)
    known.push(matrix)
  }
  return known[power] ?? []
}

const zeroBit = ({ bits, polynomial }: CrcShape): Matrix => [
  polynomial,
  ...Array.from({ length: bits - 1 }, (_, bit) => 1n << BigInt(bit)),
]

const square = (matrix: Matrix): Matrix => matrix.map((column) => apply(matrix, column))
