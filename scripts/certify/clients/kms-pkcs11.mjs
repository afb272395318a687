/** Not a client but gateways whose master key is in a token: SoftHSM, taken out, slow, with a wrong PIN and with a locked one. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OWN_GATEWAYS, refused, runContract, within } from '../key-managers.mjs'
import { installPkcs11, makeToken } from '../pkcs11.mjs'
import { assert, sleep, until } from '../shell.mjs'

export const kmsPkcs11 = {
  name: 'kms-pkcs11',
  label: 'PKCS#11: SoftHSM',
  notes:
    'Not a client: key managers of type `pkcs11` with a real software token. SoftHSM neither counts wrong PINs nor is ever slow: a library between the two counts logins, sleeps, and says that the PIN is locked.',
  ...OWN_GATEWAYS,
  install: installPkcs11,
  async run(cx, tool) {
    const folder = join(cx.gateway.folder, 'pkcs11')
    mkdirSync(folder)
    const token = makeToken(folder, tool, ['main', 'other'])
    runContract(cx, folder, 'test/keys/pkcs11-real.test.ts', token.contractEnv)
    await life(cx, token)
    await trouble(cx, token)
    await pins(cx, folder, token)
    await rotation(cx, token)
  },
}

async function life({ check, ...cx }, token) {
  for (const mechanism of ['aes-gcm', 'aes-key-wrap']) {
    await check(`an object is written and read, also by a gateway that starts anew, ${mechanism}`, async () => {
      const data = join(cx.gateway.folder, `data-${mechanism}`)
      const env = { ...token.settings({ key: { label: 'main', mechanism } }), SEALGATE_DATA: data }
      await within(cx, env, async ({ put, get }) => {
        await put('life')
        await get('life')
      })
      await within(cx, env, ({ get }) => get('life'))
    })
  }
}

async function trouble({ check, ...cx }, token) {
  await within(cx, token.settings(), async ({ put, get, list, log }) => {
    await put('before')
    await check('a token that was taken out: what is open is read and written, the rest is 503, and nothing is when it is back', async () => {
      token.takeOut()
      await sleep(1500)
      await get('before')
      await put('before')
      const status = await refused(put('meanwhile'))
      assert(status === 503, `it was answered with ${status}`)
      token.putBack()
      await until(() => put('meanwhile'), 5)
      await get('meanwhile')
    })
    await check('a token that takes 30 seconds: 503 in time, the others are not kept, and nothing is when it is quick again', async () => {
      token.say('slow 30')
      const at = Date.now()
      const slow = refused(put('while-slow'))
      let others = 0
      for (let i = 0; i < 20; i += 1) {
        const before = Date.now()
        await list()
        others = Math.max(others, Date.now() - before)
        await sleep(50)
      }
      await get('before')
      const status = await slow
      assert(status === 503, `it was answered with ${status}`)
      assert(others < 500, `another request took ${others} ms`)
      token.say('')
      await until(() => put('while-slow'), 40)
      return `other requests: at most ${others} ms; recovered after ${((Date.now() - at) / 1000).toFixed(0)} s`
    })
    await check('no PIN in the log', () => assert(!log().includes(token.pin), 'the log has it'))
  })
  await check('a token that never answers does not keep a gateway from its end', async () => {
    let at = 0
    const env = { ...token.settings(), SEALGATE_DATA: join(cx.gateway.folder, 'data-stuck') }
    await within(cx, env, async ({ put, list }) => {
      await put('before')
      token.say('slow 600')
      await refused(put('stuck'))
      await list()
      at = Date.now()
    })
    token.say('')
    const seconds = (Date.now() - at) / 1000
    assert(seconds < 15, `it took ${seconds} s`)
    await within(cx, env, ({ get }) => get('before'))
    return `${seconds.toFixed(1)} s`
  })
}

async function pins({ check, ...cx }, folder, token) {
  await check('a wrong PIN is tried once, refused with 403 and told without it', async () => {
    const wrong = join(folder, 'wrong-pin')
    writeFileSync(wrong, 'wrong-9999\n')
    const logins = await token.loginsOf(() =>
      within(cx, token.settings({ pinFile: wrong }), async ({ put, log }) => {
        for (const bucket of ['pin-a', 'pin-b', 'pin-c']) {
          const status = await refused(put(bucket))
          assert(status === 403, `it was answered with ${status}`)
        }
        await until(() => assert(log().includes('CKR_PIN_INCORRECT'), 'the log does not say why'), 5)
        assert(!log().includes('wrong-9999'), 'the log has the PIN')
      }),
    )
    assert(logins === 1, `${logins} tries`)
  })
  await check('a locked PIN is refused with the remedy, and used as soon as it is unlocked', () =>
    within(cx, token.settings(), async ({ put, log }) => {
      token.say('locked')
      const status = await refused(put('locked'))
      assert(status === 403, `it was answered with ${status}`)
      await until(() => assert(log().includes('C_InitPIN'), 'the log does not say what helps'), 5)
      token.say('')
      await until(() => put('locked'), 5)
    }).finally(() => token.say('')),
  )
}

async function rotation({ check, ...cx }, token) {
  await check('another key wraps from now on, the former one still opens', async () => {
    const data = join(cx.gateway.folder, 'data-rotation')
    const env = { SEALGATE_DATA: data }
    await within(cx, { ...token.settings(), ...env }, ({ put }) => put('old'))
    token.makeKey('next', '09')
    const rotated = token.settings({ key: { label: 'next' }, formerKeys: [{ label: 'main' }] })
    await within(cx, { ...rotated, ...env }, async ({ put, get }) => {
      await get('old')
      await put('new')
      await get('new')
    })
    const alone = token.settings({ key: { label: 'next' } })
    await within(cx, { ...alone, ...env }, async ({ get }) => {
      await get('new')
      await refused(get('old'))
    })
  })
}
