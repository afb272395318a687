import { expect } from 'vitest'
import type { TestGateway } from './gateway.ts'

/** An ETag as it must be: over a store that keeps facts that of S3, over others one that nobody takes for an MD5. */
export function expectEtag({ store }: TestGateway, told: string | undefined, ofS3: string): void {
  if (store.capabilities.facts) expect(told).toBe(ofS3)
  else expect(told).toMatch(/^"[0-9a-f]{32}(-\d+)+"$/)
}
