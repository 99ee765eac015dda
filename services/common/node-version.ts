/**
 * Refuses a Node that is too old, before anything else of a process runs: import it first in every entry point.
 * Node 22 and 23 can read the TypeScript but lack what it uses; Node 20 and older cannot read it at all.
 */

/** Oldest major version that the gateway is tested with. */
const oldestNode = 24

/** What is wrong with a Node of this version, in words; undefined where nothing is. */
export function nodeFault (version: string): string | undefined {
  const major = Number.parseInt(version, 10)
  if (major >= oldestNode) return undefined
  return `This needs Node ${oldestNode} or newer and runs on ${version}. After "npm ci" there is one at node_modules/.bin/node (Linux); ` +
    'elsewhere install it from https://nodejs.org or with your version manager.'
}

const fault = nodeFault(process.versions.node)
if (fault !== undefined) {
  process.stderr.write(`${fault}\n`)
  process.exit(1)
}
