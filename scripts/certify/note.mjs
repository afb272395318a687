/** User metadata beyond ASCII. S3 tells it in an encoded word of RFC 2047, and so does the gateway; these clients show what they are told. */
export const NOTE = 'ünïcödé'

/** What a client shows of it. A store without the gateway before it gives the bytes back. */
export const noteAsTold = ({ bare }) => (bare ? NOTE : `=?UTF-8?B?${Buffer.from(NOTE).toString('base64')}?=`)
