/** A gateway of this checkout in a process of its own, data in a fresh folder. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export async function startGateway(cache) {
  const folder = mkdtempSync(join(cache, 'gateway-'))
  const data = join(folder, 'data')
  const env = { ...process.env, SEALGATE_DATA: data, SEALGATE_SERVER_LISTEN: '127.0.0.1:0', SEALGATE_ADMIN_LISTEN: 'off' }
  const child = spawn(process.execPath, ['bin/sealgate.mjs', 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const endpoint = await new Promise((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (piece) => {
      text += piece
      const match = /ready at (http:\/\/\S+)/.exec(text)
      if (match) resolve(match[1])
    })
    child.on('exit', (code) => reject(new Error(`the gateway ended with ${code}`)))
  })
  const credentialsFile = join(data, 'aws-credentials')
  const text = readFileSync(credentialsFile, 'utf8')
  const value = (name) => new RegExp(`${name} = (\\S+)`).exec(text)?.[1] ?? ''
  return {
    endpoint,
    data,
    folder,
    credentialsFile,
    /** Settings of the same gateway, for commands that open its store. */
    env: { SEALGATE_DATA: data, SEALGATE_SERVER_LISTEN: endpoint.replace('http://', ''), SEALGATE_ADMIN_LISTEN: 'off' },
    accessKey: value('aws_access_key_id'),
    secretKey: value('aws_secret_access_key'),
    stop: async () => {
      const ended = new Promise((resolve) => child.on('exit', resolve))
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
