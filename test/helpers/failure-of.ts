/** What a call fails with, or an error that says that it did not. */
export const failureOf = (call: Promise<unknown>): Promise<Error> =>
  call.then(
    () => new Error('no failure'),
    (error: Error) => error,
  )
