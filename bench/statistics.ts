/** The arithmetic of the report, without any state. */

/**
 * Nearest-rank percentile: the smallest value that at least `share` of all values do not exceed.
 * @param sorted ascending, at least one
 * @param share 0 < share ≤ 1
 */
export function percentile (sorted: ArrayLike<number>, share: number): number {
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new RangeError('a percentile of nothing')
  return value
}

/** The middle value; of an even count, the mean of the two middle ones. */
export function median (values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  if (upper === undefined) throw new RangeError('a median of nothing')
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2
}

/** Half of the distance between the least and the greatest value, as a share of the median: the ± of a noisy machine. */
export function spread (values: readonly number[]): number {
  const middle = median(values)
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / 2 / middle
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
