/** Conditional writes: two at once must not both win, at the endpoint and in the state store. */
import { StoreError } from '../../backends/object-store.ts'
import { random } from '../../compose.ts'
import { S3Refusal } from '../s3-client.ts'
import { check } from './finding.ts'
import type { Examination } from './sample.ts'

export const CONDITION_KEY = 'condition'

export async function examineConditions({ client, components, bucket, tell }: Examination): Promise<void> {
  const { conditionalWrites } = components.gateway.store.capabilities
  await check(
    tell,
    `conditional writes are ${conditionalWrites ? 'enforced' : 'refused'} at the endpoint`,
    async () => {
      const address = { bucket, key: CONDITION_KEY }
      const put = { method: 'PUT', address, headers: { 'if-none-match': '*' }, body: Buffer.alloc(0) }
      if (conditionalWrites) await client.read(put)
      const status = conditionalWrites ? 412 : 501
      await mustRefuse(client.read(put), (error) => error instanceof S3Refusal && error.status === status)
      return ''
    },
  )
  const { state } = components
  const path = `profiles/doctor-${random(8).toString('hex')}`
  await check(tell, 'conditional writes are enforced in the state store', async () => {
    const precondition = (error: unknown): boolean =>
      error instanceof StoreError && error.refusal === 'precondition-failed'
    const first = await state.put(path, Buffer.from('1'), { ifNoneMatch: '*' })
    await mustRefuse(state.put(path, Buffer.from('2'), { ifNoneMatch: '*' }), precondition)
    await state.put(path, Buffer.from('3'), { ifMatch: first })
    await mustRefuse(state.put(path, Buffer.from('4'), { ifMatch: first }), precondition)
    return 'If-None-Match and If-Match'
  })
  await check(tell, 'the state store forgets what is deleted', async () => {
    await state.delete(path)
    if ((await state.get(path)) !== undefined) throw new Error(`${path} is still there`)
    return ''
  })
}

async function mustRefuse(write: Promise<unknown>, isRefusal: (error: unknown) => boolean): Promise<void> {
  const outcome = await write.then(
    () => new Error('a second write went through: no two gateways may share this store'),
    (error: unknown) => error,
  )
  if (!isRefusal(outcome)) throw outcome
}
