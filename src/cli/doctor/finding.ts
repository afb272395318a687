/** What a step of the examination found. */
export interface Finding {
  readonly what: string
  readonly state: 'ok' | 'failed' | 'note'
  readonly detail: string
}

export type Tell = (finding: Finding) => void

/** Takes one step. It passes with the detail that `work` returns and fails with the error that it throws; the examination goes on. */
export async function check(tell: Tell, what: string, work: () => Promise<string> | string): Promise<boolean> {
  try {
    tell({ what, state: 'ok', detail: await work() })
    return true
  } catch (error) {
    tell({ what, state: 'failed', detail: error instanceof Error ? error.message : String(error) })
    return false
  }
}
