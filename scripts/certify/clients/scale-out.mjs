/** Not a client but many gateways: see ../scale-out.mjs. */
import { scaleOut as run } from '../scale-out.mjs'

export const scaleOut = {
  name: 'scale-out',
  label: 'Several gateways over one store',
  /** Its buckets are gone when it ends. */
  leavesNothing: true,
  cannot: (_options, store) => (store.embedded ? 'several gateways need a store that they can share' : undefined),
  install: async () => ({ version: '' }),
  run: (context) => run(context),
}
