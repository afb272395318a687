/** Several processes: one that cannot start ends, and says so. */
import { expect, test } from 'vitest'
import { Workplace } from '../helpers/command.ts'

test('workers that cannot start end the command', async () => {
  const place = new Workplace({
    SEALGATE_SERVER_WORKERS: '2',
    SEALGATE_SERVER_TLS_CERT_FILE: '/nonexistent/cert.pem',
    SEALGATE_SERVER_TLS_KEY_FILE: '/nonexistent/key.pem',
  })
  const { code, stderr } = await place.run(['serve'])
  expect(stderr).toContain('no worker could start')
  expect(code).toBe(3)
  place.remove()
}, 20_000)
