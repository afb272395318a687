/** A folder with an audit log in it, and what a chain writer needs. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChainOptions, ChainWriter } from '../../src/telemetry/audit-log/chain-writer.ts'
import { type LineHandle, openLines, type OpenLines } from '../../src/telemetry/line-file.ts'
import { AT } from './request-event.ts'

export class AuditFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'sealgate-audit-'))
  readonly lost: number[] = []
  readonly trouble: unknown[] = []

  writer(options: Partial<ChainOptions> = {}): ChainWriter {
    return new ChainWriter({
      folder: this.path,
      chain: 'host-0',
      rotateAt: 1024 * 1024,
      strict: true,
      clock: () => AT,
      onLost: (lines) => void this.lost.push(lines),
      onTrouble: (cause) => void this.trouble.push(cause),
      onWritten: () => undefined,
      ...options,
    })
  }

  files(): string[] {
    return readdirSync(this.path)
      .filter((name) => name.endsWith('.jsonl'))
      .toSorted()
      .map((name) => join(this.path, name))
  }

  lines(at = -1): Record<string, unknown>[] {
    return this.texts(at).map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  texts(at = -1): string[] {
    return readFileSync(this.files().at(at)!, 'utf8').split('\n').filter(Boolean)
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** A disk that can be full. */
export class FullableDisk {
  full = false
  /** What a write puts there before it fails. */
  half = false
  /** Whether files cannot be cut either. */
  stuck = false

  readonly open: OpenLines = async (path) => {
    if (this.full && !this.half) throw noRoom()
    const handle = await openLines(path)
    const append: LineHandle['appendFile'] = async (text) => {
      if (this.full && this.half) await handle.appendFile(String(text).slice(0, String(text).length / 2))
      if (this.full) throw noRoom()
      await handle.appendFile(text)
    }
    const truncate: LineHandle['truncate'] = async (bytes) => {
      if (this.stuck) throw noRoom()
      await handle.truncate(bytes)
    }
    return {
      appendFile: append,
      truncate,
      stat: handle.stat.bind(handle),
      datasync: () => handle.datasync(),
      close: () => handle.close(),
    }
  }
}

const noRoom = (): Error => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
