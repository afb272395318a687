import { gunzipSync } from 'node:zlib'
import { Profile } from 'pprof-format'

/** What a gzipped profile says. */
export function decodePprof(bytes: Buffer) {
  const profile = Profile.decode(gunzipSync(bytes))
  const text = (index: number | bigint): string => profile.stringTable.strings[Number(index)] ?? ''
  const functions = new Map(profile.function.map(({ id, name }) => [Number(id), text(name)]))
  const locations = new Map(
    profile.location.map(({ id, line }) => [Number(id), functions.get(Number(line[0]?.functionId)) ?? '']),
  )
  const samples = profile.sample.map(({ locationId, value }) => ({
    names: locationId.map((id) => locations.get(Number(id)) ?? ''),
    value: Number(value.at(-1)),
  }))
  const sum = (some: typeof samples): number => some.reduce((total, { value }) => total + value, 0)
  return {
    types: profile.sampleType.map(({ type, unit }) => `${text(type)}/${text(unit)}`),
    total: sum(samples),
    /** What a function has to do with, itself or by those it calls. */
    of: (name: string): number => sum(samples.filter(({ names }) => names.includes(name))),
  }
}
