/** `sealgate presign` behind public addresses: whom the URL is for, and that it opens what it names there. */
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ran, type Started, Workplace } from '../helpers/command.ts'

const place = new Workplace({
  SEALGATE_SERVER_PUBLIC_URLS: '["https://s3.example.com","http://inside.test:9000"]',
})
let gateway: Started

beforeAll(async () => {
  gateway = await place.serve()
  writeFileSync(place.path('note'), 'a note')
  await place.run(['put', 'note', 's3://files/a b', '--create-bucket', '--endpoint', gateway.endpoint])
})
afterAll(async () => {
  await gateway.stop()
  place.remove()
})

const presign = (...args: string[]): Promise<Ran> => place.run(['presign', 's3://files/a b', ...args])

/** Sends the URL to the gateway as a load balancer would: another connection, the Host as it was. */
function through(url: string): Promise<string> {
  const { host, pathname, search } = new URL(url)
  return new Promise((resolve, reject) => {
    const sent = request(`${gateway.endpoint}${pathname}${search}`, { headers: { host } }, (res) => {
      let text = ''
      res.on('data', (piece: Buffer) => {
        text += piece.toString()
      })
      res.on('end', () => resolve(text))
    })
    sent.on('error', reject).end()
  })
}

test('B12 the URL is for the first public address, or the one that was chosen, and holds there', async () => {
  const first = (await presign()).stdout.trim()
  expect(first).toMatch(/^https:\/\/s3\.example\.com\/files\/a%20b\?X-Amz-/)
  expect(await through(first)).toBe('a note')
  const chosen = (await presign('--public-url', 'http://inside.test:9000/')).stdout.trim()
  expect(chosen).toMatch(/^http:\/\/inside\.test:9000\/files\//)
  expect(await through(chosen)).toBe('a note')
  expect(await through(first.replace('s3.example.com', 'elsewhere.test'))).toContain('SignatureDoesNotMatch')
})

test('an endpoint given by hand comes first', async () => {
  const { stdout } = await presign('--endpoint', gateway.endpoint)
  expect(stdout.startsWith(gateway.endpoint)).toBe(true)
  expect(await (await fetch(stdout.trim())).text()).toBe('a note')
})

test('an address that is not in the settings is refused, and says which are', async () => {
  const other = await presign('--public-url', 'https://other.test')
  expect(other.code).not.toBe(0)
  expect(other.stderr).toContain('https://s3.example.com, http://inside.test:9000')
  expect((await presign('--public-url', 'https://s3.example.com', '--endpoint', gateway.endpoint)).code).not.toBe(0)
})
