/** The operation table: one row for each operation of S3. A missing row does not compile. */
import { S3Error } from './errors.ts'
import { OPERATIONS_BESIDE_OBJECTS } from './operation-beside.ts'
import { BUILT_OPERATIONS } from './operation-built.ts'
import { CONFIGURATION_OPERATIONS } from './operation-configurations.ts'
import type { OperationName } from './operation-name.ts'
import type { OperationRow, OperationRows } from './operation-row.ts'
import { UNBUILT_OPERATIONS } from './operation-unbuilt.ts'

export const OPERATIONS: OperationRows = {
  ...BUILT_OPERATIONS,
  ...OPERATIONS_BESIDE_OBJECTS,
  ...CONFIGURATION_OPERATIONS,
  ...UNBUILT_OPERATIONS,
}

/** The operations that work, for tables of handlers. */
export type BuiltOperation =
  | keyof typeof BUILT_OPERATIONS
  | keyof typeof OPERATIONS_BESIDE_OBJECTS
  | keyof typeof CONFIGURATION_OPERATIONS

export const isBuilt = (name: OperationName): name is BuiltOperation => OPERATIONS[name].built

/** Throws `NotImplemented` with the reason for an operation that is neither built nor, where the store is `native`, forwarded to it. */
export function requireBuilt(name: OperationName, native: boolean): void {
  const row: OperationRow = OPERATIONS[name]
  if (row.built || (native && row.class === 'forwarded')) return
  throw new S3Error('NotImplemented', { message: `${name} is not implemented. ${row.reason}` })
}
