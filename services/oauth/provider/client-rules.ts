/**
 * What a client may say of itself, by open registration (RFC 7591) or in a metadata document: oidc-provider asks `extraClientMetadata`
 * before it applies its own rules, whenever a client is made of metadata.
 */
import { errors, type ClientMetadata, type KoaContextWithOIDC } from 'oidc-provider'
import { isOnThisDevice, redirectHostOf, type ClientView } from '../pages/client-view.ts'
import { redirectFault, redirectKind } from './redirect-uris.ts'
import { machineMetadata } from './resource.ts'

export { redirectHostOf }

/** Keys of one client: without a `kid` in an assertion each is tried, before it is known who asks. */
export const maxKeys = 10
/** Sizes of what a client says of itself: members, name and addresses. */
const limits = { metadataBytes: 16 * 1024, nameCharacters: 100, redirects: 10 } as const

/** With a person; client_credentials is for clients that the operator makes. */
const answered: Readonly<Record<string, readonly [string, ...string[]]>> = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] }
const authMethods = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']
const privatePrefix = 'gateway_'
const privateMembers: readonly string[] = Object.values(machineMetadata)

type Metadata = Record<string, unknown>
type Context = KoaContextWithOIDC | undefined

/**
 * For oidc-provider: members that only the operator's commands may give a client, and the rules for all others.
 * The rules may change the metadata, because oidc-provider reads it again afterwards.
 */
export const extraClientMetadata = {
  properties: [...privateMembers],
  validator (ctx: Context, key: string, _value: unknown, metadata: ClientMetadata): void {
    if (key === privateMembers[0]) applyRules(ctx, metadata as unknown as Metadata)
  }
}

/** True for a client id that is the address of a metadata document: oidc-provider makes no such id itself. */
export const isDocumentId = (clientId: unknown): clientId is string => typeof clientId === 'string' && /^https:\/\//i.test(clientId)

/**
 * @throws errors.InvalidClientMetadata with the codes of RFC 7591 section 3.2.2: invalid_redirect_uri, invalid_client_metadata
 */
function applyRules (ctx: Context, metadata: Metadata): void {
  const fromDocument = isDocumentId(metadata.client_id)
  // Without a request, and no document: a client of the store or of the configuration, which was judged before, or made by the operator.
  if (ctx === undefined && !fromDocument) return
  const sent = (ctx?.oidc.body ?? metadata) as Metadata
  refusePrivate({ ...metadata, ...(fromDocument ? {} : sent) })
  if (sizeOf(sent) > limits.metadataBytes) refuse(`client metadata must not be larger than ${limits.metadataBytes} bytes`)
  settleAuthMethod(metadata, sent, fromDocument)
  settleGrants(metadata, fromDocument)
  judgeName(metadata.client_name)
  judgeRedirects(metadata.redirect_uris)
  const { keys } = (metadata.jwks ?? {}) as { keys?: unknown }
  if (Array.isArray(keys) && keys.length > maxKeys) refuse(`jwks must not hold more than ${maxKeys} keys`)
  if (metadata.jwks_uri !== undefined && !(typeof metadata.jwks_uri === 'string' && URL.parse(metadata.jwks_uri)?.protocol === 'https:')) refuse('jwks_uri must be an https uri')
  // Kept, it would stand in the way of a client that asks for more later; what may be asked for is settled by the person's consent.
  delete metadata.scope
  // There is one algorithm that we sign by.
  delete metadata.id_token_signed_response_alg
  // Would be fetched, for subjects that we do not have.
  delete metadata.sector_identifier_uri
  // RFC 8252 section 7.3: the port of a loopback address is the app's choice at each request; oidc-provider leaves it to native clients.
  if ((metadata.redirect_uris as string[]).some(uri => redirectKind(uri) !== 'web')) metadata.application_type = 'native'
}

/** Bytes as JSON; no number is large enough for what is nested so deep that it cannot be written again. */
function sizeOf (metadata: Metadata): number {
  try {
    return Buffer.byteLength(JSON.stringify(metadata))
  } catch {
    return Infinity
  }
}

function refuse (description: string): never {
  throw new errors.InvalidClientMetadata(description)
}

function refusePrivate (metadata: Metadata): void {
  // oidc-provider would drop those that it does not know; whoever tries is told.
  const found = Object.keys(metadata).find(name => name.startsWith(privatePrefix) && metadata[name] !== undefined)
  if (found !== undefined) refuse(`members that begin with ${privatePrefix} are the operator's alone`)
}

// RFC 7591 section 2: left out, it is client_secret_basic, and oidc-provider has made the secret already; a document can hold no secret.
function settleAuthMethod (metadata: Metadata, sent: Metadata, fromDocument: boolean): void {
  if (fromDocument && metadata.token_endpoint_auth_method === 'client_secret_basic') metadata.token_endpoint_auth_method = 'none'
  if (!fromDocument && isAbsent(sent.token_endpoint_auth_method)) metadata.token_endpoint_auth_method = 'client_secret_basic'
  if (!authMethods.includes(metadata.token_endpoint_auth_method as string)) refuse(`token_endpoint_auth_method must be one of ${authMethods.join(', ')}`)
}

// RFC 7592 section 2.2: null and an empty text take a member away.
const isAbsent = (value: unknown) => value === undefined || value === null || value === ''

// A document is one for all servers: of what it offers, that counts which we have. Who registers can be told.
function settleGrants (metadata: Metadata, fromDocument: boolean): void {
  for (const [member, known] of Object.entries(answered)) {
    const { [member]: wanted } = metadata
    if (!Array.isArray(wanted)) refuse(`${member} must be a list`)
    if (fromDocument) metadata[member] = wanted.filter(value => known.includes(value as string))
    else if (!wanted.every(value => known.includes(value as string))) refuse(`${member} must hold nothing but ${known.join(', ')}`)
    if (!(metadata[member] as unknown[]).includes(known[0])) refuse(`${member} must hold ${known[0]}`)
  }
}

/** Line ends, directions, what is not seen: none has a place in a name, but the joiners of Persian, Hindi and emoji. */
const unreadable = /(?![\u{200c}\u{200d}])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u

function judgeName (name: unknown): void {
  if (name === undefined) return
  if (typeof name !== 'string' || name.trim() === '') refuse('client_name must be a text that can be read')
  if ([...name].length > limits.nameCharacters) refuse(`client_name must not be longer than ${limits.nameCharacters} characters`)
  if (unreadable.test(name)) refuse('client_name must not hold control characters, or characters that hide or turn its text')
}

function judgeRedirects (uris: unknown): asserts uris is string[] {
  if (!Array.isArray(uris) || uris.length === 0) refuse('redirect_uris must be a list with one at least')
  if (uris.length > limits.redirects) refuse(`redirect_uris must not hold more than ${limits.redirects}`)
  for (const [index, uri] of uris.entries()) {
    const fault = redirectFault(uri)
    // By how it begins oidc-provider chooses invalid_redirect_uri.
    if (fault !== undefined) refuse(`redirect_uris[${index}] ${fault}`)
  }
}

/** A client as oidc-provider has it. */
export interface DescribedClient { clientId: string, clientName?: string | undefined }

/**
 * What a page may say of a client that asks to be sent back to `redirectUri`.
 * Verified is a client of a metadata document at the very host (and port) that the person returns to: who runs that host wrote the document.
 * It is never one that returns to this device, by a loopback address or a scheme of an app's own: any program there can take the answer,
 * and can show the document of somebody else. Then `clientHost` says where the document lies, and no more than that.
 * @throws TypeError where redirectUri is no URL
 */
export function clientViewOf ({ clientId, clientName }: DescribedClient, redirectUri: string): ClientView {
  const clientHost = isDocumentId(clientId) ? new URL(clientId).host : undefined
  const redirectHost = redirectHostOf(redirectUri)
  return {
    name: clientName ?? clientHost ?? redirectHost,
    redirectHost,
    verified: clientHost !== undefined && !isOnThisDevice(redirectHost) && new URL(redirectUri).host === clientHost,
    clientHost
  }
}
