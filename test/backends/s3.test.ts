/** The S3 backend against a real S3 server that needs nothing installed: a second gateway over an embedded store. */
import { objectStoreContract } from '../contract/object-store.contract.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'

const servers: TestGateway[] = []

objectStoreContract('s3', {
  remote: true,
  open: async () => {
    const server = await startGateway({ region: 'eu-west-1' })
    servers.push(server)
    return s3Store({
      endpoint: server.endpoint,
      region: 'eu-west-1',
      profile: { conditionalCopy: true, conditionalDelete: true, versions: false, tags: false },
    })
  },
  close: async (store) => {
    await store.close()
    for (const server of servers.splice(0)) await server.close()
  },
})
