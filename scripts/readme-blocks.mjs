/**
 * The code blocks of the README that say how they are to be tried. The marker is an HTML comment on the line before the
 * block, invisible to readers:
 *
 *   <!-- ci: run -->                      runs as written, exit code 0 expected
 *   <!-- ci: serve http://…/healthz -->   runs in the background, awaited on that address, stopped at the end
 *   <!-- ci: needs aws-cli -->            needs a foreign client: counted as not run, with the reason
 *   <!-- ci: text -->                     not a command
 */
import { readFileSync } from 'node:fs'

/** Every fenced block with its marker. A shell block without a marker is an error: nothing in the README goes untried by oversight. */
export function readmeBlocks(path) {
  const text = readFileSync(path, 'utf8')
  const pattern = /(?:<!-- ci: ([^\n]*?) -->\n)?```(\w*)\n([\s\S]*?)```/g
  return [...text.matchAll(pattern)].map(([, marker, language, body]) => {
    const shell = language === 'sh' || language === 'bash' || language === 'console'
    if (marker === undefined && shell) throw new Error(`a shell block of ${path} has no "ci:" marker:\n${body}`)
    const [how = 'text', ...words] = (marker ?? 'text').split(' ')
    return { how, argument: words.join(' '), body: body.trim() }
  })
}
