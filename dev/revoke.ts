/** `make revoke` and `make revocations`, where dev/stack/nearest.ts finds a Valkey. Words: TENANT, USER, JTI, GRANT, TOKEN, ISSUER. */
import '@gateway/common/node-version.ts'
import { ending } from '@gateway/common/command.ts'
import { placeHere } from '../services/verify/commands/place.ts'
import { listThere, revokeThere, withoutToken, wordNames, type Place } from '../services/verify/commands/revoking.ts'
import { inContainer, nearest } from './stack/nearest.ts'

const say = (line: string) => { process.stdout.write(`${line}\n`) }

const [command] = process.argv.slice(2)
await ending(async () => {
  // The token goes no further than this process.
  const words = withoutToken(Object.fromEntries(wordNames.map(name => [name, process.env[name]])))
  const place = await nearest<Place>(process.env, {
    server: 'Valkey',
    variable: 'VALKEY_URL',
    inStack: ({ services, url, issuer }) => ({ valkeyUrl: services.valkey.url, issuers: [...services.oauth.length > 0 ? [url] : [], issuer] }),
    inEnvironment: () => placeHere(process.env)
  })
  if (place === undefined) await inContainer('verify', command as string, 'VALKEY_URL', command === 'revoke' ? words : {}).ended
  else if (command === 'revoke') say(await revokeThere(words, place))
  else await listThere(place, say)
})
