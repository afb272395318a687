/** The command line of `npm run certify`. */
export const USAGE = `npm run certify -- [--store NAMES] [--client NAMES] [--quick] [--system-packages]

  --store NAMES      only these stores (a comma list)
  --client NAMES     only these clients (a comma list)
  --quick            a small made-up tree instead of a real one, and no file of 2 GiB
  --document         write docs/compatibility.md even after a quick run
  --system-packages  install Debian's packages by apt-get where a client or store comes from there

The first run compiles what it needs, Garage alone for a quarter of an hour; later ones take it from the cache.`

const LISTS = { '--store': 'stores', '--client': 'clients' }
const SWITCHES = {
  '--quick': 'quick',
  '--system-packages': 'systemPackages',
  '--bare': 'bare',
  '--document': 'document',
  '--help': 'help',
}

/** Parses arguments; throws on anything it does not know, and on names that are not in the tables. */
export function parseOptions(args, known) {
  const options = { quick: false, systemPackages: false, bare: false, document: false, help: false }
  for (let i = 0; i < args.length; i += 1) {
    const [flag, inline] = args[i].split('=', 2)
    if (SWITCHES[flag] !== undefined && inline === undefined) options[SWITCHES[flag]] = true
    else if (LISTS[flag] !== undefined) options[LISTS[flag]] = names(flag, inline ?? args[(i += 1)], known[LISTS[flag]])
    else throw new Error(`unknown argument ${args[i]}\n\n${USAGE}`)
  }
  return options
}

function names(flag, text, known) {
  const list = (text ?? '').split(',').filter((name) => name !== '')
  if (list.length === 0) throw new Error(`${flag} needs a name: ${known.join(', ')}`)
  for (const name of list)
    if (!known.includes(name)) throw new Error(`${flag}: there is no ${name}; there are ${known.join(', ')}`)
  return list
}
