export interface Block {
  readonly how: string
  readonly argument: string
  readonly body: string
}

export function readmeBlocks(path: string): Block[]
