import { Gauge, type Registry } from 'prom-client'
import { jobSeen } from '../channels.ts'

/** Jobs over keys and objects, whoever runs them. */
export function showJobs(registry: Registry): readonly (() => void)[] {
  const shared = { registers: [registry], aggregator: 'max' as const }
  const running = new Gauge({
    ...shared,
    labelNames: ['task'],
    name: 'sealgate_job_running',
    help: 'Processes that are at a job now, of those that share the state store.',
  })
  const items = new Gauge({
    ...shared,
    labelNames: ['task', 'outcome'],
    name: 'sealgate_job_items',
    help: 'Objects or keys that the last run of a job has come past, by what came of them; damaged and unavailable are part of failed.',
  })
  const bytes = new Gauge({
    ...shared,
    labelNames: ['task'],
    name: 'sealgate_job_bytes',
    help: 'Bytes that the last run of a job has moved.',
  })
  const begun = new Gauge({
    ...shared,
    labelNames: ['task'],
    name: 'sealgate_job_begun_timestamp_seconds',
    help: 'When the last run of a job was begun, in seconds since 1970.',
  })
  return [
    jobSeen.subscribe((event) => {
      // Prometheus itself has a label `job`.
      const { job: task } = event
      running.set({ task }, event.running)
      bytes.set({ task }, event.bytes)
      begun.set({ task }, event.begun / 1_000)
      for (const [outcome, count] of Object.entries(event.counts)) items.set({ task, outcome }, count)
    }),
  ]
}
