/**
 * .env.example, made of the schemas that the stack reads its settings by: `node deploy/env-example.ts > .env.example`.
 * With --check it says whether the file is what it would make.
 */
import '@gateway/common/node-version.ts'
import { readFileSync } from 'node:fs'
import type { TObject, TSchema } from 'typebox'
import type { SettingFacts } from '@gateway/common/config.ts'
import { settings as mcpSettings } from '../services/mcp/settings.ts'
import { settings as oauthSettings } from '../services/oauth/config.ts'
import { settings as verifySettings } from '../services/verify/config.ts'
import { composeSettings } from './settings.ts'

type Setting = TSchema & SettingFacts & { description?: string, default?: unknown, required?: boolean }

/** Every setting by name; the first schema that has it describes it. */
export const allSettings: ReadonlyMap<string, Setting> = collect([composeSettings, verifySettings, oauthSettings, mcpSettings])

function collect (schemas: readonly TObject[]): Map<string, Setting> {
  const settings = new Map<string, Setting>()
  for (const schema of schemas) {
    const required = new Set<string>(schema.required ?? [])
    for (const [name, setting] of Object.entries(schema.properties as Record<string, Setting>)) {
      if (!settings.has(name)) settings.set(name, { ...setting, required: setting.default === undefined && required.has(name) })
    }
  }
  return settings
}

/** Headings in their order; others follow. */
const groups = [
  'Public address', 'TLS', 'Secrets',
  'Sign-in', 'Sign-in with GitHub', 'Sign-in with Google Workspace', 'Sign-in with OpenID Connect', 'Who belongs to which tenant', 'Tokens', 'OAuth clients',
  'Token issuer', 'API key', 'Tenants', 'Shared state', 'FalkorDB', 'Limits', 'Tools', 'Size'
]
const internal = 'Internal addresses (set by compose and make dev)'
/** Secrets that docker-compose.yml mounts as files; a test compares the two. */
export const inFiles = ['GATEWAY_SECRET', 'OAUTH_SECRET', 'MCP_API_KEY', 'BEARER_ISSUERS', 'GITHUB_CLIENT_SECRET', 'GOOGLE_CLIENT_SECRET', 'OIDC_CLIENT_SECRET', 'OIDC_PROVIDERS']
/** Those that docker-compose.yml makes from others where they are not set. */
const derived = new Set(['PUBLIC_URL', 'FALKORDB_URL'])

const introduction = (inFiles: string) => `# Settings of the stack, each with its default. \`make up\` writes a .env with fresh secrets; set what differs there.
# Made by "node deploy/env-example.ts" from the services' own schemas. Write JSON and values with blanks in 'single quotes'.
# These may lie in files instead, which variables of the same name and _FILE name, e.g. GATEWAY_SECRET_FILE: ${inFiles}.
`

/** The text of .env.example. */
export function envExample (): string {
  const byGroup = Map.groupBy(allSettings, ([, setting]) => setting.group ?? 'Other')
  const names = [...groups.filter(name => byGroup.has(name)), ...[...byGroup.keys()].filter(name => !groups.includes(name) && name !== internal), internal]
  return [introduction(inFiles.join(', ')), ...names.map(name => section(name, byGroup.get(name) ?? []))].join('\n')
}

function section (name: string, settings: ReadonlyArray<[string, Setting]>): string {
  const entries = settings.map(([variable, setting]) => `\n# ${setting.description ?? ''}\n${assignment(variable, setting, name)}\n`)
  return `\n# ${name}\n${entries.join('')}`
}

// A line to fill in where the stack does not start without; else a comment that shows the default, or an example in place of an empty one.
function assignment (name: string, setting: Setting, group: string): string {
  if (setting.required && group !== internal && !derived.has(name)) return `${name}=`
  return `#${name}=${quoted(String(setting.example ?? setting.default ?? ''))}`
}

const quoted = (value: string) => /[\s"#$]/.test(value) ? `'${value}'` : value

if (import.meta.main) {
  const text = envExample()
  if (process.argv[2] === '--check') {
    if (readFileSync(new URL('../.env.example', import.meta.url), 'utf8') !== text) {
      process.stderr.write('.env.example is stale: node deploy/env-example.ts > .env.example\n')
      process.exitCode = 1
    }
  } else {
    process.stdout.write(text)
  }
}
