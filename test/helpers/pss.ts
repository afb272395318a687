/** RSASSA-PSS by SHA-256 of a digest that is there already, as services are asked for it: Node only signs whole texts. */
import { constants, createHash, type KeyObject, privateEncrypt, randomBytes } from 'node:crypto'

const HASH_BYTES = 32

const sha256 = (...pieces: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest()
}

function mask(seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = []
  for (let count = 0; blocks.length * HASH_BYTES < length; count++) {
    const number = Buffer.alloc(4)
    number.writeUInt32BE(count)
    blocks.push(sha256(seed, number))
  }
  return Buffer.concat(blocks).subarray(0, length)
}

/** EMSA-PSS-ENCODE of RFC 8017 with a salt as long as the hash, for a modulus of whole bytes. */
export function signDigest(key: KeyObject, digest: Uint8Array): Buffer {
  const bytes = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8
  const salt = randomBytes(HASH_BYTES)
  const hash = sha256(Buffer.alloc(8), digest, salt)
  const data = Buffer.alloc(bytes - HASH_BYTES - 1)
  data[data.length - HASH_BYTES - 1] = 1
  salt.copy(data, data.length - HASH_BYTES)
  for (const [at, byte] of mask(hash, data.length).entries()) data[at] = (data[at] ?? 0) ^ byte
  data[0] = (data[0] ?? 0) & 0x7f
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, Buffer.concat([data, hash, Buffer.of(0xbc)]))
}
