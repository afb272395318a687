/** What a run asks of each bucket once. What failed is asked again by whoever comes next. */
export class OncePerBucket<T> {
  readonly #ask: (bucket: string, signal: AbortSignal) => Promise<T>
  readonly #answers = new Map<string, Promise<T>>()

  constructor(ask: (bucket: string, signal: AbortSignal) => Promise<T>) {
    this.#ask = ask
  }

  of(bucket: string, signal: AbortSignal): Promise<T> {
    const known = this.#answers.get(bucket)
    if (known !== undefined) return known
    const asked = this.#ask(bucket, signal)
    this.#answers.set(bucket, asked)
    asked.catch(() => this.#answers.delete(bucket))
    return asked
  }
}
