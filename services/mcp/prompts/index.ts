/** Every prompt of the gateway, in the order in which clients list them. */
import { checkDataQuality } from './check-data-quality.ts'
import { exploreGraph } from './explore-graph.ts'
import { findPaths } from './find-paths.ts'
import type { Prompt } from './prompt.ts'
import { writeQuery } from './write-query.ts'

export const prompts: readonly Prompt[] = [exploreGraph, writeQuery, findPaths, checkDataQuality]
