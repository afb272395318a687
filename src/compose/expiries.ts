/** When what the listeners show ends. */
import { X509Certificate } from 'node:crypto'
import { expirySeen } from '../telemetry/channels.ts'
import type { Live } from './live.ts'

/** Tells the ends of all certificates that are in effect; of a chain its first. */
export function tellExpiries({ tls, adminTls }: Pick<Live, 'tls' | 'adminTls'>): void {
  tell('s3', tls?.cert)
  tell('admin', adminTls?.cert)
  tell('admin-clients', adminTls?.clientCa)
}

function tell(name: string, pem: string | undefined): void {
  expirySeen.publish({ what: 'certificate', name, at: pem === undefined ? undefined : endOf(pem) })
}

/** Milliseconds since 1970; `undefined` for what cannot be read, which no listener takes. */
export function endOf(pem: string): number | undefined {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  const ends = found.map((one) => Date.parse(new X509Certificate(one).validTo))
  return ends.length === 0 ? undefined : Math.min(...ends)
}
