import { Script } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAdminServer } from '../../src/http/admin-server.ts'
import { AdminListener, AUTHORIZED } from '../helpers/admin-listener.ts'

let listener: AdminListener
beforeAll(async () => {
  listener = await AdminListener.start()
})
afterAll(() => listener.close())

describe('the status page', () => {
  test.each([
    ['/', 'text/html; charset=utf-8'],
    ['/status.css', 'text/css; charset=utf-8'],
    ['/status.js', 'text/javascript; charset=utf-8'],
  ])('%s is sent with a policy that lets nothing in from elsewhere', async (path, type) => {
    const { status, headers } = await listener.ask('GET', path)
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
  })

  test('keeps to it: nothing inline, and no markup from what is told', async () => {
    const { text: page } = await listener.ask('GET', '/')
    expect(page).not.toMatch(/<style|<script(?![^>]*src=)|\sstyle=|\son\w+=|https?:/)
    const { text: script } = await listener.ask('GET', '/status.js')
    expect(() => new Script(script)).not.toThrow()
    expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Storage/)
    const ids = [...script.matchAll(/at\('([\w-]+)'\)/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBeGreaterThan(6)
    for (const id of ids) expect(page).toContain(`id="${id}"`)
  })

  test('may read with a token, and nothing else may that a page asks for', async () => {
    const page = { 'sec-fetch-site': 'same-origin' }
    const ask = async (method: string, headers: Record<string, string>) =>
      (await listener.ask(method, '/v1/rotations', { headers })).status
    expect(await ask('GET', { ...page, ...AUTHORIZED })).toBe(200)
    expect(await ask('GET', { ...page, authorization: 'Bearer another' })).toBe(401)
    expect(await ask('GET', page)).toBe(403)
    expect(await ask('POST', { ...page, ...AUTHORIZED })).toBe(403)
    expect(await ask('GET', { ...page, ...AUTHORIZED, origin: 'http://127.0.0.1' })).toBe(403)
    expect(await ask('GET', { 'sec-fetch-site': 'same-site', ...AUTHORIZED })).toBe(403)
  })

  test('is there with the admin API alone', async () => {
    const app = createAdminServer({
      dependencies: [],
      waiting: async () => [],
      draining: () => false,
      report: () => undefined,
      scrape: async () => ({ contentType: 'text/plain', text: '' }),
    })
    const { statusCode } = await app.inject({ method: 'GET', url: '/' })
    expect(statusCode).toBe(404)
    await app.close()
  })
})
