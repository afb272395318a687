/** What dashboards are made of: rows of panels, each with its expressions; Grafana's JSON around them is always the same. */

export interface Panel {
  readonly title: string
  /** What one should make of it. */
  readonly says?: string
  readonly type?: 'timeseries' | 'stat'
  /** As Grafana names it. */
  readonly unit: string
  /** Of 24 columns. */
  readonly width: number
  readonly stacked?: boolean
  readonly lines: readonly (readonly [expression: string, legend: string])[]
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly says: string
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[]
}

const CHOSEN = 'job=~"$job",instance=~"$instance"'

/** A metric of the gateways that are chosen. */
export const of = (metric: string, matchers = ''): string =>
  `${metric}{${CHOSEN}${matchers === '' ? '' : `,${matchers}`}}`

/** How fast a counter grows, summed up by labels. */
export const rate = (metric: string, by: string, matchers = ''): string =>
  `sum by (${by}) (rate(${of(metric, matchers)}[$__rate_interval]))`

/** A quantile of a histogram, by labels. */
export const quantile = (q: number, histogram: string, by: string, matchers = ''): string =>
  `histogram_quantile(${q}, ${rate(`${histogram}_bucket`, by === '' ? 'le' : `le, ${by}`, matchers)})`

const HEIGHT = 8
const STAT_HEIGHT = 4
const COLUMNS = 24
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' }

/** The JSON that Grafana imports. */
export function renderDashboard({ uid, title, says, rows }: Dashboard): string {
  const panels: unknown[] = []
  let y = 0
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { h: 1, w: 24, x: 0, y },
      panels: [],
    })
    y += 1
    let x = 0
    let height = 0
    for (const panel of row.panels) {
      if (x + panel.width > COLUMNS) {
        x = 0
        y += height
        height = 0
      }
      const h = panel.type === 'stat' ? STAT_HEIGHT : HEIGHT
      panels.push(panelOf(panel, panels.length + 1, { h, w: panel.width, x, y }))
      x += panel.width
      height = Math.max(height, h)
    }
    y += height
  }
  const dashboard = {
    uid,
    title,
    description: says,
    tags: ['sealgate'],
    editable: true,
    graphTooltip: 1,
    schemaVersion: 39,
    time: { from: 'now-6h', to: 'now' },
    refresh: '1m',
    timezone: 'browser',
    links: [
      {
        type: 'dashboards',
        title: 'Sealgate',
        tags: ['sealgate'],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    templating: { list: VARIABLES },
    panels,
  }
  return `${JSON.stringify(dashboard, null, 2)}\n`
}

const VARIABLES = [
  { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
  ...(['job', 'instance'] as const).map((name) => ({
    name,
    type: 'query',
    datasource: DATASOURCE,
    query: `label_values(sealgate_build_info${name === 'job' ? '' : '{job=~"$job"}'}, ${name})`,
    refresh: 2,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
  })),
]

function panelOf(panel: Panel, id: number, gridPos: Readonly<Record<string, number>>): unknown {
  const { title, says, type = 'timeseries', unit, stacked = false, lines } = panel
  const custom = {
    lineWidth: 1,
    fillOpacity: stacked ? 30 : 5,
    showPoints: 'never',
    ...(stacked ? { stacking: { mode: 'normal', group: 'A' } } : {}),
  }
  return {
    id,
    type,
    title,
    ...(says === undefined ? {} : { description: says }),
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0, ...(type === 'timeseries' ? { custom } : {}) }, overrides: [] },
    options:
      type === 'stat'
        ? { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'none', textMode: 'auto' }
        : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: lines.map(([expr, legendFormat], at) => ({
      refId: String.fromCodePoint(65 + at),
      datasource: DATASOURCE,
      expr,
      legendFormat,
      ...(type === 'timeseries' ? { exemplar: expr.includes('sealgate_request_seconds_bucket') } : { instant: true }),
    })),
  }
}
