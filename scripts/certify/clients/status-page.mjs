/** Not a client of S3 but a person with a browser: the status page in headless Chromium, light and dark, wide and narrow. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { startGateway } from '../gateway.mjs'
import { debian, nodePackages } from '../install.mjs'
import { assert, freePort } from '../shell.mjs'

const TOKEN = 'token-of-the-certification-0123456789abcdef'
const PLAYWRIGHT = '1.64.1'
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic']
const WIDE = { width: 1280, height: 800 }
const PHONE = { width: 360, height: 740 }

export const statusPage = {
  name: 'status-page',
  label: 'Status page in Chromium',
  notes: 'Driven by Playwright; reads no store.',
  leavesNothing: true,
  cannot: (_options, store) => (store.embedded ? undefined : 'the status page is tried over the embedded store'),
  install: (options) => {
    const chromium = debian(options, '/usr/bin/chromium', ['chromium'])
    const packages = nodePackages(options.cache, 'playwright', [`playwright-core@${PLAYWRIGHT}`])
    return { chromium, packages, version: PLAYWRIGHT }
  },
  run,
}

async function run(cx, { chromium, packages }) {
  const { default: playwright } = await import(pathToFileURL(join(packages, 'playwright-core', 'index.js')).href)
  const browser = await playwright.chromium.launch({ executablePath: chromium, args: FLAGS })
  const port = await freePort()
  const env = { SEALGATE_ADMIN_LISTEN: `127.0.0.1:${port}`, SEALGATE_ADMIN_TOKEN: TOKEN }
  const gateway = await startGateway(cx.cache, cx.store, { env })
  const world = { browser, gateway, url: `http://127.0.0.1:${port}/` }
  try {
    await cx.check('shows nothing without the token, and says that a wrong one is wrong', () => refused(world))
    await cx.check('shows health, traffic, keys and jobs', () => shown(world))
    for (const colorScheme of ['light', 'dark']) {
      for (const viewport of [WIDE, PHONE]) {
        await cx.check(`can be read, ${colorScheme}, ${viewport.width} wide`, () => legible(world, { colorScheme, viewport }))
      }
    }
  } finally {
    await browser.close()
    await gateway.stop()
  }
}

/** What the browser has to complain of (its policy among it) fails the check. */
async function open({ browser, url }, options, work) {
  const page = await browser.newPage({ viewport: WIDE, ...options })
  const complaints = []
  page.on('pageerror', ({ message }) => complaints.push(message))
  page.on('console', (message) => {
    const refused = /status of 40[13]/.test(message.text())
    if (message.type() === 'error' && !refused) complaints.push(message.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`asked for ${request.url()}`)
  })
  try {
    await page.goto(url)
    await work(page)
    assert(complaints.length === 0, complaints.join('\n'))
  } finally {
    await page.close()
  }
}

async function enter(page, token = TOKEN) {
  await page.fill('#token', token)
  await page.click('button')
}

const refused = (world) =>
  open(world, {}, async (page) => {
    assert(!(await page.isVisible('main')), 'something is shown before the token is there')
    await enter(page, `${TOKEN}x`)
    await page.waitForFunction(() => document.getElementById('refusal').textContent !== '')
    assert(!(await page.isVisible('main')), 'something is shown with a wrong token')
    assert((await page.inputValue('#token')) === '', 'the token stays in the field')
  })

const shown = (world) =>
  open(world, {}, async (page) => {
    await enter(page)
    await page.waitForSelector('main:visible')
    const client = connect(world.gateway)
    try {
      await client.send(new CreateBucketCommand({ Bucket: 'seen' }))
      await client.send(new PutObjectCommand({ Bucket: 'seen', Key: 'k', Body: 'body' }))
      await (await client.send(new GetObjectCommand({ Bucket: 'seen', Key: 'k' }))).Body.transformToString()
    } finally {
      client.destroy()
    }
    await page.waitForFunction(() => /GetObject/.test(document.getElementById('operations').textContent), undefined, { timeout: 20_000 })
    const text = await page.innerText('main')
    for (const part of ['backend: ok', 'state: ok', 'PutObject', 'local', 'seals', 'Nothing is under way.']) {
      assert(text.includes(part), `"${part}" is not shown:\n${text}`)
    }
    assert((await page.innerText('#state')) === 'ok', 'the state is not shown')
  })

/** Nothing wider than the screen, and text that stands out from its ground (WCAG 2.2, 1.4.3). */
const legible = (world, options) =>
  open(world, options, async (page) => {
    await enter(page)
    await page.waitForSelector('main:visible')
    const { wide, contrasts } = await page.evaluate(measure)
    assert(!wide, 'the page is wider than the screen')
    assert(contrasts.length > 5 && contrasts.every((ratio) => ratio >= 4.5), `contrasts of ${contrasts.join(', ')}`)
  })

/** In the page. */
function measure() {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).map((value) => {
      const part = Number(value) / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = light(getComputedStyle(document.body).backgroundColor)
  const contrasts = [...document.querySelectorAll('h1, h2, li, dt, dd, th, td, #state')].map((element) => {
    const text = light(getComputedStyle(element).color)
    return Math.round(((Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)) * 10) / 10
  })
  return { wide: document.documentElement.scrollWidth > document.documentElement.clientWidth, contrasts }
}
