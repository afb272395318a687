/** Around a whole run: the bundle that its commands run from, made once, and again when a watcher runs tests again. */
import { execFileSync } from 'node:child_process'
import type { TestProject } from 'vitest/node'
import { BIN } from './command.ts'

export function setup(project: TestProject): void {
  bundle()
  project.onTestsRerun(async () => bundle())
}

/** By the command itself: it bundles what it runs. */
const bundle = (): void => void execFileSync(process.execPath, [BIN, '--version'])
