import { forgetSchema } from '../../graph/schema/schema.ts'
import { missingIndexes, planAnswer, planTarget } from '../explain/answer.ts'
import { defineTool } from '../tool.ts'
import { profileSpec } from './spec.ts'

/** falkordb_profile: GRAPH.PROFILE, which runs the query. FalkorDB's TIMEOUT_DEFAULT ends it, writes too, and rolls those back. */
export const profile = defineTool({
  name: 'falkordb_profile',
  spec: profileSpec,
  async handle (args, context) {
    const { target, place } = planTarget(args, context)
    // Before the run: once it has written, nothing that fails may say otherwise.
    const notes = await missingIndexes(await context.database.explain(target), target, context)
    try {
      return planAnswer(await context.database.profile(target), notes, place, context.config.MAX_RESULT_BYTES)
    } finally {
      forgetSchema(context.database, target)
    }
  }
})
