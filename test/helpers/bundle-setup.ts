/** Around a whole run: the program that its commands run, made once, and again when a watcher runs tests again. */
import type { TestProject } from 'vitest/node'
import { bundle } from '../../bin/bundle.mjs'
import { PROGRAM } from './command.ts'

export async function setup(project: TestProject): Promise<void> {
  await make()
  project.onTestsRerun(make)
}

async function make(): Promise<void> {
  process.env[PROGRAM] = await bundle()
}
