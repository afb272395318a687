/** Of what was found, the sealed objects that this process can open by itself. */
import { Integrity } from '../../errors.ts'
import type { StepOutcome } from '../../object-step.ts'
import { parseEnvelope } from '../../format/envelope.ts'
import { fromStoredMetadata } from '../../format/metadata.ts'
import { sseOf, type Tlv } from '../../format/tlv.ts'
import { aliasOfKeyId, ENCRYPTION_MODES, isKms } from '../../s3/encryption-headers.ts'
import { type Encryption, encryptionOf } from '../encryption.ts'
import { Headers } from '../../s3/headers.ts'
import type { Gateway } from '../gateway.ts'
import { readPlain } from '../plain-object.ts'
import { type SealedObject, type StoredObject, unseal } from '../sealed-object.ts'
import type { Found } from './replacement.ts'
import { unchanged, untouchable } from './step.ts'

type FoundThere = Pick<Found, 'place' | 'info'>

export const isPlain = ({ info }: FoundThere): boolean => fromStoredMetadata(info.metadata) === 'foreign'

/** Throws `Integrity` for what lies unsealed where everything is sealed. */
export function requireEnvelope(gateway: Gateway, found: FoundThere): void {
  if (!isPlain(found) || gateway.rules(found.place.bucket).contents === 'mixed') return
  throw new Integrity('envelope failure', 'it has no envelope: plaintext, or stripped of it')
}

/** The object with its key, or what there is to say of one that cannot be opened here. Throws what reading it throws. */
export async function openFound(gateway: Gateway, { place, info }: FoundThere): Promise<SealedObject | StepOutcome> {
  const stored = fromStoredMetadata(info.metadata)
  if (stored === 'foreign') return unchanged('it lies in plaintext')
  if (parseEnvelope(stored.envelope).tag === 'c') return untouchable('it is under a key of its client (SSE-C)')
  const opened = await unseal(gateway, place, info)
  return opened.kind === 'sealed' ? opened : unchanged('it lies in plaintext')
}

/** As `openFound`; what lies in plaintext as it is. */
export async function readFound(gateway: Gateway, found: FoundThere): Promise<StoredObject | StepOutcome> {
  return isPlain(found) ? readPlain(gateway, found.place, found.info) : openFound(gateway, found)
}

export const isOutcome = (opened: StoredObject | StepOutcome): opened is StepOutcome => 'outcome' in opened

/** Of a write that asks for nothing. */
export const NOTHING = new Headers([])

/** Aliases of key managers. */
export interface ManagerChoice {
  /** The one for all objects. */
  readonly to?: string
  /** The one that seals where nobody names another. Named, it has no stand-in: what is there already can wait until it answers. */
  readonly active?: string
}

/**
 * Sealed again as its client asked for it: under the key manager that was named then, while there is one of that alias, else
 * under that of a write which asks for nothing. What is told of it stays among the entries of the object.
 */
export async function sealedAsAsked(
  gateway: Gateway,
  bucket: string,
  tlvs: readonly Tlv[],
  { to, active }: ManagerChoice = {},
): Promise<Encryption> {
  const named = to ?? managerAsked(gateway.keys, tlvs)
  const manager = named ?? (await encryptionOf(gateway, bucket, NOTHING)).manager ?? active
  return { manager, customerKey: undefined, tlvs: [], told: undefined, headers: {} }
}

function managerAsked(keys: Gateway['keys'], tlvs: readonly Tlv[]): string | undefined {
  const asked = sseOf(tlvs)
  const mode = asked === undefined ? undefined : ENCRYPTION_MODES[asked.mode - 1]
  if (asked === undefined || mode === undefined || !isKms(mode) || asked.keyId === '') return undefined
  const alias = aliasOfKeyId(asked.keyId)
  return alias !== undefined && keys.knows(alias) ? alias : undefined
}
