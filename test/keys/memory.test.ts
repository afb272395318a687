import { randomBytes } from 'node:crypto'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'

const create = async (alias: string): Promise<MemoryKeyManager> => new MemoryKeyManager({ alias, random: randomBytes })

keyManagerContract('memory', { tag: 'm', create, stranger: create, bindsContext: true, wrapsAtRandom: true })
