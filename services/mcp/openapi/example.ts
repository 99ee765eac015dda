import type { ToolSpec } from '../tools/tool.ts'

/** The arguments that a tool's description shows after "Example:"; none where it shows none. */
export function exampleOf ({ description }: Pick<ToolSpec, 'description'>): Record<string, unknown> {
  const text = description.slice(description.indexOf('{', Math.max(description.lastIndexOf('Example'), 0)))
  // Words may follow, so the longest part that is JSON counts.
  for (let end = text.lastIndexOf('}'); end > 0; end = text.lastIndexOf('}', end - 1)) {
    try {
      return JSON.parse(text.slice(0, end + 1))
    } catch {
      // A shorter one may be.
    }
  }
  return {}
}
