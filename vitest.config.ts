import { defineConfig } from 'vitest/config'
import { keepOutput } from './test/helpers/outputs.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 10_000 } },
    // A busy machine may miss a deadline once; a fault fails twice, and the report names what was repeated.
    retry: process.env.CI === undefined ? 0 : 1,
    maxWorkers: 2,
    pool: 'forks',
    globalSetup: ['test/helpers/outputs-setup.ts', 'test/helpers/bundle-setup.ts'],
    onConsoleLog: (text) => keepOutput(text, 'console'),
  },
})
