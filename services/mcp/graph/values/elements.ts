/**
 * Nodes, edges, paths and points as results have them (contract, section "Tools"). They are classes so that a reader of a result can tell them from
 * maps with the same keys; as JSON they are plain objects.
 */

export type Properties = Record<string, unknown>

/** Identities are numbers, and beyond ±(2^53−1) typed values. */
export type ElementId = unknown

export class GraphNode {
  readonly identity: ElementId
  readonly labels: readonly string[]
  readonly properties: Properties

  constructor (identity: ElementId, labels: readonly string[], properties: Properties) {
    this.identity = identity
    this.labels = labels
    this.properties = properties
  }
}

export class GraphEdge {
  readonly identity: ElementId
  readonly type: string
  readonly source: ElementId
  readonly target: ElementId
  readonly properties: Properties

  constructor (identity: ElementId, type: string, source: ElementId, target: ElementId, properties: Properties) {
    this.identity = identity
    this.type = type
    this.source = source
    this.target = target
    this.properties = properties
  }
}

/** Nodes in the order of the path, and an edge between each two of them. */
export class GraphPath {
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]

  constructor (nodes: readonly GraphNode[], edges: readonly GraphEdge[]) {
    this.nodes = nodes
    this.edges = edges
  }
}

export class GraphPoint {
  /** Numbers, or typed values such as `{"$float": "NaN"}`. */
  readonly latitude: unknown
  readonly longitude: unknown

  constructor (latitude: unknown, longitude: unknown) {
    this.latitude = latitude
    this.longitude = longitude
  }
}
