/**
 * The token that requests carry: got, renewed ahead of its end, replaced when Vault refuses it. Whatever goes wrong, Vault is asked
 * for a token by one of us at a time, and not again soon by the same means.
 */
import { createHash } from 'node:crypto'
import { Denied, Unavailable } from '../../errors.ts'
import { type Fields, objectIn } from './answer.ts'
import type { LoginRequest, VaultAuth } from './auth.ts'
import type { VaultAnswer, VaultClient, VaultRequest } from './client.ts'
import { isRefusal, isTemporary, laterOn, loginFailure } from './errors.ts'

export interface SessionParts {
  /** Of the key manager, for messages. */
  readonly alias: string
  readonly client: Pick<VaultClient, 'send' | 'close'>
  readonly auth: VaultAuth
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** 0 ≤ x < 1. */
  readonly random: () => number
  /** Runs `work` once after that many milliseconds, and keeps no process alive for it. Returns how to call it off. */
  readonly after: (milliseconds: number, work: () => Promise<void>) => () => void
  /** Of what somebody should look at while the token is still good. */
  readonly onTrouble: (what: string) => void
  /** Of when the token that is used from now on ends, in milliseconds since 1970; `undefined` without an end. */
  readonly onToken?: (ends: number | undefined) => void
}

interface Held {
  readonly token: string
  readonly renewable: boolean
  /** Milliseconds of a whole lease. */
  readonly lease: number
  /** Milliseconds since 1970; infinity for a token without an end. */
  readonly expires: number
}

/** The share of what is left of a lease after which it is renewed. */
const RENEWAL_SHARE = 2 / 3
/** A renewal that gives less than this share of a whole lease has met the token's greatest age: the next step is a login. */
const WHOLE_SHARE = 1 / 2
const SHORTEST_WAIT = 1_000
/** Timers of the system end at 24 days. */
const LONGEST_WAIT = 24 * 3_600_000
const CLOSING_MILLISECONDS = 1_000

export class VaultSession {
  readonly #parts: SessionParts
  #held: Held | undefined
  #obtaining: Promise<Held> | undefined
  /** Of logins with one credential that Vault refuses. */
  readonly #refusals: Pauses
  /** By path: of new tokens that were refused there as the old one was. What is missing is a permission, and others may lack none. */
  readonly #vain = new Map<string, Pauses>()
  #refused: { readonly digest: string; readonly error: Error } | undefined
  #cancel: () => void = () => undefined
  #troubled = false
  #closed = false

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.#refusals = new Pauses(parts.now)
  }

  /** The answer to one request; after a refusal that to a second one with another token, if there is another. Throws `Unavailable`, or `Denied` without a token. */
  async call(request: VaultRequest): Promise<VaultAnswer> {
    const { client } = this.#parts
    const held = await this.#current()
    const answer = await client.send({ ...request, token: held.token })
    if (!isRefusal(answer.status)) return answer
    const vain = this.#vain.get(request.path) ?? new Pauses(this.#parts.now)
    const other = await this.#another(held, vain)
    if (other === undefined) return answer
    const second = await client.send({ ...request, token: other.token })
    if (isRefusal(second.status)) {
      vain.begin()
      // The paths are those of the few operations on one key.
      this.#vain.set(request.path, vain)
    }
    return second
  }

  /** A token that we logged in for is revoked, if Vault answers at once. */
  async close(): Promise<void> {
    const { client, auth } = this.#parts
    const token = this.#held?.token
    const first = !this.#closed
    this.#closed = true
    this.#cancel()
    this.#held = undefined
    if (first && token !== undefined && auth.kind === 'login') {
      const revocation = {
        method: 'POST',
        path: 'auth/token/revoke-self',
        token,
        timeout: CLOSING_MILLISECONDS,
      } as const
      await client.send(revocation).catch(() => undefined)
    }
    await client.close()
  }

  async #current(): Promise<Held> {
    this.#mustBeOpen()
    const held = this.#held
    const { auth, now } = this.#parts
    if (auth.kind === 'login') return held !== undefined && now() < held.expires ? held : this.#obtain()
    try {
      const token = await auth.token()
      return token === held?.token ? held : await this.#obtain()
    } catch (error) {
      // While somebody writes the file anew.
      if (held !== undefined && error instanceof Denied) return held
      throw error
    }
  }

  /** Another token than the one that was refused; `undefined` where there is none, or a new one would be refused too. */
  async #another(refused: Held, vain: Pauses): Promise<Held | undefined> {
    const { auth } = this.#parts
    if (this.#held !== undefined && this.#held.token !== refused.token) return this.#held
    if (auth.kind === 'file') {
      const token = await auth.token().catch(() => refused.token)
      return token === refused.token ? undefined : this.#obtain()
    }
    return vain.active ? undefined : this.#obtain()
  }

  #obtain(): Promise<Held> {
    const { auth } = this.#parts
    this.#mustBeOpen()
    this.#obtaining ??= (auth.kind === 'file' ? this.#adopt(auth.token) : this.#login(auth)).finally(() => {
      this.#obtaining = undefined
    })
    return this.#obtaining
  }

  async #adopt(read: () => Promise<string>): Promise<Held> {
    const { alias, client, now } = this.#parts
    const token = await read()
    const answer = await client.send({ method: 'GET', path: 'auth/token/lookup-self', token })
    if (isTemporary(answer.status) && answer.status !== 200) {
      throw laterOn(`Vault, key manager ${alias}: token lookup failed (${answer.status})`, answer)
    }
    // A token that may not look itself up may still do the rest: what comes of it shows.
    const found = answer.status === 200 ? objectIn(answer.body, 'data') : undefined
    const left = secondsOf(found?.['ttl'])
    return this.#hold({
      token,
      renewable: found?.['renewable'] === true,
      lease: Math.max(left, secondsOf(found?.['creation_ttl'])),
      expires: left === 0 ? Number.POSITIVE_INFINITY : now() + left,
    })
  }

  async #login({ method, remedy, request }: Extract<VaultAuth, { kind: 'login' }>): Promise<Held> {
    const { alias, client } = this.#parts
    const { path, body, credential } = await request()
    const digest = createHash('sha256').update(credential).digest('hex')
    if (this.#refused?.digest === digest && this.#refusals.active) throw this.#refused.error
    const sent = jsonOf(body)
    const answer = await client.send({ method: 'POST', path, body: sent }).finally(() => sent.fill(0))
    const failure = answer.status === 200 ? undefined : loginFailure(alias, method, remedy, answer)
    const held = failure === undefined ? this.#leased(answer) : undefined
    if (held !== undefined) {
      this.#refused = undefined
      return this.#hold(held)
    }
    const error = failure ?? noToken(alias, method, answer)
    if (error instanceof Denied) {
      this.#refused = { digest, error }
      this.#refusals.begin()
    }
    throw error
  }

  /** `auth` of the answer to a login or a renewal. */
  #leased({ body }: VaultAnswer): Held | undefined {
    const auth: Fields = objectIn(body, 'auth') ?? {}
    const token = auth['client_token']
    if (typeof token !== 'string' || token === '') return undefined
    const lease = secondsOf(auth['lease_duration'])
    const expires = lease === 0 ? Number.POSITIVE_INFINITY : this.#parts.now() + lease
    return { token, renewable: auth['renewable'] === true, lease, expires }
  }

  #hold(held: Held): Held {
    if (this.#closed) throw this.#closedError()
    if (this.#held?.token !== held.token) this.#troubled = false
    this.#held = held
    this.#parts.onToken?.(held.expires === Number.POSITIVE_INFINITY ? undefined : held.expires)
    this.#plan(held, (held.expires - this.#parts.now()) * RENEWAL_SHARE)
    return held
  }

  /** A tenth of the wait is drawn at random: of many gateways that started together, few come together. */
  #plan(held: Held, wait: number): void {
    const { after, random } = this.#parts
    this.#cancel()
    if (this.#closed || held.expires === Number.POSITIVE_INFINITY) return
    const drawn = wait * (1 - random() / 10)
    this.#cancel = after(Math.min(LONGEST_WAIT, Math.max(SHORTEST_WAIT, drawn)), () => this.#tend(held))
  }

  /** Renews, or gets another token while the old one still serves. */
  async #tend(held: Held): Promise<void> {
    if (this.#closed || this.#held !== held) return
    try {
      const renewed = held.renewable ? await this.#renew(held) : undefined
      if (this.#held !== held) return
      if (renewed !== undefined) this.#hold(renewed)
      else if ((await this.#obtain()).token === held.token) this.#trouble('its token ends soon and cannot be renewed')
    } catch (error) {
      if (!(error instanceof Unavailable)) this.#trouble('Vault gives it no other token, and the one it has ends soon')
      const left = held.expires - this.#parts.now()
      if (this.#held === held && left > 0) this.#plan(held, left / 4)
    }
  }

  /** `undefined` if it cannot be renewed. */
  async #renew({ token, lease }: Held): Promise<Held | undefined> {
    const { alias, client } = this.#parts
    const answer = await client.send({ method: 'POST', path: 'auth/token/renew-self', token, body: jsonOf({}) })
    if (answer.status !== 200) {
      if (!isTemporary(answer.status)) return undefined
      throw laterOn(`Vault, key manager ${alias}: token renewal failed (${answer.status})`, answer)
    }
    const renewed = this.#leased(answer)
    if (renewed === undefined) return undefined
    return { ...renewed, token, renewable: renewed.renewable && renewed.lease >= lease * WHOLE_SHARE, lease }
  }

  #trouble(what: string): void {
    if (!this.#troubled) this.#parts.onTrouble(what)
    this.#troubled = true
  }

  #mustBeOpen(): void {
    if (this.#closed) throw this.#closedError()
  }

  #closedError(): Unavailable {
    return new Unavailable(`key manager ${this.#parts.alias} is closed`)
  }
}

const FIRST_PAUSE = 10_000
const LONGEST_PAUSE = 5 * 60_000

/** Spans in which something is not tried, each twice as long as the one before if that was not long ago. */
class Pauses {
  readonly #now: () => number
  #length = 0
  #until = 0

  constructor(now: () => number) {
    this.#now = now
  }

  get active(): boolean {
    return this.#now() < this.#until
  }

  begin(): void {
    if (this.active) return
    const again = this.#length > 0 && this.#now() < this.#until + LONGEST_PAUSE
    this.#length = again ? Math.min(LONGEST_PAUSE, this.#length * 2) : FIRST_PAUSE
    this.#until = this.#now() + this.#length
  }
}

function noToken(alias: string, method: string, { body }: VaultAnswer): Error {
  const what = `Vault, key manager ${alias}: login by ${method}`
  return objectIn(body, 'auth') === undefined
    ? new Unavailable(`${what} was answered by something that is not Vault`)
    : new Denied(`${what} gave no token: it asks for a second factor`)
}

/** Milliseconds. */
function secondsOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value * 1_000 : 0
}

function jsonOf(fields: LoginRequest['body']): Buffer {
  return Buffer.from(JSON.stringify(fields))
}
