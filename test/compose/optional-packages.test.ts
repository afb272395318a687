import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import { loadOptional, managerOf } from '../../src/compose/optional-packages.ts'

it('a package that is not installed is named with the command that installs it', async () => {
  const load = async (): Promise<unknown> => createRequire(import.meta.url)('a-package-that-is-not-there')
  const command = 'npm install a-package-that-is-not-there@1.2.3'
  await expect(
    loadOptional(managerOf('cloud', 'gcp-kms'), ['a-package-that-is-not-there@1.2.3'], load),
  ).rejects.toMatchObject({
    kind: 'invalid',
    message: expect.stringContaining(`beside Sealgate run \`${command}\``) as string,
  })
})

it('a package that fails for another reason is not called missing', async () => {
  const load = async (): Promise<unknown> => {
    throw new TypeError('it is broken')
  }
  await expect(loadOptional(managerOf('cloud', 'gcp-kms'), ['one@1'], load)).rejects.toThrow('it is broken')
})
