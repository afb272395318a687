/** Runs in the browser. Whatever comes from the gateway becomes text, never markup. */
export const SCRIPT = String.raw`'use strict'
const EVERY = 5000
// It reads the whole keyring.
const KEYS_EVERY = 60000
const at = (id) => document.getElementById(id)
let token = ''
let before
let keysAt = -KEYS_EVERY

const make = (name, text, className) => {
  const element = document.createElement(name)
  if (text !== undefined) element.textContent = text
  if (className !== undefined) element.className = className
  return element
}
const row = (...cells) => {
  const line = make('tr')
  line.append(...cells.map((cell) => (cell instanceof Node ? cell : make('td', cell))))
  return line
}
const number = (value) => value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 })
const bytes = (value) => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1 }
  return number(value) + ' ' + units[unit]
}

async function ask(path) {
  return fetch(path, { headers: { authorization: 'Bearer ' + token }, cache: 'no-store' })
}

/** Samples of Prometheus' text format: name, labels, value. */
function samples(text) {
  const found = []
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+)(?:\{(.*)\})? ([^ ]+)/.exec(line)
    if (match === null || line.startsWith('#')) continue
    const labels = {}
    for (const [, name, value] of (match[2] ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name] = value.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c))
    }
    found.push({ name: match[1], labels, value: Number(match[3]) })
  }
  return found
}
const sum = (all, name, where = () => true) =>
  all.reduce((total, one) => (one.name === name && where(one.labels) ? total + one.value : total), 0)
const failed = ({ status }) => Number(status) >= 500

function showTraffic(all, now) {
  const seconds = before === undefined ? 0 : (now - before.now) / 1000
  const rate = (name, where) =>
    before === undefined ? undefined : Math.max(0, sum(all, name, where) - sum(before.all, name, where)) / seconds
  const perSecond = (value, shown = number) => (value === undefined ? '…' : shown(value) + '/s')
  const facts = [
    ['Requests', perSecond(rate('sealgate_requests_total'))],
    ['Errors of ours', perSecond(rate('sealgate_requests_total', failed))],
    ['From clients', perSecond(rate('sealgate_client_bytes_total', (l) => l.direction === 'received'), bytes)],
    ['To clients', perSecond(rate('sealgate_client_bytes_total', (l) => l.direction === 'sent'), bytes)],
    ['Under way', number(sum(all, 'sealgate_open_requests'))],
    ['Integrity failures', number(sum(all, 'sealgate_integrity_failures_total'))],
  ]
  at('traffic').replaceChildren(
    ...facts.map(([name, value]) => {
      const pair = make('div')
      pair.append(make('dt', name), make('dd', value))
      return pair
    }),
  )
  const operations = [...new Set(all.filter((one) => one.name === 'sealgate_requests_total').map((one) => one.labels.operation))]
  at('operations').replaceChildren(
    ...operations.sort().map((operation) => {
      const of = (l) => l.operation === operation
      return row(
        operation,
        number(sum(all, 'sealgate_requests_total', of)),
        perSecond(rate('sealgate_requests_total', of)),
        number(sum(all, 'sealgate_requests_total', (l) => of(l) && failed(l))),
      )
    }),
  )
  before = { all, now }
}

function showHealth({ status, dependencies }) {
  at('state').textContent = status
  at('state').className = status === 'ok' ? 'ok' : 'failing'
  at('health').replaceChildren(
    ...dependencies.map((one) => make('li', one.name + ': ' + one.status, one.status)),
  )
}

function showKeys({ managers }) {
  at('keys').replaceChildren(
    ...managers.map((one) =>
      row(
        one.alias,
        one.type ?? '',
        one.active ? 'seals' : 'opens only',
        make('td', one.health ?? '', one.health),
        number(one.keys.active + one.keys.retired),
      ),
    ),
  )
}

function showJobs(rotations, all) {
  const lines = []
  for (const one of rotations) {
    const line = make('li', 'Rotation from ' + one.from + ' to ' + one.to + ': ' + one.phase + (one.stalled === undefined ? '' : ', waits: ' + one.stalled))
    if (one.total > 0) {
      const bar = make('progress')
      bar.max = one.total
      bar.value = one.examined
      line.append(bar)
    }
    lines.push(line)
  }
  for (const { labels, value } of all.filter((one) => one.name === 'sealgate_job_running' && one.value > 0)) {
    const items = all.filter((one) => one.name === 'sealgate_job_items' && one.labels.task === labels.task)
    const told = items.map((one) => number(one.value) + ' ' + one.labels.outcome).join(', ')
    lines.push(make('li', labels.task + ': runs in ' + number(value) + (value === 1 ? ' process' : ' processes') + (told === '' ? '' : '; ' + told)))
  }
  at('jobs').replaceChildren(...(lines.length === 0 ? [make('li', 'Nothing is under way.')] : lines))
}

/** Why nothing may be shown; undefined where it has been. */
async function look() {
  const rotations = await ask('/v1/rotations')
  if (rotations.status === 401 || rotations.status === 403) return 'This is not a token of the settings.'
  if (rotations.status === 429) return 'Too many failures: wait ' + rotations.headers.get('retry-after') + ' seconds.'
  const [ready, metrics] = await Promise.all(['/readyz', '/metrics'].map(ask))
  const all = samples(await metrics.text())
  showHealth(await ready.json())
  showTraffic(all, performance.now())
  if (rotations.ok) showJobs((await rotations.json()).rotations, all)
  if (performance.now() - keysAt < KEYS_EVERY) return undefined
  keysAt = performance.now()
  const keys = await ask('/v1/keys')
  if (keys.ok) showKeys(await keys.json())
  return undefined
}

async function show() {
  let why
  try {
    why = await look()
  } catch (error) {
    at('state').textContent = 'no answer: ' + error.message
    at('state').className = 'failing'
    setTimeout(show, EVERY)
    return
  }
  at('login').hidden = why === undefined
  at('shown').hidden = why !== undefined
  at('refusal').textContent = why ?? ''
  if (why === undefined) setTimeout(show, EVERY)
}

at('login').addEventListener('submit', (event) => {
  event.preventDefault()
  token = at('token').value
  at('token').value = ''
  void show()
})
`
