import { Type } from 'typebox'

/** An object of any properties, in as few characters as JSON Schema needs: every tool's contract is read by a model. */
export const openObject = (description?: string) => Type.Unsafe<Record<string, unknown>>({ type: 'object', ...(description !== undefined && { description }) })
