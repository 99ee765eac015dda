/** What the scopes let a client do, in words for people. */
import { expandScopes, isScope } from '@gateway/common/scopes.ts'

export interface ScopeView {
  name: string
  /** In two or three words: "Change data". */
  title: string
  /** What that means, as a sentence. */
  sentence: string
}

const words: Record<string, Omit<ScopeView, 'name'>> = {
  'graph:read': { title: 'Read your graphs', sentence: 'See which graphs there are, how they are built and everything in them.' },
  'graph:write': { title: 'Change data', sentence: 'Make new graphs, and add, change and remove what is in a graph.' },
  'graph:admin': { title: 'Delete whole graphs', sentence: 'Remove a graph with everything in it, for ever.' },
  openid: { title: 'Know your account', sentence: 'Recognise you by a number of your account here.' },
  offline_access: { title: 'Stay connected', sentence: 'Go on without asking you again, until you disconnect it.' }
}

/** The scopes in words, with all that they include (graph:write includes graph:read), graphs first. One that has no words is shown by its name. */
export function scopeViews (names: Iterable<string>): ScopeView[] {
  const given = new Set(names)
  const ordered = [...expandScopes([...given].filter(isScope)), ...[...given].filter(name => !isScope(name))]
  return ordered.map(name => ({ name, ...Object.hasOwn(words, name) ? words[name]! : { title: name, sentence: 'There is no description of this; deny it if you do not know it.' } }))
}

/** Several as a part of a sentence: "read your graphs, change data". */
export function inOneLine (views: readonly ScopeView[]): string {
  return views.map(({ title }) => title.charAt(0).toLowerCase() + title.slice(1)).join(', ')
}
