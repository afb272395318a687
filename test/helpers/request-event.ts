import type { ClientFacts, RequestEvent } from '../../src/telemetry/channels.ts'
import { Meter } from '../../src/telemetry/meter.ts'

/** 6 February 2019, 00:00:38.123 UTC. */
export const AT = 1_549_411_238_123

export interface EventParts extends Partial<Omit<RequestEvent, 'client' | 'meter'>> {
  readonly client?: Partial<ClientFacts>
  readonly meter?: Partial<Meter>
}

/** A finished GET of an object, or what differs from it. */
export function requestEvent({ client, meter, ...parts }: EventParts = {}): RequestEvent {
  const facts: ClientFacts = {
    address: '192.0.2.3',
    target: '/photos/2019/puppy.jpg?x-foo=bar',
    httpVersion: '1.1',
    host: 's3.example.internal:8080',
    userAgent: 'curl/7.15.1',
    referer: undefined,
    tls: undefined,
    ...client,
  }
  return {
    requestId: '3E57427F3EXAMPLE',
    hostId: 's9lzHYrFp76ZVxRcpX9+5cjAnEH2ROu/XV/VLi31234=',
    at: AT,
    client: () => facts,
    auth: 'AuthHeader',
    meter: Object.assign(new Meter(), meter),
    operation: 'GetObject',
    method: 'GET',
    bucket: 'photos',
    key: '2019/puppy.jpg',
    accessKey: 'AKIDEXAMPLE',
    status: 200,
    disconnected: false,
    milliseconds: 70.4,
    ...parts,
  }
}
