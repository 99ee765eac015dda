/** The frame of a command that an operator runs: its words, a fault of who asks, its end. */

/** A fault of who asks: its message says what to do, and it is shown without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** The values of `NAME=value` arguments. @throws CommandError for a name that is none of these */
export function wordsOf<Name extends string> (names: readonly Name[], args: readonly string[]): Partial<Record<Name, string>> {
  return Object.fromEntries(args.map(arg => {
    const [name = ''] = arg.split('=', 1)
    if (!arg.includes('=') || !(names as readonly string[]).includes(name)) throw new CommandError(`${JSON.stringify(name)} is no word that is known here; there are ${names.join(', ')}.`)
    return [name, arg.slice(name.length + 1)]
  })) as Partial<Record<Name, string>>
}

/** Runs a command to its end: 0 where it was done, else 1 with a line that says what to do. */
export async function ending (work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    process.stderr.write(`${error instanceof CommandError ? error.message : (error as Error).stack}\n`)
    process.exitCode = 1
  }
}
