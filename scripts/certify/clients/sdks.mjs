/** Clients that are libraries: a small program of ours is built with each, and says what it found; see the folder of its name. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from '../install.mjs'
import { sh } from '../shell.mjs'
import { runProgram, sdkEnv, SETTINGS } from './program.mjs'

const HERE = dirname(fileURLToPath(import.meta.url))

function library({ name, label, version, how, start }) {
  return {
    name,
    label,
    settings: SETTINGS,
    install: ({ cache }) => ({ made: build(cache, join(HERE, name), how), version }),
    run(cx, { made }) {
      const [file, ...args] = start(made)
      runProgram(cx, () => sh(file, args, { env: sdkEnv(cx, `${name}-checks`), minutes: 5 }))
    },
  }
}

const goProgram = {
  needs: ['go', ['version']],
  sources: ['go.mod', 'main.go'],
  product: 'checks',
  command: ['go', 'build', '-mod=mod', '-o', 'checks', '.'],
}

export const sdkGo = library({
  name: 'sdk-go',
  label: 'AWS SDK for Go v2',
  version: 's3 1.109.1',
  how: { ...goProgram, sources: [...goProgram.sources, 'fidelity.go'] },
  start: (made) => [made],
})

export const minioGo = library({
  name: 'minio-go',
  label: 'minio-go',
  version: '7.0.91',
  how: goProgram,
  start: (made) => [made],
})

export const sdkJava = library({
  name: 'sdk-java',
  label: 'AWS SDK for Java v2',
  version: '2.42.31',
  how: {
    needs: ['mvn'],
    sources: ['pom.xml', 'src/main/java/Checks.java', 'src/main/java/Fidelity.java'],
    product: 'target',
    command: [
      'mvn',
      '-q',
      '-B',
      'compile',
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      '-DoutputDirectory=target/lib',
    ],
  },
  start: (made) => [
    'java',
    '-Xmx512m',
    '-Dfile.encoding=UTF-8',
    '-cp',
    `${join(made, 'classes')}:${join(made, 'lib', '*')}`,
    'Checks',
  ],
})

export const sdkRust = library({
  name: 'sdk-rust',
  label: 'AWS SDK for Rust',
  version: '1.157.0',
  how: {
    needs: ['cargo'],
    sources: ['Cargo.toml', 'src/main.rs'],
    product: 'target/debug/sdk-rust',
    command: ['cargo', 'build', '-q'],
  },
  start: (made) => [made],
})
