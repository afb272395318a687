/** deploy/grafana: the dashboards, by file. */
import { BACKEND } from './dashboards/backend.ts'
import { JOBS } from './dashboards/jobs.ts'
import { KEYS } from './dashboards/keys.ts'
import { OPERATIONS } from './dashboards/operations.ts'
import { OVERVIEW } from './dashboards/overview.ts'
import { type Dashboard, renderDashboard } from './dashboards/panel.ts'

export const DASHBOARDS: readonly Dashboard[] = [OVERVIEW, OPERATIONS, KEYS, BACKEND, JOBS]

export const dashboardFiles = (): Readonly<Record<string, string>> =>
  Object.fromEntries(DASHBOARDS.map((one) => [`deploy/grafana/${one.uid}.json`, renderDashboard(one)]))
