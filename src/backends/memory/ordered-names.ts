/** Names kept in the order of their UTF-8 bytes. */
import { compareUtf8 } from '../utf8.ts'

/** A sorted set of names with binary search. */
export class OrderedNames {
  readonly #names: string[] = []

  get length(): number {
    return this.#names.length
  }

  at(index: number): string | undefined {
    return this.#names[index]
  }

  add(name: string): void {
    const index = this.indexFrom(name)
    if (this.#names[index] !== name) this.#names.splice(index, 0, name)
  }

  remove(name: string): void {
    const index = this.indexFrom(name)
    if (this.#names[index] === name) this.#names.splice(index, 1)
  }

  /** Of the first name at or after `name`. */
  indexFrom(name: string): number {
    return this.#first((each) => compareUtf8(each, name) >= 0)
  }

  /** Of the first name strictly after `name`. */
  indexAfter(name: string): number {
    return this.#first((each) => compareUtf8(each, name) > 0)
  }

  /** Of the first name after everything that begins with `prefix`. */
  indexBehind(prefix: string): number {
    return this.#first((each) => compareUtf8(each, prefix) > 0 && !each.startsWith(prefix))
  }

  #first(reached: (name: string) => boolean): number {
    let low = 0
    let high = this.#names.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (reached(this.#names[middle] ?? '')) high = middle
      else low = middle + 1
    }
    return low
  }
}
