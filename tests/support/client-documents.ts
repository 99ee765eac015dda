/** Client ID metadata documents on the server that the stack of tests/sign-in has for them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stackPath } from './stack-file.ts'
import { unique } from './gateway.ts'

/** Publishes a document of a client. @returns its URL, which is the client's id */
export function publishDocument (name: string, redirect: string): string {
  const { documents, documentOrigin } = JSON.parse(readFileSync(join(dirname(stackPath()), 'sign-in.json'), 'utf8')) as { documents: string, documentOrigin: string }
  const file = `${unique('client')}.json`
  const url = `${documentOrigin}/${file}`
  writeFileSync(join(documents, file), JSON.stringify({
    client_id: url, client_name: name, redirect_uris: [redirect], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'none'
  }))
  return url
}
