import { NotFoundError, ValidationError } from '@gateway/common/errors.ts'
import { canBeNamed } from '../../graph/schema/cypher-names.ts'
import { createIndexStatement, readIndexes, type GraphIndex } from '../../graph/schema/indexes.ts'
import { graphKey } from '../../graph/name.ts'
import { queryAnswer } from '../../results.ts'
import { defineTool } from '../tool.ts'
import { fulltextQuery, wordsOf } from './fulltext-query.ts'
import { defaultLimit, searchSpec } from './spec.ts'

/** More are a document, not a question. */
const maxWords = 64

// Of equal scores the older node comes first, so that an answer does not depend on chance.
const fulltextSearch = 'CALL db.idx.fulltext.queryNodes($label, $text) YIELD node, score RETURN node, score ORDER BY score DESC, id(node) LIMIT $limit'
const vectorSearch = 'CALL db.idx.vector.queryNodes($label, $property, $limit, vecf32($vector)) YIELD node, score RETURN node, score ORDER BY score, id(node)'

/** falkordb_search: nodes by words or by nearness. The indexes are read anew for each call, as the last error may have told how to create one. */
export const search = defineTool({
  name: 'falkordb_search',
  spec: searchSpec,
  async handle ({ graphName, label, text, vector, property, limit }, context) {
    const { caller, config, database, signal } = context
    if ((text === undefined) === (vector === undefined)) throw new ValidationError('invalid_arguments', 'Give either "text", words to find, or "vector", a list of numbers: one of the two.')
    const { graphName: name, key } = graphKey(caller.tenantId, graphName, config.ENABLE_MULTI_TENANCY)
    const indexes = (await readIndexes(context, key, signal)).filter(index => index.on === 'node' && index.label === label)
    const rows = limit ?? Math.min(defaultLimit, config.MAX_ROWS)
    const { index, query, parameters } = text !== undefined
      ? byText(indexes, { label, text, property, rows })
      : byVector(indexes, { label, vector: vector as number[], property, rows })
    const result = await database.query({ key, query, parameters, mode: 'read', timeoutMs: config.QUERY_TIMEOUT_MS, maxRows: rows, tenant: caller.tenantId, signal })
    const notes = index.building ? ['The index is still being built, so not everything is found yet.'] : []
    return queryAnswer(result, { tenant: caller.tenantId, graphName: name, resolvedGraphName: key }, { maxBytes: config.MAX_RESULT_BYTES, notes })
  }
})

interface Search { label: string, property: string | undefined, rows: number }
interface Plan { index: GraphIndex, query: string, parameters: object }

function byText (indexes: readonly GraphIndex[], { label, text, property, rows }: Search & { text: string }): Plan {
  const index = indexes.find(({ kind, properties }) => kind === 'fulltext' && (property === undefined || properties.includes(property)))
  if (index === undefined) throw missing('full-text', { kind: 'fulltext', on: 'node', label, properties: [property ?? 'property'] }, indexes, property)
  const words = wordsOf(text, index.stopwords)
  if (words.length === 0) {
    throw new ValidationError('text_without_words', index.stopwords === undefined
      ? 'The text has no word to look for, only signs. Give words of letters or digits.'
      : 'The text has no word to look for: the rest are stop words of the index. Give a rarer word.')
  }
  if (words.length > maxWords) throw new ValidationError('text_too_long', `The text has ${words.length} words; only nodes that hold all of them would be found. Give the few that matter, ${maxWords} at most.`)
  // One row more than is shown tells that there are more.
  return { index, query: fulltextSearch, parameters: { label, text: fulltextQuery(words, property), limit: rows + 1 } }
}

function byVector (indexes: readonly GraphIndex[], { label, vector, property, rows }: Search & { vector: number[] }): Plan {
  const vectorIndexes = indexes.filter(({ kind }) => kind === 'vector')
  const fitting = vectorIndexes.filter(({ properties }) => property === undefined || properties.includes(property))
  const [index] = fitting
  if (index === undefined) throw missing('vector', { kind: 'vector', on: 'node', label, properties: [property ?? 'property'], dimension: vector.length }, indexes, property)
  if (fitting.length > 1) throw new ValidationError('property_needed', 'The label has several vector indexes: name one of them in "property"; falkordb_schema shows them.')
  const { dimension } = index
  if (dimension !== undefined && dimension !== vector.length) {
    throw new ValidationError('dimension_mismatch', `The vector has ${vector.length} numbers; this index holds vectors of ${dimension}. Use the model that made the stored vectors.`, { details: { dimension, given: vector.length } })
  }
  return { index, query: vectorSearch, parameters: { label, property: index.properties[0], limit: rows, vector } }
}

/** Which index there would have to be, and how to make it. No name that is stored in the graph is in it: an error has no fence around data. */
function missing (what: string, wanted: GraphIndex, indexes: readonly GraphIndex[], property: string | undefined): NotFoundError {
  const others = property !== undefined && indexes.some(({ kind }) => kind === wanted.kind)
  const creatable = [wanted.label, ...wanted.properties].every(canBeNamed)
  return new NotFoundError('index_missing', [
    `There is no ${what} index on ${property === undefined ? 'this label' : 'this property of the label'}; falkordb_schema shows labels, properties and indexes as they are written, upper and lower case differ.`,
    ...(others ? ['Without "property" the label can be searched.'] : []),
    ...(creatable ? [`To create it, run details.create with falkordb_query (needs graph:write)${property === undefined ? `, with the property that holds the ${what === 'vector' ? 'vectors' : 'text'} in place of "property"` : ''}.`] : [])
  ].join(' '), { details: creatable ? { create: createIndexStatement(wanted) } : {} })
}
