/** The PKCS#11 key manager in its threads, against a stand-in for package, library and token; SoftHSM is tried in certification. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CKF_DECRYPT, CKF_ENCRYPT, CKM_AES_GCM, CKM_AES_KEY_WRAP, CKR } from '../../src/keys/pkcs11/cryptoki.ts'
import type { KeyChoice, TokenChoice } from '../../src/keys/pkcs11/messages.ts'
import { Pkcs11KeyManager } from '../../src/keys/pkcs11.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { type Pkcs11Files, pkcs11Files } from '../helpers/pkcs11-files.ts'
import { SoftToken } from '../helpers/soft-token.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const PIN = '2468-pin'

let files: Pkcs11Files
let token: SoftToken
let count = 0
const open: Pkcs11KeyManager[] = []

beforeAll(async () => {
  files = await pkcs11Files()
})
afterAll(() => files.remove())
beforeEach(() => {
  count += 1
  token = new SoftToken(join(files.folder, `token-${count}`), ['main', 'other', 'former'])
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((manager) => manager.close()))
})

interface Options {
  readonly keys?: readonly [Partial<KeyChoice>, ...Partial<KeyChoice>[]]
  readonly token?: TokenChoice
  readonly pin?: string
  readonly sessions?: number
  readonly timeout?: number
}

function start(
  { keys = [{ label: 'main' }], pin = PIN, sessions = 2, timeout = 5_000, token: choice }: Options = {},
  alias = 'main',
): Pkcs11KeyManager {
  const [first, ...others] = keys.map((key) => ({ mechanism: 'aes-gcm', ...key }) as const)
  const settings = {
    package: files.package,
    module: token.path,
    token: choice ?? { label: 'vault' },
    keys: [first ?? { mechanism: 'aes-gcm' }, ...others] as [KeyChoice, ...KeyChoice[]],
  }
  const manager = new Pkcs11KeyManager({
    alias,
    worker: files.worker,
    settings,
    pin,
    sessions,
    timeout,
    random: randomBytes,
  })
  open.push(manager)
  return manager
}

for (const mechanism of ['aes-gcm', 'aes-key-wrap'] as const) {
  keyManagerContract(`PKCS#11, ${mechanism}`, {
    tag: 'p',
    create: async (alias) => start({ keys: [{ label: 'main', mechanism }] }, alias),
    stranger: async (alias) => start({ keys: [{ label: 'other', mechanism }] }, alias),
    bindsContext: mechanism === 'aes-gcm',
    wrapsAtRandom: mechanism === 'aes-gcm',
  })
}

const refusal = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => new Error('it was not refused'),
    (error: Error) => error,
  )

describe('keys of a token', () => {
  it('are found by id as well as by label', async () => {
    const { key, wrapped } = await start({ keys: [{ label: 'main' }] }).generate(CONTEXT)
    expect((await start({ keys: [{ id: '00' }] }).unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    await expect(start({ keys: [{ label: 'main', id: '01' }] }).health()).rejects.toThrow('no AES key that fits')
  })

  it('former ones open and are rewrapped by the active one', async () => {
    const { key, wrapped } = await start({ keys: [{ label: 'former' }] }).generate(CONTEXT)
    const manager = start({ keys: [{ label: 'main' }, { label: 'other' }, { label: 'former' }] })
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const again = await manager.rewrap(wrapped, CONTEXT)
    expect((await start().unwrap(again, CONTEXT)).equals(key)).toBe(true)
    await expect(start().unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
  })

  it('what is bound to no context is opened only by a key that says so', async () => {
    const { key, wrapped } = await start({ keys: [{ label: 'main', mechanism: 'aes-key-wrap' }] }).generate(CONTEXT)
    await expect(start().unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    const moved = start({ keys: [{ label: 'main' }, { label: 'main', mechanism: 'aes-key-wrap' }] })
    const again = await moved.rewrap(wrapped, CONTEXT)
    expect((await start().unwrap(again, CONTEXT)).equals(key)).toBe(true)
  })

  it('a former one that the token lacks is a refusal where it may be the one, and nowhere else', async () => {
    const manager = start({ keys: [{ label: 'main' }, { label: 'lost' }] })
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const { wrapped: strange } = await start({ keys: [{ label: 'other' }] }).generate(CONTEXT)
    await expect(manager.unwrap(strange, CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
    await expect(manager.health()).rejects.toThrow('formerKeys')
  })

  it('two of one name are refused, and one of 128 bits', async () => {
    token.change(({ keys }) => {
      keys.push({ ...keys[0]!, id: '77' }, { label: 'short', id: '78', value: '00'.repeat(16) })
    })
    await expect(start().health()).rejects.toThrow('name `id` and `label`')
    await expect(start({ keys: [{ label: 'short' }] }).health()).rejects.toThrow('256 bits')
  })

  it('are wrapped as plain data where the token can, and as objects that pass by where it cannot', async () => {
    const keys: Options['keys'] = [{ label: 'main', mechanism: 'aes-key-wrap' }]
    const asObject = await start({ keys }).generate(CONTEXT)
    expect(token.calls).toContain('C_WrapKey')
    expect(token.calls.filter((call) => call === 'C_CreateObject')).toHaveLength(1)
    expect(token.calls.filter((call) => call === 'C_DestroyObject')).toHaveLength(1)
    token.change(({ mechanisms }) => {
      mechanisms[CKM_AES_KEY_WRAP] = CKF_ENCRYPT | CKF_DECRYPT
    })
    token.forgetCalls()
    const manager = start({ keys })
    expect((await manager.unwrap(asObject.wrapped, CONTEXT)).equals(asObject.key)).toBe(true)
    expect((await manager.wrap(asObject.key, CONTEXT)).equals(asObject.wrapped)).toBe(true)
    expect(token.calls).not.toContain('C_WrapKey')
    expect(token.calls).not.toContain('C_UnwrapKey')
  })

  it('are wrapped with padding by a token that has nothing else', async () => {
    token.change(({ mechanisms }) => delete mechanisms[CKM_AES_KEY_WRAP])
    const manager = start({ keys: [{ label: 'main', mechanism: 'aes-key-wrap' }] })
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect(wrapped[0]).toBe(3)
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
  })

  it('a token without the mechanism refuses', async () => {
    token.change(({ mechanisms }) => delete mechanisms[CKM_AES_GCM])
    await expect(start().generate(CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
  })
})

describe('tokens', () => {
  it('are found by label, serial number and slot', async () => {
    for (const choice of [{ label: 'vault' }, { serial: 'S7' }, { slot: 7 }]) {
      await expect(start({ token: choice }).health()).resolves.toBeUndefined()
    }
    for (const choice of [{ label: 'vaul' }, { serial: 'S8' }, { slot: 8 }, { label: 'vault', slot: 8 }]) {
      await expect(start({ token: choice }).health()).rejects.toMatchObject({ kind: 'unavailable' })
    }
  })

  it('two that fit are refused: whose key would it be', async () => {
    token.change((state) => {
      state.slots = [7, 9]
    })
    await expect(start().health()).rejects.toThrow('several tokens')
    await expect(start({ token: { label: 'vault', serial: 'S9' } }).health()).resolves.toBeUndefined()
  })

  it('one that was taken out is unavailable, and used again when it is back', async () => {
    const manager = start()
    const { key, wrapped } = await manager.generate(CONTEXT)
    token.remove()
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(manager.health()).rejects.toThrow('no token')
    token.back()
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
  })

  it('one that was taken out and put back between two calls is not noticed', async () => {
    const manager = start()
    const { key, wrapped } = await manager.generate(CONTEXT)
    token.remove()
    token.back()
    token.forgetCalls()
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    expect(token.calls.filter((call) => call === 'C_Login')).toHaveLength(1)
  })

  it.each([
    ['SESSION_HANDLE_INVALID', CKR.SESSION_HANDLE_INVALID],
    ['DEVICE_REMOVED', CKR.DEVICE_REMOVED],
    ['USER_NOT_LOGGED_IN', CKR.USER_NOT_LOGGED_IN],
    ['KEY_HANDLE_INVALID', CKR.KEY_HANDLE_INVALID],
    ['OPERATION_ACTIVE', CKR.OPERATION_ACTIVE],
    ['GENERAL_ERROR', CKR.GENERAL_ERROR],
  ])('a session that ends with %s is opened again, once', async (_name, code) => {
    const manager = start()
    await manager.health()
    token.fault('C_EncryptInit', { code, times: 1 })
    await expect(manager.generate(CONTEXT)).resolves.toBeDefined()
    token.fault('C_EncryptInit', { code })
    token.forgetCalls()
    const error = await refusal(manager.generate(CONTEXT))
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(token.calls.filter((call) => call === 'C_EncryptInit')).toHaveLength(2)
  })

  it('a library that has to begin anew does so only when no other thread is inside', async () => {
    const manager = start()
    await manager.health()
    token.fault('C_OpenSession', { code: CKR.DEVICE_ERROR, times: 1 })
    token.fault('C_EncryptInit', { code: CKR.DEVICE_REMOVED, times: 1 })
    token.forgetCalls()
    await expect(manager.generate(CONTEXT)).resolves.toBeDefined()
    expect(token.calls.filter((call) => call === 'C_Finalize')).toHaveLength(1)
  })

  it('two managers with one library go on when one of them has to begin anew with it', async () => {
    const [one, two] = [start(), start({ keys: [{ label: 'other' }] }, 'second')]
    await Promise.all([one.health(), two.health()])
    token.remove()
    await expect(one.health()).rejects.toMatchObject({ kind: 'unavailable' })
    token.back()
    const made = await Promise.all([one.generate(CONTEXT), two.generate(CONTEXT)])
    expect((await two.unwrap(made[1].wrapped, CONTEXT)).equals(made[1].key)).toBe(true)
    await one.close()
    await expect(two.health()).resolves.toBeUndefined()
    expect(token.state.initialised).toBe(true)
    await two.close()
    expect(token.state.initialised).toBe(false)
  })

  it('a mistake of one manager does not end the sessions of another', async () => {
    const one = start()
    await one.health()
    token.forgetCalls()
    await expect(start({ keys: [{ label: 'nowhere' }] }).health()).rejects.toMatchObject({ kind: 'denied' })
    expect(token.calls).not.toContain('C_Finalize')
    await one.health()
    expect(token.calls.filter((call) => call === 'C_Login')).toHaveLength(0)
  })

  it('what one says of wrong bytes in general terms is no trouble of its own', async () => {
    const manager = start()
    const { wrapped } = await manager.generate(CONTEXT)
    wrapped[20]! ^= 1
    token.forgetCalls()
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    expect(token.calls).not.toContain('C_OpenSession')
    token.change((state) => {
      state.broken = CKR.ENCRYPTED_DATA_INVALID
    })
    token.forgetCalls()
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    expect(token.calls).not.toContain('C_Encrypt')
  })

  it('one that fails at what it must be able to do is unavailable, whatever the bytes', async () => {
    const manager = start()
    const { wrapped } = await manager.generate(CONTEXT)
    token.fault('C_Decrypt', { code: CKR.GENERAL_ERROR })
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

describe('the PIN', () => {
  it('a wrong one is tried once, by all threads together, and not again', async () => {
    const manager = start({ pin: 'wrong-pin', sessions: 4 })
    const calls = Array.from({ length: 8 }, () => refusal(manager.generate(CONTEXT)))
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ kind: 'denied' })
    const error = await refusal(manager.health())
    expect(error.message).toContain('start again')
    expect(String(error.stack)).not.toContain('wrong-pin')
    expect(token.calls.filter((call) => call === 'C_Login')).toHaveLength(1)
    expect(token.state.tries).toBe(2)
  })

  it('a wrong one is tried once, although the token takes longer to refuse it than anybody waits', async () => {
    token.fault('C_Login', { milliseconds: 30_000 })
    const manager = start({ pin: 'wrong-pin', timeout: 400 })
    await expect(manager.health()).rejects.toMatchObject({ kind: 'unavailable' })
    const calls = Array.from({ length: 3 }, () => refusal(manager.generate(CONTEXT)))
    await Promise.all(calls)
    expect(await refusal(manager.generate(CONTEXT))).toMatchObject({ kind: 'denied' })
    expect(token.state.tries).toBe(2)
  })

  it('the right one is tried again after a token did not answer to it', async () => {
    token.fault('C_Login', { milliseconds: 30_000, times: 1 })
    const manager = start({ timeout: 400 })
    await expect(manager.health()).rejects.toMatchObject({ kind: 'unavailable' })
    await expect.poll(() => manager.health().then(() => 'well', String)).toBe('well')
  })

  it('the last try is left to somebody else', async () => {
    token.change((state) => {
      state.tries = 1
    })
    const manager = start()
    await expect(manager.health()).rejects.toMatchObject({ kind: 'denied' })
    expect(token.calls).not.toContain('C_Login')
    token.change((state) => {
      state.tries = 3
    })
    await expect(manager.health()).resolves.toBeUndefined()
  })

  it('a locked one is refused with the remedy, and used when it is unlocked', async () => {
    token.change((state) => {
      state.tries = 0
    })
    const manager = start()
    const error = await refusal(manager.health())
    expect(error).toMatchObject({ kind: 'denied', message: expect.stringContaining('C_InitPIN') as string })
    expect(token.calls).not.toContain('C_Login')
    token.fault('C_Login', { code: CKR.PIN_LOCKED, times: 1 })
    token.change((state) => {
      state.tries = 3
    })
    await expect(manager.health()).rejects.toThrow('CKR_PIN_LOCKED')
    await expect(manager.health()).resolves.toBeUndefined()
  })

  it('one login serves all threads', async () => {
    const manager = start({ sessions: 4 })
    token.fault('C_Encrypt', { milliseconds: 50 })
    await Promise.all(Array.from({ length: 8 }, () => manager.generate(CONTEXT)))
    expect(token.threads).toBe(4)
    expect(token.calls.filter((call) => call === 'C_Login')).toHaveLength(1)
  })
})

describe('a slow token', () => {
  it('does not keep the event loop, nor whoever asks longer than the timeout', async () => {
    const manager = start({ timeout: 400, sessions: 1 })
    const { key, wrapped } = await manager.generate(CONTEXT)
    token.fault('C_Decrypt', { milliseconds: 30_000, times: 1 })
    let turns = 0
    const ticking = setInterval(() => (turns += 1), 10)
    const before = Date.now()
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
    clearInterval(ticking)
    expect(Date.now() - before).toBeLessThan(2_000)
    expect(turns).toBeGreaterThan(3)
    // The thread was replaced.
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    expect(token.threads).toBe(2)
  })

  it('is asked by so many threads at a time as there are sessions, and no others are made', async () => {
    const manager = start({ sessions: 2 })
    token.fault('C_Encrypt', { milliseconds: 20 })
    await Promise.all(Array.from({ length: 20 }, () => manager.generate(CONTEXT)))
    expect(token.threads).toBe(2)
  })

  it('has a queue with an end', async () => {
    const manager = start({ sessions: 1 })
    token.fault('C_Encrypt', { milliseconds: 100 })
    const calls = Array.from({ length: 300 }, () => refusal(manager.generate(CONTEXT)))
    const errors = await Promise.all([...calls.slice(257), calls[0]!])
    expect(errors.at(-1)!.message).toBe('it was not refused')
    for (const error of errors.slice(0, -1)) expect(error.message).toContain('too many calls wait')
    await manager.close()
  })

  it('does not keep who closes', async () => {
    const manager = start({ timeout: 300, sessions: 1 })
    await manager.health()
    token.fault('C_Encrypt', { milliseconds: 30_000 })
    const asked = refusal(manager.generate(CONTEXT))
    const before = Date.now()
    await manager.close()
    expect(Date.now() - before).toBeLessThan(2_000)
    expect(await asked).toMatchObject({ kind: 'unavailable' })
  })
})

describe('what does not load', () => {
  it('is told without the paths and texts of loaders', async () => {
    const manager = start()
    await manager.close()
    const away = { ...files, package: join(files.folder, 'nowhere') }
    const settings = {
      package: away.package,
      module: token.path,
      token: { slot: 7 },
      keys: [{ label: 'main', mechanism: 'aes-gcm' }] as [KeyChoice],
    }
    const parts = { alias: 'main', worker: files.worker, pin: PIN, sessions: 1, timeout: 5_000, random: randomBytes }
    const error = await refusal(new Pkcs11KeyManager({ ...parts, settings }).health())
    expect(error).toMatchObject({ kind: 'denied', message: expect.stringContaining('npm install pkcs11js') as string })
    const broken = { ...settings, package: files.package, module: join(files.folder, 'no-library') }
    await expect(new Pkcs11KeyManager({ ...parts, settings: broken }).health()).rejects.toThrow('`module`')
  })
})
