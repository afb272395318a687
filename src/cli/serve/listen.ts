import type { composeAdminServer } from '../../compose.ts'
import { Unavailable } from '../../errors.ts'

/** Starts a listener. Throws `Unavailable` with the address and the reason. */
export async function listen(
  app: ReturnType<typeof composeAdminServer>,
  address: { readonly host: string; readonly port: number },
): Promise<string> {
  try {
    return await app.listen({ host: address.host, port: address.port })
  } catch (error) {
    throw new Unavailable(
      `cannot listen on ${address.host}:${address.port}; set SEALGATE_SERVER_LISTEN or SEALGATE_ADMIN_LISTEN to another address`,
      { cause: error },
    )
  }
}
