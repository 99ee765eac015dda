/** The process of the verify service. */
import '@gateway/common/node-version.ts'
import { configOrExit } from '@gateway/common/config.ts'
import { createInternalApp, createObservability, serve } from '@gateway/common/service.ts'
import { openAudit } from './audit.ts'
import { buildDecisionApp, buildPublicApp } from './app.ts'
import { loadVerifyConfig } from './config.ts'
import { gateHealth, openGate } from './gate.ts'
import { openTransport } from './transport.ts'

const config = configOrExit('verify', () => loadVerifyConfig(process.env))
const observability = createObservability('verify', config.LOG_LEVEL)
for (const warning of config.warnings) observability.logger.warn(warning)
const gate = openGate(config, observability)
const audit = openAudit(config.AUDIT_LOG_FILE, observability.logger)
const options = { config, gate, audit, observability }
const decision = buildDecisionApp(options)
const open = buildPublicApp(options)
const transport = openTransport(config, [decision, open], observability)
const health = gateHealth(gate, () => ({ certificate: transport.status() }))

await serve(observability, health, [
  { app: decision, host: config.VERIFY_HOST, port: config.VERIFY_DECISION_PORT, name: 'decision' },
  { app: open, host: config.VERIFY_HOST, port: config.VERIFY_PORT, name: 'public' },
  { app: createInternalApp(observability, health), host: config.METRICS_HOST, port: config.METRICS_PORT, name: 'metrics' }
], async () => {
  transport.close()
  await gate.close()
  await audit.close()
})
