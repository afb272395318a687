import type { Components } from '../../compose.ts'
import { reportWaiting } from '../../gateway/configuration/waiting.ts'

/** Says once which kept configurations nothing acts on. */
export function reportAtStart({ gateway }: Components): void {
  gateway.background.run('report configurations that nothing acts on', () => reportWaiting(gateway.store))
}
