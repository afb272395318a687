/** docs/configuration.md and docs/configuration.schema.json, made from the schema; a test keeps them equal to the files. */
import { exampleOf } from './examples.ts'
import { ANY_PLACE, FIELDS, type Field, schemaNode, type SchemaNode } from './fields.ts'
import { isLive } from './reload.ts'

const HEAD = `# Configuration

<!-- Made from src/config/settings.ts: \`npx vitest run test/config/document.test.ts -u\` writes it anew. -->

Sealgate reads one YAML file: the one named by \`--config\`, else \`sealgate.yaml\` in the working directory if there is one.
Every setting outside lists and maps can also come from the environment, which wins over the file: \`server.headerTimeout\` is
\`SEALGATE_SERVER_HEADER_TIMEOUT\`. Lists and maps are written as JSON there. An empty variable counts as not set.

* A secret \`x\` may be given as \`xFile\`, the path of a file that holds it; one line end at the end of the file is not part of it.
* Durations are a whole number and a unit: \`500ms\`, \`30s\`, \`15m\`, \`24h\`, \`7d\`. Sizes too: \`512KiB\`, \`64MiB\`, \`5GiB\`.
* Sealgate does not start on an unknown setting, an unknown \`SEALGATE_*\` variable, a wrong value, both \`x\` and \`xFile\`, or a
  missing file, and names everything that is wrong at once.

What is *live* is read anew while the gateway runs, when a file has changed or on SIGHUP; everything else waits for a restart.
An example stands where there is no default. See [operations.md](operations.md), "Changing settings".

An editor that knows JSON Schema checks the file while you write it, with this as the first line:
\`# yaml-language-server: $schema=./configuration.schema.json\`.

\`\`\`yaml
data: /var/lib/sealgate
server:
  listen: 0.0.0.0:8080
  domain: s3.example.internal
keys:
  active: main
  managers:
    main: { type: local, passphraseFile: /run/secrets/sealgate-passphrase }
credentials:
  - accessKey: backup
    secretKeyFile: /run/secrets/backup-secret-key
    allow:
      - { buckets: ["backups-*"], actions: read-write }
\`\`\`
`

/** The Markdown of docs/configuration.md. */
export function renderConfiguration(): string {
  const root = schemaNode()
  const sections = Object.entries(root.properties ?? {}).map(([name, node]) => renderSection(name, node))
  return [HEAD, ...sections].join('\n')
}

/** The JSON Schema of the YAML file. */
export function jsonSchema(): SchemaNode {
  const { $schema, ...root } = schemaNode()
  allowSecretFiles(root)
  return { $schema, title: 'Sealgate configuration', ...root }
}

function renderSection(name: string, node: SchemaNode): string {
  const fields = FIELDS.filter((field) => field.path[0] === name)
  const isGroup = fields.every((field) => field.path.length > 1)
  const intro = isGroup ? `${node.description ?? ''}\n\n` : ''
  const rows = fields.map((field) => `| ${cells(field).join(' | ')} |`)
  return `## ${name}\n\n${intro}| Setting | Type | Default | Example | Live | Meaning |\n|---|---|---|---|---|---|\n${rows.join('\n')}\n`
}

function cells(field: Field): string[] {
  const env = field.envName === undefined ? '' : `<br>\`${field.envName}\``
  const example = field.default === undefined ? exampleOf(field.path) : undefined
  return [
    `\`${settingName(field.path)}\`${env}`,
    field.secret ? `${field.type}, secret` : field.type,
    defaultText(field),
    example === undefined ? '' : `\`${example}\``,
    isLive(field.path) ? 'yes' : '',
    field.description,
  ].map((cell) => cell.replaceAll('|', '\\|'))
}

/** `credentials[].allow[].buckets` */
function settingName(path: readonly string[]): string {
  return path.map((step, at) => (step === ANY_PLACE || at === 0 ? step : `.${step}`)).join('')
}

function defaultText(field: Field): string {
  if (field.default !== undefined && field.default !== '') return `\`${plain(field.default)}\``
  return field.required ? 'required' : ''
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Beside every secret `x` its `xFile`; where the secret is required, exactly one of the two is. */
function allowSecretFiles(node: SchemaNode): void {
  const { properties = {} } = node
  const inner = [...Object.values(properties), ...(node.oneOf ?? []), ...(node.anyOf ?? [])]
  if (node.items !== undefined) inner.push(node.items)
  if (typeof node.additionalProperties === 'object') inner.push(node.additionalProperties)
  for (const child of inner) allowSecretFiles(child)
  for (const [name, secret] of Object.entries(properties)) {
    if (secret.secret !== true) continue
    const { besideFile = false } = secret
    delete secret.secret
    delete secret.besideFile
    if (besideFile) continue
    properties[`${name}File`] = { type: 'string', minLength: 1, description: `File that holds \`${name}\`.` }
    if (node.required?.includes(name) !== true) continue
    node.required = node.required.filter((other) => other !== name)
    node.oneOf = [{ required: [name] }, { required: [`${name}File`] }]
  }
}
