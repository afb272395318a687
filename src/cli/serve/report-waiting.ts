import type { Components } from '../../compose.ts'
import { lookAtKeyManagers } from '../../compose/key-health.ts'
import { reportWaiting } from '../../gateway/configuration/waiting.ts'

/** Says once which kept configurations nothing acts on, and which key managers cannot be used. */
export function reportAtStart({ gateway, dependencies }: Components): void {
  gateway.background.run('look at the key managers', () => lookAtKeyManagers(dependencies))
  gateway.background.run('report configurations that nothing acts on', () => reportWaiting(gateway.store))
}
