/** Checksum algorithms as the format numbers them, and the bytes of each value (docs/format.md, "Tail record"). */
export const CHECKSUM_BYTES: ReadonlyMap<number, number> = new Map([
  [1, 4], // CRC32
  [2, 4], // CRC32C
  [3, 20], // SHA1
  [4, 32], // SHA256
  [5, 8], // CRC64NVME
  [6, 16], // MD5
  [7, 64], // SHA512
  [8, 8], // XXHASH64
  [9, 8], // XXHASH3
  [10, 16], // XXHASH128
])
