/**
 * The outcome of the work, if it comes in time. The work itself goes on.
 * @param ms time to wait, in milliseconds
 * @param who is waited for, in the words of the error
 * @throws Error where the time is over
 */
export async function within<T> (ms: number, who: string, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`${who} does not answer within ${ms} ms`)), ms)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
