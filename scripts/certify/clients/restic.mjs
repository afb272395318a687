/** restic: a repository, two backups, its own check of all data, a restore, forget and prune. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { debian } from '../install.mjs'
import { assert, sh } from '../shell.mjs'
import { sdkEnv } from './program.mjs'

export const restic = {
  name: 'restic',
  label: 'restic',
  install(cx) {
    const bin = debian(cx, '/usr/bin/restic', ['restic'])
    return { bin, version: sh(bin, ['version']).split(' ')[1] }
  },
  async run(cx, { bin }) {
    const { gateway, tree, check } = cx
    const password = join(gateway.folder, 'restic-password')
    writeFileSync(password, 'only for this run\n')
    const env = {
      ...sdkEnv(cx, ''),
      RESTIC_REPOSITORY: `s3:${gateway.endpoint}/restic-checks/repository`,
      RESTIC_PASSWORD_FILE: password,
    }
    const cacheFolder = join(gateway.folder, 'restic-cache')
    const restic = (...args) => sh(bin, ['--cache-dir', cacheFolder, ...args], { env, cwd: tree.path })
    const back = join(gateway.folder, 'restic-back')
    mkdirSync(back)
    await check('init', () => void restic('init'))
    await check('backup of a tree', () => void restic('backup', '.'))
    await check('a second backup finds nothing changed', () => {
      const said = restic('backup', '.')
      assert(/Files:\s+0 new,\s+0 changed/.test(said), said)
    })
    await check('restic check --read-data', () =>
      assert(restic('check', '--read-data').includes('no errors were found'), 'errors were found'),
    )
    await check('restore, the trees are equal', () => {
      restic('restore', 'latest', '--target', back)
      sh('diff', ['-r', tree.path, back])
    })
    await check('forget, prune, and check again', () => {
      restic('forget', '--keep-last', '1', '--prune')
      assert(restic('check').includes('no errors were found'), 'errors were found')
      assert(restic('snapshots', '--json').match(/"time"/g).length === 1, 'not one snapshot')
    })
    rmSync(back, { recursive: true, force: true })
  },
}
