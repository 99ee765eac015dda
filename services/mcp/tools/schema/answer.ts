/** A schema as an answer: every label by name first, then their properties, then values, as far as they fit. */
import { cypherName } from '../../graph/schema/cypher-names.ts'
import { createIndexStatement } from '../../graph/schema/indexes.ts'
import type { GraphSchema, SchemaConstraint, SchemaLabel, SchemaProperty, SchemaRelationship } from '../../graph/schema/schema.ts'
import type { Place } from '../../results.ts'
import { fenced, jsonBytes, visible } from '../../text.ts'
import type { ToolAnswer } from '../tool.ts'

/** How much of an entry is shown: its name and count; its properties with their types; one value of each; up to three. */
const details = ['names', 'types', 'value', 'values'] as const
type Detail = typeof details[number]

type Section = 'labels' | 'relationshipTypes' | 'indexes' | 'constraints'

interface Form {
  structured: object
  lines: string[]
}

/** Something of the schema; its forms grow with the detail, and are made when they are tried. */
interface Entry {
  section: Section
  forms: Array<() => Form>
}

/** What is shown of an entry so far. */
interface Shown {
  entry: Entry
  /** Which of its forms; -1 for none. */
  detail: number
  form?: Form
  bytes: number
}

/** Bytes kept for all that is no entry. */
const frameBytes = 3_072

/** Entries one after the other that are tried in vain. */
const maxMisses = 50

/**
 * The answer of falkordb_schema. Structured content and text, as they travel in JSON, stay together below `maxBytes`; `truncated` says that names or
 * properties were left out, for which labels with few nodes go first.
 */
export function schemaAnswer (schema: GraphSchema, place: Place, maxBytes: number): ToolAnswer {
  const shown: Shown[] = entriesOf(schema).map(entry => ({ entry, detail: -1, bytes: 0 }))
  let left = maxBytes - frameBytes
  // One round for each detail: all names come before the first property, and all properties before the first value.
  for (let detail = 0; detail < details.length; detail++) {
    let misses = 0
    for (const one of shown) {
      if (one.detail < detail - 1) continue
      const form = one.entry.forms[detail]?.()
      if (form === undefined) continue
      const bytes = sizeOf(form)
      if (bytes - one.bytes > left) {
        // The rest fits hardly better, and writing it out would hold up everybody.
        if (++misses === maxMisses) break
        continue
      }
      misses = 0
      left -= bytes - one.bytes
      Object.assign(one, { detail, form, bytes })
    }
  }
  const missing = shown.filter(({ entry, detail }) => detail < Math.min(1, entry.forms.length - 1)).length
  return compose(schema, place, shown, adviceFor(schema, missing))
}

const sizeOf = ({ structured, lines }: Form) => jsonBytes(structured) + ','.length + lines.reduce((sum, line) => sum + jsonBytes(visible(line)), 0)

/** Labels before relationships before indexes, but the largest of each first: whatever does not fit is the rarest. */
function entriesOf ({ labels, relationshipTypes, indexes, constraints }: GraphSchema): Entry[] {
  const sections: Entry[][] = [
    labels.map(label => ({ section: 'labels', forms: forms(label.properties, detail => labelForm(label, detail)) })),
    relationshipTypes.map(type => ({ section: 'relationshipTypes', forms: forms(type.properties, detail => relationshipForm(type, detail)) })),
    indexes.map(index => ({ section: 'indexes', forms: [() => ({ structured: index, lines: [`${createIndexStatement(index)}${index.building ? ' // still being built' : ''}`] })] })),
    constraints.map(constraint => ({ section: 'constraints', forms: [() => ({ structured: constraint, lines: [constraintLine(constraint)] })] }))
  ]
  const longest = Math.max(...sections.map(section => section.length))
  return Array.from({ length: longest }, (_, rank) => sections.flatMap(section => section[rank] ?? [])).flat()
}

const forms = (properties: readonly SchemaProperty[], form: (detail: Detail) => Form) => (properties.length === 0 ? details.slice(0, 1) : details).map(detail => () => form(detail))

function labelForm ({ label, count, properties }: SchemaLabel, detail: Detail) {
  return {
    structured: { label, count, ...propertyMap(properties, detail) },
    lines: [[`(:${cypherName(label)} ${count})`, propertyList(properties, detail)].filter(Boolean).join(' ')]
  }
}

function relationshipForm ({ type, count, estimated, properties, patterns }: SchemaRelationship, detail: Detail) {
  const list = propertyList(properties, detail)
  return {
    structured: { type, count, ...(estimated && { estimated }), ...propertyMap(properties, detail), patterns },
    // Properties belong to the type, so they are told once.
    lines: (patterns.length === 0 ? [undefined] : patterns).map((pattern, index) => {
      const inner = [`:${cypherName(type)}`, `${estimated && pattern ? '~' : ''}${pattern?.count ?? count}`, ...(list !== '' && index === 0 ? [`{${list}}`] : [])].join(' ')
      return `(${labelsText(pattern?.from)})-[${inner}]->(${labelsText(pattern?.to)})`
    })
  }
}

const labelsText = (labels: readonly string[] = []) => labels.map(label => `:${cypherName(label)}`).join('')

const valuesShown: Record<Detail, number> = { names: 0, types: 0, value: 1, values: 3 }

/** Apart from each other, as most properties of a large schema are shown without values. */
function propertyMap (properties: readonly SchemaProperty[], detail: Detail) {
  // No properties at all is worth saying: absent means that there was no room.
  if (detail === 'names' && properties.length > 0) return {}
  const [types, values] = [emptyMap(), emptyMap()]
  for (const property of properties) {
    types[property.name] = property.types.join('|')
    const some = property.values.slice(0, valuesShown[detail])
    if (some.length > 0) values[property.name] = some
  }
  return { properties: types, ...(Object.keys(values).length > 0 && { values }) }
}

/** Without a prototype, so that `__proto__` is a name like any other. */
const emptyMap = () => Object.create(null) as Record<string, unknown>

function propertyList (properties: readonly SchemaProperty[], detail: Detail): string {
  if (detail === 'names') return ''
  return properties.map(({ name, types, values }) => {
    const some = values.slice(0, valuesShown[detail])
    return [cypherName(name), types.join('|'), ...(some.length > 0 ? [some.map(value => JSON.stringify(value)).join(' ')] : [])].join(' ')
  }).join(', ')
}

function constraintLine ({ kind, on, label, properties, status }: SchemaConstraint): string {
  const where = on === 'node' ? `(:${cypherName(label)})` : `()-[:${cypherName(label)}]->()`
  return `${kind} constraint: ${where} ${properties.map(cypherName).join(', ')}${status === 'OPERATIONAL' ? '' : ` (${status})`}`
}

function adviceFor ({ omitted, labels }: GraphSchema, missing: number): string {
  const parts = omitted.length > 0 ? [`Not read: ${omitted.join('; ')}.`] : []
  if (missing > 0) parts.push(`The schema is larger than an answer may be: ${missing} labels, relationship types or indexes are not shown or without their properties.`)
  if (parts.length > 0) parts.push(labels.length > 1 ? 'Call falkordb_schema with labels, the names that you are interested in.' : 'Ask for the rest with falkordb_read_query.')
  return parts.join(' ')
}

function compose (schema: GraphSchema, place: Place, shown: readonly Shown[], advice: string): ToolAnswer {
  const { nodes, relationships, sampleSize } = schema
  const of = (section: Section) => shown.flatMap(({ entry, form }) => entry.section === section && form !== undefined ? [form] : [])
  const structured = (section: Section) => of(section).map(form => form.structured)
  const truncated = advice !== ''
  const headline = `The graph ${place.graphName}: ${nodes} nodes, ${relationships} relationships. Properties and their values are from a sample of ${sampleSize} for each label and type` +
    `${schema.relationshipTypes.some(({ estimated }) => estimated) ? '; counts with ~ are estimates from the first relationships' : ''}.`
  return {
    structured: {
      success: true,
      nodes,
      relationships,
      labels: structured('labels'),
      relationshipTypes: structured('relationshipTypes'),
      indexes: structured('indexes'),
      constraints: structured('constraints'),
      sampled: true,
      ...place,
      truncated,
      ...(truncated && { advice })
    },
    text: fenced(headline, (['labels', 'relationshipTypes', 'indexes', 'constraints'] as const).flatMap(section => of(section).flatMap(({ lines }) => lines)), truncated ? [`Truncated. ${advice}`] : [])
  }
}
