/** A thread that holds one session with a token: calls of PKCS#11 block whoever makes them, for as long as the token likes. */
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { Pkcs11Package } from './cryptoki.ts'
import { type Answer, type Ask, type ThreadSettings, TokenFault } from './messages.ts'
import { Token } from './token.ts'

const settings: ThreadSettings = workerData
let token: Token | undefined

function load(): Token {
  const { PKCS11, CK_PARAMS_GCM } = attempt<Pkcs11Package>('package', () =>
    createRequire(settings.package)(settings.package),
  )
  const cryptoki = new PKCS11()
  attempt('library', () => cryptoki.load(settings.module))
  return new Token(cryptoki, CK_PARAMS_GCM, settings)
}

/** What the loaders say quotes paths and is long. */
function attempt<T>(reason: 'package' | 'library', work: () => T): T {
  try {
    return work()
  } catch {
    throw new TokenFault({ reason })
  }
}

function answer(ask: Ask): Answer {
  try {
    token ??= load()
    return { value: token.answer(ask) }
  } catch (error) {
    if (error instanceof TokenFault) return { fault: error.fault }
    throw error
  }
}

parentPort?.on('message', (ask: Ask) => {
  const given = answer(ask)
  const bytes = 'value' in given && given.value instanceof Uint8Array ? [given.value.buffer] : []
  parentPort?.postMessage(given, bytes)
  if (ask.op === 'close') parentPort?.close()
})
