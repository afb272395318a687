/** What the admin API does, and the document that says so. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openApiDocument } from '../../src/admin/openapi.ts'
import { ADMIN_ERRORS } from '../../src/admin/refusal.ts'
import { ADMIN_ROUTES } from '../../src/admin/routes.ts'
import { Unavailable } from '../../src/errors.ts'
import { AdminListener, type AdminReply, AUTHORIZED } from '../helpers/admin-listener.ts'

const HOUR = 3_600_000

let admin: AdminListener
beforeEach(async () => {
  admin = await AdminListener.start()
})
afterEach(() => admin.close())

/** What the operation answers, which must be as its schema says. */
async function ask(operation: string, { path, body }: { path?: string; body?: unknown } = {}): Promise<AdminReply> {
  const route = ADMIN_ROUTES.find((one) => one.operation === operation)!
  const reply = await admin.ask(route.method, path ?? route.path, body === undefined ? {} : { body })
  if (reply.status < 300) {
    expect(reply.status).toBe(route.status)
    expect(route.answer.safeParse(reply.json).error).toBeUndefined()
  } else {
    expect(Object.keys(reply.json)).toEqual(['error'])
    expect(ADMIN_ERRORS).toHaveProperty(reply.json.error.code)
  }
  return reply
}

describe('keys', () => {
  test('are counted for each key manager, with its health', async () => {
    await admin.makeKeys(3)
    await admin.managers.get('next')?.close()
    const { json } = await ask('listKeys')
    expect(json).toEqual({
      managers: [
        {
          alias: 'main',
          type: 'memory',
          configured: true,
          active: true,
          health: 'ok',
          keys: { active: 3, retired: 0, oldest: '2026-01-01T00:00:00.000Z' },
        },
        {
          alias: 'next',
          type: 'memory',
          configured: true,
          active: false,
          health: 'failing',
          keys: { active: 0, retired: 0 },
        },
      ],
      unreadable: 0,
    })
  })

  test('are wrapped anew behind the answer, which another request follows', async () => {
    await admin.makeKeys(20)
    expect((await ask('getRewrap')).json).toEqual({ state: 'none' })
    const begun = await ask('rewrapKeyring', { body: { from: 'main', to: 'next' } })
    expect(begun.json).toMatchObject({ state: 'running', from: 'main', to: 'next', startedBy: 'token tests' })
    await expect.poll(async () => (await ask('getRewrap')).json.state).toBe('done')
    expect((await ask('getRewrap')).json).toMatchObject({ rewrapped: 20, failed: 0, changed: 0, unreadable: 0 })
    const counts = (await ask('listKeys')).json.managers.map(({ keys }: { keys: { active: number } }) => keys.active)
    expect(counts).toEqual([0, 20])
    const target = 'keys of main, by next'
    expect(admin.events).toMatchObject([
      { who: 'token tests', peer: '127.0.0.1', what: 'rewrapKeyring', target, result: 'begun' },
      { who: 'token tests', what: 'rewrapKeyring', target, result: 'done', detail: { state: 'done', rewrapped: 20 } },
    ])
  })

  test('that cannot be wrapped stay, and the run says how many', async () => {
    await admin.makeKeys(3)
    await admin.managers.get('next')?.close()
    await ask('rewrapKeyring', { body: { to: 'next' } })
    await expect.poll(async () => (await ask('getRewrap')).json.state).toBe('done')
    expect((await ask('getRewrap')).json).toMatchObject({ rewrapped: 0, failed: 3 })
    expect(admin.events.at(-1)).toMatchObject({ what: 'rewrapKeyring', result: 'failed' })
  })

  test('are wrapped by one run at a time, which can be aborted', async () => {
    await admin.makeKeys(40)
    const main = admin.managers.get('main')!
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const entries = admin.keyring.entries.bind(admin.keyring)
    admin.keyring.entries = (signal) => {
      signal?.addEventListener('abort', open)
      return entries(signal)
    }
    const rewrap = main.rewrap.bind(main)
    main.rewrap = async (...args) => {
      await gate
      return rewrap(...args)
    }
    expect((await ask('abortRewrap')).status).toBe(409)
    expect((await ask('rewrapKeyring')).status).toBe(202)
    expect((await ask('rewrapKeyring')).json.error.code).toBe('Conflict')
    const aborted = ask('abortRewrap')
    const { state, rewrapped } = (await aborted).json
    expect(state).toBe('aborted')
    expect(rewrapped).toBeLessThan(40)
    expect((await ask('rewrapKeyring', { body: { dryRun: true } })).status).toBe(202)
  })

  test('of a manager that is not there are not looked for', async () => {
    const { status, json } = await ask('rewrapKeyring', { body: { to: 'nobody' } })
    expect([status, json.error.code]).toEqual([400, 'BadRequest'])
    expect(admin.events).toMatchObject([{ what: 'rewrapKeyring', result: 'refused', code: 'BadRequest' }])
  })
})

describe('rotations', () => {
  const steps = async (): Promise<void> => {
    await admin.rotating.participant.beat()
    while ((await admin.rotating.rotations.step()) === 'advanced') await admin.rotating.participant.beat()
  }

  test('begin, are followed to their end, and are told afterwards', async () => {
    await admin.makeKeys(5)
    await admin.rotating.participant.join()
    expect((await ask('getRotation')).json.error.code).toBe('NotFound')
    expect((await ask('listRotations')).json).toEqual({ sealsBy: 'main', retired: [], rotations: [] })
    const begun = await ask('startRotation', { body: { to: 'next' } })
    expect(begun.json).toMatchObject({ phase: 'draining', from: 'main', to: 'next', by: 'admin API, token tests' })
    expect((await ask('startRotation', { body: { to: 'next' } })).json.error.code).toBe('Conflict')
    await steps()
    expect((await ask('getRotation')).json).toMatchObject({ phase: 'dual-read', rewrapped: 5, failed: 0 })
    const { json } = await ask('listRotations')
    expect(json).toMatchObject({ sealsBy: 'next', rotations: [{ id: begun.json.id }] })
    const active = (await ask('listKeys')).json.managers.filter(({ active }: { active: boolean }) => active)
    expect(active).toMatchObject([{ alias: 'next', keys: { active: 5 } }])
    const [first, second] = admin.events
    expect(first).toMatchObject({ who: 'token tests', what: 'startRotation', target: 'from the active one, to next' })
    expect([first?.result, second?.result, second?.code]).toEqual(['begun', 'refused', 'Conflict'])
    await admin.rotating.participant.leave()
  })

  test('are aborted and resumed', async () => {
    await admin.makeKeys(2)
    await admin.rotating.participant.join()
    expect((await ask('abortRotation')).json.error.code).toBe('Conflict')
    expect((await ask('resumeRotation')).json.error.code).toBe('Conflict')
    await ask('startRotation', { body: { to: 'next' } })
    expect((await ask('abortRotation')).json).toMatchObject({ phase: 'aborted' })
    expect((await ask('listRotations')).json.sealsBy).toBe('main')
    expect((await ask('resumeRotation', { body: { force: true } })).json).toMatchObject({ phase: 'draining' })
    expect(admin.events.map(({ what, target, result }) => [what, target, result])).toEqual([
      ['abortRotation', 'the current one', 'refused'],
      ['resumeRotation', 'the current one', 'refused'],
      ['startRotation', 'from the active one, to next', 'begun'],
      ['abortRotation', 'the current one', 'done'],
      ['resumeRotation', 'the current one, forced', 'begun'],
    ])
    await admin.rotating.participant.leave()
  })

  test('leave a manager that can be retired once nothing needs it', async () => {
    await admin.makeKeys(2)
    await admin.makeUploads(1)
    await admin.rotating.participant.join()
    const path = '/v1/keys/main/retire'
    const refused = await ask('retireManager', { path })
    expect([refused.status, refused.json.error.message]).toEqual([
      409,
      'It is still needed by 3 bucket keys, 1 uploads in progress, 3 keys in use.',
    ])
    await ask('startRotation', { body: { to: 'next' } })
    await steps()
    expect((await ask('retireManager', { path })).json.error.message).toContain('is under way (dual-read)')
    await ask('resumeRotation', { body: { force: true } })
    await steps()
    expect((await ask('retireManager', { path })).json).toEqual({ alias: 'main', retired: true })
    expect((await ask('listRotations')).json.retired).toEqual(['main'])
    expect((await ask('retireManager', { path, body: { undo: true } })).json).toEqual({ alias: 'main', retired: false })
    expect((await ask('retireManager', { path: '/v1/keys/nobody/retire' })).status).toBe(404)
    const told = admin.events.filter(({ what }) => what === 'retireManager')
    expect(told.map(({ target, result }) => [target, result])).toEqual([
      ['main', 'refused'],
      ['main', 'refused'],
      ['main', 'done'],
      ['main, taken back', 'done'],
      ['nobody', 'refused'],
    ])
    await admin.rotating.participant.leave()
  })

  test('to a manager that is not there do not begin, and the answer says so', async () => {
    const { status, json } = await ask('startRotation', { body: { to: 'nobody' } })
    expect([status, json.error.message]).toEqual([409, 'there is no key manager "nobody" in the settings'])
  })
})

describe('uploads', () => {
  test('are listed page by page', async () => {
    await admin.makeUploads(5)
    const all = (await ask('listUploads')).json
    expect(all.uploads).toHaveLength(5)
    expect(all).not.toHaveProperty('next')
    expect(all.uploads[0]).toMatchObject({ state: 'open', bucket: 'bucket', attempts: 0 })
    const ids: string[] = []
    for (let path: string | undefined = '/v1/uploads?limit=2'; path !== undefined; ) {
      const { json }: AdminReply = await ask('listUploads', { path })
      expect(json.uploads.length).toBeLessThanOrEqual(2)
      ids.push(...json.uploads.map(({ id }: { id: string }) => id))
      path = json.next === undefined ? undefined : `/v1/uploads?limit=2&after=${json.next}`
    }
    expect(ids).toEqual(all.uploads.map(({ id }: { id: string }) => id))
    admin.now += 8 * 24 * HOUR
    expect((await ask('listUploads', { path: '/v1/uploads?limit=1' })).json.uploads[0].state).toBe('abandoned')
  })

  test('that are abandoned are collected, a bounded number in one call', async () => {
    await admin.makeUploads(103)
    admin.now += 2 * HOUR
    expect((await ask('cleanUploads')).json).toMatchObject({ examined: 103, abandoned: 0, more: false })
    const body = { olderThanSeconds: 3_600 }
    expect((await ask('cleanUploads', { body: { ...body, dryRun: true } })).json).toMatchObject({ abandoned: 103 })
    expect((await ask('cleanUploads', { body })).json).toMatchObject({ abandoned: 100, more: true })
    expect((await ask('cleanUploads', { body })).json).toMatchObject({ abandoned: 3, more: false })
    expect((await admin.backend.listUploads('bucket', { prefix: '', limit: 10 })).uploads).toEqual([])
    expect(admin.events.at(-1)).toMatchObject({
      what: 'cleanUploads',
      target: 'uploads older than 3600 s',
      result: 'done',
    })
  })

  test('are deleted one by one, if nothing has changed in them for an hour', async () => {
    await admin.makeUploads(2)
    const [{ id }] = (await ask('listUploads')).json.uploads
    const path = `/v1/uploads/${id}`
    expect((await ask('deleteUpload', { path })).status).toBe(409)
    admin.now += 2 * HOUR
    expect((await ask('deleteUpload', { path })).json).toEqual({ id, kind: 'abandoned', outcome: 'deleted' })
    expect((await ask('deleteUpload', { path })).json.error.code).toBe('NotFound')
    expect((await ask('listUploads')).json.uploads).toHaveLength(1)
    expect((await admin.backend.listUploads('bucket', { prefix: '', limit: 10 })).uploads).toHaveLength(1)
    expect(admin.events.map(({ target, result }) => [target, result])).toEqual([
      [id, 'refused'],
      [id, 'done'],
      [id, 'refused'],
    ])
  })

  test('that cannot be deleted now stay, and only the log says why', async () => {
    await admin.makeUploads(1)
    admin.now += 2 * HOUR
    const [{ id }] = (await ask('listUploads')).json.uploads
    admin.backend.abortUpload = async () => {
      throw new Unavailable('store.example.internal does not answer')
    }
    const { status, headers, text } = await ask('deleteUpload', { path: `/v1/uploads/${id}` })
    expect([status, headers['retry-after']]).toEqual([503, '5'])
    expect(text).not.toContain('store.example')
    expect(admin.events).toMatchObject([{ what: 'deleteUpload', target: id, result: 'failed', code: 'Unavailable' }])
  })
})

describe('what is sent', () => {
  test.each<[string, string, unknown]>([
    ['POST', '/v1/keys/rewrap', { form: 'main' }],
    ['POST', '/v1/keys/rewrap', { dryRun: 'yes' }],
    ['POST', '/v1/keys/rewrap', { to: '../../main' }],
    ['POST', '/v1/keys/rewrap', []],
    ['POST', '/v1/keys/rewrap', '{"to":'],
    ['POST', '/v1/keys/rewrap', '{"__proto__":{"dryRun":true}}'],
    ['POST', '/v1/keys/rewrap?dryRun=true', {}],
    ['POST', '/v1/keys/rewrap/abort', { x: 1 }],
    ['POST', '/v1/uploads/clean', { olderThanSeconds: 60 }],
    ['GET', '/v1/uploads?limit=0', undefined],
    ['GET', '/v1/uploads?limit=1001', undefined],
    ['GET', '/v1/uploads?limit=1&limit=2', undefined],
    ['GET', '/v1/uploads?after=../keyring', undefined],
    ['GET', '/v1/uploads?prefix=x', undefined],
    ['DELETE', '/v1/uploads/nothing', undefined],
  ])('%s %s %j is a bad request', async (method, path, body) => {
    const { status, json } = await admin.ask(method, path, body === undefined ? {} : { body })
    expect([status, json.error.code]).toEqual([400, 'BadRequest'])
  })

  test('is JSON, of a bounded length', async () => {
    const form = { ...AUTHORIZED, 'content-type': 'application/x-www-form-urlencoded' }
    expect((await admin.ask('POST', '/v1/keys/rewrap', { body: 'to=next', headers: form })).status).toBe(415)
    expect((await admin.ask('POST', '/v1/keys/rewrap', { body: { to: 'x'.repeat(70_000) } })).status).toBe(413)
    expect((await admin.ask('POST', '/v1/keys/main/retire', { body: '{"undo":' })).status).toBe(400)
    const who = 'token tests'
    expect(admin.events).toMatchObject([
      { who, what: 'rewrapKeyring', result: 'refused', code: 'UnsupportedMediaType' },
      { who, what: 'rewrapKeyring', result: 'refused', code: 'TooLarge' },
      { who, what: 'retireManager', target: '{"alias":"main"}', result: 'refused', code: 'BadRequest' },
    ])
  })

  test('to an address that is none is told so', async () => {
    for (const path of ['/v1', '/v1/nothing', '/v1/keys/', '/v1/uploads/a/b']) {
      expect((await admin.ask('GET', path)).json.error.code, path).toBe('NotFound')
    }
    expect((await admin.ask('PUT', '/v1/keys')).status).toBe(404)
    expect((await admin.ask('HEAD', '/v1/keys')).status).toBe(404)
  })
})

describe('the OpenAPI document', () => {
  const { paths, components } = openApiDocument()
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation: operation as Operation })),
  )

  test('is served', async () => {
    expect((await admin.ask('GET', '/v1/openapi.json')).json).toEqual(JSON.parse(JSON.stringify(openApiDocument())))
  })

  test('names the routes of the listener, all of them and no others', () => {
    const registered = admin.routes.filter((route) => route.includes(' /v1'))
    const documented = operations.map(
      ({ path, method }) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    )
    expect(registered.sort()).toEqual(documented.sort())
  })

  test('describes each operation wholly', () => {
    const names = operations.map(({ operation }) => operation.operationId)
    expect(new Set(names).size).toBe(names.length)
    for (const { path, operation } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const described = (operation.parameters ?? []).filter((one) => one.in === 'path')
      expect(described.map(({ name }) => name)).toEqual(inPath)
      expect(described.every(({ required }) => required)).toBe(true)
      for (const status of ['400', '401', '403', '429', '500', '503'])
        expect(operation.responses).toHaveProperty(status)
      expect(operation.summary).not.toBe('')
    }
  })

  test('points only to what is there', () => {
    const text = JSON.stringify({ paths, components })
    const pointers = [...text.matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)]
    expect(pointers.length).toBeGreaterThan(20)
    for (const [, group = '', name = ''] of pointers) {
      expect(Reflect.get(components, group)).toHaveProperty(name)
    }
  })
})

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[]
  readonly responses: Readonly<Record<string, unknown>>
}
