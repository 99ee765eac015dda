import t from 'tap'
import { referredFault } from './addresses.ts'

t.test('the metadata of an issuer behind TLS leads nobody to an address in the clear, inside the network least of all', async t => {
  for (const address of ['http://127.0.0.1:8080/keys', 'http://169.254.169.254/latest', 'http://10.0.0.7/', 'http://keys.example.com/', 'ftp://x/', 'keys', '']) t.type(referredFault('https://login.example.com', address), 'string', address)
  for (const address of ['https://keys.example.com/jwks', 'HTTPS://keys.example.com/jwks']) t.equal(referredFault('https://login.example.com', address), undefined, address)
})

t.test('an issuer in the clear, on this machine or a private network, may keep its keys there', async t => {
  t.equal(referredFault('http://127.0.0.1:4188', 'http://127.0.0.1:4188/jwks'), undefined)
  t.type(referredFault('http://127.0.0.1:4188', 'http://keys.example.com/jwks'), 'string')
})
