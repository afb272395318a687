/** Not a client but gateways whose master key is in a KMIP server: stopped, silent, with other certificates, keys revoked and destroyed. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assertNone, OWN_GATEWAYS, refused, runContract, within } from '../key-managers.mjs'
import { QUICK, SETTINGS } from '../key-traffic.mjs'
import { installKmip, startKmip } from '../kmip.mjs'
import { assert, sh, sleep, until } from '../shell.mjs'

export const kmsKmip = {
  name: 'kms-kmip',
  label: 'Key manager: KMIP (PyKMIP)',
  notes:
    'Not a client: key managers of type `kmip` with a real KMIP 1.4 server over mutual TLS. Its keys are made, revoked and destroyed by the server\'s own client.',
  ...OWN_GATEWAYS,
  install: installKmip,
  async run(cx, { bin }) {
    const folder = join(cx.gateway.folder, 'kmip')
    const kmip = await startKmip(folder, bin)
    try {
      for (const name of ['main', 'other']) kmip.makeKey(name)
      const { caFile, certFile, keyFile } = kmip.settings
      const given = { port: kmip.port, caFile, certFile, keyFile, wrapping: kmip.secrets[0] }
      runContract(cx, folder, 'test/keys/kmip-real.test.ts', { SEALGATE_TEST_KMIP: JSON.stringify(given) })
      await life(cx, kmip)
      await outages(cx, kmip)
      await identities(cx, kmip)
      await keyStates(cx, kmip)
      await rotation(cx, kmip)
    } finally {
      // Kept by the cell if a check failed.
      for (const log of [kmip.log, join(folder, 'server.log')])
        if (existsSync(log)) appendFileSync(cx.gateway.log, readFileSync(log))
      await kmip.stop()
    }
  },
}

const environment = (kmip, more, data) => ({
  ...SETTINGS,
  SEALGATE_KEYS_ACTIVE: 'kmip',
  SEALGATE_KEYS_MANAGERS: JSON.stringify({ kmip: { ...kmip.settings, timeout: '2s', ...QUICK, ...more } }),
  ...(data === undefined ? {} : { SEALGATE_DATA: data }),
})

async function life({ check, ...cx }, kmip) {
  for (const mechanism of ['encrypt', 'get']) {
    await check(`an object is written and read, also by a gateway that starts anew, ${mechanism}`, async () => {
      const env = environment(kmip, { key: { name: 'main', mechanism } }, join(cx.gateway.folder, `data-${mechanism}`))
      await within(cx, env, async ({ put, get }) => {
        await put('life')
        await get('life')
      })
      await within(cx, env, ({ get }) => get('life'))
    })
  }
}

/** 503 for whatever needs a key that is not open, and everything as it was afterwards. */
async function outages({ check, ...cx }, kmip) {
  const gone = async ({ put, get }, begin, end) => {
    await begin()
    await sleep(1_500)
    for (const request of [() => get('before'), () => put('meanwhile')]) {
      const status = await refused(request())
      assert(status === 503, `it was answered with ${status}`)
    }
    await end()
    await until(() => get('before'), 10)
    await until(() => put('meanwhile'), 5)
  }
  await within(cx, environment(kmip, { key: { name: 'main' } }), async (gateway) => {
    await gateway.put('before')
    await check('a server that was stopped and started anew', () => gone(gateway, kmip.stop, kmip.start))
    await check('a server that takes connections and says nothing: 503 in time, and requests that need no key are not kept', async () => {
      let longest = 0
      await gone(
        gateway,
        async () => {
          kmip.hold()
          const slow = refused(gateway.put('while-slow'))
          for (let i = 0; i < 20; i += 1) {
            const before = Date.now()
            await gateway.list()
            longest = Math.max(longest, Date.now() - before)
          }
          assert((await slow) === 503, 'the slow request was not answered with 503')
        },
        kmip.release,
      ).finally(kmip.release)
      assert(longest < 500, `another request took ${longest} ms`)
      return `other requests: at most ${longest} ms`
    })
    await check('no secret in the log of the gateway', () => assertNone(kmip.secrets, gateway.log()))
  })
}

/** Who the server takes us for. */
async function identities({ check, ...cx }, kmip) {
  await within(cx, environment(kmip, { key: { name: 'main' }, connections: 1 }), async ({ put, get, log }) => {
    await put('mine')
    const become = async (who) => {
      kmip.use(kmip.clients[who])
      await kmip.stop()
      await kmip.start()
    }
    const as = async (who, status, word) => {
      try {
        await become(who)
        await sleep(1_500)
        const found = await refused(get('mine'))
        assert(found === status, `it was answered with ${found}`)
        await until(() => assert(log().includes(word), `the log does not say ${word}`), 5)
      } finally {
        await become('client')
      }
      await until(() => get('mine'), 10)
    }
    await check('a client certificate that the server does not know is an outage, and nothing is when it is right again', () =>
      as('stranger', 503, 'no connection, or one that broke'))
    await check('a client that may not use the key is refused with 403', () =>
      as('guest', 403, 'does not let this client use the key'))
  })
  await check('a server that the gateway does not trust is an outage', () =>
    within(cx, environment(kmip, { key: { name: 'main' }, caFile: kmip.clients.guest.cert }), async ({ put, log }) => {
      const status = await refused(put('untrusted'))
      assert(status === 503, `it was answered with ${status}`)
      await until(() => assert(/SELF_SIGNED|VERIFY/.test(log()), 'the log does not name the fault'), 5)
    }))
}

/** What only somebody at the server can help. */
async function keyStates({ check, ...cx }, kmip) {
  for (const mechanism of ['encrypt', 'get']) {
    for (const [verb, state] of [['revoke', 'Deactivated'], ['compromise', 'Compromised']]) {
      await check(`a key that was ${verb}d takes its bucket keys back with 400 and the remedy, ${mechanism}`, async () => {
        const name = `${verb}-${mechanism}`
        const id = kmip.makeKey(name)
        await within(cx, environment(kmip, { key: { name, mechanism } }), async ({ put, get, log }) => {
          await put('one')
          kmip[verb](id)
          await sleep(1_500)
          const statuses = [await refused(get('one')), await refused(put('two'))]
          assert(statuses.join() === '400,400', `they were answered with ${statuses}`)
          await until(() => assert(log().includes(`the key is ${state}; make another`), 'the log does not say why'), 5)
        })
      })
    }
  }
  await check('a key that was destroyed is refused with 400', async () => {
    const id = kmip.makeKey('doomed', { active: false })
    kmip.destroy(id)
    await within(cx, environment(kmip, { key: { id } }), async ({ put, log }) => {
      const status = await refused(put('one'))
      assert(status === 400, `it was answered with ${status}`)
      await until(() => assert(log().includes('ItemNotFound'), 'the log does not say why'), 5)
    })
  })
}

async function rotation({ check, ...cx }, kmip) {
  await check('another key wraps from now on, the former one opens; after `keys rewrap` it can be revoked and destroyed', async () => {
    const data = join(cx.gateway.folder, 'data-rotation')
    const old = kmip.makeKey('old')
    kmip.makeKey('next')
    await within(cx, environment(kmip, { key: { name: 'old' } }, data), ({ put }) => put('rotation'))
    const rotated = environment(kmip, { key: { name: 'next' }, formerKeys: [{ name: 'old' }] }, data)
    await within(cx, rotated, async ({ gateway, put, get }) => {
      await get('rotation')
      await put('rotation', 'two')
      sh(process.execPath, ['bin/sealgate.mjs', 'keys', 'rewrap'], { env: gateway.env })
    })
    kmip.revoke(old)
    kmip.destroy(old)
    await within(cx, environment(kmip, { key: { name: 'next' } }, data), async ({ get }) => {
      await get('rotation')
      await get('rotation', 'two')
    })
  })
}
