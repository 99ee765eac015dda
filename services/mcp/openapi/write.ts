/** Writes the files anew: `make openapi`. A test compares them with the tools, so that they cannot go stale. */
import '@gateway/common/node-version.ts'
import { writeFileSync } from 'node:fs'
import { generatedFiles } from './generated.ts'

for (const [path, content] of Object.entries(generatedFiles())) writeFileSync(path, content)
