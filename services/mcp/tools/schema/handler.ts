import { NotFoundError } from '@gateway/common/errors.ts'
import { graphKey } from '../../graph/name.ts'
import { readSchema, type GraphSchema } from '../../graph/schema/schema.ts'
import { defineTool } from '../tool.ts'
import { schemaAnswer } from './answer.ts'
import { schemaSpec } from './spec.ts'

/** Most bytes of a schema (requirement 26), where MAX_RESULT_BYTES allows that many. */
const maxSchemaBytes = 100_000

/** falkordb_schema: what a model has to know of a graph before it writes a query. */
export const schema = defineTool({
  name: 'falkordb_schema',
  spec: schemaSpec,
  async handle ({ graphName, labels }, context) {
    const { caller, config } = context
    const { graphName: name, key } = graphKey(caller.tenantId, graphName, config.ENABLE_MULTI_TENANCY)
    const whole = await readSchema(context, name)
    const place = { tenant: caller.tenantId, graphName: name, resolvedGraphName: key }
    return schemaAnswer(labels === undefined ? whole : onlyOf(whole, new Set(labels)), place, Math.min(config.MAX_RESULT_BYTES, maxSchemaBytes))
  }
})

/** Those labels and types, and the relationships of such nodes. @throws NotFoundError label_not_found */
function onlyOf (schema: GraphSchema, names: ReadonlySet<string>): GraphSchema {
  const known = new Set([...schema.labels.map(({ label }) => label), ...schema.relationshipTypes.map(({ type }) => type)])
  if (![...names].some(name => known.has(name))) throw new NotFoundError('label_not_found', 'The graph has no such label or relationship type; call falkordb_schema without labels to see those that there are. Upper and lower case differ.')
  const touches = (labels: readonly string[]) => labels.some(label => names.has(label))
  return {
    ...schema,
    labels: schema.labels.filter(({ label }) => names.has(label)),
    relationshipTypes: schema.relationshipTypes.flatMap(relationship => {
      const patterns = names.has(relationship.type) ? relationship.patterns : relationship.patterns.filter(({ from, to }) => touches(from) || touches(to))
      return names.has(relationship.type) || patterns.length > 0 ? [{ ...relationship, patterns }] : []
    }),
    indexes: schema.indexes.filter(({ label }) => names.has(label)),
    constraints: schema.constraints.filter(({ label }) => names.has(label))
  }
}
