/**
 * What gateways and commands under test put out, and the secrets that they were given: both are kept while a run lasts, and at its end
 * no secret may be found in any output (test/helpers/outputs-setup.ts).
 */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The variable of the environment that names the folder of this run. */
export const FOLDER = 'TEST_OUTPUTS'

/** A form of a secret as a text shows it, and what it is called in the report. */
interface Form {
  readonly name: string
  readonly text: string
}

const LEAST_CHARACTERS = 8

/** Tells that `secret` may be in no output, and gives it back. `name` says in a report which it was. */
export function minted<T extends string | Buffer>(name: string, secret: T): T {
  const texts = typeof secret === 'string' ? [secret] : formsOf(secret)
  for (const text of texts) {
    if (text.length < LEAST_CHARACTERS) throw new Error(`the secret ${name} is too short to be told from anything else`)
    append('secrets', `${JSON.stringify({ name, text } satisfies Form)}\n`)
  }
  return secret
}

/** Keeps what was put out. Pieces that follow each other come to stand beside each other. */
export function keepOutput(text: string, source = 'gateways'): void {
  append(`output-${source}`, text)
}

function formsOf(bytes: Buffer): string[] {
  return ['hex', 'base64url', 'base64'].map((form) => bytes.toString(form as BufferEncoding).replace(/=+$/, ''))
}

function append(kind: string, text: string): void {
  const folder = process.env[FOLDER]
  if (folder !== undefined) appendFileSync(join(folder, `${kind}-${process.pid}`), text)
}

/** The names of the secrets that are in some output of a folder, and the outputs they are in. */
export function leaksIn(folder: string): string[] {
  const files = readdirSync(folder)
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  const forms = new Map<string, string>()
  for (const file of files.filter((one) => one.startsWith('secrets-'))) {
    for (const line of read(file).split('\n').filter(Boolean)) {
      const { name, text } = JSON.parse(line) as Form
      forms.set(text, name)
    }
  }
  const search = new Search(forms)
  return files
    .filter((file) => file.startsWith('output-'))
    .flatMap((file) => search.in(read(file)).map((name) => `${name} in ${file}`))
}

/** Tens of thousands of random texts at once, by their first characters; the few that people wrote, one by one. */
class Search {
  readonly #byStart = new Map<string, { text: string; name: string }[]>()
  readonly #written: { text: string; name: string }[] = []

  constructor(forms: ReadonlyMap<string, string>) {
    for (const [text, name] of forms) {
      const form = { text, name }
      const start = text.slice(0, START)
      if (!/^[\w+/-]{20,}$/.test(text)) this.#written.push(form)
      else this.#byStart.set(start, [...(this.#byStart.get(start) ?? []), form])
    }
  }

  in(output: string): string[] {
    const found = this.#written.filter(({ text }) => output.includes(text)).map(({ name }) => name)
    for (const { 0: run, index } of output.matchAll(/[\w+/-]{20,}/g)) {
      for (let at = 0; at <= run.length - START; at++) {
        for (const { text, name } of this.#byStart.get(run.slice(at, at + START)) ?? [])
          if (output.startsWith(text, index + at)) found.push(name)
      }
    }
    return [...new Set(found)]
  }
}

const START = 16
