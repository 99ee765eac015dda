import fc from 'fast-check'
import t from 'tap'
import { accountPage, consentPage, errorPage, scopeViews, signedOutPage, signInPage, type ClientView } from './index.ts'
import { claude, connections, examples } from './examples.ts'

/** Everything that others may have chosen, as one text each time. */
function pagesSaying (text: string): Record<string, string> {
  const client: ClientView = { name: text, redirectHost: text, verified: false, clientHost: text }
  const scopes = scopeViews([text, 'graph:read'])
  const memberships = [{ tenant: text, scopes: ['graph:read'] }, { tenant: `${text} too`, scopes: [] }]
  const connection = { gid: text, clientName: text, redirectHost: text, verified: true, tenant: text, scopes: [text], createdAt: 1, lastUsed: 2 }
  return {
    signIn: signInPage({ client, scopes, upstreams: [{ id: text, label: text }], local: true, action: text, cancel: text, csrf: text, fault: text }),
    consent: consentPage({ client, person: text, memberships, scopes, action: text, csrf: text, fault: text }),
    account: accountPage({ person: text, connections: [connection], csrf: text, now: 3, notice: text, fault: text }),
    signedOut: signedOutPage({ signInUrl: text }),
    error: errorPage({ title: text, message: text, advice: text, code: text, requestId: text, back: text })
  }
}

/** The tags and the names of their attributes, read as a browser's tokenizer does (HTML Standard 13.2.5), as far as these pages go. */
function skeleton (document: string): string {
  let tags = ''
  let rest = document
  for (let at = rest.search(/<[a-z/!]/i); at >= 0; at = rest.search(/<[a-z/!]/i)) {
    const [whole, name, attributes] = /^<([!/]?[^\s/>]+)((?:\s+[^\s=>/]+(?:="[^"]*")?)*)\s*>/.exec(rest.slice(at)) ?? [undefined]
    if (whole === undefined || attributes === undefined) throw new Error(`no tag that we would write: ${rest.slice(at, at + 80)}`)
    tags += `<${name}${attributes.replaceAll(/="[^"]*"/g, '')}>`
    rest = rest.slice(at + whole.length)
  }
  return tags
}

t.test('no tag and no attribute comes from what others say, on any page', async () => {
  const plain = pagesSaying('word')
  const markup = fc.constantFrom('<', '>', '"', "'", '`', '&', '=', '/', '<script>', '</main>', '<!--', '-->', '" autofocus onfocus="x', "' style='", '&lt;', '&#60;', ']]>', '\0', '\u{202e}', '\u{d800}', '<bdi>', 'javascript:')
  fc.assert(fc.property(fc.string({ unit: fc.oneof(markup, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })), maxLength: 40 }), noise => {
    // A letter before it, so that no page takes a shorter way for an empty name; none at the end, so that it is no scheme.
    const said = pagesSaying(`a${noise}b`)
    return Object.entries(said).every(([name, document]) => skeleton(document) === skeleton(plain[name]!))
  }), { numRuns: 200 })
})

t.test('the pages are documents of their own: no script, no style, no handler, nothing of another host', async t => {
  for (const [name, document] of Object.entries(examples)) {
    t.match(document, /^<!DOCTYPE html>\n<html lang="en">/, name)
    t.notMatch(skeleton(document), /<script|<style|<iframe|<object|<form[^>]*target| style| on[a-z]+/, name)
    t.notMatch(document, /(?:src|href|action)="(?!\/(?!\/))/, `${name} refers to paths of its own host only`)
  }
})

t.test('the titles say where one is, tell faults first, and hold no word of a client', async t => {
  const title = (document: string) => /<title>(.*)<\/title>/.exec(document)?.[1]
  t.equal(title(examples['sign-in']), 'Sign in · FalkorDB gateway')
  t.equal(title(examples['sign-in-local']), 'Error: Sign in · FalkorDB gateway')
  t.equal(title(examples.consent), 'Allow access? · FalkorDB gateway')
  t.equal(title(examples.account), 'Connected apps · FalkorDB gateway')
  t.equal(title(examples.error), 'This app cannot be let in · FalkorDB gateway')
  t.equal(title(pagesSaying('Evil').consent!), 'Error: Allow access? · FalkorDB gateway')
})

t.test('7: consent shows the host of the redirect, and that of the metadata document', async t => {
  const memberships = [{ tenant: 'acme', scopes: ['graph:read'] }]
  const show = (client: ClientView) => consentPage({ client, person: 'ada', memberships, scopes: scopeViews(['graph:read']), action: '/x', csrf: 'c' })
  t.match(show(claude), /Verified:<\/strong> <bdi>claude\.ai<\/bdi> itself describes this app/)
  const elsewhere = show({ ...claude, verified: false, redirectHost: 'back.example' })
  t.match(elsewhere, /<dd class="host"><bdi>back\.example<\/bdi>/)
  t.match(elsewhere, /Unverified:<\/strong> <bdi>claude\.ai<\/bdi> describes this app, but you return to another place/)
})

t.test('consent of one tenant shows what will be given there and what will not', async t => {
  const page = consentPage({ client: claude, person: 'ada', memberships: [{ tenant: 'acme', scopes: ['graph:read'] }], scopes: scopeViews(['graph:admin', 'openid']), action: '/x', csrf: 'c' })
  t.match(page, /It will be able to/)
  t.match(page, /<strong>Read your graphs:/)
  t.match(page, /<strong>Know your account:/)
  t.notMatch(page, /<strong>Delete whole graphs:/)
  t.match(page, /not be able to do either: change data, delete whole graphs\./)
  t.match(page, /<input type="hidden" name="tenant" value="acme">/)
})

t.test('of several tenants none is chosen beforehand', async t => {
  const page = examples['consent-two-tenants']
  t.equal(page.match(/<input type="radio"[^>]* required>/g)?.length, 2)
  t.notMatch(page, / checked/)
})

t.test('without multi-tenancy nothing is said of tenants', async t => {
  const page = consentPage({ client: claude, person: 'ada', memberships: [{ tenant: '', scopes: ['graph:read'] }, { tenant: '', scopes: ['graph:read'] }], scopes: scopeViews(['graph:read']), action: '/x', csrf: 'c' })
  t.notMatch(page, /[^"]tenant[^"]/i)
})

t.test('nobody is asked for consent who could give none', async t => {
  t.throws(() => consentPage({ client: claude, person: 'ada', memberships: [], scopes: [], action: '/x', csrf: 'c' }), RangeError)
})

t.test('times of connections are in words, and exact for machines', async t => {
  const [connection] = connections
  const used = (ago: number) => /Last used<\/span> (<time.*<\/time>)/.exec(accountPage({ person: 'ada', connections: [{ ...connection!, lastUsed: 1_800_000_000 - ago }], csrf: 'c', now: 1_800_000_000 }))?.[1]
  t.equal(used(-5), '<time datetime="2027-01-15T08:00:05.000Z">just now</time>')
  t.match(used(119), /just now/)
  t.match(used(600), /10 minutes ago/)
  t.match(used(7_200), /2 hours ago/)
  t.match(used(90_000), /yesterday/)
  t.match(used(20 * 86_400), /2 weeks ago/)
  t.match(used(800 * 86_400), /2 years ago/)
})

t.test('an error says what happened, what to do and which request it was', async t => {
  t.match(examples.error, /<h1>This app cannot be let in<\/h1>/)
  t.match(examples.error, /connect again from the app that brought you here/)
  t.match(examples.error, /<code>req-7f3k-21<\/code>/)
  t.match(errorPage({ title: 'x', message: 'y', advice: 'Sign in again.', requestId: 'r', back: '/account' }), /<p>Sign in again\.<\/p>\s*<p class="ways"><a class="button" href="\/account">/)
})
