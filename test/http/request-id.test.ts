import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { requestIds } from '../../src/http/request-id.ts'

test('ids look like those of S3 and never come twice, also when the drawn ones are used up', () => {
  const next = requestIds(randomBytes)
  const ids = Array.from({ length: 2_000 }, next)
  for (const id of ids) expect(id).toMatch(/^[0-9A-F]{16}$/)
  expect(new Set(ids).size).toBe(2_000)
})
