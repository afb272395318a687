/** The gateway's own store: a folder. */
export const embedded = {
  name: 'embedded',
  label: 'embedded',
  notes: 'The store that comes with the gateway: a local folder.',
  versions: true,
  install: () => ({}),
  start: () => ({ embedded: true, version: '', stop: async () => {} }),
}
