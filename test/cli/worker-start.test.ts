/** Several processes: one that cannot start ends, and says so. */
import { createServer, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Workplace } from '../helpers/command.ts'

test('workers that cannot start end the command', async () => {
  const taken = createServer()
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => resolve((taken.address() as AddressInfo).port))
  })
  const place = new Workplace({ SEALGATE_SERVER_WORKERS: '2', SEALGATE_SERVER_LISTEN: `127.0.0.1:${port}` })
  const { code, stderr } = await place.run(['serve'])
  taken.close()
  expect(stderr).toContain('no worker could start')
  expect(code).toBe(3)
  place.remove()
}, 20_000)

test('a certificate that cannot be read ends it before there are any', async () => {
  const place = new Workplace({
    SEALGATE_SERVER_WORKERS: '2',
    SEALGATE_SERVER_TLS_CERT_FILE: '/nonexistent/cert.pem',
    SEALGATE_SERVER_TLS_KEY_FILE: '/nonexistent/key.pem',
  })
  const { code, stderr } = await place.run(['serve'])
  expect(stderr).toContain('server.tls.certFile cannot be read: /nonexistent/cert.pem')
  expect(code).toBe(2)
  place.remove()
}, 20_000)
