import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  ALLOW_ALL,
  createCredentials,
  formatCredentialsFile,
  generateCredential,
  parseCredentialsFile,
} from '../../src/access/credentials.ts'

describe('credentials', () => {
  it('are found by access key, with the grants that were configured', () => {
    const credentials = createCredentials([
      { accessKey: 'one', secretKey: 'secret-1', allow: ALLOW_ALL },
      { accessKey: 'two', secretKey: 'secret-2', allow: [] },
    ])
    expect(credentials.lookup('one')).toEqual({ secret: 'secret-1', identity: { accessKey: 'one', grants: ALLOW_ALL } })
    expect(credentials.lookup('two')?.identity.grants).toEqual([])
  })

  it('are not found under any other name, also not under those that every object has', () => {
    const credentials = createCredentials([{ accessKey: 'one', secretKey: 's', allow: ALLOW_ALL }])
    for (const name of ['One', '', 'constructor', '__proto__', 'toString'])
      expect(credentials.lookup(name)).toBeUndefined()
  })

  it('are refused when an access key stands there twice', () => {
    const entry = { accessKey: 'one', secretKey: 's', allow: ALLOW_ALL }
    expect(() => createCredentials([entry, entry])).toThrow('twice')
  })
})

describe('a generated credential', () => {
  it('has the shape that S3 tools expect and is another one each time', () => {
    const [a, b] = [generateCredential(randomBytes), generateCredential(randomBytes)]
    expect(a.accessKey).toMatch(/^SG[A-Z2-7]{18}$/)
    expect(a.secretKey).toMatch(/^[A-Za-z0-9_-]{40}$/)
    expect(a.accessKey).not.toBe(b.accessKey)
    expect(a.secretKey).not.toBe(b.secretKey)
  })

  it('comes back from its file', () => {
    const pair = generateCredential(randomBytes)
    const text = formatCredentialsFile(pair)
    expect(text.startsWith('[sealgate]\n')).toBe(true)
    expect(parseCredentialsFile(text)).toEqual(pair)
  })
})

describe('the credentials file', () => {
  it('may hold comments, other profiles and other settings', () => {
    const text = [
      '# mine',
      '[default]',
      'aws_access_key_id = wrong',
      'aws_secret_access_key = wrong',
      '[ sealgate ]',
      '; a comment',
      'AWS_ACCESS_KEY_ID=right',
      '  aws_secret_access_key   =   a=b/c+d==  ',
      'region = eu-central-1',
      '[later]',
      'aws_secret_access_key = wrong',
    ]
    expect(parseCredentialsFile(text.join('\r\n'))).toEqual({ accessKey: 'right', secretKey: 'a=b/c+d==' })
  })

  it.each([
    ['is empty', ''],
    ['has no such profile', '[default]\naws_access_key_id = a\naws_secret_access_key = b\n'],
    ['has only one half', '[sealgate]\naws_access_key_id = a\n'],
    ['has an empty secret', '[sealgate]\naws_access_key_id = a\naws_secret_access_key =\n'],
  ])('is refused when it %s', (_, text) => {
    expect(() => parseCredentialsFile(text)).toThrow(expect.objectContaining({ kind: 'invalid' }))
  })
})
