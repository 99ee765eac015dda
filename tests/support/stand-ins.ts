/** The stand-ins of GitHub, Google and a company's OpenID provider live in the process of the stack of tests/sign-in; this tells them from a test what to be. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createSend } from './https.ts'
import { stackPath } from './stack-file.ts'
import type { Github, GithubPerson } from './upstreams/github.ts'
import type { Openid, OpenidPerson } from './upstreams/openid.ts'
import type { Trouble } from './upstreams/stand-in.ts'

/** The stand-ins by the ids of their upstreams. */
export interface StandIns { github: Github, google: Openid, oidc: Openid }

/** What is absent stays as it is. */
export interface Told {
  /** Whose browser it is that comes; null: they press Cancel. */
  person?: GithubPerson | OpenidPerson | null
  /** The same person is known there as this from now on, for who is signed in already too; not at GitHub. */
  changeTo?: OpenidPerson
  /** Whose tokens are good no longer: a login at GitHub, a subject elsewhere. */
  withdraw?: string
  /** All paths that fail. */
  trouble?: Record<string, Trouble>
  /** A page with a button comes between. */
  asksPerson?: boolean
}

/** Does it, in the process of the stack. */
export function hear (standIns: StandIns, id: keyof StandIns, { person, changeTo, withdraw, trouble, asksPerson }: Told): void {
  const standIn = standIns[id]
  if (person !== undefined) Object.assign(standIn, { person: person ?? undefined })
  if (changeTo !== undefined && id !== 'github') standIns[id].changeTo(changeTo)
  if (withdraw !== undefined) standIn.withdraw(withdraw)
  if (asksPerson !== undefined) standIn.asksPerson = asksPerson
  if (trouble === undefined) return
  standIn.trouble.clear()
  for (const [path, kind] of Object.entries(trouble)) standIn.trouble.set(path, kind)
}

/** Tells it, from a test. @throws Error where it was not understood */
export async function tell (id: keyof StandIns, told: Told): Promise<void> {
  const { control } = JSON.parse(readFileSync(join(dirname(stackPath()), 'sign-in.json'), 'utf8')) as { control: string }
  const { status, text } = await createSend(control)({ path: `/${id}`, body: told })
  if (status !== 200) throw new Error(`the stand-in answered ${status} ${text}`)
}
