/** The numbers of KMIP 1.4 that are used (sections 9.1.3.1 and 9.1.3.2). */

export const TAG = {
  attribute: 0x420008,
  attributeName: 0x42000a,
  attributeValue: 0x42000b,
  authentication: 0x42000c,
  batchCount: 0x42000d,
  batchItem: 0x42000f,
  blockCipherMode: 0x420011,
  credential: 0x420023,
  credentialType: 0x420024,
  credentialValue: 0x420025,
  cryptographicAlgorithm: 0x420028,
  cryptographicParameters: 0x42002b,
  encryptionKeyInformation: 0x420036,
  iv: 0x42003d,
  keyBlock: 0x420040,
  keyFormatType: 0x420042,
  keyMaterial: 0x420043,
  keyValue: 0x420045,
  keyWrappingData: 0x420046,
  keyWrappingSpecification: 0x420047,
  maximumItems: 0x42004f,
  maximumResponseSize: 0x420050,
  nameType: 0x420054,
  nameValue: 0x420055,
  operation: 0x42005c,
  protocolVersion: 0x420069,
  versionMajor: 0x42006a,
  versionMinor: 0x42006b,
  queryFunction: 0x420074,
  requestHeader: 0x420077,
  requestMessage: 0x420078,
  requestPayload: 0x420079,
  responseHeader: 0x42007a,
  responseMessage: 0x42007b,
  responsePayload: 0x42007c,
  resultReason: 0x42007e,
  resultStatus: 0x42007f,
  symmetricKey: 0x42008f,
  batchItemId: 0x420093,
  uniqueIdentifier: 0x420094,
  username: 0x420099,
  wrappingMethod: 0x42009e,
  password: 0x4200a1,
  encodingOption: 0x4200a3,
  data: 0x4200c2,
  tagLength: 0x4200ce,
  additionalData: 0x4200fe,
  authenticationTag: 0x4200ff,
} as const

export const OPERATION = {
  Locate: 0x08,
  Get: 0x0a,
  GetAttributes: 0x0b,
  Query: 0x18,
  DiscoverVersions: 0x1e,
  Encrypt: 0x1f,
  Decrypt: 0x20,
} as const

export type Operation = keyof typeof OPERATION

export const MAJOR = 1
/** Minor versions that are spoken, the best first. Encrypt and Decrypt came with 1.2, associated data with 1.4. */
export const MINORS = [4, 3, 2] as const
export const MINOR_WITH_AAD = 4

export const SUCCESS = 0
export const FAILED = 1

export const QUERY_OPERATIONS = 1
export const USERNAME_AND_PASSWORD = 1
export const UNINTERPRETED_TEXT = 1
export const SYMMETRIC_KEY = 2
export const AES = 3
export const GCM = 9
export const NIST_KEY_WRAP = 0x0d
export const WRAP_BY_ENCRYPTING = 1
export const NO_ENCODING = 1
export const RAW = 1

/** Bits of the cryptographic usage mask. */
export const MAY_ENCRYPT = 0x04
export const MAY_DECRYPT = 0x08

export const STATE = {
  'Pre-Active': 1,
  Active: 2,
  Deactivated: 3,
  Compromised: 4,
  Destroyed: 5,
  'Destroyed Compromised': 6,
} as const

const STATE_NAMES = new Map<number, string>(Object.entries(STATE).map(([name, code]) => [code, name]))

export const stateName = (code: number): string => STATE_NAMES.get(code) ?? 'in an unknown state'

/** Result reasons: those of 1.4, and those of 2.0 that servers give to older clients too. */
export const REASON = {
  ItemNotFound: 0x01,
  ResponseTooLarge: 0x02,
  AuthenticationNotSuccessful: 0x03,
  InvalidMessage: 0x04,
  OperationNotSupported: 0x05,
  MissingData: 0x06,
  InvalidField: 0x07,
  FeatureNotSupported: 0x08,
  OperationCanceledByRequester: 0x09,
  CryptographicFailure: 0x0a,
  IllegalOperation: 0x0b,
  PermissionDenied: 0x0c,
  ObjectArchived: 0x0d,
  IndexOutOfBounds: 0x0e,
  KeyFormatTypeNotSupported: 0x10,
  EncodingOptionError: 0x12,
  KeyValueNotPresent: 0x13,
  AttestationRequired: 0x14,
  AttestationFailed: 0x15,
  Sensitive: 0x16,
  NotExtractable: 0x17,
  UsageLimitExceeded: 0x1a,
  BadCryptographicParameters: 0x24,
  BadPassword: 0x25,
  IncompatibleCryptographicUsageMask: 0x29,
  InternalServerError: 0x2a,
  KeyWrapTypeNotSupported: 0x32,
  ObjectDestroyed: 0x36,
  ObjectNotFound: 0x37,
  NotAuthorised: 0x39,
  ServerLimitExceeded: 0x3a,
  UnsupportedCryptographicParameters: 0x3e,
  UnsupportedProtocolVersion: 0x3f,
  WrappingObjectArchived: 0x40,
  WrappingObjectDestroyed: 0x41,
  WrappingObjectNotFound: 0x42,
  WrongKeyLifecycleState: 0x43,
  ProtectionStorageUnavailable: 0x44,
  GeneralFailure: 0x100,
} as const

const REASON_NAMES = new Map<number, string>(Object.entries(REASON).map(([name, code]) => [code, name]))

/** Its name, or the number of one that has no name here. */
export const reasonName = (code: number): string => REASON_NAMES.get(code) ?? `0x${code.toString(16)}`
