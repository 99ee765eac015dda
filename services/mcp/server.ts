/** The process of the tool service. */
import '@gateway/common/node-version.ts'
import { startService } from './start.ts'

await startService()
