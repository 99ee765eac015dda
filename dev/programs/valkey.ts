/** Valkey from Debian 12's backports, unpacked under `.cache/`: the system's apt, its lists and its packages stay as they are. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { attempt, isExecutable, onPath, run, type Say } from './run.ts'

/** Debian's package of each library that the server or the module links. */
const libraryPackages: Record<string, string> = {
  'libatomic.so.1': 'libatomic1',
  'libcrypto.so.3': 'libssl3',
  'libgcc_s.so.1': 'libgcc-s1',
  'libgomp.so.1': 'libgomp1',
  'libjemalloc.so.2': 'libjemalloc2',
  'liblzf.so.1': 'liblzf1',
  'libssl.so.3': 'libssl3',
  'libstdc++.so.6': 'libstdc++6',
  'libsystemd.so.0': 'libsystemd0',
  'libcap.so.2': 'libcap2',
  'libgcrypt.so.20': 'libgcrypt20',
  'libgpg-error.so.0': 'libgpg-error0',
  'liblz4.so.1': 'liblz4-1',
  'liblzma.so.5': 'liblzma5',
  'libzstd.so.1': 'libzstd1'
}

/** The Debian packages of these libraries; those of no known package are left out. */
export function packagesOf (libraries: string[]): string[] {
  return [...new Set(libraries.flatMap(name => libraryPackages[name] ?? []))]
}

/** What the dynamic linker does not find for a program or a library: library names, or symbol versions such as GLIBC_2.38. */
export async function missingLibraries (file: string, env: Record<string, string> = {}): Promise<string[]> {
  const { output } = await attempt('ldd', [file], { env })
  const libraries = output.matchAll(/^\s*(\S+) => not found/gm)
  const versions = output.matchAll(/version `([^']+)' not found/g)
  return [...new Set([...libraries, ...versions].map(match => match[1]!))]
}

/**
 * A Valkey server, from Debian's backports.
 * @param module falkordb.so, whose libraries it then has as well
 * @param otherwise what else the user can do, for the messages
 * @throws on every other system, and where Debian's mirror cannot be had
 */
export async function unpackValkey (module: string | undefined, say: Say, otherwise: string): Promise<{ server: string, env: Record<string, string> }> {
  await requireDebian12(otherwise)
  const root = await cached('valkey-bookworm', say, folder => runs(folder, module), async folder => {
    say('downloading valkey 8 from Debian bookworm-backports into .cache/ (about 20 MB, no change to the system)')
    try {
      await download(folder, module)
    } catch (cause) {
      throw new Error(`Valkey could not be had from Debian's backports: install valkey or redis 7.2 or newer, ${otherwise}.\n${(cause as Error).message}`, { cause })
    }
  })
  return programOf(root)
}

function programOf (root: string): { server: string, env: Record<string, string> } {
  return { server: join(root, 'usr/bin/valkey-server'), env: { LD_LIBRARY_PATH: ['usr/lib', 'lib'].map(folder => join(root, folder, 'x86_64-linux-gnu')).join(':') } }
}

async function runs (root: string, module: string | undefined): Promise<boolean> {
  const { server, env } = programOf(root)
  if (!await isExecutable(server)) return false
  const { code } = await attempt(server, ['--version'], { env })
  return code === 0 && (module === undefined || (await missingLibraries(module, env)).length === 0)
}

async function requireDebian12 (otherwise: string): Promise<void> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const isDebian12 = /^ID=debian$/m.test(release) && /^VERSION_ID="?12"?$/m.test(release)
  if (!isDebian12 || !await onPath('apt-get') || !await onPath('dpkg')) {
    throw new Error(`There is no Valkey or Redis 7.2 or newer here: install one so that it is on the PATH, ${otherwise}.`)
  }
}

async function download (root: string, module: string | undefined): Promise<void> {
  const apt = join(root, '.apt')
  const settings = join(apt, 'apt.conf')
  for (const folder of ['lists/partial', 'cache/archives/partial', 'packages']) await mkdir(join(apt, folder), { recursive: true })
  const mirror = await debianMirror()
  await writeFile(join(apt, 'sources.list'), ['bookworm', 'bookworm-backports'].map(suite => `deb ${mirror} ${suite} main\n`).join(''))
  await writeFile(settings, `${[
    '#clear APT::Update::Post-Invoke', '#clear APT::Update::Post-Invoke-Success',
    `Dir::Etc::SourceList "${apt}/sources.list"`, 'Dir::Etc::SourceParts "-"', `Dir::State::Lists "${apt}/lists"`, `Dir::Cache "${apt}/cache"`,
    // Else apt, run by root, downloads as the user _apt, who may not be able to write here.
    'APT::Sandbox::User "root"',
    'Acquire::Languages "none"', 'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false"', 'Acquire::Retries "2"', 'Acquire::http::Timeout "20"'
  ].join(';\n')};\n`)
  await run('apt-get', ['-c', settings, 'update'])
  let wanted = ['valkey-server/bookworm-backports', 'valkey-tools/bookworm-backports']
  let missing: string[] = []
  const had = new Set<string>()
  while (wanted.length > 0) {
    await run('apt-get', ['-c', settings, 'download', ...wanted], { cwd: join(apt, 'packages') })
    for (const file of await readdir(join(apt, 'packages'))) await run('dpkg', ['-x', join(apt, 'packages', file), root])
    for (const name of wanted) had.add(name)
    const { server, env } = programOf(root)
    missing = [...await missingLibraries(server, env), ...module === undefined ? [] : await missingLibraries(module, env)]
    wanted = packagesOf(missing).filter(name => !had.has(name))
  }
  if (missing.length > 0) throw new Error(`It lacks ${missing.join(', ')}.`)
  await rm(apt, { recursive: true })
}

async function debianMirror (): Promise<string> {
  const { stdout } = await attempt('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE)'])
  const mirror = /^(\S+) bookworm$/m.exec(stdout)?.[1] ?? /^(\S+) /m.exec(stdout)?.[1]
  if (mirror === undefined) throw new Error("This machine's apt names no Debian mirror (/etc/apt/sources.list).")
  return mirror
}
