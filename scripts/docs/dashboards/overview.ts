import { type Dashboard, of, quantile, rate } from './panel.ts'

const FAILED = 'status=~"5..",code!="NotImplemented"'

export const OVERVIEW: Dashboard = {
  uid: 'sealgate-overview',
  title: 'Sealgate: overview',
  says: 'Whether every byte is sealed, fast and readable.',
  rows: [
    {
      title: 'At a glance',
      panels: [
        {
          title: 'Gateways',
          type: 'stat',
          unit: 'none',
          width: 4,
          lines: [[`count(${of('sealgate_build_info')})`, '']],
        },
        {
          title: 'Requests',
          type: 'stat',
          unit: 'reqps',
          width: 4,
          lines: [[`sum(rate(${of('sealgate_requests_total')}[$__rate_interval]))`, '']],
        },
        {
          title: 'Failed (5xx)',
          says: 'The objective is 99.9 % of requests that do not fail.',
          type: 'stat',
          unit: 'percentunit',
          width: 4,
          lines: [
            [
              `(sum(rate(${of('sealgate_requests_total', FAILED)}[$__rate_interval])) or vector(0)) / sum(rate(${of('sealgate_requests_total')}[$__rate_interval]))`,
              '',
            ],
          ],
        },
        {
          title: 'Integrity failures, 24 h',
          says: 'Stored data that is not what was written. Anything but 0 is for a person to look at.',
          type: 'stat',
          unit: 'none',
          width: 4,
          lines: [[`sum(increase(${of('sealgate_integrity_failures_total')}[24h]))`, '']],
        },
        {
          title: 'Key managers away',
          type: 'stat',
          unit: 'none',
          width: 4,
          lines: [[`sum(max by (manager) (${of('sealgate_key_manager_open')})) or vector(0)`, '']],
        },
        {
          title: 'Objects in plaintext',
          says: 'In buckets of mixed contents: what is left to seal.',
          type: 'stat',
          unit: 'none',
          width: 4,
          lines: [[`sum(max by (bucket) (${of('sealgate_plaintext_objects')})) or vector(0)`, '']],
        },
      ],
    },
    {
      title: 'Requests',
      panels: [
        {
          title: 'By status',
          unit: 'reqps',
          width: 12,
          stacked: true,
          lines: [[rate('sealgate_requests_total', 'status'), '{{status}}']],
        },
        {
          title: 'Errors by code',
          unit: 'reqps',
          width: 12,
          lines: [
            [rate('sealgate_requests_total', 'status, code', 'code!~"none|ClientDisconnected"'), '{{status}} {{code}}'],
          ],
        },
        {
          title: 'Time to the end of the answer',
          says: 'Points are traces, where Prometheus keeps exemplars.',
          unit: 's',
          width: 12,
          lines: [
            [quantile(0.5, 'sealgate_request_seconds', ''), 'half'],
            [quantile(0.95, 'sealgate_request_seconds', ''), '95 %'],
            [quantile(0.99, 'sealgate_request_seconds', ''), '99 %'],
          ],
        },
        {
          title: 'Where the time goes',
          says: 'Seconds of all requests together, each second. The gateway has what is left, waiting for clients included.',
          unit: 's',
          width: 12,
          stacked: true,
          lines: [[rate('sealgate_request_stage_seconds_sum', 'stage'), '{{stage}}']],
        },
        {
          title: 'Bytes of clients (plaintext)',
          unit: 'Bps',
          width: 12,
          lines: [[rate('sealgate_client_bytes_total', 'direction'), '{{direction}}']],
        },
        {
          title: 'Bytes of the backend (sealed)',
          unit: 'Bps',
          width: 12,
          lines: [[rate('sealgate_stored_bytes_total', 'direction'), '{{direction}}']],
        },
      ],
    },
    {
      title: 'Objectives',
      panels: [
        {
          title: 'Error budget: how fast it is spent',
          says: '1 spends the budget of 99.9 % in exactly its time; 14.4 spends a month of it in two days.',
          unit: 'none',
          width: 12,
          lines: (['5m', '1h', '6h', '3d'] as const).map((window) => [
            `sealgate:requests_failed:ratio_rate${window}{job=~"$job"} / 0.001`,
            window,
          ]),
        },
        {
          title: 'Slow requests: how fast the budget is spent',
          says: 'Of reads, writes and listings 99 % wait for no more than 2.5 s.',
          unit: 'none',
          width: 12,
          lines: (['5m', '1h', '6h', '3d'] as const).map((window) => [
            `sealgate:requests_slow:ratio_rate${window}{job=~"$job"} / 0.01`,
            window,
          ]),
        },
      ],
    },
    {
      title: 'Processes',
      panels: [
        {
          title: 'Requests under way',
          unit: 'none',
          width: 8,
          stacked: true,
          lines: [[`sum by (state) (${of('sealgate_open_requests')})`, '{{state}}']],
        },
        {
          title: 'Connections of clients',
          unit: 'none',
          width: 8,
          lines: [[`sum by (instance) (${of('sealgate_connections')})`, '{{instance}}']],
        },
        {
          title: 'Memory for bodies',
          says: 'At its limit requests are turned away with SlowDown.',
          unit: 'bytes',
          width: 8,
          lines: [
            [`sum by (instance) (${of('sealgate_gathered_bytes')})`, '{{instance}}'],
            [`sum by (instance) (${of('sealgate_gather_limit_bytes')})`, '{{instance}} limit'],
          ],
        },
        {
          title: 'Processors',
          unit: 'none',
          width: 8,
          lines: [[rate('process_cpu_seconds_total', 'instance'), '{{instance}}']],
        },
        {
          title: 'Memory',
          unit: 'bytes',
          width: 8,
          lines: [
            [of('process_resident_memory_bytes'), '{{instance}} resident'],
            [of('nodejs_heap_size_used_bytes'), '{{instance}} heap'],
            [of('nodejs_array_buffers_bytes'), '{{instance}} buffers'],
          ],
        },
        {
          title: 'Event loop: delay (99 %) and share of time at work',
          unit: 'none',
          width: 8,
          lines: [
            [of('nodejs_eventloop_lag_p99_seconds'), '{{instance}} s'],
            [
              `${rate('nodejs_eventloop_time_seconds_total', 'instance', 'state="active"')} / ${rate('nodejs_eventloop_time_seconds_total', 'instance')}`,
              '{{instance}} at work',
            ],
          ],
        },
        {
          title: 'Files',
          unit: 'none',
          width: 8,
          lines: [
            [of('process_open_fds'), '{{instance}}'],
            [of('process_max_fds'), '{{instance}} limit'],
          ],
        },
        {
          title: 'Settings read anew',
          says: 'Refused ones leave the old settings in effect.',
          unit: 'none',
          width: 8,
          lines: [
            [`sum by (outcome) (increase(${of('sealgate_config_reloads_total')}[$__rate_interval]))`, '{{outcome}}'],
            [`min by (instance) (${of('sealgate_config_last_reload_successful')})`, '{{instance}} last one in effect'],
          ],
        },
        {
          title: 'Time left',
          says: 'Of certificates and tokens.',
          unit: 's',
          width: 8,
          lines: [[`min by (what, name) (${of('sealgate_expiry_timestamp_seconds')} - time())`, '{{what}} {{name}}']],
        },
        {
          title: 'Workers',
          unit: 'none',
          width: 8,
          lines: [[`sum by (instance, state) (${of('sealgate_workers')})`, '{{instance}} {{state}}']],
        },
        {
          title: 'Background work',
          unit: 'none',
          width: 8,
          lines: [[`sum by (instance) (${of('sealgate_background_tasks')})`, '{{instance}}']],
        },
        {
          title: 'Lines of logs that were lost',
          says: 'Of the access log and the audit log, by where they should have gone.',
          unit: 'none',
          width: 8,
          lines: [
            [
              `sum by (log, sink) (increase(${of('sealgate_log_lines_lost_total')}[$__rate_interval]))`,
              '{{log}} {{sink}}',
            ],
          ],
        },
        {
          title: 'Spans of traces',
          unit: 'none',
          width: 8,
          lines: [[rate('sealgate_trace_spans_total', 'outcome'), '{{outcome}}']],
        },
        {
          title: 'Age of processes',
          unit: 's',
          width: 8,
          lines: [[`time() - ${of('process_start_time_seconds')}`, '{{instance}}']],
        },
      ],
    },
  ],
}
