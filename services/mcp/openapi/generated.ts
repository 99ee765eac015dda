/** The files that verify serves at /openapi.json and /docs, made from the contracts of all tools under default settings. */
import { join } from 'node:path'
import { exampleUrl } from '@gateway/common/example-url.ts'
import { loadMcpConfig } from '../config.ts'
import { allTools } from '../tools/index.ts'
import { openApiDocument } from './document.ts'
import { docsPage } from './page.ts'

const folder = join(import.meta.dirname, '../../verify/routes/documents')

/** Contents by path. */
export function generatedFiles (): Record<string, string> {
  // What has no default says nothing in a contract.
  const config = loadMcpConfig({ PUBLIC_URL: exampleUrl, GATEWAY_SECRET: 'stands-in-for-a-secret-that-signs-nothing', FALKORDB_URL: 'redis://stands.in.example' })
  const document = openApiDocument(allTools.map(tool => tool.spec(config)))
  return {
    [join(folder, 'openapi.json')]: `${JSON.stringify(document, null, 2)}\n`,
    [join(folder, 'docs.html')]: docsPage(document)
  }
}
