/** `make doctor`: what is wrong with this machine, `.env`, certificates or a running stack; ends with 1 where something is. */
import '@gateway/common/node-version.ts'
import { section, type Finding } from './doctor/finding.ts'
import { examineMachine } from './doctor/machine.ts'
import { examineSettings } from './doctor/settings.ts'
import { examineStack } from './doctor/stack.ts'
import { defaultDir } from './stack/file.ts'

const dir = process.env.DEV_DIR || defaultDir
const sections: Array<[title: string, findings: Promise<Finding[]>]> = [
  ['This machine', examineMachine(process.env)],
  ['The compose stack\'s .env', examineSettings('.env', process.env)],
  [`The dev stack in ${dir}`, examineStack(dir)]
]

let faults = 0
for (const [title, promise] of sections) {
  const findings = await promise
  faults += findings.filter(({ level }) => level === 'fault').length
  process.stdout.write(`${section(title, findings)}\n`)
}
process.stdout.write(faults === 0 ? 'No fault found.\n' : `${faults === 1 ? 'One fault' : `${faults} faults`} found.\n`)
process.exitCode = faults === 0 ? 0 : 1
