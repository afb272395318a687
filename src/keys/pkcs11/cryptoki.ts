/** The part of PKCS#11 that is used, as the package `pkcs11js` gives it, and the numbers of the standard. */

/** A number of the library, in its own bytes. */
export type Handle = Buffer

export interface Mechanism {
  readonly mechanism: number
  readonly parameter?: Readonly<Record<string, number | Buffer>>
}

export interface Attribute {
  readonly type: number
  readonly value?: number | boolean | string | Buffer
}

/** Calls that fail throw an error with a numeric `code`. All of them block. */
export interface Cryptoki {
  load(path: string): void
  C_Initialize(options: { readonly flags: number }): void
  C_Finalize(): void
  C_GetSlotList(tokenPresent: boolean): Handle[]
  C_GetTokenInfo(slot: Handle): { readonly label: string; readonly serialNumber: string; readonly flags: number }
  C_GetMechanismInfo(slot: Handle, mechanism: number): { readonly flags: number }
  C_OpenSession(slot: Handle, flags: number): Handle
  C_CloseSession(session: Handle): void
  C_GetSessionInfo(session: Handle): { readonly state: number }
  C_Login(session: Handle, user: number, pin: string): void
  C_FindObjectsInit(session: Handle, template: Attribute[]): void
  C_FindObjects(session: Handle, most: number): Handle[]
  C_FindObjectsFinal(session: Handle): void
  C_GetAttributeValue(session: Handle, object: Handle, template: Attribute[]): { readonly value: Buffer }[]
  C_CreateObject(session: Handle, template: Attribute[]): Handle
  C_DestroyObject(session: Handle, object: Handle): void
  C_EncryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_Encrypt(session: Handle, data: Buffer, out: Buffer): Buffer
  C_DecryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_Decrypt(session: Handle, data: Buffer, out: Buffer): Buffer
  C_WrapKey(session: Handle, mechanism: Mechanism, wrapping: Handle, key: Handle, out: Buffer): Buffer
  C_UnwrapKey(session: Handle, mechanism: Mechanism, unwrapping: Handle, wrapped: Buffer, template: Attribute[]): Handle
}

/** What the package exports. */
export interface Pkcs11Package {
  readonly PKCS11: new () => Cryptoki
  /** The package's own number for the shape of the parameters of AES-GCM. */
  readonly CK_PARAMS_GCM: number
}

export const CKF_OS_LOCKING_OK = 0x2
export const CKF_SERIAL_SESSION = 0x4
export const CKU_USER = 1
/** States of sessions in which the user is logged in. */
export const CKS_USER: ReadonlySet<number> = new Set([1, 3])

/** Flags of tokens. */
export const CKF_LOGIN_REQUIRED = 0x4
/** A wrong PIN was tried since the last right one. */
export const CKF_USER_PIN_COUNT_LOW = 0x10000
export const CKF_USER_PIN_FINAL_TRY = 0x20000
export const CKF_USER_PIN_LOCKED = 0x40000

/** Flags of mechanisms. */
export const CKF_ENCRYPT = 0x100
export const CKF_DECRYPT = 0x200
export const CKF_WRAP = 0x20000
export const CKF_UNWRAP = 0x40000

export const CKM_AES_GCM = 0x1087
export const CKM_AES_KEY_WRAP = 0x2109
export const CKM_AES_KEY_WRAP_PAD = 0x210a

export const CKO_SECRET_KEY = 4
export const CKK_GENERIC_SECRET = 0x10
export const CKK_AES = 0x1f
export const CKA_CLASS = 0x0
export const CKA_TOKEN = 0x1
export const CKA_LABEL = 0x3
export const CKA_VALUE = 0x11
export const CKA_KEY_TYPE = 0x100
export const CKA_ID = 0x102
export const CKA_SENSITIVE = 0x103
export const CKA_VALUE_LEN = 0x161
export const CKA_EXTRACTABLE = 0x162

/** Return values by name: those that are told apart, and those that help whoever reads a message. */
export const CKR = {
  HOST_MEMORY: 0x2,
  SLOT_ID_INVALID: 0x3,
  GENERAL_ERROR: 0x5,
  FUNCTION_FAILED: 0x6,
  ARGUMENTS_BAD: 0x7,
  CANT_LOCK: 0xa,
  ATTRIBUTE_SENSITIVE: 0x11,
  ATTRIBUTE_TYPE_INVALID: 0x12,
  ATTRIBUTE_VALUE_INVALID: 0x13,
  DATA_INVALID: 0x20,
  DATA_LEN_RANGE: 0x21,
  DEVICE_ERROR: 0x30,
  DEVICE_MEMORY: 0x31,
  DEVICE_REMOVED: 0x32,
  ENCRYPTED_DATA_INVALID: 0x40,
  ENCRYPTED_DATA_LEN_RANGE: 0x41,
  AEAD_DECRYPT_FAILED: 0x42,
  FUNCTION_CANCELED: 0x50,
  FUNCTION_NOT_SUPPORTED: 0x54,
  KEY_HANDLE_INVALID: 0x60,
  KEY_SIZE_RANGE: 0x62,
  KEY_TYPE_INCONSISTENT: 0x63,
  KEY_NOT_WRAPPABLE: 0x69,
  KEY_FUNCTION_NOT_PERMITTED: 0x68,
  KEY_UNEXTRACTABLE: 0x6a,
  MECHANISM_INVALID: 0x70,
  MECHANISM_PARAM_INVALID: 0x71,
  OBJECT_HANDLE_INVALID: 0x82,
  OPERATION_ACTIVE: 0x90,
  OPERATION_NOT_INITIALIZED: 0x91,
  PIN_INCORRECT: 0xa0,
  PIN_INVALID: 0xa1,
  PIN_LEN_RANGE: 0xa2,
  PIN_EXPIRED: 0xa3,
  PIN_LOCKED: 0xa4,
  SESSION_CLOSED: 0xb0,
  SESSION_COUNT: 0xb1,
  SESSION_HANDLE_INVALID: 0xb3,
  TEMPLATE_INCOMPLETE: 0xd0,
  TEMPLATE_INCONSISTENT: 0xd1,
  TOKEN_NOT_PRESENT: 0xe0,
  TOKEN_NOT_RECOGNIZED: 0xe1,
  UNWRAPPING_KEY_HANDLE_INVALID: 0xf0,
  UNWRAPPING_KEY_TYPE_INCONSISTENT: 0xf2,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  USER_PIN_NOT_INITIALIZED: 0x102,
  USER_TYPE_INVALID: 0x103,
  USER_ANOTHER_ALREADY_LOGGED_IN: 0x104,
  USER_TOO_MANY_TYPES: 0x105,
  WRAPPED_KEY_INVALID: 0x110,
  WRAPPED_KEY_LEN_RANGE: 0x112,
  WRAPPING_KEY_HANDLE_INVALID: 0x113,
  WRAPPING_KEY_TYPE_INCONSISTENT: 0x115,
  BUFFER_TOO_SMALL: 0x150,
  CRYPTOKI_NOT_INITIALIZED: 0x190,
  CRYPTOKI_ALREADY_INITIALIZED: 0x191,
  TOKEN_RESOURCE_EXCEEDED: 0x201,
} as const

const NAMES = new Map<number, string>(Object.entries(CKR).map(([name, code]) => [code, `CKR_${name}`]))

/** `CKR_…`, or the number of a value that has no name here. */
export function nameOf(code: number): string {
  return NAMES.get(code) ?? `0x${code.toString(16)}`
}

/** `Key wrap` and its kin by the names of the settings. */
export type MechanismName = 'aes-gcm' | 'aes-key-wrap'
