import { defineTool } from '../tool.ts'
import { missingIndexes, planAnswer, planTarget } from './answer.ts'
import { explainSpec } from './spec.ts'

/** falkordb_explain: GRAPH.EXPLAIN, which runs nothing, of writes neither. */
export const explain = defineTool({
  name: 'falkordb_explain',
  spec: explainSpec,
  async handle (args, context) {
    const { target, place } = planTarget(args, context)
    const plan = await context.database.explain(target)
    return planAnswer(plan, await missingIndexes(plan, target, context), place, context.config.MAX_RESULT_BYTES)
  }
})
