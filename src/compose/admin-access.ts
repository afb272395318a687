/** Who may use the admin API, as settings and files say it. */
import { constants } from 'node:crypto'
import { type AdminAccess, createAdminAccess } from '../access/admin-access.ts'
import { adminTokens } from '../config/admin-settings.ts'
import type { AdminTlsOptions } from '../http/admin-server.ts'
import type { Live } from './live.ts'

export const adminAccessOf = ({ settings }: Live): AdminAccess => createAdminAccess(adminTokens(settings.admin))

/** Sessions are not resumed: one that is, shows no certificate again, and would outlive the authority that signed it. */
export function adminTlsOf({ adminTls }: Live): AdminTlsOptions | undefined {
  return adminTls === undefined ? undefined : { ...adminTls, secureOptions: constants.SSL_OP_NO_TICKET }
}
