/** schemathesis from PyPI, in a virtual Python environment under .cache/. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from '../../dev/programs/cache.ts'
import { attempt, lastLines, onPath, type Say } from '../../dev/programs/run.ts'

const requirements = join(import.meta.dirname, 'requirements.txt')
/** What the pinned versions need at least. */
const oldest = [3, 11] as const
const advice = `schemathesis needs Python ${oldest.join('.')} or newer with venv (Debian: apt-get install python3 python3-venv) and, the first time, a package index that pip reaches (PIP_INDEX_URL names another one than PyPI).`

/**
 * The command that runs schemathesis, installed where it is absent.
 * @throws with what to install, where there is no Python or no package index
 */
async function findSchemathesis (say: Say): Promise<string[]> {
  const pinned = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const entry = await cached(`schemathesis/${pinned}`, say, async at => (await attempt(join(at, 'bin/python'), [join(at, 'bin/st'), '--version']).catch(() => ({ code: 1 }))).code === 0, install)
  // By its Python: the script itself names the folder in which it was installed, and that one was moved.
  return [join(entry, 'bin/python'), join(entry, 'bin/st')]
}

async function install (at: string) {
  const python = await onPath('python3')
  if (python === undefined) throw new Error(`There is no python3 on the PATH. ${advice}`)
  const steps: Array<[what: string, command: string, args: string[]]> = [
    ['this Python is too old', python, ['-c', `import sys; sys.exit(sys.version_info < (${oldest.join(', ')}))`]],
    ['no virtual environment could be made', python, ['-m', 'venv', at]],
    ['its packages could not be installed', join(at, 'bin/python'), ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '--only-binary', ':all:', '--retries', '2', '--timeout', '15', '-r', requirements]]
  ]
  for (const [what, command, args] of steps) {
    const { code, output } = await attempt(command, args)
    if (code !== 0) throw new Error(`schemathesis cannot be installed: ${what}. ${advice}\n${lastLines(output)}`)
  }
}

export interface Run {
  /** 0 where all operations kept to the document. */
  code: number | null
  output: string
  /** Requests that were good by the document and answered so, by operation. */
  accepted: Map<string, number>
  /** What was wrong, by operation. */
  faults: Map<string, string[]>
}

interface JsonReport {
  failures: Array<{ code: string, title: string, operations: string[] }>
  errors: Array<{ title?: string, operation?: string }>
  valid_rates: Record<string, Record<string, { accepted: number }>>
}

/**
 * Asks the stack at an origin whatever its /openapi.json allows, and much that it does not.
 * @param caFile PEM file of the authority that signed the origin's certificate
 */
export async function runSchemathesis (origin: string, caFile: string, authorization: string, say: Say): Promise<Run> {
  const [command = '', script = ''] = await findSchemathesis(say)
  const scratch = await mkdtemp(join(tmpdir(), 'schemathesis-'))
  try {
    // It leaves a folder where it runs.
    const path = join(scratch, 'report.json')
    const { code, output } = await attempt(command, [script, '--config-file', join(import.meta.dirname, 'schemathesis.toml'), 'run', `${origin}/openapi.json`,
      '--header', `Authorization: ${authorization}`, '--tls-verify', caFile, '--continue-on-failure', '--no-color', '--report', 'json', '--report-json-path', path], { cwd: scratch, env: { SCHEMATHESIS_HOOKS: join(import.meta.dirname, 'hooks.py'), PYTHONDONTWRITEBYTECODE: '1' } })
    const { failures, errors, valid_rates: rates } = JSON.parse(await readFile(path, 'utf8').catch(() => { throw new Error(`schemathesis ended with ${code} and no report:\n${lastLines(output, 40)}`) })) as JsonReport
    const faults = new Map<string, string[]>()
    const add = (operation: string, fault: string) => faults.set(operation, [...faults.get(operation) ?? [], fault])
    for (const { code, title, operations } of failures) for (const operation of operations) add(operation, `${code} ${title}`)
    for (const { operation = 'schemathesis', title = 'an error' } of errors) add(operation, title)
    const accepted = new Map(Object.entries(rates).map(([operation, phases]) => [operation, Object.values(phases).reduce((sum, { accepted }) => sum + accepted, 0)]))
    return { code, output, accepted, faults }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
