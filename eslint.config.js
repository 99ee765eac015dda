import neostandard from 'neostandard'

export default [
  { ignores: ['node_modules/', '.cache/', '.dev*/', '.tap/'] },
  ...neostandard({ ts: true })
]
