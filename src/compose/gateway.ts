import { instrumented } from '../backends/instrumented.ts'
import type { ObjectStore } from '../backends/object-store.ts'
import type { Settings } from '../config/settings.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { PlainLookup } from '../gateway/plain-lookup.ts'
import { TailCache } from '../gateway/tail-cache.ts'
import { StateBucketDocuments } from '../state/bucket-documents.ts'
import type { StateStore } from '../state/state-store.ts'
import type { Meter } from '../telemetry/meter.ts'
import type { InEffect } from './live.ts'

/** Decoded tails kept in memory, in each process. */
const TAIL_CACHE_BYTES = 32 * 1024 * 1024
/** S3 names an owner; Sealgate has credentials, not accounts. */
export const OWNER = { id: '5ea16a7e'.repeat(8), displayName: 'sealgate' }
const DEFAULT_REGION = 'us-east-1'

interface GatewayParts extends Pick<Gateway, 'keys' | 'uploads' | 'background' | 'rules' | 'clock' | 'random'> {
  readonly store: ObjectStore
  readonly state: StateStore
  readonly inEffect: InEffect
}

/** What operations are made of, as one request sees it: all share everything but their meters. */
export function gatewaysOf({ server, checksums }: Settings, parts: GatewayParts): (meter: Meter) => Gateway {
  const { store, state, inEffect, ...own } = parts
  const storeOf = instrumented(store, 'backend')
  const shared = {
    ...own,
    documents: store.documents ?? new StateBucketDocuments(state, own.clock),
    tails: new TailCache(TAIL_CACHE_BYTES),
    plain: new PlainLookup(),
    owner: OWNER,
    region: server.region ?? DEFAULT_REGION,
    limits: { xmlBytes: server.maxXmlBytes, gather: inEffect.gather },
    checksums,
  }
  return (meter) => ({ ...shared, meter, store: storeOf(meter) })
}
